//! Where a vjp puts its results.

use super::memory::Place;
use crate::element::Element;
use crate::kernels::support;
use crate::matrix::{Accum, Support};
use crate::tensor::{Shape, ViewMut};

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
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    /// The number of the input's node.
    pub node: usize,
    pub place: Place,
    pub shape: Shape,
    /// Whether what is the same at every element can be added later.
    pub takes_uniform: bool,
}

/// The cotangents of an op's inputs, to be contributed to by its vjp.
///
/// The first contribution to a cotangent replaces what stands there, later ones add to it; the vjp is handed the
/// right [`Accum`] each time and never asks which it is.
pub struct Cotangents<'a, T> {
    pub(crate) slots: &'a [Slot],
    /// What has flowed to each node.
    pub(crate) flows: &'a mut [Flow],
    pub(crate) arena: &'a mut [T],
    pub(crate) gradients: &'a mut [T],
    /// What is to be added to each node's cotangent at every element, and whether it may wait.
    pub(crate) uniform: &'a mut [T],
    pub(crate) may_wait: bool,
    /// What there is besides whole cotangents.
    pub(crate) partial: Option<Partial<'a, T>>,
}

/// The cotangents that consist of entries, or may.
pub(crate) struct Partial<'a, T> {
    /// For each slot the number of a pack, if only entries are asked for and nothing has flowed yet; empty if that is so
    /// for none.
    pub new_packs: &'a [Option<usize>],
    pub packs: &'a mut [Pack<T>],
    pub supports: &'a [Support],
    /// Whether the vjp runs on entries as if they were all elements.
    pub as_all: bool,
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
        let Slot { node, place, shape, .. } = &self.slots[k];
        let (memory, range) = match place {
            Place::Nowhere => return,
            Place::Arena(range) => (&mut *self.arena, range),
            Place::Gradient(range) => (&mut *self.gradients, range),
        };
        let place = ViewMut::new(&mut memory[range.clone()], shape);
        match &mut self.partial {
            None => write(place, touch(&mut self.flows[*node], Flow::Whole)),
            Some(partial) => partial.add(k, &mut self.flows[*node], place, write),
        }
    }

    /// Contributes to the cotangents of inputs that are numbers.
    #[inline]
    pub(crate) fn add_numbers(&mut self, numbers: [T; 2]) {
        for (k, &number) in numbers[..self.slots.len().min(2)].iter().enumerate() {
            self.add(k, |place, accum| {
                let place = &mut place.data[0];
                *place = if accum == Accum::Add { *place + number } else { number };
            });
        }
    }

    /// Contributes the same number to every element of the cotangent of input `k` at which it is read, if that is where the
    /// input is above 0: then the input's own vjp adds it in passing. Says whether it will.
    pub(crate) fn add_uniform(&mut self, k: usize, g: T) -> bool {
        let Slot { node, takes_uniform, .. } = self.slots[k];
        let waits = takes_uniform && self.may_wait;
        if waits {
            self.uniform[node] += g;
        }
        waits
    }

    /// [`add`](Cotangents::add) to two inputs in one call, if both are parameters. Says whether it was made: if not, it is
    /// to be done one by one.
    pub(crate) fn add_both(
        &mut self,
        [k, l]: [usize; 2],
        write: impl FnOnce([(ViewMut<T>, Accum); 2]),
    ) -> bool {
        let [a, b] = [&self.slots[k], &self.slots[l]];
        let (Place::Gradient(of_a), Place::Gradient(of_b)) = (&a.place, &b.place) else { return false };
        let Ok([x, y]) = self.gradients.get_disjoint_mut([of_a.clone(), of_b.clone()]) else { return false };
        let [x_accum, y_accum] = [a, b].map(|slot| touch(&mut self.flows[slot.node], Flow::Whole));
        write([(ViewMut::new(x, &a.shape), x_accum), (ViewMut::new(y, &b.shape), y_accum)]);
        true
    }

    /// As [`add`](Cotangents::add), if only entries of the cotangent of input `k` are asked for: `write` gets their
    /// support and their values. Says whether that was so.
    pub(crate) fn add_entries(&mut self, k: usize, write: impl FnOnce(&Support, &mut [T], Accum)) -> bool {
        let Some(partial) = &mut self.partial else { return false };
        let Some((number, accum)) = partial.touch_entries(k, &mut self.flows[self.slots[k].node]) else {
            return false;
        };
        let Pack { support, values, .. } = &mut partial.packs[number];
        write(&partial.supports[*support], values, accum);
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
        let Some(partial) = &mut self.partial else { return false };
        let of_k = self.slots[k].node;
        if matches!(self.slots[other].place, Place::Nowhere) || of_k == self.slots[other].node {
            return false;
        }
        let Some((number, accum)) = partial.touch_entries(k, &mut self.flows[of_k]) else { return false };
        let mut values = std::mem::take(&mut partial.packs[number].values);
        self.add(other, |place, other_accum| write((&mut values, accum), (place, other_accum)));
        if let Some(partial) = &mut self.partial {
            partial.packs[number].values = values;
        }
        true
    }
}

impl<T: Element> Partial<'_, T> {
    /// How the first contribution to input `k` flows.
    fn first(&self, k: usize) -> Flow {
        self.new_packs.get(k).copied().flatten().map_or(Flow::Whole, Flow::Entries)
    }

    /// Contributes to the cotangent of input `k`, which stands in a place if it does not consist of entries. (Out of line, as
    /// few ops meet it.)
    #[inline(never)]
    fn add(&mut self, k: usize, flow: &mut Flow, place: ViewMut<T>, write: impl FnOnce(ViewMut<T>, Accum)) {
        let accum = touch(flow, self.first(k));
        let Flow::Entries(number) = *flow else { return write(place, accum) };
        let Pack { support, values, .. } = &mut self.packs[number];
        if self.as_all {
            return write(ViewMut::new(values, place.shape), accum);
        }
        write(ViewMut::new(&mut *place.data, place.shape), Accum::Replace);
        support::gather(place.data, &self.supports[*support], values, accum);
    }

    /// The number of the pack of input `k`, and what a contribution does to it, if one is to consist of entries.
    fn touch_entries(&self, k: usize, flow: &mut Flow) -> Option<(usize, Accum)> {
        let to = if *flow == Flow::Nothing { self.first(k) } else { *flow };
        let Flow::Entries(number) = to else { return None };
        Some((number, touch(flow, to)))
    }
}

/// A contribution is made to a cotangent, which flows in this way if it is the first: what it does to what stands there.
#[inline]
fn touch(flow: &mut Flow, first: Flow) -> Accum {
    if *flow == Flow::Nothing {
        *flow = first;
        return Accum::Replace;
    }
    Accum::Add
}
