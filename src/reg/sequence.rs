//! Penalties on the states of a recurrent layer.

use super::{Penalty, Sum};
use crate::ops::Real;
use crate::pointwise::{Square, Unary};
use crate::tape::Var;

/// Activation regularization: Σh² over the outputs of a recurrent layer, after dropout.
///
/// The paper's code takes the mean over all elements: divide [`per_step`](Penalty::per_step) by the number of units for its
/// coefficient (2 there). Source: S. Merity, B. McCann and R. Socher, Revisiting Activation Regularization for Language
/// RNNs, 2017, section 3.1.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, reg};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let h = r.constant(&Tensor::from([[1.0, 2.0], [0.0, 3.0]])); // two samples, two steps of one unit
/// assert_eq!(reg::ar(h).per_sample().item(), 7.0);
/// ```
#[track_caller]
pub fn ar<T: Real>(h: Var<'_, T>) -> Penalty<'_, T> {
    Penalty::of_each(h, Unary::Square(Square {}), "activation regularization")
}

/// Temporal activation regularization: Σ (hₜ − hₜ₋₁)² along the axis of time, before dropout: states that change slowly.
///
/// Per step it is divided by the number of differences; under a [mask](Penalty::masked) a difference is taken only between
/// two steps that count. The paper's code takes the mean over all differences, with a coefficient of 1. Source: the paper that
/// [`ar`] names, section 3.2.
///
/// # Panics
/// If there is no such axis.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, reg};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let h = r.constant(&Tensor::from([[1.0, 1.0, 3.0, 2.0]])); // one sample, four steps
/// assert_eq!(reg::tar(h, 1).summed().item(), 0.0 + 4.0 + 1.0);
/// ```
#[track_caller]
pub fn tar<T: Real>(h: Var<'_, T>, time: usize) -> Penalty<'_, T> {
    let shape = h.shape();
    assert!(time < shape.rank(), "tar: {shape} has no axis {time}");
    Penalty::of_steps(h, Sum::Differences { time }, "temporal activation regularization")
}

/// A tensor without its first step, and the tensor without its last: elements with one index in both are neighbours in time.
#[track_caller]
pub(super) fn neighbours<T: Real>(h: Var<'_, T>, time: usize) -> [Var<'_, T>; 2] {
    let steps = h.shape()[time];
    [h.slice(time, 1.min(steps)..), h.slice(time, ..steps.saturating_sub(1))]
}
