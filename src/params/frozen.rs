//! Parameters that stay as they are.

use std::ops::Range;

use super::{Param, ParamId, Params};
use crate::element::Element;

/// # Freezing
impl<T: Element> Params<T> {
    /// Keeps a parameter as it is until it is [unfrozen](Params::unfreeze). On the tape it is a constant: no product is
    /// computed for its gradient, which is 0. An optimizer, its decay included, leaves it and what is remembered of it
    /// untouched.
    ///
    /// Takes effect with the next recording.
    ///
    /// # Panics
    /// If there is no such parameter.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor, optim::{Adam, Optimizer}};
    ///
    /// let mut params = Params::new();
    /// let w = params.add("encoder.w", Tensor::from([1.0, 2.0]));
    /// let v = params.add("decoder.w", Tensor::from([3.0, 4.0]));
    /// params.freeze(w);
    /// let (mut tape, mut grads, mut adam) = (Tape::<f64>::new(), params.zeros(), Adam::adamw(0.1, 0.1));
    /// let r = tape.record(&params);
    /// (r.param(w) * r.param(v)).sum().backward(&mut grads);
    /// adam.step(&mut params, &grads);
    /// assert_eq!((grads.get(w), params.get(w)), (&[0.0, 0.0][..], &[1.0, 2.0][..]));
    /// assert_eq!(grads.get(v), [1.0, 2.0]);
    /// ```
    #[doc(alias = "requires_grad")]
    #[doc(alias = "trainable")]
    #[track_caller]
    pub fn freeze(&mut self, id: ParamId) {
        self.param_mut(id).frozen = true;
    }

    /// Lets a parameter learn again.
    ///
    /// # Panics
    /// If there is no such parameter.
    #[track_caller]
    pub fn unfreeze(&mut self, id: ParamId) {
        self.param_mut(id).frozen = false;
    }

    /// Freezes a whole layer: the parameter of this name, and all whose names begin with it and a dot. Gives how many those
    /// are.
    ///
    /// # Panics
    /// If there is none, since a mistyped name would let everything learn.
    ///
    /// ```
    /// use quietgrad::{Params, Random, nn::{Dense, Init}};
    ///
    /// let mut params = Params::<f32>::new();
    /// let encoder = Dense::new(&mut params, "encoder", [4, 8], Init::HeNormal, &mut Random::new(1));
    /// Dense::new(&mut params, "decoder", [8, 4], Init::HeNormal, &mut Random::new(2));
    /// assert_eq!(params.freeze_layer("encoder"), 2);
    /// assert!(params.is_frozen(encoder.w) && params.is_frozen(encoder.b));
    /// assert_eq!((params.len(), params.learning()), (40 + 36, 36));
    /// ```
    #[track_caller]
    pub fn freeze_layer(&mut self, name: &str) -> usize {
        self.mark_layer("freeze_layer", name, true)
    }

    /// Lets a whole layer learn again, named as [`freeze_layer`](Params::freeze_layer) names it. Gives how many parameters
    /// those are.
    ///
    /// # Panics
    /// If there is none of this name.
    #[track_caller]
    pub fn unfreeze_layer(&mut self, name: &str) -> usize {
        self.mark_layer("unfreeze_layer", name, false)
    }

    #[track_caller]
    fn mark_layer(&mut self, method: &str, name: &str, frozen: bool) -> usize {
        let of_layer =
            |own: &str| own.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let ids: Vec<ParamId> = self.ids().filter(|&id| self.names(id).any(of_layer)).collect();
        assert!(!ids.is_empty(), "{method}: no parameter is named {name:?} or {:?}", format!("{name}.…"));
        for &id in &ids {
            self.param_mut(id).frozen = frozen;
        }
        ids.len()
    }

    /// Whether a parameter is frozen.
    ///
    /// # Panics
    /// If there is no such parameter.
    #[track_caller]
    pub fn is_frozen(&self, id: ParamId) -> bool {
        self.param(id).frozen
    }

    /// The number of elements of the parameters that learn: all but the frozen ones.
    pub fn learning(&self) -> usize {
        self.list.iter().filter(|param| !param.frozen).map(|param| param.range.len()).sum()
    }

    /// The next elements that learn, from element `start` on, up to the next frozen parameter; `None` if there are none.
    pub(crate) fn learning_from(&self, start: usize) -> Option<Range<usize>> {
        let mut found: Option<Range<usize>> = None;
        for Param { range, frozen, .. } in self.list.iter().filter(|param| param.range.end > start) {
            match &mut found {
                Some(found) if *frozen => return Some(found.clone()),
                Some(found) => found.end = range.end,
                None if *frozen => {}
                None => found = Some(range.start.max(start)..range.end),
            }
        }
        found
    }
}
