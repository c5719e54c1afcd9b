//! Parameters that step differently from the others.

use std::ops::Range;

use super::fields::{demand, rate};
use crate::element::Element;
use crate::params::{Params, Signature};
use crate::tensor::Shape;

/// What an optimizer's own settings are multiplied by for some parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factors {
    /// Of the step size.
    pub lr: f64,
    /// Of the weight decay.
    pub weight_decay: f64,
}

impl Default for Factors {
    fn default() -> Self {
        Factors { lr: 1.0, weight_decay: 1.0 }
    }
}

/// Which parameters step with which [`Factors`].
///
/// ```
/// use quietgrad::{Params, Tensor, optim::{Factors, Groups, Optimizer, Sgd}};
///
/// let mut params = Params::new();
/// params.add("w", Tensor::from([1.0, 1.0]));
/// params.add("b", Tensor::from([1.0]));
/// // Biases do not decay.
/// let groups = Groups::new(&params, |name, _| match name {
///     "b" => Factors { weight_decay: 0.0, ..Factors::default() },
///     _ => Factors::default(),
/// });
/// let grads = params.zeros();
/// let mut sgd = Sgd::new(0.5);
/// sgd.weight_decay = 0.5;
/// sgd.step_groups(&mut params, &grads, &groups);
/// assert_eq!(params.data(), [0.75, 0.75, 1.0]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Groups {
    parts: Vec<(Range<usize>, Factors)>,
    of: Signature,
}

impl Groups {
    /// The factors of each parameter, by its name and shape. Neighbours with equal factors step together.
    ///
    /// # Panics
    /// If a factor is negative, infinite or NaN.
    #[track_caller]
    pub fn new<T: Element>(params: &Params<T>, factors: impl Fn(&str, &Shape) -> Factors) -> Self {
        let mut parts: Vec<(Range<usize>, Factors)> = Vec::new();
        let mut start = 0;
        for id in params.ids() {
            let end = start + params.get(id).len();
            let factors = factors(params.name(id), params.shape(id));
            demand("Groups::new", [rate("lr", factors.lr), rate("weight_decay", factors.weight_decay)]);
            match parts.last_mut() {
                Some((part, of_part)) if *of_part == factors => part.end = end,
                _ => parts.push((start..end, factors)),
            }
            start = end;
        }
        Groups { parts, of: params.signature() }
    }

    /// Names and shapes of the parameters that these are groups of.
    pub(super) fn signature(&self) -> Signature {
        self.of
    }

    /// The groups, in the order of the parameters: a range of the flat block, and its factors.
    pub(super) fn parts(&self) -> &[(Range<usize>, Factors)] {
        &self.parts
    }
}
