//! The recorded graph: plain data, in the order in which it was computed.

use std::fmt;
use std::ops::Range;
use std::panic::Location;

use smallvec::SmallVec;

use crate::cotangents::Place;
use crate::ops::{Layout, Op};
use crate::params::ParamId;
use crate::shape::{Shape, Strides};

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
    pub(crate) at: &'static Location<'static>,
}

impl Node {
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
    pub fn is_active(&self) -> bool {
        self.cotangent != Place::Nowhere
    }

    pub(crate) fn layout(&self) -> Layout<'_> {
        Layout { shape: &self.shape, strides: self.strides.as_deref() }
    }
}

/// Everything that was recorded since the tape's last [`record`](crate::Tape::record): a Wengert list.
///
/// Printed, it is a line a node: number, what it is, inputs, shape, and the line of the program that made it.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub(crate) nodes: Vec<Node>,
}

impl Graph {
    /// The nodes, in the order in which they were computed.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (number, node) in self.nodes.iter().enumerate() {
            write!(f, "{:>5} = ", format!("%{number}"))?;
            match &node.kind {
                Kind::Constant => f.write_str("constant")?,
                Kind::Input => f.write_str("input")?,
                Kind::Param(id) => write!(f, "param {}", id.index())?,
                Kind::Op(op) => f.write_str(op.name())?,
            }
            for input in &node.inputs {
                write!(f, " {input}")?;
            }
            writeln!(f, "  {}  {}:{}", node.shape, node.at.file(), node.at.line())?;
        }
        Ok(())
    }
}
