//! y = −Σ t log softmax(z) over classes, from logits: the loss of a classifier, without overflow.

use crate::cotangents::Cotangents;
use crate::element::{Accum, Element};
use crate::ops::{Real, Reduction, Rule, Sample, SampleInput};
use crate::shape::{Shape, ShapeError, Show};
use crate::tensor::{View, ViewMut};
use crate::var::{Indices, Var};

/// The cross-entropy of softmax(logits) with targets, reduced to a scalar. Classes lie along the last axis.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CrossEntropy {
    /// What the target is.
    pub target: Target,
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
    fn factor<T: Element>(&self, logits: &[usize]) -> T {
        let samples = &logits[..logits.len() - 1];
        T::from_f64(match self.reduction {
            Reduction::Sum => 1.0,
            Reduction::Mean | Reduction::PerSample => 1.0 / samples.iter().product::<usize>() as f64,
        })
    }
}

/// max z and ln Σ e^(z − max z)
fn log_sum_exp<T: Element>(z: &[T]) -> (T, T) {
    let max = z.iter().copied().fold(T::from_f64(f64::NEG_INFINITY), T::maximum);
    let mut sum = T::ZERO;
    for &z in z {
        sum += (z - max).exp();
    }
    (max, sum.ln())
}

impl Rule for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        let (logits, target) = (x[0], x[1]);
        let fits = match (self.target, logits) {
            (_, [] | [.., 0]) => false,
            (Target::Index, [samples @ .., _]) => samples == target,
            (Target::Probability, _) => logits == target,
        };
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

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let (z, t) = (x[0].data, x[1].data);
        let classes = x[0].shape[x[0].shape.len() - 1];
        let mut loss = T::ZERO;
        for (row, z) in z.chunks_exact(classes).enumerate() {
            let (max, log_sum) = log_sum_exp(z);
            match self.target {
                Target::Index => loss += log_sum - (z[class(t[row])] - max),
                Target::Probability => {
                    for (&t, &z) in t[row * classes..].iter().zip(z) {
                        loss += t * (log_sum - (z - max));
                    }
                }
            }
        }
        y.data[0] = loss * self.factor(x[0].shape);
    }

    /// gz = g (softmax(z) Σt − t), gt = −g log softmax(z)
    fn vjp<T: Element>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let (z, t) = (x[0].data, x[1].data);
        let classes = x[0].shape[x[0].shape.len() - 1];
        let g = gy.data[0] * self.factor(x[0].shape);
        let put = |slot: &mut T, value, accum| match accum {
            Accum::Replace => *slot = value,
            Accum::Add => *slot += value,
        };
        gx.add(0, |gz, accum| {
            for (row, (z, gz)) in z.chunks_exact(classes).zip(gz.data.chunks_exact_mut(classes)).enumerate() {
                let (max, log_sum) = log_sum_exp(z);
                let soft = |z: T| (z - max - log_sum).exp();
                match self.target {
                    Target::Index => {
                        for (gz, &z) in gz.iter_mut().zip(z) {
                            put(gz, g * soft(z), accum);
                        }
                        gz[class(t[row])] += -g;
                    }
                    Target::Probability => {
                        let t = &t[row * classes..(row + 1) * classes];
                        let total = t.iter().fold(T::ZERO, |sum, &t| sum + t);
                        for ((gz, &z), &t) in gz.iter_mut().zip(z).zip(t) {
                            put(gz, g * (soft(z) * total - t), accum);
                        }
                    }
                }
            }
        });
        if self.target == Target::Index {
            return;
        }
        gx.add(1, |gt, accum| {
            for (z, gt) in z.chunks_exact(classes).zip(gt.data.chunks_exact_mut(classes)) {
                let (max, log_sum) = log_sum_exp(z);
                for (gt, &z) in gt.iter_mut().zip(z) {
                    put(gt, g * (log_sum - (z - max)), accum);
                }
            }
        });
    }

    fn samples() -> Vec<Sample> {
        let mut samples = Vec::new();
        for reduction in [Reduction::Sum, Reduction::Mean] {
            for shape in [&[5, 4][..], &[2, 3, 4], &[3, 1], &[4]] {
                let op = CrossEntropy { target: Target::Probability, reduction };
                samples.push(Sample::within(op, [(shape, (-2.0, 2.0)), (shape, (0.1, 1.0))]));
                let rows = Shape::from(&shape[..shape.len() - 1]);
                let op = CrossEntropy { target: Target::Index, reduction };
                samples.push(Sample {
                    op: op.into(),
                    inputs: vec![
                        SampleInput::Real(shape.into(), (-2.0, 2.0)),
                        SampleInput::Index(rows, shape[shape.len() - 1]),
                    ],
                });
            }
        }
        let op = CrossEntropy { target: Target::Probability, reduction: Reduction::Sum };
        samples.push(Sample::new(op, [&[0, 3], &[0, 3]]));
        samples
    }
}

/// A class number, stored as an element.
fn class<T: Element>(t: T) -> usize {
    t.to_f64() as usize
}

impl<'r, T: Real> Var<'r, T> {
    /// −Σ log softmax(logits)\[class\], or the mean over samples; classes lie along the last axis.
    ///
    /// # Panics
    /// If there is not one class number a row, or one is out of range.
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
        classes.check_below("cross_entropy", self.shape().last().copied().unwrap_or(0));
        self.apply(CrossEntropy { target: Target::Index, reduction }, &[self, classes.0])
    }

    /// −Σ t log softmax(logits) for target probabilities t of the same shape, or the mean over samples.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn cross_entropy_soft(self, target: Self, reduction: Reduction) -> Self {
        let op = CrossEntropy { target: Target::Probability, reduction };
        self.apply(op, &[self, target])
    }
}
