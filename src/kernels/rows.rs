//! Statistics of the rows of a row-major matrix, and running sums.

use super::deviation::{Deviation, seldom_sum};
use super::isa::vectorize;
use super::map::map;
use super::norm::{is_safe, scale_for};
use super::softmax::fold;
use super::sum::{STEPS, sum_inline};
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

vectorize! {
    /// The largest magnitude in a row; NaN if there is one.
    pub(super) fn magnitude [T: Element] (x: &[T]) -> T {
        fold(x, T::ZERO, |max, x| max.maximum(x.abs()))
    }
}

/// `y = Σ (x − mean)² / divisor` of each row, or its root: in two passes, since the difference of two large sums would
/// cancel; in a third and fourth of numbers brought near 1, if squares may have overflowed or underflowed.
///
/// The root's tangent is 0 where it is 0, or, if `along`, the deviation of the tangents: the derivative in their
/// direction.
pub fn variance<T: Element>(x: &[T], divisor: T, root: bool, along: bool, y: &mut [T]) {
    if y.is_empty() {
        return;
    }
    let cols = x.len() / y.len();
    let count = T::from_f64(cols as f64);
    for (x, y) in x.chunks_exact(cols).zip(y) {
        let sum = Deviation::of(x).squares(x);
        *y = if !is_safe(sum, count) {
            unsafe_variance(x, sum, divisor, root, along)
        } else if root {
            (sum / divisor).sqrt()
        } else {
            sum / divisor
        };
    }
}

/// [`variance`] of a row whose sum of squares may be wrong.
#[cold]
fn unsafe_variance<T: Element>(x: &[T], sum: T, divisor: T, root: bool, along: bool) -> T {
    let max = magnitude(x);
    if !max.to_f64().is_finite() {
        return sum;
    }
    if x.iter().all(|&other| other == x[0]) {
        if !(root && along) {
            return T::ZERO;
        }
        let d = Deviation::of(x);
        let square = |x| d.at(x).tangent() * d.at(x).tangent();
        let sum = seldom_sum(x, &square) / divisor;
        return if sum == T::ZERO { T::ZERO } else { sum.sqrt().times_epsilon() };
    }
    let scale = scale_for(max);
    let variance = Deviation::of_scaled(x, scale).squares_of_scaled(x, scale) / divisor;
    if root { variance.sqrt() / scale } else { variance / scale / scale }
}

/// `gx (=, +=) 2 gy (x − mean) / divisor` of each row; of the root `gy (x − mean) / (y divisor)`, and 0 where y is 0. x and
/// gx are [rows, cols], y and gy \[rows\].
///
/// In the forward pass [`variance`] was y = Σ (x − mean)² / divisor, so dy = 2 Σ (x − mean) dx / divisor; the mean's
/// own change drops out, because Σ (x − mean) = 0. Of the root, 2 y dy is that.
pub fn variance_vjp<T: Element>(
    x: &[T],
    y: &[T],
    gy: &[T],
    divisor: T,
    root: bool,
    gx: &mut [T],
    accum: Accum,
) {
    assert!(x.len() == gx.len() && y.len() == gy.len(), "input and output are of one size");
    if y.is_empty() || x.is_empty() {
        return;
    }
    let cols = x.len() / y.len();
    let count = T::from_f64(cols as f64);
    let rows = x.chunks_exact(cols).zip(gx.chunks_exact_mut(cols));
    for ((x, gx), (&y, &gy)) in rows.zip(y.iter().zip(gy)) {
        if root && y == T::ZERO {
            // The gradient is 0; its tangent is what forward mode found along its direction.
            let (d, along) = (Deviation::of(x), y.tangent());
            let slope = if along == T::ZERO { T::ZERO } else { gy.tangent() / (along * divisor) };
            put(gx, x.iter().map(|&x| (slope * d.at(x).tangent()).times_epsilon()), accum);
        } else if root && !is_safe(y * y, count) {
            let scale = scale_for(magnitude(x));
            let (d, slope, y) = (Deviation::of_scaled(x, scale), gy / divisor, y * scale);
            put(gx, x.iter().map(|&x| slope * (d.at(x * scale) / y)), accum);
        } else {
            let slope = if root { gy / (y * divisor) } else { (gy + gy) / divisor };
            let d = Deviation::of(x);
            map([x], gx, accum, move |[x]: [T; 1]| slope * d.at(x));
        }
    }
}

/// The larger of two, or the smaller; NaN if either is.
#[inline(always)]
fn better<T: Element>(a: T, b: T, smallest: bool) -> T {
    if smallest { -(-a).maximum(-b) } else { a.maximum(b) }
}

/// Whether an element is the row's y, be it NaN.
#[inline(always)]
fn is_same<T: Element>(x: T, y: T) -> bool {
    x == y || (x.is_nan() && y.is_nan())
}

/// How many elements are the row's y.
#[inline(always)]
fn equal_to<T: Element>(x: &[T], y: T) -> T {
    sum_inline([x], |[x]: [T; 1]| if is_same(x, y) { T::ONE } else { T::ZERO })
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
            if T::HAS_TANGENT {
                // Of equal ones the tangents are shared evenly, as the gradient is.
                let (value, count) = (*y - y.tangent().times_epsilon(), equal_to(x, *y));
                let tangents = sum_inline([x], |[x]: [T; 1]| if is_same(x, value) { x.tangent() } else { T::ZERO });
                *y = value + (tangents / count).times_epsilon();
            }
        }
    }
}

vectorize! {
    /// `gx (=, +=) gy / (how many are equal)` where x is the row's y, 0 elsewhere. A NaN among the elements is the row's y. x
/// and gx are [rows, cols], y and gy \[rows\].
    pub fn extremum_vjp [T: Element] (x: &[T], y: &[T], gy: &[T], gx: &mut [T], accum: Accum) {
        if y.is_empty() {
            return;
        }
        let cols = x.len() / y.len();
        let rows = x.chunks_exact(cols).zip(gx.chunks_exact_mut(cols));
        for ((x, gx), (&y, &gy)) in rows.zip(y.iter().zip(gy)) {
            let share = gy / equal_to(x, y);
            put(gx, x.iter().map(|&x| if is_same(x, y) { share } else { T::ZERO }), accum);
        }
    }
}

/// Columns summed side by side.
const COLUMNS: usize = 128;

vectorize! {
    /// `y (=, +=)` the running sum of x along the middle of three axes, from its end if `backward`.
    ///
    /// Every 128 elements a sum of its own begins, to which the last running sum before it is added. So element i passes
    /// through 128 + i/128 additions at most, and running sums of what is not negative do not fall. (This is the one sum
    /// that is not added pairwise: each partial sum is a result.)
    ///
    /// # Panics
    /// If x or y is not of these sizes.
    pub fn running_sum [T: Element] (sizes: [usize; 3], x: &[T], y: &mut [T], accum: Accum, backward: bool) {
        let [outer, len, inner] = sizes;
        let size = product(&sizes);
        assert!(x.len() == size && y.len() == size, "input and output are {outer} x {len} x {inner}");
        if inner == 1 {
            for (x, y) in x.chunks_exact(len.max(1)).zip(y.chunks_exact_mut(len.max(1))) {
                let mut last = T::ZERO;
                for run in 0..len.div_ceil(STEPS) {
                    let (from, to) = (run * STEPS, len.min((run + 1) * STEPS));
                    let (from, to) = if backward { (len - to, len - from) } else { (from, to) };
                    let (before, mut sum) = (last, T::ZERO);
                    let next = |&x: &T| {
                        sum += x;
                        last = before + sum;
                        last
                    };
                    let (x, y) = (&x[from..to], &mut y[from..to]);
                    if backward {
                        put(y.iter_mut().rev(), x.iter().rev().map(next), accum);
                    } else {
                        put(y, x.iter().map(next), accum);
                    }
                }
            }
            return;
        }
        for o in 0..outer {
            for column in (0..inner).step_by(COLUMNS) {
                let width = COLUMNS.min(inner - column);
                let (mut before, mut sums) = ([T::ZERO; COLUMNS], [T::ZERO; COLUMNS]);
                for i in 0..len {
                    if i > 0 && i % STEPS == 0 {
                        for (before, sum) in before[..width].iter_mut().zip(&mut sums[..width]) {
                            *before += *sum;
                            *sum = T::ZERO;
                        }
                    }
                    let i = if backward { len - 1 - i } else { i };
                    let place = (o * len + i) * inner + column;
                    for (sum, &x) in sums[..width].iter_mut().zip(&x[place..place + width]) {
                        *sum += x;
                    }
                    let running = before[..width].iter().zip(&sums[..width]).map(|(&before, &sum)| before + sum);
                    put(&mut y[place..place + width], running, accum);
                }
            }
        }
    }
}
