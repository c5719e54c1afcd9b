//! Finding where a matrix is not zero, and going from all of its elements to the entries and back.

use super::isa::vectorize;
use crate::element::{Accum, Element};
use crate::sparsity::{Sparse, Support};

/// Elements that are passed over together if all are zero.
const BLOCK: usize = 16;

vectorize! {
    /// How many elements are not zero.
    fn count [T: Element] (x: &[T]) -> usize {
        x.chunks(1 << 7).map(|x| usize::from(x.iter().map(|&x| u8::from(x != T::ZERO)).sum::<u8>())).sum()
    }
}

vectorize! {
    /// The places of the elements that are not zero, from `first` on, into `places`. Says how many there are.
    fn compress [T: Element] (x: &[T], first: u32, places: &mut [u32]) -> usize {
        let places = &mut places[..x.len()];
        let mut n = 0;
        for (block, x) in x.chunks(BLOCK).enumerate() {
            if x.iter().fold(false, |any, &x| any | (x != T::ZERO)) {
                let first = first + (block * BLOCK) as u32;
                for (l, &x) in x.iter().enumerate() {
                    places[n] = first + l as u32;
                    n += usize::from(x != T::ZERO);
                }
            }
        }
        n
    }
}

/// The share of elements that are not zero, from a sample of the rows: one of 16, at least 8, evenly spread.
pub fn estimate_density<T: Element>(x: &[T], cols: usize) -> f64 {
    let rows = x.len() / cols.max(1);
    let step = (rows / 8).clamp(1, 16);
    let sample = x.chunks_exact(cols.max(1)).step_by(step);
    let all = sample.len() * cols;
    sample.map(count).sum::<usize>() as f64 / all as f64
}

/// The width of panels in which a row has some 16 entries: what a kernel loads and stores for a row of a panel is then
/// little beside the entries, and a panel's rows of another operand fit a cache.
fn panel_width(density: f64, cols: usize) -> usize {
    let width = if density > 0.0 { (16.0 / density) as usize } else { usize::MAX };
    width.clamp(64, 1024).next_power_of_two().min(cols.max(1))
}

/// Finds the entries of a row-major matrix of `cols` columns, and packs their values. Both places are reused.
pub fn find<T: Element>(x: &[T], cols: usize, support: &mut Support, values: &mut Vec<T>) {
    let rows = x.len() / cols.max(1);
    let width = panel_width(estimate_density(x, cols), cols);
    let panels = cols.div_ceil(width);
    *support = Support { rows, cols, width, ..std::mem::take(support) };
    let Support { col_starts, row_of, row_starts, column_of, entry_of, .. } = support;
    col_starts.resize(cols + 1, 0);
    row_starts.resize(panels * rows + 1, 0);
    let mut found = 0;
    for panel in 0..panels {
        let first = panel * width;
        let last = cols.min(first + width);
        let starts = &mut col_starts[first..=last];
        starts.fill(0);
        let begin = found;
        for i in 0..rows {
            row_starts[panel * rows + i] = found as u32;
            let room = found + last - first;
            grow(column_of, room);
            let here = compress(&x[i * cols + first..i * cols + last], first as u32, &mut column_of[found..]);
            for &column in &column_of[found..found + here] {
                starts[column as usize - first] += 1;
            }
            found += here;
        }
        let mut next = begin as u32;
        for start in starts.iter_mut() {
            next += std::mem::replace(start, next);
        }
        grow(row_of, found);
        grow(entry_of, found);
        if values.len() < found {
            values.resize(found.max(2 * values.len()), T::ZERO);
        }
        for i in 0..rows {
            let here = row_starts[panel * rows + i] as usize;
            let end = if i + 1 < rows { row_starts[panel * rows + i + 1] as usize } else { found };
            for place in here..end {
                let column = column_of[place] as usize;
                let entry = starts[column - first];
                starts[column - first] += 1;
                entry_of[place] = entry;
                row_of[entry as usize] = i as u32;
                values[entry as usize] = x[i * cols + column];
            }
        }
        // Each start has moved on to the next column's.
        starts.copy_within(..last - first, 1);
        starts[0] = begin as u32;
    }
    row_starts[panels * rows] = found as u32;
    col_starts[cols] = found as u32;
    column_of.truncate(found);
    entry_of.truncate(found);
    row_of.truncate(found);
    values.truncate(found);
}

/// Makes a list at least this long.
fn grow(list: &mut Vec<u32>, len: usize) {
    if list.len() < len {
        list.resize(len.max(2 * list.len()), 0);
    }
}

/// `values (=, +=) x` at the entries.
pub fn gather<T: Element>(x: &[T], support: &Support, values: &mut [T], accum: Accum) {
    for j in 0..support.cols {
        for entry in support.column(j) {
            let x = x[support.row_of[entry] as usize * support.cols + j];
            match accum {
                Accum::Replace => values[entry] = x,
                Accum::Add => values[entry] += x,
            }
        }
    }
}

/// `x (=, +=) a`; replacing writes zeros where there is no entry.
pub fn scatter<T: Element>(a: Sparse<T>, x: &mut [T], accum: Accum) {
    let Support { cols, .. } = *a.support;
    if accum == Accum::Replace {
        x.fill(T::ZERO);
    }
    for j in 0..cols {
        for entry in a.support.column(j) {
            x[a.support.row_of[entry] as usize * cols + j] += a.values[entry];
        }
    }
}

/// `sums (=, +=)` the sum of each column.
pub fn sum_columns<T: Element>(a: Sparse<T>, sums: &mut [T], accum: Accum) {
    for (j, sum) in sums.iter_mut().enumerate() {
        let total = crate::kernels::sum(&a.values[a.support.column(j)]);
        *sum = if accum == Accum::Add { *sum + total } else { total };
    }
}
