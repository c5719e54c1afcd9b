//! Softmax and its relatives along the rows of a row-major matrix.
//!
//! Each subtracts the row's maximum first, so that nothing overflows. Rows are taken in tiles that stay in the
//! first-level cache: the exponentials of a whole tile are one long loop, however short its rows are. A row is summed
//! in a fixed order, so that its bits depend on neither the instruction set nor its neighbours.

use super::isa::vectorize;
use crate::element::Element;
use crate::matrix::size::product;

/// Partial sums, or maxima, carried side by side: part of the result's definition.
pub(super) const LANES: usize = 32;
/// Elements worked on at a time, a multiple of [`LANES`]; a longer row is summed by the tile.
const TILE: usize = 512;
/// Most rows in a tile.
const ROWS: usize = 64;

/// Folds 32 interleaved parts of `x` separately, then pairwise, then with what is left over.
#[inline(always)]
pub(super) fn fold<T: Element>(x: &[T], start: T, f: impl Fn(T, T) -> T) -> T {
    let (whole, rest) = x.as_chunks::<LANES>();
    let mut total = start;
    if !whole.is_empty() {
        let mut lanes = [start; LANES];
        for x in whole {
            for lane in 0..LANES {
                lanes[lane] = f(lanes[lane], x[lane]);
            }
        }
        let mut width = LANES / 2;
        while width > 0 {
            for lane in 0..width {
                lanes[lane] = f(lanes[lane], lanes[lane + width]);
            }
            width /= 2;
        }
        total = lanes[0];
    }
    rest.iter().fold(total, |total, &x| f(total, x))
}

/// Σ xᵢ, by the tile.
#[inline(always)]
fn sum<T: Element>(x: &[T]) -> T {
    let mut total = T::ZERO;
    for x in x.chunks(TILE) {
        total += fold(x, T::ZERO, |a, b| a + b);
    }
    total
}

/// What to subtract from a row before exponentials are taken: its maximum, or 0 if that is infinite.
///
/// A NaN is passed over here; it comes out of the sum of exponentials.
#[inline(always)]
fn shift<T: Element>(x: &[T]) -> T {
    let max = fold(x, T::from_f64(f64::NEG_INFINITY), |max, x| if x > max { x } else { max });
    if max.to_f64().is_finite() { max } else { T::ZERO }
}

#[inline(always)]
fn subtract<T: Element>(x: &[T], shift: T, y: &mut [T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = x - shift;
    }
}

#[inline(always)]
fn exp_in_place<T: Element>(x: &mut [T]) {
    for x in x {
        *x = x.exp();
    }
}

/// Elements in a tile of whole rows; at least one row.
#[inline(always)]
fn tile_of_rows(cols: usize) -> usize {
    (TILE / cols).clamp(1, ROWS) * cols
}

vectorize! {
    /// `y = e^x / Σ e^x` along each row of `cols` elements.
    ///
    /// A row of −∞ alone, or with a +∞ in it, has no softmax: it comes out with NaN.
    ///
    /// # Panics
    /// If `x` and `y` differ in length or are not whole rows.
    pub fn softmax [T: Element] (x: &[T], cols: usize, y: &mut [T]) {
        check_rows(x.len(), cols, y.len());
        if cols == 0 {
            return;
        }
        let tile = tile_of_rows(cols);
        for (x, y) in x.chunks(tile).zip(y.chunks_mut(tile)) {
            for (x, y) in x.chunks_exact(cols).zip(y.chunks_exact_mut(cols)) {
                subtract(x, shift(x), y);
            }
            exp_in_place(y);
            for y in y.chunks_exact_mut(cols) {
                let scale = T::ONE / sum(y);
                for y in y {
                    *y = *y * scale;
                }
            }
        }
    }
}

vectorize! {
    /// Calls `each(row, shift, ln Σ e^(x − shift))` for every row; x − ln Σ e^x is then (x − shift) − the logarithm.
    pub fn for_each_log_sum [T: Element, F: FnMut(usize, T, T)] (x: &[T], cols: usize, each: F) {
        let mut each = each;
        if cols == 0 {
            return;
        }
        let mut exps = [T::ZERO; TILE];
        let (mut shifts, mut sums) = ([T::ZERO; ROWS], [T::ZERO; ROWS]);
        let tile = tile_of_rows(cols);
        let mut row = 0;
        for x in x.chunks(tile) {
            let rows = x.len() / cols;
            for (x, shift_of_row) in x.chunks_exact(cols).zip(&mut shifts) {
                *shift_of_row = shift(x);
            }
            if cols <= TILE {
                for ((x, exps), &shift) in x.chunks_exact(cols).zip(exps.chunks_exact_mut(cols)).zip(&shifts) {
                    subtract(x, shift, exps);
                }
                exp_in_place(&mut exps[..x.len()]);
                for (exps, sum_of_row) in exps[..x.len()].chunks_exact(cols).zip(&mut sums) {
                    *sum_of_row = sum(exps);
                }
            } else {
                sums[0] = T::ZERO;
                for x in x.chunks(TILE) {
                    let exps = &mut exps[..x.len()];
                    subtract(x, shifts[0], exps);
                    exp_in_place(exps);
                    sums[0] += sum(exps);
                }
            }
            for sum in &mut sums[..rows] {
                *sum = sum.ln();
            }
            for (&shift, &log) in shifts[..rows].iter().zip(&sums) {
                each(row, shift, log);
                row += 1;
            }
        }
    }
}

/// `y = x − ln Σ e^x` along each row of `cols` elements.
///
/// # Panics
/// If `x` and `y` differ in length or are not whole rows.
pub fn log_softmax<T: Element>(x: &[T], cols: usize, y: &mut [T]) {
    check_rows(x.len(), cols, y.len());
    for_each_log_sum(x, cols, |row, shift, log| {
        let row = row * cols..(row + 1) * cols;
        // Not x − (shift + log), which would round a large sum.
        for (y, &x) in y[row.clone()].iter_mut().zip(&x[row]) {
            *y = (x - shift) - log;
        }
    });
}

/// `y = ln Σ e^x` of each row of `cols` elements; −∞ for an empty row.
///
/// # Panics
/// If `x` does not consist of `y.len()` rows.
pub fn log_sum_exp<T: Element>(x: &[T], cols: usize, y: &mut [T]) {
    assert_eq!(x.len(), product(&[y.len(), cols]), "one sum a row");
    if cols == 0 {
        y.fill(T::from_f64(f64::NEG_INFINITY));
    }
    for_each_log_sum(x, cols, |row, shift, log| y[row] = shift + log);
}

fn check_rows(x: usize, cols: usize, y: usize) {
    assert_eq!(x, y, "input and output are of one size");
    assert!(x.is_multiple_of(cols), "{x} elements are not rows of {cols}");
}
