//! Losses: how far a prediction is from its target, as a scalar on the tape.
//!
//! Each takes the mean, over all elements or, for a classifier, over samples. For another reduction call the method
//! that it is made of: [`Var::zip_sum`] or [`Var::cross_entropy`] with a [`Reduction`]. The methods of `Var` that have a
//! loss's name, such as [`Var::bce_with_logits`], give each element's loss. Classes that are ignored, and weights of classes
//! and samples: [`CrossEntropy`]; of other losses [`weighted_mean`].
//!
//! A prediction and its target have one shape, here and in those methods: nothing is broadcast, since a prediction \[n\]
//! against a target [n, 1] would quietly compare all pairs. A mean over no samples is no number: a loss of an empty batch
//! panics, with the line that asked for it. No vjp stands here, and no kernel: a loss is a formula on the methods of [`Var`].

mod classes;

pub use classes::CrossEntropy;

use crate::ops::{Real, Reduction};
use crate::pointwise::{AbsoluteError, BceWithLogits, Binary, Huber, KlDiv, SquaredError};
use crate::tape::{Indices, Operand, Var};

/// Mean squared error: the mean of (a − b)² over all elements.
///
/// # Panics
/// If the shapes differ, or there are no elements.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, loss};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let prediction = r.constant(&Tensor::from([1.0, 2.0]));
/// let target = r.constant(&Tensor::from([1.0, 4.0]));
/// assert_eq!(loss::mse(prediction, target).item(), 2.0);
/// ```
#[track_caller]
pub fn mse<'r, T: Real>(prediction: Var<'r, T>, target: Var<'r, T>) -> Var<'r, T> {
    prediction.zip_sum(target, Binary::SquaredError(SquaredError {}), Reduction::Mean)
}

/// Mean absolute error: the mean of |a − b| over all elements.
///
/// # Panics
/// If the shapes differ, or there are no elements.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, loss};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let prediction = r.constant(&Tensor::from([1.0, 2.0]));
/// let target = r.constant(&Tensor::from([1.0, 6.0]));
/// assert_eq!(loss::mae(prediction, target).item(), 2.0);
/// ```
#[track_caller]
pub fn mae<'r, T: Real>(prediction: Var<'r, T>, target: Var<'r, T>) -> Var<'r, T> {
    prediction.zip_sum(target, Binary::AbsoluteError(AbsoluteError {}), Reduction::Mean)
}

/// Huber's loss: ½ (a − b)² where |a − b| ≤ `delta`, linear beyond; the mean over all elements.
///
/// Source: P. J. Huber, Robust Estimation of a Location Parameter, 1964.
///
/// # Panics
/// If the shapes differ, or there are no elements.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, loss};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let prediction = r.constant(&Tensor::from([1.0, 2.0]));
/// let target = r.constant(&Tensor::from([1.0, 6.0]));
/// assert_eq!(loss::huber(prediction, target, 1.0).item(), (0.0 + 3.5) / 2.0);
/// ```
#[track_caller]
pub fn huber<'r, T: Real>(prediction: Var<'r, T>, target: Var<'r, T>, delta: f64) -> Var<'r, T> {
    prediction.zip_sum(target, Binary::Huber(Huber { delta }), Reduction::Mean)
}

/// Binary cross-entropy of σ(logits) with target probabilities, without overflow; the mean over all elements.
///
/// # Panics
/// If the shapes differ, or there are no elements.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, loss};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let logits = r.constant(&Tensor::from([0.0, 1000.0]));
/// let target = r.constant(&Tensor::from([0.0, 1.0]));
/// assert_eq!(loss::bce_with_logits(logits, target).item(), 2f64.ln() / 2.0);
/// ```
#[track_caller]
pub fn bce_with_logits<'r, T: Real>(logits: Var<'r, T>, target: Var<'r, T>) -> Var<'r, T> {
    logits.zip_sum(target, Binary::BceWithLogits(BceWithLogits {}), Reduction::Mean)
}

/// Binary cross-entropy of σ(logits) whose positives weigh more: (1 − t) ln(1 + eᶻ) + p t ln(1 + e⁻ᶻ) for logits z, target
/// probabilities t and the weight p of positives, a number or one for each column; the mean over all elements.
///
/// For another reduction, or weights of elements: [`bce_weighted`].
///
/// # Panics
/// If the shapes differ, there are no elements, or weights do not broadcast to them.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, loss};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let logits = r.constant(&Tensor::from([0.0, 0.0]));
/// let target = r.constant(&Tensor::from([0.0, 1.0]));
/// let loss = loss::bce_with_positives(logits, target, 3.0).item();
/// approx::assert_relative_eq!(loss, 2.0 * 2f64.ln(), max_relative = 1e-12);
/// ```
#[doc(alias = "pos_weight")]
#[track_caller]
pub fn bce_with_positives<'r, T: Real>(
    logits: Var<'r, T>,
    target: Var<'r, T>,
    positive: impl Operand<'r, T>,
) -> Var<'r, T> {
    bce_weighted(logits, target, positive).mean()
}

/// The loss of each element that [`bce_with_positives`] takes the mean of: to be multiplied by weights of one's own, and
/// reduced.
///
/// # Panics
/// If the shapes differ, or weights do not broadcast to them.
#[track_caller]
pub fn bce_weighted<'r, T: Real>(
    logits: Var<'r, T>,
    target: Var<'r, T>,
    positive: impl Operand<'r, T>,
) -> Var<'r, T> {
    let (own, given) = (logits.shape(), target.shape());
    assert!(own == given, "bce_weighted: {own} and {given} must be the same shape");
    // Both terms are positive: nothing cancels, whatever the logits are.
    let losses = (1.0 - target) * logits.softplus() + target * positive * (-logits).softplus();
    let shape = losses.shape();
    assert!(shape == own, "bce_weighted: weights of positives broadcast {own} to {shape}");
    losses
}

/// Σ w l / Σ w: the mean of losses that weigh more or less. The losses of a regression's samples are
/// [`zip_sum`](Var::zip_sum)s with [`Reduction::Each`].
///
/// # Panics
/// If the shapes differ, or the weights sum to 0 or less, or NaN: a mean over nothing is no number.
///
/// ```
/// use quietgrad::pointwise::{Binary, SquaredError};
/// use quietgrad::{Params, Reduction, Tape, Tensor, loss};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let [a, b] = [[[1.0], [2.0]], [[0.0], [5.0]]].map(|x| r.constant(&Tensor::from(x)));
/// let each = a.zip_sum(b, Binary::SquaredError(SquaredError {}), Reduction::Each);
/// let mean = loss::weighted_mean(each, r.constant(&Tensor::from([3.0, 1.0])));
/// assert_eq!(mean.item(), (3.0 * 1.0 + 9.0) / 4.0);
/// ```
#[doc(alias = "sample_weight")]
#[track_caller]
pub fn weighted_mean<'r, T: Real>(losses: Var<'r, T>, weights: Var<'r, T>) -> Var<'r, T> {
    let (own, given) = (losses.shape(), weights.shape());
    assert!(own == given, "weighted_mean: losses {own} and weights {given} must be the same shape");
    over_weights(losses * weights, weights)
}

/// Σ l / Σ w, of losses that have their weights already.
#[track_caller]
fn over_weights<'r, T: Real>(losses: Var<'r, T>, weights: Var<'r, T>) -> Var<'r, T> {
    let total = weights.sum();
    let counts = total.item().to_f64();
    assert!(
        counts > 0.0,
        "the weights of all losses sum to {counts}: there is nothing to take the mean over"
    );
    losses.sum() / total
}

/// The mean of errors over the elements that count: Σ m e / Σ m, for errors of each element, such as
/// `(prediction - target).square()`, whose first axes are those of the mask m, 1 where they count and 0 where not. 0 if none
/// counts. An error that does not count may be NaN; but what made it has a slope of NaN there, and hands that on: where a
/// target is NaN, choose with [`where_cond`](Var::where_cond) before.
///
/// # Panics
/// If the mask's axes are not the first ones of the errors.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, loss};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let prediction = r.constant(&Tensor::from([[[1.0, 1.0], [3.0, 5.0], [9.0, 9.0]]])); // two steps, padded to three
/// let target = r.constant(&Tensor::from([[[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]]));
/// let mask = r.mask(&[2], 3);
/// assert_eq!(loss::masked_mean((prediction - target).square(), mask).item(), (4.0 + 16.0) / 4.0);
/// ```
#[track_caller]
pub fn masked_mean<'r, T: Real>(errors: Var<'r, T>, mask: Var<'r, T>) -> Var<'r, T> {
    let (of, shape) = (errors.shape(), mask.shape());
    assert!(
        of.starts_with(&shape),
        "masked_mean: a mask of shape {shape} does not fit the first axes of {of}"
    );
    let each: usize = of[shape.rank()..].iter().product();
    let (mut weights, count) = (mask, mask.sum() * each as f64);
    while weights.shape().rank() < of.rank() {
        weights = weights.unsqueeze(weights.shape().rank());
    }
    let r = errors.recording();
    // A mask that is itself differentiated is a weight, and its slope is the error.
    let counted =
        if mask.is_active() { errors * weights } else { weights.where_cond(errors * weights, r.scalar(0.0)) };
    counted.sum() / count.le(r.scalar(0.0)).where_cond(r.scalar(f64::INFINITY), count)
}

/// Cross-entropy of softmax(logits) with class numbers; classes lie along the last axis; the mean over samples.
///
/// # Panics
/// If there is not one class a sample, one is out of range, or there are no samples.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, loss};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let logits = r.constant(&Tensor::from([[0.0, 0.0], [1000.0, 0.0]]));
/// let classes = r.indices([2], &[1, 0]);
/// assert_eq!(loss::cross_entropy(logits, classes).item(), 2f64.ln() / 2.0);
/// ```
#[track_caller]
pub fn cross_entropy<'r, T: Real>(logits: Var<'r, T>, classes: Indices<'r, T>) -> Var<'r, T> {
    logits.cross_entropy(classes, Reduction::Mean)
}

/// Negative log-likelihood of class numbers under log-probabilities; classes lie along the last axis; the mean over
/// samples. [`cross_entropy`] takes logits and does both steps in one.
///
/// # Panics
/// If there is not one class a sample, one is out of range, or there are no samples.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, loss};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let log_p = r.constant(&Tensor::from([[-0.5, -1.0], [-2.0, -0.25]]));
/// assert_eq!(loss::nll(log_p, r.indices([2], &[0, 1])).item(), (0.5 + 0.25) / 2.0);
/// ```
#[track_caller]
pub fn nll<'r, T: Real>(log_probabilities: Var<'r, T>, classes: Indices<'r, T>) -> Var<'r, T> {
    log_probabilities.nll(classes, Reduction::Mean)
}

/// The Kullback-Leibler divergence Σ t (ln t − z) of target distributions t from predicted ones with log-probabilities
/// z, the mean over samples (PyTorch's `batchmean`). Where t = 0 nothing is added.
///
/// For another reduction, or a target of log-probabilities, call [`Var::zip_sum`] with `KlDiv` or `KlDivLog`.
///
/// # Panics
/// If the shapes differ, or there are no elements.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, loss};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let target = r.constant(&Tensor::from([[1.0, 0.0], [0.5, 0.5]]));
/// let log_p = r.constant(&Tensor::from([[0.5f64.ln(), 0.5f64.ln()], [0.5f64.ln(), 0.5f64.ln()]]));
/// approx::assert_relative_eq!(loss::kl_div(log_p, target).item(), 2f64.ln() / 2.0, max_relative = 1e-12);
/// ```
#[track_caller]
pub fn kl_div<'r, T: Real>(log_probabilities: Var<'r, T>, target: Var<'r, T>) -> Var<'r, T> {
    log_probabilities.zip_sum(target, Binary::KlDiv(KlDiv {}), Reduction::PerSample)
}

/// The cosine of the angle between a and b along an axis, Σ (a / ‖a‖) (b / ‖b‖), whatever their lengths: 1 where they point
/// the same way. Where either is the zero vector it is 0, with slope 0: there is no angle, and no direction in which one would
/// begin. A loss is 1 minus its mean.
///
/// # Panics
/// If there is no such axis or the shapes do not broadcast.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, loss};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let a = r.constant(&Tensor::from([[3.0, 4.0], [0.0, 0.0]]));
/// let b = r.constant(&Tensor::from([[8.0, 6.0], [1.0, 0.0]]));
/// assert_eq!(loss::cosine_similarity(a, b, 1).value(), Tensor::from([0.96, 0.0]));
/// ```
#[track_caller]
pub fn cosine_similarity<'r, T: Real>(a: Var<'r, T>, b: Var<'r, T>, axis: usize) -> Var<'r, T> {
    (direction(a, axis) * direction(b, axis)).sum_axes([axis])
}

/// Each vector along an axis divided by its length; the zero vector is divided by ∞, so that it stays 0 and has no slope.
#[track_caller]
fn direction<T: Real>(x: Var<'_, T>, axis: usize) -> Var<'_, T> {
    let (r, length) = (x.recording(), x.l2_norm_axes([axis]).unsqueeze(axis));
    x / length.le(r.scalar(0.0)).where_cond(r.scalar(f64::INFINITY), length)
}
