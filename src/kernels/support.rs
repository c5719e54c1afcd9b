//! Finding where a matrix is not zero, and going from all of its elements to the entries and back.

use crate::element::{Accum, Element};
use crate::sparsity::{Sparse, Support};

/// The share of elements that are not zero, from a sample of the rows: one of 16, at least 8, evenly spread.
pub fn estimate_density<T: Element>(x: &[T], cols: usize) -> f64 {
    let rows = x.len() / cols.max(1);
    let step = (rows / 8).clamp(1, 16);
    let sample = x.chunks_exact(cols.max(1)).step_by(step);
    let (mut count, mut all) = (0, 0);
    for row in sample {
        count += row.iter().filter(|&&x| x != T::ZERO).count();
        all += cols;
    }
    count as f64 / all as f64
}

/// Finds the entries of a row-major matrix of `cols` columns, and packs their values. Both places are reused.
pub fn find<T: Element>(x: &[T], cols: usize, support: &mut Support, values: &mut Vec<T>) {
    let rows = x.len() / cols.max(1);
    let width = 64;
    *support = Support { rows, cols, width, ..Support::default() };
    values.clear();
    support.col_starts.push(0);
    for j in 0..cols {
        for i in 0..rows {
            if x[i * cols + j] != T::ZERO {
                support.row_of.push(i as u32);
                values.push(x[i * cols + j]);
            }
        }
        support.col_starts.push(values.len() as u32);
    }
    support.row_starts.push(0);
    for panel in (0..cols).step_by(width) {
        let mut next = support.col_starts.clone();
        for i in 0..rows {
            for j in panel..cols.min(panel + width) {
                if x[i * cols + j] != T::ZERO {
                    support.column_of.push(j as u32);
                    support.entry_of.push(next[j]);
                    next[j] += 1;
                }
            }
            support.row_starts.push(support.column_of.len() as u32);
        }
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
