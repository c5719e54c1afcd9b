//! What a tape can be asked to look at while it computes: how long each op takes, and whether every number is finite.
//!
//! The tape hands each op to its [`Watch`] to run, if it has one; a tape that was asked for nothing has none, and pays
//! for one test of a pointer.

use std::time::Instant;

use super::cotangents::{Cotangents, Flow};
use super::memory::Place;
use super::node::{Node, NodeId};
use super::profile::{Direction, Profile};
use crate::element::Element;
use crate::matrix::Support;
use crate::tensor::ViewMut;
use crate::tensor::shape::row_major;

/// What a tape was asked to look at.
#[derive(Default)]
pub(crate) struct Watch {
    pub profile: Option<Profile>,
    /// Whether the first NaN or infinity panics.
    pub anomalies: bool,
}

impl Watch {
    /// Applies `change`; drops the watch if it then has neither a profile nor a search for NaN.
    pub fn change(watch: &mut Option<Box<Watch>>, change: impl FnOnce(&mut Watch)) {
        change(watch.get_or_insert_default());
        watch.take_if(|watch| watch.profile.is_none() && !watch.anomalies);
    }

    pub fn recording_begins(&mut self) {
        if let Some(profile) = &mut self.profile {
            profile.steps += 1;
        }
    }

    /// A leaf got its value; `name` is a parameter's.
    #[cold]
    pub fn entered<T: Element>(&self, node: &Node, id: NodeId, value: &[T], name: Option<&str>) {
        if let Some(found) = self.first_anomaly(value, &node.shape, None) {
            let what = name.map_or(format!("the {}", node.name()), |name| format!("parameter {name:?}"));
            panic!("anomaly in the data: {what} ({id}) {found}; it entered at {}", node.at);
        }
    }

    /// Runs an op forward. If `compute` says that it has not done it after all, nothing is reported.
    #[cold]
    pub fn forward<T: Element>(
        &mut self,
        node: &Node,
        id: NodeId,
        y: ViewMut<T>,
        compute: impl FnOnce(ViewMut<T>) -> bool,
    ) {
        let begun = Instant::now();
        if !compute(ViewMut { data: &mut *y.data, ..y }) {
            return;
        }
        self.clock(node, Direction::Forward, begun);
        if let Some(found) = self.first_anomaly(&y.data[..y.shape.elements()], y.shape, None) {
            panic!("anomaly in forward: {} ({id}) {found}; recorded at {}", node.name(), node.at);
        }
    }

    /// The caller gave a cotangent to begin a sweep with.
    #[cold]
    pub fn seeded<T: Element>(&self, node: &Node, id: NodeId, seed: &[T]) {
        if let Some(found) = self.first_anomaly(seed, &node.shape, None) {
            let (op, at) = (node.name(), node.at);
            panic!(
                "anomaly in backward: the cotangent given for {op} ({id}) {found}; {op} was recorded at {at}"
            );
        }
    }

    /// Runs an op's vjp.
    #[cold]
    pub fn backward<'a, T: Element>(
        &mut self,
        nodes: &[Node],
        id: NodeId,
        gx: &mut Cotangents<'a, T>,
        pull_back: impl FnOnce(&mut Cotangents<'a, T>),
    ) {
        let begun = Instant::now();
        pull_back(gx);
        let node = &nodes[id.index()];
        self.clock(node, Direction::Backward, begun);
        let (op, at) = (node.name(), node.at);
        for (k, (slot, input)) in gx.slots.iter().zip(&node.inputs).enumerate() {
            let mut support = None;
            let (of, signs) = (nodes[input.index()].name(), gx.signs[slot.node].to_f64());
            assert!(
                !self.anomalies || signs.is_finite(),
                "anomaly in backward: what {op} ({id}) adds to the cotangent of its input {k}, {of} ({input}), is {signs} \
                 times the sign of {of}; {op} was recorded at {at}"
            );
            let cotangent: &[T] = match (gx.flows[slot.node], &slot.place, &gx.entries) {
                (Flow::Entries(number), _, Some(receivers)) => {
                    let found = &receivers.values[number];
                    support = Some(&receivers.supports[found.support]);
                    &found.values
                }
                (Flow::Whole, Place::Arena(range), _) => &gx.arena[range.clone()],
                (Flow::Whole, Place::Gradient(range), _) => &gx.gradients[range.clone()],
                (Flow::Whole, Place::Segment(range), _) => &gx.segment[range.clone()],
                _ => continue,
            };
            if let Some(found) = self.first_anomaly(cotangent, &slot.shape, support) {
                panic!(
                    "anomaly in backward: the cotangent of {of} ({input}), as {op} ({id}) hands it to its input {k}, \
                     {found}; {op} was recorded at {at}"
                );
            }
        }
    }

    fn clock(&mut self, node: &Node, direction: Direction, begun: Instant) {
        if let Some(profile) = &mut self.profile {
            profile.add(node.name(), node.at, direction, begun.elapsed());
        }
    }

    /// The first NaN or infinity, in words, if those are looked for; of the entries of a support, if there is one.
    fn first_anomaly<T: Element>(
        &self,
        data: &[T],
        shape: &[usize],
        support: Option<&Support>,
    ) -> Option<String> {
        if !self.anomalies {
            return None;
        }
        let found = data.iter().position(|x| !x.to_f64().is_finite())?;
        let position = support.map_or(found, |support| {
            let (row, column) = support.positions().nth(found).expect("an entry");
            row * support.cols() + column
        });
        let index: Vec<usize> =
            row_major(shape).iter().zip(shape).map(|(stride, size)| position / stride % size).collect();
        Some(format!("is {} at {index:?} of {shape:?}", data[found]))
    }
}
