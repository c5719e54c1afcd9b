//! What a recording costs: nodes, memory, arithmetic.

use std::fmt;

use crate::ops::Real;
use crate::tape::{Kind, Node, NodeId, Recording, Skipping};
use crate::text::Table;

/// All ops of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpSummary {
    /// The op's name.
    pub name: &'static str,
    /// How many nodes it made.
    pub nodes: usize,
    /// Floating-point operations for their values.
    pub forward_flops: u64,
    /// Floating-point operations for the cotangents that somebody wants.
    pub backward_flops: u64,
    /// Of all those, the ones that were not done, because a factor was known to be zero, or in a screened layer the sum.
    /// Backward they are counted after the sweep.
    pub skipped_flops: u64,
}

/// What a recording costs. Printed, it is a table.
///
/// Operations are counted as for dense tensors: a multiplication and an addition are two, an elementwise function of any
/// kind is one, a reshape or another view of the same memory is none. What products skipped of them is a column of its
/// own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many nodes were recorded, leaves among them.
    pub nodes: usize,
    /// How many numbers the parameters are.
    pub parameters: usize,
    /// Bytes of the values on the tape. Parameters are not copied there.
    pub value_bytes: usize,
    /// Bytes that a sweep needs for cotangents. The gradients of parameters are the caller's.
    pub cotangent_bytes: usize,
    /// The ops by kind, the dearest first.
    pub ops: Vec<OpSummary>,
}

impl Summary {
    /// Floating-point operations for all values.
    pub fn forward_flops(&self) -> u64 {
        self.ops.iter().map(|op| op.forward_flops).sum()
    }

    /// Floating-point operations of a sweep that reaches every node.
    pub fn backward_flops(&self) -> u64 {
        self.ops.iter().map(|op| op.backward_flops).sum()
    }

    /// Floating-point operations that were not done, because a factor was known to be zero, or in a screened layer the sum:
    /// as far as the recording has come, so that those of a sweep are counted after it.
    pub fn skipped_flops(&self) -> u64 {
        self.ops.iter().map(|op| op.skipped_flops).sum()
    }
}

impl<T: Real> Recording<'_, T> {
    /// What everything recorded so far costs: nodes, memory, arithmetic.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let mut params = Params::new();
    /// let w = params.add("w", Tensor::<f32>::zeros([3, 4]));
    /// let mut tape = Tape::new();
    /// let r = tape.record(&params);
    /// r.constant(&Tensor::zeros([2, 3])).matmul(r.param(w)).sum();
    ///
    /// let summary = r.summary();
    /// assert_eq!(summary.nodes, 4);
    /// assert_eq!(summary.ops[0].forward_flops, 2 * 2 * 3 * 4); // matmul
    /// println!("{summary}");
    /// ```
    pub fn summary(self) -> Summary {
        let record = self.tape.record.borrow();
        let nodes = record.nodes();
        let mut ops: Vec<OpSummary> = Vec::new();
        let operations = nodes.iter().enumerate().filter(|(_, node)| matches!(node.kind, Kind::Op(_)));
        for (i, node) in operations {
            let name = node.name();
            let known = ops.iter().position(|op| op.name == name).unwrap_or(ops.len());
            if known == ops.len() {
                ops.push(OpSummary { name, nodes: 0, forward_flops: 0, backward_flops: 0, skipped_flops: 0 });
            }
            let op = &mut ops[known];
            let skipping = record.skipping(NodeId(i as u32));
            let [forward, backward, skipped] = flops(nodes, node, skipping);
            op.nodes += 1;
            op.forward_flops += forward;
            op.backward_flops += backward;
            op.skipped_flops += skipped;
        }
        let work = |op: &OpSummary| op.forward_flops + op.backward_flops;
        ops.sort_by(|a, b| (work(b), a.name).cmp(&(work(a), b.name)));
        let [values, cotangents] = record.taken(None).map(|[outside, inside]| outside + inside);
        Summary {
            nodes: nodes.len(),
            parameters: self.params.len(),
            value_bytes: values * size_of::<T>(),
            cotangent_bytes: cotangents * size_of::<T>(),
            ops,
        }
    }
}

/// Operations of a node, forward and backward, and those among them that were skipped.
pub(super) fn flops(nodes: &[Node], node: &Node, skipping: Skipping) -> [u64; 3] {
    let Kind::Op(op) = &node.kind else { return [0; 3] };
    let input = |id: &NodeId| &nodes[id.index()];
    let shapes: Vec<&[usize]> = node.inputs.iter().map(|id| &input(id).shape[..]).collect();
    let skipped = |flops: u64, density: Option<f64>| density.map_or(0.0, |d| flops as f64 * (1.0 - d)) as u64;
    let forward = if node.aliases { 0 } else { op.flops(&shapes, &node.shape) };
    let mut all = [forward, 0, skipped(forward, skipping.forward.or(skipping.screened))];
    for k in (0..shapes.len()).filter(|&k| node.is_active() && input(&node.inputs[k]).is_active()) {
        let flops = op.vjp_flops(k, &shapes, &node.shape);
        all[1] += flops;
        all[2] += skipped(flops, skipping.backward(k));
    }
    all
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Summary { nodes, parameters, value_bytes, cotangent_bytes, .. } = self;
        writeln!(f, "{nodes} nodes, {parameters} parameters")?;
        writeln!(f, "{value_bytes} bytes of values, {cotangent_bytes} bytes of cotangents")?;
        writeln!(f)?;
        let mut table = Table::new(["op", "nodes", "forward flops", "backward flops", "skipped"]);
        let all = OpSummary {
            name: "all",
            nodes: self.ops.iter().map(|op| op.nodes).sum(),
            forward_flops: self.forward_flops(),
            backward_flops: self.backward_flops(),
            skipped_flops: self.skipped_flops(),
        };
        for op in self.ops.iter().chain([&all]) {
            let numbers = [op.nodes as u64, op.forward_flops, op.backward_flops, op.skipped_flops];
            let [nodes, forward, backward, skipped] = numbers.map(|n| n.to_string());
            table.row([op.name.into(), nodes, forward, backward, skipped]);
        }
        write!(f, "{table}")
    }
}
