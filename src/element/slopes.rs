//! Formulas whose tails neither cancel nor underflow on the way, for the table of elementwise functions and for
//! [`Dual`](crate::Dual). `docs/numbers-at-the-edges.md` says what they promise.
//!
//! Three habits. A small factor such as e⁻ˣ is never had as a difference from 1. Where a product of something large
//! and something tiny may be normal while the tiny one is not, the exponential is taken of half its argument and
//! multiplied in twice. And where a formula has two sides, comparisons choose, not |x|, whose slope at 0 is a kink's.

use super::Element;

/// 1 / √(2π), the peak of the standard normal density.
const NORMAL_PEAK: f64 = 0.398_942_280_401_432_7;

/// From here on the units below are 0 or x in every type, and their slopes 0 or 1.
const FLAT: f64 = 1000.0;

#[inline(always)]
fn half<T: Element>() -> T {
    T::from_f64(0.5)
}

/// x, held between −bound and bound.
#[inline(always)]
pub(crate) fn hold<T: Element>(x: T, bound: T) -> T {
    if x > bound {
        bound
    } else if x < -bound {
        -bound
    } else {
        x
    }
}

/// −|x|
#[inline(always)]
pub(crate) fn minus_size<T: Element>(x: T) -> T {
    if x > T::ZERO { -x } else { x }
}

/// c eˣ
#[inline(always)]
pub(crate) fn times_exp<T: Element>(c: T, x: T) -> T {
    let root = (half::<T>() * x).exp();
    ((c * root) * root).normal_or_zero()
}

/// The slope of y = σ(x): e^−|x| σ(|x|)². In y (1 − y), the second factor would be rounded away.
#[inline(always)]
pub(crate) fn of_sigmoid<T: Element>(x: T, y: T) -> T {
    let larger = if x > T::ZERO { y } else { T::ONE - y };
    minus_size(x).exp() * larger * larger
}

/// The slope of y = tanh x: (e^−|x| (1 + |y|))², as 1 + |y| is 2 / (1 + e^−2|x|).
#[inline(always)]
pub(crate) fn of_tanh<T: Element>(x: T, y: T) -> T {
    let size = if x > T::ZERO { y } else { -y };
    let root = minus_size(x).exp() * (T::ONE + size);
    (root * root).normal_or_zero()
}

/// The slope of erf: 2/√π e^(−x²)
#[inline(always)]
pub(crate) fn of_erf<T: Element>(x: T) -> T {
    let fourth = (half::<T>() * x).gauss();
    let root = fourth * fourth;
    (T::from_f64(std::f64::consts::FRAC_2_SQRT_PI) * root * root).normal_or_zero()
}

/// The slope of y = aᵇ by b: y ln a; 0 where a is 0 and b is not negative, as the power is 0 for all b above 0.
#[inline(always)]
pub(crate) fn of_exponent<T: Element>(a: T, b: T, y: T) -> T {
    if y == T::ZERO || (a == T::ZERO && b >= T::ZERO) { T::ZERO } else { y * a.ln() }
}

/// e^−½|z|, and σ(|z|)
#[inline(always)]
fn gate_parts<T: Element>(z: T) -> (T, T) {
    let root = (half::<T>() * minus_size(z)).exp();
    (root, T::ONE / (T::ONE + root * root))
}

/// x σ(z)
#[inline(always)]
pub(crate) fn gate<T: Element>(x: T, z: T) -> T {
    let (root, larger) = gate_parts(z);
    let y = x * larger;
    (if z > T::ZERO { y } else { y * root * root }).normal_or_zero()
}

/// The slope of x σ(z): σ(z) (1 + x σ(−z) z′)
#[inline(always)]
pub(crate) fn of_gate<T: Element>(x: T, z: T, dz: T) -> T {
    let (root, larger) = gate_parts(z);
    let other = if z > T::ZERO { larger * root * root } else { larger };
    let y = (T::ONE + x * (other * dz)) * larger;
    (if z > T::ZERO { y } else { y * root * root }).normal_or_zero()
}

/// e^(−¼x²), and Φ(−|x|) e^(½x²), where Φ is the normal distribution function
#[inline(always)]
fn normal_parts<T: Element>(x: T) -> (T, T) {
    let size = -minus_size(x);
    let ratio = half::<T>() * (size * T::from_f64(std::f64::consts::FRAC_1_SQRT_2)).erfcx();
    ((half::<T>() * size).gauss(), ratio)
}

/// x Φ(x) = max(x, 0) − |x| Φ(−|x|)
#[inline(always)]
pub(crate) fn gelu<T: Element>(x: T) -> T {
    let (root, ratio) = normal_parts(x);
    let tail = minus_size(x) * ratio * root * root;
    (if x > T::ZERO { x + tail } else { tail }).normal_or_zero()
}

/// Φ(x) + x φ(x)
#[inline(always)]
pub(crate) fn of_gelu<T: Element>(x: T) -> T {
    let x = hold(x, T::from_f64(FLAT));
    let (root, ratio) = normal_parts(x);
    let density = x * T::from_f64(NORMAL_PEAK);
    let tail = (if x > T::ZERO { density - ratio } else { density + ratio }) * root * root;
    (if x > T::ZERO { T::ONE + tail } else { tail }).normal_or_zero()
}

/// e^−½|x|, e^−|x|, and 1 / ((1 + eˣ)² + 1) times e²ˣ where x is above 0.
#[inline(always)]
fn mish_parts<T: Element>(x: T) -> (T, T, T) {
    let two = T::ONE + T::ONE;
    let root = (half::<T>() * minus_size(x)).exp();
    let e = root * root;
    let sum = if x > T::ZERO { T::ONE + two * e * (T::ONE + e) } else { two + e * (two + e) };
    (root, e, T::ONE / sum)
}

/// x t with t = tanh(ln(1 + eˣ)) = ((1 + eˣ)² − 1) / ((1 + eˣ)² + 1)
#[inline(always)]
pub(crate) fn mish<T: Element>(x: T) -> T {
    let two = T::ONE + T::ONE;
    let (root, e, d) = mish_parts(x);
    let above = x * (T::ONE - two * e * e * d);
    let below = x * ((two + e) * d) * root * root;
    (if x > T::ZERO { above } else { below }).normal_or_zero()
}

/// t + x t′ with t′ = 4 eˣ (1 + eˣ) / ((1 + eˣ)² + 1)²
#[inline(always)]
pub(crate) fn of_mish<T: Element>(x: T) -> T {
    let x = hold(x, T::from_f64(FLAT));
    let two = T::ONE + T::ONE;
    let (root, e, d) = mish_parts(x);
    let slope = (two + two) * x * (T::ONE + e) * d;
    let above = T::ONE - two * e * e * d + slope * e * e * d;
    let below = ((two + e) + slope) * d * root * root;
    (if x > T::ZERO { above } else { below }).normal_or_zero()
}
