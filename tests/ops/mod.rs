//! Ops: their derivatives, the laws they keep besides, and what they make of extreme numbers.

mod conv;
pub mod gradcheck;
mod laws;
mod tails;
mod vanishing;
