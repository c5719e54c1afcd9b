//! What an op says of zeros: one value, from one method of its rule.
//!
//! Take relu, y = max(x, 0). *Forward*, many elements of y are zero, so a matrix product that reads y looks for them and
//! visits the others, the *entries* of y, alone. *Backward*, relu's formula gx = gy where y > 0 reads gy at those entries
//! alone, so that the product's vjp computes gy there and nowhere else; and what relu hands on, gx, is zero off the same
//! entries, which the product before it makes use of in turn.

use crate::pointwise::Demand;

/// What an op makes of zeros. [`DENSE`](ZeroRule::DENSE) is right for every op.
///
/// Whatever an op says here changes the time that a step takes, and the order in which sums run, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZeroRule {
    /// Where the output is zero.
    pub output: Output,
    /// Where the vjp reads the cotangent of the output. If that is the [support](Demand::Support) of the output, the vjp
    /// is made from y and gy alone, and selects: gx = something where y ≠ 0, and 0 elsewhere, whatever stands in gy.
    pub reads: Demand,
    /// What the vjp makes of a cotangent that is given at entries only.
    pub entries: OnEntries,
}

/// Where the output of an op is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Nowhere in particular.
    Any,
    /// In many places, as the output of relu is: worth a look.
    Sparse,
    /// Wherever the first input is, which has the output's shape; or, if the output is one number, zeros add nothing to it.
    KeepsZeros,
}

/// What a vjp makes of a cotangent that is given at some entries only, and is zero elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnEntries {
    /// Nothing: it is handed all elements.
    Ignores,
    /// It treats each element alone, so that it can be run on the values at the entries as if they were all: x, y and gy
    /// are given there, and gx is written there.
    EachAlone,
    /// The output is a sum, and each of its terms is treated alone: x is given, and gx written, at the entries at which
    /// gx is read.
    SumOfEach,
    /// It is the matrix product of its first two inputs, of m x k and k x n, and looks for entries in the views of the
    /// first input and of gy.
    Multiplies([usize; 3]),
    /// It finds entries in the view of gy, and hands them on: an input of the output's shape gets a cotangent at the same
    /// entries, any other input a whole one.
    PassesOn,
}

impl ZeroRule {
    /// Zeros are numbers like others.
    pub const DENSE: ZeroRule =
        ZeroRule { output: Output::Any, reads: Demand::Everywhere, entries: OnEntries::Ignores };

    /// What relu makes of zeros: its output is zero in many places, and gx there is zero as well.
    pub const RELU: ZeroRule =
        ZeroRule { output: Output::Sparse, reads: Demand::Support, entries: OnEntries::EachAlone };

    /// The sizes m, k and n of the matrix product that it is, if it is one.
    pub fn product(&self) -> Option<[usize; 3]> {
        match self.entries {
            OnEntries::Multiplies(size) => Some(size),
            _ => None,
        }
    }
}
