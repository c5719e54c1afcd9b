//! What a sum is divided by, and whether there is one.

use crate::matrix::size;
use crate::tensor::shape::Show;
use crate::tensor::{Shape, ShapeError};

/// What a sum over many elements is divided by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reduction {
    /// Nothing.
    Sum,
    /// The number of elements; for a classification loss, the number of samples.
    Mean,
    /// The number of samples: the size of the first axis (1 for a scalar).
    PerSample,
    /// Nothing, and samples are not added up: one value for each, \[samples\] for what has samples along its first axis. For a
    /// classification loss, whose classes lie along the last axis, one value for each target.
    Each,
}

impl Reduction {
    /// The reduction in words.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Reduction::Sum => "sum",
            Reduction::Mean => "mean",
            Reduction::PerSample => "per sample",
            Reduction::Each => "each",
        }
    }

    /// What the sum over a tensor of this shape is divided by.
    #[inline]
    pub fn divisor(self, shape: &[usize]) -> f64 {
        match self {
            Reduction::Sum | Reduction::Each => 1.0,
            Reduction::Mean => size::product(shape) as f64,
            Reduction::PerSample => shape.first().copied().unwrap_or(1) as f64,
        }
    }

    /// Whether there is something to take the mean over.
    ///
    /// # Errors
    /// If there is nothing: a mean over no samples is no number, and a step by it would not show that.
    pub(crate) fn check(self, shape: &[usize]) -> Result<(), ShapeError> {
        let what = if self == Reduction::PerSample { "samples" } else { "elements" };
        if self.divisor(shape) == 0.0 { Err(no_mean(shape, what)) } else { Ok(()) }
    }

    /// The shape of a reduction of a tensor of this shape.
    ///
    /// # Errors
    /// As [`check`](Reduction::check).
    pub(crate) fn shape(self, x: &[usize]) -> Result<Shape, ShapeError> {
        self.check(x)?;
        Ok(if self == Reduction::Each { x[..x.len().min(1)].into() } else { Shape::scalar() })
    }
}

/// The error of a mean over nothing.
pub(crate) fn no_mean(shape: &[usize], what: &str) -> ShapeError {
    ShapeError::new(format!("there are no {what} in {} to take the mean over", Show(shape)))
}
