//! How compact cotangents are passed back: those of which only the values at non-zero positions, the *entries*, are stored.
//! This file decides what of its output's cotangent a vjp is given, and where its contributions are written. It is used
//! only on a tape that has found entries, keeps a gradient, or is watched.
//!
//! Where y and gy are given at entries, they are given at the entries of one support, so that what has the same index in
//! both belongs together. [`Sweep::values_at`] gives a node's values at a support: as they are, if they are stored at its
//! entries, and else picked from those that are.

use super::cotangents::{Flow, Plan};
use super::memory::{EntryValues, Place};
use super::node::{Node, NodeId};
use super::sweep::Sweep;
use crate::kernels::support;
use crate::matrix::{Accum, Sparse};
use crate::ops::{OnEntries, Real};
use crate::pointwise::Demand;

/// What a vjp is run on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum RunOn {
    /// All elements.
    #[default]
    All,
    /// The entries of this support: the vjp is given x, y and gy as tensors of one axis, with one element an entry.
    Entries(usize),
    /// The terms of a sum at the entries of this support; y and gy are numbers.
    Terms(usize),
    /// All of x, and the entries of this support in y and gy, of which it is told.
    SparseCotangent(usize),
}

impl RunOn {
    /// The support that y and gy are given at.
    pub fn support_of_gy(self) -> Option<usize> {
        match self {
            RunOn::Entries(support) | RunOn::SparseCotangent(support) => Some(support),
            RunOn::All | RunOn::Terms(_) => None,
        }
    }
}

/// Values that are lent out of the sweep's list, under this number, for as long as a vjp runs.
pub(super) struct Lent<T> {
    number: usize,
    pub of: EntryValues<T>,
}

impl<T> Lent<T> {
    /// The values, if any were lent.
    pub fn values(lent: Option<&Self>) -> Option<&[T]> {
        lent.map(|lent| &lent.of.values[..])
    }
}

/// What a vjp is given, and how its contributions go.
pub(super) struct Incoming<T> {
    pub on: RunOn,
    /// gy, if it is not in the arena.
    pub gy: Option<Lent<T>>,
    /// Whether gy is a copy: what the vjp does to it leaves the cotangent as it was.
    pub gy_is_copy: bool,
    /// y and x at the entries of gy, where the vjp reads them and the recording has not got them.
    pub y: Option<Lent<T>>,
    pub x: Option<Lent<T>>,
    /// The number of entry values that may be overwritten.
    pub spare: usize,
}

impl<T> Incoming<T> {
    /// Of a vjp that is run on all elements, on a tape on which there is nothing to attend to.
    #[inline(always)]
    pub fn whole() -> Self {
        Incoming { on: RunOn::All, gy: None, gy_is_copy: false, y: None, x: None, spare: 0 }
    }
}

impl<T: Real> Sweep<'_, T> {
    /// Decides what the vjp of node i is run on, and gets it ready.
    pub(super) fn incoming(&mut self, i: usize) -> Incoming<T> {
        let node = &self.nodes[i];
        let found = self.zeros.any();
        let on = if found { self.run_on(i) } else { RunOn::All };
        let (gy, gy_is_copy) = self.lend_gy(i, on);
        let mut incoming = Incoming { on, gy, gy_is_copy, ..Incoming::whole() };
        if let Some(support) = on.support_of_gy() {
            let each = matches!(on, RunOn::Entries(_)) && !node.aliases;
            let selects = node.zeros.reads == Demand::Support;
            if each || selects || !self.signs[i].adds_nothing() {
                incoming.y = self.values_at(NodeId(i as u32), support);
            }
            if each && !selects {
                incoming.x = self.values_at(node.inputs[0], support);
            }
        }
        if found {
            self.plans.clear();
            for k in 0..node.inputs.len() {
                let plan = self.plan(node, k, on);
                self.plans.push(plan);
            }
            incoming.spare = self.values_of_entries.take();
        }
        incoming
    }

    /// Puts values that were lent back into the sweep's list.
    #[inline]
    pub(super) fn take_back(&mut self, lent: [Option<Lent<T>>; 3]) {
        for Lent { number, of } in lent.into_iter().flatten() {
            self.values_of_entries.all[number] = of;
        }
    }

    /// What the vjp of node i is run on. Makes its cotangent whole if it needs all of it.
    fn run_on(&mut self, i: usize) -> RunOn {
        let (node, id) = (&self.nodes[i], NodeId(i as u32));
        let zeros = node.zeros;
        if zeros.entries == OnEntries::SumOfEach {
            return self.zeros.demanded(self.nodes, node.inputs[0]).map_or(RunOn::All, RunOn::Terms);
        }
        let own = self.zeros.known(id).support();
        let support = match self.flows[i] {
            Flow::Entries(number) => Some(self.values_of_entries.all[number].support),
            Flow::Whole | Flow::Nothing if zeros.reads == Demand::Support => own,
            Flow::Whole | Flow::Nothing => None,
        };
        // A multiple of y's sign is to be added wherever y ≠ 0: y's own entries are all of those, others may not be.
        let complete = self.signs[i].adds_nothing() || support == own;
        if let Some(support) = support.filter(|_| complete) {
            // A product and a bias count in the columns of y.
            let columns_fit = node.shape.last() == Some(&self.zeros.supports.all[support].cols());
            let input = &self.nodes[node.inputs[0].index()];
            match zeros.entries {
                OnEntries::EachAlone if node.inputs.len() == 1 && input.strides.is_none() => {
                    return RunOn::Entries(support);
                }
                // Of a permuted x with several leading axes the rows may not be one matrix.
                OnEntries::Multiplies(_) if input.strides.is_some() && input.shape.rank() > 2 => {}
                OnEntries::Multiplies(_) | OnEntries::PassesOn if columns_fit => {
                    return RunOn::SparseCotangent(support);
                }
                _ => {}
            }
        }
        self.make_whole(id);
        RunOn::All
    }

    /// How the contribution to input k of a node is made and received, by a vjp that is run on what `on` says.
    fn plan(&mut self, node: &Node, k: usize, on: RunOn) -> Plan {
        let id = node.inputs[k];
        let input = &self.nodes[id.index()];
        let made_at = match on {
            RunOn::Entries(support) | RunOn::Terms(support) => Some(support),
            RunOn::SparseCotangent(support) => {
                let passed_on = node.zeros.entries == OnEntries::PassesOn && input.shape == node.shape;
                passed_on.then_some(support)
            }
            RunOn::All => None,
        };
        let demanded = self.zeros.demanded(self.nodes, id);
        // The gradients of parameters are the caller's, and whole. What an input's first slot does holds for the others.
        let elsewhere =
            matches!(input.cotangent, Place::Nowhere | Place::Gradient(_)) || node.inputs[..k].contains(&id);
        let mut first = None;
        match self.flows[id.index()] {
            Flow::Nothing if !elsewhere => {
                first = demanded.or(made_at).map(|support| self.new_values(support))
            }
            Flow::Entries(number) => {
                let support = Some(self.values_of_entries.all[number].support);
                if support != demanded && support != made_at {
                    self.make_whole(id);
                }
            }
            Flow::Nothing | Flow::Whole => {}
        }
        Plan { made_at, first }
    }

    /// Turns a cotangent that consists of entries into a whole one.
    fn make_whole(&mut self, id: NodeId) {
        let Flow::Entries(number) = self.flows[id.index()] else { return };
        let place = Sweep::place(&self.nodes[id.index()], self.cotangents, self.segment);
        let Some(place) = place else { return };
        let EntryValues { support, values, .. } = &self.values_of_entries.all[number];
        let entries = Sparse::new(&self.zeros.supports.all[*support], values);
        support::scatter(entries, place, Accum::Replace);
        self.flows[id.index()] = Flow::Whole;
    }

    /// The number of values for the entries of a support.
    fn new_values(&mut self, support: usize) -> usize {
        let number = self.values_of_entries.take();
        self.values_of_entries.all[number].set_support(support, &self.zeros.supports.all[support]);
        number
    }

    /// Takes values out of the sweep's list, under their number, for as long as a vjp runs.
    fn lend(&mut self, number: usize) -> Lent<T> {
        Lent { number, of: std::mem::take(&mut self.values_of_entries.all[number]) }
    }

    /// The values of a matrix at the entries of a support.
    fn picked(&mut self, x: &[T], support: usize) -> Lent<T> {
        let number = self.new_values(support);
        let mut lent = self.lend(number);
        support::gather(x, &self.zeros.supports.all[support], &mut lent.of.values, Accum::Replace);
        lent
    }

    /// A node's value at the entries of a support, if those are not its own entries, whose values the recording has.
    fn values_at(&mut self, id: NodeId, support: usize) -> Option<Lent<T>> {
        if self.zeros.known(id).support() == Some(support) {
            return None;
        }
        let values = self.values.elements(&self.nodes[id.index()]);
        Some(self.picked(values, support))
    }

    /// The cotangent of node i, unless a vjp that is run on what `on` says reads it in the arena; and whether it is a copy. It
    /// is lent where it consists of entries, where entries of it are picked, and where the tape keeps it for the user.
    fn lend_gy(&mut self, i: usize, on: RunOn) -> (Option<Lent<T>>, bool) {
        if let Flow::Entries(number) = self.flows[i] {
            return (Some(self.lend(number)), false);
        }
        let support = on.support_of_gy();
        if support.is_none() && !self.zeros.known(NodeId(i as u32)).kept {
            return (None, false);
        }
        let number = match support {
            Some(support) => self.new_values(support),
            None => self.values_of_entries.take(),
        };
        let mut lent = self.lend(number);
        let Some(place) = Sweep::place(&self.nodes[i], self.cotangents, self.segment) else {
            return (None, false);
        };
        if let Some(support) = support {
            support::gather(place, &self.zeros.supports.all[support], &mut lent.of.values, Accum::Replace);
        } else {
            lent.of.values.clear();
            lent.of.values.extend_from_slice(place);
            lent.of.values.resize(place.len() + self.nodes[i].room.scratch, T::ZERO);
        }
        (Some(lent), true)
    }
}
