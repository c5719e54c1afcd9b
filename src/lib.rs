//! quietgrad
#![deny(unsafe_code)]
#![warn(missing_docs)]

mod backward;
mod cotangents;
pub mod derivatives;
mod dual;
mod element;
pub mod gradcheck;
mod graph;
pub mod kernels;
pub mod loss;
pub mod nn;
pub mod ops;
pub mod optim;
mod params;
pub mod pointwise;
mod profile;
mod random;
mod record;
pub mod reg;
pub mod scalar;
mod shape;
mod sparsity;
mod summary;
mod table;
mod tape;
mod tensor;
pub mod terms;
mod var;
mod watch;

pub use cotangents::Cotangents;
pub use dual::Dual;
pub use element::{Accum, Element, Epilogue, Mat, MatMut};
pub use graph::{Graph, Kind, Node, NodeId};
pub use kernels::{set_threads, threads};
pub use ops::{Real, Reduction};
pub use params::{Grads, ParamId, Params};
pub use profile::{Cost, Profile};
pub use random::Random;
pub use shape::{Axes, Shape, ShapeError};
pub use sparsity::Demand;
pub use summary::{OpSummary, Summary};
pub use tape::{Recording, Tape};
pub use tensor::{Tensor, View, ViewMut};
pub use var::{Indices, Var};

/// The README and the pages of the book, so that `cargo test` runs their snippets.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../README.md")]
    mod readme {}

    #[doc = include_str!("../docs/scalar.md")]
    mod scalar {}

    #[doc = include_str!("../docs/math.md")]
    mod math {}

    #[doc = include_str!("../docs/numerics.md")]
    mod numerics {}

    #[doc = include_str!("../docs/seeing.md")]
    mod seeing {}
}
