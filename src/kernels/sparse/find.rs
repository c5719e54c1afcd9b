//! Finding where a matrix is not zero.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::SparseFloat;
use crate::kernels::matmul::pack::with_buffers;
use crate::kernels::micro::Block;
use crate::kernels::micro::list::Listing;
use crate::kernels::micro::sparse::SparseKernel;
use crate::kernels::support::{PART, count_nonzero, estimate_density, panel_width};
use crate::kernels::threads::{Shared, parallel, share, threads};
use crate::matrix::Support;

/// The most parts that a support is found in.
const MOST_PARTS: usize = 64;

/// Finds the entries of x, row-major with `cols` columns: [`find`](crate::kernels::support::find), for floats.
pub(in crate::kernels) fn find<T: SparseFloat>(
    x: &[T],
    cols: usize,
    support: &mut Support,
    values: &mut Vec<T>,
    by_row: &mut Vec<T>,
) {
    let rows = Support::rows_of(x.len(), cols);
    let width = panel_width(estimate_density(x, cols));
    let size = x.len();
    let panels = cols.div_ceil(width).max(1);

    // Until it is found, a support of nothing: a panic on the way must not leave sizes without lists.
    (support.rows, support.cols, support.width) = (0, 0, 0);
    let Support { col_starts, row_of, row_starts, column_of, .. } = support;
    // Room for a matrix without zeros: memory that is never touched costs nothing.
    clear(values, size);
    clear(by_row, size);
    clear(col_starts, cols + 1);
    clear(row_starts, panels * rows + 1);
    clear(row_of, size);
    clear(column_of, size);
    col_starts.push(0);
    row_starts.push(0);
    let lists = Lists {
        x,
        cols,
        width,
        col_starts: Shared(col_starts.as_mut_ptr()),
        row_of: Shared(row_of.as_mut_ptr()),
        row_starts: Shared(row_starts.as_mut_ptr()),
        column_of: Shared(column_of.as_mut_ptr()),
        values: Shared(values.as_mut_ptr()),
        by_row: Shared(by_row.as_mut_ptr()),
    };

    // A part begins where the entries of the parts before it end.
    let parts = threads().min(size / PART).min(panels).clamp(1, MOST_PARTS);
    let counts = [const { AtomicUsize::new(0) }; MOST_PARTS];
    parallel(parts - 1, &|part| {
        let panels = share(panels, part, parts);
        let columns = lists.columns_of(panels.start).start..lists.columns_of(panels.end).start;
        let count = (0..rows).map(|i| count_nonzero(&x[i * cols..][columns.clone()])).sum();
        counts[part].store(count, Ordering::Relaxed);
    });
    let count = |parts: Range<usize>| counts[parts].iter().map(|n| n.load(Ordering::Relaxed)).sum::<usize>();
    parallel(parts, &|part| {
        let mut at = count(0..part);
        let end = if part + 1 == parts { size } else { count(0..part + 1) };
        for panel in share(panels, part, parts) {
            // SAFETY: the lists have room for all elements, and each part has its own range of them.
            at = unsafe { T::list_panel(&lists, panel, at..end) };
        }
        if part + 1 == parts {
            counts[part].store(at, Ordering::Relaxed);
        }
    });
    let entries = counts[parts - 1].load(Ordering::Relaxed);
    // SAFETY: so many elements have been written by now.
    unsafe {
        col_starts.set_len(cols + 1);
        row_starts.set_len(panels * rows + 1);
        row_of.set_len(entries);
        column_of.set_len(entries);
        values.set_len(entries);
        by_row.set_len(entries);
    }
    (support.rows, support.cols, support.width) = (rows, cols, width);
}

/// Empties a list and makes room for so many.
fn clear<T>(list: &mut Vec<T>, room: usize) {
    list.clear();
    assert!(list.try_reserve(room).is_ok(), "find: no memory for the support of so large a matrix");
}

/// A matrix, and the lists of its support and values, as far as they are allocated.
pub(in crate::kernels) struct Lists<'a, T> {
    x: &'a [T],
    cols: usize,
    width: usize,
    col_starts: Shared<u32>,
    row_of: Shared<u32>,
    row_starts: Shared<u32>,
    column_of: Shared<u16>,
    values: Shared<T>,
    by_row: Shared<T>,
}

impl<T> Lists<'_, T> {
    fn columns_of(&self, panel: usize) -> Range<usize> {
        (panel * self.width).min(self.cols)..((panel + 1) * self.width).min(self.cols)
    }
}

/// Lists a panel by row, then by column, from `range.start` of the lists on; returns the index after its last.
pub(super) unsafe fn list_panel<K: SparseKernel>(
    lists: &Lists<K::Element>,
    panel: usize,
    range: Range<usize>,
) -> usize {
    let (rows, columns) = (lists.x.len() / lists.cols.max(1), lists.columns_of(panel));
    let x = lists.x.as_ptr();
    // Columns of the panel, a few elements further apart than a power of two, that would make them compete.
    let pitch = rows.next_multiple_of(LINE_ELEMENTS) + LINE_ELEMENTS;
    with_buffers([columns.len() * pitch, 0], |[turned, _]: [*mut K::Element; 2]| {
        let mut at = range.start;
        // SAFETY: the panel lies within the matrix, and in the buffer; the caller has room in the lists.
        unsafe {
            for i in (0..rows).step_by(ROWS) {
                let (count, x) = (ROWS.min(rows - i), x.add(i * lists.cols).wrapping_add(columns.start));
                at = K::list(&Listing {
                    size: [count, columns.len()],
                    x,
                    x_row: lists.cols,
                    range: at..range.end,
                    starts: lists.row_starts.get().add(panel * rows + i + 1),
                    index_of: lists.column_of.get(),
                    values: lists.by_row.get(),
                });
                let block = Block { width: count, k: columns.len(), from: x, step_w: lists.cols, step_p: 1 };
                K::pack_panel(&block, turned.add(i), pitch);
            }
            K::list(&Listing {
                size: [columns.len(), rows],
                x: turned,
                x_row: pitch,
                range,
                starts: lists.col_starts.get().add(columns.start + 1),
                index_of: lists.row_of.get(),
                values: lists.values.get(),
            })
        }
    })
}

/// Elements that fill a cache line.
const LINE_ELEMENTS: usize = 16;

/// Rows that are listed, and turned, while they are in the L1 cache.
const ROWS: usize = 16;
