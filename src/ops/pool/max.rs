//! y = max x of each window. Of equal ones the first in row order gets the gradient.

use super::{Pooling, Windows};
use crate::kernels::pool;
use crate::ops::{Output, Real, Rule, Sample, ZeroRule};
use crate::tape::{Cotangents, Var};
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// The largest element of each window.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MaxPool {
    /// Where the windows lie.
    pub windows: Windows,
}

impl Rule for MaxPool {
    fn name(&self) -> &'static str {
        if self.windows.axes == 1 { "max_pool1d" } else { "max_pool2d" }
    }

    fn arguments(&self) -> String {
        self.windows.arguments()
    }

    fn flops(&self, _: &[&[usize]], y: &[usize]) -> u64 {
        self.windows.flops(y)
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        self.windows.shape(x[0])
    }

    /// Of a relu layer's output the largest elements are zero in many places as well.
    fn zeros(&self, _: &[&[usize]]) -> ZeroRule {
        ZeroRule { output: Output::Sparse, ..ZeroRule::DENSE }
    }

    /// A NaN in a window is its result.
    fn forward<T: Real>(&self, x: &[View<T>], y: ViewMut<T>) {
        pool::max(&self.windows.checked_size(x[0].shape), x[0].data, y.data);
    }

    /// gx = gy at the first x of a window that is y, else 0; summed over the windows
    fn vjp<T: Real>(&self, x: &[View<T>], y: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let size = self.windows.checked_size(x[0].shape);
        gx.add(0, |gx, accum| pool::max_vjp(&size, [x[0].data, y.data, gy.data], gx.data, accum));
    }

    /// Which element of each window is the largest.
    fn pieces(&self, x: &[View<f64>]) -> Vec<i64> {
        let size = self.windows.checked_size(x[0].shape);
        let x = x[0].to_vec();
        let mut y = vec![0.0; size.planes * size.map[0] * size.map[1]];
        pool::max(&size, &x, &mut y);
        let mut largest = Vec::new();
        pool::for_each_largest(&size, &x, &y, |_, index| largest.push(index as i64));
        largest
    }

    fn samples() -> Vec<Sample> {
        let mut samples = Vec::new();
        for (windows, x, _) in Windows::samples() {
            samples.push(Sample::new(MaxPool { windows }, [&x]));
        }
        samples
    }
}

/// # Pooling
impl<T: Real> Var<'_, T> {
    /// The largest element of each window of `self` [batch, channels, width]; NaN if one of them is.
    ///
    /// Where elements are equal, the first of them gets the gradient: [`max_axes`](Var::max_axes) shares it.
    ///
    /// # Panics
    /// If the windows do not fit, or a size is 0.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor, ops::pool::Pooling};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[[-1.0, -2.0]]]));
    /// let y = x.max_pool1d(Pooling::new(3).stride(1).padding(1));
    /// assert_eq!(y.value(), Tensor::from([[[-1.0, -1.0]]])); // padding never wins
    /// ```
    #[track_caller]
    pub fn max_pool1d(self, of: Pooling<1>) -> Self {
        self.apply(MaxPool { windows: Windows::new(of, &self.shape()) }, &[self])
    }

    /// The largest element of each window of `self` [batch, channels, height, width]; NaN if one of them is.
    ///
    /// # Panics
    /// As [`max_pool1d`](Var::max_pool1d).
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor, ops::pool::Pooling};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from_fn([1, 1, 4, 4], |i| i as f64));
    /// assert_eq!(x.max_pool2d(Pooling::new(2)).value(), Tensor::from([[[[5.0, 7.0], [13.0, 15.0]]]]));
    /// ```
    #[track_caller]
    pub fn max_pool2d(self, of: Pooling<2>) -> Self {
        self.apply(MaxPool { windows: Windows::new(of, &self.shape()) }, &[self])
    }

    /// The largest element of each channel of `self` [batch, channels, height, width]: [batch, channels]. Of equal ones the
    /// first gets the gradient.
    ///
    /// # Panics
    /// If `self` is no image, or has no pixels.
    #[track_caller]
    pub fn global_max_pool2d(self) -> Self {
        let shape = self.shape();
        let &[batch, channels, height, width] = &shape[..] else {
            panic!("global_max_pool2d: the input {shape} must be [batch, channels, height, width]");
        };
        self.max_pool2d(Pooling::new([height, width])).reshape([batch, channels])
    }
}
