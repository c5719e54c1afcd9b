//! Whether one method is better than another, by runs that differ in the method alone.

use std::fmt;

use quietgrad::Random;

use super::bootstrap::{Interval, bootstrap};
use super::distributions::student_two_sided;
use super::{deviation_of, expect_finite, mean_of};

/// Up to so many pairs, all signs are tried.
const EXACT: usize = 16;

/// How many signs are drawn for more pairs.
const DRAWS: usize = 100_000;

/// Two methods compared by pairs of runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// The number of pairs.
    pub count: usize,
    /// The mean of the differences, first minus second.
    pub mean: f64,
    /// The standard deviation of the differences, with the divisor n − 1.
    pub deviation: f64,
    /// A 95 % interval for the mean of the differences: [`bootstrap`](super::bootstrap).
    pub interval: Interval,
    /// In how many pairs the first is larger.
    pub larger: usize,
    /// In how many pairs the first is smaller.
    pub smaller: usize,
    /// How often signs given to the differences at random make a mean as far from 0 as this one, on either side.
    pub p_sign_flip: f64,
    /// Student's t of the differences.
    pub t: f64,
    /// How often normal differences around 0 would have a t as far from 0 as this one, on either side.
    pub p_t: f64,
}

/// Compares two methods by runs in pairs: the first and the second with one seed, on one fold, from one start.
///
/// What the pairs have in common, as an easy fold, leaves the differences dᵢ = xᵢ − yᵢ, which is why fewer runs suffice than
/// for two heaps of numbers. Two tests of the hypothesis that the methods are alike, both two-sided:
///
/// - *sign flips*: were they alike, each dᵢ could as well have had the other sign. p is the share of all 2ⁿ choices of signs
///   whose |Σ ±dᵢ| is at least |Σ dᵢ|. Nothing else is assumed; the smallest p is 2/2ⁿ, so that five pairs can never be
///   below 0.05. Of more than 16 pairs 100 000 choices are drawn, with a fixed seed, and p = (1 + how many) / 100 001.
/// - *Student's*: t = d̄ / (s/√n) with n − 1 degrees of freedom, for differences that are about normal.
///
/// Sources: R. A. Fisher, The Design of Experiments, 1935, section 21; B. Phipson and G. Smyth, Permutation p-values should
/// never be zero, 2010; Student, The probable error of a mean, 1908.
///
/// ```
/// use quietgrad_lab::train::statistics::paired;
///
/// let test = paired(&[3.0, 5.0, 4.0, 6.0, 5.0, 7.0], &[2.0, 4.0, 3.5, 5.0, 4.5, 5.0]);
/// assert_eq!((test.mean, test.larger), (1.0, 6));
/// assert_eq!(test.p_sign_flip, 2.0 / 64.0);
/// assert!(test.p_t < 0.01);
/// ```
///
/// If all differences are 0, both p are 1. Of one pair t and its p are NaN.
///
/// # Panics
/// If there are no values, or not as many of both, or one is not finite.
#[track_caller]
pub fn paired(first: &[f64], second: &[f64]) -> Paired {
    let (ones, others) = (first.len(), second.len());
    assert!(ones == others, "paired: {ones} values cannot be paired with {others}");
    expect_finite("paired: the first", first);
    expect_finite("paired: the second", second);
    let differences: Vec<f64> = first.iter().zip(second).map(|(x, y)| x - y).collect();
    let (mean, deviation) = (mean_of(&differences), deviation_of(&differences));
    let alike = differences.iter().all(|&d| d == 0.0);
    let t = if alike { 0.0 } else { mean / (deviation / (ones as f64).sqrt()) };
    Paired {
        count: ones,
        mean,
        deviation,
        interval: bootstrap(&differences),
        larger: differences.iter().filter(|&&d| d > 0.0).count(),
        smaller: differences.iter().filter(|&&d| d < 0.0).count(),
        p_sign_flip: sign_flips(&differences),
        t,
        p_t: if t.is_nan() || ones == 1 { f64::NAN } else { student_two_sided(t, ones - 1) },
    }
}

/// The share of signs whose |Σ ±dᵢ| is at least |Σ dᵢ|.
fn sign_flips(differences: &[f64]) -> f64 {
    let count = differences.len();
    let size: f64 = differences.iter().map(|d| d.abs()).sum();
    // Sums that are equal but for rounding, as those of differences of accuracies, count as equal.
    let least = differences.iter().sum::<f64>().abs() - 1e-12 * size;
    let sum = |signs: &dyn Fn(usize) -> bool| {
        let signed = differences.iter().enumerate().map(|(i, d)| if signs(i) { -d } else { *d });
        signed.sum::<f64>().abs()
    };
    if count <= EXACT {
        let all = 1usize << count;
        let far = (0..all).filter(|signs| sum(&|i| signs >> i & 1 == 1) >= least).count();
        return far as f64 / all as f64;
    }
    let mut random = Random::new(0);
    let mut signs = vec![false; count];
    let draw = |_: &usize| {
        signs.iter_mut().for_each(|sign| *sign = random.bits() >> 63 == 1);
        sum(&|i| signs[i]) >= least
    };
    (1 + (0..DRAWS).filter(draw).count()) as f64 / (DRAWS + 1) as f64
}

impl fmt::Display for Paired {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Paired { count, mean, interval, larger, smaller, p_sign_flip, p_t, .. } = self;
        let digits = f.precision().unwrap_or(4);
        write!(
            f,
            "difference {mean:.digits$} (95 % {interval:.digits$}), larger in {larger} and smaller in {smaller} of {count} \
             pairs, p = {p_sign_flip:.4} by sign flips, {p_t:.4} by Student's t"
        )
    }
}
