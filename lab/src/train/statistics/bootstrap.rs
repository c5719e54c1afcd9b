//! Intervals by drawing from the values again and again.

use std::fmt;

use quietgrad::Random;

use super::distributions::{normal, normal_quantile};
use super::{expect_finite, mean_of};

/// From where to where something lies, with some confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Whether a number lies in it, ends included.
    pub fn contains(&self, x: f64) -> bool {
        self.low <= x && x <= self.high
    }
}

/// `low to high`
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let digits = f.precision().unwrap_or(4);
        write!(f, "{:.digits$} to {:.digits$}", self.low, self.high)
    }
}

/// How intervals are drawn: with 95 % confidence, 10 000 resamples and seed 0 unless a field says otherwise.
///
/// ```
/// use quietgrad_lab::train::statistics::{Bootstrap, median};
///
/// let values = [1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 9.0];
/// let interval = Bootstrap { confidence: 0.9, ..Bootstrap::default() }.bca(&values, median);
/// assert!(interval.contains(median(&values)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bootstrap {
    /// The confidence, between 0 and 1.
    pub confidence: f64,
    /// How many times as many values are drawn from the values, with replacement.
    pub resamples: usize,
    /// The seed of the draws.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Bootstrap { confidence: 0.95, resamples: 10_000, seed: 0 }
    }
}

/// A 95 % interval for the mean: [`Bootstrap::bca`] with its default settings.
///
/// ```
/// use quietgrad_lab::train::statistics::bootstrap;
///
/// let interval = bootstrap(&[1.0, 2.0, 3.0, 4.0, 5.0]);
/// assert!(interval.low > 1.0 && interval.contains(3.0) && interval.high < 5.0);
/// assert_eq!(bootstrap(&[2.0, 2.0]).low, 2.0);
/// assert_eq!(bootstrap(&[2.0]).high, f64::INFINITY, "of one run nothing is known");
/// ```
///
/// # Panics
/// If there are no values, or one is not finite.
#[track_caller]
pub fn bootstrap(values: &[f64]) -> Interval {
    Bootstrap::default().bca(values, mean_of)
}

impl Bootstrap {
    /// The percentile interval: from the (1 − c)/2 to the (1 + c)/2 quantile of the statistic of the resamples, c the
    /// confidence.
    ///
    /// Of fewer than some ten values it is too narrow: with n values the spread of a mean comes out too small by
    /// √((n − 1)/n). Of one value it is infinite.
    ///
    /// Source: B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3.
    ///
    /// # Panics
    /// If there are no values, or one is not finite, or the confidence is not between 0 and 1, or there are no resamples.
    #[track_caller]
    pub fn percentile(&self, values: &[f64], statistic: impl Fn(&[f64]) -> f64) -> Interval {
        self.expect_sense(values);
        if values.len() == 1 {
            return EVERYTHING;
        }
        let resampled = self.resampled(values, &statistic);
        let tail = (1.0 - self.confidence) / 2.0;
        Interval { low: quantile(&resampled, tail), high: quantile(&resampled, 1.0 - tail) }
    }

    /// The bias-corrected and accelerated interval (BCa): percentiles that are moved for a statistic that is biased or whose
    /// spread depends on its value.
    ///
    /// ```text
    /// z₀ = Φ⁻¹(share of resamples whose statistic is below that of the values; half of those that equal it)
    /// a  = Σ dᵢ³ / (6 (Σ dᵢ²)^(3/2)),  dᵢ = mean of the jackknife values − the one without value i
    /// α  ↦ Φ(z₀ + (z₀ + z_α) / (1 − a (z₀ + z_α)))
    /// ```
    ///
    /// Of one value it is infinite; of equal values, a point.
    ///
    /// Source: B. Efron, Better bootstrap confidence intervals, Journal of the American Statistical Association 82, 1987.
    ///
    /// # Panics
    /// As [`percentile`](Self::percentile).
    #[track_caller]
    pub fn bca(&self, values: &[f64], statistic: impl Fn(&[f64]) -> f64) -> Interval {
        self.expect_sense(values);
        if values.len() == 1 {
            return EVERYTHING;
        }
        let resampled = self.resampled(values, &statistic);
        let found = statistic(values);
        let count = |test: &dyn Fn(f64) -> bool| resampled.iter().filter(|&&x| test(x)).count() as f64;
        let below = count(&|x| x < found) + count(&|x| x == found) / 2.0;
        // Were all resamples on one side, the correction would be infinite: it is held to half a resample.
        let draws = self.resamples as f64;
        let bias = normal_quantile(below.clamp(0.5, draws - 0.5) / draws);
        let acceleration = acceleration(values, &statistic);
        let moved = |tail: f64| {
            let z = bias + normal_quantile(tail);
            quantile(&resampled, normal(bias + z / (1.0 - acceleration * z)))
        };
        let tail = (1.0 - self.confidence) / 2.0;
        Interval { low: moved(tail), high: moved(1.0 - tail) }
    }

    /// The statistic of each resample, sorted.
    fn resampled(&self, values: &[f64], statistic: &impl Fn(&[f64]) -> f64) -> Vec<f64> {
        let mut random = Random::new(self.seed);
        let mut sample = values.to_vec();
        let draw = |_| {
            sample.iter_mut().for_each(|x| *x = values[random.below(values.len())]);
            statistic(&sample)
        };
        let mut all: Vec<f64> = (0..self.resamples).map(draw).collect();
        all.sort_by(f64::total_cmp);
        all
    }

    #[track_caller]
    fn expect_sense(&self, values: &[f64]) {
        expect_finite("bootstrap", values);
        let Bootstrap { confidence, resamples, .. } = *self;
        assert!(confidence > 0.0 && confidence < 1.0, "bootstrap: a confidence of {confidence}");
        assert!(resamples > 0, "bootstrap: no resamples");
    }
}

const EVERYTHING: Interval = Interval { low: f64::NEG_INFINITY, high: f64::INFINITY };

/// a = Σ dᵢ³ / (6 (Σ dᵢ²)^(3/2)); 0 if leaving one value out changes nothing.
fn acceleration(values: &[f64], statistic: &impl Fn(&[f64]) -> f64) -> f64 {
    let without = |left_out: usize| {
        let others = values.iter().enumerate().filter(|(i, _)| *i != left_out);
        statistic(&others.map(|(_, &x)| x).collect::<Vec<_>>())
    };
    let jackknife: Vec<f64> = (0..values.len()).map(without).collect();
    let mean = mean_of(&jackknife);
    let sum = |power: i32| jackknife.iter().map(|x| (mean - x).powi(power)).sum::<f64>();
    let squares = sum(2);
    if squares > 0.0 { sum(3) / (6.0 * squares.powf(1.5)) } else { 0.0 }
}

/// The quantile of sorted values, between two of them by a straight line.
///
/// Source: R. Hyndman and Y. Fan, Sample quantiles in statistical packages, 1996, definition 7.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = sorted[(below + 1).min(sorted.len() - 1)];
    sorted[below] + (above - sorted[below]) * place.fract()
}
