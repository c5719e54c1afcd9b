//! Optimizers: one pass over the flat parameters each.
//!
//! The formulas, and the order of their operations, are PyTorch's (`torch.optim`), so that a run can be compared with one
//! made there. One kernel runs them all, [`kernels::update`](crate::kernels::update), which also says what becomes of numbers
//! so small that they would only make a step slow. Nothing here knows a graph.
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
//! of a penalty as well. Parameters that need another step size or decay are named in [`Groups`]; those that are
//! [frozen](Params::freeze) take part in no step. Gradients are clipped between the sweep and the step, by
//! [`Grads::clip_norm`] or [`Grads::clip_value`]; exact zeros are made after it, by [`proximal_l1`]; averages of the weights
//! are kept in an [`Average`].
//!
//! To go on later with the same bits, save the parameters, the [`State`] of the optimizer
//! ([`Optimizer::state`], [`Descent::state`]), of an average ([`Average::state`]) and of a
//! [`DensityController`](crate::reg::DensityController::state), and the number of the step: a [`Schedule`] is a function of
//! that, and remembers nothing.

mod adagrad;
mod adam;
mod average;
mod fields;
mod groups;
mod lbfgs;
mod line_search;
mod lion;
mod proximal;
mod rmsprop;
mod schedule;
mod sgd;

pub use adagrad::Adagrad;
pub use adam::Adam;
pub use average::Average;
pub use fields::{Field, FieldMut};
pub use groups::{Factors, Groups};
pub use lbfgs::{Descent, Lbfgs, Minimum};
pub use lion::Lion;
pub use proximal::{proximal_group_lasso, proximal_l1};
pub use rmsprop::RmsProp;
pub use schedule::Schedule;
pub use sgd::Sgd;

use std::ops::Range;

use crate::element::Element;
use crate::params::{Grads, Params};
use crate::state::{State, StateError};

use fields::Senseless;

/// What every optimizer does.
///
/// An optimizer *is* its settings: plain fields, such as `sgd.lr` and `adam.beta1`, that may be changed at any time. What it
/// remembers is not public; [`state`](Optimizer::state) reads it.
///
/// Settings are checked where they are given to a constructor, which names the wrong line, and again at each
/// [`step`](Optimizer::step), since a field can be given any value: five to ten comparisons a step.
///
/// A panic names the caller's line, but for one case: a call through `&mut dyn Optimizer` cannot hand the line on, and
/// names this file. `Box<dyn Optimizer<T>>` is an optimizer itself, and does.
///
/// # An optimizer of one's own
///
/// The fields are listed twice, to be read and to be changed, settings before [`Field::Parameters`] before arrays:
///
/// ```
/// use std::ops::Range;
/// use quietgrad::optim::{Factors, Field, FieldMut, Optimizer};
/// use quietgrad::{Params, Signature, Tensor, kernels::update};
///
/// /// Steps by the sign of the gradient.
/// struct Sign {
///     lr: f64,
///     of: Option<Signature>,
/// }
///
/// impl Optimizer<f32> for Sign {
///     fn kind(&self) -> &'static str {
///         "Sign"
///     }
///     fn fields(&self, see: &mut dyn FnMut(&'static str, Field<'_, f32>)) {
///         see("lr", Field::Rate(&self.lr));
///         see("of", Field::Parameters(&self.of));
///     }
///     fn fields_mut(&mut self, see: &mut dyn FnMut(&'static str, FieldMut<'_, f32>)) {
///         see("lr", FieldMut::Rate(&mut self.lr));
///         see("of", FieldMut::Parameters(&mut self.of));
///     }
///     fn lr(&self) -> f64 {
///         self.lr
///     }
///     fn lr_mut(&mut self) -> &mut f64 {
///         &mut self.lr
///     }
///     fn update(&mut self, _: Range<usize>, p: &mut [f32], g: &[f32], factors: Factors) {
///         let lr = (self.lr * factors.lr) as f32;
///         update::step(p, g, [], |p, g, []| (p - if g == 0.0 { 0.0 } else { lr.copysign(g) }, []));
///     }
/// }
///
/// let mut params = Params::new();
/// params.add("x", Tensor::from([1.0, 1.0]));
/// let mut grads = params.zeros();
/// grads.data_mut()[0] = -3.0;
/// Sign { lr: 0.5, of: None }.step(&mut params, &grads);
/// assert_eq!(params.data(), [1.5, 1.0]);
/// ```
pub trait Optimizer<T: Element> {
    /// Its name, which its state bears.
    fn kind(&self) -> &'static str;

    /// Calls `see` with each field and its name.
    fn fields(&self, see: &mut dyn FnMut(&'static str, Field<'_, T>));

    /// Calls `see` with each field and its name, in the order of [`fields`](Optimizer::fields).
    fn fields_mut(&mut self, see: &mut dyn FnMut(&'static str, FieldMut<'_, T>));

    /// The step size.
    fn lr(&self) -> f64;

    /// The step size, to be changed.
    fn lr_mut(&mut self) -> &mut f64;

    /// Counts a step, before its first [`update`](Optimizer::update).
    fn count(&mut self) {}

    /// Changes a part of the parameters by their gradient, the step size and the weight decay multiplied by `factors`.
    fn update(&mut self, part: Range<usize>, p: &mut [T], g: &[T], factors: Factors);

    /// Changes the step size, to follow a [`Schedule`].
    ///
    /// # Panics
    /// If it is negative, infinite or NaN.
    #[track_caller]
    fn set_lr(&mut self, lr: f64) {
        fields::demand("set_lr", [fields::rate("lr", lr)]);
        *self.lr_mut() = lr;
    }

    /// Changes the parameters by their gradients.
    ///
    /// # Panics
    /// If the gradients are of other parameters (their names or shapes differ), if earlier steps were with other ones or
    /// parameters were added since, or if a setting makes no sense.
    #[track_caller]
    fn step(&mut self, params: &mut Params<T>, grads: &Grads<T>) {
        begin(self, params, grads);
        update_within(self, 0..params.len(), params, grads, Factors::default());
    }

    /// Changes the parameters by their gradients, each group with its own step size and decay.
    ///
    /// # Panics
    /// As [`step`](Optimizer::step), or if the groups are of other parameters.
    #[track_caller]
    fn step_groups(&mut self, params: &mut Params<T>, grads: &Grads<T>, groups: &Groups) {
        assert!(groups.signature() == params.signature(), "step_groups: the groups are of other parameters");
        begin(self, params, grads);
        for (part, factors) in groups.parts() {
            update_within(self, part.clone(), params, grads, *factors);
        }
    }

    /// Settings and memory, to be saved.
    #[doc(alias = "state_dict")]
    fn state(&self) -> State<T> {
        let mut state = State::new(self.kind());
        self.fields(&mut |name, field| fields::put(&mut state, name, field));
        state
    }

    /// Goes on from a state of this kind of optimizer, for these parameters, with the bits that the saved one would have
    /// had. Settings are restored as well; a changed one is set afterwards.
    ///
    /// # Errors
    /// If the state is of another kind of optimizer or of other parameters, or not whole. Then nothing has changed.
    #[doc(alias = "load_state_dict")]
    fn restore(&mut self, params: &Params<T>, state: &State<T>) -> Result<(), StateError> {
        let of = params.signature();
        let mut sizes = [0; 3];
        let mut found = Ok(());
        self.fields(&mut |name, field| {
            match field {
                Field::Rate(_) | Field::Decay(_) | Field::Number(_) => sizes[0] += 1,
                Field::Switch(_) => sizes[1] += 1,
                Field::Parameters(_) => sizes[1] += 2,
                Field::Array(..) => sizes[2] += 1,
            }
            if found.is_ok() {
                found = fields::expect_field(state, name, field, of.elements);
            }
        });
        // What it is of is said first: a state of something else has other numbers, or too few.
        state.expect_kind(self.kind())?;
        fields::expect_signature(state, of)?;
        found?;
        state.expect_sizes(self.kind(), sizes)?;
        self.fields_mut(&mut |name, field| fields::take(state, name, field));
        Ok(())
    }
}

impl<T: Element, O: Optimizer<T> + ?Sized> Optimizer<T> for Box<O> {
    fn kind(&self) -> &'static str {
        (**self).kind()
    }

    fn fields(&self, see: &mut dyn FnMut(&'static str, Field<'_, T>)) {
        (**self).fields(see);
    }

    fn fields_mut(&mut self, see: &mut dyn FnMut(&'static str, FieldMut<'_, T>)) {
        (**self).fields_mut(see);
    }

    fn lr(&self) -> f64 {
        (**self).lr()
    }

    fn lr_mut(&mut self) -> &mut f64 {
        (**self).lr_mut()
    }

    fn count(&mut self) {
        (**self).count();
    }

    fn update(&mut self, part: Range<usize>, p: &mut [T], g: &[T], factors: Factors) {
        (**self).update(part, p, g, factors);
    }
}

/// Updates what learns of a part of the parameters: frozen ones, and what is remembered of them, stay as they are.
fn update_within<T: Element, O: Optimizer<T> + ?Sized>(
    optimizer: &mut O,
    part: Range<usize>,
    params: &mut Params<T>,
    grads: &Grads<T>,
    factors: Factors,
) {
    let mut at = part.start;
    while let Some(learning) = params.learning_from(at).filter(|learning| learning.start < part.end) {
        at = learning.end.min(part.end);
        let range = learning.start..at;
        let (p, g) = (&mut params.data_mut()[range.clone()], &grads.data()[range.clone()]);
        optimizer.update(range, p, g, factors);
    }
}

/// Checks that everything fits, makes room for what is used, and counts the step.
#[track_caller]
fn begin<T: Element, O: Optimizer<T> + ?Sized>(optimizer: &mut O, params: &Params<T>, grads: &Grads<T>) {
    params.expect_gradients("step", grads);
    let here = params.signature();
    let mut senseless: Option<Senseless> = None;
    let mut before = here;
    optimizer.fields_mut(&mut |name, field| match field {
        FieldMut::Rate(x) => senseless = senseless.or(fields::rate(name, *x).err()),
        FieldMut::Decay(x) => senseless = senseless.or(fields::decay(name, *x).err()),
        FieldMut::Switch(_) | FieldMut::Number(_) => {}
        // A step that makes no sense binds the optimizer to nothing.
        _ if senseless.is_some() => {}
        FieldMut::Parameters(of) => before = *of.get_or_insert(here),
        FieldMut::Array(array, used) => {
            if used && array.is_empty() {
                array.resize(before.elements as usize, T::ZERO);
            }
        }
    });
    if let Some(fault) = senseless {
        panic!("step: {}: {fault}", optimizer.kind());
    }
    if before != here {
        let (began, now) = (before.elements, here.elements);
        assert!(began == now, "step: the optimizer began with {began} elements, now there are {now}");
        panic!("step: the optimizer began with other parameters: names or shapes differ");
    }
    optimizer.count();
}
