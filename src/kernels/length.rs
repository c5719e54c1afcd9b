//! The Euclidean length of a slice, however large or small its numbers are.

use super::{row, sum_map};
use crate::element::Element;

/// A Euclidean length, as a product of two numbers: it may be larger than any `f64`.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    /// 1, or the largest absolute value where the squares themselves would overflow or underflow.
    scale: f64,
    root: f64,
}

/// √Σx²: infinite or NaN if an element is.
///
/// The squares are summed as they are if that sum is an ordinary number: of what underflowed, 2²⁴ squares together do not
/// show beside a sum above [`TINY`](Element::TINY). Else they are summed over the largest, in a second pass.
pub fn length<T: Element>(x: &[T]) -> Length {
    let sum = sum_map([x], &row(|[x]: [T; 1]| x * x));
    if sum >= T::TINY && sum.to_f64().is_finite() {
        return Length { scale: 1.0, root: sum.to_f64().sqrt() };
    }
    let scale = largest(x);
    if scale == 0.0 || !scale.is_finite() {
        return Length { scale, root: 1.0 };
    }
    let largest = T::from_f64(scale);
    let squares = row(move |[x]: [T; 1]| {
        let x = x / largest;
        x * x
    });
    Length { scale, root: sum_map([x], &squares).to_f64().sqrt() }
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
