//! quietgrad
#![deny(unsafe_code)]

mod element;
pub mod kernels;

pub use element::{Accum, Element, Epilogue, Mat, MatMut};
