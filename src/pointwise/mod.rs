//! The table of elementwise functions: a line each gives the name, the function and its derivative.
//!
//! Both engines read it. The scalar engine makes a method of every line; the tensor engine an op with its kernels,
//! its method on [`Var`](crate::Var), its place in the printed tape and its gradient checks. To add a function, add
//! a line. No loop stands here, and nothing that knows an array.
//!
//! A line of `unary_table` reads
//!
//! ```text
//! /// what it computes
//! name Rule(parameter = value to test with) on (range to test on), kinks [points], demand: |x, y| f(x) => f'(x, y);
//! ```
//!
//! where `y` is f(x), at hand when the derivative is taken (`_` if the derivative does without), and `Support` stands for a
//! function whose derivative is zero wherever its value is (`Everywhere` otherwise). At a kink the line chooses one slope;
//! `docs/math.md` says why. A slope that is a quotient may be followed by `, |g| g / …`: what a cotangent becomes, rounded
//! once. A line of `binary_table` has two arguments and two derivatives, and its kink is where an expression changes sign.

mod loops;
mod rule;

pub(crate) use loops::{Pulls, PullsA, PullsB, Values};
pub use rule::*;
use rule::{each_binary, each_unary};

use crate::element::Element;
use crate::element::slopes::{self, hold};

/// Calls `$then!` with every elementwise function of one argument.
macro_rules! unary_table {
    ($then:ident) => {
        $then! {
            /// −x
            neg Neg() on (-2.0, 2.0), kinks [], Everywhere: |x, _| -x => -T::ONE;
            /// eˣ
            exp Exp() on (-2.0, 2.0), kinks [], Everywhere: |x, y| x.exp() => y;
            /// eˣ − 1, accurate near 0.
            expm1 Expm1() on (-2.0, 2.0), kinks [], Everywhere: |x, _| x.exp_m1() => x.exp();
            /// Natural logarithm.
            #[doc(alias = "ln")]
            log Log() on (0.2, 3.0), kinks [], Everywhere: |x, _| x.ln()
                => T::ONE / x, |g| g / x;
            /// ln(1 + x), accurate near 0.
            log1p Log1p() on (-0.5, 2.0), kinks [], Everywhere: |x, _| x.ln_1p()
                => T::ONE / (T::ONE + x), |g| g / (T::ONE + x);
            /// Square root.
            sqrt Sqrt() on (0.2, 3.0), kinks [], Everywhere: |x, y| x.sqrt() => T::ONE / (y + y);
            /// 1 / √x
            rsqrt Rsqrt() on (0.2, 3.0), kinks [], Everywhere:
                |x, y| T::ONE / x.sqrt() => T::from_f64(-0.5) * y / x;
            /// 1 / x
            recip Recip() on (0.2, 3.0), kinks [], Everywhere: |x, y| T::ONE / x => -y * y;
            /// |x|, with slope 0 at 0.
            abs Abs() on (-2.0, 2.0), kinks [0.0], Everywhere: |x, _| x.abs() => sign(x);
            /// −1, 0 or 1: the sign of x; its slope is 0.
            sign Sign() on (-2.0, 2.0), kinks [0.0], Everywhere: |x, _| sign(x) => T::ZERO;
            /// x²
            square Square() on (-2.0, 2.0), kinks [], Everywhere: |x, _| x * x => x + x;
            /// x to a constant power.
            powf Powf(exponent = 2.5) on (0.2, 2.0), kinks [], Everywhere: |x, _| x.powf(exponent)
                => if exponent == T::ZERO { T::ZERO } else { exponent * x.powf(exponent - T::ONE) };
            /// c x, for a constant factor.
            scale Scale(factor = -1.5) on (-2.0, 2.0), kinks [], Everywhere: |x, _| x * factor => factor;
            /// x / c, for a constant divisor.
            div_by DivBy(divisor = 3.0) on (-2.0, 2.0), kinks [], Everywhere: |x, _| x / divisor
                => T::ONE / divisor, |g| g / divisor;
            /// c / x, for a constant dividend.
            div_into DivInto(dividend = -1.5) on (0.2, 3.0), kinks [], Everywhere: |x, y| dividend / x => -y / x;
            /// x + c, for a constant term.
            shift Shift(term = 0.7) on (-2.0, 2.0), kinks [], Everywhere: |x, _| x + term => T::ONE;
            /// max(x, 0), with slope 0 at 0.
            relu Relu() on (-2.0, 2.0), kinks [0.0], Support: |x, y| if x <= T::ZERO { T::ZERO } else { x }
                => if y > T::ZERO { T::ONE } else { T::ZERO };
            /// x above 0, `slope` times x from there down.
            leaky_relu LeakyRelu(slope = 0.1) on (-2.0, 2.0), kinks [0.0], Everywhere:
                |x, _| if x > T::ZERO { x } else { slope * x } => if x > T::ZERO { T::ONE } else { slope };
            /// x above 0, `alpha` (eˣ − 1) from there down.
            elu Elu(alpha = 0.8) on (-2.0, 2.0), kinks [0.0], Everywhere:
                |x, _| select(x > T::ZERO, x, alpha * x.exp_m1())
                => select(x > T::ZERO, T::ONE, slopes::times_exp(alpha, x));
            /// λ x above 0, λ α (eˣ − 1) from there down, with the constants that keep mean 0 and variance 1
            /// (Klambauer et al. 2017).
            selu Selu() on (-2.0, 2.0), kinks [0.0], Everywhere:
                |x, _| T::from_f64(SELU_SCALE) * select(x > T::ZERO, x, T::from_f64(SELU_ALPHA) * x.exp_m1())
                => {
                    let scale = T::from_f64(SELU_SCALE);
                    select(x > T::ZERO, scale, slopes::times_exp(scale * T::from_f64(SELU_ALPHA), x))
                };
            /// x Φ(x), with Φ the normal distribution function.
            gelu Gelu() on (-2.0, 2.0), kinks [], Everywhere: |x, _| slopes::gelu(x) => slopes::of_gelu(x);
            /// The tanh approximation of gelu: x σ(2u), with u = √(2/π) (x + 0.044715 x³).
            gelu_tanh GeluTanh() on (-2.0, 2.0), kinks [], Everywhere: |x, _| slopes::gate(x, gelu_inner(x))
                => {
                    let x = hold(x, T::from_f64(100.0));
                    let inner_slope = T::from_f64(GELU_SCALE) + T::from_f64(3.0 * GELU_CUBE) * x * x;
                    slopes::of_gate(x, gelu_inner(x), inner_slope)
                };
            /// x σ(x), also called swish.
            #[doc(alias = "swish")]
            silu Silu() on (-2.0, 2.0), kinks [], Everywhere: |x, _| slopes::gate(x, x)
                => slopes::of_gate(x, x, T::ONE);
            /// Hyperbolic tangent.
            tanh Tanh() on (-2.0, 2.0), kinks [], Everywhere: |x, y| x.tanh() => slopes::of_tanh(x, y);
            /// 1 / (1 + e⁻ˣ), without overflow on either side.
            #[doc(alias = "expit")]
            sigmoid Sigmoid() on (-2.0, 2.0), kinks [], Everywhere: |x, y| x.sigmoid() => slopes::of_sigmoid(x, y);
            /// ln(1 + eˣ), without overflow.
            softplus Softplus() on (-2.0, 2.0), kinks [], Everywhere: |x, _| x.softplus() => x.sigmoid();
            /// Sine of an angle in radians.
            sin Sin() on (-2.0, 2.0), kinks [], Everywhere: |x, _| x.sin() => x.cos();
            /// Cosine of an angle in radians.
            cos Cos() on (-2.0, 2.0), kinks [], Everywhere: |x, _| x.cos() => -x.sin();
            /// x tanh(ln(1 + eˣ)) (Misra 2019).
            mish Mish() on (-2.0, 2.0), kinks [], Everywhere: |x, _| slopes::mish(x) => slopes::of_mish(x);
            /// x / (1 + |x|)
            softsign Softsign() on (-2.0, 2.0), kinks [], Everywhere: |x, _| x / (T::ONE + x.abs())
                => { let d = T::ONE / (T::ONE + x.abs()); d * d };
            /// ln σ(x), without overflow.
            log_sigmoid LogSigmoid() on (-2.0, 2.0), kinks [], Everywhere: |x, _| -(-x).softplus()
                => (-x).sigmoid();
            /// The error function.
            erf Erf() on (-2.0, 2.0), kinks [], Everywhere: |x, _| x.erf() => slopes::of_erf(x);
            /// x, held between `lo` and `hi`; slope 1 at the bounds themselves.
            #[doc(alias = "clip")]
            clamp Clamp(lo = -1.0, hi = 0.5) on (-2.0, 2.0), kinks [lo, hi], Everywhere:
                |x, _| if x < lo { lo } else if x > hi { hi } else { x }
                => if x < lo || x > hi { T::ZERO } else { T::ONE };
            /// x, held between −1 and 1; slope 0 at the bounds themselves.
            hardtanh Hardtanh() on (-2.0, 2.0), kinks [-1.0, 1.0], Everywhere: |x, _| hold(x, T::ONE)
                => if x <= -T::ONE || x >= T::ONE { T::ZERO } else { T::ONE };
            /// |x| to a constant power, with slope 0 at 0, where that of the square alone has a slope itself.
            abs_powf AbsPowf(exponent = 2.5) on (-2.0, 2.0), kinks [0.0], Everywhere: |x, _| x.abs().powf(exponent)
                => if x == T::ZERO || exponent == T::ZERO {
                    if exponent == T::ONE + T::ONE { x + x } else { T::ZERO }
                } else {
                    exponent * x.abs().powf(exponent - T::ONE) * sign(x)
                };
            /// ln(1 + x² / s), for a constant s.
            log1p_square Log1pSquare(s = 0.7) on (-2.0, 2.0), kinks [], Everywhere:
                |x, _| {
                    let u = x / s.sqrt();
                    let large = is_large(u);
                    let y = select(large, u.abs(), u * u).ln_1p();
                    select(large, y + y, y)
                }
                => {
                    let u = x / s.sqrt();
                    // u / (1 + u²)
                    let large = is_large(u);
                    let y = select(large, T::ONE, u) / select(large, u, T::ONE + u * u);
                    (y + y) / s.sqrt()
                };
            /// x moved towards 0 by `lambda`, and 0 if it would cross: the proximal map of λ|x|.
            soft_threshold SoftThreshold(lambda = 0.5) on (-2.0, 2.0), kinks [-lambda, lambda], Support:
                |x, y| if x > lambda { x - lambda } else if x < -lambda { x + lambda } else { zero_or_nan(x) }
                => if y == T::ZERO { T::ZERO } else { T::ONE };
        }
    };
}
pub(crate) use unary_table;

/// Calls `$then!` with every elementwise function of two arguments.
macro_rules! binary_table {
    ($then:ident) => {
        $then! {
            /// a + b
            add Add() on (-2.0, 2.0) (-2.0, 2.0), kink (T::ONE): |a, b, _| a + b => T::ONE, T::ONE;
            /// a − b
            sub Sub() on (-2.0, 2.0) (-2.0, 2.0), kink (T::ONE): |a, b, _| a - b => T::ONE, -T::ONE;
            /// a b
            mul Mul() on (-2.0, 2.0) (-2.0, 2.0), kink (T::ONE): |a, b, _| a * b => b, a;
            /// a / b
            div Div() on (-2.0, 2.0) (0.3, 2.0), kink (T::ONE): |a, b, y| a / b
                => T::ONE / b, -y / b, |g| g / b, g * (-y / b);
            /// aᵇ, for a > 0 or a whole b.
            pow Pow() on (0.2, 2.0) (-2.0, 2.0), kink (T::ONE): |a, b, y| a.powf(b)
                => if b.adds_nothing() { T::ZERO } else { b * a.powf(b - T::ONE) }, slopes::of_exponent(a, b, y);
            /// The larger; ties share the gradient evenly.
            #[doc(alias = "clamp_min")]
            maximum Maximum() on (-2.0, 2.0) (-2.0, 2.0), kink (a - b): |a, b, _| a.maximum(b)
                => share(a >= b, b >= a), share(b >= a, a >= b);
            /// The smaller; ties share the gradient evenly.
            #[doc(alias = "clamp_max")]
            minimum Minimum() on (-2.0, 2.0) (-2.0, 2.0), kink (a - b): |a, b, _| -(-a).maximum(-b)
                => share(a <= b, b <= a), share(b <= a, a <= b);
            /// (a − b)²
            squared_error SquaredError() on (-2.0, 2.0) (-2.0, 2.0), kink (T::ONE):
                |a, b, _| (a - b) * (a - b) => (a - b) + (a - b), (b - a) + (b - a);
            /// |a − b|, with slope 0 where they agree.
            absolute_error AbsoluteError() on (-2.0, 2.0) (-2.0, 2.0), kink (a - b):
                |a, b, _| (a - b).abs() => sign(a - b), sign(b - a);
            /// ½ (a − b)² up to |a − b| = delta, from there on the tangent line delta (|a − b| − ½ delta).
            huber Huber(delta = 0.8) on (-2.0, 2.0) (-2.0, 2.0), kink ((a - b).abs() - delta):
                |a, b, _| {
                    let d = (a - b).abs();
                    let half = T::from_f64(0.5);
                    if d <= delta { half * d * d } else { delta * (d - half * delta) }
                }
                => hold(a - b, delta), hold(b - a, delta);
            /// ln(1 + eᶻ) − z t: the cross-entropy of σ(z) with a target probability t, without overflow.
            bce_with_logits BceWithLogits() on (-2.0, 2.0) (0.0, 1.0), kink (T::ONE):
                |z, t, _| {
                    // ln(1 + e^−|z|) + max(z, 0) − z t: both summands have one sign
                    let rest = if z > T::ZERO { z * (T::ONE - t) } else { -z * t };
                    slopes::minus_size(z).exp().ln_1p() + rest
                }
                => {
                    // σ(z) − t = (1 − t) − σ(−z)
                    let smaller = slopes::minus_size(z).sigmoid();
                    if z > T::ZERO { (T::ONE - t) - smaller } else { smaller - t }
                },
                -z;
            /// t (ln t − z): a summand of the Kullback-Leibler divergence of a distribution t from one with the
            /// log-probabilities z; 0 where t = 0, though without a derivative by t there (NaN).
            kl_div KlDiv() on (-2.0, 0.0) (0.1, 1.0), kink (T::ONE):
                |z, t, _| select(t == T::ZERO, T::ZERO, t * (t.ln() - z)) => -t, t.ln() + t / t - z;
            /// eᵗ (t − z): a summand of the Kullback-Leibler divergence of a distribution from another, with the
            /// log-probabilities t of the one and z of the other.
            kl_div_log KlDivLog() on (-2.0, 0.0) (-2.0, 0.0), kink (T::ONE):
                |z, t, _| slopes::times_exp(t - z, t) => -t.exp(), slopes::times_exp((t - z) + T::ONE, t);
        }
    };
}
pub(crate) use binary_table;

/// 2 √(2/π), and that times the cubic coefficient, of gelu's tanh approximation (Hendrycks and Gimpel 2016, section 2).
const GELU_SCALE: f64 = 1.595_769_121_605_730_7;
const GELU_CUBE: f64 = GELU_SCALE * 0.044715;

/// The constants of selu (Klambauer et al. 2017, equation 14).
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;

/// 2 √(2/π) (x + 0.044715 x³), for x held where gelu's tanh approximation is not 0, 1 or x in any type.
#[inline(always)]
fn gelu_inner<T: Element>(x: T) -> T {
    let x = hold(x, T::from_f64(100.0));
    x * (T::from_f64(GELU_SCALE) + T::from_f64(GELU_CUBE) * x * x)
}

/// Whether 1 + |u| is |u|, and 1 + u² is u², while u² does not overflow up to there.
#[inline(always)]
fn is_large<T: Element>(u: T) -> bool {
    u.abs() > T::from_f64(1e17)
}

/// Both sides are computed, so that the loop over it vectorizes.
#[inline(always)]
fn select<T: Element>(first: bool, a: T, b: T) -> T {
    if first { a } else { b }
}

#[inline(always)]
fn sign<T: Element>(x: T) -> T {
    if x > T::ZERO {
        T::ONE
    } else if x < T::ZERO {
        -T::ONE
    } else {
        zero_or_nan(x)
    }
}

/// 0, but NaN for NaN.
#[inline(always)]
fn zero_or_nan<T: Element>(x: T) -> T {
    if x.is_nan() { x } else { T::ZERO }
}

/// The share of a maximum's gradient for an operand that is at least as large, the other being so too or not.
#[inline(always)]
fn share<T: Element>(mine: bool, other: bool) -> T {
    match (mine, other) {
        (true, true) => T::from_f64(0.5),
        (true, false) => T::ONE,
        _ => T::ZERO,
    }
}
