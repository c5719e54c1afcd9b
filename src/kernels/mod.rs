//! Kernels: functions on slices, sizes and strides. They know no shape, variable or tape.
#![allow(unsafe_code)]

mod float;
pub mod isa;
mod map;
mod reduce;

pub use map::{Each, Strided, for_each_offset, map, map_strided};
pub use reduce::{sum_map, sum_strided};
