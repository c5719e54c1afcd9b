//! y = x in reverse order along an axis.

use crate::element::Element;
use crate::kernels::put;
use crate::matrix::Accum;
use crate::ops::{Real, Rule, Sample};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::{around, size_of};
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// The elements along an axis, last first: its own inverse, and its own adjoint.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Flip {
    /// The axis that is turned round.
    pub axis: usize,
}

impl Flip {
    /// `y (=, +=) x` in reverse order along the axis.
    fn run<T: Element>(&self, x: &[T], y: ViewMut<T>, accum: Accum) {
        let [_, size, inner] = around(y.shape, self.axis);
        if y.data.is_empty() {
            return;
        }
        for (x, y) in x.chunks_exact(size * inner).zip(y.data.chunks_exact_mut(size * inner)) {
            if inner == 1 {
                put(y, x.iter().rev().copied(), accum);
                continue;
            }
            for (x, y) in x.chunks_exact(inner).rev().zip(y.chunks_exact_mut(inner)) {
                put(y, x.iter().copied(), accum);
            }
        }
    }
}

impl Rule for Flip {
    fn name(&self) -> &'static str {
        "flip"
    }

    fn arguments(&self) -> String {
        format!("axis {}", self.axis)
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        size_of(x[0], self.axis).map(|_| x[0].into())
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        self.run(x[0].data, y, Accum::Replace);
    }

    /// gx = gy in reverse order
    fn vjp<T: Element>(&self, _: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        gx.add(0, |gx, accum| self.run(gy.data, gx, accum));
    }

    fn samples() -> Vec<Sample> {
        let cases: [(&[usize], usize); 6] =
            [(&[5], 0), (&[3, 4], 0), (&[3, 4], 1), (&[2, 3, 4], 1), (&[1, 1], 0), (&[0, 2], 1)];
        let mut samples = Vec::new();
        for &(shape, axis) in &cases {
            samples.push(Sample::new(Flip { axis }, [shape]));
        }
        samples
    }
}

/// # Reversal
impl<T: Real> Var<'_, T> {
    /// The elements along an axis in reverse order.
    ///
    /// # Panics
    /// If there is no such axis.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// assert_eq!(x.flip(1).value(), Tensor::from([[2.0, 1.0], [4.0, 3.0]]));
    /// ```
    #[track_caller]
    pub fn flip(self, axis: usize) -> Self {
        self.apply(Flip { axis }, &[self])
    }
}
