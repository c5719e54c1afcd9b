//! y = Σ x / n over each window.

use super::{Pooling, Windows};
use crate::kernels::pool;
use crate::ops::{Real, Rule, Sample};
use crate::tape::{Cotangents, Var};
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// The mean of each window.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct AvgPool {
    /// Where the windows lie.
    pub windows: Windows,
    /// Whether padding counts, as zeros.
    pub count_padding: bool,
}

impl Rule for AvgPool {
    fn name(&self) -> &'static str {
        if self.windows.axes == 1 { "avg_pool1d" } else { "avg_pool2d" }
    }

    fn arguments(&self) -> String {
        let counts = if self.count_padding { ", padding counts" } else { "" };
        self.windows.arguments() + counts
    }

    fn flops(&self, _: &[&[usize]], y: &[usize]) -> u64 {
        self.windows.flops(y)
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        self.windows.shape(x[0])
    }

    fn forward<T: Real>(&self, x: &[View<T>], y: ViewMut<T>) {
        pool::mean(&self.windows.checked_size(x[0].shape), self.count_padding, x[0].data, y.data);
    }

    /// gx = gy / n, summed over the windows
    fn vjp<T: Real>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let size = self.windows.checked_size(x[0].shape);
        gx.add(0, |gx, accum| pool::mean_vjp(&size, self.count_padding, gy.data, gx.data, accum));
    }

    fn samples() -> Vec<Sample> {
        let mut samples = Vec::new();
        for (windows, x, count_padding) in Windows::samples() {
            samples.push(Sample::new(AvgPool { windows, count_padding }, [&x]));
        }
        samples
    }
}

impl<T: Real> Var<'_, T> {
    /// The mean of each window of `self` [batch, channels, width]: of the elements that it has, and not of its padding unless
    /// [`count_padding`](Pooling::count_padding()) says so.
    ///
    /// # Panics
    /// If the windows do not fit, or a size is 0.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor, ops::pool::Pooling};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[[2.0, 4.0, 6.0]]]));
    /// let pairs = Pooling::new(2);
    /// assert_eq!(x.avg_pool1d(pairs).value(), Tensor::from([[[3.0]]]));
    /// assert_eq!(x.avg_pool1d(pairs.overhang()).value(), Tensor::from([[[3.0, 6.0]]]));
    /// assert_eq!(x.avg_pool1d(pairs.padding([[1, 0]])).value(), Tensor::from([[[2.0, 5.0]]]));
    /// assert_eq!(x.avg_pool1d(pairs.padding([[1, 0]]).count_padding()).value(), Tensor::from([[[1.0, 5.0]]]));
    /// ```
    #[track_caller]
    pub fn avg_pool1d(self, of: Pooling<1>) -> Self {
        let windows = Windows::new(of, &self.shape());
        self.apply(AvgPool { windows, count_padding: of.count_padding }, &[self])
    }

    /// The mean of each window of `self` [batch, channels, height, width]: see [`avg_pool1d`](Var::avg_pool1d).
    ///
    /// # Panics
    /// If the windows do not fit, or a size is 0.
    #[track_caller]
    pub fn avg_pool2d(self, of: Pooling<2>) -> Self {
        let windows = Windows::new(of, &self.shape());
        self.apply(AvgPool { windows, count_padding: of.count_padding }, &[self])
    }

    /// The mean of each channel of `self` [batch, channels, height, width]: [batch, channels].
    ///
    /// # Panics
    /// If `self` is no image.
    #[track_caller]
    pub fn global_avg_pool2d(self) -> Self {
        let shape = self.shape();
        assert!(
            shape.rank() == 4,
            "global_avg_pool2d: the input {shape} must be [batch, channels, height, width]"
        );
        self.mean_axes([2, 3])
    }
}
