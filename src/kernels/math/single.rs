//! Elementary functions of `f32`. The [module above](super) says how accurate they are and why they look like this.
//!
//! Coefficients are minimax fits (Remez exchange in 200-bit arithmetic, rounded to `f32` from the lowest degree up,
//! refitting the rest after each); the error stated beside each counts the rounding of the coefficients.

use super::double;
use std::f32::consts::LOG2_E;

/// Adding it rounds to an integer, which stands, plus 256, in the low nine bits of the sum.
const ROUND: f32 = 12_582_912.0 + 256.0;
/// ln 2 = `LN_2_HI` + `LN_2_LO`; the upper part has 9 bits, so that its product with an exponent is exact.
const LN_2_HI: f32 = 355.0 / 512.0;
const LN_2_LO: f32 = -2.121_944_4e-4;
const MANTISSA: u32 = (1 << 23) - 1;
/// The bits of √½, where [`ln`] cuts the binades.
const SQRT_HALF: u32 = 0x3f35_04f3;

/// Σ cᵢ xⁱ
#[inline(always)]
fn polynomial<const N: usize>(x: f32, c: [f32; N]) -> f32 {
    let mut sum = c[N - 1];
    for i in (0..N - 1).rev() {
        sum = sum * x + c[i];
    }
    sum
}

/// x = n ln 2 + hi + lo with |hi + lo| ≤ ½ ln 2.
struct Reduced {
    /// n + 256 in the low nine bits.
    bits: u32,
    hi: f32,
    lo: f32,
}

impl Reduced {
    #[inline(always)]
    fn new(x: f32) -> Self {
        let shifted = x * LOG2_E + ROUND;
        let n = shifted - ROUND;
        Reduced { bits: shifted.to_bits(), hi: x - n * LN_2_HI, lo: -(n * LN_2_LO) }
    }

    /// e^(hi + lo) − 1 − hi
    #[inline(always)]
    fn tail(&self) -> f32 {
        let r = self.hi + self.lo;
        // (eʳ − 1 − r) / r² on |r| ≤ ½ ln 2; the error is 2⁻²⁸ of eʳ.
        let q = polynomial(r, [0.499_999_94, 0.166_665_15, 0.041_668_296, 0.008_369_262, 0.001_381_876_9]);
        self.lo + r * r * q
    }

    /// y 2ⁿ for −254 ≤ n ≤ 254, in two steps: one factor alone would overflow before a subnormal result does.
    #[inline(always)]
    fn scale(&self, y: f32) -> f32 {
        let half = self.bits >> 1;
        let rest = self.bits.wrapping_sub(half);
        y * power_of_2(half.wrapping_sub(128)) * power_of_2(rest.wrapping_sub(128))
    }

    /// 2⁻ⁿ, also where it is subnormal or 0.
    #[inline(always)]
    fn inverse_power(&self) -> f32 {
        let half = self.bits >> 1;
        let rest = self.bits.wrapping_sub(half);
        power_of_2(128u32.wrapping_sub(half)) * power_of_2(128u32.wrapping_sub(rest))
    }
}

/// 2ⁿ from the low eight bits of n.
#[inline(always)]
fn power_of_2(n: u32) -> f32 {
    f32::from_bits(n.wrapping_add(127) << 23)
}

/// The smaller of two, and `x` if it is NaN: one `minps`, where `f32::min` needs three instructions.
#[inline(always)]
fn at_most(x: f32, limit: f32) -> f32 {
    if x > limit { limit } else { x }
}

/// The larger of two, and `x` if it is NaN.
#[inline(always)]
fn at_least(x: f32, limit: f32) -> f32 {
    if x < limit { limit } else { x }
}

/// The least x with a normal eˣ.
const LN_MIN_POSITIVE: f32 = -87.336_54;

/// eˣ; ∞ from 88.73 up, and 0 where it would be subnormal: below −87.34.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let r = Reduced::new(at_least(at_most(x, 89.0), LN_MIN_POSITIVE));
    let y = r.scale(1.0 + (r.hi + r.tail()));
    if x < LN_MIN_POSITIVE { 0.0 } else { y }
}

/// eˣ − 1; keeps −0.
#[inline(always)]
pub fn exp_m1(x: f32) -> f32 {
    let r = Reduced::new(at_least(at_most(x, 89.0), -18.0));
    // 2ⁿ (1 − 2⁻ⁿ + eʳ − 1), where 1 − 2⁻ⁿ is exact as long as it matters
    let y = (1.0 - r.inverse_power()) + r.hi + r.tail();
    r.scale(y).copysign(x)
}

/// x = m 2ⁿ with m in [√½, √2)
struct Split {
    n: f32,
    m: f32,
}

impl Split {
    /// For positive normal numbers.
    #[inline(always)]
    fn new(x: f32) -> Self {
        let shifted = x.to_bits().wrapping_add(0x3f80_0000 - SQRT_HALF);
        Split {
            n: ((shifted >> 23) as i32 - 127) as f32,
            m: f32::from_bits((shifted & MANTISSA) + SQRT_HALF),
        }
    }
}

/// ln(1 + f) + n ln 2 + extra for √½ ≤ 1 + f ≤ √2, where extra is tiny.
#[inline(always)]
fn ln_sum(f: f32, n: f32, extra: f32) -> f32 {
    // (ln(1 + f) − f + ½ f²) / f³; the error is 2⁻²⁷·³ of ln(1 + f).
    let r = polynomial(
        f,
        [
            0.333_333_3,
            -0.250_008_23,
            0.200_012_55,
            -0.166_233_5,
            0.142_012_98,
            -0.131_598_14,
            0.127_636_7,
            -0.076_372_91,
        ],
    );
    let square = f * f;
    let small = f * square * r + (n * LN_2_LO + extra) - 0.5 * square;
    (f + small) + n * LN_2_HI
}

/// Natural logarithm; −∞ at 0, NaN below.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    let subnormal = x < f32::MIN_POSITIVE;
    let normal = if subnormal { x * 8_388_608.0 } else { x };
    let Split { n, m } = Split::new(normal);
    let n = if subnormal { n - 23.0 } else { n };
    let y = ln_sum(m - 1.0, n, 0.0);
    let y = if x < f32::INFINITY { y } else { x };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x < 0.0 { f32::NAN } else { y }
}

/// ln(1 + x); keeps −0, −∞ at −1, NaN below.
#[inline(always)]
pub fn ln_1p(x: f32) -> f32 {
    let sum = 1.0 + x;
    let lost = if x < 1.0 { x - (sum - 1.0) } else { 1.0 - (sum - x) };
    let Split { n, m } = Split::new(sum);
    let y = ln_sum(m - 1.0, n, lost / sum).copysign(x);
    let y = if x < f32::INFINITY { y } else { x };
    let y = if x == -1.0 { f32::NEG_INFINITY } else { y };
    if x < -1.0 { f32::NAN } else { y }
}

/// Hyperbolic tangent; ±1 from ±9.02 on.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let a = x.abs();
    let square = a * a;
    let r = Reduced::new(2.0 * at_most(a, 9.1));
    let power = r.scale(1.0 + (r.hi + r.tail()));
    // tanh a = a + a³ P(a²) / Q(a²) up to 0.625, with the denominator of a Padé approximant; the error is 2⁻³² of
    // tanh a. Above, tanh a = 1 − 2 / (e²ᵃ + 1). Both are a term and a quotient: one division serves.
    let near = a < 0.625;
    let p = polynomial(square, [-0.333_333_34, -0.001_742_792_4, 6.184_031e-5]);
    let q = polynomial(square, [1.0, 0.405_228_76]);
    let numerator = if near { a * square * p } else { -2.0 };
    let denominator = if near { q } else { power + 1.0 };
    let first = if near { a } else { 1.0 };
    (first + numerator / denominator).copysign(x)
}

/// 1 / (1 + e⁻ˣ); never overflows, and is 0 where eˣ is.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    // With e⁻ˣ = 2ⁿ eʳ: 2⁻ⁿ / (2⁻ⁿ + eʳ), which rounds once less than 1 / (1 + e⁻ˣ).
    let r = Reduced::new(at_least(at_most(-x, -LN_MIN_POSITIVE), -18.0));
    let power = r.inverse_power();
    // 2⁻ⁿ meets 1 where that is exact, and the small eʳ − 1 where it is not.
    let large = if power < 1e-4 { 0.0 } else { power };
    let y = power / ((large + 1.0) + (power - large + (r.hi + r.tail())));
    if x < LN_MIN_POSITIVE { 0.0 } else { y }
}

/// ln(1 + eˣ)
#[inline(always)]
pub fn softplus(x: f32) -> f32 {
    at_least(x, 0.0) + ln_1p(exp(-x.abs()))
}

/// Error function; ±1 from ±3.92 on.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let a = x.abs();
    let square = a * a;
    // (erf x / x − 1) as a polynomial in x² for |x| ≤ 0.9; the error is 2⁻³⁰ of erf x.
    let near = polynomial(
        square,
        [
            0.128_379_17,
            -0.376_126_3,
            0.112_836_24,
            -0.026_855_56,
            0.005_191_753,
            -0.000_803_975_3,
            7.943_1e-5,
        ],
    );
    // ln erfc x for 0.9 ≤ x ≤ 4; the error is 2⁻²⁹ in erfc x, hence in erf x.
    let far = polynomial(
        at_most(a, 4.0),
        [
            -0.000_177_496_6,
            -1.127_749_6,
            -0.637_059_75,
            -0.104_037_36,
            0.022_277_08,
            -0.003_055_602_5,
            0.000_197_180_81,
        ],
    );
    let far = (1.0 - exp(far)).copysign(x);
    if a < 0.9 { x + x * near } else { far }
}

/// e^(x²) erfc x for x ≥ 0.
#[inline(always)]
pub fn erfcx(x: f32) -> f32 {
    // With d = 1 / (x + 3.0) and t = (x − 3) / (x + 3.0): d P(t), for all x ≥ 0; the error is 2⁻²⁶.
    let d = 1.0 / (x + 3.0);
    let t = 1.0 - 6.0 * d;
    d * polynomial(
        t,
        [
            1.074_006_9,
            -0.883_394_3,
            0.590_228_44,
            -0.310_471_06,
            0.119_528_57,
            -0.026_804_097,
            -0.001_221_552_4,
            0.002_976_596,
            -0.000_520_534_9,
            -0.000_212_382_34,
            7.300_482e-5,
        ],
    )
}

/// e^(−x²), with what is lost as x² is rounded made good.
#[inline(always)]
pub fn gauss(x: f32) -> f32 {
    let x = at_most(x.abs(), 10.0);
    let square = x * x;
    // Dekker's product of x with itself, in halves of at most 12 bits.
    let upper = f32::from_bits(x.to_bits() & 0xffff_f000);
    let lower = x - upper;
    let lost = ((upper * upper - square) + 2.0 * upper * lower) + lower * lower;
    exp(-square) * (1.0 - lost)
}

/// |x| = (n + r) π/2 with |r| ≤ ½; the low two bits of n.
///
/// In `f64`, for every finite `f32`: 2/π is cut into pieces of 29 bits, whose products with the 24 bits of x are
/// exact, and a multiple of 4 quarter turns is dropped. What of 2/π is such a multiple depends on the binade of x,
/// so there are five sets of pieces.
#[inline(always)]
fn quarter_turns(x: f32) -> (u64, f64) {
    const BANDS: [(f32, [f64; 3]); 4] = [
        ((1u32 << 29) as f32, [0.011619772296398878, 7.118246487039515e-11, 1.0760572810738749e-19]),
        ((1u64 << 54) as f32, [1.4681663246252086e-9, 2.2760100671971816e-18, 5.881214749119912e-27]),
        ((1u128 << 79) as f32, [1.6153797803925804e-17, 7.696704847356705e-26, 1.668286766860824e-34]),
        ((1u128 << 104) as f32, [1.1109428133944797e-24, 9.372006500203007e-34, 4.420676015940119e-42]),
    ];
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let a = x.abs();
    let mut pieces = [0.636619770899415, 1.4681663246252086e-9, 2.276010073078396e-18];
    for (from, others) in BANDS {
        pieces = if a >= from { others } else { pieces };
    }
    let a = a as f64;
    let [first, second, third] = pieces.map(|piece| a * piece);
    let n1 = first + ROUND;
    let n2 = second + ROUND;
    let (r1, r2) = (first - (n1 - ROUND), second - (n2 - ROUND));
    let sum = r1 + r2;
    // What the sum lost (Knuth's two-sum): it matters where r1 + r2 is next to ±1.
    let part = sum - r1;
    let lost = (r1 - (sum - part)) + (r2 - part);
    let n3 = sum + ROUND;
    let r = (sum - (n3 - ROUND)) + (lost + third);
    (n1.to_bits().wrapping_add(n2.to_bits()).wrapping_add(n3.to_bits()), r)
}

/// sin(π/2 (n + r))
#[inline(always)]
fn sin_of_quarter_turns(n: u64, r: f64) -> f32 {
    let square = r * r;
    // Even and odd in r on |r| ≤ ½, in f64; the errors are 2⁻³³ and 2⁻³⁷.
    let cos = double::polynomial(
        square,
        [1.0, -1.2337005425853826, 0.2536692256225832, -0.0208601624340686, 0.0009037603173521039],
    );
    let sin = r * double::polynomial(
        square,
        [
            1.5707963267877356,
            -0.6459640961001528,
            0.07969258178928909,
            -0.004681260231453177,
            0.00015819417580289534,
        ],
    );
    let y = if n & 1 == 0 { sin } else { cos };
    f64::from_bits(y.to_bits() ^ (n & 2) << 62) as f32
}

/// Sine, for every finite number; NaN at ±∞.
#[inline(always)]
pub fn sin(x: f32) -> f32 {
    let (n, r) = quarter_turns(x);
    let y = sin_of_quarter_turns(n, r);
    f32::from_bits(y.to_bits() ^ (x.to_bits() & 1 << 31))
}

/// Cosine, for every finite number; NaN at ±∞.
#[inline(always)]
pub fn cos(x: f32) -> f32 {
    let (n, r) = quarter_turns(x);
    sin_of_quarter_turns(n.wrapping_add(1), r)
}

/// xʸ, with the special values of IEEE 754; by way of e^(y ln x) in `f64`.
#[inline(always)]
pub fn powf(x: f32, y: f32) -> f32 {
    let a = x.abs();
    let power = double::exp(y as f64 * double::ln(a as f64)) as f32;
    // 1ʸ and x⁰ are 1 even for NaN, and (±1)^±∞ = 1.
    let power = if y == 0.0 || x == 1.0 || (a == 1.0 && y.abs() == f32::INFINITY) { 1.0 } else { power };
    // From 2²⁴ on, every number is even.
    let size = at_most(y.abs(), 16_777_216.0);
    let shifted = size as f64 + double::ROUND_TO_INTEGER;
    let whole = shifted - double::ROUND_TO_INTEGER == size as f64;
    let odd = whole && shifted.to_bits() & 1 == 1;
    let power = if x < 0.0 && a < f32::INFINITY && !whole { f32::NAN } else { power };
    if x.is_sign_negative() && odd { -power } else { power }
}
