//! Elementary functions of `f64`. The [module above](super) says how accurate they are and why they look like this.
//!
//! Coefficients are minimax fits (Remez exchange in 200-bit arithmetic, rounded to `f64` from the lowest degree up,
//! refitting the rest after each); the error stated beside each counts the rounding of the coefficients.

use std::f64::consts::LOG2_E;

pub use super::trigonometric::{cos, sin};

/// Adding it rounds numbers below 2⁵¹ to an integer, which stands in the low bits of the sum.
pub(super) const ROUND_TO_INTEGER: f64 = 6_755_399_441_055_744.0;
/// `ROUND_TO_INTEGER` and 2048 more, so that the low twelve bits are positive.
const ROUND: f64 = ROUND_TO_INTEGER + 2048.0;
/// ln 2 = `LN_2_HI` + `LN_2_LO`; the upper part has 40 bits, so that its product with an exponent is exact.
const LN_2_HI: f64 = 0.6931471805592082;
const LN_2_LO: f64 = 7.371002565167799e-13;
const MANTISSA: u64 = (1 << 52) - 1;
/// The bits of √½, where [`ln`] cuts the binades.
const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
/// 2⁵², as a number: its low bits are an integer's.
const TWO_52: f64 = 4_503_599_627_370_496.0;

/// Σ cᵢ xⁱ
#[inline(always)]
pub(super) fn polynomial<const N: usize>(x: f64, c: [f64; N]) -> f64 {
    let mut sum = c[N - 1];
    for i in (0..N - 1).rev() {
        sum = sum * x + c[i];
    }
    sum
}

/// x = n ln 2 + hi + lo with |hi + lo| ≤ ½ ln 2.
struct Reduced {
    /// n + 2048 in the low twelve bits.
    bits: u64,
    hi: f64,
    lo: f64,
}

impl Reduced {
    #[inline(always)]
    fn new(x: f64) -> Self {
        let shifted = x * LOG2_E + ROUND;
        let n = shifted - ROUND;
        Reduced { bits: shifted.to_bits(), hi: x - n * LN_2_HI, lo: -(n * LN_2_LO) }
    }

    /// e^(hi + lo) − 1 − hi
    #[inline(always)]
    fn tail(&self) -> f64 {
        let r = self.hi + self.lo;
        // (eʳ − 1 − r) / r² on |r| ≤ ½ ln 2; the error is 2⁻⁵⁷ of eʳ.
        let q = polynomial(
            r,
            [
                0.5000000000000011,
                0.16666666666666421,
                0.04166666666652536,
                0.00833333333348126,
                0.0013888888944455732,
                0.0001984126950236141,
                2.48014925875618e-5,
                2.75576302312481e-6,
                2.7630365087199756e-7,
                2.4973290992043682e-8,
            ],
        );
        self.lo + r * r * q
    }

    /// y 2ⁿ for −2046 ≤ n ≤ 2046, in two steps: one factor alone would overflow before a subnormal result does.
    #[inline(always)]
    fn scale(&self, y: f64) -> f64 {
        let half = self.bits >> 1;
        let rest = self.bits.wrapping_sub(half);
        y * power_of_2(half.wrapping_sub(1024)) * power_of_2(rest.wrapping_sub(1024))
    }

    /// 2⁻ⁿ, also where it is subnormal or 0.
    #[inline(always)]
    fn inverse_power(&self) -> f64 {
        let half = self.bits >> 1;
        let rest = self.bits.wrapping_sub(half);
        power_of_2(1024u64.wrapping_sub(half)) * power_of_2(1024u64.wrapping_sub(rest))
    }
}

/// 2ⁿ from the low eleven bits of n.
#[inline(always)]
fn power_of_2(n: u64) -> f64 {
    f64::from_bits(n.wrapping_add(1023) << 52)
}

/// The smaller of two, and `x` if it is NaN: one `minpd`, where `f64::min` needs three instructions.
#[inline(always)]
fn at_most(x: f64, limit: f64) -> f64 {
    if x > limit { limit } else { x }
}

/// The larger of two, and `x` if it is NaN.
#[inline(always)]
fn at_least(x: f64, limit: f64) -> f64 {
    if x < limit { limit } else { x }
}

/// The least x with a normal eˣ.
const LN_MIN_POSITIVE: f64 = -708.3964185322641;

/// eˣ; ∞ from 709.79 up, and 0 where it would be subnormal: below −708.4.
#[inline(always)]
pub fn exp(x: f64) -> f64 {
    let r = Reduced::new(at_least(at_most(x, 710.0), LN_MIN_POSITIVE));
    let y = r.scale(1.0 + (r.hi + r.tail()));
    if x < LN_MIN_POSITIVE { 0.0 } else { y }
}

/// eˣ − 1; keeps −0.
#[inline(always)]
pub fn exp_m1(x: f64) -> f64 {
    let r = Reduced::new(at_least(at_most(x, 710.0), -38.0));
    // 2ⁿ (1 − 2⁻ⁿ + eʳ − 1), where 1 − 2⁻ⁿ is exact as long as it matters
    let y = (1.0 - r.inverse_power()) + r.hi + r.tail();
    r.scale(y).copysign(x)
}

/// x = m 2ⁿ with m in [√½, √2)
struct Split {
    n: f64,
    m: f64,
}

impl Split {
    /// For positive normal numbers.
    #[inline(always)]
    fn new(x: f64) -> Self {
        let shifted = x.to_bits().wrapping_add(0x3ff0_0000_0000_0000 - SQRT_HALF);
        Split {
            n: f64::from_bits(TWO_52.to_bits() | shifted >> 52) - (TWO_52 + 1023.0),
            m: f64::from_bits((shifted & MANTISSA) + SQRT_HALF),
        }
    }
}

/// ln(1 + f) + n ln 2 + extra for √½ ≤ 1 + f ≤ √2, where extra is tiny.
#[inline(always)]
fn ln_sum(f: f64, n: f64, extra: f64) -> f64 {
    // With s = f / (2 + f): ln(1 + f) = 2 artanh s = 2 s + s R(s²), and 2 s = f − ½ f² + ½ f² s.
    let s = f / (2.0 + f);
    let z = s * s;
    // R(z) / z for √z ≤ 0.172; the error is 2⁻⁵⁹ of ln(1 + f).
    let r = z * polynomial(
        z,
        [
            0.6666666666666735,
            0.3999999999940875,
            0.28571428743911026,
            0.22222198398875978,
            0.18183574222506352,
            0.15313777665207418,
            0.14798864143140875,
        ],
    );
    let half_square = 0.5 * f * f;
    let small = s * (half_square + r) + (n * LN_2_LO + extra) - half_square;
    (f + small) + n * LN_2_HI
}

/// Natural logarithm; −∞ at 0, NaN below.
#[inline(always)]
pub fn ln(x: f64) -> f64 {
    let subnormal = x < f64::MIN_POSITIVE;
    let normal = if subnormal { x * TWO_52 } else { x };
    let Split { n, m } = Split::new(normal);
    let n = if subnormal { n - 52.0 } else { n };
    let y = ln_sum(m - 1.0, n, 0.0);
    let y = if x < f64::INFINITY { y } else { x };
    let y = if x == 0.0 { f64::NEG_INFINITY } else { y };
    if x < 0.0 { f64::NAN } else { y }
}

/// ln(1 + x); keeps −0, −∞ at −1, NaN below.
#[inline(always)]
pub fn ln_1p(x: f64) -> f64 {
    let sum = 1.0 + x;
    let lost = if x < 1.0 { x - (sum - 1.0) } else { 1.0 - (sum - x) };
    let Split { n, m } = Split::new(sum);
    let y = ln_sum(m - 1.0, n, lost / sum).copysign(x);
    let y = if x < f64::INFINITY { y } else { x };
    let y = if x == -1.0 { f64::NEG_INFINITY } else { y };
    if x < -1.0 { f64::NAN } else { y }
}

/// Hyperbolic tangent; ±1 from ±19.07 on.
#[inline(always)]
pub fn tanh(x: f64) -> f64 {
    let a = x.abs();
    let square = a * a;
    let r = Reduced::new(2.0 * at_most(a, 20.0));
    let power = r.scale(1.0 + (r.hi + r.tail()));
    // tanh a = a + a³ P(a²) / Q(a²) up to 0.625, with the denominator of a Padé approximant; the error is 2⁻⁶⁰ of
    // tanh a. Above, tanh a = 1 − 2 / (e²ᵃ + 1). Both are a term and a quotient: one division serves.
    let near = a < 0.625;
    let p = polynomial(
        square,
        [-0.33333333333333337, -0.021428571428570763, -0.0002442002442037389, -1.7619059585927255e-8],
    );
    let q = polynomial(square, [1.0, 0.4642857142857143, 0.02454212454212454, 0.0002553002553002553]);
    let numerator = if near { a * square * p } else { -2.0 };
    let denominator = if near { q } else { power + 1.0 };
    let first = if near { a } else { 1.0 };
    (first + numerator / denominator).copysign(x)
}

/// 1 / (1 + e⁻ˣ); never overflows, and is 0 where eˣ is.
#[inline(always)]
pub fn sigmoid(x: f64) -> f64 {
    // With e⁻ˣ = 2ⁿ eʳ: 2⁻ⁿ / (2⁻ⁿ + eʳ), which rounds once less than 1 / (1 + e⁻ˣ).
    let r = Reduced::new(at_least(at_most(-x, -LN_MIN_POSITIVE), -38.0));
    let power = r.inverse_power();
    // 2⁻ⁿ meets 1 where that is exact, and the small eʳ − 1 where it is not.
    let large = if power < 1e-4 { 0.0 } else { power };
    let y = power / ((large + 1.0) + (power - large + (r.hi + r.tail())));
    if x < LN_MIN_POSITIVE { 0.0 } else { y }
}

/// ln(1 + eˣ)
#[inline(always)]
pub fn softplus(x: f64) -> f64 {
    at_least(x, 0.0) + ln_1p(exp(-x.abs()))
}

/// Error function; ±1 from ±5.93 on.
#[inline(always)]
pub fn erf(x: f64) -> f64 {
    let a = x.abs();
    // (erf x / x − 1) as a polynomial in x² for |x| ≤ 1; the error is 2⁻⁵⁵ of erf x.
    let near = polynomial(
        a * a,
        [
            0.12837916709551256,
            -0.37612638903183343,
            0.11283791670936952,
            -0.026866170641959602,
            0.005223977596729573,
            -0.0008548325483258063,
            0.00012055280370388714,
            -1.492446120741499e-5,
            1.6444064457843649e-6,
            -1.61830465331085e-7,
            1.3611220130578747e-8,
            -7.594749823297724e-10,
        ],
    );
    // ln erfc x as a polynomial in x − 1 for 1 ≤ x ≤ 5.95; the error is 2⁻⁵⁸ in erfc x, hence in erf x.
    let far = polynomial(
        at_most(a, 5.95) - 1.0,
        [
            -1.8496055099332482,
            -2.638967514234794,
            -0.8431072563583903,
            -0.041561098047523976,
            0.010033825433877836,
            -0.001977902937167743,
            0.0002373239648281921,
            2.6273811347211926e-5,
            -2.7151247356200845e-5,
            9.597892710866588e-6,
            -2.0484706582720323e-6,
            1.3430824417046493e-7,
            1.0233783299479164e-7,
            -5.3995334642101586e-8,
            1.548429013251629e-8,
            -2.9798227224624702e-9,
            3.8340111717881947e-10,
            -2.994865892663448e-11,
            1.0746018641239031e-12,
        ],
    );
    let far = (1.0 - exp(far)).copysign(x);
    if a < 1.0 { x + x * near } else { far }
}

/// e^(x²) erfc x for x ≥ 0.
#[inline(always)]
pub fn erfcx(x: f64) -> f64 {
    // With d = 1 / (x + 4.0) and t = (x − 4) / (x + 4.0): d P(t), for all x ≥ 0; the error is 2⁻⁵⁶.
    let d = 1.0 / (x + 4.0);
    let t = 1.0 - 8.0 * d;
    d * polynomial(
        t,
        [
            1.095995661000491,
            -0.9765487290808816,
            0.7732087022652332,
            -0.5408538313132638,
            0.33085158787821217,
            -0.1740109372391375,
            0.07638151490537481,
            -0.026370053350615093,
            0.0061120556947441085,
            -0.00028095879078305096,
            -0.0004550529066170598,
            0.00017681248113066993,
            -3.6343966145570276e-6,
            -1.8859885549444494e-5,
            4.692750143141282e-6,
            1.4221933903901943e-6,
            -8.440976710290138e-7,
            -7.28603235396673e-8,
            1.22865642742718e-7,
            -1.3781706644038662e-9,
            -1.54188261750827e-8,
            1.153789116855614e-9,
            1.2337657059616177e-9,
            -1.5570733896630153e-10,
        ],
    )
}

/// e^(−x²), with what is lost as x² is rounded made good.
#[inline(always)]
pub fn gauss(x: f64) -> f64 {
    let x = at_most(x.abs(), 30.0);
    let square = x * x;
    // Dekker's product of x with itself, in halves of at most 27 bits.
    let upper = f64::from_bits(x.to_bits() & 0xffff_ffff_f800_0000);
    let lower = x - upper;
    let lost = ((upper * upper - square) + 2.0 * upper * lower) + lower * lower;
    exp(-square) * (1.0 - lost)
}

/// xʸ, with the special values of IEEE 754.
///
/// Not ours: y ln x wants a logarithm to 64 bits and more, which pays only with tables.
#[inline(always)]
pub fn powf(x: f64, y: f64) -> f64 {
    libm::pow(x, y)
}
