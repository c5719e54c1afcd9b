//! Kernels: functions on slices, on every instruction set of this machine, against definitions and bounds.

mod math;
mod matmul;
pub mod operands;
mod screen;
mod softmax;
mod sparse;
mod sums;
