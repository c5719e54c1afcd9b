//! How nodes get their values: most as they are recorded. A layer whose values an op may be able to do without, as relu is
//! where it can tell beforehand what is not above 0, *waits*: it is computed when its value is read.
//!
//! A value is read through [`Record::value`], or by an op that is run; both compute what has waited. What an op makes of a
//! layer does not depend on whether, or when, the layer is read: only the time of a step does.

use std::ops::Range;

use super::memory::{Arena, Memory, Segments};
use super::node::{Node, NodeId};
use super::record::Record;
use super::values::Values;
use super::zeros::SkipZeros;
use crate::element::Element;
use crate::ops::{OnEntries, Output, Real, ZeroRule};
use crate::params::Params;
use crate::tensor::{View, ViewMut};

impl<T: Real> Record<T> {
    /// A node's value, for whoever reads it: computed now, if it has waited.
    pub fn value<'a>(&'a mut self, id: NodeId, params: &'a Params<T>) -> View<'a, T> {
        self.finish(id, params.data());
        let segment = &self.segments.values.data;
        Values { arena: &self.values.data, params: params.data(), segment }.view_of(&self.nodes, id)
    }

    /// Runs a node's op, unless the result is only another view of its input.
    pub fn compute(&mut self, id: NodeId, params: &[T]) {
        if self.watch.is_some() || self.zeros.concerns(&self.nodes[id.index()]) {
            self.attend(id, params);
        } else {
            self.run::<false>(id, params);
        }
    }

    /// As `compute`, where zeros have been found, layers wait, or somebody looks on. Out of line, so that the plain path stays
    /// short (`docs/adr/0015`).
    #[inline(never)]
    fn attend(&mut self, id: NodeId, params: &[T]) {
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

    /// As [`run`](Self::run), but looks for zeros and reports to the profiler and the search for NaN.
    #[inline(never)]
    fn run_attended(&mut self, id: NodeId, params: &[T]) {
        self.run::<true>(id, params);
    }

    /// Runs a node's op. What is not `ATTENDED` is compiled away.
    #[inline]
    fn run<const ATTENDED: bool>(&mut self, id: NodeId, params: &[T]) {
        let may_screen = ATTENDED && {
            let segment = &self.segments.values.data;
            self.zeros.before(&self.nodes, id, Values { arena: &self.values.data, params, segment })
        };
        let (before, rest) = self.nodes.split_at(id.index());
        let node = &rest[0];
        let Some((op, range)) = node.computed() else { return };
        let (past, y) = memory(node, range, &mut self.values, &mut self.segments, params);
        let (zeros, mut screened) = (&self.zeros, None);
        let mut run = |y: ViewMut<T>| {
            if node.on_numbers {
                y.data[0] = op.of_numbers(past.numbers(before, node));
                return;
            }
            if !ATTENDED {
                return past.with_views(before, &node.inputs, |x| T::forward(op, x, y));
            }
            zeros.with_views(past, before, node, Some(id), |x| {
                if may_screen {
                    let (y, always) = (ViewMut { data: &mut *y.data, ..y }, zeros.when == SkipZeros::Always);
                    screened = T::forward_screened(op, x, y, always);
                }
                match (node.zeros, x) {
                    _ if screened.is_some() => {}
                    // Zeros add nothing to this sum: it runs over the entries of x, if they have been found.
                    (ZeroRule { output: Output::KeepsZeros, entries: OnEntries::SumOfEach, .. }, [x]) => {
                        T::forward(op, &[x.entries()], y);
                    }
                    _ => T::forward(op, x, y),
                }
            });
        };
        let y = ViewMut::new(y, &node.shape);
        match &mut self.watch {
            Some(watch) if ATTENDED => watch.forward(node, id, y, |y| {
                run(y);
                true
            }),
            _ => run(y),
        }
        if let Some(computed) = screened {
            self.zeros.screened(id, computed);
        }
    }
}

/// All values that a node may read, and the memory of its own, at `range`.
#[inline]
fn memory<'a, T: Element>(
    node: &Node,
    range: Range<usize>,
    values: &'a mut Arena<T>,
    segments: &'a mut Segments<T>,
    params: &'a [T],
) -> (Values<'a, T>, &'a mut [T]) {
    // What is read stands before what is written, in the same arena, or in the other one.
    let inside = matches!(node.value, Memory::Segment(_));
    let (own, other) = if inside {
        (&mut segments.values.data, &values.data)
    } else {
        (&mut values.data, &segments.values.data)
    };
    let (own, rest) = own.split_at_mut(range.start);
    let (arena, segment): (&[T], &[T]) = if inside { (other, own) } else { (own, other) };
    (Values { arena, params, segment }, &mut rest[..range.len()])
}
