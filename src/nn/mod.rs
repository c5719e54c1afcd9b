//! Layers: parameters, and a forward pass written with the public methods of [`Var`]. No vjp stands here, and no
//! kernel.
//!
//! There is no trait of layers, and no container: a network is a struct of its layers and a function that calls them.
//! `docs/layers.md` shows how.

mod attention;
mod batch_norm;
mod conv;
mod dense;
mod embedding;
mod init;
mod norm;
mod recurrent;

pub use attention::{MultiHeadAttention, attention, causal_mask, padding_mask};
pub use batch_norm::{BatchNorm, BatchStatistics, Running, normalize_batch};
pub use conv::{Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d};
pub use dense::Dense;
pub use embedding::{Embedding, sinusoids};
pub use init::Init;
pub use norm::{GroupNorm, LayerNorm, RmsNorm};
pub use recurrent::{Bidirectional, Gru, Input, Lstm, LstmState, Recurrent, Rnn, Stack, Steps, Unrolled};

pub use crate::ops::gru::Reset;

use crate::ops::Real;
use crate::params::ParamId;
use crate::tape::Var;

/// Panics in the layer's name, which is that of a parameter without its suffix, unless x has along an axis as much as the
/// parameter.
#[track_caller]
fn expect_size<T: Real>(x: Var<T>, axis: usize, id: ParamId, suffix: &str) {
    let (shape, params) = (x.shape(), x.recording().params());
    let size = params.shape(id)[0];
    if shape.get(axis) != Some(&size) {
        let name = params.name(id);
        let name = name.strip_suffix(suffix).unwrap_or(name);
        panic!("layer `{name}` takes inputs with {size} along axis {axis}, not {shape}");
    }
}
