//! y = ln Σ e^x of each row: a smooth maximum; nothing overflows.

use crate::element::Element;
use crate::kernels::softmax;
use crate::ops::{Real, Rule, Sample};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::size_of;
use crate::tensor::{Axes, AxisList, Shape, ShapeError, View, ViewMut};

/// The logarithm of the sum of exponentials along the last axis, which goes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LogSumExp;

impl Rule for LogSumExp {
    fn name(&self) -> &'static str {
        "log_sum_exp"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        let last = x[0].len().saturating_sub(1);
        size_of(x[0], last).map(|_| x[0][..last].into())
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        softmax::log_sum_exp(x[0].data, x[0].shape[y.shape.len()], y.data);
    }

    /// Forward, y = ln Σ e^x, so that dy = Σ e^x dx / Σ e^x = Σ e^(x − y) dx. So:
    ///
    /// gx = gy e^(x − y)
    fn vjp<T: Element>(&self, x: &[View<T>], y: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        gx.add(0, |gx, accum| softmax::log_sum_exp_vjp(x[0].data, y.data, gy.data, gx.data, accum));
    }

    fn samples() -> Vec<Sample> {
        let shapes: [&[usize]; 6] = [&[5], &[3, 4], &[2, 3, 2], &[3, 1], &[0, 4], &[2, 70]];
        let mut samples = Vec::new();
        for &shape in &shapes {
            samples.push(Sample::new(LogSumExp, [shape]));
        }
        samples
    }
}

/// # Sums of exponentials
impl<T: Real> Var<'_, T> {
    /// ln Σ e^x over these axes, which go. The last axes are the fast ones.
    ///
    /// # Panics
    /// If there is no such axis, or one is named twice.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1000.0, 1000.0]]));
    /// assert_eq!(x.log_sum_exp_axes(&[1]).value(), Tensor::from([1000.0 + 2f64.ln()]));
    /// ```
    #[track_caller]
    pub fn log_sum_exp_axes(self, axes: impl AxisList) -> Self {
        let rows = self.rows(self.axes("log_sum_exp_axes", axes));
        rows.apply(LogSumExp, &[rows])
    }

    /// ln Σ e^x over all elements.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([0.0, 0.0]));
    /// assert_eq!(x.log_sum_exp().item(), 2f64.ln());
    /// ```
    #[track_caller]
    pub fn log_sum_exp(self) -> Self {
        let rows = self.rows(Axes::all(self.shape().rank()));
        rows.apply(LogSumExp, &[rows])
    }
}
