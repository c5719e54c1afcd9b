//! y = Σ (x − mean)² / (n − correction) of each row, or its root.

use crate::element::Element;
use crate::kernels::rows;
use crate::ops::{Real, Rule, Sample};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::Show;
use crate::tensor::{Axes, AxisList, Shape, ShapeError, View, ViewMut};

/// The variance along the last axis, or the standard deviation.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Variance {
    /// What is taken from the number of elements before the sum is divided by it: 0 for the mean square (the biased
    /// estimate), 1 for the unbiased one (Bessel's correction).
    pub correction: usize,
    /// The root of the variance.
    pub deviation: bool,
    /// Where the root is 0 its tangent is not 0 but the deviation of the tangents ([`Rule::along_direction`]).
    pub along: bool,
}

impl Variance {
    fn divisor<T: Element>(&self, cols: usize) -> T {
        T::from_f64((cols - self.correction) as f64)
    }
}

impl Rule for Variance {
    fn name(&self) -> &'static str {
        if self.deviation { "std" } else { "variance" }
    }

    fn arguments(&self) -> String {
        format!("correction {}", self.correction)
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        match x[0] {
            [rows @ .., cols] if *cols > self.correction => Ok(rows.into()),
            _ => Err(ShapeError::new(format!(
                "rows of {} have no variance with correction {}",
                Show(x[0]),
                self.correction
            ))),
        }
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let cols = x[0].shape[x[0].shape.len() - 1];
        rows::variance(x[0].data, self.divisor(cols), self.deviation, self.along, y.data);
    }

    fn along_direction(&self) -> Self {
        Variance { along: true, ..*self }
    }

    /// Forward, y = Σ (x − mean)² / (n − correction), or its root. A change of the mean drops out, since Σ (x − mean) = 0. So:
    ///
    /// gx = 2 gy (x − mean) / (n − correction), of the root gy (x − mean) / (y (n − correction)), and 0 where y = 0
    fn vjp<T: Element>(&self, x: &[View<T>], y: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let divisor = self.divisor::<T>(x[0].shape[x[0].shape.len() - 1]);
        gx.add(0, |gx, accum| {
            rows::variance_vjp(x[0].data, y.data, gy.data, divisor, self.deviation, gx.data, accum);
        });
    }

    fn samples() -> Vec<Sample> {
        let shapes: [&[usize]; 5] = [&[7], &[3, 4], &[2, 2, 3], &[0, 3], &[2, 150]];
        let mut samples = Vec::new();
        for &shape in &shapes {
            for &(correction, deviation) in &[(0, false), (1, false), (0, true), (1, true)] {
                samples.push(Sample::new(Variance { correction, deviation, along: false }, [shape]));
            }
        }
        samples.push(Sample::new(Variance { correction: 0, deviation: false, along: false }, [&[3, 1]]));
        samples
    }
}

/// # Variance and standard deviation
impl<T: Real> Var<'_, T> {
    /// The variance over these axes, which go: Σ (x − mean)² / (n − `correction`), with correction 0 for the biased
    /// estimate (as normalization layers take) and 1 for the unbiased one.
    ///
    /// # Panics
    /// If there is no such axis, one is named twice, or there are no more than `correction` elements along them.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1.0, 3.0], [5.0, 5.0]]));
    /// assert_eq!(x.variance_axes(&[1], 0).value(), Tensor::from([1.0, 0.0]));
    /// assert_eq!(x.variance_axes(&[1], 1).value(), Tensor::from([2.0, 0.0]));
    /// ```
    #[track_caller]
    pub fn variance_axes(self, axes: impl AxisList, correction: usize) -> Self {
        let rows = self.rows(self.axes("variance_axes", axes));
        rows.apply(Variance { correction, deviation: false, along: false }, &[rows])
    }

    /// The standard deviation over these axes, which go: the root of the [variance](Var::variance_axes). Its gradient
    /// is 0 where it is 0.
    ///
    /// # Panics
    /// If there is no such axis, one is named twice, or there are no more than `correction` elements along them.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1.0, 3.0], [5.0, 5.0]]));
    /// assert_eq!(x.std_axes(&[1], 0).value(), Tensor::from([1.0, 0.0]));
    /// ```
    #[track_caller]
    pub fn std_axes(self, axes: impl AxisList, correction: usize) -> Self {
        let rows = self.rows(self.axes("std_axes", axes));
        rows.apply(Variance { correction, deviation: true, along: false }, &[rows])
    }

    /// The variance of all elements; see [`variance_axes`](Var::variance_axes).
    ///
    /// # Panics
    /// If there are no more than `correction` elements.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([1.0, 3.0]));
    /// assert_eq!(x.variance(0).item(), 1.0);
    /// assert_eq!(x.variance(1).item(), 2.0); // the unbiased estimate
    /// ```
    #[track_caller]
    pub fn variance(self, correction: usize) -> Self {
        let rows = self.rows(Axes::all(self.shape().rank()));
        rows.apply(Variance { correction, deviation: false, along: false }, &[rows])
    }

    /// The standard deviation of all elements; see [`std_axes`](Var::std_axes).
    ///
    /// # Panics
    /// If there are no more than `correction` elements.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([1.0, 5.0]));
    /// assert_eq!(x.std(0).item(), 2.0);
    /// ```
    #[track_caller]
    pub fn std(self, correction: usize) -> Self {
        let rows = self.rows(Axes::all(self.shape().rank()));
        rows.apply(Variance { correction, deviation: true, along: false }, &[rows])
    }
}
