//! Layers: parameters, and a forward pass written with the public methods of [`Var`](crate::Var). No vjp stands here, and no
//! kernel.

mod conv;
mod dense;
mod init;

pub use conv::{Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d};
pub use dense::Dense;
pub use init::Init;
