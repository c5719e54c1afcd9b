//! y = Σ (x − c)² / n over chosen axes, about a given center: with the mean for the center, the variance, in one pass.

use crate::element::Element;
use crate::kernels::{self, Strided};
use crate::matrix::Accum;
use crate::ops::{Real, Rule, Sample, no_mean};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::Show;
use crate::tensor::{Axes, AxisList, Shape, ShapeError, View, ViewMut};

/// The mean square distance from a center, over some axes. The center has the other axes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MeanSquare {
    /// The axes that go.
    pub axes: Axes,
}

impl MeanSquare {
    fn count<T: Element>(&self, shape: &[usize]) -> T {
        T::from_f64(self.axes.count(shape) as f64)
    }
}

impl Rule for MeanSquare {
    fn name(&self) -> &'static str {
        "mean_square_about"
    }

    fn arguments(&self) -> String {
        format!("{:?}", self.axes)
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        self.axes.expect_in(x[0])?;
        if self.axes.count(x[0]) == 0 {
            return Err(no_mean(x[0], "elements"));
        }
        let y = self.axes.drop(x[0]);
        if y[..] == *x[1] {
            return Ok(y);
        }
        Err(ShapeError::new(format!("a center {} does not fit {}: {y} wanted", Show(x[1]), Show(x[0]))))
    }

    fn takes_strides(&self, k: usize) -> bool {
        k == 0
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let shape = x[0].shape;
        let along = self.axes.reduced_strides(shape);
        let own = Strided { data: x[0].data, strides: &x[0].strides() };
        let center = Strided { data: x[1].data, strides: &along };
        let square = kernels::row(|[x, c]: [T; 2]| (x - c) * (x - c));
        kernels::sum_strided(shape, [own, center], y.data, &along, Accum::Replace, &square);
        let count = self.count::<T>(shape);
        for y in y.data {
            *y = *y / count;
        }
    }

    /// Forward, y = Σ (x − c)² / n. So:
    ///
    /// gx = 2 gy (x − c) / n, gc = −2 Σ gy (x − c) / n
    fn vjp<T: Element>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let (shape, count) = (x[0].shape, self.count::<T>(x[0].shape));
        let along = self.axes.reduced_strides(shape);
        let own = Strided { data: x[0].data, strides: &x[0].strides() };
        let (center, g) = (x[1].strided(&along), gy.strided(&along));
        let twice = kernels::row(move |[x, c, g]: [T; 3]| (g + g) / count * (x - c));
        gx.add(0, |gx, accum| kernels::map_strided(shape, [own, center, g], gx.data, accum, &twice));
        let twice = kernels::row(move |[x, c, g]: [T; 3]| (g + g) / count * (c - x));
        gx.add(1, |gc, accum| {
            kernels::sum_strided(shape, [own, center, g], gc.data, &along, accum, &twice);
        });
    }

    fn samples() -> Vec<Sample> {
        let cases: [(&[usize], &[usize], &[usize]); 7] = [
            (&[3, 4], &[0], &[4]),
            (&[3, 4], &[1], &[3]),
            (&[2, 3, 2, 2], &[0, 2, 3], &[3]),
            (&[5], &[0], &[]),
            (&[1, 2], &[0], &[2]),
            (&[], &[], &[]),
            (&[70, 2], &[0], &[2]),
        ];
        let mut samples = Vec::new();
        for &(x, axes, center) in &cases {
            samples.push(Sample::new(MeanSquare { axes: Axes::new(axes) }, [x, center]));
        }
        samples
    }
}

/// # Squares about a center
impl<T: Real> Var<'_, T> {
    /// Σ (x − c)² / n over these axes, which go; `center` has the shape that is left. About the mean it is the variance:
    /// [`variance_axes`](Var::variance_axes) finds the mean by itself, and is for any axes as exact, but copies what it does
    /// not find in rows.
    ///
    /// # Panics
    /// If there is no such axis, one is named twice, there is nothing to take the mean over, or the center has another shape.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1.0, 3.0], [5.0, 5.0]]));
    /// assert_eq!(x.mean_square_about(x.mean_axes(0), 0).value(), Tensor::from([4.0, 1.0]));
    /// ```
    #[track_caller]
    pub fn mean_square_about(self, center: Self, axes: impl AxisList) -> Self {
        let axes = self.axes("mean_square_about", axes);
        self.apply(MeanSquare { axes }, &[self, center])
    }
}
