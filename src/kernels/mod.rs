//! Kernels: functions on slices, sizes and strides. They know no shape, variable or tape.
#![allow(unsafe_code)]

mod float;
pub mod isa;
mod map;
pub mod math;
mod reduce;
pub mod softmax;
pub mod update;

pub use map::{Each, Row, Strided, for_each_offset, map, map_strided};
pub use reduce::{spread_strided, sum, sum_strided};

use crate::element::{Accum, Element};

/// A function as a [`Row`] for the strided loops.
pub fn row<T: Element, const N: usize>(f: impl Each<T, N>) -> impl Fn([&[T]; N], &mut [T], Accum) {
    move |x, y, accum| map(x, y, accum, f)
}

/// `y (=, +=) x`, as a [`Row`].
pub fn copy<T: Element>([x]: [&[T]; 1], y: &mut [T], accum: Accum) {
    map([x], y, accum, |[x]: [T; 1]| x);
}
