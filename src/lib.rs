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
//! | | |
//! | --- | --- |
//! | [`Tape`], [`Recording`], [`Var`] | the tensor engine: values enter by a recording, every op is a method of `Var` |
//! | [`Tensor`], [`Shape`] | data that goes in and comes out |
//! | [`Params`], [`Grads`] | what is learned, and its gradients |
//! | [`nn`], [`loss`], [`reg`], [`optim`] | layers, losses, penalties, optimizers |
//! | [`Random`] | weights, batches and noise: equal seeds give equal bits |
//! | [`scalar`] | the idea on plain numbers, in one file: read its source first |
//! | [`gradcheck`], [`derivatives`], [`terms`] | is a gradient right? Jacobians and second derivatives; which term a gradient comes from |
//! | [`inspect`], [`Tape::detect_anomalies`] | what was recorded, what it costs, where the time goes, where the first NaN is |
//! | [`ops`], [`pointwise`] | what an op is, and the tables of elementwise functions: for those who add one |
//! | [`matrix`], [`kernels`] | matrices in memory and the functions that run on them: for those who make it faster |
//!
//! # The book
//!
//! [`book`] has pages to read, the repository's folder `docs`. To learn, begin with [A slope is a bump](book::slope). To train,
//! with [A whole training program](book::training), from the table of data to the confusion matrix. From another library, with
//! [its calls beside ours](book::coming_from). To look something up: the [derivative of every op](book::math).
//!
//! Tensors hold `f32` or `f64`, or [`Dual`] numbers for forward mode. Shapes that do not fit are a mistake in the program:
//! methods panic, and name the op, the shapes and the caller's line.

// The order of modules is that of the methods on the page of `Var`: the handle itself first, then the ops.
mod tape;

pub mod ops;

pub mod derivatives;
mod element;
pub mod gradcheck;
pub mod inspect;
pub mod kernels;
pub mod loss;
pub mod matrix;
pub mod nn;
pub mod optim;
mod params;
pub mod pointwise;
mod random;
pub mod reg;
pub mod scalar;
mod state;
mod tensor;
mod text;

pub use element::{Dual, Element};
pub use inspect::terms;
pub use kernels::{set_threads, threads};
pub use matrix::Accum;
pub use ops::{Real, Reduction};
pub use params::{Grads, ParamId, Params, Signature};
pub use random::Random;
pub use state::{State, StateError};
pub use tape::{Cotangents, Indices, Obligation, Operand, Recording, SkipZeros, Tape, Var};
pub use tensor::{Axes, AxisList, Shape, ShapeError, Tensor, View, ViewMut};

/// The README, so that `cargo test` runs its snippet.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

/// The pages of the book, to be read; `cargo test` runs their snippets. Figures, and links between pages, work in the
/// repository's folder `docs`, where these pages stand.
#[cfg(any(doc, doctest))]
#[allow(rustdoc::broken_intra_doc_links, rustdoc::invalid_html_tags)] // brackets that are no links, in pages for another reader
pub mod book {

    // Learn, in the order of docs/SUMMARY.md.

    #[doc = include_str!("../docs/slope.md")]
    pub mod slope {}

    #[doc = include_str!("../docs/paths.md")]
    pub mod paths {}

    #[doc = include_str!("../docs/forward-or-reverse.md")]
    pub mod forward_or_reverse {}

    #[doc = include_str!("../docs/scalar.md")]
    pub mod scalar {}

    #[doc = include_str!("../docs/tape-bugs.md")]
    pub mod tape_bugs {}

    #[doc = include_str!("../docs/is-it-right.md")]
    pub mod is_it_right {}

    #[doc = include_str!("../docs/network-on-numbers.md")]
    pub mod network_on_numbers {}

    #[doc = include_str!("../docs/tensors.md")]
    pub mod tensors {}

    #[doc = include_str!("../docs/vjp.md")]
    pub mod vjp {}

    #[doc = include_str!("../docs/descent.md")]
    pub mod descent {}

    #[doc = include_str!("../docs/memory.md")]
    pub mod memory {}

    #[doc = include_str!("../docs/second-derivatives.md")]
    pub mod second_derivatives {}

    #[doc = include_str!("../docs/training.md")]
    pub mod training {}

    #[doc = include_str!("../docs/generic-code.md")]
    pub mod generic_code {}

    #[doc = include_str!("../docs/overfit.md")]
    pub mod overfit {}

    #[doc = include_str!("../docs/one-number.md")]
    pub mod one_number {}

    #[doc = include_str!("../docs/activity-or-weight.md")]
    pub mod activity_or_weight {}

    #[doc = include_str!("../docs/before-or-after.md")]
    pub mod before_or_after {}

    #[doc = include_str!("../docs/which-norm.md")]
    pub mod which_norm {}

    #[doc = include_str!("../docs/standardize.md")]
    pub mod standardize {}

    #[doc = include_str!("../docs/overcomplete.md")]
    pub mod overcomplete {}

    #[doc = include_str!("../docs/how-strong.md")]
    pub mod how_strong {}

    #[doc = include_str!("../docs/features.md")]
    pub mod features {}

    #[doc = include_str!("../docs/use-them.md")]
    pub mod use_them {}

    #[doc = include_str!("../docs/other-networks.md")]
    pub mod other_networks {}

    #[doc = include_str!("../docs/layers.md")]
    pub mod layers {}

    #[doc = include_str!("../docs/recurrence.md")]
    pub mod recurrence {}

    #[doc = include_str!("../docs/math.md")]
    pub mod math {}

    #[doc = include_str!("../docs/coming-from.md")]
    pub mod coming_from {}

    // Engineer.

    #[doc = include_str!("../docs/pay-for-what-fires.md")]
    pub mod pay_for_what_fires {}

    #[doc = include_str!("../docs/screening.md")]
    pub mod screening {}

    #[doc = include_str!("../docs/matmul.md")]
    pub mod matmul {}

    #[doc = include_str!("../docs/convolution.md")]
    pub mod convolution {}

    #[doc = include_str!("../docs/numerics.md")]
    pub mod numerics {}

    #[doc = include_str!("../docs/numbers-at-the-edges.md")]
    pub mod numbers_at_the_edges {}

    #[doc = include_str!("../docs/seeing.md")]
    pub mod seeing {}
}
