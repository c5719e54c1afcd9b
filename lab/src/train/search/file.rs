//! Trials in a file: JSON, with the version that wrote it.

use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Outcome, Trial};
use crate::files::replace;
use crate::{Error, Place, Result};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    /// The version of this crate that wrote the file.
    quietgrad: String,
    /// Of what these are the trials.
    what: String,
    trials: Vec<Row>,
}

/// JSON has no NaN: of a run that diverged, the numbers are `null`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    lambda: f64,
    loss: Option<f64>,
    density: Option<f64>,
}

/// The trials of a file; none if it does not exist.
pub(super) fn read(path: &Path, what: &str) -> Result<Vec<Trial>> {
    let text = match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io(path, error)),
        Ok(text) => text,
    };
    let fail = |text: String| Error::new(path, Place::File, text);
    let contents: Contents = serde_json::from_slice(&text)
        .map_err(|error| fail(format!("expected a search's trials: {error}")))?;
    if contents.what != what {
        return Err(fail(format!("these are the trials of {:?}, not of {what:?}", contents.what)));
    }
    let ascending = contents.trials.windows(2).all(|pair| pair[0].lambda < pair[1].lambda);
    let sensible = |row: &Row| {
        row.lambda >= 0.0
            && row.lambda.is_finite()
            && row.loss.is_some() == row.density.is_some()
            && row.density.is_none_or(|density| (0.0..=1.0).contains(&density))
    };
    if !ascending || !contents.trials.iter().all(sensible) {
        return Err(fail("expected ascending coefficients, and densities from 0 to 1".into()));
    }
    let trial = |row: Row| Trial {
        lambda: row.lambda,
        outcome: Outcome { loss: row.loss.unwrap_or(f64::NAN), density: row.density.unwrap_or(f64::NAN) },
    };
    Ok(contents.trials.into_iter().map(trial).collect())
}

pub(super) fn write(path: &Path, what: &str, trials: &[Trial]) -> Result<()> {
    let number = |x: f64| x.is_finite().then_some(x);
    let row = |trial: &Trial| Row {
        lambda: trial.lambda,
        loss: number(trial.outcome.loss),
        density: number(trial.outcome.density),
    };
    let contents = Contents {
        quietgrad: env!("CARGO_PKG_VERSION").into(),
        what: what.into(),
        trials: trials.iter().map(row).collect(),
    };
    replace(path, |file| Ok(serde_json::to_writer_pretty(file, &contents)?))
}
