//! Adam and AdamW.

use std::ops::Range;

use super::fields::{demand, fields, rate};
use super::{Factors, Optimizer};
use crate::element::Element;
use crate::kernels::update::{self, kept_squared, ratio};
use crate::params::Signature;

/// Adam: steps scaled by running means of the gradient and of its square.
///
/// Source: D. P. Kingma and J. Ba, Adam: A Method for Stochastic Optimization, 2015, algorithm 1, with ε added to the
/// root of the corrected mean, as PyTorch has it.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, optim::{Adam, Optimizer}};
///
/// let mut params = Params::new();
/// let x = params.add("x", Tensor::from(4.0));
/// let mut grads = params.zeros();
/// let (mut tape, mut adam) = (Tape::<f64>::new(), Adam::new(0.1));
/// for _ in 0..500 {
///     let r = tape.record(&params);
///     (r.param(x) - 1.0).square().backward(&mut grads);
///     adam.step(&mut params, &grads);
/// }
/// assert!((params.get(x)[0] - 1.0).abs() < 1e-4);
/// ```
#[derive(Clone, Debug)]
pub struct Adam<T> {
    /// Step size.
    pub lr: f64,
    /// Decay β₁ of the gradient's mean.
    pub beta1: f64,
    /// Decay β₂ of the squared gradient's mean.
    pub beta2: f64,
    /// Added to the root of the squared gradient's mean.
    pub eps: f64,
    /// Added to the gradient, times the parameter; or taken from the parameter, times `lr`, if `decoupled`.
    pub weight_decay: f64,
    /// Whether weight decay bypasses the means: AdamW.
    pub decoupled: bool,
    /// Whether to divide by the largest mean square so far: AMSGrad (S. J. Reddi, S. Kale and S. Kumar, On the
    /// Convergence of Adam and Beyond, 2018).
    pub amsgrad: bool,
    /// β₁ᵗ after t steps. It follows from the one before: to raise to a power takes a loop over the bits of t, whose branches
    /// are others in every step, a tenth of a microsecond.
    power1: f64,
    /// β₂ᵗ
    power2: f64,
    of: Option<Signature>,
    mean: Vec<T>,
    square: Vec<T>,
    largest: Vec<T>,
}

impl<T: Element> Adam<T> {
    /// Adam with this step size, β = (0.9, 0.999), ε = 1e-8 and no weight decay.
    ///
    /// # Panics
    /// If the step size is negative, infinite or NaN.
    #[track_caller]
    pub fn new(lr: f64) -> Self {
        demand("Adam::new", [rate("lr", lr)]);
        Adam {
            lr,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.0,
            decoupled: false,
            amsgrad: false,
            power1: 1.0,
            power2: 1.0,
            of: None,
            mean: Vec::new(),
            square: Vec::new(),
            largest: Vec::new(),
        }
    }

    /// AdamW: weight decay is not added to the gradient, where the division by its root mean square would undo it, but
    /// shrinks the parameter by the factor 1 − `lr` `weight_decay`.
    ///
    /// Source: I. Loshchilov and F. Hutter, Decoupled Weight Decay Regularization, 2019.
    ///
    /// ```
    /// use quietgrad::{Params, Tensor, optim::{Adam, Optimizer}};
    ///
    /// let mut params = Params::new();
    /// params.add("x", Tensor::from(4.0));
    /// let grads = params.zeros();
    /// Adam::adamw(0.5, 0.25).step(&mut params, &grads);
    /// assert_eq!(params.data(), [4.0 * (1.0 - 0.5 * 0.25)]);
    /// ```
    ///
    /// # Panics
    /// If the step size or the weight decay is negative, infinite or NaN.
    #[doc(alias = "AdamW")]
    #[track_caller]
    pub fn adamw(lr: f64, weight_decay: f64) -> Self {
        demand("Adam::adamw", [rate("lr", lr), rate("weight_decay", weight_decay)]);
        Adam { weight_decay, decoupled: true, ..Adam::new(lr) }
    }
}

impl<T: Element> Optimizer<T> for Adam<T> {
    fields! { Adam {
        lr: Rate,
        beta1: Decay,
        beta2: Decay,
        eps: Rate,
        weight_decay: Rate,
        decoupled: Switch,
        amsgrad: Switch,
        power1: Number,
        power2: Number,
        of: Parameters,
        mean: Array(true),
        square: Array(true),
        largest: Array(*amsgrad),
    } }

    fn count(&mut self) {
        for (power, beta) in [(&mut self.power1, self.beta1), (&mut self.power2, self.beta2)] {
            let next = *power * beta;
            // Below an eighth of the rounding unit 1 − power is exactly 1: 0 before the power turns subnormal.
            *power = if next < f64::EPSILON / 8.0 { 0.0 } else { next };
        }
    }

    /// With m and v the means of the gradient and of its square at step t = 1, 2, …:
    /// `m = beta1 m + (1 − beta1) g`, `v = beta2 v + (1 − beta2) g²`,
    /// `p −= lr / (1 − beta1ᵗ) m / (√v / √(1 − beta2ᵗ) + eps)`.
    ///
    /// Weight decay is added to g, or, decoupled, `p −= lr weight_decay p` comes first. With AMSGrad the largest v so far
    /// stands in the root.
    fn update(&mut self, part: Range<usize>, p: &mut [T], g: &[T], factors: Factors) {
        let lr = self.lr * factors.lr;
        let weight_decay = self.weight_decay * factors.weight_decay;
        let (coupled, decoupled) = if self.decoupled { (0.0, weight_decay) } else { (weight_decay, 0.0) };
        let (coupled, keep) = (T::from_f64(coupled), T::from_f64(1.0 - lr * decoupled));
        let (beta1, rest1) = (T::from_f64(self.beta1), T::from_f64(1.0 - self.beta1));
        let (beta2, rest2) = (T::from_f64(self.beta2), T::from_f64(1.0 - self.beta2));
        let step = T::from_f64(lr / (1.0 - self.power1));
        let unbias = T::from_f64(1.0 / (1.0 - self.power2).sqrt());
        let eps = T::from_f64(self.eps);
        let means = move |p: T, g: T, mean: T, square: T| {
            let g = g + coupled * p;
            let squared = kept_squared(g);
            (beta1 * mean + rest1 * g, beta2 * square + rest2 * squared * squared)
        };
        let moved =
            move |p: T, mean: T, square: T| keep * p - ratio(step * mean, square.sqrt() * unbias + eps);
        let (mean, square) = (&mut self.mean[part.clone()], &mut self.square[part.clone()]);
        if !self.amsgrad {
            return update::step(p, g, [mean, square], move |p, g, [mean, square]| {
                let (mean, square) = means(p, g, mean, square);
                (moved(p, mean, square), [mean, square])
            });
        }
        let state = [mean, square, &mut self.largest[part]];
        update::step(p, g, state, move |p, g, [mean, square, largest]| {
            let (mean, square) = means(p, g, mean, square);
            let largest = largest.maximum(square);
            (moved(p, mean, largest), [mean, square, largest])
        });
    }
}
