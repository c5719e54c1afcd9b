//! The reverse sweep: one loop from the last node to the first.
//!
//! Inputs precede outputs, in node order and in the arena, so when a node is reached its cotangent is complete, and
//! splitting the arena there separates what its vjp reads from what it writes. No topological sort, no recursion, no
//! map from nodes to gradients.
//!
//! Where a value's entries have been found and its op reads the cotangent there alone, the cotangent consists of entries
//! as well: a [`Pack`]. An op that knows nothing of entries is handed whole cotangents in any case, and what it gives
//! is picked at the entries.

use std::ops::Range;

use smallvec::SmallVec;

use super::cotangents::{Cotangents, Flow, Pack, Partial};
use super::memory::{Place, Pool};
use super::node::{Kind, Node, NodeId};
use super::record::Record;
use super::values::{MOST_LISTED, Values};
use super::watch::Watch;
use super::zeros::Zeros;
use crate::kernels::{self, support};
use crate::matrix::{Accum, Sparse, Support};
use crate::ops::Entries;
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
    record.cotangents.back();
    let (mut sweep, watch) = Sweep::new(record, params.data(), grads.data_mut(), accum);
    for &(root, seed) in roots {
        if let Some(watch) = &watch {
            watch.seeded(&sweep.nodes[root.index()], root, seed);
        }
        sweep.seed(root, seed);
    }
    let end = roots.iter().map(|(root, _)| root.index() + 1).max().unwrap_or(0);
    sweep.run(end, watch);
    if accum == Accum::Replace {
        clear_untouched(record, params, grads.data_mut());
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

/// What a sweep reads and writes.
struct Sweep<'a, T> {
    nodes: &'a [Node],
    values: Values<'a, T>,
    zeros: &'a Zeros<T>,
    cotangents: &'a mut [T],
    gradients: &'a mut [T],
    flows: &'a mut [Flow],
    uniform: &'a mut [T],
    packs: &'a mut Pool<Pack<T>>,
}

/// What a vjp is given of its output's cotangent.
#[derive(Clone, Copy, PartialEq)]
enum Given {
    /// All of it.
    Whole,
    /// The entries of this support, as if they were all elements.
    AsAll(usize),
    /// The entries of this support, in its view. A product makes whole cotangents of them, or others' entries.
    ToProduct(usize),
    /// The same; its inputs of the same shape get the same entries.
    ToLinear(usize),
}

impl<'a, T: Real> Sweep<'a, T> {
    /// A sweep that has not begun, and who looks on.
    fn new(
        record: &'a mut Record<T>,
        params: &'a [T],
        gradients: &'a mut [T],
        accum: Accum,
    ) -> (Self, Option<&'a mut Watch>) {
        let nodes = &record.nodes[..record.recorded];
        record.flows.clear();
        record.flows.resize(nodes.len(), Flow::Nothing);
        record.uniform.clear();
        record.uniform.resize(nodes.len(), T::ZERO);
        record.packs.clear();
        if accum == Accum::Add {
            for (flow, node) in record.flows.iter_mut().zip(nodes) {
                if matches!(node.kind, Kind::Param(_)) {
                    *flow = Flow::Whole;
                }
            }
        }
        let sweep = Sweep {
            nodes,
            values: Values { arena: &record.values.data, params },
            zeros: &record.zeros,
            cotangents: &mut record.cotangents.data,
            gradients,
            flows: &mut record.flows,
            uniform: &mut record.uniform,
            packs: &mut record.packs,
        };
        (sweep, record.watch.as_deref_mut())
    }

    /// Gives a root its cotangent.
    fn seed(&mut self, root: NodeId, seed: &[T]) {
        let flow = &mut self.flows[root.index()];
        let place = match &self.nodes[root.index()].cotangent {
            Place::Nowhere => return,
            Place::Arena(range) => &mut self.cotangents[range.clone()],
            Place::Gradient(range) => &mut self.gradients[range.clone()],
        };
        let accum = if *flow == Flow::Nothing { Accum::Replace } else { Accum::Add };
        *flow = Flow::Whole;
        match accum {
            Accum::Replace => place.copy_from_slice(seed),
            Accum::Add => kernels::copy([seed], place, accum),
        }
    }

    /// The loop, over the nodes before `end`.
    fn run(&mut self, end: usize, mut watch: Option<&mut Watch>) {
        let attended = watch.is_some() || self.zeros.any() || self.zeros.keeps;
        for i in (0..end).rev() {
            let Node { kind: Kind::Op(op), cotangent: Place::Arena(place), .. } = &self.nodes[i] else {
                continue;
            };
            if self.flows[i] == Flow::Nothing {
                if self.uniform[i].adds_nothing() {
                    continue;
                }
                // It alone flows: the rest is nothing.
                self.cotangents[place.clone()].fill(T::ZERO);
                self.flows[i] = Flow::Whole;
            }
            if attended {
                self.pull_back_attended(op, i, place, &mut watch);
            } else {
                self.pull_back(op, i, place);
            }
        }
    }

    /// Hands a node's cotangent, which stands in a place, on to its inputs.
    #[inline]
    fn pull_back(&mut self, op: &Op, i: usize, place: &Range<usize>) {
        let node = &self.nodes[i];
        let (arena, own) = self.cotangents.split_at_mut(place.start);
        let (of_inputs, own_uniform) = self.uniform.split_at_mut(i);
        let (data, uniform) = (&mut own[..place.len()], &mut own_uniform[0]);
        let gy = Cotangent { data, shape: &node.shape, support: None, uniform };
        let gx = &mut Cotangents {
            slots: &node.slots,
            flows: self.flows,
            arena,
            gradients: self.gradients,
            uniform: of_inputs,
            may_wait: true,
            partial: None,
        };
        if let Some(x) = self.values.numbers(self.nodes, node, op) {
            let y = self.values.elements(node)[0];
            let uniform = *gy.uniform;
            let gy = if uniform.adds_nothing() { gy.data[0] } else { gy.data[0] + uniform };
            return gx.add_numbers(op.vjp_of_numbers(x, y, gy));
        }
        let y = self.values.view(node);
        self.values.with_views(self.nodes, &node.inputs, |x| T::vjp(op, x, y, gy, gx));
    }

    /// The same, with an eye on entries, and under the eye of who looks on. (Out of line: nothing of it shall stand in the way
    /// of the plain path, `docs/adr/0015`.)
    #[inline(never)]
    fn pull_back_attended(
        &mut self,
        op: &Op,
        i: usize,
        place: &Range<usize>,
        watch: &mut Option<&mut Watch>,
    ) {
        let (node, id) = (&self.nodes[i], NodeId(i as u32));
        let zeros = self.zeros;
        let given = if zeros.any() { self.given(op, i) } else { Given::Whole };
        let mut new_packs: SmallVec<[Option<usize>; MOST_LISTED]> = SmallVec::new();
        if zeros.any() {
            new_packs.extend((0..node.inputs.len()).map(|k| self.new_pack_of(node, k, given)));
        }
        let mut own = self.own(op, i, given);
        let (arena, rest) = self.cotangents.split_at_mut(place.start);
        let data = match &mut own {
            Some((_, pack)) => &mut pack.values[..],
            None => &mut rest[..place.len()],
        };
        let support = match given {
            Given::ToProduct(number) | Given::ToLinear(number) => Some(&zeros.supports.places[number]),
            Given::Whole | Given::AsAll(_) => None,
        };
        let (of_inputs, rest) = self.uniform.split_at_mut(i);
        let gy = Cotangent { data, shape: &node.shape, support, uniform: &mut rest[0] };
        let mut gx = Cotangents {
            slots: &node.slots,
            flows: self.flows,
            arena,
            gradients: self.gradients,
            uniform: of_inputs,
            may_wait: !zeros.keeps,
            partial: Some(Partial {
                new_packs: &new_packs,
                packs: &mut self.packs.places,
                supports: &zeros.supports.places,
                as_all: matches!(given, Given::AsAll(_)),
            }),
        };
        let entries = zeros.entries(id);
        let y = View { sparse: entries.as_ref(), ..self.values.view(node) };
        let run = |gx: &mut Cotangents<T>| {
            zeros.with_views(self.values, self.nodes, &node.inputs, |x| match given {
                Given::AsAll(_) => {
                    let y = y.entries();
                    // Where the derivative reads the cotangent on the support alone, it is made from y alone.
                    let x = if op.demand() == Demand::Support { y } else { x[0].entries() };
                    T::vjp(op, &[x], y, gy, gx);
                }
                _ => T::vjp(op, x, y, gy, gx),
            });
        };
        match watch {
            Some(watch) => watch.backward(self.nodes, id, &mut gx, run),
            None => run(&mut gx),
        }
        if let Some((number, pack)) = own {
            self.packs.places[number] = pack;
        }
    }

    /// Decides what a vjp is given, and makes its cotangent whole if it needs that.
    fn given(&mut self, op: &Op, i: usize) -> Given {
        let (node, id) = (&self.nodes[i], NodeId(i as u32));
        let mut shapes: SmallVec<[&[usize]; MOST_LISTED]> = SmallVec::new();
        shapes.extend(node.inputs.iter().map(|id| &self.nodes[id.index()].shape[..]));
        let entries = op.entries(&shapes);
        let support_of = |id: NodeId| self.zeros.known(id).support();
        if entries == Entries::Sum {
            let input = node.inputs[0];
            return match self.zeros.demanded(input) {
                Some(support) if self.takes(input, support) => Given::AsAll(support),
                _ => Given::Whole,
            };
        }
        let of_output = if op.demand() == Demand::Support { support_of(id) } else { None };
        let support = match self.flows[i] {
            Flow::Entries(number) => Some(self.packs.places[number].support),
            Flow::Whole | Flow::Nothing => of_output,
        };
        if let Some(support) = support {
            let input = node.inputs[0];
            let same = |id: NodeId| self.nodes[id.index()].shape == node.shape;
            let given = match entries {
                Entries::Elementwise => {
                    let known = of_output == Some(support)
                        || node.aliases
                        || (support_of(input) == Some(support) && support_of(id) == Some(support));
                    (known && self.takes(input, support)).then_some(Given::AsAll(support))
                }
                Entries::Product => {
                    let strided = self.nodes[input.index()].strides.is_some() && shapes[0].len() > 2;
                    (!strided).then_some(Given::ToProduct(support))
                }
                Entries::Linear => {
                    let mut inputs = node.inputs.iter().filter(|&&id| same(id));
                    inputs.all(|&id| self.takes(id, support)).then_some(Given::ToLinear(support))
                }
                Entries::Sum | Entries::Unseen => None,
            };
            if let Some(given) = given {
                return given;
            }
        }
        self.make_whole(id);
        Given::Whole
    }

    /// Whether a node's cotangent can be contributed to by the entries of this support. A parameter's cannot: its gradient is
    /// the caller's, and whole.
    fn takes(&self, id: NodeId, support: usize) -> bool {
        let node = &self.nodes[id.index()];
        if matches!(node.cotangent, Place::Gradient(_)) {
            return false;
        }
        let Support { rows, cols, .. } = self.zeros.supports.places[support];
        let shape = || node.shape.elements() == rows * cols && node.shape.last() == Some(&cols);
        !node.is_active()
            || match self.flows[id.index()] {
                Flow::Whole => false,
                Flow::Entries(number) => self.packs.places[number].support == support,
                Flow::Nothing => self.zeros.demanded(id).map_or_else(shape, |demanded| demanded == support),
            }
    }

    /// Turns a cotangent that consists of entries into a whole one.
    fn make_whole(&mut self, id: NodeId) {
        let Flow::Entries(number) = self.flows[id.index()] else { return };
        let Place::Arena(place) = &self.nodes[id.index()].cotangent else { return };
        let Pack { support, values, .. } = &self.packs.places[number];
        let entries = Sparse::new(&self.zeros.supports.places[*support], values);
        support::scatter(entries, &mut self.cotangents[place.clone()], Accum::Replace);
        self.flows[id.index()] = Flow::Whole;
    }

    /// The pack of an input's cotangent, if nothing has flowed to it and a vjp that is given this much is to contribute
    /// entries alone. Makes the cotangent whole if there are entries already that the vjp would not add to.
    fn new_pack_of(&mut self, node: &Node, k: usize, given: Given) -> Option<usize> {
        let id = node.inputs[k];
        let input = &self.nodes[id.index()];
        // What an input's first slot does holds for the others.
        if !input.is_active() || node.inputs[..k].contains(&id) {
            return None;
        }
        let passed = match given {
            Given::AsAll(support) => Some(support),
            Given::ToLinear(support) if input.shape == node.shape => Some(support),
            _ => None,
        };
        let demanded = self.zeros.demanded(id);
        match self.flows[id.index()] {
            Flow::Whole => None,
            Flow::Nothing => demanded.or(passed).map(|support| self.new_pack(support)),
            Flow::Entries(number) => {
                let support = Some(self.packs.places[number].support);
                if demanded != support && passed != support {
                    self.make_whole(id);
                }
                None
            }
        }
    }

    /// The number of a pack for the entries of a support.
    fn new_pack(&mut self, support: usize) -> usize {
        let number = self.packs.take();
        let pack = &mut self.packs.places[number];
        pack.support = support;
        pack.values.resize(self.zeros.supports.places[support].entries(), T::ZERO);
        number
    }

    /// A node's own cotangent, if it does not stand in the arena: its entries, taken or picked; or a copy, if it is to
    /// be kept although the op would turn it back in place.
    fn own(&mut self, op: &Op, i: usize, given: Given) -> Option<(usize, Pack<T>)> {
        let (node, flow) = (&self.nodes[i], self.flows[i]);
        let Place::Arena(place) = &node.cotangent else { return None };
        let number = match (flow, given) {
            (Flow::Entries(number), _) => number,
            (_, Given::Whole)
                if op.demand() == Demand::Support && self.zeros.known(NodeId(i as u32)).kept =>
            {
                let number = self.packs.take();
                let values = &mut self.packs.places[number].values;
                values.clear();
                values.extend_from_slice(&self.cotangents[place.clone()]);
                number
            }
            (_, Given::Whole) => return None,
            (_, Given::AsAll(_)) if node.shape.rank() == 0 && op.entries(&[]) == Entries::Sum => return None,
            (_, Given::AsAll(support) | Given::ToProduct(support) | Given::ToLinear(support)) => {
                let number = self.new_pack(support);
                let found = &self.zeros.supports.places[support];
                let values = &mut self.packs.places[number].values;
                support::gather(&self.cotangents[place.clone()], found, values, Accum::Replace);
                number
            }
        };
        Some((number, std::mem::take(&mut self.packs.places[number])))
    }
}
