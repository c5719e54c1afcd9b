//! y = x w + b, or y = max(x w + b, 0): a layer's product, and what happens to it before it leaves the registers.

use super::MatMul;
use super::product::Product;
use crate::kernels;
use crate::matrix::{Epilogue, ReluLayer};
use crate::ops::map::Map;
use crate::ops::{Op, Real, Rule, Sample, ZeroRule};
use crate::pointwise::Unary;
use crate::tape::cotangents::Wanted;
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::Show;
use crate::tensor::{Cotangent, Shape, ShapeError, View, ViewMut};

/// The affine map of a dense layer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Linear {
    /// Whether the result goes through relu.
    pub relu: bool,
}

impl Rule for Linear {
    fn name(&self) -> &'static str {
        if self.relu { "linear_relu" } else { "linear" }
    }

    /// Those of the product: the bias is added before the result leaves the registers, and is not counted.
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

    /// What the product makes of zeros. With relu, besides, the output is zero in many places, and gy is read where it is not.
    fn zeros(&self, x: &[&[usize]]) -> ZeroRule {
        let of_product = MatMul.zeros(x);
        if self.relu { ZeroRule { entries: of_product.entries, ..ZeroRule::RELU } } else { of_product }
    }

    fn forward<T: Real>(&self, x: &[View<T>], y: ViewMut<T>) {
        let product = Product::new(x[0], x[1]);
        let bias = x[2].data;
        product.forward(y.data, if self.relu { Epilogue::BiasRelu(bias) } else { Epilogue::Bias(bias) });
    }

    fn screen<T: Real>(&self, x: &[View<T>], y: ViewMut<T>, always: bool) -> Option<f32> {
        if self.relu { Product::new(x[0], x[1]).screen(y.data, x[2].data, always) } else { None }
    }

    fn waits(&self) -> bool {
        !self.relu
    }

    /// With relu it is a layer that can be screened.
    fn joined(&self, next: &Op) -> Option<Op> {
        let relu = matches!(next, Op::Map(Map(Unary::Relu(_))));
        (relu && !self.relu).then(|| Linear { relu }.into())
    }

    /// With relu, gy counts where y > 0 alone, whatever stands in it elsewhere.
    fn vjp_in_place<T: Real>(
        &self,
        x: &[View<T>],
        y: View<T>,
        gy: &mut Cotangent<T>,
        gx: &mut Cotangents<T>,
    ) -> bool {
        if self.relu {
            if let Some(layer) = thin_layer(x, y, gy, gx) {
                gx.add_both([1, 2], &mut |gw, gb| {
                    let (Some((Wanted::Whole(gw), of_w)), Some((gb, of_b))) = (gw, gb) else {
                        unreachable!("a thin layer's parameters want whole gradients")
                    };
                    T::relu_layer_vjp(layer, (gw.data, of_w), (gb.data, of_b));
                });
                return true;
            }
            kernels::keep_where_positive(y.data, gy.data, std::mem::replace(gy.signs, T::ZERO));
        }
        false
    }

    /// gx = gy wᵀ, gw = xᵀ gy, gb = Σ gy over all rows. With relu, `vjp_in_place` has made gy 0 where y is.
    fn vjp<T: Real>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        Product::new(x[0], x[1]).vjp(gy, gx);
        gx.add(2, |g, accum| match gy.sparse {
            Some(&gy) => kernels::support::sum_columns(gy, g.data, accum),
            None => kernels::sum_rows(gy.data, g.data, accum),
        });
    }

    /// Which units fire.
    fn pieces(&self, x: &[View<f64>]) -> Vec<i64> {
        if !self.relu {
            return Vec::new();
        }
        let product = Product::new(x[0], x[1]);
        let mut z = vec![0.0; product.elements()];
        product.forward(&mut z, Epilogue::Bias(x[2].data));
        z.into_iter().map(|z| i64::from(z >= 0.0) + i64::from(z > 0.0)).collect()
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
        let mut samples = Vec::new();
        for &relu in &[false, true] {
            for &shapes in &shapes {
                samples.push(Sample::new(Linear { relu }, shapes));
            }
        }
        samples
    }
}

/// A relu layer with few inputs, if it is one whose vjp can be made in one pass: only the parameters' cotangents are wanted,
/// and all of them.
fn thin_layer<'a, T: Real>(
    x: &[View<'a, T>],
    y: View<'a, T>,
    gy: &'a Cotangent<T>,
    gx: &Cotangents<T>,
) -> Option<ReluLayer<'a, T>> {
    let (&[m, k], &[_, n]) = (&x[0].shape[..], &x[1].shape[..]) else { return None };
    let thin = (1..=kernels::THIN).contains(&k) && gy.support.is_none();
    if !thin || gx.wants(0) || !gx.wants_whole(1) || !gx.wants_whole(2) {
        return None;
    }
    Some(ReluLayer { size: [m, k, n], x: x[0].mat(k), y: y.data, gy: gy.data, plus: *gy.signs })
}

/// # Fully connected layers
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
        self.apply(Linear { relu: false }, &[self, w, b])
    }

    /// max(`self` w + b, 0): the bits of [`linear`](Self::linear) and [`relu`](Self::relu), with two passes over the
    /// layer less. A layer that a sample shows to be very sparse is [screened](crate::kernels::screen), made in either
    /// way: that is faster still, and its sums are rounded in another order.
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
    /// let w = r.constant(&Tensor::from([[1.0, 0.0], [0.0, -3.0]]));
    /// let b = r.constant(&Tensor::from([10.0, 5.0]));
    /// assert_eq!(x.linear_relu(w, b).value(), Tensor::from([[11.0, 0.0]]));
    /// ```
    #[track_caller]
    pub fn linear_relu(self, w: Self, b: Self) -> Self {
        self.apply(Linear { relu: true }, &[self, w, b])
    }
}
