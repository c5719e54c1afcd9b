//! The table of elementwise functions: a line each gives the name, the function and its derivative.
//!
//! Both engines read it. The scalar engine makes a method of every line; the tensor engine an op with its kernels,
//! its method on [`Var`](crate::Var), its place in the printed tape and its gradient checks. To add a function, add
//! a line.
//!
//! A line of `unary_table` reads
//!
//! ```text
//! /// what it computes
//! name Rule(parameter = value to test with) on (range to test on), kinks [points], demand: |x, y| f(x) => f'(x, y);
//! ```
//!
//! where `y` is f(x), at hand when the derivative is taken (`_` if the derivative does without), and `Support` stands for a function whose derivative is
//! zero wherever its value is (`Everywhere` otherwise). At a kink the line chooses one slope; `docs/math.md` says
//! why. A line of `binary_table` has two arguments and two derivatives, and its kink is where an expression changes
//! sign.

mod rule;

pub use rule::*;
pub(crate) use rule::{Pull, PullA, PullB, Slope, SlopeA, SlopeB, Value};

use crate::element::Element;

/// Calls `$then!` with every elementwise function of one argument.
macro_rules! unary_table {
    ($then:ident) => {
        $then! {
            /// −x
            neg Neg() on (-2.0, 2.0), kinks [], Everywhere: |x, _| -x => -T::ONE;
            /// eˣ
            exp Exp() on (-2.0, 2.0), kinks [], Everywhere: |x, y| x.exp() => y;
            /// eˣ − 1, accurate near 0.
            expm1 Expm1() on (-2.0, 2.0), kinks [], Everywhere: |x, y| x.exp_m1() => y + T::ONE;
            /// Natural logarithm.
            log Log() on (0.2, 3.0), kinks [], Everywhere: |x, _| x.ln() => T::ONE / x;
            /// ln(1 + x), accurate near 0.
            log1p Log1p() on (-0.5, 2.0), kinks [], Everywhere: |x, _| x.ln_1p() => T::ONE / (T::ONE + x);
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
                |x, y| select(x > T::ZERO, x, alpha * x.exp_m1()) => if x > T::ZERO { T::ONE } else { y + alpha };
            /// λ x above 0, λ α (eˣ − 1) from there down, with the constants that keep mean 0 and variance 1
            /// (Klambauer et al. 2017).
            selu Selu() on (-2.0, 2.0), kinks [0.0], Everywhere:
                |x, _| T::from_f64(SELU_SCALE) * select(x > T::ZERO, x, T::from_f64(SELU_ALPHA) * x.exp_m1())
                => T::from_f64(SELU_SCALE) * select(x > T::ZERO, T::ONE, T::from_f64(SELU_ALPHA) * x.exp());
            /// x Φ(x), with Φ the normal distribution function.
            gelu Gelu() on (-2.0, 2.0), kinks [], Everywhere: |x, _| x * normal_cdf(x)
                => normal_cdf(x) + x * T::from_f64(NORMAL_PEAK) * (T::from_f64(-0.5) * x * x).exp();
            /// The tanh approximation of gelu.
            gelu_tanh GeluTanh() on (-2.0, 2.0), kinks [], Everywhere:
                |x, _| T::from_f64(0.5) * x * (T::ONE + gelu_inner(x).tanh())
                => {
                    let t = gelu_inner(x).tanh();
                    let inner_slope = T::from_f64(GELU_SCALE) * (T::ONE + T::from_f64(3.0 * GELU_CUBIC) * x * x);
                    T::from_f64(0.5) * ((T::ONE + t) + x * (T::ONE - t) * (T::ONE + t) * inner_slope)
                };
            /// x σ(x), also called swish.
            silu Silu() on (-2.0, 2.0), kinks [], Everywhere: |x, _| x * x.sigmoid()
                => { let s = x.sigmoid(); s * (T::ONE + x * (T::ONE - s)) };
            /// Hyperbolic tangent.
            tanh Tanh() on (-2.0, 2.0), kinks [], Everywhere: |x, y| x.tanh() => (T::ONE - y) * (T::ONE + y);
            /// 1 / (1 + e⁻ˣ), without overflow on either side.
            sigmoid Sigmoid() on (-2.0, 2.0), kinks [], Everywhere: |x, y| x.sigmoid() => y * (T::ONE - y);
            /// ln(1 + eˣ), without overflow.
            softplus Softplus() on (-2.0, 2.0), kinks [], Everywhere: |x, _| x.softplus() => x.sigmoid();
            /// Sine of an angle in radians.
            sin Sin() on (-2.0, 2.0), kinks [], Everywhere: |x, _| x.sin() => x.cos();
            /// Cosine of an angle in radians.
            cos Cos() on (-2.0, 2.0), kinks [], Everywhere: |x, _| x.cos() => -x.sin();
            /// x tanh(ln(1 + eˣ)) (Misra 2019).
            mish Mish() on (-2.0, 2.0), kinks [], Everywhere: |x, _| x * x.softplus().tanh()
                => { let t = x.softplus().tanh(); t + x * (T::ONE - t) * (T::ONE + t) * x.sigmoid() };
            /// x / (1 + |x|)
            softsign Softsign() on (-2.0, 2.0), kinks [], Everywhere: |x, _| x / (T::ONE + x.abs())
                => { let d = T::ONE + x.abs(); T::ONE / (d * d) };
            /// ln σ(x), without overflow.
            log_sigmoid LogSigmoid() on (-2.0, 2.0), kinks [], Everywhere: |x, _| -(-x).softplus()
                => (-x).sigmoid();
            /// The error function.
            erf Erf() on (-2.0, 2.0), kinks [], Everywhere: |x, _| x.erf()
                => T::from_f64(std::f64::consts::FRAC_2_SQRT_PI) * (-(x * x)).exp();
            /// x, held between `lo` and `hi`; slope 1 at the bounds themselves.
            clamp Clamp(lo = -1.0, hi = 0.5) on (-2.0, 2.0), kinks [lo, hi], Everywhere:
                |x, _| if x < lo { lo } else if x > hi { hi } else { x }
                => if x < lo || x > hi { T::ZERO } else { T::ONE };
            /// x, held between −1 and 1; slope 0 at the bounds themselves.
            hardtanh Hardtanh() on (-2.0, 2.0), kinks [-1.0, 1.0], Everywhere: |x, _| hold(x, T::ONE)
                => if x <= -T::ONE || x >= T::ONE { T::ZERO } else { T::ONE };
            /// |x| to a constant power, with slope 0 at 0.
            abs_powf AbsPowf(exponent = 2.5) on (-2.0, 2.0), kinks [0.0], Everywhere: |x, _| x.abs().powf(exponent)
                => if x == T::ZERO { T::ZERO } else { exponent * x.abs().powf(exponent - T::ONE) * sign(x) };
            /// ln(1 + x² / s), for a constant s.
            log1p_square Log1pSquare(s = 0.7) on (-2.0, 2.0), kinks [], Everywhere: |x, _| (x * x / s).ln_1p()
                => (x + x) / (s + x * x);
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
            div Div() on (-2.0, 2.0) (0.3, 2.0), kink (T::ONE): |a, b, y| a / b => T::ONE / b, -y / b;
            /// aᵇ, for a > 0 or a whole b.
            pow Pow() on (0.2, 2.0) (-2.0, 2.0), kink (T::ONE): |a, b, y| a.powf(b)
                => if a == T::ZERO && b == T::ZERO { T::ZERO } else { b * a.powf(b - T::ONE) },
                   if y == T::ZERO { T::ZERO } else { y * a.ln() };
            /// The larger; ties share the gradient evenly.
            maximum Maximum() on (-2.0, 2.0) (-2.0, 2.0), kink (a - b): |a, b, _| a.maximum(b)
                => share(a >= b, b >= a), share(b >= a, a >= b);
            /// The smaller; ties share the gradient evenly.
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
                |z, t, _| z.softplus() - z * t => z.sigmoid() - t, -z;
            /// t (ln t − z): a summand of the Kullback-Leibler divergence of a distribution t from one with the
            /// log-probabilities z; 0 where t = 0, though without a derivative by t there (NaN).
            kl_div KlDiv() on (-2.0, 0.0) (0.1, 1.0), kink (T::ONE):
                |z, t, _| select(t == T::ZERO, T::ZERO, t * (t.ln() - z)) => -t, t.ln() + t / t - z;
            /// eᵗ (t − z): the same, with log-probabilities on both sides.
            kl_div_log KlDivLog() on (-2.0, 0.0) (-2.0, 0.0), kink (T::ONE):
                |z, t, y| t.exp() * (t - z) => -t.exp(), y + t.exp();
        }
    };
}
pub(crate) use binary_table;

/// The peak of the standard normal density, 1 / √(2π).
const NORMAL_PEAK: f64 = 0.398_942_280_401_432_7;
/// √(2/π), and the cubic coefficient, of gelu's tanh approximation (Hendrycks and Gimpel 2016, section 2).
const GELU_SCALE: f64 = 0.797_884_560_802_865_4;
const GELU_CUBIC: f64 = 0.044715;

/// The constants of selu (Klambauer et al. 2017, equation 14).
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;

#[inline(always)]
fn normal_cdf<T: Element>(x: T) -> T {
    T::from_f64(0.5) * (T::ONE + (x * T::from_f64(std::f64::consts::FRAC_1_SQRT_2)).erf())
}

#[inline(always)]
fn gelu_inner<T: Element>(x: T) -> T {
    T::from_f64(GELU_SCALE) * (x + T::from_f64(GELU_CUBIC) * x * x * x)
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
        x // 0 or NaN
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

/// x, held between −bound and bound.
#[inline(always)]
fn hold<T: Element>(x: T, bound: T) -> T {
    if x > bound {
        bound
    } else if x < -bound {
        -bound
    } else {
        x
    }
}
