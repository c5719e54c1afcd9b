//! The graph as text: a line a node.

use std::fmt;

use super::Graph;
use crate::tape::{Kind, Node, NodeId};

impl Graph {
    /// What a node is, in words: `param "encoder.w"`, `sum [0]`, `scale 0.001`.
    pub fn label(&self, node: &Node) -> String {
        match &node.kind {
            Kind::Param(id) => match self.names.get(id.index()) {
                Some(name) => format!("param {name:?}"),
                None => format!("param {}", id.index()),
            },
            Kind::Op(op) => format!("{} {}", op.name(), op.arguments()).trim_end().into(),
            Kind::Constant | Kind::Input => node.name().into(),
        }
    }

    /// The node's density, if it was measured.
    pub(super) fn density_text(&self, number: usize) -> Option<String> {
        let density = self.density(NodeId(number as u32))?;
        Some(if density.is_nan() { "empty".into() } else { format!("{:.1} %", 100.0 * density) })
    }
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let rows: Vec<[String; 5]> =
            self.nodes.iter().enumerate().map(|(i, node)| self.row(i, node)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let [number, label, inputs, shape, density] = [0, 1, 2, 3, 4].map(width);
        let notes = self.notes.iter().map(String::as_str).chain(std::iter::repeat(""));
        for ((row, node), note) in rows.iter().zip(&self.nodes).zip(notes) {
            let [a, b, c, d, e] = row;
            write!(f, "{a:>number$} = {b:label$}  {c:inputs$}  {d:shape$}")?;
            if self.densities.is_some() {
                write!(f, "  {e:>density$}")?;
            }
            write!(f, "  {}:{}", node.at.file(), node.at.line())?;
            writeln!(f, "{}{note}", if note.is_empty() { "" } else { "  " })?;
        }
        Ok(())
    }
}

impl Graph {
    fn row(&self, number: usize, node: &Node) -> [String; 5] {
        let inputs: Vec<String> = node.inputs.iter().map(NodeId::to_string).collect();
        let density = self.density_text(number).unwrap_or_default();
        [format!("%{number}"), self.label(node), inputs.join(" "), node.shape.to_string(), density]
    }
}
