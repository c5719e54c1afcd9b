//! Stochastic gradient descent.

use std::ops::Range;

use super::fields::{decay, demand, fields, rate};
use super::{Factors, Optimizer};
use crate::element::Element;
use crate::kernels::update;
use crate::params::Signature;

/// Stochastic gradient descent: p −= lr g, or along a velocity v = momentum v + g.
///
/// Nesterov's variant steps along g + momentum v, the velocity after the next step. Source: I. Sutskever et al., On the
/// Importance of Initialization and Momentum in Deep Learning, 2013, as PyTorch has it.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, optim::{Optimizer, Sgd}};
///
/// let mut params = Params::new();
/// let x = params.add("x", Tensor::from(4.0));
/// let mut grads = params.zeros();
/// let (mut tape, mut sgd) = (Tape::<f64>::new(), Sgd::new(0.25));
/// for _ in 0..40 {
///     let r = tape.record(&params);
///     (r.param(x) - 1.0).square().backward(&mut grads);
///     sgd.step(&mut params, &grads);
/// }
/// assert!((params.get(x)[0] - 1.0).abs() < 1e-9);
/// ```
#[derive(Clone, Debug)]
pub struct Sgd<T> {
    /// Step size.
    pub lr: f64,
    /// What share of its velocity a parameter keeps.
    pub momentum: f64,
    /// Whether to step along the velocity to come.
    pub nesterov: bool,
    /// Added to the gradient, times the parameter: an l2 penalty of half this coefficient on all parameters.
    pub weight_decay: f64,
    of: Option<Signature>,
    velocity: Vec<T>,
}

impl<T: Element> Sgd<T> {
    /// Plain gradient descent with this step size.
    ///
    /// # Panics
    /// Here and below: if the step size is negative, infinite or NaN, or the momentum not at least 0 and below 1.
    #[track_caller]
    pub fn new(lr: f64) -> Self {
        Sgd::with("Sgd::new", lr, 0.0, false)
    }

    /// Gradient descent with momentum.
    #[track_caller]
    pub fn momentum(lr: f64, momentum: f64) -> Self {
        Sgd::with("Sgd::momentum", lr, momentum, false)
    }

    /// Gradient descent with Nesterov's momentum.
    #[track_caller]
    pub fn nesterov(lr: f64, momentum: f64) -> Self {
        Sgd::with("Sgd::nesterov", lr, momentum, true)
    }

    #[track_caller]
    fn with(name: &str, lr: f64, momentum: f64, nesterov: bool) -> Self {
        demand(name, [rate("lr", lr), decay("momentum", momentum)]);
        Sgd { lr, momentum, nesterov, weight_decay: 0.0, of: None, velocity: Vec::new() }
    }
}

impl<T: Element> Optimizer<T> for Sgd<T> {
    fields! { Sgd {
        lr: Rate,
        momentum: Decay,
        nesterov: Switch,
        weight_decay: Rate,
        of: Parameters,
        velocity: Array(*momentum != 0.0),
    } }

    /// `v = momentum v + g`, then `p −= lr v`, or `p −= lr (g + momentum v)` after Nesterov; g with weight decay.
    fn update(&mut self, part: Range<usize>, p: &mut [T], g: &[T], factors: Factors) {
        let lr = T::from_f64(self.lr * factors.lr);
        let weight_decay = T::from_f64(self.weight_decay * factors.weight_decay);
        if self.momentum == 0.0 {
            return update::step(p, g, [], move |p, g, []| (p - lr * (g + weight_decay * p), []));
        }
        let (momentum, nesterov) = (T::from_f64(self.momentum), self.nesterov);
        update::step(p, g, [&mut self.velocity[part]], move |p, g, [v]| {
            let g = g + weight_decay * p;
            let v = momentum * v + g;
            let step = if nesterov { g + momentum * v } else { v };
            (p - lr * step, [v])
        });
    }
}
