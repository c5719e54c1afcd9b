//! Where a vjp puts its results.

use std::ops::Range;

use crate::element::{Accum, Element};
use crate::tensor::ViewMut;

/// The memory of one cotangent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Place {
    /// Nobody wants it.
    Nowhere,
    /// In the tape's arena of cotangents.
    Arena(Range<usize>),
    /// In the caller's gradients: the cotangent of a parameter.
    Gradient(Range<usize>),
}

/// An input's cotangent: where it stands, and whether a contribution is there already.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    pub place: Place,
    pub shape: &'a [usize],
    pub accum: Accum,
}

impl Default for Slot<'_> {
    fn default() -> Self {
        Slot { place: Place::Nowhere, shape: &[], accum: Accum::Replace }
    }
}

/// The cotangents of an op's inputs, to be contributed to by its vjp.
///
/// The first contribution to a cotangent replaces what stands there, later ones add to it; the vjp is handed the
/// right [`Accum`] each time and never asks which it is.
pub struct Cotangents<'a, 's, T> {
    pub(crate) arena: &'a mut [T],
    pub(crate) gradients: &'a mut [T],
    pub(crate) slots: &'a mut [Slot<'s>],
}

impl<T: Element> Cotangents<'_, '_, T> {
    /// Whether anybody wants the cotangent of input `k`.
    pub fn wants(&self, k: usize) -> bool {
        self.slots[k].place != Place::Nowhere
    }

    /// Contributes to the cotangent of input `k`: `write` gets the place and whether to replace or add. Not called
    /// when nobody wants that cotangent.
    #[inline]
    pub fn add(&mut self, k: usize, write: impl FnOnce(ViewMut<T>, Accum)) {
        let Slot { place, shape, accum } = &self.slots[k];
        let data = match place {
            Place::Nowhere => return,
            Place::Arena(range) => &mut self.arena[range.clone()],
            Place::Gradient(range) => &mut self.gradients[range.clone()],
        };
        write(ViewMut { data, shape }, *accum);
        // An input may appear twice (`x * x`): the other slot's contribution comes on top of this one.
        let touched = self.slots[k].place.clone();
        for slot in self.slots.iter_mut().filter(|slot| slot.place == touched) {
            slot.accum = Accum::Add;
        }
    }
}
