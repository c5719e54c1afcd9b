//! Where a vjp puts its results.

use super::memory::{EntryValues, Place};
use crate::element::Element;
use crate::kernels::{self, Signs, support};
use crate::matrix::{Accum, Sparse, Support};
use crate::tensor::{Shape, ViewMut};

/// What has flowed to a node's cotangent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Flow {
    #[default]
    Nothing,
    /// All of it, in the memory that the node names.
    Whole,
    /// Values at the entries of a support, in the sweep's list under this number. At other elements it is zero, or is not
    /// read by the op that made the node.
    Entries(usize),
}

/// An input's cotangent: where its memory is, and which node it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    /// The number of the input's node.
    pub node: usize,
    pub place: Place,
    pub shape: Shape,
}

/// The cotangent of an input, as it is to be written.
pub(crate) enum Wanted<'a, T> {
    /// All of it.
    Whole(ViewMut<'a, T>),
    /// Only the entries of a support: their values, in the support's order.
    Entries(&'a Support, &'a mut [T]),
}

/// The cotangents of an op's inputs, to be contributed to by its vjp.
///
/// The first contribution to a cotangent replaces what is there, later ones add to it; the vjp is handed the
/// right [`Accum`] each time and never asks which it is.
pub struct Cotangents<'a, T> {
    pub(crate) slots: &'a [Slot],
    /// What has flowed to each node.
    pub(crate) flows: &'a mut [Flow],
    /// Cotangents of the nodes before this one.
    pub(crate) arena: &'a mut [T],
    pub(crate) gradients: &'a mut [T],
    /// Cotangents of nodes of the segment at hand, in the memory that all segments share.
    pub(crate) segment: &'a mut [T],
    /// For each node what is to be added to its cotangent: this number times the sign of its value.
    pub(crate) signs: &'a mut [T],
    /// What there is to know of entries, where any have been found.
    pub(crate) entries: Option<Receivers<'a, T>>,
}

/// How contributions are received where cotangents may consist of entries.
pub(crate) struct Receivers<'a, T> {
    /// How the contributions to each input are made and received.
    pub plans: &'a [Plan],
    /// The values of entries of this sweep.
    pub values: &'a mut [EntryValues<T>],
    pub supports: &'a [Support],
    /// The number of entry values that may be overwritten.
    pub spare: usize,
}

/// How a contribution to one input is made and received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// The support whose entries are all that the vjp writes: it sees them as a tensor of one axis.
    pub made_at: Option<usize>,
    /// The number of the entry values that it goes to if it is the first, and only entries are wanted.
    pub first: Option<usize>,
}

impl<T: Element> Cotangents<'_, T> {
    /// Whether the cotangent of input `k` is wanted at all.
    pub fn wants(&self, k: usize) -> bool {
        !matches!(self.slots[k].place, Place::Nowhere)
    }

    /// Whether all of the cotangent of input `k` is wanted.
    pub(crate) fn wants_whole(&self, k: usize) -> bool {
        let entries = self.entries.as_ref().and_then(|receivers| receivers.goes_to(k, self.flow(k)));
        self.wants(k) && entries.is_none()
    }

    /// What has flowed to the cotangent of input `k`.
    fn flow(&self, k: usize) -> Flow {
        self.flows[self.slots[k].node]
    }

    /// Contributes to the cotangent of input `k`: `write` gets its memory and whether to replace or add. Not called
    /// when the cotangent is not wanted.
    #[inline]
    pub fn add(&mut self, k: usize, write: impl FnOnce(ViewMut<T>, Accum)) {
        let Slot { node, place, shape } = &self.slots[k];
        let (memory, range) = match place {
            Place::Nowhere => return,
            Place::Arena(range) => (&mut *self.arena, range),
            Place::Gradient(range) => (&mut *self.gradients, range),
            Place::Segment(range) => (&mut *self.segment, range),
        };
        let whole = ViewMut::new(&mut memory[range.clone()], shape);
        match &mut self.entries {
            None => write(whole, touch(&mut self.flows[*node], Flow::Whole)),
            Some(receivers) => receivers.add(k, &mut self.flows[*node], whole, write),
        }
    }

    /// Contributes to the cotangents of inputs that are numbers.
    #[inline]
    pub(crate) fn add_numbers(&mut self, numbers: [T; 2]) {
        for (k, &number) in numbers[..self.slots.len().min(2)].iter().enumerate() {
            self.add(k, |gx, accum| {
                let gx = &mut gx.data[0];
                *gx = if accum == Accum::Add { *gx + number } else { number };
            });
        }
    }

    /// `gx += g sign(x)`, the slope of an l1 penalty, for input `k`, whose value is `x`. If x is a parameter, it is added at
    /// once. Else only the number g is kept beside the cotangent, and added when the vjp of x's op reads it: no array is
    /// written.
    pub(crate) fn add_signs(&mut self, k: usize, g: T, x: &[T]) {
        match &self.slots[k].place {
            Place::Nowhere => {}
            Place::Arena(_) | Place::Segment(_) => self.signs[self.slots[k].node] += g,
            Place::Gradient(_) => {
                self.add(k, |gx, accum| kernels::map([x], gx.data, accum, Signs { plus: g }));
            }
        }
    }

    /// Contributes to the cotangents of two inputs in one call, of the first at the entries alone if only those are wanted.
    /// An input whose cotangent is not wanted is `None`. If both inputs are one value, `write` is called once for each.
    pub(crate) fn add_both(
        &mut self,
        [k, l]: [usize; 2],
        mut write: impl FnMut(Option<(Wanted<T>, Accum)>, Option<(ViewMut<T>, Accum)>),
    ) {
        let (slot, other) = (&self.slots[k], &self.slots[l]);
        let distinct = slot.node != other.node;
        let places = distinct.then_some([&slot.place, &other.place]);
        let both = places.and_then(|places| disjoint([self.arena, self.gradients, self.segment], places));
        let Some([whole, of_other]) = both else {
            self.add_wanted(k, |gk, of_k| write(Some((gk, of_k)), None));
            return self.add(l, |gl, of_l| write(None, Some((gl, of_l))));
        };
        let number = self.entries.as_ref().and_then(|receivers| receivers.goes_to(k, self.flows[slot.node]));
        let accum = touch(&mut self.flows[slot.node], number.map_or(Flow::Whole, Flow::Entries));
        let (flow, of_other) = (&mut self.flows[other.node], ViewMut::new(of_other, &other.shape));
        let Some(receivers) = &mut self.entries else {
            let whole = Wanted::Whole(ViewMut::new(whole, &slot.shape));
            return write(Some((whole, accum)), Some((of_other, touch(flow, Flow::Whole))));
        };
        // The values of k's entries leave the list for as long as l's may be needed from it.
        let mut taken = number.map(|number| std::mem::take(&mut receivers.values[number]));
        let supports = receivers.supports;
        let wanted = match &mut taken {
            Some(EntryValues { support, values, .. }) => Wanted::Entries(&supports[*support], values),
            None => Wanted::Whole(ViewMut::new(whole, &slot.shape)),
        };
        receivers.add(l, flow, of_other, |gl, of_l| write(Some((wanted, accum)), Some((gl, of_l))));
        if let (Some(number), Some(taken)) = (number, taken) {
            receivers.values[number] = taken;
        }
    }

    /// Contributes to the cotangent of input `k`: `write` gets all of it or, if only the entries of a support are wanted, the
    /// values of those, and whether to replace or add.
    fn add_wanted(&mut self, k: usize, write: impl FnOnce(Wanted<T>, Accum)) {
        let number = self.entries.as_ref().and_then(|receivers| receivers.goes_to(k, self.flow(k)));
        match (number, &mut self.entries) {
            (Some(number), Some(receivers)) => {
                let accum = touch(&mut self.flows[self.slots[k].node], Flow::Entries(number));
                let EntryValues { support, values, .. } = &mut receivers.values[number];
                write(Wanted::Entries(&receivers.supports[*support], values), accum);
            }
            _ => self.add(k, |gx, accum| write(Wanted::Whole(gx), accum)),
        }
    }
}

impl<T: Element> Receivers<'_, T> {
    /// The number of the entry values that a contribution to slot `k` goes to, after what has flowed so far; `None` if it
    /// goes to a whole cotangent.
    fn goes_to(&self, k: usize, flow: Flow) -> Option<usize> {
        match flow {
            Flow::Nothing => self.plans[k].first,
            Flow::Entries(number) => Some(number),
            Flow::Whole => None,
        }
    }

    /// Contributes to the cotangent of input `k`, whose memory is `whole`: has it written as the vjp writes it, at all
    /// elements or at given entries, and brings that to where it is wanted.
    #[inline]
    fn add(&mut self, k: usize, flow: &mut Flow, whole: ViewMut<T>, write: impl FnOnce(ViewMut<T>, Accum)) {
        let mut write = Some(write);
        self.add_by(k, flow, whole, &mut |gx, accum| write.take().expect("written once")(gx, accum));
    }

    /// [`add`](Self::add), compiled once for all ops, as few meet it.
    #[inline(never)]
    fn add_by(
        &mut self,
        k: usize,
        flow: &mut Flow,
        whole: ViewMut<T>,
        write: &mut dyn FnMut(ViewMut<T>, Accum),
    ) {
        let number = self.goes_to(k, *flow);
        let accum = touch(flow, number.map_or(Flow::Whole, Flow::Entries));
        let Self { values, supports, spare, .. } = self;
        let shape = whole.shape;
        match (self.plans[k].made_at, number) {
            (None, None) => write(whole, accum),
            (Some(made_at), Some(number)) if values[number].support == made_at => {
                write(ViewMut::new(&mut values[number].values, shape), accum);
            }
            // The memory of a whole cotangent is free where it consists of entries.
            (None, Some(number)) => {
                write(ViewMut::new(&mut *whole.data, shape), Accum::Replace);
                let EntryValues { support, values, .. } = &mut values[number];
                support::gather(whole.data, &supports[*support], values, accum);
            }
            (Some(made_at), number) => {
                let made = &mut values[*spare];
                made.set_support(made_at, &supports[made_at]);
                write(ViewMut::new(&mut made.values, shape), Accum::Replace);
                let made = Sparse::new(&supports[made_at], &made.values);
                let Some(number) = number else { return support::scatter(made, whole.data, accum) };
                support::scatter(made, whole.data, Accum::Replace);
                let EntryValues { support, values, .. } = &mut values[number];
                support::gather(whole.data, &supports[*support], values, accum);
            }
        }
    }
}

/// The memory of two cotangents, if both are wanted.
fn disjoint<'m, T>(memories: [&'m mut [T]; 3], [a, b]: [&Place; 2]) -> Option<[&'m mut [T]; 2]> {
    let stands = |place: &Place| match place {
        Place::Nowhere => None,
        Place::Arena(range) => Some((0, range.clone())),
        Place::Gradient(range) => Some((1, range.clone())),
        Place::Segment(range) => Some((2, range.clone())),
    };
    let ((of_a, a), (of_b, b)) = (stands(a)?, stands(b)?);
    let mut memories = memories.map(Some);
    let memory_of_a = memories[of_a].take()?;
    if of_a == of_b {
        return memory_of_a.get_disjoint_mut([a, b]).ok();
    }
    Some([&mut memory_of_a[a], &mut memories[of_b].take()?[b]])
}

/// Notes that a contribution is made to a cotangent, and says what it does to what is there. The first one replaces it, and
/// decides that the cotangent flows as `first` says.
#[inline]
fn touch(flow: &mut Flow, first: Flow) -> Accum {
    if *flow == Flow::Nothing {
        *flow = first;
        return Accum::Replace;
    }
    Accum::Add
}
