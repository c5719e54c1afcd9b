//! quietgrad
#![deny(unsafe_code)]

mod element;
pub mod kernels;

pub use element::{Accum, Element, Epilogue, Mat, MatMut};
pub use kernels::{set_threads, threads};
