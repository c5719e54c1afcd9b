//! Tables and arrays in and out.
//!
//! Every reader returns a [`Result`](crate::Result) that names the file, the place in it, and what was expected there. None
//! believes a header: memory is taken for what is really in the file, and sizes are multiplied with care. Every writer
//! replaces its file as a whole ([`files::replace`](crate::files::replace)).
//!
//! | for | see |
//! | --- | --- |
//! | tables as text | [`csv`] |
//! | arrays of NumPy, PyTorch, JAX, MNIST | [`npy`], [`npz`], [`safetensors`], [`idx`] |
//! | an array larger than memory | [`shards`] |
//! | training, validation and test parts, folds, batches | [`split`] |
//! | columns of a common size | [`scale`] |
//! | made-up data | [`toy`] |

mod array;
pub mod csv;
mod dtype;
pub mod idx;
pub mod npy;
mod npy_header;
pub mod npz;
mod rows;
pub mod safetensors;
mod safetensors_header;
pub mod scale;
pub mod shards;
pub mod split;
pub mod toy;

pub use array::Array;
pub use dtype::{Dtype, Value};
