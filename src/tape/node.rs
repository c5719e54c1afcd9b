//! One recorded step: plain data.

use std::fmt;
use std::ops::Range;
use std::panic::Location;

use smallvec::SmallVec;

use super::cotangents::Slot;
use super::memory::{Memory, Place};
use crate::ops::{Layout, Op, Room, ZeroRule};
use crate::params::ParamId;
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
    pub(crate) slots: SmallVec<[Slot; 4]>,
    /// What its op makes of zeros.
    pub(crate) zeros: ZeroRule,
    /// m, k and n, if it is a product that can skip the zeros of its first input.
    pub(crate) product: Option<[usize; 3]>,
    /// The segment that it was recorded in, counted from 1; 0 if outside of all.
    pub(crate) segment: u32,
    /// What its op needs behind the value, and behind the cotangent.
    pub(crate) room: Room,
    /// Whether its op is elementwise and it and its inputs are numbers, which need no views.
    pub(crate) on_numbers: bool,
    /// Whether its op may wait until its value is read.
    pub(crate) waits: bool,
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
        segment: u32,
        at: &'static Location<'static>,
    ) -> Node {
        let (inputs, slots, shape) = (SmallVec::new(), SmallVec::new(), shape.clone());
        let (strides, aliases, zeros, product) = (None, false, ZeroRule::DENSE, None);
        let (room, on_numbers, waits) = (Room::default(), false, false);
        Node {
            kind,
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
        }
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

    /// Its op, and where the result is in the arena, with what the op keeps behind it; `None` if nothing is to be
    /// computed.
    #[inline]
    pub(crate) fn computed(&self) -> Option<(&Op, Range<usize>)> {
        match (&self.kind, &self.value) {
            (Kind::Op(op), Memory::Arena(range) | Memory::Segment(range)) if !self.aliases => {
                Some((op, range.start..range.end + self.room.kept))
            }
            _ => None,
        }
    }

    /// How far its value reaches into its arena, with what its op keeps behind it, and its cotangent into its own; 0 of what
    /// stands elsewhere.
    pub(crate) fn reach(&self) -> [usize; 2] {
        let value = match &self.value {
            Memory::Arena(range) | Memory::Segment(range) => range.end + self.room.kept,
            Memory::Params(_) => 0,
        };
        let cotangent = match &self.cotangent {
            Place::Arena(range) | Place::Segment(range) => range.end + self.room.scratch,
            Place::Nowhere | Place::Gradient(_) => 0,
        };
        [value, cotangent]
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
