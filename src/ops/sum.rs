//! y = Σ x, or the mean, over chosen axes.

use crate::element::Element;
use crate::kernels::{self, Row, Strided};
use crate::matrix::Accum;
use crate::ops::{Real, Rule, Sample, no_mean};
use crate::tape::{Cotangents, Var};
use crate::tensor::{Axes, AxisList, Shape, ShapeError, View, ViewMut};

/// The sum over some axes, or the mean.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sum {
    /// The axes that go.
    pub axes: Axes,
    /// Divide by the number of elements summed.
    pub mean: bool,
}

impl Sum {
    /// What each sum is divided by.
    fn divisor<T: Element>(&self, shape: &[usize]) -> T {
        if self.mean { T::from_f64(self.axes.count(shape) as f64) } else { T::ONE }
    }
}

impl Rule for Sum {
    fn name(&self) -> &'static str {
        if self.mean { "mean" } else { "sum" }
    }

    fn arguments(&self) -> String {
        format!("{:?}", self.axes)
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        self.axes.expect_in(x[0])?;
        if self.mean && self.axes.count(x[0]) == 0 {
            return Err(no_mean(x[0], "elements"));
        }
        Ok(self.axes.drop(x[0]))
    }

    fn takes_strides(&self, _: usize) -> bool {
        true
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let to = self.axes.reduced_strides(x[0].shape);
        let x_strided = Strided { data: x[0].data, strides: &x[0].strides() };
        kernels::sum_strided(x[0].shape, [x_strided], y.data, &to, Accum::Replace, &kernels::copy);
        if self.mean {
            let divisor = self.divisor::<T>(x[0].shape);
            for y in y.data {
                *y = *y / divisor;
            }
        }
    }

    /// gx = gy, repeated along the axes that went; of a mean gy / n
    fn vjp<T: Element>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let divisor = self.divisor::<T>(x[0].shape);
        let strides = self.axes.reduced_strides(x[0].shape);
        gx.add(0, |gx, accum| {
            // One number is divided once.
            let one = gy.data.first().map(|&g| [g / divisor]).filter(|_| gy.data.len() == 1);
            let gy = Strided { data: one.as_ref().map_or(gy.data, |one| one), strides: &strides };
            let divided = kernels::row(move |[g]: [T; 1]| g / divisor);
            let f: Row<T, 1> = if self.mean && one.is_none() { &divided } else { &kernels::copy };
            kernels::map_strided(gx.shape, [gy], gx.data, accum, f);
        });
    }

    fn samples() -> Vec<Sample> {
        let cases: [(&[usize], &[usize]); 7] = [
            (&[3, 4, 5], &[0, 1, 2]),
            (&[3, 4, 5], &[0]),
            (&[3, 4, 5], &[1]),
            (&[3, 4, 5], &[0, 2]),
            (&[3, 1, 2], &[1]),
            (&[], &[]),
            (&[2, 70], &[1]),
        ];
        let mut samples = Vec::new();
        for &(shape, axes) in &cases {
            for &mean in &[false, true] {
                samples.push(Sample::new(Sum { axes: Axes::new(axes), mean }, [shape]));
            }
        }
        // A sum of none, and no means.
        samples.push(Sample::new(Sum { axes: Axes::new(&[0]), mean: false }, [&[0, 3]]));
        samples.push(Sample::new(Sum { axes: Axes::new(&[1]), mean: true }, [&[0, 3]]));
        samples
    }
}

/// # Sums and means
impl<T: Real> Var<'_, T> {
    /// Σ over all elements; 0 if there are none. Over one axis it is [`sum_axes(0)`](Var::sum_axes), over several
    /// `sum_axes([0, 2])`.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// assert_eq!(x.sum().item(), 10.0);
    /// assert_eq!(x.sum_axes(0).value(), Tensor::from([4.0, 6.0]));
    /// assert_eq!(x.mean_axes(1).value(), Tensor::from([1.5, 3.5]));
    /// ```
    /// An axis is no argument of `sum`. (What the compiler proposes, to leave it out, would sum over all.)
    ///
    /// ```compile_fail,E0061
    /// # use quietgrad::{Params, Tape, Tensor};
    /// # let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// # let x = tape.record(&params).constant(&Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// x.sum(0); // say `x.sum_axes(0)`
    /// ```
    #[track_caller]
    pub fn sum(self) -> Self {
        self.apply(Sum { axes: Axes::all(self.shape().rank()), mean: false }, &[self])
    }

    /// Σ over these axes, or one, which go; [`unsqueeze`](Var::unsqueeze) brings one back with size 1.
    ///
    /// # Panics
    /// If there is no such axis, or one is named twice.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]));
    /// assert_eq!(x.sum_axes(0).value(), Tensor::from([5.0, 7.0, 9.0]));
    /// assert_eq!(x.sum_axes([0, 1]).value(), x.sum().value());
    /// ```
    #[track_caller]
    pub fn sum_axes(self, axes: impl AxisList) -> Self {
        let axes = self.axes("sum_axes", axes);
        self.apply(Sum { axes, mean: false }, &[self])
    }

    /// The mean of all elements. Over one axis it is [`mean_axes(0)`](Var::mean_axes).
    ///
    /// # Panics
    /// If there are none: a mean over nothing is no number.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]));
    /// assert_eq!(x.mean().item(), 3.5);
    /// ```
    #[track_caller]
    pub fn mean(self) -> Self {
        self.apply(Sum { axes: Axes::all(self.shape().rank()), mean: true }, &[self])
    }

    /// The mean over these axes, or one, which go.
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
    /// assert_eq!(x.mean_axes(1).value(), Tensor::from([2.0, 5.0]));
    /// ```
    #[track_caller]
    pub fn mean_axes(self, axes: impl AxisList) -> Self {
        let axes = self.axes("mean_axes", axes);
        self.apply(Sum { axes, mean: true }, &[self])
    }
}
