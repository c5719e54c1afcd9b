//! The recorded graph: plain data, in the order in which it was computed.

mod draw;
mod print;

use std::fmt;
use std::ops::Range;
use std::panic::Location;

use smallvec::SmallVec;

use crate::ops::{Layout, Op};
use crate::params::ParamId;
use crate::tape::cotangents::{Place, Slot};
use crate::tensor::Shape;
use crate::tensor::shape::Strides;

/// A node's number in its graph. Inputs have smaller numbers than what is computed from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

/// Where a node's value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Given, and not differentiated.
    Constant,
    /// Given, and differentiated.
    Input,
    /// Borrowed from the parameters.
    Param(ParamId),
    /// Computed.
    Op(Op),
}

/// The memory that a value stands in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Memory {
    /// The tape's arena.
    Arena(Range<usize>),
    /// The parameters' block.
    Params(Range<usize>),
}

/// One step of the computation.
#[derive(Clone, Debug)]
pub struct Node {
    pub(crate) kind: Kind,
    pub(crate) inputs: SmallVec<[NodeId; 4]>,
    pub(crate) shape: Shape,
    pub(crate) strides: Option<Strides>,
    pub(crate) value: Memory,
    /// Whether the memory is the first input's.
    pub(crate) aliases: bool,
    pub(crate) cotangent: Place,
    /// The cotangents of the inputs.
    pub(crate) slots: SmallVec<[Slot; 3]>,
    /// m, k and n, if it is a product that can skip the zeros of its first input.
    pub(crate) product: Option<[usize; 3]>,
    pub(crate) at: &'static Location<'static>,
}

impl Node {
    /// A node that is computed from no other.
    #[cold]
    pub(crate) fn leaf(
        kind: Kind,
        shape: &Shape,
        value: Memory,
        cotangent: Place,
        at: &'static Location<'static>,
    ) -> Node {
        let (inputs, slots, shape) = (SmallVec::new(), SmallVec::new(), shape.clone());
        let (strides, aliases, product) = (None, false, None);
        Node { kind, inputs, shape, strides, value, aliases, cotangent, slots, product, at }
    }

    /// Where its value comes from.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The nodes that it is computed from.
    pub fn inputs(&self) -> &[NodeId] {
        &self.inputs
    }

    /// The shape of its value.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The line of the program that recorded it.
    pub fn location(&self) -> &'static Location<'static> {
        self.at
    }

    /// Whether it takes part in differentiation.
    #[inline]
    pub fn is_active(&self) -> bool {
        !matches!(self.cotangent, Place::Nowhere)
    }

    /// Its op, and where the result stands in the arena; `None` if nothing is to be computed.
    #[inline]
    pub(crate) fn computed(&self) -> Option<(&Op, &Range<usize>)> {
        match (&self.kind, &self.value) {
            (Kind::Op(op), Memory::Arena(range)) if !self.aliases => Some((op, range)),
            _ => None,
        }
    }

    /// A word for where its value comes from: `constant`, `input`, `param`, or the op's name.
    pub fn name(&self) -> &'static str {
        match &self.kind {
            Kind::Constant => "constant",
            Kind::Input => "input",
            Kind::Param(_) => "param",
            Kind::Op(op) => op.name(),
        }
    }

    pub(crate) fn layout(&self) -> Layout<'_> {
        Layout { shape: &self.shape, strides: self.strides.as_deref() }
    }
}

/// Everything that was recorded since the tape's last [`record`](crate::Tape::record): a Wengert list.
///
/// Printed, it is a line a node: number, what it is, inputs, shape, density if it was measured, the line of the program
/// that made it, and for a product which of its parts skipped zeros. [`to_dot`](Graph::to_dot) and [`to_mermaid`](Graph::to_mermaid) draw it.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor};
///
/// let mut params = Params::new();
/// let w = params.add("w", Tensor::from([1.0, -2.0]));
/// let mut tape = Tape::<f64>::new();
/// let r = tape.record(&params);
/// r.param(w).relu().sum();
/// let text = r.measured_graph().to_string();
/// assert!(text.contains("relu"));
/// assert!(text.contains("50.0 %"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub(crate) nodes: Vec<Node>,
    /// The parameters' names, in the parameters' order.
    pub(crate) names: Vec<String>,
    /// The part of each node's elements that is not zero, if that was measured.
    pub(crate) densities: Option<Vec<f64>>,
    /// What is to be said of each node besides; shorter if there is nothing more.
    pub(crate) notes: Vec<String>,
}

impl Graph {
    /// The nodes, in the order in which they were computed.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The part of a node's elements that is not zero, if it was
    /// [measured](crate::Recording::measured_graph); NaN if there are no elements.
    pub fn density(&self, id: NodeId) -> Option<f64> {
        self.densities.as_ref().and_then(|densities| densities.get(id.index()).copied())
    }
}
