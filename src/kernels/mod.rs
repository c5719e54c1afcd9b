//! Kernels: functions on slices, sizes and strides. They know no shape, variable or tape.
#![allow(unsafe_code)]

mod float;
mod gemm;
pub mod isa;
mod micro;
mod pack;
mod product;
mod threads;

pub use gemm::Blocks;
pub use threads::{set_threads, threads};

/// The kernels by their definitions: slow, obviously right, and what the tests compare with.
pub mod reference {
    pub use crate::element::reference_gemm as gemm;
}
