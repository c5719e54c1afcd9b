//! Nodes as ops see them: views of their values, made anew for each op that runs.

use std::ops::Range;

use smallvec::SmallVec;

use super::memory::Memory;
use super::node::{Node, NodeId};
use crate::element::Element;
use crate::tensor::View;

/// As many inputs of an op as are listed without allocating.
pub(crate) const MOST_LISTED: usize = 64;

/// Where values are: in the tape's arena, among the parameters, or in the memory of a segment.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a, T> {
    pub arena: &'a [T],
    pub params: &'a [T],
    /// Values of nodes of the segment at hand.
    pub segment: &'a [T],
}

impl<'a, T: Element> Values<'a, T> {
    /// The memory that a node's value is in, and where in it.
    #[inline(always)]
    fn memory(self, node: &Node) -> (&'a [T], &Range<usize>) {
        match &node.value {
            Memory::Arena(range) => (self.arena, range),
            Memory::Params(range) => (self.params, range),
            Memory::Segment(range) => (self.segment, range),
        }
    }

    /// A node's elements.
    #[inline(always)]
    pub fn elements(self, node: &Node) -> &'a [T] {
        let (memory, range) = self.memory(node);
        &memory[range.clone()]
    }

    /// A node's value.
    #[inline(always)]
    pub fn view(self, node: &'a Node) -> View<'a, T> {
        let (data, strides) = (self.elements(node), node.strides.as_ref());
        View { data, shape: &node.shape, strides, sparse: None }
    }

    /// A node's value, with what its op has kept behind it.
    #[inline(always)]
    pub fn view_with_kept(self, node: &'a Node) -> View<'a, T> {
        let mut view = self.view(node);
        if node.room.kept > 0 {
            let (memory, range) = self.memory(node);
            view.data = &memory[range.start..range.end + node.room.kept];
        }
        view
    }

    /// The value of the node with this number.
    #[inline(always)]
    pub fn view_of(self, nodes: &'a [Node], id: NodeId) -> View<'a, T> {
        self.view(&nodes[id.index()])
    }

    /// Calls `f` with the values of some nodes. (A list of references cannot be kept between calls: it is on the
    /// stack.)
    #[inline(always)]
    pub fn with_views(self, nodes: &'a [Node], ids: &[NodeId], f: impl FnOnce(&[View<T>])) {
        match *ids {
            [a] => f(&[self.view_of(nodes, a)]),
            [a, b] => f(&[self.view_of(nodes, a), self.view_of(nodes, b)]),
            [a, b, c] => f(&[self.view_of(nodes, a), self.view_of(nodes, b), self.view_of(nodes, c)]),
            _ => {
                let mut views = SmallVec::new();
                self.list_views(nodes, ids, &mut views);
                f(&views);
            }
        }
    }

    /// Lists the values of some nodes. (Out of line: few ops have more than three inputs.)
    #[inline(never)]
    fn list_views(self, nodes: &'a [Node], ids: &[NodeId], views: &mut SmallVec<[View<'a, T>; MOST_LISTED]>) {
        views.extend(ids.iter().map(|&id| self.view_of(nodes, id)));
    }

    /// The values of the first and the last input of a node on numbers.
    #[inline(always)]
    pub fn numbers(self, nodes: &[Node], node: &Node) -> [T; 2] {
        let inputs: &[NodeId] = &node.inputs;
        let (first, last) = (inputs[0], inputs[inputs.len() - 1]);
        [self.view_of(nodes, first).data[0], self.view_of(nodes, last).data[0]]
    }
}
