//! Finding where a matrix is not zero, and going from all of its elements to the entries and back.

use crate::element::Element;
use crate::kernels::isa::vectorize;
use crate::kernels::threads::{Shared, parallel, share, threads};
use crate::matrix::{Accum, Products, Sparse, Support};

/// Elements that a thread must find to be worth waking.
pub(super) const PART: usize = 1 << 17;

/// The share of elements that are not zero, from a sample of the rows: one of 16, at least 8, evenly spread.
pub fn estimate_density<T: Element>(x: &[T], cols: usize) -> f64 {
    let rows = x.len() / cols.max(1);
    let step = (rows / 8).clamp(1, 16);
    let sample = x.chunks_exact(cols.max(1)).step_by(step);
    let (mut count, mut all) = (0, 0);
    for row in sample {
        count += count_nonzero(row);
        all += cols;
    }
    count as f64 / all as f64
}

vectorize! {
    /// How many elements are not zero.
    pub(super) fn count_nonzero [T: Element] (x: &[T]) -> usize {
        x.chunks(1 << 12).map(|x| x.iter().map(|&x| u32::from(x != T::ZERO)).sum::<u32>() as usize).sum()
    }
}

/// The widest panel: with it, a panel of columns of the dense operand just fits a small L2 cache.
pub(super) const WIDEST: usize = 1024;

/// The columns of a panel: so many that a row has some 16 entries in it, which is worth a visit of its sums.
pub(super) fn panel_width(density: f64) -> usize {
    // No density is NaN, and counts as 0.
    ((16.0 / density.max(0.01)) as usize).next_power_of_two().clamp(64, WIDEST)
}

/// Finds the entries of a row-major matrix of `cols` columns, and lists their values, in the order of their numbers and by row.
/// The lists' memory is reused.
///
/// # Panics
/// If `x` is not whole rows, the matrix has 2³² elements or columns or more, or there is no memory for the lists.
pub fn find<T: Products>(
    x: &[T],
    cols: usize,
    support: &mut Support,
    values: &mut Vec<T>,
    by_row: &mut Vec<T>,
) {
    T::find(x, cols, support, values, by_row);
}

/// Calls `each` for the entries of a panel, row by row: with its index by row, its number, its row and its column.
#[inline(always)]
pub(super) fn for_each_by_row(
    support: &Support,
    panel: usize,
    mut each: impl FnMut(usize, usize, usize, usize),
) {
    let columns = support.columns_of(panel);
    let mut next = [0; WIDEST];
    next[..columns.len()].copy_from_slice(&support.col_starts[columns.clone()]);
    for i in 0..support.rows {
        for at in support.row_in(panel, i) {
            let column = support.column_of[at] as usize;
            each(at, next[column] as usize, i, columns.start + column);
            next[column] += 1;
        }
    }
}

/// The parts that a pass over `work` elements is cut into, at most `most`.
fn parts(work: usize, most: usize) -> usize {
    threads().min(work / PART).min(most).max(1)
}

/// `values (=, +=) x` at the entries.
///
/// # Panics
/// If `x` is shorter than the matrix, or `values` than the entries.
pub fn gather<T: Element>(x: &[T], support: &Support, values: &mut [T], accum: Accum) {
    let Support { rows, cols, .. } = *support;
    let (x, values) = (&x[..rows * cols], Shared(values[..support.entries()].as_mut_ptr()));
    let panels = support.panels();
    let parts = parts(support.entries(), panels);
    parallel(parts, &|part| {
        for panel in share(panels, part, parts) {
            for_each_by_row(support, panel, |_, entry, i, j| {
                // SAFETY: an entry has a value, and belongs to one panel.
                let value = unsafe { &mut *values.get().add(entry) };
                let x = x[i * cols + j];
                *value = if accum == Accum::Add { *value + x } else { x };
            });
        }
    });
}

/// `by_row = values`, brought into the order by row. There is room for all entries.
pub(super) fn order<T: Element>(support: &Support, values: &[T], by_row: *mut T) {
    let (values, by_row) = (&values[..support.entries()], Shared(by_row));
    let panels = support.panels();
    let parts = parts(values.len(), panels);
    parallel(parts, &|part| {
        for panel in share(panels, part, parts) {
            // SAFETY: the caller has room for the entries, and each belongs to one panel.
            for_each_by_row(support, panel, |at, entry, _, _| unsafe {
                by_row.get().add(at).write(values[entry]);
            });
        }
    });
}

/// `x (=, +=) a`; replacing writes zeros where there is no entry.
///
/// # Panics
/// If `x` is shorter than the matrix, or the values than the entries.
pub fn scatter<T: Element>(a: Sparse<T>, x: &mut [T], accum: Accum) {
    let Support { rows, cols, .. } = *a.support;
    let values = &a.values[..a.support.entries()];
    let x = &mut x[..rows * cols];
    if accum == Accum::Replace {
        x.fill(T::ZERO);
    }
    let x = Shared(x.as_mut_ptr());
    let panels = a.support.panels();
    let parts = parts(values.len(), panels);
    parallel(parts, &|part| {
        for panel in share(panels, part, parts) {
            // SAFETY: an entry lies within the matrix, and belongs to one panel.
            for_each_by_row(a.support, panel, |_, entry, i, j| unsafe {
                *x.get().add(i * cols + j) += values[entry];
            });
        }
    });
}

/// `sums (=, +=)` the sum of each column.
pub fn sum_columns<T: Element>(a: Sparse<T>, sums: &mut [T], accum: Accum) {
    for (j, sum) in sums.iter_mut().enumerate() {
        let total = crate::kernels::sum(&a.values[a.support.column(j)]);
        *sum = if accum == Accum::Add { *sum + total } else { total };
    }
}
