//! The search for a penalty's coefficient λ.
//!
//! A [`Search`] holds the trials that were made. Which λ are tried next is the caller's choice: a coarse grid, a finer one
//! around the best, random ones, or a path on which each run begins where the one before it ended. [`Search::findings`] says
//! what the trials show, and what they do not.

mod elbow;
mod file;
mod findings;
mod path;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use quietgrad::Random;

use super::repeat::in_parallel;
use crate::Result;

pub use findings::Finding;

/// What a run with one coefficient came to, on data that it did not learn from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// What the best coefficient makes small: a held-out loss without the penalty, or the share of wrong answers. Not finite
    /// if the run diverged.
    pub loss: f64,
    /// The share of the code that is not zero, from 0 to 1.
    pub density: f64,
}

/// A coefficient and what came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    /// The coefficient.
    pub lambda: f64,
    /// What came of it.
    pub outcome: Outcome,
}

/// Trials of coefficients, in ascending order, none twice.
///
/// ```
/// use quietgrad_lab::train::{Outcome, Search, log_grid};
///
/// // A run takes λ and says what it came to. This one stands for a training run.
/// let run = |lambda: f64| Outcome {
///     loss: (lambda.log10() + 2.7).powi(2) + 0.1,
///     density: 1.0 / (1.0 + 1e3 * lambda),
/// };
/// let mut search = Search::new();
/// search.run(&log_grid(1e-6, 1.0, 7), 2, run)?;
/// assert_eq!(search.best().unwrap().lambda, 1e-3);
/// search.run(&search.around_best(5), 2, run)?; // finer, within the neighbours of the best
/// assert!((search.best().unwrap().lambda.log10() + 2.7).abs() < 0.2);
/// println!("{search}");
/// # Ok::<(), quietgrad_lab::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Search {
    trials: Vec<Trial>,
    keep: Option<Keep>,
}

/// Where trials are kept.
#[derive(Clone, Debug)]
struct Keep {
    path: PathBuf,
    what: String,
}

impl Search {
    /// No trials yet; they are kept in memory alone.
    pub fn new() -> Self {
        Search::default()
    }

    /// The trials that a file holds, or none if there is no such file. Each further trial is written to it as it ends: the
    /// file is replaced as a whole, and a program that was stopped goes on with what is left to try.
    ///
    /// `what` says of what these are the trials (data, model, seed): what is found there under another heading is refused.
    ///
    /// # Errors
    /// If the file cannot be read, or is none of a search, or of another search.
    ///
    /// ```
    /// use quietgrad_lab::train::{Outcome, Search};
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("search.json");
    /// let mut search = Search::resume(&path, "circles, 16 hidden units, seed 1")?;
    /// search.run(&[0.1, 0.2], 1, |lambda| Outcome { loss: lambda, density: 0.5 })?;
    ///
    /// // Another day:
    /// let mut search = Search::resume(&path, "circles, 16 hidden units, seed 1")?;
    /// search.run(&[0.1, 0.2], 1, |_| unreachable!("both have been tried"))?;
    /// assert!(Search::resume(&path, "moons").is_err());
    /// # Ok::<(), quietgrad_lab::Error>(())
    /// ```
    pub fn resume(path: impl AsRef<Path>, what: &str) -> Result<Self> {
        let (path, what) = (path.as_ref().to_owned(), what.to_owned());
        let trials = file::read(&path, &what)?;
        Ok(Search { trials, keep: Some(Keep { path, what }) })
    }

    /// Tries these coefficients, at most `threads` at a time; those that were tried before are left out.
    ///
    /// A run is handed λ and nothing that depends on other runs: what comes of it has the bits of a serial search.
    ///
    /// # Errors
    /// If the file of results cannot be written. Trials that have ended by then are among [`trials`](Self::trials).
    ///
    /// # Panics
    /// If a coefficient is negative or not finite, or a run panics or gives a density outside of 0 to 1.
    #[track_caller]
    pub fn run(
        &mut self,
        lambdas: &[f64],
        threads: usize,
        run: impl Fn(f64) -> Outcome + Sync,
    ) -> Result<()> {
        let left = self.untried(lambdas);
        // Trials end in any order; each is filed under its coefficient, so that the file is that of a serial search.
        let shared = Mutex::new((&mut *self, Ok(())));
        in_parallel(&left, threads, |&lambda| {
            let failed = || shared.lock().unwrap_or_else(PoisonError::into_inner).1.is_err();
            if failed() {
                return;
            }
            let outcome = run(lambda);
            let (search, result) = &mut *shared.lock().unwrap_or_else(PoisonError::into_inner);
            let recorded = search.record(lambda, outcome);
            if result.is_ok() {
                *result = recorded;
            }
        });
        shared.into_inner().unwrap_or_else(PoisonError::into_inner).1
    }

    /// All trials, by ascending coefficient.
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// The trial with the smallest loss, and of equal ones that with the largest coefficient: the sparsest. Trials that
    /// diverged are none.
    pub fn best(&self) -> Option<Trial> {
        let finite = self.trials.iter().rev().filter(|trial| trial.outcome.loss.is_finite());
        finite.min_by(|a, b| a.outcome.loss.total_cmp(&b.outcome.loss)).copied()
    }

    /// `count` coefficients between the neighbours of the best, at equal distances of their logarithms: the finer grid after a
    /// coarse one. Neighbours are those that were tried; a best at the edge has one neighbour, and the grid reaches as far
    /// beyond the edge. Empty if nothing was tried, or 0 is the best.
    ///
    /// The best and its neighbours are left out, since they have been tried.
    pub fn around_best(&self, count: usize) -> Vec<f64> {
        let Some(best) = self.best().filter(|best| best.lambda > 0.0) else { return Vec::new() };
        let positive: Vec<f64> =
            self.trials.iter().map(|trial| trial.lambda).filter(|&lambda| lambda > 0.0).collect();
        let place = positive.partition_point(|&lambda| lambda < best.lambda);
        let (below, above) = (place.checked_sub(1).map(|i| positive[i]), positive.get(place + 1).copied());
        let factor = match (below, above) {
            (None, None) => 10.0,
            (Some(below), _) => best.lambda / below,
            (None, Some(above)) => above / best.lambda,
        };
        let low = below.unwrap_or(best.lambda / factor);
        let high = above.unwrap_or(best.lambda * factor);
        let grid = log_grid(low, high, count + 2);
        grid[1..=count].iter().copied().filter(|&lambda| lambda != best.lambda).collect()
    }

    /// The elbow of the front of density and loss: where less density begins to cost much loss.
    ///
    /// The front are the trials than which no other has both less density and less loss; diverged and dead ones (density 0)
    /// are left out. With density and loss of the front scaled to reach from 0 to 1, it is the trial furthest below the
    /// straight line between the front's ends, the largest 1 − density − loss. `None` if the front has fewer than three
    /// trials or none below the line.
    ///
    /// Source: V. Satopää, J. Albrecht, D. Irwin and B. Raghavan, Finding a "kneedle" in a haystack, 2011, for a falling convex
    /// curve, of points as they are, without smoothing.
    pub fn elbow(&self) -> Option<Trial> {
        elbow::of(&self.trials)
    }

    /// What the trials show: [`Finding`].
    pub fn findings(&self) -> Vec<Finding> {
        findings::of(self)
    }

    /// Those of these coefficients that have not been tried, in their order, each once.
    #[track_caller]
    fn untried(&self, lambdas: &[f64]) -> Vec<f64> {
        let mut left: Vec<f64> = Vec::new();
        for &lambda in lambdas {
            assert!(lambda >= 0.0 && lambda.is_finite(), "search: a coefficient of {lambda}");
            if self.find(lambda).is_err() && !left.contains(&lambda) {
                left.push(lambda);
            }
        }
        left
    }

    /// Where the trial of a coefficient is, or would be.
    fn find(&self, lambda: f64) -> std::result::Result<usize, usize> {
        // 0 and −0 are one coefficient.
        self.trials.binary_search_by(|trial| trial.lambda.partial_cmp(&lambda).expect("finite numbers"))
    }

    fn record(&mut self, lambda: f64, mut outcome: Outcome) -> Result<()> {
        let Outcome { density, .. } = outcome;
        let sensible = (0.0..=1.0).contains(&density) || !outcome.loss.is_finite();
        assert!(sensible, "search: the run with {lambda} gave a density of {density}");
        // A file does not tell one infinity or NaN from another.
        if !outcome.loss.is_finite() || !density.is_finite() {
            outcome = Outcome { loss: f64::NAN, density: f64::NAN };
        }
        if let Err(place) = self.find(lambda) {
            self.trials.insert(place, Trial { lambda, outcome });
        }
        match &self.keep {
            Some(Keep { path, what }) => file::write(path, what, &self.trials),
            None => Ok(()),
        }
    }
}

/// `count` coefficients from `low` to `high`, ends included, at equal distances of their logarithms.
///
/// ```
/// use quietgrad_lab::train::log_grid;
///
/// assert_eq!(log_grid(1e-4, 1e-1, 4), [1e-4, 1e-3, 1e-2, 1e-1]);
/// assert_eq!(log_grid(0.5, 8.0, 1), [2.0], "a single one stands in the middle");
/// ```
///
/// # Panics
/// If `low` is not positive, or above `high`, or `high` is infinite.
#[track_caller]
pub fn log_grid(low: f64, high: f64, count: usize) -> Vec<f64> {
    expect_range(low, high);
    let at = |share: f64| rounded((low.ln() + (high.ln() - low.ln()) * share).exp());
    match count {
        0 => Vec::new(),
        1 => vec![at(0.5)],
        _ => {
            let inner = (1..count - 1).map(|i| at(i as f64 / (count - 1) as f64));
            [low].into_iter().chain(inner).chain([high]).collect()
        }
    }
}

/// `count` coefficients between `low` and `high`, their logarithms uniform: random search.
///
/// Source: J. Bergstra and Y. Bengio, Random search for hyper-parameter optimization, 2012.
///
/// ```
/// use quietgrad_lab::train::log_random;
///
/// let lambdas = log_random(1e-4, 1e-1, 100, 7);
/// assert_eq!(lambdas, log_random(1e-4, 1e-1, 100, 7));
/// assert!((40..60).contains(&lambdas.iter().filter(|&&lambda| lambda < 10f64.powf(-2.5)).count()));
/// ```
///
/// # Panics
/// As [`log_grid`].
#[track_caller]
pub fn log_random(low: f64, high: f64, count: usize, seed: u64) -> Vec<f64> {
    expect_range(low, high);
    let mut random = Random::new(seed);
    (0..count).map(|_| rounded(random.uniform(low.ln(), high.ln()).exp()).clamp(low, high)).collect()
}

#[track_caller]
fn expect_range(low: f64, high: f64) {
    assert!(low > 0.0 && low <= high && high.is_finite(), "coefficients from {low} to {high}");
}

/// To six digits: a coefficient that can be told to others, and that is the same on every machine.
fn rounded(lambda: f64) -> f64 {
    format!("{lambda:.5e}").parse().expect("a number")
}

/// A line for each trial, the best and the elbow marked; then what the trials show.
impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (best, elbow) = (self.best(), self.elbow());
        let is = |one: Option<Trial>, trial: &Trial| one.is_some_and(|one| one.lambda == trial.lambda);
        writeln!(f, "{:>12} {:>12} {:>10}", "lambda", "loss", "density")?;
        for trial in &self.trials {
            let Outcome { loss, density } = trial.outcome;
            write!(f, "{:>12} {loss:>12.6} {density:>10.4}", format!("{:.3e}", trial.lambda))?;
            let marks = [(is(best, trial), " best"), (is(elbow, trial), " elbow")];
            marks.iter().filter(|mark| mark.0).try_for_each(|mark| f.write_str(mark.1))?;
            writeln!(f)?;
        }
        self.findings().iter().try_for_each(|finding| writeln!(f, "{finding}"))
    }
}
