//! Ways to name axes: one, several, all.

use std::ops::RangeFull;

use smallvec::SmallVec;

use super::shape::{Axes, INLINE, MOST_AXES};

/// The axes that a sum, a mean or a maximum goes over: one, by its number; several; or all of them, `..`.
///
/// ```
/// use quietgrad::Tensor;
///
/// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!(x.sum_axes(0), Tensor::from([4.0, 6.0]));
/// assert_eq!(x.sum_axes([0, 1]), Tensor::from(10.0));
/// assert_eq!(x.sum_axes(..), Tensor::from(10.0));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name axes",
    label = "not an axis, a list of axes, or `..`",
    note = "one axis is a number of type `usize`, counted from 0; the last one is `x.shape().rank() - 1`, not `-1`"
)]
pub trait AxisList {
    #[doc(hidden)]
    fn axes(self, rank: usize) -> SmallVec<[usize; INLINE]>;
}

impl AxisList for usize {
    fn axes(self, _: usize) -> SmallVec<[usize; INLINE]> {
        SmallVec::from_slice(&[self])
    }
}

impl AxisList for Axes {
    fn axes(self, _: usize) -> SmallVec<[usize; INLINE]> {
        (0..MOST_AXES).filter(|&axis| self.contains(axis)).collect()
    }
}

impl AxisList for RangeFull {
    fn axes(self, rank: usize) -> SmallVec<[usize; INLINE]> {
        (0..rank).collect()
    }
}

impl AxisList for &[usize] {
    fn axes(self, _: usize) -> SmallVec<[usize; INLINE]> {
        SmallVec::from_slice(self)
    }
}

impl AxisList for &Vec<usize> {
    fn axes(self, _: usize) -> SmallVec<[usize; INLINE]> {
        SmallVec::from_slice(self)
    }
}

impl<const N: usize> AxisList for [usize; N] {
    fn axes(self, _: usize) -> SmallVec<[usize; INLINE]> {
        SmallVec::from_slice(&self)
    }
}

impl<const N: usize> AxisList for &[usize; N] {
    fn axes(self, _: usize) -> SmallVec<[usize; INLINE]> {
        SmallVec::from_slice(self)
    }
}
