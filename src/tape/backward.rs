//! The reverse sweep: one loop from the last node to the first.
//!
//! Inputs precede outputs, in node order and in the arena, so when a node is reached its cotangent is complete, and
//! splitting the arena there separates what its vjp reads from what it writes. No topological sort, no recursion, no
//! map from nodes to gradients.
//!
//! Where zeros have been found, a cotangent may consist of entries: [`incoming`](super::incoming) says what a vjp is given
//! then.

use std::ops::Range;

use super::cotangents::{Cotangents, Flow, Receivers};
use super::incoming::{Incoming, Lent, RunOn};
use super::memory::Place;
use super::node::{Kind, Node, NodeId};
use super::record::Record;
use super::sweep::Sweep;
use super::watch::Watch;
use crate::matrix::Accum;
use crate::ops::{Op, Real};
use crate::params::{Grads, Params};
use crate::pointwise::Demand;
use crate::tensor::{Cotangent, View};

/// Carries the seeds, cotangents of the roots, back to the parameters and inputs.
pub(crate) fn sweep<T: Real>(
    record: &mut Record<T>,
    roots: &[(NodeId, &[T])],
    params: &Params<T>,
    grads: &mut Grads<T>,
    accum: Accum,
) {
    Sweep::begin(record, accum);
    let (mut sweep, watch) = Sweep::over(record, params.data(), grads.data_mut());
    for &(root, seed) in roots {
        if let Some(watch) = &watch {
            watch.seeded(&sweep.nodes[root.index()], root, seed);
        }
        sweep.seed(root, seed);
    }
    let mut end = roots.iter().map(|(root, _)| root.index() + 1).max().unwrap_or(0);
    // From the last segment to the first; a root stands in none of them.
    for number in (0..record.segments.nodes.len()).rev() {
        let segment = record.segments.nodes[number].clone();
        if segment.start < end {
            pull_back(record, segment.end..end, params, grads);
            end = segment.start;
            pull_back_segment(record, segment, params, grads);
        }
    }
    pull_back(record, 0..end, params, grads);
    if accum == Accum::Replace {
        clear_untouched(record, params, grads.data_mut());
    }
}

/// Carries the cotangents of some nodes, whose values are at hand, back to their inputs.
#[inline]
fn pull_back<T: Real>(record: &mut Record<T>, nodes: Range<usize>, params: &Params<T>, grads: &mut Grads<T>) {
    let (mut sweep, watch) = Sweep::over(record, params.data(), grads.data_mut());
    sweep.run(nodes, watch);
}

/// Computes a segment's values once more and carries the cotangents of its nodes back to their inputs; does neither if nothing
/// has flowed to it.
#[cold]
fn pull_back_segment<T: Real>(
    record: &mut Record<T>,
    segment: Range<usize>,
    params: &Params<T>,
    grads: &mut Grads<T>,
) {
    let flows = &record.flows[segment.clone()];
    let reached = flows.iter().any(|&flow| flow != Flow::Nothing)
        || record.signs[segment.clone()].iter().any(|sign| !sign.adds_nothing());
    if reached {
        for i in segment.clone() {
            record.compute(NodeId(i as u32), params.data());
        }
        pull_back(record, segment, params, grads);
    }
}

/// Zero for every parameter that nothing flowed to.
fn clear_untouched<T: Real>(record: &Record<T>, params: &Params<T>, gradients: &mut [T]) {
    for (id, place) in params.places() {
        let reached = record.param_node(id).is_some_and(|node| record.flows[node.index()] != Flow::Nothing);
        if !reached {
            gradients[place.clone()].fill(T::ZERO);
        }
    }
}

impl<T: Real> Sweep<'_, T> {
    /// The loop, over some nodes.
    fn run(&mut self, nodes: Range<usize>, mut watch: Option<&mut Watch>) {
        let attended = watch.is_some() || self.zeros.any() || self.zeros.keeps;
        for i in nodes.rev() {
            let Node { kind: Kind::Op(op), cotangent: place, .. } = &self.nodes[i] else { continue };
            if *place == Place::Nowhere {
                continue;
            }
            if self.flows[i] == Flow::Nothing {
                if self.signs[i].adds_nothing() {
                    continue;
                }
                // An l1 penalty is the only thing that reads this value.
                if let Some(place) = Sweep::place(&self.nodes[i], self.cotangents, self.segment) {
                    place.fill(T::ZERO);
                }
                self.flows[i] = Flow::Whole;
            }
            if attended {
                self.pull_back_attended(op, i, place, watch.as_deref_mut());
            } else {
                self.pull_back::<false>(op, i, place, None);
            }
        }
    }

    /// [`pull_back`](Self::pull_back) where there is something to attend to: cotangents may be passed on at non-zero positions
    /// alone, and the profiler and the search for NaN are told. Out of line, so that the plain path stays short
    /// (`docs/adr/0015`).
    #[inline(never)]
    fn pull_back_attended(&mut self, op: &Op, i: usize, place: &Place, watch: Option<&mut Watch>) {
        self.pull_back::<true>(op, i, place, watch);
    }

    /// Passes a node's cotangent, which is at `place` in the arena, on to its inputs. What is not `ATTENDED` is compiled away.
    #[inline]
    fn pull_back<const ATTENDED: bool>(
        &mut self,
        op: &Op,
        i: usize,
        place: &Place,
        watch: Option<&mut Watch>,
    ) {
        let incoming = if ATTENDED { self.incoming(i) } else { Incoming::whole() };
        let Incoming { on, mut gy, gy_is_copy, y: y_lent, x: x_lent, spare } = incoming;
        let (nodes, values, zeros, node) = (self.nodes, self.values, self.zeros, &self.nodes[i]);
        // What is written stands before what is read, in the same arena, or in the other one.
        let (inside, place) = match place {
            Place::Arena(place) => (false, place),
            Place::Segment(place) => (true, place),
            Place::Nowhere | Place::Gradient(_) => unreachable!("an op's cotangent stands in an arena"),
        };
        let (own, other) = if inside {
            (&mut *self.segment, &mut *self.cotangents)
        } else {
            (&mut *self.cotangents, &mut *self.segment)
        };
        let (own, rest) = own.split_at_mut(place.start);
        let (arena, segment) = if inside { (other, own) } else { (own, other) };
        let (signs_of_inputs, own_signs) = self.signs.split_at_mut(i);
        let mut signs_of_copy = own_signs[0];
        let mut gy_view = Cotangent {
            data: gy.as_mut().map_or(&mut rest[..place.len() + node.room.scratch], |gy| &mut gy.of.values),
            shape: &node.shape,
            support: if let RunOn::SparseCotangent(number) = on {
                Some(&zeros.supports.all[number])
            } else {
                None
            },
            signs: if gy_is_copy { &mut signs_of_copy } else { &mut own_signs[0] },
        };
        let entries = (ATTENDED && zeros.any()).then_some(Receivers {
            plans: self.plans,
            values: &mut self.values_of_entries.all,
            supports: &zeros.supports.all,
            spare,
        });
        let mut gx = Cotangents {
            slots: &node.slots,
            flows: self.flows,
            arena,
            gradients: self.gradients,
            segment,
            signs: signs_of_inputs,
            entries,
        };
        let run = |gx: &mut Cotangents<T>| {
            let whole = values.view_with_kept(node);
            if node.on_numbers {
                let gy = gy_view.read(whole, |gy| gy.data[0]);
                return gx.add_numbers(op.vjp_of_numbers(values.numbers(nodes, node), whole.data[0], gy));
            }
            if !ATTENDED || !zeros.any() {
                return values.with_views(nodes, &node.inputs, |x| T::vjp(op, x, whole, gy_view, gx));
            }
            // Values at entries look like a whole tensor.
            let at = |id: NodeId, support, lent| {
                let values = Lent::values(lent).or(zeros.values_at(id, support)).unwrap_or(&[]);
                View::dense(values, &nodes[id.index()].shape)
            };
            let y =
                on.support_of_gy().map_or(whole, |support| at(NodeId(i as u32), support, y_lent.as_ref()));
            match on {
                RunOn::All | RunOn::SparseCotangent(_) => {
                    zeros.with_views(values, nodes, node, None, |x| T::vjp(op, x, y, gy_view, gx));
                }
                // A vjp that reads gy where y ≠ 0 alone is made from y and gy.
                RunOn::Entries(_) if node.zeros.reads == Demand::Support => T::vjp(op, &[y], y, gy_view, gx),
                RunOn::Entries(support) | RunOn::Terms(support) => {
                    T::vjp(op, &[at(node.inputs[0], support, x_lent.as_ref())], y, gy_view, gx);
                }
            }
        };
        match watch {
            Some(watch) if ATTENDED => watch.backward(nodes, NodeId(i as u32), &mut gx, run),
            _ => run(&mut gx),
        }
        if ATTENDED {
            self.take_back([gy, y_lent, x_lent]);
        }
    }
}
