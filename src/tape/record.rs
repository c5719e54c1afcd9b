//! What a tape holds: the list of nodes, and the memory of their values and cotangents.
//!
//! A training loop records the same program again and again. As long as a recording is the same, node for node, as the
//! one before it, its nodes are found in place and only their values are computed; at the first difference the rest of
//! the old list is dropped, and nodes are made as in a first recording.
//!
//! `apply` (ops), `leaf` and `param` record a node. `repeat` finds the one that the last recording had here. If there is none,
//! `enter` copies inputs whose strides the op does not take, `derive` infers the shape and takes memory, and `push` appends
//! the node (the first time, `depart` drops the rest of the old list). Then `compute` runs the op.

use std::ops::Range;
use std::panic::Location;

use smallvec::SmallVec;

use super::cotangents::{Flow, Plan, Slot};
use super::memory::{Arena, EntryValues, Memory, Place, Pool, Segments, extent};
use super::node::{Kind, Node, NodeId};
use super::obligation::Obligations;
use super::values::Values;
use super::watch::Watch;
use super::zeros::{SkipZeros, Skipping, Zeros};
use crate::element::Element;
use crate::matrix::Products;
use crate::ops::{Alias, OnEntries, Op, Output, Real, ZeroRule};
use crate::params::ParamId;
use crate::tensor::{ShapeError, ViewMut};

/// A recording under construction, and what the next one reuses of it.
#[derive(Default)]
pub(crate) struct Record<T> {
    /// The nodes of this recording, and behind them those that the last recording had in their places.
    pub nodes: Vec<Node>,
    /// How many nodes this recording has.
    pub recorded: usize,
    /// Whether this recording has equalled the last one so far, node for node.
    repeating: bool,
    /// Values of all nodes of a recording, one after the other.
    pub values: Arena<T>,
    /// Cotangents of the active nodes, in node order.
    pub cotangents: Arena<T>,
    /// Stretches of the recording whose values are not kept.
    pub segments: Segments<T>,
    /// What has flowed to each node's cotangent in the last sweep.
    pub flows: Vec<Flow>,
    /// What the last sweep left to be added to each node's cotangent: this number times the sign of the value.
    pub signs: Vec<T>,
    /// The values of entries, of cotangents for the most part, that the last sweep needed.
    pub values_of_entries: Pool<EntryValues<T>>,
    /// How the contributions to the inputs of one node are made: memory that a sweep uses again for each node.
    pub plans: Vec<Plan>,
    /// Where values are zero.
    pub zeros: Zeros<T>,
    /// The node of each parameter that was used.
    pub param_nodes: Vec<Option<NodeId>>,
    /// What must reach the differentiated loss.
    pub obligations: Obligations,
    /// Looks on, if the tape was asked for that.
    pub watch: Option<Box<Watch>>,
}

impl<T> Record<T> {
    /// The nodes of this recording.
    #[inline]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes[..self.recorded]
    }

    /// How many elements this recording has taken: of the values' memory, then of the cotangents', each outside of segments
    /// and inside. If one is named, only what that segment has taken `within` the segments' memory is counted.
    pub fn taken(&self, within: Option<u32>) -> [[usize; 2]; 2] {
        let mut taken = [[0; 2]; 2];
        for node in self.nodes() {
            let [value, cotangent] = node.reach();
            let segment = within.is_none_or(|segment| segment == node.segment);
            let inside = matches!(node.value, Memory::Segment(_));
            if !inside || segment {
                taken[0][usize::from(inside)] = taken[0][usize::from(inside)].max(value);
            }
            let inside = matches!(node.cotangent, Place::Segment(_));
            if !inside || segment {
                taken[1][usize::from(inside)] = taken[1][usize::from(inside)].max(cotangent);
            }
        }
        taken
    }

    /// The node of a parameter, if the recording used it.
    pub fn param_node(&self, id: ParamId) -> Option<NodeId> {
        self.param_nodes.get(id.index()).copied().flatten()
    }

    /// How a product was shortened: forward, and in the last sweep.
    pub fn skipping(&self, id: NodeId) -> Skipping
    where
        T: Products,
    {
        let cotangent = match self.flows.get(id.index()) {
            Some(&Flow::Entries(number)) => Some(self.values_of_entries.all[number].support),
            _ => None,
        };
        self.zeros.skipping(self.nodes(), id, cotangent)
    }
}

impl<T: Real> Record<T> {
    /// Begins a recording.
    pub fn start(&mut self) {
        self.recorded = 0;
        self.repeating = true;
        self.param_nodes.fill(None);
        self.obligations.clear();
        self.flows.clear();
        self.zeros.start();
        self.segments.start();
    }

    /// The node that the last recording had here, if the two are alike so far and this node passes the test `same`.
    #[inline]
    pub fn repeat(
        &mut self,
        at: &'static Location<'static>,
        same: impl FnOnce(&Node) -> bool,
    ) -> Option<NodeId> {
        if !self.repeating {
            return None;
        }
        let segment = self.segments.open;
        let node = self.nodes.get_mut(self.recorded).filter(|node| node.segment == segment && same(node))?;
        node.at = at;
        self.recorded += 1;
        Some(NodeId(self.recorded as u32 - 1))
    }

    /// Called at the first difference from the last recording: drops the rest of its list.
    pub fn depart(&mut self) {
        if self.repeating {
            self.repeating = false;
            self.nodes.truncate(self.recorded);
            let segment = self.segments.open;
            let [values, cotangents] = self.taken(Some(segment));
            [self.values.used, self.segments.values.used] = values;
            [self.cotangents.used, self.segments.cotangents.used] = cotangents;
        }
    }

    /// Adds a node that the last recording had not in this place.
    #[cold]
    pub fn push(&mut self, node: Node) -> NodeId {
        self.depart();
        self.nodes.push(node);
        self.recorded += 1;
        let id = NodeId(self.recorded as u32 - 1);
        self.zeros.enter(id);
        id
    }

    /// Memory for a value and, if it has one, for its cotangent, each with room behind it. `None`, and nothing taken, if there
    /// is not so much.
    pub fn take(
        values: &mut Arena<T>,
        cotangents: &mut Arena<T>,
        [value, kept]: [usize; 2],
        cotangent: Option<[usize; 2]>,
    ) -> Option<(Range<usize>, Option<Range<usize>>)> {
        let before = [values.used, cotangents.used];
        let range = values.take(value, kept).filter(|_| values.back());
        let place = match cotangent {
            None => Some(None),
            Some([len, scratch]) => cotangents.take(len, scratch).map(Some),
        };
        let taken = range.zip(place);
        if taken.is_none() {
            [values.used, cotangents.used] = before;
        }
        taken
    }

    /// Runs an op and records it.
    #[inline]
    pub fn apply(
        &mut self,
        op: &Op,
        inputs: impl Iterator<Item = NodeId> + Clone,
        params: &[T],
        at: &'static Location<'static>,
    ) -> Result<NodeId, (&'static str, ShapeError)> {
        let same = |node: &Node| {
            let mut old_inputs = node.inputs.iter();
            for input in inputs.clone() {
                if old_inputs.next() != Some(&input) {
                    return false;
                }
            }
            old_inputs.next().is_none() && matches!(&node.kind, Kind::Op(old) if old == op)
        };
        let id = match self.repeat(at, same) {
            Some(id) => id,
            None => self.enter(op.clone(), inputs.collect(), params, at)?,
        };
        self.compute(id, params);
        Ok(id)
    }

    /// A node for an op, not yet computed; before it a copy of each input whose strides the op does not take.
    fn enter(
        &mut self,
        op: Op,
        mut inputs: SmallVec<[NodeId; 4]>,
        params: &[T],
        at: &'static Location<'static>,
    ) -> Result<NodeId, (&'static str, ShapeError)> {
        let mut copied = false;
        for (k, input) in inputs.iter_mut().enumerate() {
            let node = &self.nodes[input.index()];
            if node.strides.is_some() && !op.takes_strides(k) {
                let copy = Op::contiguous(node.shape.clone());
                *input = self.apply(&copy, std::iter::once(*input), params, at)?;
                copied = true;
            }
        }
        if copied {
            let same =
                |node: &Node| matches!(&node.kind, Kind::Op(old) if *old == op) && node.inputs == inputs;
            if let Some(id) = self.repeat(at, same) {
                return Ok(id);
            }
        }
        self.derive(op, inputs, at)
    }

    /// Runs a node's op, unless the result is only another view of its input.
    pub fn compute(&mut self, id: NodeId, params: &[T]) {
        if self.watch.is_some() || self.zeros.concerns(&self.nodes[id.index()]) {
            self.attend(id, params);
        } else {
            self.run::<false>(id, params);
        }
    }

    /// [`run`](Self::run) where there is something to attend to: looks for zeros, and reports to the profiler and the search
    /// for NaN. Out of line, so that the plain path stays short (`docs/adr/0015`).
    #[inline(never)]
    pub fn run_attended(&mut self, id: NodeId, params: &[T]) {
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

    /// A node for the result of an op, with memory for it, not yet computed.
    fn derive(
        &mut self,
        op: Op,
        inputs: SmallVec<[NodeId; 4]>,
        at: &'static Location<'static>,
    ) -> Result<NodeId, (&'static str, ShapeError)> {
        self.depart();
        self.expect_at_hand(op.name(), &inputs);
        let node = |id: &NodeId| &self.nodes[id.index()];
        let (shape, len, zeros, room) = {
            let shapes: SmallVec<[&[usize]; 4]> = inputs.iter().map(|id| &node(id).shape[..]).collect();
            let shape = op.shape(&shapes).map_err(|error| (op.name(), error))?;
            let len = shape.elements_of::<T>().map_err(|error| (op.name(), error))?;
            (shape, len, op.zeros(&shapes), op.room(&shapes))
        };
        let active = op.differentiable() && inputs.iter().any(|id| node(id).is_active());
        let alias = op.alias(node(&inputs[0]).layout(), &shape);
        let aliases = alias.is_some();
        let (shared, strides) = match alias {
            Some(Alias { offset, strides }) => {
                (Some(node(&inputs[0]).value.part(offset, extent(&shape, strides.as_deref()))), strides)
            }
            None => (None, None),
        };
        let segment = self.segments.open;
        let (values, cotangents) = match segment {
            0 => (&mut self.values, &mut self.cotangents),
            _ => (&mut self.segments.values, &mut self.segments.cotangents),
        };
        let own = [if aliases { 0 } else { len }, room.kept];
        let Some((range, cotangent)) =
            Record::take(values, cotangents, own, active.then_some([len, room.scratch]))
        else {
            let text = format!("no memory for a result of shape {shape}");
            return Err((op.name(), ShapeError::new(text)));
        };
        let (value, cotangent) = match segment {
            0 => (Memory::Arena(range), cotangent.map(Place::Arena)),
            _ => (Memory::Segment(range), cotangent.map(Place::Segment)),
        };
        let (value, cotangent) = (shared.unwrap_or(value), cotangent.unwrap_or(Place::Nowhere));
        let node = |id: &NodeId| &self.nodes[id.index()];
        let slot = |id: &NodeId| {
            let Node { cotangent, shape, .. } = node(id);
            Slot { node: id.index(), place: cotangent.clone(), shape: shape.clone() }
        };
        let slots = inputs.iter().map(slot).collect();
        let product = if T::VECTORIZED { zeros.product() } else { None };
        let (on_numbers, waits) = (shape.rank() == 0 && op.is_elementwise(), op.waits());
        Ok(self.push(Node {
            kind: Kind::Op(op),
            inputs,
            shape,
            strides,
            value,
            aliases,
            cotangent,
            slots,
            zeros,
            product,
            segment,
            room,
            on_numbers,
            waits,
            at,
        }))
    }
}

/// All values that a node may read, and the memory of its own, at `range`.
#[inline]
pub(super) fn memory<'a, T: Element>(
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
