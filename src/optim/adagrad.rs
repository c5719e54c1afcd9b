//! Adagrad.

use std::ops::Range;

use super::{Factors, Optimizer, start};
use crate::element::Element;
use crate::kernels::update;

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
    sum: Vec<T>,
}

impl<T: Element> Adagrad<T> {
    /// Adagrad with this step size, ε = 1e-10 and no weight decay.
    pub fn new(lr: f64) -> Self {
        Adagrad { lr, eps: 1e-10, weight_decay: 0.0, sum: Vec::new() }
    }
}

impl<T: Element> Optimizer<T> for Adagrad<T> {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn set_lr(&mut self, lr: f64) {
        self.lr = lr;
    }

    fn begin(&mut self, len: usize) {
        start(&mut self.sum, len);
    }

    fn update(&mut self, part: Range<usize>, p: &mut [T], g: &[T], factors: Factors) {
        let lr = T::from_f64(self.lr * factors.lr);
        let weight_decay = T::from_f64(self.weight_decay * factors.weight_decay);
        update::adagrad(p, g, &mut self.sum[part], lr, T::from_f64(self.eps), weight_decay);
    }
}
