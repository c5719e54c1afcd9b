//! y = −Σ t log softmax(z) over classes, from logits: the loss of a classifier, without overflow.

use crate::element::Element;
use crate::kernels::{OneByOne, map, put, softmax::for_each_log_sum, sum, sum_each, sum_pairs};
use crate::matrix::size;
use crate::ops::{Real, Reduction, Rule, Sample, index, no_mean};
use crate::tape::{Cotangents, Indices, Var};
use crate::tensor::shape::Show;
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// The cross-entropy of softmax(logits) with targets, reduced to a scalar, or of each target. Classes lie along the last axis.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CrossEntropy {
    /// What the target is.
    pub target: Target,
    /// The part of the probability that is spread evenly over all classes; the rest is the target's.
    pub smoothing: f64,
    /// What the sum over samples is divided by; a mean is per sample, not per class.
    pub reduction: Reduction,
}

/// The target of a [`CrossEntropy`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Target {
    /// A class number for each sample.
    Index,
    /// A probability for each class of each sample.
    Probability,
}

impl CrossEntropy {
    /// How many samples the sum is divided by.
    fn divisor(&self, logits: &[usize]) -> usize {
        match self.reduction {
            Reduction::Sum | Reduction::Each => 1,
            Reduction::Mean | Reduction::PerSample => size::product(&logits[..logits.len() - 1]),
        }
    }

    /// What a target's probability is multiplied by, and what each class gets besides.
    fn shares<T: Element>(&self, classes: usize) -> (T, T) {
        (T::from_f64(1.0 - self.smoothing), T::from_f64(self.smoothing / classes as f64))
    }
}

impl Rule for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn arguments(&self) -> String {
        let target = if self.target == Target::Probability { "probabilities, " } else { "" };
        let smoothing = match self.smoothing {
            0.0 => String::new(),
            smoothing => format!("smoothing {smoothing}, "),
        };
        format!("{target}{smoothing}{}", self.reduction.name())
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        let (logits, target) = (x[0], x[1]);
        let fits = match (self.target, logits) {
            (_, [] | [.., 0]) => false,
            (Target::Index, [samples @ .., _]) => samples == target,
            (Target::Probability, _) => logits == target,
        };
        if fits && self.divisor(logits) == 0 {
            return Err(no_mean(logits, "samples"));
        }
        if fits && self.reduction == Reduction::Each {
            return Ok(logits[..logits.len() - 1].into());
        }
        if fits {
            return Ok(Shape::scalar());
        }
        Err(ShapeError::new(format!(
            "logits {} do not fit targets {}: {} wanted",
            Show(logits),
            Show(target),
            match self.target {
                Target::Index => "a class for each row",
                Target::Probability => "the same shape, with a class axis",
            }
        )))
    }

    fn indices(&self, x: &[&[usize]]) -> Option<(usize, usize)> {
        (self.target == Target::Index).then_some((1, *x.first()?.last()?))
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let (z, t) = (x[0].data, x[1].data);
        let classes = x[0].shape[x[0].shape.len() - 1];
        let (keep, spread) = self.shares::<T>(classes);
        let mut losses = OneByOne::default();
        for_each_log_sum(z, classes, &mut |row, shift, log| {
            let place = row * classes..(row + 1) * classes;
            let z = &z[place.clone()];
            // A class that had the probability 1 would have the loss ln Σ e^z − z.
            let mut loss = match self.target {
                Target::Index => keep * (log - (z[index(t[row])] - shift)),
                Target::Probability => {
                    sum_pairs(&t[place], z, |[t, z]: [T; 2]| keep * t * (log - (z - shift)))
                }
            };
            if self.smoothing > 0.0 {
                loss += spread * sum_each(z, |[z]: [T; 1]| log - (z - shift));
            }
            match self.reduction {
                Reduction::Each => y.data[row] = loss,
                _ => losses.add(loss),
            }
        });
        if self.reduction != Reduction::Each {
            y.data[0] = losses.total() / T::from_f64(self.divisor(x[0].shape) as f64);
        }
    }

    /// In the forward pass, for the smoothed target t' = keep t + spread, the loss was Σ t' (ln Σ e^z − z), whose slopes by
    /// z are e^z / Σ e^z Σt' − t'. So:
    ///
    /// gz = g (softmax(z) Σt' − t'), gt = −g keep log softmax(z)
    ///
    /// Of each target's loss, g is that of the target. Where it is 0, because the target is ignored, so is the row, whatever
    /// its logits are.
    fn vjp<T: Element>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let (z, t) = (x[0].data, x[1].data);
        let classes = x[0].shape[x[0].shape.len() - 1];
        let (keep, spread) = self.shares::<T>(classes);
        let one = gy.data.first().map(|&g| g / T::from_f64(self.divisor(x[0].shape) as f64));
        let g_of = |row: usize| match self.reduction {
            Reduction::Each => gy.data[row],
            _ => one.unwrap_or(T::ZERO),
        };
        let ignored = |g: T| self.reduction == Reduction::Each && g.adds_nothing();
        gx.add(0, |gz, accum| {
            for_each_log_sum(z, classes, &mut |row, shift, log| {
                let place = row * classes..(row + 1) * classes;
                let (z, gz, g) = (&z[place.clone()], &mut gz.data[place.clone()], g_of(row));
                match self.target {
                    _ if ignored(g) => put(gz, std::iter::repeat(T::ZERO), accum),
                    Target::Index => {
                        map([z], gz, accum, |[z]: [T; 1]| g * (((z - shift) - log).exp() - spread));
                        gz[index(t[row])] += -g * keep;
                    }
                    Target::Probability => {
                        let t = &t[place];
                        let total = keep * sum(t) + T::from_f64(self.smoothing);
                        let slope =
                            |[z, t]: [T; 2]| g * (((z - shift) - log).exp() * total - (keep * t + spread));
                        map([z, t], gz, accum, slope);
                    }
                }
            });
        });
        if self.target != Target::Probability {
            return;
        }
        gx.add(1, |gt, accum| {
            for_each_log_sum(z, classes, &mut |row, shift, log| {
                let (place, g) = (row * classes..(row + 1) * classes, g_of(row));
                if ignored(g) {
                    return put(&mut gt.data[place], std::iter::repeat(T::ZERO), accum);
                }
                map([&z[place.clone()]], &mut gt.data[place], accum, |[z]: [T; 1]| {
                    g * keep * (log - (z - shift))
                });
            });
        });
    }

    fn samples() -> Vec<Sample> {
        let mut samples = Vec::new();
        for reduction in [Reduction::Sum, Reduction::Mean, Reduction::Each] {
            for shape in [&[5, 4][..], &[2, 3, 4], &[3, 1], &[4]] {
                let rows = Shape::from(&shape[..shape.len() - 1]);
                for smoothing in [0.0, 0.2] {
                    let op = CrossEntropy { target: Target::Probability, smoothing, reduction };
                    samples.push(Sample::within(op, [(shape, (-2.0, 2.0)), (shape, (0.1, 1.0))]));
                    let op = CrossEntropy { target: Target::Index, ..op };
                    samples.push(Sample::indexed(op, [shape, &rows], shape[shape.len() - 1]));
                }
            }
        }
        for reduction in [Reduction::Sum, Reduction::Each] {
            let op = CrossEntropy { target: Target::Probability, smoothing: 0.0, reduction };
            samples.push(Sample::new(op, [&[0, 3], &[0, 3]]));
        }
        samples
    }
}

#[track_caller]
fn check_smoothing(smoothing: f64) {
    assert!(
        (0.0..=1.0).contains(&smoothing),
        "cross_entropy: a smoothing of {smoothing} is not between 0 and 1"
    );
}

/// # Cross-entropy
impl<'r, T: Real> Var<'r, T> {
    /// −Σ log softmax(logits)\[class\], or the mean over samples; classes lie along the last axis. With classes to be ignored,
    /// or weights: [`loss::CrossEntropy`](crate::loss::CrossEntropy).
    ///
    /// # Panics
    /// If there is not one class number a row, one is out of range, or there are no samples to take the mean over.
    ///
    /// ```
    /// use quietgrad::{Params, Reduction, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let logits = r.constant(&Tensor::from([[0.0, 0.0], [1000.0, 0.0]]));
    /// let loss = logits.cross_entropy(r.indices([2], &[1, 0]), Reduction::Mean);
    /// assert_eq!(loss.item(), 2f64.ln() / 2.0);
    /// ```
    #[track_caller]
    pub fn cross_entropy(self, classes: Indices<'r, T>, reduction: Reduction) -> Self {
        self.cross_entropy_smoothed(classes, 0.0, reduction)
    }

    /// [`cross_entropy`](Var::cross_entropy) with label smoothing: each class has the target probability `smoothing` /
    /// classes, and the named one 1 − `smoothing` more.
    ///
    /// Source: C. Szegedy et al., Rethinking the Inception Architecture for Computer Vision, 2016, section 7.
    ///
    /// # Panics
    /// As `cross_entropy`, or if `smoothing` is not between 0 and 1.
    ///
    /// ```
    /// use quietgrad::{Params, Reduction, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let logits = r.constant(&Tensor::from([[2.0, 0.0]]));
    /// let smoothed = logits.cross_entropy_smoothed(r.indices([1], &[0]), 0.2, Reduction::Sum);
    /// let soft = logits.cross_entropy_soft(r.constant(&Tensor::from([[0.9, 0.1]])), Reduction::Sum);
    /// approx::assert_relative_eq!(smoothed.item(), soft.item(), max_relative = 1e-12);
    /// ```
    #[track_caller]
    pub fn cross_entropy_smoothed(
        self,
        classes: Indices<'r, T>,
        smoothing: f64,
        reduction: Reduction,
    ) -> Self {
        check_smoothing(smoothing);
        let op = CrossEntropy { target: Target::Index, smoothing, reduction };
        self.recording.apply(op.into(), &[self, classes.0])
    }

    /// −Σ t log softmax(logits) for target probabilities t of the same shape, or the mean over samples.
    ///
    /// # Panics
    /// If the shapes differ.
    ///
    /// ```
    /// use quietgrad::{Params, Reduction, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let logits = r.constant(&Tensor::from([[0.0, 0.0]]));
    /// let target = r.constant(&Tensor::from([[0.75, 0.25]]));
    /// assert_eq!(logits.cross_entropy_soft(target, Reduction::Mean).item(), 2f64.ln());
    /// ```
    #[track_caller]
    pub fn cross_entropy_soft(self, target: Self, reduction: Reduction) -> Self {
        self.cross_entropy_soft_smoothed(target, 0.0, reduction)
    }

    /// [`cross_entropy_soft`](Var::cross_entropy_soft) with label smoothing: the target probabilities are
    /// (1 − `smoothing`) t + `smoothing` / classes.
    ///
    /// # Panics
    /// If the shapes differ, or `smoothing` is not between 0 and 1.
    ///
    /// ```
    /// use quietgrad::{Params, Reduction, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let logits = r.constant(&Tensor::from([[2.0, 0.0]]));
    /// let [target, smoothed] = [[[0.5, 0.5]], [[1.0, 0.0]]].map(|t| r.constant(&Tensor::from(t)));
    /// let all = logits.cross_entropy_soft_smoothed(smoothed, 1.0, Reduction::Sum);
    /// assert_eq!(all.item(), logits.cross_entropy_soft(target, Reduction::Sum).item());
    /// ```
    #[track_caller]
    pub fn cross_entropy_soft_smoothed(self, target: Self, smoothing: f64, reduction: Reduction) -> Self {
        check_smoothing(smoothing);
        self.apply(CrossEntropy { target: Target::Probability, smoothing, reduction }, &[self, target])
    }

    /// −Σ log p\[class\] of log-probabilities, or the mean over samples: the negative log-likelihood. Classes lie along
    /// the last axis.
    ///
    /// # Panics
    /// If there is not one class number a row, one is out of range, or there are no samples to take the mean over.
    ///
    /// ```
    /// use quietgrad::{Params, Reduction, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let log_p = r.constant(&Tensor::from([[-0.5, -1.0], [-2.0, -0.25]]));
    /// assert_eq!(log_p.nll(r.indices([2], &[1, 1]), Reduction::Sum).item(), 1.25);
    /// ```
    #[track_caller]
    pub fn nll(self, classes: Indices<'r, T>, reduction: Reduction) -> Self {
        let last = self.shape().rank().saturating_sub(1);
        let picked = self.gather(last, Indices(classes.0.unsqueeze(last)));
        -match reduction {
            Reduction::Sum => picked.sum(),
            Reduction::Mean | Reduction::PerSample => picked.mean(),
            Reduction::Each => picked.squeeze(last),
        }
    }
}
