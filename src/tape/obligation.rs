//! The "must be used" check: a penalty that was built, but of which no form is in the loss, makes `backward` panic and name the
//! line that built it.

use std::panic::Location;

use super::cotangents::Flow;
use super::node::{Kind, Node, NodeId};

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
    /// Announces something; gives its number.
    pub fn announce(&mut self, what: &'static str, at: &'static Location<'static>) -> usize {
        self.owed.push(Owed { what, at, met: false });
        self.owed.len() - 1
    }

    /// A node that meets the obligation with this number, if it becomes part of the loss.
    pub fn met_by(&mut self, number: usize, node: NodeId) {
        self.met_by.push((number, node));
    }

    /// Panics if something that was to be part of the loss is part of none of these roots. To be called after a sweep from
    /// one of them, which has reached most of what is looked for.
    #[track_caller]
    pub fn check(&mut self, nodes: &[Node], flows: &[Flow], roots: impl Iterator<Item = NodeId>) {
        let Some(unmet) = self.first_unmet(nodes, flows, roots) else { return };
        let Owed { what, at, .. } = self.owed[unmet];
        assert!(
            !self.is_constant(unmet, nodes),
            "the {what} built at {at} is made of constants or detached values alone, so that no gradient flows from it to \
             any parameter or input: put it on what is to learn from it, or do not build it where a loss is differentiated"
        );
        panic!("the {what} built at {at} is not part of this loss: add it, or do not build it");
    }

    /// Begins a recording, which owes nothing yet.
    pub fn clear(&mut self) {
        self.owed.clear();
        self.met_by.clear();
    }

    /// The number of the first obligation that no root meets, if there is one. `flows` are what a sweep from some of the roots
    /// has left.
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
