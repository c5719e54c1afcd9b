//! Statistics of the rows of a row-major matrix, and the pull-backs of softmax and its relatives.

use super::isa::vectorize;
use super::softmax::{LANES, fold};
use crate::element::Element;
use crate::matrix::Accum;
use crate::matrix::size::product;

/// `y (=, +=) x`, one number after the other.
#[inline(always)]
pub fn put<'y, T: Element>(
    y: impl IntoIterator<Item = &'y mut T>,
    x: impl IntoIterator<Item = T>,
    accum: Accum,
) {
    let pairs = y.into_iter().zip(x);
    match accum {
        Accum::Replace => pairs.for_each(|(y, x)| *y = x),
        Accum::Add => pairs.for_each(|(y, x)| *y += x),
    }
}

/// Σ f(x…), in 32 interleaved parts.
#[inline(always)]
fn sum_map<T: Element, const N: usize>(x: [&[T]; N], f: impl Fn([T; N]) -> T) -> T {
    let len = x[0].len();
    let whole = len - len % LANES;
    let mut total = T::ZERO;
    if whole > 0 {
        let mut lanes = [T::ZERO; LANES];
        for start in (0..whole).step_by(LANES) {
            let x = x.map(|x| &x[start..start + LANES]);
            for lane in 0..LANES {
                lanes[lane] += f(x.map(|x| x[lane]));
            }
        }
        total = fold(&lanes, T::ZERO, |a, b| a + b);
    }
    for i in whole..len {
        total += f(x.map(|x| x[i]));
    }
    total
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
    /// `gx (=, +=) y (gy − Σ y gy)` along each row: back through y = softmax(x).
    ///
    /// # Panics
    /// Here and below: if the slices differ in length.
    pub fn softmax_vjp [T: Element] (y: &[T], gy: &[T], cols: usize, gx: &mut [T], accum: Accum) {
        for (y, gy, gx) in rows(y, gy, cols, gx) {
            let mean = sum_map([y, gy], |[y, gy]| y * gy);
            put(gx, y.iter().zip(gy).map(|(&y, &gy)| y * (gy - mean)), accum);
        }
    }
}

vectorize! {
    /// `gx (=, +=) gy − e^y Σ gy` along each row: back through y = log softmax(x).
    pub fn log_softmax_vjp [T: Element] (y: &[T], gy: &[T], cols: usize, gx: &mut [T], accum: Accum) {
        for (y, gy, gx) in rows(y, gy, cols, gx) {
            let total = sum_map([gy], |[gy]| gy);
            put(gx, y.iter().zip(gy).map(|(&y, &gy)| gy - y.exp() * total), accum);
        }
    }
}

vectorize! {
    /// `gx (=, +=) gy e^(x − y)`, with one y and gy a row: back through y = ln Σ e^x. A row of −∞ alone gets 0.
    pub fn log_sum_exp_vjp [T: Element] (x: &[T], y: &[T], gy: &[T], gx: &mut [T], accum: Accum) {
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

vectorize! {
    /// `y = Σ (x − mean)² / divisor` of each row: in two passes, since the difference of two large sums would cancel.
    pub fn variance [T: Element] (x: &[T], divisor: T, y: &mut [T]) {
        if y.is_empty() {
            return;
        }
        let cols = x.len() / y.len();
        let count = T::from_f64(cols as f64);
        for (x, y) in x.chunks_exact(cols).zip(y) {
            let mean = sum_map([x], |[x]| x) / count;
            *y = sum_map([x], |[x]| (x - mean) * (x - mean)) / divisor;
        }
    }
}

vectorize! {
    /// `gx (=, +=) slope(row) (x − mean)` for each row.
    pub fn center [T: Element, F: Fn(usize) -> T] (x: &[T], cols: usize, slope: F, gx: &mut [T], accum: Accum) {
        assert_eq!(x.len(), gx.len(), "input and output are of one size");
        let count = T::from_f64(cols as f64);
        for (row, (x, gx)) in x.chunks_exact(cols.max(1)).zip(gx.chunks_exact_mut(cols.max(1))).enumerate() {
            let (mean, slope) = (sum_map([x], |[x]| x) / count, slope(row));
            put(gx, x.iter().map(|&x| slope * (x - mean)), accum);
        }
    }
}

/// The larger of two, or the smaller; NaN if either is.
#[inline(always)]
fn better<T: Element>(a: T, b: T, smallest: bool) -> T {
    if smallest { -(-a).maximum(-b) } else { a.maximum(b) }
}

vectorize! {
    /// `y = max x` of each row, or `min x`; NaN if the row holds one.
    ///
    /// # Panics
    /// If the rows are empty.
    pub fn extremum [T: Element] (x: &[T], smallest: bool, y: &mut [T]) {
        if y.is_empty() {
            return;
        }
        for (x, y) in x.chunks_exact(x.len() / y.len()).zip(y) {
            *y = fold(x, x[0], |a, b| better(a, b, smallest));
        }
    }
}

vectorize! {
    /// `gx (=, +=) gy / (how many are equal)` where x is the row's y, 0 elsewhere.
    pub fn extremum_vjp [T: Element] (x: &[T], y: &[T], gy: &[T], gx: &mut [T], accum: Accum) {
        if y.is_empty() {
            return;
        }
        let cols = x.len() / y.len();
        let rows = x.chunks_exact(cols).zip(gx.chunks_exact_mut(cols));
        for ((x, gx), (&y, &gy)) in rows.zip(y.iter().zip(gy)) {
            let share = gy / sum_map([x], |[x]| if x == y { T::ONE } else { T::ZERO });
            put(gx, x.iter().map(|&x| if x == y { share } else { T::ZERO }), accum);
        }
    }
}

/// Columns summed side by side.
const COLUMNS: usize = 128;

vectorize! {
    /// `y (=, +=)` the running sum of x along the middle of three axes, from its end if `backward`.
    ///
    /// # Panics
    /// If x or y is not of these sizes.
    pub fn running_sum [T: Element] (sizes: [usize; 3], x: &[T], y: &mut [T], accum: Accum, backward: bool) {
        let [outer, len, inner] = sizes;
        let size = product(&sizes);
        assert!(x.len() == size && y.len() == size, "input and output are {outer} x {len} x {inner}");
        if inner == 1 {
            for (x, y) in x.chunks_exact(len.max(1)).zip(y.chunks_exact_mut(len.max(1))) {
                let mut sum = T::ZERO;
                let next = |&x: &T| {
                    sum += x;
                    sum
                };
                if backward {
                    put(y.iter_mut().rev(), x.iter().rev().map(next), accum);
                } else {
                    put(y, x.iter().map(next), accum);
                }
            }
            return;
        }
        for o in 0..outer {
            for column in (0..inner).step_by(COLUMNS) {
                let width = COLUMNS.min(inner - column);
                let mut sums = [T::ZERO; COLUMNS];
                for i in 0..len {
                    let i = if backward { len - 1 - i } else { i };
                    let place = (o * len + i) * inner + column;
                    for (sum, &x) in sums[..width].iter_mut().zip(&x[place..place + width]) {
                        *sum += x;
                    }
                    put(&mut y[place..place + width], sums[..width].iter().copied(), accum);
                }
            }
        }
    }
}
