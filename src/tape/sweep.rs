//! What a reverse sweep reads and writes, and how it begins.

use super::cotangents::{Flow, Plan};
use super::memory::{EntryValues, Place, Pool};
use super::node::{Kind, Node, NodeId};
use super::record::Record;
use super::values::Values;
use super::watch::Watch;
use super::zeros::Zeros;
use crate::kernels;
use crate::matrix::Accum;
use crate::ops::Real;

/// What a sweep reads and writes.
pub(super) struct Sweep<'a, T> {
    pub nodes: &'a [Node],
    pub values: Values<'a, T>,
    pub zeros: &'a Zeros<T>,
    pub cotangents: &'a mut [T],
    /// Cotangents of nodes of the segment at hand.
    pub segment: &'a mut [T],
    pub gradients: &'a mut [T],
    /// What has flowed to each node's cotangent.
    pub flows: &'a mut [Flow],
    /// What is left to be added to each node's cotangent: this number times the sign of the value.
    pub signs: &'a mut [T],
    pub values_of_entries: &'a mut Pool<EntryValues<T>>,
    /// How the inputs of the node at hand are contributed to; none if no entries have been found.
    pub plans: &'a mut Vec<Plan>,
}

impl<'a, T: Real> Sweep<'a, T> {
    /// Makes ready for a sweep: nothing has flowed yet.
    pub fn begin(record: &mut Record<T>, accum: Accum) {
        let nodes = &record.nodes[..record.recorded];
        record.flows.clear();
        record.flows.resize(nodes.len(), Flow::Nothing);
        record.signs.clear();
        record.signs.resize(nodes.len(), T::ZERO);
        record.values_of_entries.clear();
        if accum == Accum::Add {
            for (flow, node) in record.flows.iter_mut().zip(nodes) {
                if matches!(node.kind, Kind::Param(_)) {
                    *flow = Flow::Whole;
                }
            }
        }
    }

    /// A sweep over what the record has at hand, and the tape's watch.
    #[inline]
    pub fn over(
        record: &'a mut Record<T>,
        params: &'a [T],
        gradients: &'a mut [T],
    ) -> (Self, Option<&'a mut Watch>) {
        let nodes = &record.nodes[..record.recorded];
        let sweep = Sweep {
            nodes,
            values: Values { arena: &record.values.data, params, segment: &record.segments.values.data },
            zeros: &record.zeros,
            cotangents: &mut record.cotangents.data,
            segment: &mut record.segments.cotangents.data,
            gradients,
            flows: &mut record.flows,
            signs: &mut record.signs,
            values_of_entries: &mut record.values_of_entries,
            plans: &mut record.plans,
        };
        (sweep, record.watch.as_deref_mut())
    }

    /// The memory of a node's cotangent, if it has one that is not a parameter's.
    pub fn place<'m>(node: &Node, cotangents: &'m mut [T], segment: &'m mut [T]) -> Option<&'m mut [T]> {
        match &node.cotangent {
            Place::Arena(range) => Some(&mut cotangents[range.clone()]),
            Place::Segment(range) => Some(&mut segment[range.clone()]),
            Place::Nowhere | Place::Gradient(_) => None,
        }
    }

    /// Gives a root its cotangent.
    pub fn seed(&mut self, root: NodeId, seed: &[T]) {
        let flow = &mut self.flows[root.index()];
        let place = match &self.nodes[root.index()].cotangent {
            Place::Nowhere => return,
            Place::Arena(range) => &mut self.cotangents[range.clone()],
            Place::Gradient(range) => &mut self.gradients[range.clone()],
            Place::Segment(_) => unreachable!("a root is outside of all segments"),
        };
        let accum = if *flow == Flow::Nothing { Accum::Replace } else { Accum::Add };
        *flow = Flow::Whole;
        match accum {
            Accum::Replace => place.copy_from_slice(seed),
            Accum::Add => kernels::copy([seed], place, accum),
        }
    }
}
