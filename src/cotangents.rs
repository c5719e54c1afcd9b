//! Where a vjp puts its results.

use std::ops::Range;

use crate::element::{Accum, Element};
use crate::kernels::support;
use crate::shape::Shape;
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

/// What has flowed to a node's cotangent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Flow {
    #[default]
    Nothing,
    /// It stands where the node says.
    Whole,
    /// The entries of a support, in the pack with this number.
    Entries(usize),
}

/// An input's cotangent: where it stands, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot<'a> {
    pub place: &'a Place,
    pub shape: &'a Shape,
    /// The number of the input's node.
    pub node: usize,
    /// The number of its pack, if only entries are asked for and nothing has flowed yet.
    pub pack: Option<usize>,
}

/// The cotangents of an op's inputs, to be contributed to by its vjp.
///
/// The first contribution to a cotangent replaces what stands there, later ones add to it; the vjp is handed the
/// right [`Accum`] each time and never asks which it is.
pub struct Cotangents<'a, T> {
    pub(crate) slots: &'a [Slot<'a>],
    /// What has flowed to each node.
    pub(crate) flows: &'a mut [Flow],
    pub(crate) arena: &'a mut [T],
    pub(crate) gradients: &'a mut [T],
    pub(crate) packs: &'a mut [Pack<T>],
    pub(crate) supports: &'a [Support],
    /// Whether the vjp runs on entries as if they were all elements.
    pub(crate) as_all: bool,
}

impl<T: Element> Cotangents<'_, T> {
    /// Whether anybody wants the cotangent of input `k`.
    pub fn wants(&self, k: usize) -> bool {
        !matches!(self.slots[k].place, Place::Nowhere)
    }

    /// Contributes to the cotangent of input `k`: `write` gets the place and whether to replace or add. Not called
    /// when nobody wants that cotangent.
    #[inline]
    pub fn add(&mut self, k: usize, write: impl FnOnce(ViewMut<T>, Accum)) {
        let Slot { place, shape, .. } = self.slots[k];
        let data = match place {
            Place::Nowhere => return,
            Place::Arena(range) => &mut self.arena[range.clone()],
            Place::Gradient(range) => &mut self.gradients[range.clone()],
        };
        let (flow, accum) = touch(self.flows, &self.slots[k]);
        let Flow::Entries(number) = flow else { return write(ViewMut::new(data, shape), accum) };
        let Pack { support, values, .. } = &mut self.packs[number];
        if self.as_all {
            write(ViewMut::new(values, shape), accum);
        } else {
            write(ViewMut::new(&mut *data, shape), Accum::Replace);
            support::gather(data, &self.supports[*support], values, accum);
        }
    }

    /// As [`add`](Cotangents::add), if only entries of the cotangent of input `k` are asked for: `write` gets their
    /// support and their values. Says whether that was so.
    pub(crate) fn add_entries(&mut self, k: usize, write: impl FnOnce(&Support, &mut [T], Accum)) -> bool {
        if !self.takes_entries(k) {
            return false;
        }
        let (Flow::Entries(number), accum) = touch(self.flows, &self.slots[k]) else { return false };
        let Pack { support, values, .. } = &mut self.packs[number];
        write(&self.supports[*support], values, accum);
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
        if !self.wants(other) || self.slots[k].node == self.slots[other].node || !self.takes_entries(k) {
            return false;
        }
        let (Flow::Entries(number), accum) = touch(self.flows, &self.slots[k]) else { return false };
        let mut values = std::mem::take(&mut self.packs[number].values);
        self.add(other, |place, other_accum| write((&mut values, accum), (place, other_accum)));
        self.packs[number].values = values;
        true
    }

    /// Whether a contribution to input `k` is to consist of entries.
    fn takes_entries(&self, k: usize) -> bool {
        let slot = &self.slots[k];
        slot.pack.is_some() || matches!(self.flows[slot.node], Flow::Entries(_))
    }
}

/// A contribution is made to a slot: how it flows, and what it does to what stands there.
#[inline]
fn touch(flows: &mut [Flow], slot: &Slot) -> (Flow, Accum) {
    let flow = &mut flows[slot.node];
    if matches!(flow, Flow::Nothing) {
        *flow = slot.pack.map_or(Flow::Whole, Flow::Entries);
        return (*flow, Accum::Replace);
    }
    (*flow, Accum::Add)
}
