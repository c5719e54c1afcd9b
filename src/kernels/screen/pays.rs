//! Whether to screen a layer: decided from its size, and from a sample of the very values that it would compute, so that
//! a step gives the same bits whatever was computed before it.

use crate::kernels::matmul::gemm;
use crate::matrix::{Accum, Epilogue, Mat, MatMut, size};

/// Whether [`linear_relu`](super::linear_relu) is likely to be faster than the dense product where `density` of y is not zero.
///
/// It takes rows enough to pay for quantizing w, and sums long enough that writing zeros is not most of the work. The
/// bound, as a part of a sum's usual size, grows with √k, and with it the share of elements that are candidates without
/// being active.
pub fn pays([m, k, n]: [usize; 3], density: f64) -> bool {
    m >= 256 && n >= 256 && k >= 256 && density < 0.055 * (1024.0 / k as f64).powi(2).min(1.0)
}

/// Rows of a sample, evenly spread.
const ROWS: usize = 64;
/// Groups of neighbouring columns in a sample, evenly spread. A group of f32 fills a cache line of a row of w.
const GROUPS: usize = 8;
/// Columns of a group.
const WIDTH: usize = 16;

/// The share of `max(x w + bias, 0)` that is not zero, from a sample of 64 rows and 128 columns: 8192 elements, computed as
/// they are. For operands as [`linear_relu`](super::linear_relu) takes them, of at least 64 rows and 16 columns.
///
/// # Panics
/// If there are fewer, or an operand is too short for its size and strides.
pub fn estimate_density([m, k, n]: [usize; 3], x: Mat<f32>, w: Mat<f32>, bias: &[f32]) -> f64 {
    assert!(m >= ROWS && n >= WIDTH, "screen: a layer of {m} x {n} is too small for a sample");
    size::check_operand("screen: x", x.data.len(), [m, k], [x.row_stride, x.col_stride]);
    size::check_operand("screen: w", w.data.len(), [k, n], [w.row_stride, w.col_stride]);
    assert!(bias.len() >= n, "screen: the bias is shorter than a row");
    let rows = Mat { row_stride: x.row_stride * (m / ROWS), ..x };
    let mut z = [0.0; ROWS * WIDTH];
    let mut active = 0;
    for group in 0..GROUPS {
        let first = (n - WIDTH) * group / (GROUPS - 1);
        let columns = Mat { data: &w.data[first * w.col_stride..], ..w };
        let (to, bias) = (MatMut::row_major(&mut z, WIDTH), Epilogue::Bias(&bias[first..first + WIDTH]));
        gemm([ROWS, k, WIDTH], rows, columns, to, Accum::Replace, bias);
        active += z.iter().filter(|&&z| z > 0.0).count();
    }
    active as f64 / (ROWS * WIDTH * GROUPS) as f64
}

/// Whether to screen this layer: [`pays`] at the density of a sample.
pub(in crate::kernels) fn pays_here(size: [usize; 3], x: Mat<f32>, w: Mat<f32>, bias: &[f32]) -> bool {
    // No density is less than 0: where not even that pays, no sample is taken.
    pays(size, 0.0) && pays(size, estimate_density(size, x, w, bias))
}
