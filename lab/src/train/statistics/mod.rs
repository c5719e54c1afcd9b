//! What may be said of numbers from several runs: how large, how sure, and whether one method is better than another.
//!
//! ```
//! use quietgrad_lab::train::statistics::{mean, paired, summarize};
//!
//! // Held-out accuracy of two methods, each with the seeds 0 to 7.
//! let quiet = [0.91, 0.93, 0.92, 0.94, 0.92, 0.93, 0.91, 0.95];
//! let plain = [0.90, 0.92, 0.92, 0.91, 0.91, 0.92, 0.90, 0.92];
//! println!("{}", summarize(&quiet));
//! let test = paired(&quiet, &plain);
//! assert!((test.mean - (mean(&quiet) - mean(&plain))).abs() < 1e-12);
//! assert!(test.interval.low > 0.0 && test.p_sign_flip < 0.05);
//! println!("{test}");
//! ```

mod bootstrap;
mod distributions;
mod paired;

pub use bootstrap::{Bootstrap, Interval, bootstrap};
pub use paired::{Paired, paired};

use std::fmt;

/// The mean x̄ = Σ xᵢ / n.
///
/// # Panics
/// If there are no values, or one is not finite: a run that diverged has no place in a mean.
#[track_caller]
pub fn mean(values: &[f64]) -> f64 {
    expect_finite("mean", values);
    mean_of(values)
}

/// The standard deviation s = √(Σ (xᵢ − x̄)² / (n − 1)): of the runs that could have been made, not of these alone.
///
/// Of one value it is NaN: nothing is known.
///
/// ```
/// use quietgrad_lab::train::statistics::deviation;
///
/// assert_eq!(deviation(&[1.0, 3.0]), 2f64.sqrt());
/// assert!(deviation(&[1.0]).is_nan());
/// ```
///
/// # Panics
/// As [`mean`].
#[track_caller]
pub fn deviation(values: &[f64]) -> f64 {
    expect_finite("deviation", values);
    deviation_of(values)
}

/// The middle value, or the mean of the two in the middle.
///
/// # Panics
/// As [`mean`].
#[track_caller]
pub fn median(values: &[f64]) -> f64 {
    expect_finite("median", values);
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    bootstrap::quantile(&sorted, 0.5)
}

/// Values of several runs in a few numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// How many there are.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, with the divisor n − 1.
    pub deviation: f64,
    /// A 95 % interval for the mean: [`bootstrap`].
    pub interval: Interval,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

/// Mean, deviation, interval and extremes of several runs.
///
/// ```
/// use quietgrad_lab::train::statistics::summarize;
///
/// let text = summarize(&[0.91, 0.93, 0.92, 0.94]).to_string();
/// assert!(text.starts_with("0.9250 ± 0.0129"), "{text}");
/// ```
///
/// # Panics
/// As [`mean`].
#[track_caller]
pub fn summarize(values: &[f64]) -> Summary {
    expect_finite("summarize", values);
    Summary {
        count: values.len(),
        mean: mean_of(values),
        deviation: deviation_of(values),
        interval: bootstrap(values),
        least: values.iter().copied().fold(f64::INFINITY, f64::min),
        most: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    }
}

/// `mean ± deviation (95 % low to high, n runs)`
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Summary { count, mean, deviation, interval, .. } = self;
        let digits = f.precision().unwrap_or(4);
        write!(f, "{mean:.digits$} ± {deviation:.digits$} (95 % {interval:.digits$}, {count} runs)")
    }
}

fn mean_of(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation_of(values: &[f64]) -> f64 {
    let mean = mean_of(values);
    // 0 / 0 for one value
    (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64).sqrt()
}

#[track_caller]
fn expect_finite(what: &str, values: &[f64]) {
    assert!(!values.is_empty(), "{what}: no values");
    if let Some(number) = values.iter().position(|x| !x.is_finite()) {
        panic!("{what}: value {number} of {} is {}", values.len(), values[number]);
    }
}
