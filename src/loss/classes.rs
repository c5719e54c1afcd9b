//! A classifier's loss, told what counts how much.

use crate::loss::over_weights;
use crate::ops::{Real, Reduction};
use crate::tape::{Indices, Var};

/// The cross-entropy of softmax(logits) with targets, of which some count less than others, or not at all.
///
/// Each target has the weight of its class times that of its sample, 1 where none is given, and 0 if its class is ignored. The
/// mean is Σ weight · loss / Σ weight: it divides by the weights of the targets that count.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, loss::CrossEntropy};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let logits = r.constant(&Tensor::from([[0.0, 0.0], [7.0, 1.0], [0.0, 3f64.ln()]]));
/// let words = r.indices([3], &[1, 0, 0]);
/// let padding_is_0 = CrossEntropy::new().ignore(0).of(logits, words);
/// assert_eq!(padding_is_0.item(), 2f64.ln());
///
/// let rare = r.constant(&Tensor::from([1.0, 3.0]));
/// let last = r.constant(&Tensor::from([1.0, 0.0, 1.0]));
/// let loss = CrossEntropy::new().class_weights(rare).sample_weights(last).of(logits, words);
/// approx::assert_relative_eq!(loss.item(), (3.0 * 2f64.ln() + 4f64.ln()) / 4.0, max_relative = 1e-12);
/// ```
#[derive(Clone, Copy)]
#[must_use]
pub struct CrossEntropy<'r, T> {
    smoothing: f64,
    ignored: Option<usize>,
    class_weights: Option<Var<'r, T>>,
    sample_weights: Option<Var<'r, T>>,
    reduction: Reduction,
}

impl<T> Default for CrossEntropy<'_, T> {
    fn default() -> Self {
        CrossEntropy {
            smoothing: 0.0,
            ignored: None,
            class_weights: None,
            sample_weights: None,
            reduction: Reduction::Mean,
        }
    }
}

impl<'r, T: Real> CrossEntropy<'r, T> {
    /// The mean over all targets, of one weight each: [`loss::cross_entropy`](crate::loss::cross_entropy).
    pub fn new() -> Self {
        CrossEntropy::default()
    }

    /// Each class has the target probability `smoothing` / classes, and the named one 1 − `smoothing` more. With class weights
    /// each class's term has the weight of that class.
    pub fn smoothing(self, smoothing: f64) -> Self {
        CrossEntropy { smoothing, ..self }
    }

    /// Targets of this class do not count: padding. Nothing of their logits' rows is read, be they NaN, and nothing flows back.
    #[doc(alias = "ignore_index")]
    pub fn ignore(self, class: usize) -> Self {
        CrossEntropy { ignored: Some(class), ..self }
    }

    /// A weight for each class, \[classes\].
    pub fn class_weights(self, weights: Var<'r, T>) -> Self {
        CrossEntropy { class_weights: Some(weights), ..self }
    }

    /// A weight for each target, of the targets' shape.
    #[doc(alias = "sample_weight")]
    pub fn sample_weights(self, weights: Var<'r, T>) -> Self {
        CrossEntropy { sample_weights: Some(weights), ..self }
    }

    /// What becomes of the weighted losses: their weighted mean, their sum, their sum divided by the number of targets
    /// ([`Reduction::PerSample`]), or each by itself.
    pub fn reduction(self, reduction: Reduction) -> Self {
        CrossEntropy { reduction, ..self }
    }

    /// The loss of logits [.., classes] with class numbers \[..\].
    ///
    /// # Panics
    /// If there is not one class a row, one is out of range (ignored ones as well), the smoothing is not between 0 and 1,
    /// weights have another shape, or of a mean the weights sum to 0, as where all targets are ignored: a mean over nothing is
    /// no number.
    #[track_caller]
    pub fn of(self, logits: Var<'r, T>, classes: Indices<'r, T>) -> Var<'r, T> {
        self.check(logits);
        let weights = self.weights_of(classes);
        let Some(of_classes) = self.class_weights.filter(|_| self.smoothing > 0.0) else {
            let losses = logits.cross_entropy_smoothed(classes, self.smoothing, Reduction::Each);
            return self.reduce(weighted(losses, weights), weights, Some(classes));
        };
        let count = *logits.shape().last().expect("class weights have been read for each");
        let named = classes.one_hot(count) * (1.0 - self.smoothing) + self.smoothing / count as f64;
        let losses = logits.cross_entropy_soft(named * of_classes, Reduction::Each);
        self.reduce(losses, weights, Some(classes))
    }

    /// The loss of log-probabilities [.., classes] with class numbers: the negative log-likelihood.
    ///
    /// # Panics
    /// As [`of`](CrossEntropy::of), and if labels are to be smoothed.
    #[track_caller]
    pub fn nll(self, log_probabilities: Var<'r, T>, classes: Indices<'r, T>) -> Var<'r, T> {
        assert!(self.smoothing == 0.0, "nll: labels are smoothed where logits are given, by `of`");
        self.check(log_probabilities);
        let weights = self.weights_of(classes);
        let losses = log_probabilities.nll(classes, Reduction::Each);
        self.reduce(weighted(losses, weights), weights, Some(classes))
    }

    /// The loss of logits with target probabilities of their shape. A class weight is that of the class's term; the mean
    /// divides by the weights of samples alone.
    ///
    /// # Panics
    /// If the shapes differ, weights have another shape, the smoothing is not between 0 and 1, a class is to be ignored, or the
    /// weights of samples sum to 0.
    #[track_caller]
    pub fn soft(self, logits: Var<'r, T>, target: Var<'r, T>) -> Var<'r, T> {
        assert!(
            self.ignored.is_none(),
            "soft: targets that are probabilities are ignored by a sample weight of 0"
        );
        self.check(logits);
        let Some(of_classes) = self.class_weights else {
            let losses = logits.cross_entropy_soft_smoothed(target, self.smoothing, Reduction::Each);
            return self.reduce(losses, None, None);
        };
        let spread = self.smoothing / target.shape().last().map_or(1.0, |&count| count as f64);
        let target = (target * (1.0 - self.smoothing) + spread) * of_classes;
        self.reduce(logits.cross_entropy_soft(target, Reduction::Each), None, None)
    }

    /// Panics if class weights are not one for each class, or the smoothing makes no sense.
    #[track_caller]
    fn check(self, logits: Var<'r, T>) {
        let smoothing = self.smoothing;
        assert!(
            (0.0..=1.0).contains(&smoothing),
            "cross_entropy: a smoothing of {smoothing} is not between 0 and 1"
        );
        let Some(weights) = self.class_weights else { return };
        let (given, shape) = (weights.shape(), logits.shape());
        let fits = given.rank() == 1 && given.last() == shape.last();
        assert!(fits, "cross_entropy: class weights {given} are not one for each class of logits {shape}");
    }

    /// The weight of each target's class.
    #[track_caller]
    fn weights_of(self, classes: Indices<'r, T>) -> Option<Var<'r, T>> {
        // No `map`: a closure would stand between the op and the caller's line.
        Some(self.class_weights?.embedding(classes))
    }

    /// Losses that have the weights of their classes already are given those of their samples, and reduced.
    #[track_caller]
    fn reduce(
        self,
        losses: Var<'r, T>,
        of_classes: Option<Var<'r, T>>,
        classes: Option<Indices<'r, T>>,
    ) -> Var<'r, T> {
        if let Some(weights) = self.sample_weights {
            let (own, given) = (losses.shape(), weights.shape());
            assert!(
                own == given,
                "cross_entropy: sample weights {given} are not one for each target of {own}"
            );
        }
        let mut losses = weighted(losses, self.sample_weights);
        let mut weights = of_classes;
        if let Some(own) = self.sample_weights {
            weights = Some(weighted(own, weights));
        }
        if let (Some(classes), Some(ignored)) = (classes, self.ignored) {
            let counts = classes.is_not(ignored);
            losses = counts.where_cond(losses, losses.recording().scalar(0.0));
            weights = Some(weighted(counts, weights));
        }
        match (self.reduction, weights) {
            (Reduction::Each, _) => losses,
            (Reduction::Sum, _) => losses.sum(),
            (Reduction::Mean, Some(weights)) => over_weights(losses, weights),
            (Reduction::Mean, None) | (Reduction::PerSample, _) => losses.mean(),
        }
    }
}

/// Each number times its weight, or as it is if there are no weights.
#[track_caller]
fn weighted<'r, T: Real>(x: Var<'r, T>, weights: Option<Var<'r, T>>) -> Var<'r, T> {
    if let Some(weights) = weights { x * weights } else { x }
}
