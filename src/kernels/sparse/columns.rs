//! `c = aᵀ g` with a sparse a, and `values = g bᵀ` at its entries, or both: column after column of a.

use super::{Dense, Panels, SparseFloat, parts};
use crate::kernels::matmul::blocked::Float;
use crate::kernels::matmul::pack::{with_buffers, with_scratch};
use crate::kernels::micro::sparse::{Columns, SparseKernel};
use crate::kernels::micro::{Finish, store_one};
use crate::kernels::threads::{Shared, parallel, share};
use crate::matrix::size::{check_no_overlap, check_operand, product};
use crate::matrix::{Accum, Mat, MatMut, Support};

/// Rows of a larger panel of g (in bytes) are prefetched. In a smaller one, those that are missed in the
/// L1 cache cost less than prefetching all.
const NEAR: usize = 40 << 10;

/// Bytes of a cache line.
const LINE: usize = 64;

/// `c (=, +=) aᵀ g` and `values (=, +=) g bᵀ`, one of them or both, checked.
pub(in crate::kernels) struct ColumnProduct<'a, T> {
    support: &'a Support,
    g: Dense<T>,
    n: usize,
    sums: Option<Sums<T>>,
    dots: Option<Dots<T>>,
}

/// `c (=, +=) aᵀ g`: the values of a, and c with its strides.
#[derive(Clone, Copy)]
struct Sums<T> {
    a: *const T,
    c: *mut T,
    row: usize,
    col: usize,
    add: bool,
}

/// `values (=, +=) g bᵀ` at the entries.
#[derive(Clone, Copy)]
struct Dots<T> {
    b: Dense<T>,
    values: *mut T,
    add: bool,
}

// SAFETY: what its pointers point to is only read, but for c and the values, of which each thread writes its own.
unsafe impl<T: Sync> Sync for ColumnProduct<'_, T> {}

/// a is [rows, cols] and sparse: its support, and in `sums` its values. g is [rows, n]. `sums` makes c, [cols, n]; `dots` makes
/// one number an entry of a, from g and b, [cols, n].
///
/// See [`Products::spmm_t`](crate::matrix::Products::spmm_t), [`Products::sddmm`](crate::matrix::Products::sddmm) and
/// [`Products::spmm_t_sddmm`](crate::matrix::Products::spmm_t_sddmm).
pub(in crate::kernels) fn columns<T: SparseFloat>(
    support: &Support,
    g: Mat<T>,
    n: usize,
    sums: Option<(&[T], MatMut<T>, Accum)>,
    dots: Option<(Mat<T>, &mut [T], Accum)>,
) {
    let Support { rows, cols, .. } = *support;
    check_operand("spmm_t: g", g.data.len(), [rows, n], [g.row_stride, g.col_stride]);
    let sums = sums.map(|(values, c, accum)| {
        assert!(values.len() >= support.entries(), "spmm_t: a has fewer values than entries");
        check_operand("spmm_t: c", c.data.len(), [cols, n], [c.row_stride, c.col_stride]);
        check_no_overlap([cols, n], [c.row_stride, c.col_stride]);
        let (add, most) = (accum == Accum::Add, c.data.len());
        let [row, col] = [c.row_stride.min(most), c.col_stride.min(most)];
        Sums { a: values.as_ptr(), c: c.data.as_mut_ptr(), row, col, add }
    });
    let dots = dots.map(|(b, values, accum)| {
        assert!(values.len() >= support.entries(), "sddmm: there are fewer values than entries");
        check_operand("sddmm: b", b.data.len(), [cols, n], [b.row_stride, b.col_stride]);
        if n == 0 && accum == Accum::Replace {
            values[..support.entries()].fill(T::ZERO);
        }
        Dots { b: Dense::of(&b), values: values.as_mut_ptr(), add: accum == Accum::Add }
    });
    if cols == 0 || n == 0 || (sums.is_none() && support.entries() == 0) {
        return;
    }
    let product = ColumnProduct { support, g: Dense::of(&g), n, sums, dots };
    // SAFETY: every element that the product names has been checked; what it writes is borrowed mutably.
    unsafe { T::run_columns(&product) }
}

/// Runs a product by columns.
pub(super) unsafe fn column_product<K: SparseKernel<Element: Float>>(p: &ColumnProduct<K::Element>) {
    let (rows, entries) = (p.support.rows, p.support.entries());
    let panels = Panels::of::<K>(p.n);
    let parts = parts::<K::Element>(product(&[entries, p.n]));
    // Also where it could be read in place: rows that do not begin with a cache line take half as long again to load.
    let row = p.n.checked_next_multiple_of(K::LANES).unwrap_or(usize::MAX);
    with_scratch(product(&[rows, row]), |packed: *mut K::Element| {
        let shared = Shared(packed);
        parallel(parts, &|part| {
            for panel in share(panels.count, part, parts) {
                let (from, cols) = panels.get(panel);
                // SAFETY: the panel lies within g, and there is room for the panels one after the other.
                unsafe { p.g.pack::<K>((0, rows), (from, cols), shared.get().add(rows * from)) }
            }
        });
        parallel(parts, &|part| {
            // As many entries for each thread, and for no two a common cache line of a transposed c.
            let edge = |part: usize| {
                let before = entries * part / parts;
                let unit = p.support.col_starts.partition_point(|&start| (start as usize) < before);
                if part == parts { p.support.cols } else { unit.next_multiple_of(LINE).min(p.support.cols) }
            };
            let units = edge(part)..edge(part + 1);
            for panel in 0..panels.count {
                let (from, cols) = panels.get(panel);
                let g =
                    (shared.get().cast_const().wrapping_add(rows * from), cols.next_multiple_of(K::LANES));
                // SAFETY: g is packed; the rest is the caller's, and no two parts share a unit.
                unsafe { column_panel::<K>(p, g, (from, cols), units.clone()) }
            }
        });
    });
}

/// Some units in one panel of columns.
unsafe fn column_panel<K: SparseKernel>(
    p: &ColumnProduct<K::Element>,
    (g, g_row): (*const K::Element, usize),
    (from, cols): (usize, usize),
    units: std::ops::Range<usize>,
) {
    let width = cols.next_multiple_of(K::LANES);
    let pack_b = p.dots.as_ref().is_some_and(|dots| dots.b.col != 1);
    let turn_c = p.sums.as_ref().is_some_and(|sums| sums.col != 1);
    // Units at a time: all, or what fills a cache line of a transposed operand.
    let line = LINE / size_of::<K::Element>();
    let step = if pack_b || turn_c { line } else { units.len().max(1) };
    let room = |wanted: bool| if wanted { line * width } else { 0 };
    with_buffers([room(pack_b), room(turn_c)], |[b_packed, c_tile]| {
        for unit in units.clone().step_by(step) {
            let count = step.min(units.end - unit);
            // SAFETY: the units lie within the operands, and the buffers have room for a line of them.
            unsafe {
                let mut part = Columns {
                    units: count,
                    cols,
                    starts: p.support.col_starts.as_ptr().add(unit),
                    row_of: p.support.row_of.as_ptr(),
                    a: std::ptr::null(),
                    g,
                    g_row,
                    c: std::ptr::null_mut(),
                    c_row: 0,
                    c_add: false,
                    b: std::ptr::null(),
                    b_row: 0,
                    values: std::ptr::null_mut(),
                    values_add: false,
                    last: p.support.entries().saturating_sub(1),
                    far: p.support.rows * g_row * size_of::<K::Element>() > NEAR,
                };
                if let Some(dots) = p.dots {
                    part.values = dots.values;
                    part.values_add = dots.add || from > 0;
                    if pack_b {
                        dots.b.pack::<K>((unit, count), (from, cols), b_packed);
                        (part.b, part.b_row) = (b_packed, width);
                    } else {
                        (part.b, part.b_row) = (dots.b.at.add(unit * dots.b.row + from), dots.b.row);
                    }
                }
                if let Some(sums) = p.sums {
                    part.a = sums.a;
                    let c = sums.c.add(unit * sums.row + from * sums.col);
                    if turn_c {
                        (part.c, part.c_row) = (c_tile, width);
                    } else {
                        (part.c, part.c_row, part.c_add) = (c, sums.row, sums.add);
                    }
                }
                match (p.sums.is_some(), p.dots.is_some()) {
                    (true, true) => K::sums_and_dots(width / K::LANES, &part),
                    (true, false) => K::sums(width / K::LANES, &part),
                    (false, _) => K::dots_at(width / K::LANES, &part),
                }
                if let (Some(sums), true) = (p.sums, turn_c) {
                    put_tile::<K>((c_tile, width), [count, cols], sums, unit * sums.row + from * sums.col);
                }
            }
        }
    });
}

/// Moves a tile to where it belongs in a c whose rows are not contiguous.
unsafe fn put_tile<K: SparseKernel>(
    (tile, width): (*const K::Element, usize),
    [units, cols]: [usize; 2],
    sums: Sums<K::Element>,
    at: usize,
) {
    // SAFETY: the caller guarantees the tile and the part of c that it belongs to.
    unsafe {
        let c = sums.c.add(at);
        if sums.row == 1 {
            return K::turn([units, cols], (tile, width), (c, sums.col), sums.add);
        }
        for unit in 0..units {
            for col in 0..cols {
                let finish = Finish { add: sums.add, ..Finish::REPLACE };
                store_one(c.add(unit * sums.row + col * sums.col), *tile.add(unit * width + col), finish);
            }
        }
    }
}
