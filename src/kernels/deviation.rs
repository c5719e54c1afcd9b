//! How far the elements of a row are from its mean.

use super::isa::vectorize;
use super::map::BLOCK;
use super::sum::{Lanes, pairwise, sum_inline};
use crate::element::Element;

/// What takes an element x of a row to its distance from the row's mean, (x − first) − mean.
///
/// Distances from the first element are exact 0 in a row of equal ones, and their mean has no large part that would cancel.
#[derive(Clone, Copy)]
pub struct Deviation<T> {
    first: T,
    /// The mean distance from the first element.
    mean: T,
}

impl<T: Element> Deviation<T> {
    /// From the mean of this row.
    pub fn of(x: &[T]) -> Self {
        let first = x[0];
        Deviation { first, mean: sum_from(x, first) / T::from_f64(x.len() as f64) }
    }

    /// From the mean of this row times `scale`, a power of two: of x, it is at x · scale.
    #[cold]
    pub fn of_scaled(x: &[T], scale: T) -> Self {
        let first = x[0] * scale;
        Deviation { first, mean: seldom_sum(x, &|x| x * scale - first) / T::from_f64(x.len() as f64) }
    }

    /// From 0: every x is its own.
    pub fn from_zero() -> Self {
        Deviation { first: T::ZERO, mean: T::ZERO }
    }

    /// That of one element.
    #[inline(always)]
    pub fn at(self, x: T) -> T {
        (x - self.first) - self.mean
    }

    /// Σ d(x)²
    pub fn squares(self, x: &[T]) -> T {
        sum_of_squares(x, self)
    }

    /// Σ d(x scale)²
    #[cold]
    pub fn squares_of_scaled(self, x: &[T], scale: T) -> T {
        seldom_sum(x, &|x| {
            let d = self.at(x * scale);
            d * d
        })
    }
}

vectorize! {
    /// Σ (x − first)
    fn sum_from [T: Element] (x: &[T], first: T) -> T {
        sum_inline([x], move |[x]: [T; 1]| x - first)
    }
}

vectorize! {
    /// Σ d(x)²
    fn sum_of_squares [T: Element] (x: &[T], d: Deviation<T>) -> T {
        sum_inline([x], move |[x]: [T; 1]| {
            let d = d.at(x);
            d * d
        })
    }
}

/// Σ f(x) of what is seldom asked for: compiled once for all f.
pub fn seldom_sum<T: Element>(x: &[T], f: &dyn Fn(T) -> T) -> T {
    let mut values = [T::ZERO; BLOCK];
    pairwise(x.len(), |from, len| {
        let mut lanes = Lanes::new();
        for x in x[from..from + len].chunks(BLOCK) {
            for (value, &x) in values.iter_mut().zip(x) {
                *value = f(x);
            }
            lanes.add(&values[..x.len()], |[x]: [T; 1]| x);
        }
        lanes.total()
    })
}
