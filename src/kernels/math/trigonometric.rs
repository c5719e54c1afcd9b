//! Sine and cosine of `f64`. The [module above](super) says how accurate they are and why they look like this.

use std::f64::consts::FRAC_2_PI;

use super::double::{ROUND_TO_INTEGER, polynomial};

/// Up to this size [`sin`] and [`cos`] reduce their argument by themselves.
const REDUCED_UP_TO: f64 = 1_048_576.0;

/// x = n π/2 + hi + lo with |hi| ≤ π/4, for |x| ≤ 2²⁰; the low two bits of n.
///
/// π/2 in three pieces of 33 bits, whose products with n are exact, and a rest (Cody and Waite's reduction); what
/// each difference loses is carried on.
#[inline(always)]
fn quarter_turns(x: f64) -> (u64, f64, f64) {
    let shifted = x * FRAC_2_PI + ROUND_TO_INTEGER;
    let n = shifted - ROUND_TO_INTEGER;
    let first = x - n * 1.5707963267341256;
    let piece = n * 6.077100506303966e-11;
    let second = first - piece;
    let lost = (first - second) - piece;
    let piece = n * 2.0222662487111665e-21;
    let hi = second - piece;
    let lost = lost + ((second - hi) - piece);
    (shifted.to_bits(), hi, lost - n * 8.4784276603689e-32)
}

/// sin(n π/2 + hi + lo)
#[inline(always)]
fn sin_of_reduced((n, hi, lo): (u64, f64, f64)) -> f64 {
    let square = hi * hi;
    // (sin r − r) / r³ and (cos r − 1 + ½ r²) / r⁴ on |r| ≤ π/4; the errors are 2⁻⁵⁷ and 2⁻⁶⁴.
    let s = polynomial(
        square,
        [
            -0.16666666666666632,
            0.008333333333322455,
            -0.0001984126982981349,
            2.755731368761668e-6,
            -2.5050756722915345e-8,
            1.5896682402863978e-10,
        ],
    );
    let c = polynomial(
        square,
        [
            0.0416666666666666,
            -0.0013888888888874441,
            2.480158728963631e-5,
            -2.755731438746743e-7,
            2.0875727058419714e-9,
            -1.1359802430778926e-11,
        ],
    );
    // The derivatives, cos r ≈ 1 − ½ r² and −sin r ≈ −r, carry lo.
    let sin = hi + (square * hi * s + (lo - 0.5 * square * lo));
    let half = 0.5 * square;
    let one_less = 1.0 - half;
    let cos = one_less + (((1.0 - one_less) - half) + (square * square * c - hi * lo));
    let y = if n & 1 == 0 { sin } else { cos };
    f64::from_bits(y.to_bits() ^ (n & 2) << 62)
}

/// Sine, for every finite number; NaN at ±∞.
#[inline(always)]
pub fn sin(x: f64) -> f64 {
    if x.abs() <= REDUCED_UP_TO {
        // Of |x|, so that −0 stays −0.
        let y = sin_of_reduced(quarter_turns(x.abs()));
        f64::from_bits(y.to_bits() ^ (x.to_bits() & 1 << 63))
    } else {
        sin_of_large(x)
    }
}

/// Cosine, for every finite number; NaN at ±∞.
#[inline(always)]
pub fn cos(x: f64) -> f64 {
    if x.abs() <= REDUCED_UP_TO {
        let (n, hi, lo) = quarter_turns(x);
        sin_of_reduced((n.wrapping_add(1), hi, lo))
    } else {
        cos_of_large(x)
    }
}

#[cold]
fn sin_of_large(x: f64) -> f64 {
    libm::sin(x)
}

#[cold]
fn cos_of_large(x: f64) -> f64 {
    libm::cos(x)
}
