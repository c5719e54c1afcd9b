//! y = (x − mean) / √(variance + ε) of each row, or x over its root mean square.

use crate::element::Element;
use crate::kernels::normalize::{self, Rows};
use crate::matrix::size;
use crate::ops::{Real, Rule, Sample};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::size_of;
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// Rows, along the last axis, brought to the mean square 1.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Normalize {
    /// Take the mean away first, so that it becomes 0.
    pub center: bool,
    /// ε, added to the mean square, inside of the root.
    pub eps: f64,
}

impl Normalize {
    fn rows<T: Element>(&self, shape: &[usize]) -> Rows<T> {
        Rows { cols: shape[shape.len() - 1], is_centered: self.center, eps: T::from_f64(self.eps) }
    }
}

impl Rule for Normalize {
    fn name(&self) -> &'static str {
        if self.center { "normalize" } else { "normalize_rms" }
    }

    fn arguments(&self) -> String {
        format!("eps {:e}", self.eps)
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        size_of(x[0], x[0].len().saturating_sub(1)).map(|_| x[0].into())
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        normalize::normalize(x[0].data, self.rows(y.shape), y.data);
    }

    /// Forward, y = (x − mean(x)) / s with s = √(variance + ε), so that ds = mean(y dx) and
    /// dy = ((dx − mean(dx)) − y mean(y dx)) / s. So:
    ///
    /// gx = ((gy − mean(gy)) − y mean(y gy)) / s; without a center, mean(gy) is left out
    fn vjp<T: Element>(&self, x: &[View<T>], y: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let rows = self.rows(y.shape);
        gx.add(0, |gx, accum| normalize::normalize_vjp(x[0].data, y.data, gy.data, rows, gx.data, accum));
    }

    /// The mean square, and the quotient.
    fn flops(&self, _: &[&[usize]], y: &[usize]) -> u64 {
        4u64.saturating_mul(size::product(y) as u64)
    }

    fn samples() -> Vec<Sample> {
        let shapes: [&[usize]; 7] = [&[7], &[3, 4], &[2, 2, 3], &[3, 1], &[0, 4], &[2, 0], &[2, 150]];
        let mut samples = Vec::new();
        for &shape in &shapes {
            for &(center, eps) in &[(true, 0.1), (false, 0.1), (true, 1e-5), (false, 0.0)] {
                samples.push(Sample::new(Normalize { center, eps }, [shape]));
            }
        }
        samples
    }
}

/// # Normalization
impl<T: Real> Var<'_, T> {
    /// (x − mean) / √(variance + ε) along an axis, with the mean square of the distances for the variance. Where variance and ε
    /// are 0 it is 0, and has the slope 0. The last axis is the fast one.
    ///
    /// With a scale and a shift of its own for each feature it is [`LayerNorm`](crate::nn::LayerNorm).
    ///
    /// # Panics
    /// If there is no such axis, or ε is negative, infinite or NaN.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1.0, 3.0], [5.0, 5.0]]));
    /// assert_eq!(x.normalize(1, 0.0).value(), Tensor::from([[-1.0, 1.0], [0.0, 0.0]]));
    /// ```
    #[track_caller]
    pub fn normalize(self, axis: usize, eps: f64) -> Self {
        self.normalized("normalize", axis, Normalize { center: true, eps })
    }

    /// x / √(mean of x² + ε) along an axis: [`normalize`](Var::normalize) about 0 instead of the mean. The last axis is the
    /// fast one.
    ///
    /// Source: B. Zhang and R. Sennrich, Root Mean Square Layer Normalization, 2019.
    ///
    /// # Panics
    /// If there is no such axis, or ε is negative, infinite or NaN.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[4.0, 0.0, 0.0, 0.0]]));
    /// assert_eq!(x.normalize_rms(1, 0.0).value(), Tensor::from([[2.0, 0.0, 0.0, 0.0]]));
    /// ```
    #[track_caller]
    pub fn normalize_rms(self, axis: usize, eps: f64) -> Self {
        self.normalized("normalize_rms", axis, Normalize { center: false, eps })
    }

    #[track_caller]
    fn normalized(self, method: &str, axis: usize, op: Normalize) -> Self {
        let eps = op.eps;
        assert!(
            eps.is_finite() && eps >= 0.0,
            "{method}: {eps} is no number that can be added to a variance"
        );
        let last = self.last(method, axis);
        let x = self.swap(axis, last);
        x.apply(op, &[x]).swap(axis, last)
    }
}
