//! Where a vjp puts its results.

use std::ops::Range;

use crate::element::{Accum, Element};
use crate::kernels::support;
use crate::sparsity::Support;
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

/// The values of entries: of a support, in its order.
#[derive(Debug, Default)]
pub(crate) struct Pack<T> {
    /// Which of the recording's supports.
    pub support: usize,
    pub values: Vec<T>,
    /// The same by place, if they were found there.
    pub by_place: Vec<T>,
}

/// An input's cotangent: where it stands, and whether a contribution is there already.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    pub place: Place,
    pub shape: &'a [usize],
    pub accum: Accum,
    /// The number of its pack, if only entries are asked for.
    pub pack: Option<usize>,
}

impl Default for Slot<'_> {
    fn default() -> Self {
        Slot { place: Place::Nowhere, shape: &[], accum: Accum::Replace, pack: None }
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
    pub(crate) packs: &'a mut [Pack<T>],
    pub(crate) supports: &'a [Support],
    /// Whether the vjp runs on entries as if they were all elements.
    pub(crate) as_all: bool,
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
        if self.slots[k].place == Place::Nowhere {
            return;
        }
        let owner = self.owner(k);
        let Slot { place, shape, accum, pack } = &mut self.slots[owner];
        let data = match place {
            Place::Nowhere => return,
            Place::Arena(range) => &mut self.arena[range.clone()],
            Place::Gradient(range) => &mut self.gradients[range.clone()],
        };
        match pack {
            None => write(ViewMut::new(data, shape), *accum),
            Some(number) => {
                let pack = &mut self.packs[*number];
                if self.as_all {
                    write(ViewMut::new(&mut pack.values, shape), *accum);
                } else {
                    write(ViewMut::new(&mut *data, shape), Accum::Replace);
                    support::gather(data, &self.supports[pack.support], &mut pack.values, *accum);
                }
            }
        }
        self.touch(k);
    }

    /// As [`add`](Cotangents::add), if only entries of the cotangent of input `k` are asked for: `write` gets their
    /// support and their values. Says whether that was so.
    pub(crate) fn add_entries(&mut self, k: usize, write: impl FnOnce(&Support, &mut [T], Accum)) -> bool {
        let owner = self.owner(k);
        let Slot { accum, pack: Some(number), .. } = self.slots[owner] else { return false };
        let pack = &mut self.packs[number];
        write(&self.supports[pack.support], &mut pack.values, accum);
        self.touch(k);
        true
    }

    /// [`add_entries`](Cotangents::add_entries) to input `k` and [`add`](Cotangents::add) to another, in one call. Says
    /// whether it was made: if not, it is to be done one by one.
    pub(crate) fn add_entries_and(
        &mut self,
        k: usize,
        other: usize,
        write: impl FnOnce((&mut [T], Accum), (ViewMut<T>, Accum)),
    ) -> bool {
        let owner = self.owner(k);
        if !self.wants(other) || self.slots[owner].place == self.slots[other].place {
            return false;
        }
        let Slot { accum, pack: Some(number), .. } = self.slots[owner] else { return false };
        let mut values = std::mem::take(&mut self.packs[number].values);
        self.add(other, |place, other_accum| write((&mut values, accum), (place, other_accum)));
        self.packs[number].values = values;
        self.touch(k);
        true
    }

    /// The first slot with the place of slot `k`. An input may appear twice (`x * x`).
    fn owner(&self, k: usize) -> usize {
        let place = &self.slots[k].place;
        self.slots[..k].iter().position(|slot| slot.place == *place).unwrap_or(k)
    }

    /// A contribution has been made: what comes next, to any slot of the same place, adds to it.
    fn touch(&mut self, k: usize) {
        let touched = self.slots[k].place.clone();
        for slot in self.slots.iter_mut().filter(|slot| slot.place == touched) {
            slot.accum = Accum::Add;
        }
    }
}
