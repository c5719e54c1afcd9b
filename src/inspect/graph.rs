//! The recorded graph: a copy of its nodes, to look at.

use crate::ops::Real;
use crate::tape::{Node, NodeId, Recording};

/// Everything that was recorded since the tape's last [`record`](crate::Tape::record): a Wengert list.
///
/// Printed, it is a line a node: number, what it is, inputs, shape, density if it was measured, the line of the program
/// that made it, and for a product which of its parts skipped zeros. [`to_dot`](Graph::to_dot) and
/// [`to_mermaid`](Graph::to_mermaid) draw it.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor};
///
/// let mut params = Params::new();
/// let w = params.add("w", Tensor::from([1.0, -2.0]));
/// let mut tape = Tape::<f64>::new();
/// let r = tape.record(&params);
/// r.param(w).relu().sum();
/// let text = r.measured_graph().to_string();
/// assert!(text.contains("relu"));
/// assert!(text.contains("50.0 %"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub(crate) nodes: Vec<Node>,
    /// The parameters' names, in the parameters' order.
    pub(crate) names: Vec<String>,
    /// The part of each node's elements that is not zero, if that was measured.
    pub(crate) densities: Option<Vec<f64>>,
    /// What is to be said of each node besides; shorter if there is nothing more.
    pub(crate) notes: Vec<String>,
}

impl Graph {
    /// The nodes, in the order in which they were computed.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The part of a node's elements that is not zero, if it was
    /// [measured](crate::Recording::measured_graph); NaN if there are no elements, or they were not kept beyond a
    /// [checkpoint](crate::Recording::checkpoint).
    pub fn density(&self, id: NodeId) -> Option<f64> {
        self.densities.as_ref().and_then(|densities| densities.get(id.index()).copied())
    }
}

impl<T: Real> Recording<'_, T> {
    /// A copy of everything recorded so far, to look at: print it, or draw it.
    pub fn graph(self) -> Graph {
        let record = self.tape.record.borrow();
        let nodes = record.nodes().to_vec();
        let names = self.params.ids().map(|id| self.params.name(id).into()).collect();
        let notes = (0..nodes.len()).map(|i| record.skipping(NodeId(i as u32)).to_string()).collect();
        Graph { nodes, names, densities: None, notes }
    }

    /// The [`graph`](Recording::graph), with the density of every value: the part of its elements that is not zero.
    /// Reads every value once.
    pub fn measured_graph(self) -> Graph {
        let mut graph = self.graph();
        let density = |(i, node)| {
            let at_hand = self.tape.record.borrow().is_at_hand(node);
            if at_hand { self.node(NodeId(i as u32)).density() } else { f64::NAN }
        };
        graph.densities = Some(graph.nodes.iter().enumerate().map(density).collect());
        graph
    }
}
