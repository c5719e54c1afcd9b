//! Reverse-mode automatic differentiation for quiet networks: small, sparse activations, learned on a CPU.
//!
//! A program records operations on a [`Tape`]; they run at once. One sweep back over the tape gives the gradient of a
//! loss with respect to all [`Params`]. An activity penalty ([`reg`]) is written as ordinary operations on what a layer
//! outputs, and added to the loss:
//!
//! ```
//! use quietgrad::nn::{Dense, Init};
//! use quietgrad::optim::{Adam, Optimizer};
//! use quietgrad::{Params, Random, Tape, Tensor, loss, reg};
//!
//! let x = Tensor::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
//! let y = Tensor::from([[0.0], [1.0], [1.0], [0.0]]);
//!
//! let mut params = Params::<f32>::new();
//! let mut random = Random::new(1);
//! let hidden = Dense::new(&mut params, "hidden", [2, 8], Init::GlorotUniform, &mut random);
//! let output = Dense::new(&mut params, "output", [8, 1], Init::GlorotUniform, &mut random);
//!
//! let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::new(1e-2));
//! let mut last = f32::INFINITY;
//! for _ in 0..1000 {
//!     let r = tape.record(&params);
//!     let h = hidden.forward(r.constant(&x)).tanh();
//!     let fit = loss::bce_with_logits(output.forward(h), r.constant(&y));
//!     let loss = fit + reg::l1(h).per_sample() * 1e-2;
//!     loss.backward(&mut grads);
//!     last = fit.item();
//!     adam.step(&mut params, &grads);
//! }
//! assert!(last < 0.05, "XOR is learned");
//! ```
//!
//! # Where to begin
//!
//! - [`scalar`]: the idea on plain numbers, in one file. Read its source first.
//! - [`Tape`], [`Recording`] and [`Var`]: the tensor engine. Values enter by a recording; every op is a method of `Var`.
//! - [`reg`], [`loss`], [`nn`], [`optim`]: penalties, losses, layers, optimizers.
//! - [`gradcheck`]: is a gradient right? [`derivatives`]: Jacobians, and second derivatives. [`terms`]: how much of a
//!   gradient comes from which term of a loss?
//! - [`Graph`], [`Summary`], [`Profile`], [`Tape::detect_anomalies`]: what was recorded, what it costs, where the time
//!   goes, where the first NaN is.
//! - [`pointwise`] and [`ops`]: the tables of elementwise functions, and what an op is, for those who add one.
//!
//! Tensors hold `f32` or `f64`, or [`Dual`] numbers for forward mode. Shapes that do not fit are a mistake in the program:
//! methods panic, and name the op, the shapes and the caller's line. Equal seeds give equal bits ([`Random`]).
//!
//! The repository's `docs/` holds the book: derivations, numerics, architecture, and the decisions behind them.

pub mod derivatives;
mod element;
pub mod gradcheck;
mod inspect;
pub mod kernels;
pub mod loss;
mod matrix;
pub mod nn;
pub mod ops;
pub mod optim;
mod params;
pub mod pointwise;
mod random;
pub mod reg;
pub mod scalar;
mod state;
mod tape;
mod tensor;
mod text;

pub use element::{Dual, Element};
pub use inspect::{Graph, OpSummary, Summary, terms};
pub use kernels::cost::{Form, pays};
pub use kernels::{set_threads, threads};
pub use matrix::{Accum, Epilogue, Mat, MatMut, Products, ReluLayer, Sparse, Support};
pub use ops::{Real, Reduction};
pub use params::{Grads, ParamId, Params, Signature};
pub use pointwise::Demand;
pub use random::Random;
pub use state::{State, StateError};
pub use tape::{
    Cost, Cotangents, Indices, Kind, Node, NodeId, Obligation, Profile, Recording, SkipZeros, Skipping, Tape,
    Var,
};
pub use tensor::{Axes, Shape, ShapeError, Tensor, View, ViewMut};

/// The README and the pages of the book, so that `cargo test` runs their snippets.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../README.md")]
    mod readme {}

    #[doc = include_str!("../docs/scalar.md")]
    mod scalar {}

    #[doc = include_str!("../docs/math.md")]
    mod math {}

    #[doc = include_str!("../docs/matmul.md")]
    mod matmul {}

    #[doc = include_str!("../docs/numerics.md")]
    mod numerics {}

    #[doc = include_str!("../docs/numbers-at-the-edges.md")]
    mod numbers_at_the_edges {}

    #[doc = include_str!("../docs/screening.md")]
    mod screening {}

    #[doc = include_str!("../docs/pay-for-what-fires.md")]
    mod pay_for_what_fires {}

    #[doc = include_str!("../docs/seeing.md")]
    mod seeing {}

    #[doc = include_str!("../docs/activity-or-weight.md")]
    mod activity_or_weight {}

    #[doc = include_str!("../docs/which-norm.md")]
    mod which_norm {}

    #[doc = include_str!("../docs/coming-from.md")]
    mod coming_from {}
}
