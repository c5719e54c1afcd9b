//! Kernels: functions on slices, sizes and strides. They know no shape, variable or tape.
#![allow(unsafe_code)]
// Intrinsics come by the dozen.
#![allow(clippy::wildcard_imports)]

mod cache;
pub mod dropout;
mod float;
mod gemm;
pub mod isa;
mod map;
pub mod math;
mod micro;
mod norm;
mod pack;
mod product;
mod reduce;
pub mod rows;
// Only there are instructions for it.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, unused_variables))]
pub mod screen;
pub mod softmax;
mod sparse;
mod sum;
pub mod support;
mod thin;
mod threads;
pub mod top_k;
pub mod update;

pub use gemm::Blocks;
pub use map::{Each, Row, Strided, WherePositive, for_each_offset, keep_where_positive, map, map_strided};
pub use micro::THIN;
pub use norm::{norm, norm_strided};
pub use reduce::{sum_map, sum_rows, sum_strided};
pub use rows::{put, running_sum};
pub use sum::{OneByOne, sum, sum_each, sum_pairs};
pub use threads::{set_threads, threads};

pub use crate::element::reference;
use crate::element::{Accum, Element};

/// A function as a [`Row`] for the strided loops.
pub fn row<T: Element, const N: usize>(f: impl Each<T, N>) -> impl Fn([&[T]; N], &mut [T], Accum) {
    move |x, y, accum| map(x, y, accum, f)
}

/// `y (=, +=) x`, as a [`Row`].
pub fn copy<T: Element>([x]: [&[T]; 1], y: &mut [T], accum: Accum) {
    map([x], y, accum, |[x]: [T; 1]| x);
}
