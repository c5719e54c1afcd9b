//! y = x w + b: a layer's product and its bias, added before the result leaves the registers.

use crate::cotangents::Cotangents;
use crate::element::{Element, Epilogue};
use crate::kernels;
use crate::ops::matmul::{MatMul, Product};
use crate::ops::{Real, Rule, Sample};
use crate::shape::{Shape, ShapeError, Show};
use crate::tensor::{View, ViewMut};
use crate::var::Var;

/// The affine map of a dense layer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Linear;

impl Rule for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    /// The product's; the bias rides along.
    fn flops(&self, x: &[&[usize]], y: &[usize]) -> u64 {
        MatMul.flops(&x[..2], y)
    }

    fn vjp_flops(&self, k: usize, x: &[&[usize]], y: &[usize]) -> u64 {
        if k == 2 { y.iter().product::<usize>() as u64 } else { self.flops(x, y) }
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        let (w, b) = (x[1], x[2]);
        if w.len() != 2 || b.len() != 1 || w[1] != b[0] {
            let text = format!("weights {} and bias {} must be [in, out] and [out]", Show(w), Show(b));
            return Err(ShapeError::new(text));
        }
        MatMul.shape(&x[..2])
    }

    fn takes_strides(&self, k: usize) -> bool {
        k < 2
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        Product::new(x[0], x[1]).forward(y.data, Epilogue::Bias(x[2].data));
    }

    /// gx = gy wᵀ, gw = xᵀ gy, gb = Σ gy over all rows
    fn vjp<T: Element>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let product = Product::new(x[0], x[1]);
        gx.add(0, |g, accum| product.vjp_left(gy.data, g.data, accum));
        gx.add(1, |g, accum| product.vjp_right(gy.data, g.data, accum));
        gx.add(2, |g, accum| kernels::sum_rows(gy.data, g.data, accum));
    }

    fn samples() -> Vec<Sample> {
        let shapes: [[&[usize]; 3]; 6] = [
            [&[3, 4], &[4, 5], &[5]],
            [&[1, 1], &[1, 1], &[1]],
            [&[0, 4], &[4, 2], &[2]],
            [&[4], &[4, 2], &[2]],
            [&[2, 3, 4], &[4, 2], &[2]],
            [&[3, 0], &[0, 2], &[2]],
        ];
        shapes.map(|shapes| Sample::new(Linear, shapes)).to_vec()
    }
}

impl<T: Real> Var<'_, T> {
    /// `self` w + b, with self [.., in], w [in, out] and b \[out\].
    ///
    /// # Panics
    /// If the shapes do not fit.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1.0, 2.0]]));
    /// let w = r.constant(&Tensor::from([[1.0, 0.0, 2.0], [0.0, 1.0, 3.0]]));
    /// let b = r.constant(&Tensor::from([10.0, 20.0, 30.0]));
    /// assert_eq!(x.linear(w, b).value(), Tensor::from([[11.0, 22.0, 38.0]]));
    /// ```
    #[track_caller]
    pub fn linear(self, w: Self, b: Self) -> Self {
        self.apply(Linear, &[self, w, b])
    }
}
