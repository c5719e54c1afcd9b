//! Layers, and the losses on top of them.

mod edges;
mod layers;
mod recurrent;
