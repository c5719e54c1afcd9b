//! Rows of a row-major matrix, brought to mean 0 and mean square 1.

use super::isa::vectorize;
use super::norm::{is_safe, scale_for};
use super::rows::{magnitude, put, squares};
use super::sum::sum_inline;
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

/// What takes an element x of a row to y = ((x s − first) − mean) ρ.
#[derive(Clone, Copy)]
struct Standard<T> {
    /// s, a power of two: 1, but for rows whose squares overflow or underflow.
    scale: T,
    /// The first element, times s, and the mean distance from it: a row of equal ones is exactly 0. Both are 0 where the mean
    /// is not taken away.
    first: T,
    mean: T,
    /// ρ = 1 / √(Σ (x s − first − mean)² / n + ε s²), and 0 where that root is 0.
    root: T,
}

impl<T: Element> Standard<T> {
    #[inline(always)]
    fn of(x: &[T], is_centered: bool, eps: T) -> Self {
        let count = T::from_f64(x.len() as f64);
        let (plain, sum) = Standard::scaled(x, T::ONE, is_centered, eps);
        // What underflows is hidden by an ordinary ε.
        if is_safe(sum, count) || eps >= T::MIN_POSITIVE && sum.to_f64().is_finite() {
            return plain;
        }
        let max = magnitude(x);
        if max.to_f64().is_finite() { Standard::scaled(x, scale_for(max), is_centered, eps).0 } else { plain }
    }

    /// With this scale; and the sum of squares.
    #[inline(always)]
    fn scaled(x: &[T], scale: T, is_centered: bool, eps: T) -> (Self, T) {
        let count = T::from_f64(x.len() as f64);
        let first = if is_centered { x[0] * scale } else { T::ZERO };
        let sum = if is_centered { sum_inline([x], |[x]: [T; 1]| x * scale - first) } else { T::ZERO };
        let mean = sum / count;
        let sum = squares(x, move |x: T| (x * scale - first) - mean);
        let square = sum / count + eps * scale * scale;
        let root = if square == T::ZERO { T::ZERO } else { T::ONE / square.sqrt() };
        (Standard { scale, first, mean, root }, sum)
    }

    #[inline(always)]
    fn at(self, x: T) -> T {
        ((x * self.scale - self.first) - self.mean) * self.root
    }
}

vectorize! {
    /// `y = (x − mean) / √(variance + ε)` of each row of `cols` elements, with the variance Σ (x − mean)² / n; or, if it is not
    /// `is_centered`, `y = x / √(Σ x² / n + ε)`. Where the root is 0, y is 0.
    pub fn normalize [T: Element] (x: &[T], rows: Rows<T>, y: &mut [T]) {
        let Rows { cols, is_centered, eps } = rows;
        assert!(x.len() == y.len(), "input and output are of one size");
        if cols == 0 {
            return;
        }
        for (x, y) in x.chunks_exact(cols).zip(y.chunks_exact_mut(cols)) {
            let standard = Standard::of(x, is_centered, eps);
            put(y, x.iter().map(|&x| standard.at(x)), Accum::Replace);
        }
    }
}

vectorize! {
    /// `gx (=, +=) ((gy − mean(gy)) − y mean(y gy)) / √(variance + ε)` of each row; if it is not `is_centered`, without
    /// mean(gy).
    ///
    /// In the forward pass [`normalize`] was y = d ρ with d = x − mean(x) and ρ = (Σ d² / n + ε)^−½. So dρ = −ρ³ Σ d dd / n,
    /// dy = ρ (dd − y Σ y dd / n), and dd = dx − mean(dx), of which the mean drops out of the sum, because Σ y = 0.
    pub fn normalize_vjp [T: Element] (
        x: &[T],
        y: &[T],
        gy: &[T],
        rows: Rows<T>,
        gx: &mut [T],
        accum: Accum,
    ) {
        let Rows { cols, is_centered, eps } = rows;
        assert!(x.len() == gx.len() && y.len() == gy.len() && x.len() == y.len(), "all are of one size");
        if cols == 0 {
            return;
        }
        let count = T::from_f64(cols as f64);
        let of_x = x.chunks_exact(cols).zip(gx.chunks_exact_mut(cols));
        for ((x, gx), (y, gy)) in of_x.zip(y.chunks_exact(cols).zip(gy.chunks_exact(cols))) {
            let along = sum_inline([y, gy], |[y, g]: [T; 2]| y * g) / count;
            let mean = if is_centered { sum_inline([gy], |[g]: [T; 1]| g) / count } else { T::ZERO };
            let Standard { scale, root, .. } = Standard::of(x, is_centered, eps);
            let root = root * scale;
            put(gx, y.iter().zip(gy).map(|(&y, &g)| ((g - mean) - y * along) * root), accum);
        }
    }
}
