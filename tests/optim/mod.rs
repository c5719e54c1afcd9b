//! Optimizers: their steps, their minima, their settings and their states.

pub mod optimizers;
mod resume;
mod settings;
mod tiny;
mod update;
