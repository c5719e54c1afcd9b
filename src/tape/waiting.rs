//! Layers that wait. Most nodes are computed as they are recorded; a layer whose values an op may be able to do without, as
//! relu is where it can tell beforehand what is not above 0, *waits*: it is computed when its value is read.
//!
//! A value is read through [`Record::value`], or by an op that is run; both compute what has waited. What an op makes of a
//! layer does not depend on whether, or when, the layer is read: only the time of a step does.

use super::node::NodeId;
use super::record::{Record, memory};
use super::values::Values;
use super::zeros::SkipZeros;
use crate::ops::Real;
use crate::params::Params;
use crate::tensor::{View, ViewMut};

impl<T: Real> Record<T> {
    /// A node's value, for whoever reads it: computed now, if it has waited.
    pub fn value<'a>(&'a mut self, id: NodeId, params: &'a Params<T>) -> View<'a, T> {
        self.finish(id, params.data());
        let segment = &self.segments.values.data;
        Values { arena: &self.values.data, params: params.data(), segment }.view_of(&self.nodes, id)
    }

    /// [`compute`](Self::compute) where zeros have been found, layers wait, or somebody looks on. Out of line, so that the plain
    /// path stays short (`docs/adr/0015`).
    #[inline(never)]
    pub fn attend(&mut self, id: NodeId, params: &[T]) {
        if self.screen_joined(id, params) {
            return;
        }
        for k in 0..self.nodes[id.index()].inputs.len() {
            self.finish(self.nodes[id.index()].inputs[k], params);
        }
        let all_are_looked_at = self.watch.as_ref().is_some_and(|watch| watch.anomalies);
        if !all_are_looked_at && self.may_wait(id, params) {
            self.zeros.wait(id);
        } else {
            self.run_attended(id, params);
        }
    }

    /// Computes a node that has waited.
    fn finish(&mut self, id: NodeId, params: &[T]) {
        if self.zeros.end_wait(id) {
            self.run_attended(id, params);
        }
    }

    /// Whether a node is a layer that an op may do without: it says so, is large enough, and the zeros of its input are not
    /// skipped.
    fn may_wait(&mut self, id: NodeId, params: &[T]) -> bool {
        let segment = &self.segments.values.data;
        let values = Values { arena: &self.values.data, params, segment };
        self.zeros.may_wait(&self.nodes[id.index()]) && self.zeros.before(&self.nodes, id, values)
    }

    /// Computes what an op makes of a layer from what the layer reads, leaving most of both out, if the two are one op that can
    /// do that, and it pays. Says whether it was done.
    fn screen_joined(&mut self, id: NodeId, params: &[T]) -> bool {
        let Some(&layer) = self.nodes[id.index()].inputs.first() else { return false };
        if !self.may_wait(layer, params) {
            return false;
        }
        let (nodes, zeros) = (&self.nodes, &self.zeros);
        let (node, of) = (&nodes[id.index()], &nodes[layer.index()]);
        let (Some((op, range)), Some((first, _))) = (node.computed(), of.computed()) else { return false };
        let Some(joined) = first.joined(op) else { return false };
        let (past, y) = memory(node, range, &mut self.values, &mut self.segments, params);
        let (always, mut screened) = (zeros.when == SkipZeros::Always, None);
        let mut screen = |y: ViewMut<T>| {
            let joined = |x: &[View<T>]| screened = T::forward_screened(&joined, x, y, always);
            zeros.with_views(past, nodes, of, Some(layer), joined);
            screened.is_some()
        };
        let y = ViewMut::new(y, &node.shape);
        match &mut self.watch {
            Some(watch) => watch.forward(node, id, y, screen),
            None => _ = screen(y),
        }
        if let Some(computed) = screened
            && self.zeros.known(layer).waits
        {
            self.zeros.screened(layer, computed);
        }
        screened.is_some()
    }
}
