//! `f32` and `f64` as [`Element`]s with [`Products`]: where the engine's arithmetic meets the fast kernels.

use super::conv;
use super::math::{double, single};
use super::sparse::{self, spmm};
use crate::element::Element;
use crate::kernels::matmul::thin::relu_layer_vjp;
use crate::kernels::matmul::{gemm, gemm_batch};
use crate::matrix::conv::{ConvFinish, ConvSize};
use crate::matrix::{Accum, Epilogue, Mat, MatMut, Products, ReluLayer, Sparse, Support};

macro_rules! float {
    ($t:ty, $math:ident, $tiny_root:expr $(, $screen:item)?) => {
        impl Element for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const MIN_POSITIVE: Self = <$t>::MIN_POSITIVE;
            const UNIT_ROUNDOFF: Self = <$t>::EPSILON / 2.0;
            const VECTORIZED: bool = true;
            const TINY: Self = $tiny_root * $tiny_root;
            const TINY_ROOT: Self = $tiny_root;

            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn exp(self) -> Self {
                $math::exp(self)
            }
            #[inline(always)]
            fn exp_m1(self) -> Self {
                $math::exp_m1(self)
            }
            #[inline(always)]
            fn ln(self) -> Self {
                $math::ln(self)
            }
            #[inline(always)]
            fn ln_1p(self) -> Self {
                $math::ln_1p(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                self.sqrt()
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                $math::tanh(self)
            }
            #[inline(always)]
            fn sin(self) -> Self {
                $math::sin(self)
            }
            #[inline(always)]
            fn cos(self) -> Self {
                $math::cos(self)
            }
            #[inline(always)]
            fn erf(self) -> Self {
                $math::erf(self)
            }
            #[inline(always)]
            fn erfcx(self) -> Self {
                $math::erfcx(self)
            }
            #[inline(always)]
            fn gauss(self) -> Self {
                $math::gauss(self)
            }
            #[inline(always)]
            fn powf(self, y: Self) -> Self {
                $math::powf(self, y)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                self.abs()
            }
            #[inline(always)]
            fn sigmoid(self) -> Self {
                $math::sigmoid(self)
            }
            #[inline(always)]
            fn softplus(self) -> Self {
                $math::softplus(self)
            }
            #[inline(always)]
            fn maximum(self, other: Self) -> Self {
                if self >= other || self.is_nan() { self } else { other }
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                self != self
            }
        }

        impl Products for $t {
            fn gemm(
                size: [usize; 3],
                a: Mat<Self>,
                b: Mat<Self>,
                c: MatMut<Self>,
                accum: Accum,
                epilogue: Epilogue<Self>,
            ) {
                gemm(size, a, b, c, accum, epilogue);
            }
            $($screen)?
            fn find(
                x: &[Self],
                cols: usize,
                support: &mut Support,
                values: &mut Vec<Self>,
                by_row: &mut Vec<Self>,
            ) {
                sparse::find(x, cols, support, values, by_row);
            }
            fn spmm(
                a: Sparse<Self>,
                b: Mat<Self>,
                n: usize,
                c: &mut [Self],
                accum: Accum,
                epilogue: Epilogue<Self>,
            ) {
                spmm(a, b, n, c, accum, epilogue);
            }
            fn spmm_t(a: Sparse<Self>, g: Mat<Self>, n: usize, c: MatMut<Self>, accum: Accum) {
                sparse::columns(a.support, g, n, Some((a.values, c, accum)), None);
            }
            fn sddmm(
                support: &Support,
                g: Mat<Self>,
                b: Mat<Self>,
                n: usize,
                values: &mut [Self],
                accum: Accum,
            ) {
                sparse::columns(support, g, n, None, Some((b, values, accum)));
            }
            fn spmm_t_sddmm(
                a: Sparse<Self>,
                g: Mat<Self>,
                b: Mat<Self>,
                n: usize,
                (c, c_accum): (MatMut<Self>, Accum),
                (values, values_accum): (&mut [Self], Accum),
            ) {
                let sums = Some((a.values, c, c_accum));
                sparse::columns(a.support, g, n, sums, Some((b, values, values_accum)));
            }
            fn relu_layer_vjp(layer: ReluLayer<Self>, gw: (&mut [Self], Accum), gb: (&mut [Self], Accum)) {
                relu_layer_vjp(layer, gw, gb);
            }
            fn gemm_batch(
                count: usize,
                size: [usize; 3],
                a: Mat<Self>,
                b: Mat<Self>,
                c: MatMut<Self>,
                steps: [usize; 3],
                accum: Accum,
            ) {
                gemm_batch(count, size, a, b, c, steps, accum);
            }
            #[allow(private_interfaces)]
            fn conv(size: &ConvSize, x: &[Self], w: &[Self], finish: ConvFinish<Self>, y: &mut [Self]) {
                conv::forward(size, x, w, finish, y);
            }
            #[allow(private_interfaces)]
            fn conv_transpose(
                size: &ConvSize,
                w: &[Self],
                y: &[Self],
                bias: Option<&[Self]>,
                x: (&mut [Self], Accum),
            ) {
                conv::transpose(size, w, y, bias, x);
            }
            #[allow(private_interfaces)]
            fn conv_weights(size: &ConvSize, x: &[Self], gy: &[Self], gw: (&mut [Self], Accum)) {
                conv::weights(size, x, gy, gw);
            }
        }
    };
}

float!(
    f32,
    single,
    f32::from_bits((127 - 51) << 23), // 2⁻⁵¹
    fn screen(
        size: [usize; 3],
        x: Mat<Self>,
        w: Mat<Self>,
        bias: &[Self],
        y: &mut [Self],
        always: bool,
    ) -> Option<usize> {
        if always || super::screen::pays_here(size, x, w, bias) {
            super::screen::linear_relu(size, x, w, bias, y)
        } else {
            None
        }
    }
);
float!(f64, double, f64::from_bits((1023 - 485) << 52)); // 2⁻⁴⁸⁵
