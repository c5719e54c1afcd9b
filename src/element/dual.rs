//! Forward mode: numbers that carry a derivative along.

use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

use crate::element::{Element, slopes};

/// A value and its derivative in one direction: `value + tangent ε` with ε² = 0.
///
/// Run a recorded graph over `Dual<f64>` and each node carries J·v beside its value; run the reverse sweep over it
/// and each gradient carries H·v. Both come from the ordinary rules: there is no second set of derivatives.
///
/// ```
/// use quietgrad::{Dual, Element};
///
/// let x = Dual::new(3.0, 1.0);
/// let y = x * x + x.exp();
/// assert_eq!(y.value, 9.0 + 3f64.exp());
/// assert_eq!(y.tangent, 6.0 + 3f64.exp());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Dual<T> {
    /// The number itself (the primal).
    pub value: T,
    /// Its derivative in the chosen direction.
    pub tangent: T,
}

impl<T: Element> Dual<T> {
    /// A number with a given tangent.
    pub fn new(value: T, tangent: T) -> Self {
        Dual { value, tangent }
    }

    /// f(x) with f's value and slope at `self.value` at hand: the chain rule. What has no tangent gets none, be the
    /// slope infinite.
    #[inline(always)]
    fn chain(self, value: T, slope: T) -> Self {
        let tangent = if self.tangent.adds_nothing() { T::ZERO } else { self.tangent * slope };
        Dual { value, tangent }
    }
}

impl<T: Element> fmt::Display for Dual<T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} + {}ε", self.value, self.tangent)
    }
}

impl<T: Element> PartialEq for Dual<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Element> PartialOrd for Dual<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

impl<T: Element> Add for Dual<T> {
    type Output = Self;
    fn add(self, b: Self) -> Self {
        Dual { value: self.value + b.value, tangent: self.tangent + b.tangent }
    }
}

impl<T: Element> AddAssign for Dual<T> {
    fn add_assign(&mut self, b: Self) {
        *self = *self + b;
    }
}

impl<T: Element> Sub for Dual<T> {
    type Output = Self;
    fn sub(self, b: Self) -> Self {
        Dual { value: self.value - b.value, tangent: self.tangent - b.tangent }
    }
}

impl<T: Element> Mul for Dual<T> {
    type Output = Self;
    fn mul(self, b: Self) -> Self {
        Dual { value: self.value * b.value, tangent: self.tangent * b.value + self.value * b.tangent }
    }
}

impl<T: Element> Div for Dual<T> {
    type Output = Self;
    fn div(self, b: Self) -> Self {
        let y = self.value / b.value;
        Dual { value: y, tangent: (self.tangent - y * b.tangent) / b.value }
    }
}

impl<T: Element> Neg for Dual<T> {
    type Output = Self;
    fn neg(self) -> Self {
        Dual { value: -self.value, tangent: -self.tangent }
    }
}

impl<T: Element> Element for Dual<T> {
    const ZERO: Self = Dual { value: T::ZERO, tangent: T::ZERO };
    const ONE: Self = Dual { value: T::ONE, tangent: T::ZERO };
    const MIN_POSITIVE: Self = Dual { value: T::MIN_POSITIVE, tangent: T::ZERO };
    const HAS_TANGENT: bool = true;
    const UNIT_ROUNDOFF: Self = Dual { value: T::UNIT_ROUNDOFF, tangent: T::ZERO };

    fn from_f64(x: f64) -> Self {
        Dual { value: T::from_f64(x), tangent: T::ZERO }
    }
    fn to_f64(self) -> f64 {
        self.value.to_f64()
    }
    fn exp(self) -> Self {
        let y = self.value.exp();
        self.chain(y, y)
    }
    fn exp_m1(self) -> Self {
        self.chain(self.value.exp_m1(), self.value.exp())
    }
    fn ln(self) -> Self {
        self.chain(self.value.ln(), T::ONE / self.value)
    }
    fn ln_1p(self) -> Self {
        self.chain(self.value.ln_1p(), T::ONE / (T::ONE + self.value))
    }
    fn sqrt(self) -> Self {
        let y = self.value.sqrt();
        self.chain(y, T::ONE / (y + y))
    }
    fn tanh(self) -> Self {
        let y = self.value.tanh();
        self.chain(y, slopes::of_tanh(self.value, y))
    }
    fn sin(self) -> Self {
        self.chain(self.value.sin(), self.value.cos())
    }
    fn cos(self) -> Self {
        self.chain(self.value.cos(), -self.value.sin())
    }
    fn erf(self) -> Self {
        self.chain(self.value.erf(), slopes::of_erf(self.value))
    }
    fn erfcx(self) -> Self {
        let y = self.value.erfcx();
        let slope = (self.value + self.value) * y - T::from_f64(std::f64::consts::FRAC_2_SQRT_PI);
        self.chain(y, slope)
    }
    fn gauss(self) -> Self {
        let y = self.value.gauss();
        self.chain(y, -(self.value + self.value) * y)
    }
    fn sigmoid(self) -> Self {
        let y = self.value.sigmoid();
        self.chain(y, slopes::of_sigmoid(self.value, y))
    }
    fn softplus(self) -> Self {
        self.chain(self.value.softplus(), self.value.sigmoid())
    }
    /// d(xʸ) = y xʸ⁻¹ dx + xʸ ln x dy; a constant exponent (tangent 0) asks nothing of ln x, and x⁰ is constant even
    /// at 0.
    fn powf(self, y: Self) -> Self {
        let value = self.value.powf(y.value);
        let mut tangent = T::ZERO;
        if !self.tangent.adds_nothing() && !y.value.adds_nothing() {
            tangent += y.value * self.value.powf(y.value - T::ONE) * self.tangent;
        }
        if !y.tangent.adds_nothing() {
            tangent += slopes::of_exponent(self.value, y.value, value) * y.tangent;
        }
        Dual { value, tangent }
    }
    /// The slope at 0 is 0, as everywhere in this crate.
    fn abs(self) -> Self {
        match self.value.partial_cmp(&T::ZERO) {
            Some(Ordering::Less) => -self,
            Some(Ordering::Equal) => Dual { value: T::ZERO, tangent: T::ZERO },
            _ => self,
        }
    }
    fn normal_or_zero(self) -> Self {
        Dual { value: self.value.normal_or_zero(), tangent: self.tangent.normal_or_zero() }
    }
    fn tangent(self) -> Self {
        Dual { value: self.tangent, tangent: T::ZERO }
    }
    fn times_epsilon(self) -> Self {
        Dual { value: T::ZERO, tangent: self.value }
    }
    fn adds_nothing(self) -> bool {
        self.value.adds_nothing() && self.tangent.adds_nothing()
    }
    /// Ties share the tangent evenly.
    fn maximum(self, other: Self) -> Self {
        if self == other {
            let half = T::from_f64(0.5);
            return Dual { value: self.value, tangent: half * (self.tangent + other.tangent) };
        }
        if self > other || self.is_nan() { self } else { other }
    }
}
