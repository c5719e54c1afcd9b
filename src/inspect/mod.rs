//! What was recorded, and what it costs: the graph printed and drawn, its nodes, a summary, a table of layers, a profile, a
//! loss taken apart into its terms. Nothing here computes a value or a gradient of its own.

mod draw;
mod graph;
mod layers;
mod print;
mod summary;
pub mod terms;

pub use crate::tape::{Cost, Kind, Node, NodeId, Profile, Skipping};
pub use graph::Graph;
pub use layers::{LayerSummary, Layers};
pub use summary::{OpSummary, Summary};
