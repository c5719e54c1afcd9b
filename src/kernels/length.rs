//! The Euclidean length of a slice, however large or small its numbers are: √Σx² as in [`norm`](super::norm), but not
//! rounded to the elements' type, and kept as two factors.

use super::norm::{is_safe, scale_for};
use super::sum::sum_each;
use crate::element::Element;

/// A Euclidean length, as a product of two numbers: it may be larger than any `f64`.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    /// 1, or a power of two near the largest absolute value where the squares themselves would overflow or underflow.
    scale: f64,
    root: f64,
}

/// √Σx²: infinite or NaN if an element is.
///
/// The squares are summed as they are if none that counts was lost. Else they are summed in a second pass, of x over a
/// power of two, which costs no digits.
pub fn length<T: Element>(x: &[T]) -> Length {
    let squares = sum_each(x, |[x]: [T; 1]| x * x);
    if is_safe(squares, T::from_f64(x.len().max(1) as f64)) {
        return Length { scale: 1.0, root: squares.to_f64().sqrt() };
    }
    let largest = largest(x);
    if largest == 0.0 || !largest.is_finite() {
        return Length { scale: largest, root: 1.0 };
    }
    let scale = scale_for(T::from_f64(largest));
    let squares = sum_each(x, |[x]: [T; 1]| (x * scale) * (x * scale));
    Length { scale: 1.0 / scale.to_f64(), root: squares.to_f64().sqrt() }
}

impl Length {
    /// The length; infinite if no `f64` is as large.
    pub fn value(self) -> f64 {
        self.scale * self.root
    }

    /// Whether every element is finite, whatever the length is.
    pub fn is_finite(self) -> bool {
        self.scale.is_finite() && self.root.is_finite()
    }

    /// Two factors that together make this length `max`: the second is 1, unless one factor alone would be subnormal.
    pub fn factors_to(self, max: f64) -> [f64; 2] {
        let factor = max / self.root;
        if self.scale == 1.0 && factor > 1e-30 {
            return [factor, 1.0];
        }
        [max.sqrt() / self.scale.sqrt() / self.root.sqrt(); 2]
    }
}

/// Partial results, so that a vector's lanes work side by side.
const LANES: usize = 16;

/// max |x|: 0 for none, NaN if an element is.
pub fn largest<T: Element>(x: &[T]) -> f64 {
    let mut lanes = [T::ZERO; LANES];
    for block in x.chunks(LANES) {
        for (lane, x) in lanes.iter_mut().zip(block) {
            *lane = lane.maximum(x.abs());
        }
    }
    lanes.into_iter().fold(T::ZERO, Element::maximum).to_f64()
}
