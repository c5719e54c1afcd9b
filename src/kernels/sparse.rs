//! Products with a sparse matrix: only its entries are multiplied.
//!
//! The dense operand is taken in panels of a few registers' columns, packed, so that a panel's rows stand in the nearest
//! caches whatever the operand's strides are. Within a panel a result's row stays in registers while the entries that
//! contribute to it are visited. Every sum runs over entries in their order, so that the bits do not depend on how the
//! work is split between threads.

use super::gemm::Float;
use super::micro::sparse::{Columns, Place, Rows, UNITS, VECS};
use super::micro::{Block, Microkernel};
use super::pack::with_buffers;
use super::threads::{parallel, threads};
use crate::element::{Accum, Epilogue, Mat, MatMut};
use crate::sparsity::{Sparse, Support};

/// See [`Element::spmm`](crate::Element::spmm).
pub(super) fn spmm<T: Float>(
    a: Sparse<T>,
    b: Mat<T>,
    n: usize,
    c: &mut [T],
    accum: Accum,
    epilogue: Epilogue<T>,
) {
    let Support { rows, cols, .. } = *a.support;
    check("the values of a", a.values.len(), [1, a.support.entries()], [0, 1]);
    check("b", b.data.len(), [cols, n], [b.row_stride, b.col_stride]);
    check("c", c.len(), [rows, n], [n, 1]);
    let (bias, relu) = match epilogue {
        Epilogue::None => (None, false),
        Epilogue::Bias(bias) => (Some(bias), false),
        Epilogue::BiasRelu(bias) => (Some(bias), true),
    };
    assert!(accum == Accum::Replace || bias.is_none(), "spmm: an epilogue goes with Accum::Replace");
    assert!(bias.is_none_or(|bias| bias.len() >= n), "spmm: the bias is shorter than {n}");
    if rows == 0 || n == 0 {
        return;
    }
    let product = ByRows { a, b, n, c: c.as_mut_ptr(), accum, bias, relu };
    // SAFETY: the operands are checked, and `current` names only what this machine has.
    unsafe { T::by_rows(&product) }
}

/// See [`Element::spmm_t_sddmm`](crate::Element::spmm_t_sddmm), of which either half may be left out.
pub(super) fn by_columns<T: Float>(
    a: Sparse<T>,
    g: Mat<T>,
    n: usize,
    c: Option<(MatMut<T>, Accum)>,
    dots: Option<(Mat<T>, &mut [T], Accum)>,
) {
    let Support { rows, cols, .. } = *a.support;
    check("g", g.data.len(), [rows, n], [g.row_stride, g.col_stride]);
    let c = c.map(|(c, accum)| {
        check("the values of a", a.values.len(), [1, a.support.entries()], [0, 1]);
        check("c", c.data.len(), [cols, n], [c.row_stride, c.col_stride]);
        let distinct =
            c.row_stride > (n.max(1) - 1) * c.col_stride || c.col_stride > (cols.max(1) - 1) * c.row_stride;
        assert!(distinct || n * cols <= 1, "spmm_t: elements of c share places");
        let place = Place { start: c.data.as_mut_ptr(), row: c.row_stride, col: c.col_stride };
        (place, accum == Accum::Add)
    });
    let dots = dots.map(|(b, values, accum)| {
        check("b", b.data.len(), [cols, n], [b.row_stride, b.col_stride]);
        check("the values", values.len(), [1, a.support.entries()], [0, 1]);
        if n == 0 && accum == Accum::Replace {
            values.fill(T::ZERO);
        }
        (b, values.as_mut_ptr(), accum == Accum::Add)
    });
    if n == 0 || cols == 0 {
        return;
    }
    let product = ByColumns { a, g, n, c, dots };
    // SAFETY: the operands are checked, and `current` names only what this machine has.
    unsafe { T::by_columns(&product) }
}

/// Panics unless the last element of an operand stands within `len`.
fn check(name: &str, len: usize, [rows, cols]: [usize; 2], [row_stride, col_stride]: [usize; 2]) {
    let last = || (rows - 1).checked_mul(row_stride)?.checked_add((cols - 1).checked_mul(col_stride)?);
    let fits = rows == 0 || cols == 0 || last().is_some_and(|last| last < len);
    assert!(fits, "sparse product: {name} of {len} elements is too short for {rows} x {cols}");
}

/// `c (=, +=) finish(a b)`, checked.
pub(super) struct ByRows<'a, T> {
    a: Sparse<'a, T>,
    b: Mat<'a, T>,
    n: usize,
    c: *mut T,
    accum: Accum,
    bias: Option<&'a [T]>,
    relu: bool,
}

/// `c (=, +=) aᵀ g` and `dots (=, +=) g bᵀ`, checked.
pub(super) struct ByColumns<'a, T> {
    a: Sparse<'a, T>,
    g: Mat<'a, T>,
    n: usize,
    c: Option<(Place<T>, bool)>,
    dots: Option<(Mat<'a, T>, *mut T, bool)>,
}

// SAFETY: of what their pointers point to, each thread touches elements of its own.
unsafe impl<T: Sync> Sync for ByRows<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for ByColumns<'_, T> {}

/// How many threads some multiply-adds are worth.
fn parts<T: Float>(work: usize) -> usize {
    if work < 2 * T::PART { 1 } else { threads().min(work / T::PART) }
}

/// Runs a product by rows.
///
/// # Safety
/// The instruction set of `K` is available.
pub(super) unsafe fn run_by_rows<K: Microkernel<Element: Float>>(product: &ByRows<K::Element>) {
    let Support { rows, .. } = *product.a.support;
    let width = VECS * K::LANES;
    let panels = product.n.div_ceil(width);
    let parts = parts::<K::Element>(product.a.support.entries() * product.n);
    // Threads share the panels of b, so that each is packed once, or else the rows.
    let by_panel = panels >= parts;
    parallel(parts, &|part| {
        let share = |whole: usize| [part * whole / parts, (part + 1) * whole / parts];
        let ([from, to], rows) =
            if by_panel { (share(panels), [0, rows]) } else { ([0, panels], share(rows)) };
        for panel in from..to {
            // SAFETY: the caller's; parts differ in panels or in rows.
            unsafe { panel_by_rows::<K>(product, panel * width, rows) }
        }
    });
}

/// One panel of columns of b and c.
unsafe fn panel_by_rows<K: Microkernel>(product: &ByRows<K::Element>, first: usize, rows: [usize; 2]) {
    let ByRows { a, b, n, c, accum, bias, relu } = *product;
    let step = VECS * K::LANES;
    let width = step.min(n - first);
    let panels = a.support.cols.div_ceil(a.support.width.max(1)).max(1);
    with_buffers([a.support.width * step, 0], |[packed, _]| {
        for panel in 0..panels {
            let column = panel * a.support.width;
            let count = a.support.width.min(a.support.cols - column);
            let last = panel + 1 == panels;
            // SAFETY: the operands are checked; the buffer has `step` elements for each of the panel's columns.
            unsafe {
                let from = b.data.as_ptr().wrapping_add(column * b.row_stride + first * b.col_stride);
                pack::<K>([width, count], from, [b.col_stride, b.row_stride], packed);
                K::sparse_rows(&Rows {
                    rows,
                    row_starts: a.support.row_starts.as_ptr().add(panel * a.support.rows),
                    column_of: a.support.column_of.as_ptr(),
                    entry_of: a.support.entry_of.as_ptr(),
                    values: a.values.as_ptr(),
                    b: packed,
                    first_column: column,
                    width,
                    c: c.add(first),
                    c_row: n,
                    add: panel > 0 || accum == Accum::Add,
                    bias: bias.filter(|_| last).map(|bias| bias.as_ptr().add(first)),
                    relu: relu && last,
                });
            }
        }
    });
}

/// Runs a product by columns.
///
/// # Safety
/// The instruction set of `K` is available.
pub(super) unsafe fn run_by_columns<K: Microkernel<Element: Float>>(product: &ByColumns<K::Element>) {
    let support = product.a.support;
    let parts = parts::<K::Element>(support.entries() * product.n);
    // Each thread has columns with as many entries as the others', in whole groups.
    let border = |part: usize| match part {
        0 => 0,
        part if part == parts => support.cols,
        part => {
            let entry = (support.entries() * part / parts) as u32;
            support
                .col_starts
                .partition_point(|&start| start < entry)
                .next_multiple_of(UNITS)
                .min(support.cols)
        }
    };
    parallel(parts, &|part| {
        // SAFETY: the caller's; no two parts share a column.
        unsafe { columns_of_all_panels::<K>(product, [border(part), border(part + 1)]) }
    });
}

/// Some columns, panel by panel of g.
unsafe fn columns_of_all_panels<K: Microkernel>(product: &ByColumns<K::Element>, units: [usize; 2]) {
    let ByColumns { a, g, n, c, dots } = *product;
    let Support { rows, .. } = *a.support;
    let step = VECS * K::LANES;
    let [from, to] = units;
    if from >= to {
        return;
    }
    let pack_b = dots.is_some_and(|(b, ..)| b.col_stride != 1);
    with_buffers([rows * step, if pack_b { (to - from) * step } else { 0 }], |[g_packed, b_packed]| {
        for first in (0..n).step_by(step) {
            let width = step.min(n - first);
            // SAFETY: the operands are checked; the buffers have `step` elements for each row of g, and for each row of
            // b between these columns.
            unsafe {
                let start = g.data.as_ptr().wrapping_add(first * g.col_stride);
                pack::<K>([width, rows], start, [g.col_stride, g.row_stride], g_packed);
                let dots = dots.map(|(b, values, add)| {
                    let add = add || first > 0;
                    let start = b.data.as_ptr().add(from * b.row_stride + first * b.col_stride);
                    if pack_b {
                        pack::<K>([width, to - from], start, [b.col_stride, b.row_stride], b_packed);
                        (b_packed.cast_const().wrapping_sub(from * step), step, values, add)
                    } else {
                        (start.wrapping_sub(from * b.row_stride), b.row_stride, values, add)
                    }
                });
                K::sparse_columns(&Columns {
                    units,
                    col_starts: a.support.col_starts.as_ptr(),
                    row_of: a.support.row_of.as_ptr(),
                    values: a.values.as_ptr(),
                    g: g_packed,
                    width,
                    c: c.map(|(c, add)| (Place { start: c.start.add(first * c.col), ..c }, add)),
                    dots,
                });
            }
        }
    });
}

/// Packs a panel: `count` rows of `width` elements, zero from there to the panel's full width.
unsafe fn pack<K: Microkernel>(
    [width, count]: [usize; 2],
    from: *const K::Element,
    steps: [usize; 2],
    to: *mut K::Element,
) {
    let step = VECS * K::LANES;
    // SAFETY: the caller's; floats of zero bytes are 0.
    unsafe {
        if width < step {
            to.write_bytes(0, count * step);
        }
        if count > 0 {
            let [step_w, step_p] = steps;
            K::sparse_pack(&Block { width, k: count, from, step_w, step_p }, to);
        }
    }
}
