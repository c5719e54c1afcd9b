//! The normal and Student's distribution.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_PI_2};

use quietgrad::Element;

/// Φ(x) = (1 + erf(x/√2)) / 2, without cancellation in the lower tail.
pub(super) fn normal(x: f64) -> f64 {
    let z = x.abs() * FRAC_1_SQRT_2;
    let tail = z.erfcx() * z.gauss() / 2.0;
    if x < 0.0 { tail } else { 1.0 - tail }
}

/// Φ⁻¹(p), to the last bits, for p between 0 and 1: by halving the stretch in which it lies.
pub(super) fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-40f64, 40f64);
    // 80 / 2⁶⁰ is below the distance of two numbers around 1.
    for _ in 0..60 {
        let middle = low.midpoint(high);
        if normal(middle) < p { low = middle } else { high = middle }
    }
    low.midpoint(high)
}

/// The probability that |T| > |t| for Student's distribution with `n` degrees of freedom, to 1e-15.
///
/// With θ = arctan(|t|/√n), and the products of the fractions before it as the factor of each term:
///
/// ```text
/// P(|T| ≤ |t|) = sin θ (1 + 1/2 cos² θ + 1/2 · 3/4 cos⁴ θ + … up to cosⁿ⁻² θ)                 for even n
///              = 2/π (θ + sin θ (cos θ + 2/3 cos³ θ + 2/3 · 4/5 cos⁵ θ + … up to cosⁿ⁻² θ))   for odd n
/// ```
///
/// Source: M. Abramowitz and I. Stegun, Handbook of Mathematical Functions, 1964, 26.7.3 and 26.7.4.
pub(super) fn student_two_sided(t: f64, n: usize) -> f64 {
    let angle = (t.abs() / (n as f64).sqrt()).atan();
    let (sin, cos) = angle.sin_cos();
    let odd = n % 2 == 1;
    // The first term, and the numerator of the first fraction.
    let (mut term, mut top) = if odd { (cos, 2) } else { (1.0, 1) };
    let mut sum = 0.0;
    for _ in 0..n / 2 {
        sum += term;
        term *= cos * cos * f64::from(top) / f64::from(top + 1);
        top += 2;
    }
    let inside = if odd { (angle + sin * sum) / FRAC_PI_2 } else { sin * sum };
    (1.0 - inside).clamp(0.0, 1.0)
}
