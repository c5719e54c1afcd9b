//! Kernels: functions on slices, sizes and strides. They know no shape, variable or tape.
//!
//! Public are those that tests, benchmarks and users' own ops call. Each checks what it is given before anything trusts a
//! pointer: whatever the sizes are, it panics or it stays within its slices.
#![allow(unsafe_code)]
// Intrinsics come by the dozen.
#![allow(clippy::wildcard_imports)]

pub(crate) mod conv;
mod deviation;
pub(crate) mod dropout;
mod float;
mod in_place;
pub mod isa;
mod length;
mod map;
pub mod math;
mod matmul;
mod micro;
mod norm;
pub(crate) mod normalize;
pub(crate) mod pool;
pub(crate) mod recurrent;
mod reduce;
pub(crate) mod rows;
// Only there are instructions for it.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, unused_variables))]
pub mod screen;
pub mod softmax;
pub(crate) mod sparse;
mod strided;
mod sum;
mod threads;
pub(crate) mod top_k;
pub mod update;
pub(crate) mod upsample;

pub(crate) use length::{largest, length};
pub use map::{Each, map};
pub(crate) use map::{Loops, Row, Signs, WherePositive, add_signs, keep_where_positive, looped, map_with};
pub use matmul::blocked::Blocks;
pub(crate) use micro::THIN;
pub(crate) use norm::norm_strided;
pub(crate) use reduce::{sum_map, sum_rows, sum_strided};
pub(crate) use rows::{put, running_sum};
pub(crate) use strided::{Strided, for_each_offset, map_strided};
pub use sum::sum;
pub(crate) use sum::{OneByOne, sum_each, sum_pairs};
pub use threads::{MOST_THREADS, set_threads, threads};

pub use sparse::{convert as support, cost};

use crate::element::Element;
use crate::matrix::Accum;
pub use crate::matrix::reference;

/// A function as a [`Row`] for the strided loops.
pub(crate) fn row<T: Element, const N: usize>(f: impl Each<T, N>) -> impl Fn([&[T]; N], &mut [T], Accum) {
    move |x, y, accum| map(x, y, accum, f)
}

/// `y (=, +=) x`, as a [`Row`].
pub(crate) fn copy<T: Element>([x]: [&[T]; 1], y: &mut [T], accum: Accum) {
    map([x], y, accum, |[x]: [T; 1]| x);
}
