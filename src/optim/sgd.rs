//! Stochastic gradient descent.

use std::ops::Range;

use super::{Factors, Optimizer, start};
use crate::element::Element;
use crate::kernels::update;

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
    velocity: Vec<T>,
}

impl<T: Element> Sgd<T> {
    /// Plain gradient descent with this step size.
    pub fn new(lr: f64) -> Self {
        Sgd { lr, momentum: 0.0, nesterov: false, weight_decay: 0.0, velocity: Vec::new() }
    }

    /// Gradient descent with momentum.
    pub fn momentum(lr: f64, momentum: f64) -> Self {
        Sgd { momentum, ..Sgd::new(lr) }
    }

    /// Gradient descent with Nesterov's momentum.
    pub fn nesterov(lr: f64, momentum: f64) -> Self {
        Sgd { momentum, nesterov: true, ..Sgd::new(lr) }
    }
}

impl<T: Element> Optimizer<T> for Sgd<T> {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn set_lr(&mut self, lr: f64) {
        self.lr = lr;
    }

    fn begin(&mut self, len: usize) {
        if self.momentum != 0.0 {
            start(&mut self.velocity, len);
        }
    }

    fn update(&mut self, part: Range<usize>, p: &mut [T], g: &[T], factors: Factors) {
        let lr = T::from_f64(self.lr * factors.lr);
        let weight_decay = T::from_f64(self.weight_decay * factors.weight_decay);
        if self.momentum == 0.0 {
            return update::sgd(p, g, lr, weight_decay);
        }
        let momentum = T::from_f64(self.momentum);
        let rule = update::Momentum { lr, momentum, weight_decay, nesterov: self.nesterov };
        update::momentum(p, g, &mut self.velocity[part], rule);
    }
}
