//! What was recorded, and what it costs: the graph printed and drawn, a summary, a loss taken apart into its terms.
//! Nothing here computes a value or a gradient of its own.

mod draw;
mod graph;
mod print;
mod summary;
pub mod terms;

pub use graph::Graph;
pub use summary::{OpSummary, Summary};
