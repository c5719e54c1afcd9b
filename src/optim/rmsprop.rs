//! RMSprop.

use std::ops::Range;

use super::fields::{demand, fields, rate};
use super::{Factors, Optimizer};
use crate::element::Element;
use crate::kernels::update::{self, kept_squared, ratio};
use crate::params::Signature;

/// RMSprop: the gradient divided by the root of a running mean of its square.
///
/// Source: G. Hinton, Neural Networks for Machine Learning, lecture 6e, 2012; centered: A. Graves, Generating Sequences
/// With Recurrent Neural Networks, 2013, section 4.2; as PyTorch has them.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, optim::{Optimizer, RmsProp}};
///
/// let mut params = Params::new();
/// let x = params.add("x", Tensor::from(4.0));
/// let mut grads = params.zeros();
/// let (mut tape, mut rmsprop) = (Tape::<f64>::new(), RmsProp::new(0.01));
/// for _ in 0..1000 {
///     let r = tape.record(&params);
///     (r.param(x) - 1.0).square().backward(&mut grads);
///     rmsprop.step(&mut params, &grads);
/// }
/// assert!((params.get(x)[0] - 1.0).abs() < 0.02);
/// ```
#[derive(Clone, Debug)]
pub struct RmsProp<T> {
    /// Step size.
    pub lr: f64,
    /// Decay of the mean square.
    pub alpha: f64,
    /// Added to its root.
    pub eps: f64,
    /// Added to the gradient, times the parameter.
    pub weight_decay: f64,
    /// What share of its velocity a parameter keeps.
    pub momentum: f64,
    /// Whether to divide by the standard deviation, not the root mean square.
    pub centered: bool,
    of: Option<Signature>,
    square: Vec<T>,
    mean: Vec<T>,
    velocity: Vec<T>,
}

impl<T: Element> RmsProp<T> {
    /// RMSprop with this step size, α = 0.99, ε = 1e-8 and nothing else.
    ///
    /// # Panics
    /// If the step size is negative, infinite or NaN.
    #[track_caller]
    pub fn new(lr: f64) -> Self {
        demand("RmsProp::new", [rate("lr", lr)]);
        RmsProp {
            lr,
            alpha: 0.99,
            eps: 1e-8,
            weight_decay: 0.0,
            momentum: 0.0,
            centered: false,
            of: None,
            square: Vec::new(),
            mean: Vec::new(),
            velocity: Vec::new(),
        }
    }
}

impl<T: Element> Optimizer<T> for RmsProp<T> {
    fields! { RmsProp {
        lr: Rate,
        alpha: Decay,
        eps: Rate,
        weight_decay: Rate,
        momentum: Decay,
        centered: Switch,
        of: Parameters,
        square: Array(true),
        mean: Array(*centered),
        velocity: Array(*momentum != 0.0),
    } }

    /// `s = alpha s + (1 − alpha) g²`, `p −= lr g / (√s + eps)`; g with weight decay.
    ///
    /// Centered, `√(s − mean²)` takes the place of √s, with `mean = alpha mean + (1 − alpha) g`; with momentum,
    /// `v = momentum v + g / (√s + eps)`, `p −= lr v`.
    fn update(&mut self, part: Range<usize>, p: &mut [T], g: &[T], factors: Factors) {
        let lr = T::from_f64(self.lr * factors.lr);
        let weight_decay = T::from_f64(self.weight_decay * factors.weight_decay);
        let [alpha, eps, momentum] = [self.alpha, self.eps, self.momentum].map(T::from_f64);
        let rest = T::ONE - alpha;
        let mean_square = move |square: T, g: T| {
            let squared = kept_squared(g);
            alpha * square + rest * squared * squared
        };
        let variance = move |square: T, mean: T| {
            let squared = kept_squared(mean);
            let variance = square - squared * squared;
            // Rounding may bring the variance of a constant gradient below 0, which has no root.
            if variance < T::ZERO { T::ZERO } else { variance }
        };
        let divided = move |g: T, moment: T| ratio(g, moment.sqrt() + eps);
        let square = &mut self.square[part.clone()];
        match (self.centered, self.momentum != 0.0) {
            (false, false) => update::step(p, g, [square], move |p, g, [square]| {
                let g = g + weight_decay * p;
                let square = mean_square(square, g);
                (p - lr * divided(g, square), [square])
            }),
            (false, true) => {
                update::step(p, g, [square, &mut self.velocity[part]], move |p, g, [square, v]| {
                    let g = g + weight_decay * p;
                    let square = mean_square(square, g);
                    let v = divided(g, square) + momentum * v;
                    (p - lr * v, [square, v])
                });
            }
            (true, false) => {
                update::step(p, g, [square, &mut self.mean[part]], move |p, g, [square, mean]| {
                    let g = g + weight_decay * p;
                    let (square, mean) = (mean_square(square, g), alpha * mean + rest * g);
                    (p - lr * divided(g, variance(square, mean)), [square, mean])
                });
            }
            (true, true) => {
                let state = [square, &mut self.mean[part.clone()], &mut self.velocity[part]];
                update::step(p, g, state, move |p, g, [square, mean, v]| {
                    let g = g + weight_decay * p;
                    let (square, mean) = (mean_square(square, g), alpha * mean + rest * g);
                    let v = divided(g, variance(square, mean)) + momentum * v;
                    (p - lr * v, [square, mean, v])
                });
            }
        }
    }
}
