//! Penalties: on what a layer outputs (activity regularization) or on its weights.
//!
//! A penalty is ordinary graph operations on a tensor, added to the loss:
//!
//! ```
//! use quietgrad::{Params, Tape, Tensor, loss, reg};
//!
//! let mut params = Params::new();
//! let w = params.add("w", Tensor::from([[0.5, -1.0], [0.0, 2.0]]));
//! let mut grads = params.zeros();
//! let mut tape = Tape::<f64>::new();
//!
//! let r = tape.record(&params);
//! let x = r.constant(&Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
//! let h = x.matmul(r.param(w)).relu();
//! let loss = loss::mse(h, x) + reg::l1(h).per_sample() * 1e-3;
//! loss.backward(&mut grads);
//! ```
//!
//! # The reduction is spelled out
//!
//! A penalty is a sum over every element of the tensor. Whether that sum is then divided by the number of samples
//! changes what a coefficient means by a factor of the batch size, and the field has gone back and forth: Keras 2.2
//! to 2.3 and 3.0 to 3.13 summed, tf.keras 2.x and Keras from 3.14 on divide by the batch (and by nothing else: not by
//! time steps, not by pixels). So there is no default here: say [`summed`](Penalty::summed) or
//! [`per_sample`](Penalty::per_sample). With a batch of B, `summed() * (lambda / B)` is `per_sample() * lambda`.
//! The outputs of a recurrent layer have a third, [`per_step`](Penalty::per_step), and steps that do not count are left out of
//! all three by [`masked`](Penalty::masked): `docs/recurrence.md`.
//!
//! # A forgotten penalty is an error
//!
//! If a penalty is built and the loss that is differentiated does not contain it, [`Var::backward`] panics with the
//! line that built it.
//!
//! ```should_panic
//! # use quietgrad::{Params, Tape, Tensor, reg};
//! # let mut params = Params::<f64>::new();
//! # let w = params.add("w", Tensor::from([1.0]));
//! # let mut tape = Tape::new();
//! # let r = tape.record(&params);
//! let h = r.param(w).relu();
//! let penalty = reg::l1(h).per_sample() * 1e-3;
//! h.square().sum().backward(&mut params.zeros()); // panics: `penalty` is not part of this loss
//! ```
//!
//! # Before or after the activation function
//!
//! A penalty acts on the tensor it is given. `reg::l1(z.relu())` pushes active units towards zero and leaves inactive
//! ones alone: it makes the representation sparse. `reg::l1(z)` on the pre-activation pulls z to zero from both sides:
//! it makes values small and does not make more of them zero. Measured: `docs/activity-or-weight.md`.
//!
//! # Which penalty
//!
//! | | formula | what it makes |
//! | --- | --- | --- |
//! | [`l1`] | Σ\|x\| | exact zeros behind a relu; shrinks what stays |
//! | [`l2`] | Σx² | small values, hardly zeros |
//! | [`elastic_net`] | a Σ\|x\| + b Σx² | zeros, and no single large value |
//! | [`lp`] | Σ\|x\|ᵖ | with p < 1 more zeros and less shrinkage than l1; not convex |
//! | [`log`] | Σ ln(1 + x²/s) | small values smaller, large ones nearly left alone |
//! | [`hoyer`] | Σ ‖x‖₁² / ‖x‖₂² of each sample | few active units, whatever their scale |
//! | [`kl_sparsity`] | Σ KL(ρ ‖ mean of a unit) | units that are each active a share ρ of the time |
//! | [`l2_norm`] | Σ ‖x‖₂ of each sample | short vectors, some of them zero as a whole |
//! | [`group_lasso`] | Σ √n ‖group‖₂ | groups that are zero as a whole |
//! | [`ar`], [`tar`] | Σx², Σ(xₜ − xₜ₋₁)² | recurrent layers that are quiet, and change slowly |
//!
//! All but the KL, which is about activations between 0 and 1, are penalties on weights as well: give them a parameter,
//! and say [`summed`](Penalty::summed). For l2 on weights see also [`Adam::adamw`](crate::optim::Adam::adamw), and for
//! exact zeros among them [`proximal_l1`](crate::optim::proximal_l1).
//!
//! All of them on the same network, with the zeros counted: `docs/which-norm.md`.
//!
//! # How large a coefficient
//!
//! A coefficient may follow a [`Schedule`](crate::optim::Schedule), or be steered to a wanted density by a
//! [`DensityController`].
//!
//! No vjp stands here, and no kernel: a penalty is a formula on the methods of [`Var`].

mod controller;
mod group;
mod mask;
mod sequence;
mod sparse;
mod sum;

pub use controller::DensityController;
pub use group::{group_lasso, l2_norm};
pub use sequence::{ar, tar};
pub use sparse::{hoyer, kl_sparsity, log, lp};

use crate::ops::{Real, Reduction};
use crate::pointwise::{Abs, Binary, Square, SquaredError, Unary};
use crate::tape::{Obligation, Var};

/// A penalty summed over every element, waiting to be told what to divide by: say [`summed`](Penalty::summed) or
/// [`per_sample`](Penalty::per_sample). Before that it is no value, and nothing can be computed with it, but for sums of
/// penalties: of all layers, `layers.iter().map(|&h| reg::l1(h)).sum::<Penalty<_>>().per_sample()`.
///
/// ```compile_fail,E0599
/// use quietgrad::{Params, Tape, Tensor, reg};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// reg::l1(r.scalar(1.0)).item(); // error: no method named `item` found for struct `PenaltyWithoutReduction`
/// ```
#[derive(Clone, Copy)]
#[must_use = "a penalty is only a number until it is added to the loss"]
pub struct PenaltyWithoutReduction<'r, T> {
    of: Var<'r, T>,
    sum: Sum<'r, T>,
    /// 1 at the steps that count, \[batch, time\].
    mask: Option<Var<'r, T>>,
    /// What it owes the loss: one of its reductions.
    obligation: Obligation<'r, T>,
}

/// What penalties return: in code it is called so, in the compiler's messages by what is missing.
pub type Penalty<'r, T> = PenaltyWithoutReduction<'r, T>;

/// The sum that a penalty is: still to be made, or on the tape.
#[derive(Clone, Copy)]
enum Sum<'r, T> {
    /// Of a function of each element.
    OfEach(Unary),
    /// Of |x| and of x², each with its coefficient.
    Elastic([f64; 2]),
    /// Of the squares of differences along the axis of time.
    Differences { time: usize },
    /// On the tape already.
    Total(Var<'r, T>),
    /// On the tape already, of penalties on tensors with different numbers of samples.
    Mixed(Var<'r, T>),
}

impl<'r, T: Real> Penalty<'r, T> {
    /// Σ f(x), over every element of `of`.
    #[track_caller]
    fn of_each(of: Var<'r, T>, f: Unary, what: &'static str) -> Self {
        Penalty::of_steps(of, Sum::OfEach(f), what)
    }

    /// A sum over the elements of `of` that is made when its reduction is known.
    #[track_caller]
    fn of_steps(of: Var<'r, T>, sum: Sum<'r, T>, what: &'static str) -> Self {
        Penalty { of, sum, mask: None, obligation: of.recording().obligation(what) }
    }

    /// A sum that was made from `of`.
    #[track_caller]
    fn new(of: Var<'r, T>, total: Var<'r, T>, what: &'static str) -> Self {
        Penalty::of_steps(of, Sum::Total(total), what)
    }

    /// The sum over every element: for weights, and for activities as Keras 2.2 to 2.3 and 3.0 to 3.13 had it.
    #[track_caller]
    pub fn summed(self) -> Var<'r, T> {
        self.total().meets(self.obligation)
    }

    /// The sum divided by the number of samples, the size of the first axis: for activities, as tf.keras 2.x and Keras
    /// from 3.14 on have it.
    ///
    /// # Panics
    /// If there are no samples, or this is a sum of penalties on tensors whose first axes differ.
    #[track_caller]
    pub fn per_sample(self) -> Var<'r, T> {
        let total = match (self.sum, self.mask) {
            (Sum::OfEach(f), None) => self.of.map_sum(f, Reduction::PerSample),
            (Sum::Mixed(_), _) => {
                panic!(
                    "per_sample: the penalties in this sum are on tensors with different numbers of samples"
                )
            }
            _ => {
                let shape = self.of.shape();
                let samples = Reduction::PerSample.divisor(&shape);
                assert!(samples > 0.0, "per_sample: there are no samples in {shape} to take the mean over");
                self.total() / samples
            }
        };
        total.meets(self.obligation)
    }

    /// The sum, not divided by anything, over the steps that count.
    #[track_caller]
    fn total(self) -> Var<'r, T> {
        if let Some(mask) = self.mask {
            return mask::total(self.of, self.sum, mask);
        }
        // No closures: they would not know the caller's line.
        let (of, sum) = (self.of, Reduction::Sum);
        match self.sum {
            Sum::OfEach(f) => of.map_sum(f, sum),
            Sum::Elastic([l1, l2]) => {
                of.map_sum(Unary::Abs(Abs {}), sum) * l1 + of.map_sum(Unary::Square(Square {}), sum) * l2
            }
            Sum::Differences { time } => {
                let [later, earlier] = sequence::neighbours(of, time);
                later.zip_sum(earlier, Binary::SquaredError(SquaredError {}), sum)
            }
            Sum::Total(total) | Sum::Mixed(total) => total,
        }
    }
}

/// Σ|x|: pulls every element to zero with the same force, so that many become exactly zero after a relu.
///
/// The slope at 0 is 0: a unit that is off stays off (`docs/adr/0004`). Where a unit behind a relu fires the slope is 1: there
/// the penalty costs one addition on the way back, and no array (`docs/adr/0014`).
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, reg};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let h = r.constant(&Tensor::from([[1.0, -2.0], [0.0, 3.0]]));
/// assert_eq!(reg::l1(h).summed().item(), 6.0);
/// assert_eq!(reg::l1(h).per_sample().item(), 3.0);
/// ```
#[track_caller]
pub fn l1<T: Real>(x: Var<'_, T>) -> Penalty<'_, T> {
    Penalty::of_each(x, Unary::Abs(Abs {}), "l1 penalty")
}

/// Σx², without a root and without a factor ½, as Keras' `l2` has it: pulls large elements most, and hardly any to
/// exactly zero.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, reg};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let h = r.constant(&Tensor::from([[1.0, -2.0], [0.0, 3.0]]));
/// assert_eq!(reg::l2(h).summed().item(), 14.0);
/// ```
#[track_caller]
pub fn l2<T: Real>(x: Var<'_, T>) -> Penalty<'_, T> {
    Penalty::of_each(x, Unary::Square(Square {}), "l2 penalty")
}

/// The elastic net `l1` Σ|x| + `l2` Σx²: both coefficients are inside, since their ratio is part of its meaning.
///
/// Source: H. Zou and T. Hastie, Regularization and Variable Selection via the Elastic Net, 2005.
///
/// # Panics
/// If a coefficient is negative, infinite or NaN.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, reg};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let h = r.constant(&Tensor::from([[1.0, -2.0], [0.0, 3.0]]));
/// assert_eq!(reg::elastic_net(h, 0.5, 0.25).summed().item(), 0.5 * 6.0 + 0.25 * 14.0);
/// ```
#[track_caller]
pub fn elastic_net<T: Real>(x: Var<'_, T>, l1: f64, l2: f64) -> Penalty<'_, T> {
    let sensible = |coefficient: f64| (0.0..f64::INFINITY).contains(&coefficient);
    assert!(
        sensible(l1) && sensible(l2),
        "elastic_net: coefficients of {l1} and {l2} make no sense: they must be finite and not negative"
    );
    Penalty::of_steps(x, Sum::Elastic([l1, l2]), "elastic net penalty")
}

/// What a vector is divided by: its length, or ∞ for the zero vector, so that it stays 0 and has no slope.
fn or_infinity<T: Real>(length: Var<'_, T>) -> Var<'_, T> {
    let r = length.recording();
    length.le(r.scalar(0.0)).where_cond(r.scalar(f64::INFINITY), length)
}

/// The tensor as a matrix with a row for each sample.
#[track_caller]
fn rows<T: Real>(x: Var<'_, T>) -> Var<'_, T> {
    let shape = x.shape();
    let samples = shape.first().copied().unwrap_or(1);
    x.reshape([samples, shape.iter().skip(1).product()])
}
