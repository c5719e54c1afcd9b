//! Adam and AdamW.

use std::ops::Range;

use super::{Factors, Optimizer, start};
use crate::element::Element;
use crate::kernels::update::{self, AdamState};

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
    /// Step size, decays, ε and weight decay.
    pub rule: update::Adam,
    /// Whether to divide by the largest mean square so far: AMSGrad (S. J. Reddi, S. Kale and S. Kumar, On the
    /// Convergence of Adam and Beyond, 2018).
    pub amsgrad: bool,
    /// β₁ᵗ and β₂ᵗ after t steps.
    powers: [f64; 2],
    mean: Vec<T>,
    square: Vec<T>,
    largest: Vec<T>,
}

impl<T: Element> Adam<T> {
    /// Adam with this step size, β = (0.9, 0.999), ε = 1e-8 and no weight decay.
    pub fn new(lr: f64) -> Self {
        let rule =
            update::Adam { lr, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, decoupled: false };
        Adam {
            rule,
            amsgrad: false,
            powers: [1.0; 2],
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
    #[doc(alias = "AdamW")]
    pub fn adamw(lr: f64, weight_decay: f64) -> Self {
        let adam = Adam::new(lr);
        Adam { rule: update::Adam { weight_decay, decoupled: true, ..adam.rule }, ..adam }
    }
}

impl<T: Element> Optimizer<T> for Adam<T> {
    fn lr(&self) -> f64 {
        self.rule.lr
    }

    fn set_lr(&mut self, lr: f64) {
        self.rule.lr = lr;
    }

    fn begin(&mut self, len: usize) {
        start(&mut self.mean, len);
        start(&mut self.square, len);
        if self.amsgrad {
            start(&mut self.largest, len);
        }
        self.powers = self.rule.next_powers(self.powers);
    }

    fn update(&mut self, part: Range<usize>, p: &mut [T], g: &[T], factors: Factors) {
        let state = AdamState {
            mean: &mut self.mean[part.clone()],
            square: &mut self.square[part.clone()],
            largest: if self.amsgrad { Some(&mut self.largest[part]) } else { None },
        };
        let rule = update::Adam {
            lr: self.rule.lr * factors.lr,
            weight_decay: self.rule.weight_decay * factors.weight_decay,
            ..self.rule
        };
        update::adam(p, g, state, &rule, self.powers);
    }
}
