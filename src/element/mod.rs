//! The numbers a tensor is made of.
//!
//! [`Element`] is what the engine asks of a number: arithmetic and a few functions. `f32` and `f64` implement it in
//! `kernels/`, with functions of their own; [`Dual`] carries a derivative along. No array stands here, and no matrix.

use std::fmt::{Debug, Display};
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

mod dual;
pub(crate) mod slopes;

pub use dual::Dual;

/// A number that the engine can differentiate: `f32`, `f64`, or [`Dual`](crate::Dual) over one of them.
///
/// Comparisons look at the value only (a dual number's tangent does not count), so a function takes the same
/// branch whatever it is run on.
pub trait Element:
    Copy
    + Debug
    + Default
    + Display
    + PartialEq
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + 'static
{
    /// The number 0.
    const ZERO: Self;
    /// The number 1.
    const ONE: Self;

    /// The smallest positive number that is not subnormal.
    const MIN_POSITIVE: Self;
    /// The distance from 1 to the next number below it, 2⁻²⁴ in `f32` and 2⁻⁵³ in `f64`: the unit roundoff.
    const UNIT_ROUNDOFF: Self;

    /// Whether a number carries a derivative along.
    const HAS_TANGENT: bool = false;

    /// Whether loops over this type are worth compiling once for every instruction set.
    const VECTORIZED: bool = false;

    /// Numbers that a training run keeps become 0 below this (see [`kernels::update`](crate::kernels::update)); 0 if none do.
    const TINY: Self = Self::ZERO;
    /// The root of [`TINY`](Element::TINY): a number whose square is kept is as large.
    const TINY_ROOT: Self = Self::ZERO;

    /// The nearest number of this type, with tangent 0.
    fn from_f64(x: f64) -> Self;
    /// The value; a tangent is dropped.
    fn to_f64(self) -> f64;
    /// eˣ
    fn exp(self) -> Self;
    /// eˣ − 1, accurate near 0.
    fn exp_m1(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// ln(1 + x), accurate near 0.
    fn ln_1p(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// Sine of an angle in radians.
    fn sin(self) -> Self;
    /// Cosine of an angle in radians.
    fn cos(self) -> Self;
    /// Error function 2/√π ∫₀ˣ e^(−t²) dt.
    fn erf(self) -> Self;
    /// e^(x²) (1 − erf x) for x ≥ 0: the complementary error function without its tail's decay.
    fn erfcx(self) -> Self;
    /// e^(−x²); that x² is rounded costs no accuracy.
    fn gauss(self) -> Self;
    /// xʸ
    fn powf(self, y: Self) -> Self;
    /// |x|
    fn abs(self) -> Self;

    /// 1 / (1 + e⁻ˣ), from whichever side does not overflow.
    #[inline]
    fn sigmoid(self) -> Self {
        let e = (-self.abs()).exp();
        let small = e / (Self::ONE + e);
        if self >= Self::ZERO { Self::ONE / (Self::ONE + e) } else { small }
    }

    /// ln(1 + eˣ) = max(x, 0) + ln(1 + e^−|x|), without overflow.
    #[inline]
    fn softplus(self) -> Self {
        self.maximum(Self::ZERO) + (-self.abs()).exp().ln_1p()
    }

    /// The larger of two; NaN if either is NaN.
    #[inline]
    fn maximum(self, other: Self) -> Self {
        if self >= other || self.is_nan() { self } else { other }
    }

    /// Whether the value is NaN.
    #[inline]
    fn is_nan(self) -> bool {
        self.to_f64().is_nan()
    }

    /// 0 where the size is below the smallest normal number of the type, the number itself elsewhere.
    ///
    /// What is made of exponentials ends with it, so that no subnormal number, which is slow on some processors,
    /// goes from a saturated unit into what follows.
    #[inline(always)]
    fn normal_or_zero(self) -> Self {
        if self.abs() < Self::MIN_POSITIVE { Self::ZERO } else { self }
    }

    /// Whether nothing comes of adding it: the value is 0, and so is a tangent.
    #[inline]
    fn adds_nothing(self) -> bool {
        self == Self::ZERO
    }

    /// The tangent, as a number of this type; 0 for a type without one.
    #[inline]
    fn tangent(self) -> Self {
        Self::ZERO
    }

    /// The number whose value is 0 and whose tangent is this one; 0 for a type without a tangent.
    #[inline]
    fn times_epsilon(self) -> Self {
        Self::ZERO
    }
}
