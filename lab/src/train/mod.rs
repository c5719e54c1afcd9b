//! Training around the loop that stays the user's own: runs over seeds, and what may be said of them.
//!
//! | for | see |
//! | --- | --- |
//! | one run for each seed, on several threads | [`repeat`] |
//! | mean, deviation, bootstrap intervals, paired tests | [`statistics`] |

mod repeat;
pub mod statistics;

pub use repeat::{in_parallel, repeat};
