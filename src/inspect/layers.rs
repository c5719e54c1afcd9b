//! A model as a table: its layers, what they give, how many parameters they have, what they cost.

use std::fmt;

use super::summary::flops;
use crate::ops::Real;
use crate::tape::{Kind, Node, NodeId, Recording};
use crate::tensor::Shape;
use crate::text::Table;

/// A layer: everything in a recording that reads the parameters whose names begin alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerSummary {
    /// What stands before the last dot of its parameters' names.
    pub name: String,
    /// What the last op gives that reads its parameters; \[\] if none does.
    pub output: Shape,
    /// How many numbers its parameters are. What is tied to another layer's is counted there.
    pub parameters: usize,
    /// How many of those are frozen.
    pub frozen: usize,
    /// Floating-point operations forward, of the ops that read its parameters.
    pub forward_flops: u64,
    /// Floating-point operations backward, of the same ops: none for the gradient of what is frozen.
    pub backward_flops: u64,
}

/// The layers of a recording, in the order of their parameters. Printed, it is a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layers {
    /// One for each layer.
    pub layers: Vec<LayerSummary>,
    /// Operations, forward and backward, of the ops that read no parameter: activation functions, losses, penalties.
    pub others: [u64; 2],
}

impl<T: Real> Recording<'_, T> {
    /// The model layer by layer: output shapes, parameters and operations. A layer is known by its parameters' names,
    /// `layer.w` and `layer.b`; operations are counted as in the [`summary`](Recording::summary).
    ///
    /// ```
    /// use quietgrad::{Params, Random, Tape, Tensor, nn::{Dense, Init}};
    ///
    /// let mut params = Params::<f32>::new();
    /// let hidden = Dense::new(&mut params, "hidden", [3, 8], Init::HeNormal, &mut Random::new(1));
    /// let output = Dense::new(&mut params, "output", [8, 2], Init::HeNormal, &mut Random::new(2));
    /// params.freeze_layer("hidden");
    /// let mut tape = Tape::new();
    /// let r = tape.record(&params);
    /// output.forward(hidden.forward(r.constant(&Tensor::zeros([5, 3]))).relu());
    ///
    /// let table = r.layers();
    /// assert_eq!((table.layers[0].parameters, table.layers[0].frozen), (32, 32));
    /// assert_eq!(table.layers[0].backward_flops, 0);
    /// assert_eq!(table.layers[1].output[..], [5, 2]);
    /// assert_eq!(table.layers[1].forward_flops, 2 * 5 * 8 * 2);
    /// println!("{table}");
    /// ```
    pub fn layers(self) -> Layers {
        let (record, params) = (self.tape.record.borrow(), self.params());
        let layer_of = |name: &str| name.rsplit_once('.').map_or(name, |(layer, _)| layer).to_owned();
        let mut layers: Vec<LayerSummary> = Vec::new();
        for id in params.ids() {
            let name = layer_of(params.name(id));
            let place = layers.iter().position(|layer| layer.name == name).unwrap_or_else(|| {
                let (output, parameters) = (Shape::from([0; 0]), 0);
                layers.push(LayerSummary {
                    name,
                    output,
                    parameters,
                    frozen: 0,
                    forward_flops: 0,
                    backward_flops: 0,
                });
                layers.len() - 1
            });
            let count = params.get(id).len();
            layers[place].parameters += count;
            layers[place].frozen += if params.is_frozen(id) { count } else { 0 };
        }
        let nodes = record.nodes();
        let param_of = |id: &NodeId| parameter(nodes, *id).map(|id| layer_of(params.name(id)));
        let mut others = [0; 2];
        for (i, node) in nodes.iter().enumerate() {
            let Kind::Op(_) = node.kind else { continue };
            let [forward, backward, _] = flops(nodes, node, record.skipping(NodeId(i as u32)));
            let layer = if node.aliases { None } else { node.inputs.iter().find_map(param_of) };
            match layer.and_then(|name| layers.iter_mut().find(|layer| layer.name == name)) {
                Some(layer) => {
                    layer.output = node.shape.clone();
                    layer.forward_flops += forward;
                    layer.backward_flops += backward;
                }
                None => {
                    others[0] += forward;
                    others[1] += backward;
                }
            }
        }
        Layers { layers, others }
    }
}

/// The parameter that a node is, or is another view of.
fn parameter(nodes: &[Node], id: NodeId) -> Option<crate::params::ParamId> {
    let node = &nodes[id.index()];
    match node.kind {
        Kind::Param(id) => Some(id),
        Kind::Op(_) if node.aliases => parameter(nodes, node.inputs[0]),
        _ => None,
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let head = ["layer", "output", "parameters", "frozen", "forward flops", "backward flops"];
        let mut table = Table::new(head);
        let mut all = [0; 4];
        for layer in &self.layers {
            let LayerSummary { name, output, parameters, frozen, forward_flops, backward_flops } = layer;
            let numbers = [*parameters as u64, *frozen as u64, *forward_flops, *backward_flops];
            all.iter_mut().zip(numbers).for_each(|(all, number)| *all += number);
            let [a, b, c, d] = numbers.map(|number| number.to_string());
            table.row([name.clone(), output.to_string(), a, b, c, d]);
        }
        let none = String::new;
        let [forward, backward] = self.others;
        table.row(["(others)".into(), none(), none(), none(), forward.to_string(), backward.to_string()]);
        let [a, b, c, d] =
            [all[0], all[1], all[2] + forward, all[3] + backward].map(|number| number.to_string());
        table.row(["all".into(), none(), a, b, c, d]);
        write!(f, "{table}")
    }
}
