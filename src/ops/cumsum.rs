//! y = the sum of all elements up to each, along an axis.

use crate::element::Element;
use crate::kernels;
use crate::matrix::Accum;
use crate::ops::{Real, Rule, Sample};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::{around, size_of};
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// The running sum along an axis.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CumSum {
    /// The axis along which is summed.
    pub axis: usize,
}

impl Rule for CumSum {
    fn name(&self) -> &'static str {
        "cumsum"
    }

    fn arguments(&self) -> String {
        format!("axis {}", self.axis)
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        size_of(x[0], self.axis).map(|_| x[0].into())
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        kernels::running_sum(around(y.shape, self.axis), x[0].data, y.data, Accum::Replace, false);
    }

    /// gx = the running sum of gy from the other end
    fn vjp<T: Element>(&self, _: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let sizes = around(gy.shape, self.axis);
        gx.add(0, |gx, accum| kernels::running_sum(sizes, gy.data, gx.data, accum, true));
    }

    fn samples() -> Vec<Sample> {
        let cases: [(&[usize], usize); 7] = [
            (&[6], 0),
            (&[3, 4], 0),
            (&[3, 4], 1),
            (&[2, 3, 4], 1),
            (&[1, 1], 1),
            (&[0, 2], 0),
            (&[3, 150], 0),
        ];
        let mut samples = Vec::new();
        for &(shape, axis) in &cases {
            samples.push(Sample::new(CumSum { axis }, [shape]));
        }
        samples
    }
}

/// # Running sums
impl<T: Real> Var<'_, T> {
    /// The running sum along an axis.
    ///
    /// # Panics
    /// If there is no such axis.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([1.0, 2.0, 3.0]));
    /// assert_eq!(x.cumsum(0).value(), Tensor::from([1.0, 3.0, 6.0]));
    /// ```
    #[track_caller]
    pub fn cumsum(self, axis: usize) -> Self {
        self.apply(CumSum { axis }, &[self])
    }
}
