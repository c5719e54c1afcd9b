//! Which parameters these are: a hash of their names and shapes.

/// What names and shapes some parameters have, and in what order: equal for clones and averages of one model, and for
/// models built by the same program, in another process or on another machine as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The number of elements of all parameters.
    pub elements: u64,
    /// A hash of names and shapes.
    pub fingerprint: u64,
}

impl Signature {
    /// Of no parameters. The number is FNV-1a's first hash (G. Fowler, L. C. Noll and K.-P. Vo, 1991).
    pub(super) const EMPTY: Signature = Signature { elements: 0, fingerprint: 0xcbf2_9ce4_8422_2325 };

    /// One more parameter. Lengths are hashed first, so that no two lists of names and shapes read alike.
    pub(super) fn with(self, name: &str, shape: &[usize], elements: usize) -> Signature {
        let sizes = [name.len(), shape.len()].into_iter().chain(shape.iter().copied());
        let sizes = sizes.flat_map(|size| (size as u64).to_le_bytes());
        let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Signature {
            elements: self.elements + elements as u64,
            fingerprint: sizes.chain(name.bytes()).fold(self.fingerprint, hash),
        }
    }
}
