//! What a fit tells: what came of an epoch, and why it cannot go on.

use std::fmt;

/// What came of an epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// Its number, from 0.
    pub epoch: u64,
    /// The number of its steps.
    pub steps: u64,
    /// The mean of the losses of its steps, each with the parameters of its time. A short batch counts as a whole one.
    pub loss: f64,
    /// The held-out loss, if one was told.
    pub held_out: Option<f64>,
}

/// Why a fit cannot go on.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum FitError {
    /// An epoch ended without a step: nothing was learned, and nothing would have been said.
    NoStep {
        /// The epoch.
        epoch: u64,
    },
    /// A loss is NaN or infinite: from such a step on, all parameters may be.
    NotFinite {
        /// The epoch.
        epoch: u64,
        /// The step of that epoch, from 0; `None` for a held-out loss.
        step: Option<u64>,
        /// The loss.
        loss: f64,
    },
    /// There is patience, and no held-out loss was told: training would never stop early.
    NoHeldOut {
        /// The epoch.
        epoch: u64,
    },
}

impl fmt::Display for FitError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            FitError::NoStep { epoch } => {
                write!(f, "epoch {epoch} ended without a step: are there any batches?")
            }
            FitError::NotFinite { epoch, step: Some(step), loss } => {
                write!(f, "the loss of step {step} of epoch {epoch} is {loss}")
            }
            FitError::NotFinite { epoch, step: None, loss } => {
                write!(f, "the held-out loss of epoch {epoch} is {loss}")
            }
            FitError::NoHeldOut { epoch } => {
                write!(f, "there is patience, but no held-out loss was told in epoch {epoch}")
            }
        }
    }
}

impl std::error::Error for FitError {}
