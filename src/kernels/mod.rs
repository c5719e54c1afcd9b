//! Kernels: functions on slices, sizes and strides. They know no shape, variable or tape.
#![allow(unsafe_code)]

mod float;
pub mod isa;
