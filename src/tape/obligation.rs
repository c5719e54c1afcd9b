//! What was built to be part of the loss, and must not be forgotten.

use std::panic::Location;

use smallvec::SmallVec;

use super::cotangents::Flow;
use super::node::NodeId;
use crate::ops::Real;
use crate::tape::Recording;

/// Something that was built to be part of the loss.
#[derive(Clone, Debug)]
pub(crate) struct Owed {
    /// The nodes of which one must be.
    pub nodes: SmallVec<[NodeId; 2]>,
    pub what: &'static str,
    pub at: &'static Location<'static>,
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
        self.recording.tape.record.borrow_mut().obligations[self.number].nodes.push(node);
    }
}

impl<'r, T: Real> Recording<'r, T> {
    /// Announces something that must become part of the loss: [`Var::backward`](crate::Var::backward) panics, and names
    /// `what` and the line that called this, unless a value that [meets](crate::Var::meets) the obligation is part of
    /// its loss.
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
        let owed = &mut self.tape.record.borrow_mut().obligations;
        owed.push(Owed { nodes: SmallVec::new(), what, at: Location::caller() });
        Obligation { recording: self, number: owed.len() - 1 }
    }

    /// Panics if something that was to be part of the loss is part of none of these.
    #[track_caller]
    pub(crate) fn check_obligations(self, roots: &[NodeId]) {
        let record = self.tape.record.borrow();
        for Owed { nodes, what, at } in &record.obligations {
            let reached = nodes.iter().any(|&node| {
                record.flows[node.index()] != Flow::Nothing
                    || roots.iter().any(|&root| record.depends_on(root, node))
            });
            assert!(reached, "the {what} built at {at} is not part of this loss: add it, or do not build it");
        }
    }
}
