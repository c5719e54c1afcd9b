//! y = Σ x, or the mean, over chosen axes.

use crate::element::Element;
use crate::kernels::{self, Strided};
use crate::matrix::Accum;
use crate::ops::{Real, Rule, Sample};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::{broadcast_strides, row_major};
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
    /// What each sum is multiplied by.
    fn factor<T: Element>(&self, shape: &[usize]) -> T {
        if self.mean { T::ONE / T::from_f64(self.axes.count(shape) as f64) } else { T::ONE }
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
        Ok(self.axes.drop(x[0]))
    }

    fn takes_strides(&self, _: usize) -> bool {
        true
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let factor = self.factor::<T>(x[0].shape);
        let kept = self.axes.keep(x[0].shape);
        let to = broadcast_strides(&kept, &row_major(&kept), x[0].shape);
        let x_strided = Strided { data: x[0].data, strides: &x[0].strides() };
        kernels::sum_strided(x[0].shape, [x_strided], y.data, &to, Accum::Replace, &kernels::copy);
        if self.mean {
            for y in y.data {
                *y = *y * factor;
            }
        }
    }

    /// gx = gy, repeated along the axes that went
    fn vjp<T: Element>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let factor = self.factor::<T>(x[0].shape);
        let kept = self.axes.keep(x[0].shape);
        let strides = broadcast_strides(&kept, &row_major(&kept), x[0].shape);
        gx.add(0, |gx, accum| {
            let gy = Strided { data: gy.data, strides: &strides };
            kernels::map_strided(
                gx.shape,
                [gy],
                gx.data,
                accum,
                &kernels::row(move |[g]: [T; 1]| g * factor),
            );
        });
    }

    fn samples() -> Vec<Sample> {
        let cases: [(&[usize], &[usize]); 8] = [
            (&[3, 4, 5], &[0, 1, 2]),
            (&[3, 4, 5], &[0]),
            (&[3, 4, 5], &[1]),
            (&[3, 4, 5], &[0, 2]),
            (&[3, 1, 2], &[1]),
            (&[], &[]),
            (&[0, 3], &[0]),
            (&[2, 70], &[1]),
        ];
        let sample = |(shape, axes): (&[usize], &[usize])| {
            [false, true].map(|mean| Sample::new(Sum { axes: Axes::new(axes), mean }, [shape]))
        };
        let defined = |sample: &Sample| !matches!(&sample.op, super::Op::Sum(op) if op.mean && empty(sample));
        cases.into_iter().flat_map(sample).filter(defined).collect()
    }
}

/// Whether the sample's input has no elements: their mean is NaN.
fn empty(sample: &Sample) -> bool {
    matches!(&sample.inputs[0], super::SampleInput::Real(shape, _) if shape.elements() == 0)
}

/// # Sums and means
impl<T: Real> Var<'_, T> {
    /// Σ over all elements. Over one axis it is [`sum_axes(0)`](Var::sum_axes), over several `sum_axes([0, 2])`.
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

    /// The mean of all elements; NaN if there are none. Over one axis it is [`mean_axes(0)`](Var::mean_axes).
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
    /// If there is no such axis, or one is named twice.
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
