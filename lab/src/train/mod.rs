//! Training around the loop that stays the user's own: its book-keeping, runs over coefficients and seeds, and what may be said
//! of them.
//!
//! | for | see |
//! | --- | --- |
//! | epochs, early stopping, progress | [`Fit`] |
//! | going on after a stop, with the same bits | [`Checkpoint`] |
//! | how good a model is, how sparse a code | [`metrics`] |
//! | a penalty's coefficient | [`Search`] |
//! | one run for each seed, on several threads | [`repeat`] |
//! | mean, deviation, bootstrap intervals, paired tests | [`statistics`] |

mod checkpoint;
mod fit;
pub mod metrics;
mod progress;
mod repeat;
mod search;
pub mod statistics;

pub use checkpoint::{Checkpoint, Saved};
pub use fit::{Epoch, Fit, FitError, Report};
pub use repeat::{in_parallel, repeat};
pub use search::{Finding, Outcome, Search, Trial, log_grid, log_random};
