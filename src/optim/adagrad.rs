//! Adagrad.

use std::ops::Range;

use super::fields::{demand, fields, rate};
use super::{Factors, Optimizer};
use crate::element::Element;
use crate::kernels::update::{self, kept_squared, ratio};
use crate::params::Signature;

/// Adagrad: the gradient divided by the root of the sum of all its squares so far, so that rare features keep large
/// steps.
///
/// Source: J. Duchi, E. Hazan and Y. Singer, Adaptive Subgradient Methods for Online Learning and Stochastic
/// Optimization, 2011.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, optim::{Adagrad, Optimizer}};
///
/// let mut params = Params::new();
/// let x = params.add("x", Tensor::from(4.0));
/// let mut grads = params.zeros();
/// let (mut tape, mut adagrad) = (Tape::<f64>::new(), Adagrad::new(1.0));
/// for _ in 0..200 {
///     let r = tape.record(&params);
///     (r.param(x) - 1.0).square().backward(&mut grads);
///     adagrad.step(&mut params, &grads);
/// }
/// assert!((params.get(x)[0] - 1.0).abs() < 1e-6);
/// ```
#[derive(Clone, Debug)]
pub struct Adagrad<T> {
    /// Step size.
    pub lr: f64,
    /// Added to the root of the sum.
    pub eps: f64,
    /// Added to the gradient, times the parameter.
    pub weight_decay: f64,
    of: Option<Signature>,
    sum: Vec<T>,
}

impl<T: Element> Adagrad<T> {
    /// Adagrad with this step size, ε = 1e-10 and no weight decay.
    ///
    /// # Panics
    /// If the step size is negative, infinite or NaN.
    #[track_caller]
    pub fn new(lr: f64) -> Self {
        demand("Adagrad::new", [rate("lr", lr)]);
        Adagrad { lr, eps: 1e-10, weight_decay: 0.0, of: None, sum: Vec::new() }
    }
}

impl<T: Element> Optimizer<T> for Adagrad<T> {
    fields! { Adagrad { lr: Rate, eps: Rate, weight_decay: Rate, of: Parameters, sum: Array(true) } }

    /// `s += g²`, `p −= lr g / (√s + eps)`; g with weight decay.
    fn update(&mut self, part: Range<usize>, p: &mut [T], g: &[T], factors: Factors) {
        let lr = T::from_f64(self.lr * factors.lr);
        let weight_decay = T::from_f64(self.weight_decay * factors.weight_decay);
        let eps = T::from_f64(self.eps);
        update::step(p, g, [&mut self.sum[part]], move |p, g, [sum]| {
            let g = g + weight_decay * p;
            let squared = kept_squared(g);
            let sum = sum + squared * squared;
            (p - ratio(lr * g, sum.sqrt() + eps), [sum])
        });
    }
}
