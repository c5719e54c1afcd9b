//! What the sum in a loss or a penalty is divided by.

use crate::matrix::size;

/// What a sum over many elements is divided by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reduction {
    /// Nothing.
    Sum,
    /// The number of elements; for a classification loss, the number of samples.
    Mean,
    /// The number of samples: the size of the first axis (1 for a scalar).
    PerSample,
}

impl Reduction {
    /// In words.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Reduction::Sum => "sum",
            Reduction::Mean => "mean",
            Reduction::PerSample => "per sample",
        }
    }

    /// What the sum over a tensor of this shape is multiplied by.
    pub fn factor(self, shape: &[usize]) -> f64 {
        match self {
            Reduction::Sum => 1.0,
            Reduction::Mean => 1.0 / size::product(shape) as f64,
            Reduction::PerSample => 1.0 / shape.first().copied().unwrap_or(1) as f64,
        }
    }
}
