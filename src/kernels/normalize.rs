//! Rows of a row-major matrix, brought to mean 0 and mean square 1.

use super::deviation::Deviation;
use super::map::map;
use super::norm::{is_safe, scale_for};
use super::rows::{magnitude, put};
use super::sum::{sum, sum_pairs};
use crate::element::Element;
use crate::matrix::Accum;

/// How rows are normalized.
#[derive(Clone, Copy)]
pub struct Rows<T> {
    /// Elements of a row.
    pub cols: usize,
    /// Whether the mean is taken away.
    pub is_centered: bool,
    /// ε, added to the mean square.
    pub eps: T,
}

/// ρ = 1 / √(Σ d² / n + ε), and 0 where that root is 0.
fn one_by_root<T: Element>(squares: T, count: usize, eps: T) -> T {
    let square = squares / T::from_f64(count as f64) + eps;
    if square == T::ZERO { T::ZERO } else { T::ONE / square.sqrt() }
}

/// What a row is taken less: its mean, or 0.
fn deviation<T: Element>(x: &[T], is_centered: bool) -> Deviation<T> {
    if is_centered { Deviation::of(x) } else { Deviation::from_zero() }
}

/// [`deviation`] and ρ of a row times a power of two.
#[cold]
fn scaled<T: Element>(x: &[T], scale: T, is_centered: bool, eps: T) -> (Deviation<T>, T) {
    let d = if is_centered { Deviation::of_scaled(x, scale) } else { Deviation::from_zero() };
    (d, one_by_root(d.squares_of_scaled(x, scale), x.len(), eps * scale * scale))
}

/// The power of two that a row is multiplied by where its squares overflow or underflow; none where they do not, or where
/// nothing helps.
fn scale_of<T: Element>(x: &[T], sum: T, eps: T) -> Option<T> {
    // What underflows is hidden by an ordinary ε.
    let count = T::from_f64(x.len() as f64);
    if is_safe(sum, count) || eps >= T::MIN_POSITIVE && sum.to_f64().is_finite() {
        return None;
    }
    let max = magnitude(x);
    max.to_f64().is_finite().then(|| scale_for(max))
}

/// `y = (x − mean) / √(variance + ε)` of each row of `cols` elements, with the variance Σ (x − mean)² / n; or, if it is not
/// `is_centered`, `y = x / √(Σ x² / n + ε)`. Where the root is 0, y is 0.
pub fn normalize<T: Element>(x: &[T], rows: Rows<T>, y: &mut [T]) {
    let Rows { cols, is_centered, eps } = rows;
    assert!(x.len() == y.len(), "input and output are of one size");
    if cols == 0 {
        return;
    }
    for (x, y) in x.chunks_exact(cols).zip(y.chunks_exact_mut(cols)) {
        let d = deviation(x, is_centered);
        let squares = d.squares(x);
        if let Some(scale) = scale_of(x, squares, eps) {
            let (d, root) = scaled(x, scale, is_centered, eps);
            put(y, x.iter().map(|&x| d.at(x * scale) * root), Accum::Replace);
        } else {
            let root = one_by_root(squares, cols, eps);
            map([x], y, Accum::Replace, move |[x]: [T; 1]| d.at(x) * root);
        }
    }
}

/// `gx (=, +=) ((gy − mean(gy)) − y mean(y gy)) / √(variance + ε)` of each row; if it is not `is_centered`, without
/// mean(gy).
///
/// In the forward pass [`normalize`] was y = d ρ with d = x − mean(x) and ρ = (Σ d² / n + ε)^−½. So dρ = −ρ³ Σ d dd / n,
/// dy = ρ (dd − y Σ y dd / n), and dd = dx − mean(dx), of which the mean drops out of the sum, because Σ y = 0.
pub fn normalize_vjp<T: Element>(x: &[T], y: &[T], gy: &[T], rows: Rows<T>, gx: &mut [T], accum: Accum) {
    let Rows { cols, is_centered, eps } = rows;
    assert!(x.len() == gx.len() && y.len() == gy.len() && x.len() == y.len(), "all are of one size");
    if cols == 0 {
        return;
    }
    let count = T::from_f64(cols as f64);
    let of_x = x.chunks_exact(cols).zip(gx.chunks_exact_mut(cols));
    for ((x, gx), (y, gy)) in of_x.zip(y.chunks_exact(cols).zip(gy.chunks_exact(cols))) {
        let along = sum_pairs(y, gy, |[y, g]: [T; 2]| y * g) / count;
        let mean = if is_centered { sum(gy) / count } else { T::ZERO };
        let squares = deviation(x, is_centered).squares(x);
        let root = match scale_of(x, squares, eps) {
            Some(scale) => scaled(x, scale, is_centered, eps).1 * scale,
            None => one_by_root(squares, cols, eps),
        };
        map([y, gy], gx, accum, move |[y, g]: [T; 2]| ((g - mean) - y * along) * root);
    }
}
