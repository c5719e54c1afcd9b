//! `c = finish(a b)` with a sparse a: tile after tile of b, rows of c in registers.

use super::{Dense, Panels, SparseFloat, parts};
use crate::kernels::matmul::blocked::Float;
use crate::kernels::matmul::pack::{with_buffers, with_scratch};
use crate::kernels::micro::Finish;
use crate::kernels::micro::sparse::{Rows, SparseKernel};
use crate::kernels::support::order;
use crate::kernels::threads::{Shared, parallel, share};
use crate::matrix::size::{check_exact, check_operand, product};
use crate::matrix::{Accum, Epilogue, Mat, MatMut, Products, Sparse, Support};

/// Rows of a larger tile (in bytes) are asked for ahead of their use. In a smaller one the few that are missed in the L1
/// cache cost less than asking for all.
const NEAR: usize = 96 << 10;

/// `c = finish(a b)`, checked.
pub(in crate::kernels) struct RowProduct<'a, T> {
    a: Sparse<'a, T>,
    b: Dense<T>,
    n: usize,
    c: *mut T,
    finish: Finish<T>,
}

// SAFETY: what its pointers point to is only read, but for c, of which each thread writes its own elements.
unsafe impl<T: Sync> Sync for RowProduct<'_, T> {}

/// `c = a b`: a is [m, k] and sparse, b is [k, n], c is [m, n]. See [`Products::spmm`](crate::matrix::Products::spmm).
pub(in crate::kernels) fn spmm<T: SparseFloat + Products>(
    a: Sparse<T>,
    b: Mat<T>,
    n: usize,
    c: &mut [T],
    accum: Accum,
    epilogue: Epilogue<T>,
) {
    let Support { rows, cols, .. } = *a.support;
    assert!(a.values.len() >= a.support.entries(), "spmm: a has fewer values than entries");
    check_operand("spmm: b", b.data.len(), [cols, n], [b.row_stride, b.col_stride]);
    let (bias, relu) = match epilogue {
        Epilogue::None => (None, false),
        Epilogue::Bias(bias) => (Some(bias), false),
        Epilogue::BiasRelu(bias) => (Some(bias), true),
    };
    assert!(accum == Accum::Replace || bias.is_none(), "spmm: an epilogue goes with Accum::Replace");
    assert!(bias.is_none_or(|bias| bias.len() >= n), "spmm: the bias is shorter than {n}");
    let rows = if cols == 0 { c.len() / n.max(1) } else { rows };
    check_exact("spmm: c", c.len(), [rows, n]);
    if cols == 0 {
        // No element tells the number of rows, but c does.
        let a = Mat::row_major(a.values, 0);
        return T::gemm([rows, 0, n], a, b, MatMut::row_major(c, n), accum, epilogue);
    }
    if c.is_empty() {
        return;
    }
    let finish = Finish { add: accum == Accum::Add, bias: bias.map(<[T]>::as_ptr), relu, ..Finish::REPLACE };
    let product = RowProduct { a, b: Dense::of(&b), n, c: c.as_mut_ptr(), finish };
    // SAFETY: every element that the product names has been checked, and `c` is borrowed mutably.
    unsafe { T::run_rows(&product) }
}

/// Runs a product by rows.
pub(super) unsafe fn row_product<K: SparseKernel<Element: Float>>(p: &RowProduct<K::Element>) {
    let Sparse { support, values, by_row } = p.a;
    let (rows, entries) = (support.rows, support.entries());
    let parts = parts::<K::Element>(product(&[entries, p.n]));
    // Once, not again for every panel of columns.
    let ordered = by_row.len() >= entries;
    with_scratch(if ordered { 0 } else { entries }, |scratch: *mut K::Element| {
        if !ordered {
            order(support, values, scratch);
        }
        let by_row = if ordered { by_row.as_ptr() } else { scratch.cast_const() };
        let by_row = Shared(by_row.cast_mut());
        let panels = Panels::of::<K>(p.n);
        // Threads that share a panel of columns each pack it.
        let by_panel = panels.count.is_multiple_of(parts) || panels.count >= 4 * parts;
        parallel(parts, &|part| {
            let (panels_of, rows_of) = if by_panel {
                (share(panels.count, part, parts), 0..rows)
            } else {
                (0..panels.count, share(rows, part, parts))
            };
            for panel in panels_of {
                // SAFETY: the values are in order; the rest is the caller's, and no two parts share an element of c.
                unsafe { row_panel::<K>(p, by_row.get(), panels.get(panel), rows_of.clone()) }
            }
        });
    });
}

/// Some rows of one panel of columns, tile after tile of b.
unsafe fn row_panel<K: SparseKernel>(
    p: &RowProduct<K::Element>,
    values: *const K::Element,
    (from, cols): (usize, usize),
    rows: std::ops::Range<usize>,
) {
    let support = p.a.support;
    let width = cols.next_multiple_of(K::LANES);
    let small = p.b.is_small::<K>(support.cols, p.n);
    let room = if small { 0 } else { support.width.min(support.cols) * width };
    with_buffers([room, 0], |[tile, _]| {
        for panel in 0..support.panels() {
            let above = panel * support.width;
            let last = panel + 1 == support.panels();
            // SAFETY: the rows, the tile and the panel lie within the operands; the buffer has room for a tile.
            unsafe {
                let (b, b_row) = if small {
                    (p.b.at.wrapping_add(above * p.b.row + from), p.b.row)
                } else {
                    let units = support.width.min(support.cols - above);
                    p.b.pack::<K>((above, units), (from, cols), tile);
                    (tile.cast_const(), width)
                };
                let finish = if last { p.finish } else { Finish::REPLACE };
                let bias = finish.bias.map(|bias| bias.add(from));
                let part = Rows {
                    count: rows.len(),
                    cols,
                    starts: support.row_starts.as_ptr().add(panel * support.rows + rows.start),
                    values,
                    units: support.column_of.as_ptr(),
                    last: support.entries().saturating_sub(1),
                    b,
                    b_row,
                    far: product(&[support.width.min(support.cols), b_row, size_of::<K::Element>()]) > NEAR,
                    c: p.c.add(rows.start * p.n + from),
                    c_row: p.n,
                    finish: Finish { add: p.finish.add || panel > 0, bias, ..finish },
                };
                K::rows(width / K::LANES, &part);
            }
        }
    });
}
