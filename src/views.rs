//! Nodes as ops see them: views of their values, made anew for each op that runs.

use smallvec::SmallVec;

use crate::element::Element;
use crate::graph::{Memory, Node, NodeId};
use crate::tensor::View;
use crate::zeros::Zeros;

/// As many inputs as most ops have, or fewer.
const FEW: usize = 3;

/// A node's elements.
#[inline(always)]
pub(crate) fn elements<'a, T>(node: &Node, values: &'a [T], params: &'a [T]) -> &'a [T] {
    let (memory, range) = match &node.value {
        Memory::Arena(range) => (values, range),
        Memory::Params(range) => (params, range),
    };
    &memory[range.clone()]
}

/// A node's value.
#[inline(always)]
pub(crate) fn view<'a, T>(node: &'a Node, values: &'a [T], params: &'a [T]) -> View<'a, T> {
    let data = elements(node, values, params);
    View { data, shape: &node.shape, strides: node.strides.as_ref(), sparse: None }
}

/// Calls `f` with the values of some nodes, at least one. (A list of references cannot be kept between calls: it stands on
/// the stack.)
#[inline(always)]
pub(crate) fn with_views<T: Element>(
    nodes: &[Node],
    ids: &[NodeId],
    values: &[T],
    params: &[T],
    f: impl FnOnce(&[View<T>]),
) {
    let view = |id: NodeId| view(&nodes[id.index()], values, params);
    let many: SmallVec<[View<T>; FEW]>;
    let mut few = [view(ids[0]); FEW];
    let views = if ids.len() <= FEW {
        for k in 1..ids.len() {
            few[k] = view(ids[k]);
        }
        &few[..ids.len()]
    } else {
        many = ids.iter().map(|&id| view(id)).collect();
        &many
    };
    f(views)
}

/// The same, each with the entries that have been found.
pub(crate) fn with_sparse_views<T: Element>(
    nodes: &[Node],
    ids: &[NodeId],
    values: &[T],
    params: &[T],
    zeros: &Zeros<T>,
    f: impl FnOnce(&[View<T>]),
) {
    let entries: SmallVec<[_; FEW]> = ids.iter().map(|&id| zeros.entries(id)).collect();
    with_views(nodes, ids, values, params, |views| {
        let each =
            views.iter().zip(&entries).map(|(&view, entries)| View { sparse: entries.as_ref(), ..view });
        f(&each.collect::<SmallVec<[View<T>; FEW]>>());
    })
}
