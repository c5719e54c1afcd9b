//! y = e^x / Σ e^x of each row, over the places that a mask allows: the weights of attention.

use crate::element::Element;
use crate::kernels::{self, softmax};
use crate::matrix::Accum;
use crate::ops::{Real, Rule, Sample};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::{Show, size_of};
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// Softmax along the last axis over the places where a mask is not 0.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MaskedSoftmax;

impl Rule for MaskedSoftmax {
    fn name(&self) -> &'static str {
        "masked_softmax"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        let (x, mask) = (x[0], x[1]);
        size_of(x, x.len().saturating_sub(1))?;
        if Shape::broadcast(x, mask)?[..] != *x {
            return Err(ShapeError::new(format!("a mask {} does not fit {}", Show(mask), Show(x))));
        }
        Ok(x.into())
    }

    fn takes_strides(&self, _: usize) -> bool {
        true
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let cols = y.shape[y.shape.len() - 1];
        let strides = [x[0].strides_to(y.shape), x[1].strides_to(y.shape)];
        let operands = [x[0].strided(&strides[0]), x[1].strided(&strides[1])];
        let forbidden = T::from_f64(f64::NEG_INFINITY);
        let allowed = kernels::row(move |[x, mask]: [T; 2]| if mask == T::ZERO { forbidden } else { x });
        kernels::map_strided(y.shape, operands, y.data, Accum::Replace, &allowed);
        softmax::softmax_in_place(y.data, cols);
    }

    /// Forward, y = e^x / Σ e^x, the sum over the allowed elements of a row, so that dy = y (dx − Σ y dx). So:
    ///
    /// gx = y (gy − Σ y gy), which is 0 where y is 0, as at the elements that are not allowed
    fn vjp<T: Element>(&self, x: &[View<T>], y: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let cols = x[0].shape[x[0].shape.len() - 1];
        gx.add(0, |gx, accum| softmax::softmax_vjp(y.data, gy.data, cols, gx.data, accum));
    }

    fn samples() -> Vec<Sample> {
        let shapes: [[&[usize]; 2]; 7] = [
            [&[5], &[5]],
            [&[3, 4], &[3, 4]],
            [&[2, 3, 4], &[3, 4]],
            [&[2, 3, 4], &[2, 1, 4]],
            [&[3, 1], &[1]],
            [&[0, 4], &[4]],
            [&[2, 70], &[]],
        ];
        let mut samples = Vec::new();
        for &shapes in &shapes {
            samples.push(Sample::indexed(MaskedSoftmax, shapes, 2));
        }
        samples
    }
}

/// # Softmax over a part
impl<T: Real> Var<'_, T> {
    /// e^x / Σ e^x along the last axis, over the places where the mask is not 0; elsewhere 0, and nothing flows back from
    /// there. A row in which the mask allows nothing is 0 as a whole. The mask broadcasts to the shape of x.
    ///
    /// # Panics
    /// If this is a scalar, or the mask does not broadcast to its shape.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1.0, 1.0, 9.0], [1.0, 2.0, 3.0]]));
    /// let mask = r.constant(&Tensor::from([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]));
    /// assert_eq!(x.masked_softmax(mask).value(), Tensor::from([[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]));
    /// ```
    #[track_caller]
    pub fn masked_softmax(self, mask: Self) -> Self {
        self.apply(MaskedSoftmax, &[self, mask])
    }
}
