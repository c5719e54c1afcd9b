//! Finding where a matrix is not zero, and going from all of its elements to the entries and back.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::isa::vectorize;
use super::micro::prefetch;
use super::pack::with_scratch;
use super::threads::{Shared, parallel, share, threads};
use crate::element::{Accum, Element};
use crate::sparsity::{Sparse, Support};

/// Elements that a thread must find to be worth waking.
const PART: usize = 1 << 17;

/// The most parts that a support is found in.
const MOST_PARTS: usize = 64;

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
    fn count_nonzero [T: Element] (x: &[T]) -> usize {
        x.chunks(1 << 12).map(|x| x.iter().map(|&x| u32::from(x != T::ZERO)).sum::<u32>() as usize).sum()
    }
}

/// The widest panel: with it, a panel of columns of the dense operand just fits a small L2 cache.
const WIDEST: usize = 1024;

/// The columns of a panel: so many that a row has some 16 entries in it, which is worth a visit of its sums.
fn panel_width(density: f64) -> usize {
    // No density is NaN, and counts as 0.
    ((16.0 / density.max(0.01)) as usize).next_power_of_two().clamp(64, WIDEST)
}

/// Finds the entries of a row-major matrix of `cols` columns, and packs their values. Both places are reused.
///
/// # Panics
/// If the matrix has 2³² elements or more.
pub fn find<T: Element>(x: &[T], cols: usize, support: &mut Support, values: &mut Vec<T>) {
    let rows = x.len() / cols.max(1);
    let width = panel_width(estimate_density(x, cols));
    let size = rows * cols;
    assert!(u32::try_from(size).is_ok(), "a support of {rows} x {cols} elements is too large");
    (support.rows, support.cols, support.width) = (rows, cols, width);
    let panels = support.panels();

    // Room for a matrix without zeros: memory that is never touched costs nothing.
    let Support { col_starts, row_of, row_starts, column_of, entry_of, .. } = support;
    values.clear();
    values.reserve(size);
    for (list, len) in
        [(&mut *col_starts, cols + 1), (row_starts, panels * rows + 1), (row_of, size), (entry_of, size)]
    {
        list.clear();
        list.reserve(len);
    }
    column_of.clear();
    column_of.reserve(size);
    col_starts.push(0);
    row_starts.push(0);
    let lists = Lists {
        col_starts: Shared(col_starts.as_mut_ptr()),
        row_of: Shared(row_of.as_mut_ptr()),
        row_starts: Shared(row_starts.as_mut_ptr()),
        column_of: Shared(column_of.as_mut_ptr()),
        entry_of: Shared(entry_of.as_mut_ptr()),
        values: Shared(values.as_mut_ptr()),
    };

    // A part begins where the entries of the parts before it end.
    let parts = threads().min(size / PART).min(panels).clamp(1, MOST_PARTS);
    let columns_of = |panels: Range<usize>| (panels.start * width).min(cols)..(panels.end * width).min(cols);
    let counts = [const { AtomicUsize::new(0) }; MOST_PARTS];
    parallel(parts - 1, &|part| {
        let columns = columns_of(share(panels, part, parts));
        let count = (0..rows).map(|i| count_nonzero(&x[i * cols..][columns.clone()])).sum();
        counts[part].store(count, Ordering::Relaxed);
    });
    let count = |parts: Range<usize>| counts[parts].iter().map(|n| n.load(Ordering::Relaxed)).sum::<usize>();
    parallel(parts, &|part| {
        let mut entry = count(0..part);
        let panels = share(panels, part, parts);
        let room = rows * width.min(cols);
        // The places stand after the values, and are no larger.
        const { assert!(size_of::<T>() >= size_of::<u16>()) };
        with_scratch(2 * room + OVERSHOOT, |buffer: *mut T| {
            for panel in panels {
                let columns = columns_of(panel..panel + 1);
                // SAFETY: the buffer has room for a panel without zeros twice, the lists for all panels; each part
                // writes what belongs to its own panels.
                unsafe {
                    let listed = Listed { values: buffer, places: buffer.add(room).cast() };
                    list_rows(
                        x,
                        cols,
                        columns.clone(),
                        entry,
                        listed,
                        lists.row_starts.get().add(panel * rows),
                    );
                    entry = lists.fill(rows, panel, columns, entry, listed);
                }
            }
        });
        if part + 1 == parts {
            counts[MOST_PARTS - 1].store(entry, Ordering::Relaxed);
        }
    });
    let entries = counts[MOST_PARTS - 1].load(Ordering::Relaxed);
    // SAFETY: so many elements have been written by now.
    unsafe {
        col_starts.set_len(cols + 1);
        row_starts.set_len(panels * rows + 1);
        row_of.set_len(entries);
        column_of.set_len(entries);
        entry_of.set_len(entries);
        values.set_len(entries);
    }
}

/// The entries of a panel row by row: values, and columns counted from the panel's first.
struct Listed<T> {
    values: *mut T,
    places: *mut u16,
}

impl<T> Clone for Listed<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Listed<T> {}

/// How many rows ahead `list_rows` asks for.
const PREFETCH_ROWS: usize = 2;

/// What `list_rows` may write after the last place.
const OVERSHOOT: usize = 64;

vectorize! {
    /// Lists a panel's entries by row, `starts[i + 1]` the number of entries before row i + 1, with `before` of them in the
    /// panels before.
    fn list_rows [T: Element] (
        x: &[T], cols: usize, panel: Range<usize>, before: usize, to: Listed<T>, starts: *mut u32,
    ) {
        let mut n = 0;
        for (i, row) in x.chunks_exact(cols.max(1)).enumerate() {
            let row = &row[panel.clone()];
            // The next rows are too far apart for the processor to guess.
            for at in (0..row.len()).step_by((64 / size_of::<T>()).max(1)) {
                prefetch(row.as_ptr().wrapping_add(PREFETCH_ROWS * cols + at));
            }
            let first = n;
            let (blocks, rest) = row.as_chunks::<64>();
            // SAFETY: the caller has room for the places of all elements and OVERSHOOT more, for their values, and for
            // a start after each row; places have been written when they are read, and stand within the row.
            unsafe {
                for (b, block) in blocks.iter().enumerate() {
                    n += list(mask(block), b * 64, to.places.add(n));
                }
                for (l, &x) in rest.iter().enumerate() {
                    *to.places.add(n) = (blocks.len() * 64 + l) as u16;
                    n += usize::from(x != T::ZERO);
                }
                for at in first..n {
                    *to.values.add(at) = *row.get_unchecked(*to.places.add(at) as usize);
                }
                *starts.add(i + 1) = (before + n) as u32;
            }
        }
    }
}

/// Bit l says whether element l is not zero.
#[inline(always)]
fn mask<T: Element>(block: &[T; 64]) -> u64 {
    let bytes: [u8; 64] = std::array::from_fn(|l| u8::from(block[l] != T::ZERO));
    let (eights, _) = bytes.as_chunks::<8>();
    // The product brings bit 8 l to bit 56 + l.
    let bits = |&bytes: &[u8; 8]| u64::from_le_bytes(bytes).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    eights.iter().enumerate().map(|(i, eight)| bits(eight) << (8 * i)).fold(0, |mask, bits| mask | bits)
}

/// Lists the bits of a mask, counted from `base`; returns how many there are. Four are listed whether they are there or
/// not: to guess how few there are would take longer.
#[inline(always)]
unsafe fn list(mut mask: u64, base: usize, to: *mut u16) -> usize {
    let count = mask.count_ones() as usize;
    let mut next = || {
        // The last bit spares a test for a mask of zeros.
        let bit = (mask | 1 << 63).trailing_zeros() as usize;
        mask &= mask.wrapping_sub(1);
        (base + bit) as u16
    };
    // SAFETY: the caller has room for the places, and for OVERSHOOT more.
    unsafe {
        for l in 0..4 {
            *to.add(l) = next();
        }
        if count > 4 {
            for l in 4..8 {
                *to.add(l) = next();
            }
            for l in 8..count {
                *to.add(l) = next();
            }
        }
    }
    count
}

/// The lists of a support and its values, as far as they are allocated.
struct Lists<T> {
    col_starts: Shared<u32>,
    row_of: Shared<u32>,
    row_starts: Shared<u32>,
    column_of: Shared<u16>,
    entry_of: Shared<u32>,
    values: Shared<T>,
}

impl<T: Element> Lists<T> {
    /// Numbers a panel's entries, the first of which is number `first`, by column; returns the number after the last.
    unsafe fn fill(
        &self,
        rows: usize,
        panel: usize,
        columns: Range<usize>,
        first: usize,
        listed: Listed<T>,
    ) -> usize {
        // SAFETY: the caller has room for the panel's entries, columns and rows; those of the rows are listed, so that
        // starts and places have been written.
        unsafe {
            let starts = self.row_starts.get().add(panel * rows);
            let end = if rows == 0 { first } else { *starts.add(rows) as usize };
            let mut next = [0u32; WIDEST];
            for at in 0..end - first {
                *next.get_unchecked_mut(*listed.places.add(at) as usize) += 1;
            }
            let mut entry = first as u32;
            for (j, next) in columns.zip(&mut next) {
                (*next, entry) = (entry, entry + *next);
                *self.col_starts.get().add(j + 1) = entry;
            }
            let mut at = first;
            for i in 0..rows {
                let end = *starts.add(i + 1) as usize;
                while at < end {
                    let place = *listed.places.add(at - first);
                    let next = next.get_unchecked_mut(place as usize);
                    let entry = *next as usize;
                    *next += 1;
                    *self.row_of.get().add(entry) = i as u32;
                    *self.values.get().add(entry) = *listed.values.add(at - first);
                    *self.column_of.get().add(at) = place;
                    *self.entry_of.get().add(at) = entry as u32;
                    at += 1;
                }
            }
            end
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
    let Support { rows, cols, width, .. } = *support;
    let (x, values) = (&x[..rows * cols], Shared(values[..support.entries()].as_mut_ptr()));
    let panels = support.panels();
    let parts = parts(support.entries(), panels);
    parallel(parts, &|part| {
        for panel in share(panels, part, parts) {
            for i in 0..rows {
                for at in support.row_in(panel, i) {
                    let x = x[i * cols + panel * width + support.column_of[at] as usize];
                    // SAFETY: an entry has a value, and belongs to one panel.
                    let value = unsafe { &mut *values.get().add(support.entry_of[at] as usize) };
                    match accum {
                        Accum::Replace => *value = x,
                        Accum::Add => *value += x,
                    }
                }
            }
        }
    });
}

/// `x (=, +=) a`; replacing writes zeros where there is no entry.
///
/// # Panics
/// If `x` is shorter than the matrix, or the values than the entries.
pub fn scatter<T: Element>(a: Sparse<T>, x: &mut [T], accum: Accum) {
    let Support { rows, cols, width, .. } = *a.support;
    let values = &a.values[..a.support.entries()];
    let parts = parts(if accum == Accum::Replace { rows * cols } else { values.len() }, rows);
    let x = Shared(x[..rows * cols].as_mut_ptr());
    parallel(parts, &|part| {
        for i in share(rows, part, parts) {
            // SAFETY: a row has `cols` elements, and belongs to one part.
            let row = unsafe { std::slice::from_raw_parts_mut(x.get().add(i * cols), cols) };
            if accum == Accum::Replace {
                row.fill(T::ZERO);
            }
            for panel in 0..a.support.panels() {
                for at in a.support.row_in(panel, i) {
                    row[panel * width + a.support.column_of[at] as usize] +=
                        values[a.support.entry_of[at] as usize];
                }
            }
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
