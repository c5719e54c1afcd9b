//! Elements dropped at random, by a generator that is asked for the i-th number, not for the next.

use super::isa::vectorize;
use super::rows::put;
use crate::element::Element;
use crate::matrix::{Accum, Sparse};

/// Number i of the stream of this seed: 64 random bits.
///
/// Splitmix64 (Steele, Lea and Flood 2014) steps by a constant and mixes, so any number of its stream is at hand: no
/// state, the same mask forward and backward, on one thread or many.
#[inline(always)]
fn random_bits(seed: u64, i: u64) -> u64 {
    let z = seed.wrapping_add((i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

vectorize! {
    /// `y (=, +=) x / (1 − rate)` where the mask of this seed keeps the element, 0 where it drops it.
    ///
    /// # Panics
    /// If `x` and `y` differ in length.
    pub fn dropout [T: Element] (x: &[T], rate: f64, seed: u64, y: &mut [T], accum: Accum) {
        assert_eq!(x.len(), y.len(), "input and output are of one size");
        let scale = T::from_f64(1.0 / (1.0 - rate));
        let threshold = (rate * 2f64.powi(64)) as u64;
        let kept = |(i, &x): (usize, &T)| {
            if random_bits(seed, i as u64) >= threshold { x * scale } else { T::ZERO }
        };
        put(y, x.iter().enumerate().map(kept), accum);
    }
}

/// Dropout of the entries of a matrix, into `y` in their order.
///
/// # Panics
/// If `y` is shorter than the entries.
pub fn dropout_entries<T: Element>(x: Sparse<T>, rate: f64, seed: u64, y: &mut [T], accum: Accum) {
    let scale = T::from_f64(1.0 / (1.0 - rate));
    let threshold = (rate * 2f64.powi(64)) as u64;
    for (entry, (row, column)) in x.support.positions().enumerate() {
        let index = row * x.support.cols() + column;
        let kept = random_bits(seed, index as u64) >= threshold;
        let value = if kept { x.values[entry] * scale } else { T::ZERO };
        put([&mut y[entry]], [value], accum);
    }
}
