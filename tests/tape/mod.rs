//! The tape: what it skips, computes again, keeps, refuses and reuses.

pub mod chains;
mod checkpoint;
mod graphs;
mod layouts;
mod obligations;
mod stale;
mod zeros;
