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

/// Writes the contributions to two cotangents, of which one that is not wanted is `None`.
pub(crate) type WriteBoth<'f, T> = dyn FnMut(Option<(Wanted<T>, Accum)>, Option<(ViewMut<T>, Accum)>) + 'f;

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
        if let Some((place, accum, on)) = self.open(k) {
            write(place, accum);
            if let Some(accum) = on {
                self.pass_on(k, accum);
            }
        }
    }

    /// Where a contribution to the cotangent of input `k` is to be written, and whether to replace or add; and, if that is
    /// not where it is wanted, how it is to be [passed on](Self::pass_on) from there. `None` if it is not wanted.
    ///
    /// (What can be done before and after a contribution is written is compiled once, and not for each op.)
    fn open(&mut self, k: usize) -> Option<(ViewMut<'_, T>, Accum, Option<Accum>)> {
        let Slot { node, place, shape } = &self.slots[k];
        let whole = memory_at(place, [self.arena, self.gradients, self.segment])?;
        let whole = ViewMut::new(whole, shape);
        let flow = &mut self.flows[*node];
        if let Some(receivers) = &mut self.entries {
            return Some(receivers.open(k, flow, whole));
        }
        Some((whole, touch(flow, Flow::Whole), None))
    }

    /// Brings a contribution that was written where [`open`](Self::open) said to where it is wanted.
    #[inline(never)]
    fn pass_on(&mut self, k: usize, accum: Accum) {
        let slot = &self.slots[k];
        let whole = memory_at(&slot.place, [self.arena, self.gradients, self.segment]);
        if let (Some(whole), Some(receivers)) = (whole, &mut self.entries) {
            receivers.pass_on(k, self.flows[slot.node], whole, accum);
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
    pub(crate) fn add_both(&mut self, [k, l]: [usize; 2], write: &mut WriteBoth<T>) {
        let (slot, other) = (&self.slots[k], &self.slots[l]);
        let distinct = slot.node != other.node;
        let places = distinct.then_some([&slot.place, &other.place]);
        let both = places.and_then(|places| disjoint([self.arena, self.gradients, self.segment], places));
        let Some([whole, of_other]) = both else {
            self.add_wanted(k, &mut |gk, of_k| write(Some((gk, of_k)), None));
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
        let (gl, of_l, on) = receivers.open(l, flow, of_other);
        write(Some((wanted, accum)), Some((gl, of_l)));
        if let (Some(number), Some(taken)) = (number, taken) {
            receivers.values[number] = taken;
        }
        if let Some(accum) = on {
            self.pass_on(l, accum);
        }
    }

    /// Contributes to the cotangent of input `k`: `write` gets all of it or, if only the entries of a support are wanted, the
    /// values of those, and whether to replace or add.
    fn add_wanted(&mut self, k: usize, write: &mut dyn FnMut(Wanted<T>, Accum)) {
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

    /// Where a contribution to the cotangent of input `k`, whose memory is `whole`, is to be written: at all elements or at
    /// given entries, as the vjp writes it.
    #[inline(never)]
    fn open<'m>(
        &'m mut self,
        k: usize,
        flow: &mut Flow,
        whole: ViewMut<'m, T>,
    ) -> (ViewMut<'m, T>, Accum, Option<Accum>) {
        let number = self.goes_to(k, *flow);
        let accum = touch(flow, number.map_or(Flow::Whole, Flow::Entries));
        let Self { values, supports, spare, .. } = self;
        match (self.plans[k].made_at, number) {
            (None, None) => (whole, accum, None),
            (Some(made_at), Some(number)) if values[number].support == made_at => {
                (ViewMut::new(&mut values[number].values, whole.shape), accum, None)
            }
            // The memory of a whole cotangent is free where it consists of entries.
            (None, Some(_)) => (whole, Accum::Replace, Some(accum)),
            (Some(made_at), _) => {
                let made = &mut values[*spare];
                made.set_support(made_at, &supports[made_at]);
                (ViewMut::new(&mut made.values, whole.shape), Accum::Replace, Some(accum))
            }
        }
    }

    /// Brings what was written at the entries of the plan's support, or at all elements of `whole`, to where it is wanted.
    fn pass_on(&mut self, k: usize, flow: Flow, whole: &mut [T], accum: Accum) {
        let number = self.goes_to(k, flow);
        let Self { values, supports, spare, .. } = self;
        if let Some(made_at) = self.plans[k].made_at {
            let made = Sparse::new(&supports[made_at], &values[*spare].values);
            support::scatter(made, whole, if number.is_some() { Accum::Replace } else { accum });
        }
        if let Some(number) = number {
            let EntryValues { support, values, .. } = &mut values[number];
            support::gather(whole, &supports[*support], values, accum);
        }
    }
}

/// The memory of a cotangent, if it is wanted: in the arena, among the gradients, or in the segment at hand.
#[inline]
fn memory_at<'m, T>(place: &Place, [arena, gradients, segment]: [&'m mut [T]; 3]) -> Option<&'m mut [T]> {
    match place {
        Place::Nowhere => None,
        Place::Arena(range) => Some(&mut arena[range.clone()]),
        Place::Gradient(range) => Some(&mut gradients[range.clone()]),
        Place::Segment(range) => Some(&mut segment[range.clone()]),
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
