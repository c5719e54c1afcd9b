//! Tables and arrays in and out.
//!
//! Every reader returns a [`Result`](crate::Result) that names the file, the place in it, and what was expected there. None
//! believes a header: memory is taken for what is really in the file, and sizes are multiplied with care. Every writer
//! replaces its file as a whole ([`files::replace`](crate::files::replace)).

mod array;
pub mod csv;
mod dtype;
pub mod idx;
pub mod npy;
mod npy_header;
pub mod npz;
pub mod safetensors;
mod safetensors_header;
pub mod toy;

pub use array::Array;
pub use dtype::{Dtype, Value};
