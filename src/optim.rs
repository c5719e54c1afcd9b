//! Optimizers: one pass over the flat parameters each.
//!
//! The formulas are PyTorch's, and the kernels that run them stand in [`kernels::update`].

use crate::element::Element;
use crate::kernels::update;
use crate::params::{Grads, Params};

/// What every optimizer does.
pub trait Optimizer<T> {
    /// Changes the parameters by their gradients.
    ///
    /// # Panics
    /// If the gradients are of other parameters, or parameters were added since the first step.
    fn step(&mut self, params: &mut Params<T>, grads: &Grads<T>);
}

/// Stochastic gradient descent: p −= lr g.
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
pub struct Sgd {
    /// Step size; change it between steps to follow a schedule.
    pub lr: f64,
    /// Added to the gradient, times the parameter: an l2 penalty of half this coefficient on all parameters.
    pub weight_decay: f64,
}

impl Sgd {
    /// Plain gradient descent with this step size.
    pub fn new(lr: f64) -> Self {
        Sgd { lr, weight_decay: 0.0 }
    }
}

impl<T: Element> Optimizer<T> for Sgd {
    #[track_caller]
    fn step(&mut self, params: &mut Params<T>, grads: &Grads<T>) {
        check(params, grads);
        update::sgd(params.data_mut(), grads.data(), T::from_f64(self.lr), T::from_f64(self.weight_decay));
    }
}

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
    /// Step size, decays and ε; change `rule.lr` between steps to follow a schedule.
    pub rule: update::Adam,
    steps: u64,
    mean: Vec<T>,
    square: Vec<T>,
}

impl<T: Element> Adam<T> {
    /// Adam with this step size, β = (0.9, 0.999), ε = 1e-8 and no weight decay.
    pub fn new(lr: f64) -> Self {
        let rule = update::Adam { lr, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 };
        Adam { rule, steps: 0, mean: Vec::new(), square: Vec::new() }
    }
}

impl<T: Element> Optimizer<T> for Adam<T> {
    #[track_caller]
    fn step(&mut self, params: &mut Params<T>, grads: &Grads<T>) {
        check(params, grads);
        start(&mut self.mean, params, self.steps);
        start(&mut self.square, params, self.steps);
        self.steps += 1;
        let (mean, square) = (&mut self.mean, &mut self.square);
        update::adam(params.data_mut(), grads.data(), mean, square, &self.rule, self.steps);
    }
}

#[track_caller]
fn check<T: Element>(params: &Params<T>, grads: &Grads<T>) {
    let (expected, given) = (params.len(), grads.data().len());
    assert_eq!(expected, given, "step: {given} gradients do not fit {expected} parameters");
}

/// State for every parameter: zeros before the first step.
#[track_caller]
fn start<T: Element>(state: &mut Vec<T>, params: &Params<T>, steps: u64) {
    if steps == 0 {
        state.resize(params.len(), T::ZERO);
    }
    let (expected, given) = (state.len(), params.len());
    assert_eq!(expected, given, "step: the optimizer began with {expected} elements, now there are {given}");
}
