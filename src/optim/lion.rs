//! Lion.

use std::ops::Range;

use super::fields::{demand, fields, rate};
use super::{Factors, Optimizer};
use crate::element::Element;
use crate::kernels::update;
use crate::params::Signature;

/// Lion: every parameter moves by the step size, up or down, as the sign of a running mean of its gradient says. It
/// wants a step size some 3 to 10 times smaller than Adam's, and a decay as much larger.
///
/// Source: X. Chen et al., Symbolic Discovery of Optimization Algorithms, 2023, program 1.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, optim::{Lion, Optimizer}};
///
/// let mut params = Params::new();
/// let x = params.add("x", Tensor::from(4.0));
/// let mut grads = params.zeros();
/// let (mut tape, mut lion) = (Tape::<f64>::new(), Lion::new(0.02));
/// for step in 0..1000 {
///     lion.lr = 0.02 * (1.0 - step as f64 / 1000.0);
///     let r = tape.record(&params);
///     (r.param(x) - 1.0).square().backward(&mut grads);
///     lion.step(&mut params, &grads);
/// }
/// assert!((params.get(x)[0] - 1.0).abs() < 0.01);
/// ```
#[derive(Clone, Debug)]
pub struct Lion<T> {
    /// Step size.
    pub lr: f64,
    /// The mean's share in the direction of the step.
    pub beta1: f64,
    /// Decay of the mean.
    pub beta2: f64,
    /// Taken from the parameter, times the step size.
    pub weight_decay: f64,
    of: Option<Signature>,
    mean: Vec<T>,
}

impl<T: Element> Lion<T> {
    /// Lion with this step size, β = (0.9, 0.99) and no weight decay.
    ///
    /// # Panics
    /// If the step size is negative, infinite or NaN.
    #[track_caller]
    pub fn new(lr: f64) -> Self {
        demand("Lion::new", [rate("lr", lr)]);
        Lion { lr, beta1: 0.9, beta2: 0.99, weight_decay: 0.0, of: None, mean: Vec::new() }
    }
}

impl<T: Element> Optimizer<T> for Lion<T> {
    fields! { Lion {
        lr: Rate,
        beta1: Decay,
        beta2: Decay,
        weight_decay: Rate,
        of: Parameters,
        mean: Array(true),
    } }

    /// `p −= lr (sign(beta1 m + (1 − beta1) g) + weight_decay p)`, `m = beta2 m + (1 − beta2) g`. The sign of 0 is 0, and that
    /// of NaN is NaN: a parameter with a NaN gradient becomes NaN as with every other optimizer, and does not stand still.
    fn update(&mut self, part: Range<usize>, p: &mut [T], g: &[T], factors: Factors) {
        let lr = T::from_f64(self.lr * factors.lr);
        let weight_decay = T::from_f64(self.weight_decay * factors.weight_decay);
        let [beta1, beta2] = [self.beta1, self.beta2].map(T::from_f64);
        let [rest1, rest2] = [beta1, beta2].map(|beta| T::ONE - beta);
        update::step(p, g, [&mut self.mean[part]], move |p, g, [mean]| {
            let direction = beta1 * mean + rest1 * g;
            let down = if direction < T::ZERO { -T::ONE } else { direction };
            let sign = if direction > T::ZERO { T::ONE } else { down };
            (p - lr * (sign + weight_decay * p), [beta2 * mean + rest2 * g])
        });
    }
}
