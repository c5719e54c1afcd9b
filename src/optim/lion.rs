//! Lion.

use std::ops::Range;

use super::{Factors, Optimizer, start};
use crate::element::Element;
use crate::kernels::update;

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
    mean: Vec<T>,
}

impl<T: Element> Lion<T> {
    /// Lion with this step size, β = (0.9, 0.99) and no weight decay.
    pub fn new(lr: f64) -> Self {
        Lion { lr, beta1: 0.9, beta2: 0.99, weight_decay: 0.0, mean: Vec::new() }
    }
}

impl<T: Element> Optimizer<T> for Lion<T> {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn set_lr(&mut self, lr: f64) {
        self.lr = lr;
    }

    fn begin(&mut self, len: usize) {
        start(&mut self.mean, len);
    }

    fn update(&mut self, part: Range<usize>, p: &mut [T], g: &[T], factors: Factors) {
        let rule = update::Lion {
            lr: T::from_f64(self.lr * factors.lr),
            beta1: T::from_f64(self.beta1),
            beta2: T::from_f64(self.beta2),
            weight_decay: T::from_f64(self.weight_decay * factors.weight_decay),
        };
        update::lion(p, g, &mut self.mean[part], rule);
    }
}
