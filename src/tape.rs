//! The tape: ops run as they are recorded, onto memory that is reused from one recording to the next.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::panic::Location;

use smallvec::SmallVec;

use crate::cotangents::Place;
use crate::graph::{Graph, Kind, Memory, Node, NodeId};
use crate::ops::{Alias, Op, Real, reshape::Reshape};
use crate::params::{ParamId, Params};
use crate::shape::{Shape, ShapeError};
use crate::tensor::{Tensor, View, ViewMut};
use crate::var::{Indices, Var};

/// Memory for recordings. One tape serves a whole training run; after the first step it allocates nothing.
///
/// A tape belongs to one thread at a time (`Send`, not `Sync`); threads that train together have one each and share
/// the [`Params`] by reference.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor};
///
/// let mut params = Params::new();
/// let w = params.add("w", Tensor::from(2.0));
/// let mut grads = params.zeros();
///
/// let mut tape = Tape::<f64>::new();
/// for step in 0..100 {
///     let r = tape.record(&params);
///     let loss = (r.param(w) - 5.0).square();
///     loss.backward(&mut grads);
///     params.data_mut()[0] -= 0.1 * grads.data()[0];
/// }
/// assert!((params.data()[0] - 5.0).abs() < 1e-6);
/// ```
///
/// A handle cannot outlive its recording:
///
/// ```compile_fail
/// use quietgrad::{Params, Tape};
///
/// let params = Params::new();
/// let mut tape = Tape::<f64>::new();
/// let stale = tape.record(&params).scalar(1.0);
/// let r = tape.record(&params);
/// let y = stale + r.scalar(1.0); // error: `tape` was borrowed again while `stale` was alive
/// ```
#[derive(Default)]
pub struct Tape<T> {
    pub(crate) inner: RefCell<Inner<T>>,
}

#[derive(Default)]
pub(crate) struct Inner<T> {
    pub graph: Graph,
    /// Values of all nodes of a recording, one after the other.
    pub values: Arena<T>,
    /// Cotangents of the active nodes, in node order.
    pub cotangents: Arena<T>,
    /// Which nodes' cotangents the last sweep wrote.
    pub touched: Vec<bool>,
    /// The node of each parameter that was used.
    param_nodes: Vec<Option<NodeId>>,
    /// Nodes that must reach the differentiated loss.
    pub obligations: Vec<Obligation>,
}

/// Memory handed out front to back. It keeps its high-water mark and what stood in it.
#[derive(Default)]
pub(crate) struct Arena<T> {
    pub data: Vec<T>,
    used: usize,
}

impl<T: Real> Arena<T> {
    fn take(&mut self, len: usize) -> Range<usize> {
        let start = self.used;
        self.used += len;
        start..self.used
    }

    /// Makes memory of what was taken.
    pub fn back(&mut self) {
        if self.data.len() < self.used {
            self.data.resize(self.used, T::ZERO);
        }
    }
}

/// A node that was built to be part of the loss.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Obligation {
    pub node: NodeId,
    pub what: &'static str,
    pub at: &'static Location<'static>,
}

impl<T: Real> Tape<T> {
    /// A tape without memory yet.
    pub fn new() -> Self {
        let inner = Inner {
            graph: Graph::default(),
            values: Arena { data: Vec::new(), used: 0 },
            cotangents: Arena { data: Vec::new(), used: 0 },
            touched: Vec::new(),
            param_nodes: Vec::new(),
            obligations: Vec::new(),
        };
        Tape { inner: RefCell::new(inner) }
    }

    /// Starts a recording with these parameters.
    ///
    /// What was recorded before is gone: its handles are of an earlier borrow, and the compiler has made sure that
    /// none is left.
    pub fn record<'r>(&'r mut self, params: &'r Params<T>) -> Recording<'r, T> {
        let inner = self.inner.get_mut();
        inner.graph.nodes.clear();
        inner.values.used = 0;
        inner.cotangents.used = 0;
        inner.param_nodes.clear();
        inner.obligations.clear();
        Recording { tape: self, params }
    }
}

impl<T: Real> fmt::Debug for Tape<T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let inner = self.inner.borrow();
        write!(f, "Tape of {} nodes, {} elements", inner.graph.nodes.len(), inner.values.used)
    }
}

/// A recording under way: where values enter the graph.
pub struct Recording<'r, T> {
    pub(crate) tape: &'r Tape<T>,
    pub(crate) params: &'r Params<T>,
}

impl<T> Clone for Recording<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Recording<'_, T> {}

impl<'r, T: Real> Recording<'r, T> {
    /// The parameters that the recording borrows.
    pub fn params(self) -> &'r Params<T> {
        self.params
    }

    /// A copy of everything recorded so far.
    pub fn graph(self) -> Graph {
        self.tape.inner.borrow().graph.clone()
    }

    /// Every node with copies of its inputs' values.
    pub(crate) fn values(self) -> Vec<(Node, Vec<Tensor<T>>)> {
        let inner = self.tape.inner.borrow();
        let value = |id: &NodeId| self.var(*id).value();
        inner.graph.nodes.iter().map(|node| (node.clone(), node.inputs.iter().map(value).collect())).collect()
    }

    /// A parameter: read in place, its gradient written in place. The same handle each time it is asked for.
    ///
    /// # Panics
    /// If there is no such parameter.
    #[track_caller]
    #[inline]
    pub fn param(self, id: ParamId) -> Var<'r, T> {
        let at = Location::caller();
        let range = self.params.range(id);
        let inner = &mut *self.tape.inner.borrow_mut();
        if inner.param_nodes.len() <= id.index() {
            inner.param_nodes.resize(self.params.ids().count(), None);
        }
        if let Some(node) = inner.param_nodes[id.index()] {
            return self.var(node);
        }
        let node = inner.push(Node {
            kind: Kind::Param(id),
            inputs: SmallVec::new(),
            shape: self.params.shape(id).clone(),
            strides: None,
            value: Memory::Params(range.clone()),
            cotangent: Place::Gradient(range),
            at,
        });
        inner.param_nodes[id.index()] = Some(node);
        self.var(node)
    }

    /// A copy of a tensor, not differentiated: data, targets.
    #[track_caller]
    pub fn constant(self, value: &Tensor<T>) -> Var<'r, T> {
        self.leaf(Kind::Constant, value.view(), Location::caller())
    }

    /// A copy of some rows of a tensor, not differentiated: a mini-batch, gathered straight onto the tape.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn constant_rows(self, value: &Tensor<T>, rows: &[usize]) -> Var<'r, T> {
        let at = Location::caller();
        let Some((&count, row_shape)) = value.shape().split_first() else {
            panic!("constant_rows: a scalar has no rows");
        };
        let width = row_shape.iter().product::<usize>();
        let shape = std::iter::once(rows.len()).chain(row_shape.iter().copied()).collect::<Shape>();
        for &row in rows {
            assert!(row < count, "constant_rows: no row {row} in a tensor of shape {}", value.shape());
        }
        let inner = &mut *self.tape.inner.borrow_mut();
        let node = inner.leaf(Kind::Constant, shape, at, |place| {
            for (place, &row) in place.chunks_exact_mut(width.max(1)).zip(rows) {
                place.copy_from_slice(&value.data()[row * width..(row + 1) * width]);
            }
        });
        self.var(node)
    }

    /// A constant scalar.
    #[track_caller]
    pub fn scalar(self, value: f64) -> Var<'r, T> {
        let view = View { data: &[T::from_f64(value)], shape: &[], strides: None };
        self.leaf(Kind::Constant, view, Location::caller())
    }

    /// A copy of a tensor, differentiated: [`Var::gradient`] gives its gradient after the sweep.
    #[track_caller]
    pub fn input(self, value: &Tensor<T>) -> Var<'r, T> {
        self.leaf(Kind::Input, value.view(), Location::caller())
    }

    /// Whole numbers, such as classes or row numbers, not differentiated.
    ///
    /// # Panics
    /// If there are not as many as the shape says, or one is too large to be exact in this element type (2²⁴ for
    /// `f32`).
    #[track_caller]
    pub fn indices(self, shape: impl Into<Shape>, indices: &[usize]) -> Indices<'r, T> {
        let shape = shape.into();
        assert_eq!(shape.elements(), indices.len(), "indices: shape {shape} does not fit");
        let inner = &mut *self.tape.inner.borrow_mut();
        let node = inner.leaf(Kind::Constant, shape, Location::caller(), |place| {
            for (place, &index) in place.iter_mut().zip(indices) {
                *place = T::from_f64(index as f64);
                assert_eq!(
                    place.to_f64() as usize,
                    index,
                    "indices: {index} is not exact in this element type"
                );
            }
        });
        Indices(self.var(node))
    }

    fn leaf(self, kind: Kind, value: View<T>, at: &'static Location<'static>) -> Var<'r, T> {
        let inner = &mut *self.tape.inner.borrow_mut();
        let node = inner.leaf(kind, value.shape.into(), at, |place| place.copy_from_slice(value.data));
        self.var(node)
    }

    /// Runs an op on some nodes and records it: what every method of [`Var`] comes down to.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    pub fn apply(self, op: Op, inputs: &[Var<'r, T>]) -> Var<'r, T> {
        self.run(op, inputs, Location::caller())
    }

    #[inline]
    #[track_caller]
    pub(crate) fn run(self, op: Op, inputs: &[Var<'r, T>], at: &'static Location<'static>) -> Var<'r, T> {
        let mut ids: SmallVec<[NodeId; 4]> = SmallVec::new();
        for input in inputs {
            let same = std::ptr::eq(input.recording.tape, self.tape);
            assert!(same, "{}: the operands are of two recordings", op.name());
            ids.push(input.id);
        }
        let result = self.tape.inner.borrow_mut().apply(op, ids, self.params.data(), at);
        match result {
            Ok(node) => self.var(node),
            Err((name, error)) => panic!("{name}: {error}"),
        }
    }

    fn var(self, id: NodeId) -> Var<'r, T> {
        Var { recording: self, id }
    }
}

impl Recording<'_, f64> {
    /// Which smooth piece each element of each op is on, for the ops that have kinks.
    pub(crate) fn pieces(self) -> Vec<(&'static str, Vec<i64>)> {
        let inner = self.tape.inner.borrow();
        let nodes = &inner.graph.nodes;
        let mut pieces = Vec::new();
        for node in nodes {
            let Kind::Op(op) = &node.kind else { continue };
            let input = |id: &NodeId| view(&nodes[id.index()], &inner.values.data, self.params.data());
            let of_op = op.pieces(&node.inputs.iter().map(input).collect::<Vec<_>>());
            if !of_op.is_empty() {
                pieces.push((op.name(), of_op));
            }
        }
        pieces
    }
}

/// A node's value.
pub(crate) fn view<'a, T>(node: &'a Node, values: &'a [T], params: &'a [T]) -> View<'a, T> {
    let data = match &node.value {
        Memory::Arena(range) => &values[range.clone()],
        Memory::Params(range) => &params[range.clone()],
    };
    View { data, shape: &node.shape, strides: node.strides.as_deref() }
}

impl<T> Inner<T> {
    /// The node of a parameter, if the recording used it.
    pub fn param_node(&self, id: ParamId) -> Option<NodeId> {
        self.param_nodes.get(id.index()).copied().flatten()
    }

    /// Whether a node was computed from another.
    pub fn depends_on(&self, node: NodeId, other: NodeId) -> bool {
        let mut from = vec![node];
        while let Some(node) = from.pop() {
            if node == other {
                return true;
            }
            from.extend(self.graph.nodes[node.index()].inputs.iter().filter(|&&input| input >= other));
        }
        false
    }
}

impl<T: Real> Inner<T> {
    fn push(&mut self, node: Node) -> NodeId {
        self.graph.nodes.push(node);
        NodeId(self.graph.nodes.len() as u32 - 1)
    }

    fn leaf(
        &mut self,
        kind: Kind,
        shape: Shape,
        at: &'static Location<'static>,
        fill: impl FnOnce(&mut [T]),
    ) -> NodeId {
        let len = shape.elements();
        let range = self.values.take(len);
        self.values.back();
        fill(&mut self.values.data[range.clone()]);
        let active = kind == Kind::Input;
        let cotangent = if active { Place::Arena(self.cotangents.take(len)) } else { Place::Nowhere };
        let value = Memory::Arena(range);
        self.push(Node { kind, inputs: SmallVec::new(), shape, strides: None, value, cotangent, at })
    }

    fn apply(
        &mut self,
        op: Op,
        mut inputs: SmallVec<[NodeId; 4]>,
        params: &[T],
        at: &'static Location<'static>,
    ) -> Result<NodeId, (&'static str, ShapeError)> {
        for (k, input) in inputs.iter_mut().enumerate() {
            let node = &self.graph.nodes[input.index()];
            if node.strides.is_some() && !op.takes_strides(k) {
                let copy = Reshape { to: node.shape.clone() };
                *input = self.apply(copy.into(), SmallVec::from_slice(&[*input]), params, at)?;
            }
        }
        let Inner { graph, values, cotangents, .. } = self;
        let node = |id: &NodeId| &graph.nodes[id.index()];
        let shape = {
            let shapes: SmallVec<[&[usize]; 4]> = inputs.iter().map(|id| &node(id).shape[..]).collect();
            op.shape(&shapes).map_err(|error| (op.name(), error))?
        };
        let active = op.differentiable() && inputs.iter().any(|id| node(id).is_active());
        let (value, strides) = match op.alias(node(&inputs[0]).layout(), &shape) {
            Some(Alias { offset, strides }) => {
                (node(&inputs[0]).value.part(offset, extent(&shape, strides.as_deref())), strides)
            }
            None => {
                let range = values.take(shape.elements());
                values.back();
                let (past, rest) = values.data.split_at_mut(range.start);
                let x: SmallVec<[View<T>; 4]> =
                    inputs.iter().map(|id| view(node(id), past, params)).collect();
                T::forward(&op, &x, ViewMut { data: &mut rest[..range.len()], shape: &shape });
                (Memory::Arena(range), None)
            }
        };
        let cotangent = if active { Place::Arena(cotangents.take(shape.elements())) } else { Place::Nowhere };
        Ok(self.push(Node { kind: Kind::Op(op), inputs, shape, strides, value, cotangent, at }))
    }
}

/// How many elements of memory a layout spans, from its first element to its last.
fn extent(shape: &[usize], strides: Option<&[usize]>) -> usize {
    match strides {
        _ if shape.contains(&0) => 0,
        None => shape.iter().product(),
        Some(strides) => {
            1 + shape.iter().zip(strides).map(|(size, stride)| (size - 1) * stride).sum::<usize>()
        }
    }
}

impl Memory {
    /// A part of this memory.
    fn part(&self, offset: usize, len: usize) -> Memory {
        let part = |range: &Range<usize>| range.start + offset..range.start + offset + len;
        match self {
            Memory::Arena(range) => Memory::Arena(part(range)),
            Memory::Params(range) => Memory::Params(part(range)),
        }
    }
}
