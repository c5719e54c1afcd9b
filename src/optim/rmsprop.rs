//! RMSprop.

use std::ops::Range;

use super::{Factors, Optimizer, start};
use crate::element::Element;
use crate::kernels::update::{self, RmsPropState};

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
    square: Vec<T>,
    mean: Vec<T>,
    velocity: Vec<T>,
}

impl<T: Element> RmsProp<T> {
    /// RMSprop with this step size, α = 0.99, ε = 1e-8 and nothing else.
    pub fn new(lr: f64) -> Self {
        RmsProp {
            lr,
            alpha: 0.99,
            eps: 1e-8,
            weight_decay: 0.0,
            momentum: 0.0,
            centered: false,
            square: Vec::new(),
            mean: Vec::new(),
            velocity: Vec::new(),
        }
    }
}

impl<T: Element> Optimizer<T> for RmsProp<T> {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn set_lr(&mut self, lr: f64) {
        self.lr = lr;
    }

    fn begin(&mut self, len: usize) {
        start(&mut self.square, len);
        if self.centered {
            start(&mut self.mean, len);
        }
        if self.momentum != 0.0 {
            start(&mut self.velocity, len);
        }
    }

    fn update(&mut self, part: Range<usize>, p: &mut [T], g: &[T], factors: Factors) {
        let state = RmsPropState {
            square: &mut self.square[part.clone()],
            mean: if self.centered { Some(&mut self.mean[part.clone()]) } else { None },
            velocity: if self.momentum == 0.0 { None } else { Some(&mut self.velocity[part]) },
        };
        let rule = update::RmsProp {
            lr: T::from_f64(self.lr * factors.lr),
            alpha: T::from_f64(self.alpha),
            eps: T::from_f64(self.eps),
            weight_decay: T::from_f64(self.weight_decay * factors.weight_decay),
            momentum: T::from_f64(self.momentum),
        };
        update::rmsprop(p, g, state, rule);
    }
}
