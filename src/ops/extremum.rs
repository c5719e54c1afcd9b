//! y = max x, or min x, of each row. Equal ones share the gradient evenly.

use crate::element::Element;
use crate::kernels::rows;
use crate::ops::{Real, Rule, Sample};
use crate::tape::{Cotangents, Operand, Var};
use crate::tensor::shape::Show;
use crate::tensor::{AxisList, Shape, ShapeError, View, ViewMut};

/// The largest element along the last axis, which goes, or the smallest.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Extremum {
    /// The smallest instead of the largest.
    pub smallest: bool,
}

impl Rule for Extremum {
    fn name(&self) -> &'static str {
        if self.smallest { "min" } else { "max" }
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        match x[0] {
            [rows @ .., cols] if *cols > 0 => Ok(rows.into()),
            _ => Err(ShapeError::new(format!("rows of {} have no elements to choose from", Show(x[0])))),
        }
    }

    /// A NaN among the elements is the result.
    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        rows::extremum(x[0].data, self.smallest, y.data);
    }

    /// gx = gy / (how many are equal) where x = y, else 0
    fn vjp<T: Element>(&self, x: &[View<T>], y: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        gx.add(0, |gx, accum| rows::extremum_vjp(x[0].data, y.data, gy.data, gx.data, accum));
    }

    /// Which element of each row is the largest, or the smallest.
    fn pieces(&self, x: &[View<f64>]) -> Vec<i64> {
        let sign = if self.smallest { -1.0 } else { 1.0 };
        let best = |row: &[f64]| {
            (0..row.len()).fold(0, |best, i| if sign * row[i] > sign * row[best] { i } else { best }) as i64
        };
        let cols = x[0].shape[x[0].shape.len() - 1];
        x[0].to_vec().chunks_exact(cols).map(best).collect()
    }

    fn samples() -> Vec<Sample> {
        let shapes: [&[usize]; 6] = [&[5], &[3, 4], &[2, 3, 2], &[3, 1], &[0, 3], &[2, 70]];
        let mut samples = Vec::new();
        for &shape in &shapes {
            for &smallest in &[false, true] {
                samples.push(Sample::new(Extremum { smallest }, [shape]));
            }
        }
        samples
    }
}

/// # Largest and smallest elements
impl<'r, T: Real> Var<'r, T> {
    /// The larger, element by element, as [`maximum`](Var::maximum) and as `f64::max`: of this and another value, or a number.
    ///
    /// For max(x, 0) take [`relu`](Var::relu), whose zeros are skipped. The largest of all elements is `x.max_axes(..)`.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([-1.0, 3.0]));
    /// assert_eq!(x.max(0.0).value(), Tensor::from([0.0, 3.0]));
    /// assert_eq!(x.max_axes(..).item(), 3.0);
    /// ```
    ///
    /// There is no `x.max()`, which could mean either:
    ///
    /// ```compile_fail,E0061
    /// # use quietgrad::{Params, Tape, Tensor};
    /// # let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// # let r = tape.record(&params);
    /// # let x = r.constant(&Tensor::from([-1.0, 3.0]));
    /// x.max();
    /// ```
    #[track_caller]
    #[inline]
    pub fn max(self, other: impl Operand<'r, T>) -> Self {
        self.maximum(other)
    }

    /// The largest over these axes, which go, or over all, `..`; ties share the gradient evenly; NaN if any element is. The
    /// last axes are the fast ones.
    ///
    /// # Panics
    /// If there is no such axis, one is named twice, or there are no elements along them.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]));
    /// assert_eq!(x.max_axes(1).value(), Tensor::from([3.0, 6.0]));
    /// ```
    #[doc(alias = "amax")]
    #[doc(alias = "reduce_max")]
    #[track_caller]
    pub fn max_axes(self, axes: impl AxisList) -> Self {
        let rows = self.rows(self.axes("max_axes", axes));
        rows.apply(Extremum { smallest: false }, &[rows])
    }

    /// The smaller, element by element, as [`minimum`](Var::minimum) and as `f64::min`: of this and another value, or a number.
    /// The smallest of all elements is `x.min_axes(..)`.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([-1.0, 3.0]));
    /// assert_eq!(x.min(2.0).value(), Tensor::from([-1.0, 2.0]));
    /// assert_eq!(x.min_axes(..).item(), -1.0);
    /// ```
    ///
    /// There is no `x.min()`, which could mean either:
    ///
    /// ```compile_fail,E0061
    /// # use quietgrad::{Params, Tape, Tensor};
    /// # let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// # let r = tape.record(&params);
    /// # let x = r.constant(&Tensor::from([-1.0, 3.0]));
    /// x.min();
    /// ```
    #[track_caller]
    #[inline]
    pub fn min(self, other: impl Operand<'r, T>) -> Self {
        self.minimum(other)
    }

    /// The smallest over these axes, which go, or over all, `..`; ties share the gradient evenly; NaN if any element is. The
    /// last axes are the fast ones.
    ///
    /// # Panics
    /// If there is no such axis, one is named twice, or there are no elements along them.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1.0, 3.0], [2.0, 0.0]]));
    /// assert_eq!(x.min_axes(0).value(), Tensor::from([1.0, 0.0]));
    /// ```
    #[doc(alias = "amin")]
    #[doc(alias = "reduce_min")]
    #[track_caller]
    pub fn min_axes(self, axes: impl AxisList) -> Self {
        let rows = self.rows(self.axes("min_axes", axes));
        rows.apply(Extremum { smallest: true }, &[rows])
    }
}
