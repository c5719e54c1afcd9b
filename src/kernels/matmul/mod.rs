//! The door to the matrix product: checks operands once, so that the kernels behind it may trust their pointers.

pub(in crate::kernels) mod blocked;
mod cache;
pub(in crate::kernels) mod pack;
pub(in crate::kernels) mod thin;

use crate::kernels::micro::{Finish, Product};
use crate::kernels::threads::{parallel, share, threads};
use crate::matrix::reference::check_batch;
use crate::matrix::size::{check_no_overlap, check_operand, product};
use crate::matrix::{Accum, Epilogue, Mat, MatMut};
use blocked::Float;

/// `c = a b` for `size` [m, k, n]: a is [m, k], b [k, n], c [m, n]. See [`Products::gemm`](crate::matrix::Products::gemm).
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

/// `c = a b`, `count` times: a is [m, k], b [k, n], c [m, n], and `steps` are the distances from one a, b and c to the next.
/// See [`Products::gemm_batch`](crate::matrix::Products::gemm_batch).
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
    check_batch(count, size, &a, &b, &c, steps);
    let [m, k, n] = size;
    let Some(first) = checked(size, &a, &b, c, accum, Epilogue::None) else { return };
    // Large products are split one by one; small ones are dealt out.
    let work = product(&[m, k, n]);
    let shared = work < 2 * T::PART;
    let parts = if shared { threads().min(product(&[count, work]) / T::PART).clamp(1, count) } else { 1 };
    // With nothing to sum, a and b may be empty: no step may leave them.
    let reach = usize::from(k > 0);
    let first = Shared(first, [steps[0] * reach, steps[1] * reach, steps[2]]);
    parallel(parts, &|part| {
        for i in share(count, part, parts) {
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
    let finish = Finish { add, bias: bias.map(<[T]>::as_ptr), bias_step, bias_across: 0, relu };
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

/// The product turned so that the columns of c are contiguous, if possible: those of a row-major c are the
/// rows of its transpose, and `cᵀ = bᵀ aᵀ`.
#[inline(always)]
fn turned<T>(p: Product<T>) -> Product<T> {
    let stands = p.n == 1 || (p.m > 1 && p.c_row == 1 && p.finish.bias.is_none());
    if stands { p } else { p.transposed() }
}
