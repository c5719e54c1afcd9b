//! What trials show, and what they do not.

use std::fmt;

use super::{Search, Trial};

/// Densities that differ by less than this share of them are alike.
const ALIKE: f64 = 0.05;

/// Something that a search's trials show. Printed, it is a sentence with advice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Finding {
    /// The best coefficient is the smallest that was tried: less of the penalty may be better still.
    BestIsSmallest(f64),
    /// The best coefficient is the largest that was tried.
    BestIsLargest(f64),
    /// From this coefficient on, a tenfold one and more makes the code no sparser: the penalty is saturated. The density stays
    /// within a twentieth of itself, and is not 0.
    Saturated {
        /// The first such coefficient.
        from: f64,
        /// The density there.
        density: f64,
    },
    /// With this coefficient and all larger ones, the code is zero everywhere: every unit died.
    AllDied {
        /// The first such coefficient.
        from: f64,
    },
    /// The code was zero with every coefficient that was tried.
    NothingLived,
    /// With this many coefficients, this one the smallest of them, a run diverged.
    Diverged {
        /// How many diverged.
        count: usize,
        /// The smallest coefficient of these.
        from: f64,
    },
    /// The elbow: [`Search::elbow`].
    Elbow {
        /// The coefficient.
        lambda: f64,
        /// The density there.
        density: f64,
        /// The loss there.
        loss: f64,
    },
}

pub(super) fn of(search: &Search) -> Vec<Finding> {
    let trials = search.trials();
    let mut found = Vec::new();
    let diverged = |trial: &&Trial| !trial.outcome.loss.is_finite();
    if let Some(first) = trials.iter().find(diverged) {
        let count = trials.iter().filter(diverged).count();
        found.push(Finding::Diverged { count, from: first.lambda });
    }
    let finite: Vec<Trial> = trials.iter().filter(|trial| !diverged(trial)).copied().collect();
    let dead = finite.iter().rev().take_while(|trial| trial.outcome.density == 0.0).count();
    let (alive, dead) = finite.split_at(finite.len() - dead);
    if let Some(first) = dead.first() {
        let all = alive.is_empty();
        found.push(if all { Finding::NothingLived } else { Finding::AllDied { from: first.lambda } });
    }
    found.extend(saturation(alive));
    if let Some(best) = search.best()
        && trials.len() > 1
    {
        let is = |trial: Option<&Trial>| trial.is_some_and(|trial| trial.lambda == best.lambda);
        // Beyond 0 there is nothing to try.
        if is(finite.first()) && best.lambda > 0.0 {
            found.push(Finding::BestIsSmallest(best.lambda));
        }
        if is(finite.last()) {
            found.push(Finding::BestIsLargest(best.lambda));
        }
    }
    found.extend(search.elbow().map(|elbow| Finding::Elbow {
        lambda: elbow.lambda,
        density: elbow.outcome.density,
        loss: elbow.outcome.loss,
    }));
    found
}

/// The longest run of trials up to the last living one whose densities are alike, if it spans a factor of ten or more. Where
/// the penalty changed nothing from the first trial on, it is too small everywhere, and not saturated.
fn saturation(alive: &[Trial]) -> Option<Finding> {
    let last = alive.last()?;
    let alike = |trial: &&Trial| {
        let (a, b) = (trial.outcome.density, last.outcome.density);
        (a - b).abs() <= ALIKE * b
    };
    let count = alive.iter().rev().take_while(alike).count();
    let first = alive[alive.len() - count];
    let saturated = count < alive.len() && last.lambda >= 10.0 * first.lambda * (1.0 - 1e-9);
    saturated.then_some(Finding::Saturated { from: first.lambda, density: first.outcome.density })
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match *self {
            Finding::BestIsSmallest(lambda) => {
                write!(
                    f,
                    "the best coefficient, {lambda:.3e}, is the smallest that was tried: try smaller ones"
                )
            }
            Finding::BestIsLargest(lambda) => {
                write!(
                    f,
                    "the best coefficient, {lambda:.3e}, is the largest that was tried: try larger ones"
                )
            }
            Finding::Saturated { from, density } => write!(
                f,
                "from {from:.3e} on the penalty is saturated: the density stays at {density:.4}, whatever is added"
            ),
            Finding::AllDied { from } => write!(f, "from {from:.3e} on every unit died: the code is zero"),
            Finding::NothingLived => {
                write!(f, "the code was zero with every coefficient: try much smaller ones")
            }
            Finding::Diverged { count, from } => {
                write!(f, "{count} of the runs diverged, the first with {from:.3e}")
            }
            Finding::Elbow { lambda, density, loss } => {
                write!(
                    f,
                    "the elbow of density and loss is at {lambda:.3e}: density {density:.4}, loss {loss:.6}"
                )
            }
        }
    }
}
