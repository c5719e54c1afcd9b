//! How good a model is, in numbers: of classes, of numbers, and of codes.
//!
//! Sums are made in double precision. What grows with the data is gathered batch by batch ([`Confusion`], [`Code`],
//! [`ExplainedVariance`]), so that no set has to be in memory whole.
//!
//! | of | see |
//! | --- | --- |
//! | classes | [`accuracy`], [`Confusion`], [`auc`] |
//! | numbers | [`mse`], [`r2`] |
//! | a code: how sparse, how many units are dead | [`Code`], and of one vector [`hoyer`], [`treves_rolls`], [`gini`] |
//! | a reconstruction | [`ExplainedVariance`] |

mod classes;
mod code;
mod numbers;
mod sparseness;

pub use classes::{Confusion, accuracy, auc};
pub use code::Code;
pub use numbers::{ExplainedVariance, mse, r2};
pub use sparseness::{gini, hoyer, treves_rolls};
