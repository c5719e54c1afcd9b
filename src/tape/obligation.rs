//! What was built to be part of the loss, and must not be forgotten.

use std::panic::Location;

use super::cotangents::Flow;
use super::node::{Kind, Node, NodeId};
use super::record::Record;
use crate::ops::Real;
use crate::tape::Recording;

/// Something that was built to be part of the loss.
#[derive(Clone, Copy, Debug)]
struct Owed {
    what: &'static str,
    at: &'static Location<'static>,
    /// Whether a loss has it; said anew by each check.
    met: bool,
}

/// What a recording owes its loss. Lists that the next recording reuses.
#[derive(Debug, Default)]
pub(crate) struct Obligations {
    owed: Vec<Owed>,
    /// Nodes that meet an obligation, each with the number of that.
    met_by: Vec<(usize, NodeId)>,
    /// For each node, whether its gradient flows from a loss; made anew by each check that needs it.
    marks: Vec<bool>,
}

impl Obligations {
    /// Begins a recording, which owes nothing yet.
    pub fn clear(&mut self) {
        self.owed.clear();
        self.met_by.clear();
    }

    /// The number of the first that no root has, if there is one. `flows` are what a sweep from some of the roots has left.
    ///
    /// Most are met by a value that the sweep reached, and that is seen at once. For the others the nodes are walked once,
    /// from the last root to the first node, whatever the number of obligations and of paths.
    #[inline]
    fn first_unmet(
        &mut self,
        nodes: &[Node],
        flows: &[Flow],
        roots: impl Iterator<Item = NodeId>,
    ) -> Option<usize> {
        for owed in &mut self.owed {
            owed.met = false;
        }
        for &(number, id) in &self.met_by {
            // A parameter's flow may be an earlier sweep's, whose gradients are added to.
            if flows[id.index()] != Flow::Nothing && !matches!(nodes[id.index()].kind, Kind::Param(_)) {
                self.owed[number].met = true;
            }
        }
        if self.owed.iter().any(|owed| !owed.met) {
            self.mark(nodes, roots);
            for &(number, id) in &self.met_by {
                self.owed[number].met |= self.marks[id.index()];
            }
        }
        self.owed.iter().position(|owed| !owed.met)
    }

    /// Marks the nodes that the roots depend on in a differentiable way. (Out of line: few programs need it.)
    #[cold]
    fn mark(&mut self, nodes: &[Node], roots: impl Iterator<Item = NodeId>) {
        self.marks.clear();
        self.marks.resize(nodes.len(), false);
        for root in roots {
            self.marks[root.index()] = nodes[root.index()].is_active();
        }
        for (i, node) in nodes.iter().enumerate().rev() {
            if self.marks[i] {
                for input in node.inputs.iter().filter(|input| nodes[input.index()].is_active()) {
                    self.marks[input.index()] = true;
                }
            }
        }
    }

    /// Whether what was to meet an obligation is made of constants alone.
    fn is_constant(&self, number: usize, nodes: &[Node]) -> bool {
        let mut nodes =
            self.met_by.iter().filter(|(of, _)| *of == number).map(|(_, id)| &nodes[id.index()]).peekable();
        nodes.peek().is_some() && nodes.all(|node| !node.is_active())
    }
}

/// Something that must become part of the loss, in one of several forms: made by [`Recording::obligation`], to be
/// [met](crate::Var::meets).
pub struct Obligation<'r, T> {
    recording: Recording<'r, T>,
    number: usize,
}

impl<T> Clone for Obligation<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Obligation<'_, T> {}

impl<T: Real> Obligation<'_, T> {
    /// A node that meets it, if it becomes part of the loss.
    #[track_caller]
    pub(crate) fn met_by(self, recording: Recording<T>, node: NodeId) {
        let same = std::ptr::eq(self.recording.tape, recording.tape);
        assert!(same, "meets: the obligation is of another recording");
        self.recording.tape.record.borrow_mut().obligations.met_by.push((self.number, node));
    }
}

impl<'r, T: Real> Recording<'r, T> {
    /// Announces something that must become part of the loss: [`Var::backward`](crate::Var::backward) panics, and names
    /// `what` and the line that called this, unless a value that [meets](crate::Var::meets) the obligation is part of
    /// its loss.
    ///
    /// It is part of the loss if the loss's gradient flows to it. What has been [detached](crate::Var::detach) on the way to
    /// the loss does not count, and neither does what was computed from constants and detached values alone: it changes the
    /// number that is printed, but nothing learns from it. So a penalty on data, or on the output of a frozen layer, is
    /// not for training; where nothing is differentiated, in an evaluation, it may be computed and read freely.
    ///
    /// A recording with several losses: [`Var::backward_among`](crate::Var::backward_among).
    ///
    /// ```should_panic
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.input(&Tensor::from([1.0, 2.0]));
    /// let penalty = r.obligation("penalty");
    /// let (sum, mean) = (x.sum().meets(penalty), x.mean().meets(penalty)); // one of them will do
    /// x.square().sum().backward(&mut params.zeros()); // panics: but this has neither
    /// ```
    #[track_caller]
    pub fn obligation(self, what: &'static str) -> Obligation<'r, T> {
        let owed = &mut self.tape.record.borrow_mut().obligations.owed;
        owed.push(Owed { what, at: Location::caller(), met: false });
        Obligation { recording: self, number: owed.len() - 1 }
    }

    /// Panics if something that was to be part of the loss is part of none of these. To be called after a sweep from one of
    /// them, which has reached most of what is looked for.
    #[track_caller]
    pub(crate) fn check_obligations(self, roots: impl Iterator<Item = NodeId> + Clone) {
        let Record { nodes, recorded, flows, obligations, .. } = &mut *self.tape.record.borrow_mut();
        let nodes = &nodes[..*recorded];
        let Some(unmet) = obligations.first_unmet(nodes, flows, roots) else { return };
        let Owed { what, at, .. } = obligations.owed[unmet];
        assert!(
            !obligations.is_constant(unmet, nodes),
            "the {what} built at {at} is made of constants or detached values alone, so that no gradient flows from it to \
             any parameter or input: put it on what is to learn from it, or do not build it where a loss is differentiated"
        );
        panic!("the {what} built at {at} is not part of this loss: add it, or do not build it");
    }
}
