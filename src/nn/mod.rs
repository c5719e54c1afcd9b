//! Layers: parameters, and a forward pass written with the public methods of [`Var`](crate::Var). No vjp stands here, and no
//! kernel.

mod dense;
mod init;
mod recurrent;

pub use dense::Dense;
pub use init::Init;
pub use recurrent::{Bidirectional, Gru, Lstm, LstmState, Recurrent, Rnn, Stack, Steps, Unrolled};

pub use crate::ops::gru::Reset;
