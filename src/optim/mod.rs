//! Optimizers: one pass over the flat parameters each.
//!
//! The formulas are PyTorch's, and the kernels that run them stand in [`kernels::update`](crate::kernels::update).
//!
//! | | step | state |
//! | --- | --- | --- |
//! | [`Sgd`] | gradient, with momentum or Nesterov's if asked | 0 or 1 |
//! | [`RmsProp`] | gradient over its root mean square | 1 to 3 |
//! | [`Adagrad`] | gradient over the root of all its squares | 1 |
//! | [`Adam`], [`Adam::adamw`] | mean gradient over the root mean square | 2 or 3 |
//! | [`Lion`] | the sign of the mean gradient | 1 |
//! | [`Lbfgs`] | quasi-Newton with line search, for small problems that are computed whole | 2 x memory |
//!
//! What changes from step to step follows a [`Schedule`]: the step size, by [`Optimizer::set_lr`], and the coefficient
//! of a penalty as well. Parameters that need another step size or decay are named in [`Groups`]. Gradients are
//! clipped between the sweep and the step, by [`Grads::clip_norm`] or [`Grads::clip_value`]; exact zeros are made
//! after it, by [`proximal_l1`]; averages of the weights are kept in an [`Average`].

mod adagrad;
mod adam;
mod average;
mod groups;
mod lbfgs;
mod lion;
mod proximal;
mod rmsprop;
mod schedule;
mod sgd;

pub use adagrad::Adagrad;
pub use adam::Adam;
pub use average::Average;
pub use groups::{Factors, Groups};
pub use lbfgs::{Lbfgs, Minimum};
pub use lion::Lion;
pub use proximal::{proximal_group_lasso, proximal_l1};
pub use rmsprop::RmsProp;
pub use schedule::Schedule;
pub use sgd::Sgd;

use std::ops::Range;

use crate::element::Element;
use crate::params::{Grads, Params};

/// What every optimizer does.
pub trait Optimizer<T: Element> {
    /// The step size.
    fn lr(&self) -> f64;

    /// Changes the step size, to follow a [`Schedule`].
    fn set_lr(&mut self, lr: f64);

    /// Begins a step of `len` parameters.
    ///
    /// # Panics
    /// If earlier steps had another number of parameters.
    fn begin(&mut self, len: usize);

    /// Changes a part of the parameters by their gradient, its step size and decay multiplied by `factors`.
    fn update(&mut self, part: Range<usize>, p: &mut [T], g: &[T], factors: Factors);

    /// Changes the parameters by their gradients.
    ///
    /// # Panics
    /// If the gradients are of other parameters, or parameters were added since the first step.
    #[track_caller]
    fn step(&mut self, params: &mut Params<T>, grads: &Grads<T>) {
        let len = check(params, grads);
        self.begin(len);
        self.update(0..len, params.data_mut(), grads.data(), Factors::default());
    }

    /// Changes the parameters by their gradients, each group with its own step size and decay.
    ///
    /// # Panics
    /// As [`step`](Optimizer::step), or if the groups are of other parameters.
    #[track_caller]
    fn step_groups(&mut self, params: &mut Params<T>, grads: &Grads<T>, groups: &Groups) {
        let len = check(params, grads);
        assert_eq!(groups.len(), len, "step_groups: the groups are of other parameters");
        self.begin(len);
        for (part, factors) in groups.parts() {
            let (p, g) = (&mut params.data_mut()[part.clone()], &grads.data()[part.clone()]);
            self.update(part.clone(), p, g, *factors);
        }
    }
}

#[track_caller]
fn check<T: Element>(params: &Params<T>, grads: &Grads<T>) -> usize {
    params.expect_gradients("step", grads);
    params.len()
}

/// State for every parameter: zeros before the first step.
fn start<T: Element>(state: &mut Vec<T>, len: usize) {
    if state.is_empty() {
        state.resize(len, T::ZERO);
    }
    assert_eq!(
        state.len(),
        len,
        "step: the optimizer began with {} elements, now there are {len}",
        state.len()
    );
}
