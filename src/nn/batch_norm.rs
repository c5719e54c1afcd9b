//! Normalization of each channel over a batch, with running statistics for evaluation.

use crate::element::Element;
use crate::nn::{expect_size, norm::scale_and_shift};
use crate::ops::Real;
use crate::params::{ParamId, Params};
use crate::tape::Var;
use crate::tensor::{Axes, Tensor};

/// y = (x − mean) / √(variance + ε) · s + b for each channel: in training by the statistics of the batch, in evaluation by
/// running ones.
///
/// Both are functions to be called, and there is no mode to be in. [`train`](BatchNorm::train) normalizes by the mean and the
/// biased variance of a channel over all samples (and pixels, or steps); the gradient flows through both. It leaves them in a
/// [`BatchStatistics`], from which [`follow`](BatchNorm::follow) moves the running statistics after the step.
/// [`forward`](BatchNorm::forward) reads the running ones. They are [frozen](Params::freeze) parameters, `name.mean` and
/// `name.variance`, so that they are saved, loaded and averaged with the model.
///
/// Source: S. Ioffe and C. Szegedy, Batch Normalization, 2015.
///
/// ```
/// use quietgrad::nn::{BatchNorm, BatchStatistics};
/// use quietgrad::{Params, Tape, Tensor};
///
/// let mut params = Params::<f64>::new();
/// let norm = BatchNorm::new(&mut params, "norm", 1);
/// let (mut tape, mut seen) = (Tape::new(), BatchStatistics::new());
/// let x = Tensor::from([[1.0], [3.0]]);
///
/// let r = tape.record(&params);
/// let y = norm.train(r.constant(&x), &mut seen); // then the loss, the sweep and the optimizer's step
/// assert!((y.value()[[1, 0]] - 1.0).abs() < 1e-5);
/// norm.follow(&mut params, &seen);
/// assert_eq!(params.get(norm.mean), [0.1 * 2.0]);
///
/// let r = tape.record(&params);
/// let y = norm.forward(r.constant(&x)); // evaluation
/// assert!((y.value()[[1, 0]] - 2.8 / 1.1f64.sqrt()).abs() < 1e-4);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm {
    /// \[channels\], at first 1.
    pub scale: ParamId,
    /// \[channels\], at first 0.
    pub shift: ParamId,
    /// The running mean, \[channels\], at first 0.
    pub mean: ParamId,
    /// The running variance, \[channels\], at first 1.
    pub variance: ParamId,
    /// The axis of channels: at first 1.
    pub axis: usize,
    /// What is added to the variance, inside of the root: at first 1e-5.
    pub eps: f64,
    /// How the running statistics follow: at first [`Running::pytorch(0.1)`](Running::pytorch).
    pub running: Running,
}

/// How running statistics follow those of batches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Running {
    /// What share of itself the running statistic keeps.
    pub keep: f64,
    /// What share of the batch's is added.
    pub take: f64,
    /// Whether the running variance follows the unbiased one, Σ (x − mean)² / (n − 1), though it is the biased one that a
    /// batch is normalized by.
    pub unbiased: bool,
}

impl Running {
    /// PyTorch's convention: running = (1 − momentum) running + momentum batch, of the unbiased variance. Its default is 0.1.
    ///
    /// # Panics
    /// Here and below: if the momentum is not between 0 and 1.
    #[track_caller]
    pub fn pytorch(momentum: f64) -> Self {
        check_momentum("Running::pytorch", momentum);
        Running { keep: 1.0 - momentum, take: momentum, unbiased: true }
    }

    /// Keras' convention: running = momentum running + (1 − momentum) batch, of the biased variance. Its default is 0.99.
    #[track_caller]
    pub fn keras(momentum: f64) -> Self {
        check_momentum("Running::keras", momentum);
        Running { keep: momentum, take: 1.0 - momentum, unbiased: false }
    }
}

#[track_caller]
fn check_momentum(method: &str, momentum: f64) {
    assert!((0.0..=1.0).contains(&momentum), "{method}: a momentum of {momentum} is not between 0 and 1");
}

/// Mean and biased variance of each channel of a batch, and of how many numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchStatistics<T> {
    mean: Vec<T>,
    variance: Vec<T>,
    count: usize,
}

impl<T: Element> BatchStatistics<T> {
    /// Statistics of no batch yet.
    pub fn new() -> Self {
        BatchStatistics { mean: Vec::new(), variance: Vec::new(), count: 0 }
    }

    /// The mean of each channel.
    pub fn mean(&self) -> &[T] {
        &self.mean
    }

    /// The biased variance of each channel.
    pub fn variance(&self) -> &[T] {
        &self.variance
    }
}

impl<T: Element> Default for BatchStatistics<T> {
    fn default() -> Self {
        BatchStatistics::new()
    }
}

impl BatchNorm {
    /// Adds `name.scale` and `name.shift`, and the frozen `name.mean` and `name.variance`, to the parameters.
    ///
    /// # Panics
    /// If there are parameters of these names already.
    #[track_caller]
    pub fn new<T: Real>(params: &mut Params<T>, name: &str, channels: usize) -> Self {
        let [scale, shift] = scale_and_shift(params, name, channels);
        let mean = params.add(format!("{name}.mean"), Tensor::zeros([channels]));
        let variance = params.add(format!("{name}.variance"), Tensor::ones([channels]));
        params.freeze(mean);
        params.freeze(variance);
        BatchNorm { scale, shift, mean, variance, axis: 1, eps: 1e-5, running: Running::pytorch(0.1) }
    }

    /// Normalizes a batch by its own statistics, and leaves them in `seen`.
    ///
    /// # Panics
    /// If x has another number of channels, or a channel has one number only, which has no variance. Then `seen` is as it was.
    #[track_caller]
    pub fn train<'r, T: Real>(&self, x: Var<'r, T>, seen: &mut BatchStatistics<T>) -> Var<'r, T> {
        expect_size(x, self.axis, self.scale, ".scale");
        let (r, shape) = (x.recording(), x.shape());
        let learned = [r.param(self.scale), r.param(self.shift)];
        let (y, [mean, variance]) = normalize_batch(x, self.axis, self.eps, learned);
        let channels = shape[self.axis];
        seen.mean.resize(channels, T::ZERO);
        seen.variance.resize(channels, T::ZERO);
        mean.copy_to(&mut seen.mean);
        variance.copy_to(&mut seen.variance);
        seen.count = shape.elements() / channels.max(1);
        y
    }

    /// Moves the running statistics towards those of a batch: after the step, and once for each batch.
    ///
    /// # Panics
    /// If nothing was seen yet, or in a layer with another number of channels.
    #[track_caller]
    pub fn follow<T: Real>(&self, params: &mut Params<T>, seen: &BatchStatistics<T>) {
        let Running { keep, take, unbiased } = self.running;
        let (channels, given) = (params.get(self.mean).len(), seen.mean.len());
        assert!(seen.count > 1, "BatchNorm::follow: no batch was seen yet");
        assert!(
            channels == given,
            "BatchNorm::follow: statistics of {given} channels, and the layer has {channels}"
        );
        let count = seen.count as f64;
        let of_variance = if unbiased { take * count / (count - 1.0) } else { take };
        for (id, seen, take) in [(self.mean, &seen.mean, take), (self.variance, &seen.variance, of_variance)]
        {
            for (running, &seen) in params.get_mut(id).iter_mut().zip(seen) {
                *running = T::from_f64(keep) * *running + T::from_f64(take) * seen;
            }
        }
    }

    /// Normalizes by the running statistics: for evaluation.
    ///
    /// # Panics
    /// If x has another number of channels.
    #[track_caller]
    pub fn forward<'r, T: Real>(&self, x: Var<'r, T>) -> Var<'r, T> {
        expect_size(x, self.axis, self.scale, ".scale");
        let r = x.recording();
        let [scale, shift] = [r.param(self.scale), r.param(self.shift)];
        normalize(x, self.axis, self.eps, [r.param(self.mean), r.param(self.variance)], [scale, shift])
    }
}

/// (x − mean) / √(variance + ε) · s + b for each index of an axis, by the statistics of the batch, over all other axes; and
/// those: the mean and the biased variance, \[channels\]. What [`BatchNorm::train`] does, with no parameters of its own.
///
/// # Panics
/// If there is no such axis, scale or shift are not one number for each index of it, ε is not positive, or a channel has one
/// number only, which has no variance.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, nn};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let x = r.input(&Tensor::from([[1.0], [3.0]]));
/// let learned = [10.0, 1.0].map(|x| r.constant(&Tensor::from([x])));
/// let (y, [mean, variance]) = nn::normalize_batch(x, 1, 1e-12, learned);
/// assert!((y.value()[[1, 0]] - 11.0).abs() < 1e-9);
/// assert_eq!((mean.item(), variance.item()), (2.0, 1.0));
/// ```
#[track_caller]
pub fn normalize_batch<'r, T: Real>(
    x: Var<'r, T>,
    axis: usize,
    eps: f64,
    learned: [Var<'r, T>; 2],
) -> (Var<'r, T>, [Var<'r, T>; 2]) {
    let shape = x.shape();
    assert!(axis < shape.rank(), "normalize_batch: no axis {axis} in a tensor of shape {shape}");
    let others = Axes::all_but(axis, shape.rank());
    let count = others.count(&shape);
    assert!(
        count > 1,
        "normalize_batch: a channel of {shape} has {count} numbers: there is no variance to train by"
    );
    let mean = x.mean_axes(others);
    // The center's own part of the slope is 0, because Σ (x − mean) is.
    let variance = x.mean_square_about(mean.detach(), others);
    (normalize(x, axis, eps, [mean, variance], learned), [mean, variance])
}

/// (x − mean) / √(variance + ε) · scale + shift, with a number of each for every index of an axis.
#[track_caller]
fn normalize<'r, T: Real>(
    x: Var<'r, T>,
    axis: usize,
    eps: f64,
    [mean, variance]: [Var<'r, T>; 2],
    [scale, shift]: [Var<'r, T>; 2],
) -> Var<'r, T> {
    assert!(T::from_f64(eps) > T::ZERO, "normalize_batch: ε is {eps}, and must be positive");
    x.affine_about(axis, mean, (variance + eps).rsqrt() * scale, shift)
}
