//! Kernels: functions on slices, sizes and strides. They know no shape, variable or tape.
#![allow(unsafe_code)]
// Intrinsics come by the dozen.
#![allow(clippy::wildcard_imports)]

pub mod dropout;
mod float;
pub mod isa;
mod length;
mod map;
pub mod math;
mod matmul;
mod micro;
mod reduce;
pub mod rows;
// Only there are instructions for it.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, unused_variables))]
pub mod screen;
pub mod softmax;
pub(crate) mod sparse;
mod threads;
pub mod top_k;
pub mod update;

pub use length::{Length, largest, length};
pub use map::{Each, Row, Strided, WherePositive, for_each_offset, keep_where_positive, map, map_strided};
pub(crate) use map::{Loops, Signs, add_signs, looped, map_with};
pub use matmul::blocked::Blocks;
pub use micro::THIN;
pub use reduce::{sum, sum_each, sum_map, sum_rows, sum_strided};
pub use rows::{put, running_sum};
pub use threads::{MOST_THREADS, set_threads, threads};

pub use sparse::{convert as support, cost};

use crate::element::Element;
use crate::matrix::Accum;
pub use crate::matrix::reference;

/// A function as a [`Row`] for the strided loops.
pub fn row<T: Element, const N: usize>(f: impl Each<T, N>) -> impl Fn([&[T]; N], &mut [T], Accum) {
    move |x, y, accum| map(x, y, accum, f)
}

/// `y (=, +=) x`, as a [`Row`].
pub fn copy<T: Element>([x]: [&[T]; 1], y: &mut [T], accum: Accum) {
    map([x], y, accum, |[x]: [T; 1]| x);
}
