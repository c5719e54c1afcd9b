//! Softmax and its relatives along the rows of a row-major matrix.
//!
//! Each subtracts the row's maximum first, so that nothing overflows. Rows are taken in tiles that stay in the
//! first-level cache: the exponentials of a whole tile are one long loop, however short its rows are. A row is summed
//! by the rule of [`sum`](super::sum), so that its bits depend on neither the instruction set nor its neighbours.

use super::in_place;
use super::isa::{vectorize, vectorize_wide};
use super::rows::put;
use super::sum::{LANES, Lanes, pairwise, sum_inline};
use crate::element::Element;
use crate::matrix::Accum;
use crate::matrix::size::product;

/// Elements worked on at a time; whole tiles make up a run.
const TILE: usize = 512;
/// Most rows in a tile.
const ROWS: usize = 64;

/// Folds interleaved parts of `x` separately, then pairwise, then with what is left over: for maxima.
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

/// What to subtract from a row before exponentials are taken: its maximum, or 0 if that is infinite.
///
/// A NaN is passed over here; it comes out of the sum of exponentials.
#[inline(always)]
fn shift<T: Element>(x: &[T]) -> T {
    let max = fold(x, T::from_f64(f64::NEG_INFINITY), |max, x| if x > max { x } else { max });
    if max.to_f64().is_finite() { max } else { T::ZERO }
}

/// Elements in a tile of whole rows; at least one row.
fn tile_of_rows(cols: usize) -> usize {
    (TILE / cols).clamp(1, ROWS) * cols
}

vectorize! {
    /// What to subtract from each row.
    fn shifts_of [T: Element] (x: &[T], cols: usize, shifts: &mut [T]) {
        for (x, shift_of_row) in x.chunks_exact(cols).zip(shifts) {
            *shift_of_row = shift(x);
        }
    }
}

vectorize! {
    /// `x = x − shift` along each row.
    fn subtract [T: Element] (x: &mut [T], cols: usize, shifts: &[T]) {
        for (x, &shift) in x.chunks_exact_mut(cols).zip(shifts) {
            for x in x {
                *x = *x - shift;
            }
        }
    }
}

vectorize! {
    /// `Σ x` of each row.
    fn sums_of [T: Element] (x: &[T], cols: usize, sums: &mut [T]) {
        for (x, sum) in x.chunks_exact(cols).zip(sums) {
            *sum = sum_inline([x], |[x]: [T; 1]| x);
        }
    }
}

vectorize! {
    /// `x = x · factor` along each row.
    fn multiply [T: Element] (x: &mut [T], cols: usize, factors: &[T]) {
        for (x, &factor) in x.chunks_exact_mut(cols).zip(factors) {
            for x in x {
                *x = *x * factor;
            }
        }
    }
}

/// `x = e^(x − shift)` along each row of a tile, and its sum.
fn exps<T: Element>(x: &mut [T], cols: usize, shifts: &mut [T; ROWS], sums: &mut [T; ROWS]) {
    shifts_of(x, cols, shifts);
    subtract(x, cols, shifts);
    in_place::exp(x);
    sums_of(x, cols, sums);
}

/// `y = e^y / Σ e^y` along each row of a tile, where `of_zero` stands for 1 / 0: in a row of −∞ alone.
fn softmax_of_tile<T: Element>(y: &mut [T], cols: usize, of_zero: T) {
    let (mut shifts, mut sums) = ([T::ZERO; ROWS], [T::ZERO; ROWS]);
    exps(y, cols, &mut shifts, &mut sums);
    for sum in &mut sums[..y.len() / cols] {
        *sum = if *sum == T::ZERO { of_zero } else { T::ONE / *sum };
    }
    multiply(y, cols, &sums);
}

/// `y = e^x / Σ e^x` along each row of `cols` elements.
///
/// A row of −∞ alone, or with a +∞ in it, has no softmax: it comes out with NaN.
///
/// # Panics
/// If `x` and `y` differ in length or are not whole rows.
pub fn softmax<T: Element>(x: &[T], cols: usize, y: &mut [T]) {
    check_rows(x.len(), cols, y.len());
    if cols == 0 {
        return;
    }
    let tile = tile_of_rows(cols);
    for (x, y) in x.chunks(tile).zip(y.chunks_mut(tile)) {
        y.copy_from_slice(x);
        softmax_of_tile(y, cols, T::from_f64(f64::INFINITY));
    }
}

/// `y = e^y / Σ e^y` along each row of `cols` elements, and 0 in a row of −∞ alone, which has nothing to choose from.
pub(crate) fn softmax_in_place<T: Element>(y: &mut [T], cols: usize) {
    if cols == 0 {
        return;
    }
    for y in y.chunks_mut(tile_of_rows(cols)) {
        softmax_of_tile(y, cols, T::ZERO);
    }
}

/// Calls `each(row, shift, ln Σ e^(x − shift))` for every row; x − ln Σ e^x is then (x − shift) − the logarithm.
/// `each` is called through a pointer, so that this is compiled once: a call a row costs little.
pub fn for_each_log_sum<T: Element>(x: &[T], cols: usize, each: &mut dyn FnMut(usize, T, T)) {
    if cols == 0 {
        return;
    }
    let mut tile = [T::ZERO; TILE];
    let (mut shifts, mut sums) = ([T::ZERO; ROWS], [T::ZERO; ROWS]);
    let mut row = 0;
    for x in x.chunks(tile_of_rows(cols)) {
        let rows = x.len() / cols;
        if cols <= TILE {
            let tile = &mut tile[..x.len()];
            tile.copy_from_slice(x);
            exps(tile, cols, &mut shifts, &mut sums);
        } else {
            shifts_of(x, cols, &mut shifts);
            sums[0] = long_sum(x, shifts[0], &mut tile);
        }
        in_place::ln(&mut sums[..rows]);
        for (&shift, &log) in shifts[..rows].iter().zip(&sums) {
            each(row, shift, log);
            row += 1;
        }
    }
}

/// `Σ e^(x − shift)` of a row that is longer than a tile.
fn long_sum<T: Element>(x: &[T], shift: T, tile: &mut [T; TILE]) -> T {
    pairwise(x.len(), |from, len| {
        let mut lanes = Lanes::new();
        for x in x[from..from + len].chunks(TILE) {
            let exps = &mut tile[..x.len()];
            exps.copy_from_slice(x);
            subtract(exps, x.len(), &[shift]);
            in_place::exp(exps);
            lanes.add(exps, |[x]: [T; 1]| x);
        }
        lanes.total()
    })
}

/// `y = x − ln Σ e^x` along each row of `cols` elements.
///
/// # Panics
/// If `x` and `y` differ in length or are not whole rows.
pub fn log_softmax<T: Element>(x: &[T], cols: usize, y: &mut [T]) {
    check_rows(x.len(), cols, y.len());
    for_each_log_sum(x, cols, &mut |row, shift, log| {
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
    for_each_log_sum(x, cols, &mut |row, shift, log| y[row] = shift + log);
}

/// Rows of two inputs and an output.
#[inline(always)]
fn rows<'a, T>(
    a: &'a [T],
    b: &'a [T],
    cols: usize,
    y: &'a mut [T],
) -> impl Iterator<Item = (&'a [T], &'a [T], &'a mut [T])> {
    assert!(a.len() == b.len() && a.len() == y.len(), "inputs and output are of one size");
    let cols = cols.max(1);
    a.chunks_exact(cols).zip(b.chunks_exact(cols)).zip(y.chunks_exact_mut(cols)).map(|((a, b), y)| (a, b, y))
}

vectorize! {
    /// `gx (=, +=) y (gy − Σ y gy)` along each row of `cols` elements, of y, gy and gx.
    ///
    /// In the forward pass [`softmax`] was y = e^x / Σ e^x, so dyᵢ = yᵢ (dxᵢ − Σⱼ yⱼ dxⱼ).
    ///
    /// # Panics
    /// Here and below: if the slices differ in length.
    pub(crate) fn softmax_vjp [T: Element] (y: &[T], gy: &[T], cols: usize, gx: &mut [T], accum: Accum) {
        for (y, gy, gx) in rows(y, gy, cols, gx) {
            let mean = sum_inline([y, gy], |[y, gy]: [T; 2]| y * gy);
            put(gx, y.iter().zip(gy).map(|(&y, &gy)| y * (gy - mean)), accum);
        }
    }
}

vectorize_wide! {
    /// `gx (=, +=) gy − e^y Σ gy` along each row of `cols` elements, of y, gy and gx.
    ///
    /// In the forward pass [`log_softmax`] was y = x − ln Σ e^x, so dyᵢ = dxᵢ − Σⱼ e^yⱼ dxⱼ.
    pub(crate) fn log_softmax_vjp [T: Element] (y: &[T], gy: &[T], cols: usize, gx: &mut [T], accum: Accum) {
        for (y, gy, gx) in rows(y, gy, cols, gx) {
            let total = sum_inline([gy], |[gy]: [T; 1]| gy);
            put(gx, y.iter().zip(gy).map(|(&y, &gy)| gy - y.exp() * total), accum);
        }
    }
}

vectorize_wide! {
    /// `gx (=, +=) gy e^(x − y)`, with x and gx [rows, cols], and y and gy \[rows\]. A row of −∞ alone gets 0.
    ///
    /// In the forward pass [`log_sum_exp`] was y = ln Σ e^x, so dy = Σ e^(x − y) dx.
    pub(crate) fn log_sum_exp_vjp [T: Element] (x: &[T], y: &[T], gy: &[T], gx: &mut [T], accum: Accum) {
        assert!(x.len() == gx.len() && y.len() == gy.len(), "inputs and output are of one size");
        if y.is_empty() || x.is_empty() {
            return;
        }
        let cols = x.len() / y.len();
        let rows = x.chunks_exact(cols).zip(gx.chunks_exact_mut(cols));
        for ((x, gx), (&y, &gy)) in rows.zip(y.iter().zip(gy)) {
            let y = if y == T::from_f64(f64::NEG_INFINITY) { T::ZERO } else { y };
            put(gx, x.iter().map(|&x| gy * (x - y).exp()), accum);
        }
    }
}

fn check_rows(x: usize, cols: usize, y: usize) {
    assert_eq!(x, y, "input and output are of one size");
    assert!(x.is_multiple_of(cols), "{x} elements are not rows of {cols}");
}
