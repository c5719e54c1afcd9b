//! The reverse sweep: one loop from the last node to the first.
//!
//! Inputs precede outputs, in node order and in the arena, so when a node is reached its cotangent is complete, and
//! splitting the arena there separates what its vjp reads from what it writes. No topological sort, no recursion, no
//! map from nodes to gradients.

use smallvec::SmallVec;

use crate::cotangents::{Cotangents, Place, Slot};
use crate::element::Accum;
use crate::graph::{Kind, NodeId};
use crate::kernels;
use crate::ops::Real;
use crate::params::{Grads, Params};
use crate::record::{Inner, view, with_views};
use crate::tensor::ViewMut;

/// Carries the seeds, cotangents of the roots, back to the parameters and inputs.
pub(crate) fn sweep<T: Real>(
    inner: &mut Inner<T>,
    roots: &[(NodeId, &[T])],
    params: &Params<T>,
    grads: &mut Grads<T>,
    accum: Accum,
) {
    inner.cotangents.back();
    inner.touched.clear();
    inner.touched.resize(inner.nodes().len(), false);
    let gradients = grads.data_mut();
    let (nodes, _, cotangents, touched, watch) = inner.sweep_parts();
    if accum == Accum::Add {
        for (touched, node) in touched.iter_mut().zip(nodes) {
            *touched = matches!(node.kind, Kind::Param(_));
        }
    }
    for &(root, seed) in roots {
        if let Some(watch) = &watch {
            watch.seeded(&nodes[root.index()], root, seed);
        }
        let place = match &nodes[root.index()].cotangent {
            Place::Nowhere => continue,
            Place::Arena(range) => &mut cotangents[range.clone()],
            Place::Gradient(range) => &mut gradients[range.clone()],
        };
        let root_accum = if touched[root.index()] { Accum::Add } else { Accum::Replace };
        touched[root.index()] = true;
        kernels::copy([seed], place, root_accum);
    }

    let end = roots.iter().map(|(root, _)| root.index() + 1).max().unwrap_or(0);
    match inner.watch {
        None => pull_back_all::<T, false>(inner, end, params, gradients),
        Some(_) => pull_back_all::<T, true>(inner, end, params, gradients),
    }

    if accum == Accum::Replace {
        clear_untouched(inner, params, gradients);
    }
}

/// The sweep's loop, over the nodes before `end`. There are two copies of it, so that the one that nobody watches has
/// nothing of the other in it.
fn pull_back_all<T: Real, const WATCHED: bool>(
    inner: &mut Inner<T>,
    end: usize,
    params: &Params<T>,
    gradients: &mut [T],
) {
    let (nodes, values, cotangents, touched, mut watch) = inner.sweep_parts();
    for i in (0..end).rev() {
        let node = &nodes[i];
        let (Kind::Op(op), true, Place::Arena(place)) = (&node.kind, touched[i], &node.cotangent) else {
            continue;
        };
        let (past, rest) = cotangents.split_at_mut(place.start);
        let gy = ViewMut { data: &mut rest[..place.len()], shape: &node.shape };
        let mut few: [Slot; 4] = Default::default();
        let mut many: SmallVec<[Slot; 16]> = SmallVec::new();
        let slots = if node.inputs.len() > few.len() {
            many.resize_with(node.inputs.len(), Slot::default);
            &mut many[..]
        } else {
            &mut few[..node.inputs.len()]
        };
        for (slot, id) in slots.iter_mut().zip(&node.inputs) {
            let input = &nodes[id.index()];
            let accum = if touched[id.index()] { Accum::Add } else { Accum::Replace };
            *slot = Slot { place: input.cotangent.clone(), shape: &input.shape, accum };
        }
        let mut gx = Cotangents { arena: past, gradients: &mut *gradients, slots };
        let y = view(node, values, params.data());
        let pull_back = |gx: &mut Cotangents<T>| {
            with_views(nodes, &node.inputs, values, params.data(), |x| T::vjp(op, x, y, gy, gx));
        };
        match &mut watch {
            Some(watch) if WATCHED => watch.backward(nodes, NodeId(i as u32), &mut gx, pull_back),
            _ => pull_back(&mut gx),
        }
        for (id, slot) in node.inputs.iter().zip(gx.slots.iter()) {
            touched[id.index()] = slot.accum == Accum::Add;
        }
    }
}

/// Zero for every parameter that nothing flowed to.
fn clear_untouched<T: Real>(inner: &Inner<T>, params: &Params<T>, gradients: &mut [T]) {
    for id in params.ids() {
        let reached = inner.param_node(id).is_some_and(|node| inner.touched[node.index()]);
        if !reached {
            gradients[params.range(id)].fill(T::ZERO);
        }
    }
}
