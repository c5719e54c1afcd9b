//! y = a b, with NumPy's rules for vectors and batches.

pub mod linear;
mod product;

use crate::matrix::{Epilogue, size};
use crate::ops::{OnEntries, Real, Rule, Sample, ZeroRule};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::Show;
use crate::tensor::{Shape, ShapeError, View, ViewMut};
use product::Product;

/// The matrix product.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MatMul;

impl Rule for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    /// 2 m k n: an element of y is k multiplications and as many additions.
    fn flops(&self, x: &[&[usize]], y: &[usize]) -> u64 {
        let inner = x[0].last().copied().unwrap_or(1);
        2u64.saturating_mul(size::product(y).saturating_mul(inner) as u64)
    }

    /// A vector on the left counts as one row, on the right as one column, and that axis goes again; axes before the
    /// last two are batches and broadcast.
    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        let (a, b) = (x[0], x[1]);
        if a.is_empty() || b.is_empty() {
            return Err(ShapeError::new(format!("{} x {}: a scalar is no matrix", Show(a), Show(b))));
        }
        let ([batch_a @ .., k], [batch_b @ .., k_b, _]) = (a, b) else {
            let (k, k_b) = (a[a.len() - 1], b[0]);
            return if k == k_b { Ok(a[..a.len() - 1].into()) } else { Err(inner_differ(a, b, k, k_b)) };
        };
        if k != k_b {
            return Err(inner_differ(a, b, *k, *k_b));
        }
        let (batch_a, m) = match batch_a {
            [] => (batch_a, None),
            [batch @ .., m] => (batch, Some(*m)),
        };
        let batch = Shape::broadcast(batch_a, batch_b)?;
        Ok(batch.iter().copied().chain(m).chain([b[b.len() - 1]]).collect())
    }

    fn takes_strides(&self, _: usize) -> bool {
        true
    }

    fn zeros(&self, x: &[&[usize]]) -> ZeroRule {
        let (&k, &[_, n]) = (x[0].last().expect("no scalar"), x[1]) else { return ZeroRule::DENSE };
        let m = x[0][..x[0].len() - 1].iter().product();
        ZeroRule { entries: OnEntries::Multiplies([m, k, n]), ..ZeroRule::DENSE }
    }

    fn forward<T: Real>(&self, x: &[View<T>], y: ViewMut<T>) {
        Product::new(x[0], x[1]).forward(y.data, Epilogue::None);
    }

    fn vjp<T: Real>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        Product::new(x[0], x[1]).vjp(gy, gx);
    }

    fn samples() -> Vec<Sample> {
        let shapes: [[&[usize]; 2]; 14] = [
            [&[3, 4], &[4, 5]],
            [&[1, 4], &[4, 1]],
            [&[3, 1], &[1, 2]],
            [&[0, 4], &[4, 3]],
            [&[3, 0], &[0, 2]],
            [&[7], &[7]],
            [&[6], &[6, 2]],
            [&[2, 6], &[6]],
            [&[2, 3, 4], &[4, 2]],
            [&[2, 3, 4], &[2, 4, 2]],
            [&[2, 1, 3, 4], &[5, 4, 2]],
            [&[5, 4], &[3, 4, 2]],
            [&[2, 3, 4], &[4]],
            [&[0, 3, 4], &[1, 4, 2]],
        ];
        let mut samples = Vec::new();
        for &shapes in &shapes {
            samples.push(Sample::new(MatMul, shapes));
        }
        samples
    }
}

#[cold]
fn inner_differ(a: &[usize], b: &[usize], k: usize, k_b: usize) -> ShapeError {
    ShapeError::new(format!("{} x {}: inner sizes {k} and {k_b} differ", Show(a), Show(b)))
}

/// # Matrix products
impl<T: Real> Var<'_, T> {
    /// The matrix product [m, k] x [k, n]. Transposed views are read in place, never copied.
    ///
    /// A vector counts as a row on the left and as a column on the right; axes before the last two are batches, and
    /// broadcast.
    ///
    /// # Panics
    /// If the inner sizes differ, the batches do not broadcast, or an operand is a scalar.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let a = r.constant(&Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// assert_eq!(a.matmul(a.t()).value(), Tensor::from([[5.0, 11.0], [11.0, 25.0]]));
    /// ```
    #[doc(alias = "mm")]
    #[doc(alias = "bmm")]
    #[doc(alias = "dot")]
    #[doc(alias = "einsum")]
    #[track_caller]
    pub fn matmul(self, other: Self) -> Self {
        self.apply(MatMul, &[self, other])
    }
}
