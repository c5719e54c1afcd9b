//! Layers: parameters, and a forward pass written with the public methods of [`Var`](crate::Var). No vjp stands here, and no
//! kernel.

mod dense;
mod init;

pub use dense::Dense;
pub use init::Init;
