//! The door to the matrix product: checks operands once, so that the kernels behind it may trust their pointers.

pub(in crate::kernels) mod blocked;
mod cache;
pub(in crate::kernels) mod pack;
pub(in crate::kernels) mod thin;

use crate::kernels::micro::{Finish, Product};
use crate::kernels::threads::{parallel, threads};
use crate::matrix::{Accum, Epilogue, Mat, MatMut};
use blocked::Float;

/// See [`Products::gemm`](crate::Products::gemm).
#[inline(always)]
pub(in crate::kernels) fn gemm<T: Float>(
    size: [usize; 3],
    a: Mat<T>,
    b: Mat<T>,
    c: MatMut<T>,
    accum: Accum,
    epilogue: Epilogue<T>,
) {
    if let Some(product) = checked(size, &a, &b, c, accum, epilogue) {
        // SAFETY: every element that the product names has been checked, and `c` is borrowed mutably.
        unsafe { T::run(&turned(product)) }
    }
}

/// See [`Products::gemm_batch`](crate::Products::gemm_batch).
pub(in crate::kernels) fn gemm_batch<T: Float>(
    count: usize,
    size: [usize; 3],
    a: Mat<T>,
    b: Mat<T>,
    c: MatMut<T>,
    steps: [usize; 3],
    accum: Accum,
) {
    if count == 0 {
        return;
    }
    let ([m, k, n], last) = (size, count - 1);
    check_steps("gemm: a", a.data.len(), [m, k], [a.row_stride, a.col_stride], last, steps[0]);
    check_steps("gemm: b", b.data.len(), [k, n], [b.row_stride, b.col_stride], last, steps[1]);
    check_steps("gemm: c", c.data.len(), [m, n], [c.row_stride, c.col_stride], last, steps[2]);
    let extent = (m.max(1) - 1) * c.row_stride + (n.max(1) - 1) * c.col_stride;
    assert!(count <= 1 || m * n == 0 || steps[2] > extent, "gemm: products of a batch share places of c");
    let Some(first) = checked(size, &a, &b, c, accum, Epilogue::None) else { return };
    // Large products are split one by one; small ones are dealt out.
    let work = m * k * n;
    let parts = if work < 2 * T::PART { threads().min(count * work / T::PART).clamp(1, count) } else { 1 };
    let first = Shared(first, steps);
    parallel(parts, &|part| {
        for i in part * count / parts..(part + 1) * count / parts {
            // SAFETY: the last product of the batch has been checked like the first, and no two write to the
            // same place.
            unsafe { T::run(&turned(first.get(i))) }
        }
    });
}

/// The first product of a batch, which threads look at together, and the steps to the next one.
struct Shared<T>(Product<T>, [usize; 3]);

// SAFETY: what its pointers point to is only read, but for c, of which each thread writes its own products.
unsafe impl<T: Sync> Sync for Shared<T> {}

impl<T: Float> Shared<T> {
    /// # Safety
    /// The batch has more than `i` products.
    unsafe fn get(&self, i: usize) -> Product<T> {
        let Shared(first, steps) = self;
        // SAFETY: the caller's.
        unsafe {
            let [a, b] = [first.a.add(i * steps[0]), first.b.add(i * steps[1])];
            Product { a, b, c: first.c.add(i * steps[2]), ..*first }
        }
    }
}

/// The product, if it has an element.
#[inline(always)]
fn checked<T>(
    [m, k, n]: [usize; 3],
    a: &Mat<T>,
    b: &Mat<T>,
    c: MatMut<T>,
    accum: Accum,
    epilogue: Epilogue<T>,
) -> Option<Product<T>> {
    check_operand("gemm: a", a.data.len(), [m, k], [a.row_stride, a.col_stride]);
    check_operand("gemm: b", b.data.len(), [k, n], [b.row_stride, b.col_stride]);
    check_operand("gemm: c", c.data.len(), [m, n], [c.row_stride, c.col_stride]);
    let add = accum == Accum::Add;
    let (bias, relu) = match epilogue {
        Epilogue::None => (None, false),
        Epilogue::Bias(bias) => (Some(bias), false),
        Epilogue::BiasRelu(bias) => (Some(bias), true),
    };
    assert!(!(add && bias.is_some()), "gemm: an epilogue goes with Accum::Replace");
    assert!(bias.is_none_or(|bias| bias.len() >= n), "gemm: the bias is shorter than {n}");
    if m == 0 || n == 0 {
        return None;
    }
    check_no_overlap([m, n], [c.row_stride, c.col_stride]);

    // A single column has one bias for all of its rows.
    let bias_step = usize::from(n > 1);
    let finish = Finish { add, bias: bias.map(<[T]>::as_ptr), bias_step, relu };
    // With nothing to sum, a and b may be empty: no step may leave them.
    let reach = usize::from(k > 0);
    Some(Product {
        m,
        k,
        n,
        a: a.data.as_ptr(),
        a_row: a.row_stride * reach,
        a_col: a.col_stride * reach,
        b: b.data.as_ptr(),
        b_row: b.row_stride * reach,
        b_col: b.col_stride * reach,
        c: c.data.as_mut_ptr(),
        c_row: c.row_stride,
        c_col: c.col_stride,
        finish,
    })
}

/// The same product, turned so that the columns of c are contiguous, if possible: those of a row-major c are the
/// rows of its transpose, and `cᵀ = bᵀ aᵀ`.
#[inline(always)]
fn turned<T>(p: Product<T>) -> Product<T> {
    let stands = p.n == 1 || (p.m > 1 && p.c_row == 1 && p.finish.bias.is_none());
    if stands { p } else { p.transposed() }
}

/// Panics unless the last element of a `rows x cols` operand stands within `len`.
#[inline(always)]
pub(in crate::kernels) fn check_operand(name: &str, len: usize, size: [usize; 2], strides: [usize; 2]) {
    let [rows, cols] = size;
    if rows == 0 || cols == 0 {
        return;
    }
    // Products of 64 bits need 128.
    let [down, right] =
        [(rows, strides[0]), (cols, strides[1])].map(|(n, step)| (n - 1) as u128 * step as u128);
    if down + right >= len as u128 {
        too_short(name, len, size, strides);
    }
}

#[cold]
#[inline(never)]
fn too_short(name: &str, len: usize, [rows, cols]: [usize; 2], [row_stride, col_stride]: [usize; 2]) -> ! {
    panic!(
        "{name} of {len} elements is too short for {rows} x {cols} with strides {row_stride}, {col_stride}"
    )
}

/// Panics if two elements of the output might share a place. Its last element is known to stand within memory,
/// so that no product here overflows.
#[inline(always)]
pub(in crate::kernels) fn check_no_overlap([rows, cols]: [usize; 2], [row_stride, col_stride]: [usize; 2]) {
    // Each row (or column) ends before the next one begins.
    let by_rows = (rows <= 1 || row_stride > (cols - 1) * col_stride) && (cols <= 1 || col_stride > 0);
    let by_cols = || (cols <= 1 || col_stride > (rows - 1) * row_stride) && (rows <= 1 || row_stride > 0);
    if !(by_rows || by_cols()) {
        overlap([rows, cols], [row_stride, col_stride]);
    }
}

#[cold]
#[inline(never)]
fn overlap([rows, cols]: [usize; 2], [row_stride, col_stride]: [usize; 2]) -> ! {
    panic!("elements of c share places: {rows} x {cols} with strides {row_stride}, {col_stride}")
}

/// Panics unless the last product of a batch finds its operand.
fn check_steps(name: &str, len: usize, size: [usize; 2], strides: [usize; 2], last: usize, step: usize) {
    if size[0] > 0 && size[1] > 0 {
        match last.checked_mul(step) {
            Some(start) if start < len => check_operand(name, len - start, size, strides),
            _ => too_short(name, len, size, strides),
        }
    }
}
