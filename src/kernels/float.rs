//! `f32` and `f64` as [`Element`]s: where the engine's arithmetic meets the fast kernels.

use super::product::{gemm, gemm_batch};
use crate::element::{Accum, Element, Epilogue, Mat, MatMut};

macro_rules! float {
    ($t:ty) => {
        impl Element for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;

            fn from_f64(x: f64) -> Self {
                x as $t
            }
            fn to_f64(self) -> f64 {
                self as f64
            }
            fn exp(self) -> Self {
                self.exp()
            }
            fn exp_m1(self) -> Self {
                self.exp_m1()
            }
            fn ln(self) -> Self {
                self.ln()
            }
            fn ln_1p(self) -> Self {
                self.ln_1p()
            }
            fn sqrt(self) -> Self {
                self.sqrt()
            }
            fn tanh(self) -> Self {
                self.tanh()
            }
            fn sin(self) -> Self {
                self.sin()
            }
            fn cos(self) -> Self {
                self.cos()
            }
            fn erf(self) -> Self {
                libm::erf(self as f64) as $t
            }
            fn powf(self, y: Self) -> Self {
                self.powf(y)
            }
            fn abs(self) -> Self {
                self.abs()
            }
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
        }
    };
}

float!(f32);
float!(f64);
