//! Segments between checkpoints: what is recorded in one is not kept, but computed again when the sweep comes to it.
//!
//! A segment is a stretch of the list of nodes. Nodes are data, so it needs no closure to be run again: they are computed in
//! their order, from values that were kept, into a memory that all segments share. What goes on from a segment is copied out
//! of it. `docs/adr/0025` has the reasons.

use std::panic::Location;

use super::handles::{Recording, Var};
use super::memory::Segments;
use super::node::{Kind, Node, NodeId};
use super::record::Record;
use crate::ops::{Op, Real};

impl<T> Record<T> {
    /// Whether a node's value stands where it was written: not if it was computed in a segment that has been closed.
    pub fn is_at_hand(&self, node: &Node) -> bool {
        let inside = node.segment == 0 || node.segment == self.segments.open;
        inside || !matches!(node.kind, Kind::Op(_))
    }

    /// Panics, in the name of a method or an op, if one of these was computed in a segment that has been closed.
    #[track_caller]
    pub fn expect_at_hand(&self, name: &str, ids: &[NodeId]) {
        for id in ids {
            let node = &self.nodes()[id.index()];
            assert!(
                self.is_at_hand(node) || self.segments.leaving,
                "{name}: {id} ({}), recorded at {}, is not kept beyond its checkpoint: return it from there",
                node.name(),
                node.at
            );
        }
    }

    /// Begins a segment, unless one is under way, or all values are to be kept; says whether it has.
    fn open_segment(&mut self) -> bool {
        if self.segments.open > 0 || self.segments.keep {
            return false;
        }
        self.segments.nodes.push(self.recorded..self.recorded);
        self.segments.open = self.segments.nodes.len() as u32;
        // Its nodes stand where the other segments' stand. (They have their places already if the recording repeats.)
        (self.segments.values.used, self.segments.cotangents.used) = (0, 0);
        true
    }

    /// Ends the segment that is under way.
    fn close_segment(&mut self) {
        if let Some(segment) = self.segments.nodes.last_mut() {
            segment.end = self.recorded;
        }
        let Segments { cotangents, most_cotangents, .. } = &mut self.segments;
        *most_cotangents = cotangents.used.max(*most_cotangents);
        self.segments.open = 0;
    }
}

impl<'r, T: Real> Recording<'r, T> {
    /// Records a segment whose values are not kept: only those that it returns are. When a sweep comes to the segment, it is
    /// computed once more from what was recorded before it, with the same bits: elements that [dropout](Var::dropout) has
    /// dropped are dropped again. (What it returns is a copy, whose zeros a product finds anew: where zeros are skipped, sums
    /// across the end of a segment may run in another order than without it.)
    ///
    /// A recording of T steps in segments of about √T needs memory for some 2 √T steps instead of T, and a third more time.
    /// (What is known of zeros is kept for all.) A checkpoint inside of a segment is a part of it. What the segment computes
    /// and does not return cannot be used or read afterwards.
    ///
    /// Source: A. Griewank, Achieving Logarithmic Growth of Temporal and Spatial Complexity in Reverse Automatic
    /// Differentiation, 1992; T. Chen, B. Xu, C. Zhang and C. Guestrin, Training Deep Nets with Sublinear Memory Cost, 2016.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let mut params = Params::new();
    /// let w = params.add("w", Tensor::from([0.5, -1.0]));
    /// let mut grads = params.zeros();
    /// let mut tape = Tape::<f64>::new();
    ///
    /// let r = tape.record(&params);
    /// let mut h = r.param(w);
    /// for _ in 0..10 {
    ///     [h] = r.checkpoint(|| {
    ///         let mut h = h;
    ///         for _ in 0..10 {
    ///             h = (h * 1.1).tanh(); // of a hundred values, ten are kept, and room for ten more
    ///         }
    ///         [h]
    ///     });
    /// }
    /// h.sum().backward(&mut grads);
    /// ```
    ///
    /// # Panics
    /// If a sweep begins inside, or something is used afterwards that the segment did not return.
    #[doc(alias = "remat")]
    #[doc(alias = "rematerialize")]
    #[track_caller]
    pub fn checkpoint<const N: usize>(self, segment: impl FnOnce() -> [Var<'r, T>; N]) -> [Var<'r, T>; N] {
        if !self.tape.record.borrow_mut().open_segment() {
            return segment();
        }
        let mut results = segment();
        {
            let record = &mut *self.tape.record.borrow_mut();
            record.close_segment();
            record.segments.leaving = true;
        }
        let at = Location::caller();
        for result in &mut results {
            let kept = {
                let record = self.tape.record.borrow();
                result.expect_of(self, "checkpoint");
                record.is_at_hand(&record.nodes()[result.id.index()])
            };
            if !kept {
                *result = self.run(&Op::kept(), &[*result], at);
            }
        }
        self.tape.record.borrow_mut().segments.leaving = false;
        results
    }
}
