//! The graph as a picture: text for Graphviz and for Mermaid.

use std::fmt::Write;
use std::path::Path;

use super::Graph;
use crate::tape::{Kind, Node, NodeId};

/// What a node is drawn as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Constant,
    Input,
    Param,
    Op,
    Loss,
}

impl Role {
    /// Graphviz: shape and colour of the box.
    fn dot(self) -> &'static str {
        match self {
            Role::Constant => "shape=box, fillcolor=\"#eeeeee\"",
            Role::Input => "shape=box, fillcolor=\"#d6eaf8\"",
            Role::Param => "shape=cylinder, fillcolor=\"#fdebd0\"",
            Role::Op => "shape=box, style=\"filled,rounded\", fillcolor=\"#ffffff\"",
            Role::Loss => "shape=doubleoctagon, fillcolor=\"#fadbd8\"",
        }
    }

    /// Mermaid: the brackets, whose form is the form of the box.
    fn mermaid(self) -> [&'static str; 2] {
        match self {
            Role::Constant => ["[", "]"],
            Role::Input => ["[/", "/]"],
            Role::Param => ["[(", ")]"],
            Role::Op => ["(", ")"],
            Role::Loss => ["{{", "}}"],
        }
    }
}

impl Graph {
    /// The graph in the language of [Graphviz](https://graphviz.org): `dot -Tsvg`.
    ///
    /// Constants are grey, inputs blue, parameters orange cylinders, ops round, the loss red. A dashed arrow carries
    /// no gradient.
    pub fn to_dot(&self) -> String {
        let mut text = String::from("digraph tape {\n  node [fontname=\"sans-serif\", style=filled];\n");
        self.for_each(escape_dot, "\\n", &mut |number, node, role, label| {
            let _ = writeln!(text, "  n{number} [{}, label=\"{label}\"];", role.dot());
            for input in &node.inputs {
                let style = if self.carries_gradient(*input, node) { "" } else { " [style=dashed]" };
                let _ = writeln!(text, "  n{} -> n{number}{style};", input.index());
            }
        });
        text + "}\n"
    }

    /// The graph as a [Mermaid](https://mermaid.js.org) flowchart, which many Markdown viewers draw.
    ///
    /// Constants stand in boxes, inputs in slanted ones, parameters in cylinders, ops in round boxes, the loss in a
    /// hexagon. A dashed arrow carries no gradient.
    pub fn to_mermaid(&self) -> String {
        let mut text = String::from("flowchart TD\n");
        self.for_each(escape_mermaid, "<br>", &mut |number, node, role, label| {
            let [open, close] = role.mermaid();
            let _ = writeln!(text, "  n{number}{open}\"{label}\"{close}");
            for input in &node.inputs {
                let arrow = if self.carries_gradient(*input, node) { "-->" } else { "-.->" };
                let _ = writeln!(text, "  n{} {arrow} n{number}", input.index());
            }
        });
        text
    }

    /// Calls `draw` with every node, its role, and its label, whose lines are escaped, with `line_end` between them.
    fn for_each(
        &self,
        escape: fn(String) -> String,
        line_end: &str,
        draw: &mut dyn FnMut(usize, &Node, Role, &str),
    ) {
        let mut is_read = vec![false; self.nodes.len()];
        self.nodes.iter().flat_map(|node| &node.inputs).for_each(|input| is_read[input.index()] = true);
        for (number, node) in self.nodes.iter().enumerate() {
            let role = match &node.kind {
                Kind::Constant => Role::Constant,
                Kind::Input => Role::Input,
                Kind::Param(_) => Role::Param,
                Kind::Op(_) if !is_read[number] && node.is_active() && node.shape.elements() == 1 => {
                    Role::Loss
                }
                Kind::Op(_) => Role::Op,
            };
            let mut size = node.shape.to_string();
            if let Some(density) = self.density_text(number) {
                let _ = write!(size, "  {density}");
            }
            let file = Path::new(node.at.file()).file_name().unwrap_or_default().to_string_lossy();
            let at = format!("{file}:{}", node.at.line());
            let lines = [format!("%{number} {}", self.label(node)), size, at];
            draw(number, node, role, &lines.map(escape).join(line_end));
        }
    }

    fn carries_gradient(&self, input: NodeId, to: &Node) -> bool {
        self.nodes[input.index()].is_active() && to.is_active()
    }
}

fn escape_dot(text: String) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// Mermaid reads HTML entities, written with `#` for `&`; `%%` would begin a comment.
fn escape_mermaid(text: String) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '#' | '%' | '&' | '<' | '>' | '`' | '\\' => {
                let _ = write!(escaped, "#{};", c as u32);
            }
            c => escaped.push(c),
        }
    }
    escaped
}
