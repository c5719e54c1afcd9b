//! Penalties, losses and layers use only the public API: here their files are compiled once more, outside the crate.
//! If one of them reaches for something private, this file does not compile.

#![allow(dead_code, unused_imports, missing_docs)]

mod element {
    pub use quietgrad::Element;
}
mod tape {
    pub use quietgrad::{Cotangents, Indices, Obligation, Operand, Recording, Var};
}
mod ops {
    pub use quietgrad::ops::*;
}
mod params {
    pub use quietgrad::{Grads, ParamId, Params};
}
mod pointwise {
    pub use quietgrad::pointwise::*;
}
mod random {
    pub use quietgrad::Random;
}
mod state {
    pub use quietgrad::{State, StateError};
}
mod tensor {
    pub use quietgrad::{Axes, AxisList, Shape, ShapeError, Tensor};
}

#[path = "../src/loss/mod.rs"]
mod loss;
#[path = "../src/nn/mod.rs"]
mod nn;
#[path = "../src/reg/mod.rs"]
mod reg;

#[test]
fn the_copies_compute_what_the_originals_do() {
    let (mut tape, params) = (quietgrad::Tape::<f64>::new(), quietgrad::Params::new());
    let r = tape.record(&params);
    let h = r.constant(&quietgrad::Tensor::from([[1.0, -2.0], [0.5, 0.0]]));
    assert_eq!(reg::l1(h).per_sample().item(), quietgrad::reg::l1(h).per_sample().item());
    assert_eq!(loss::mse(h, h).item(), 0.0);
}
