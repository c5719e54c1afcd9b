//! How values enter a recording that no op computes.

use std::panic::Location;

use super::memory::{Memory, Place};
use super::node::{Kind, Node, NodeId};
use super::record::Record;
use super::values::Values;
use crate::ops::Real;
use crate::params::{ParamId, Params};
use crate::tensor::Shape;

impl<T: Real> Record<T> {
    /// The node of a parameter, of which a recording has one, however often it is asked for.
    #[track_caller]
    pub fn param(&mut self, id: ParamId, params: &Params<T>, at: &'static Location<'static>) -> NodeId {
        if let Some(node) = self.param_node(id)
            && matches!(self.nodes[node.index()].kind, Kind::Param(known) if known == id)
        {
            return node;
        }
        let (range, shape, frozen) = params.place(id);
        let same = |node: &Node| {
            matches!(node.kind, Kind::Param(old) if old == id)
                && node.is_active() != frozen
                && matches!(&node.value, Memory::Params(old) if *old == range)
                && node.shape.is(shape)
        };
        let node = self.repeat(at, same).unwrap_or_else(|| {
            let value = Memory::Params(range.clone());
            let cotangent = if frozen { Place::Nowhere } else { Place::Gradient(range) };
            let segment = self.segments.open;
            self.push(Node::leaf(Kind::Param(id), shape, value, cotangent, segment, at))
        });
        if self.param_nodes.len() <= id.index() {
            self.param_nodes.resize(id.index() + 1, None);
        }
        self.param_nodes[id.index()] = Some(node);
        if let Some(watch) = &self.watch {
            watch.entered(&self.nodes[node.index()], node, params.get(id), Some(params.name(id)));
        }
        node
    }

    /// A node for data or an input, whose elements `fill` writes. A NaN among them is reported if that is asked for.
    #[track_caller]
    pub fn leaf(
        &mut self,
        kind: Kind,
        shape: &Shape,
        at: &'static Location<'static>,
        fill: impl FnOnce(&mut [T]),
    ) -> NodeId {
        let id = self.filled_leaf(kind, shape, at, fill);
        if let Some(watch) = &self.watch {
            let node = &self.nodes[id.index()];
            let values = Values { arena: &self.values.data, params: &[], segment: &[] };
            watch.entered(node, id, values.elements(node), None);
        }
        id
    }

    /// [`leaf`](Self::leaf) without a look at the elements.
    #[track_caller]
    fn filled_leaf(
        &mut self,
        kind: Kind,
        shape: &Shape,
        at: &'static Location<'static>,
        fill: impl FnOnce(&mut [T]),
    ) -> NodeId {
        if let Some(node) = self.repeat(at, |node| node.kind == kind && node.shape.is(shape)) {
            let Memory::Arena(range) = &self.nodes[node.index()].value else {
                unreachable!("a leaf is owned")
            };
            fill(&mut self.values.data[range.clone()]);
            return node;
        }
        self.depart();
        let active = kind == Kind::Input;
        let name = if active { "input" } else { "constant" };
        let len = match shape.elements_of::<T>() {
            Ok(len) => len,
            Err(error) => panic!("{name}: {error}"),
        };
        // Outside of all segments: it cannot be computed again.
        let taken =
            Record::take(&mut self.values, &mut self.cotangents, [len, 0], active.then_some([len, 0]));
        let Some((range, cotangent)) = taken else {
            panic!("{name}: no memory for a tensor of shape {shape}");
        };
        fill(&mut self.values.data[range.clone()]);
        let cotangent = cotangent.map_or(Place::Nowhere, Place::Arena);
        self.push(Node::leaf(kind, shape, Memory::Arena(range), cotangent, self.segments.open, at))
    }
}
