//! How accurate the elementary functions are, and what they do at the edges.
//!
//! `f32` is compared with `f64` at every `QUIETGRAD_SWEEP_STEP`-th of the 2³² bit patterns: 4099 by default; 1 is
//! the whole range and takes some minutes a function in release. The largest error is printed.

use quietgrad::Element;
use quietgrad::kernels::math::{double, single};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

/// |y − exact| in units of the last place of an `f32` next to `exact`; infinite if only one is NaN.
fn ulps_f32(y: f32, exact: f64) -> f64 {
    let unit = |x: f64| 2f64.powi(exponent(x).clamp(-126, 127) - 23);
    match (y.is_nan(), exact.is_nan()) {
        (true, true) => 0.0,
        (false, false) if y.is_infinite() && exact as f32 == y => 0.0,
        // An f32 that overflowed is one unit above the largest.
        (false, false) => ((y as f64).clamp(-2f64.powi(128), 2f64.powi(128)) - exact).abs() / unit(exact),
        _ => f64::INFINITY,
    }
}

/// The same for `f64`, against another `f64`.
fn ulps_f64(y: f64, other: f64) -> f64 {
    if y == other || y.is_nan() && other.is_nan() {
        return 0.0;
    }
    // Two steps, as 2⁻¹⁰⁷⁴ is no power that `powi` can reach.
    let place = exponent(other).clamp(-1022, 1023);
    let error = (y - other).abs() * 2f64.powi(-place / 2) * 2f64.powi(52 - (place - place / 2));
    if error.is_nan() { f64::INFINITY } else { error }
}

fn exponent(x: f64) -> i32 {
    (x.abs().to_bits() >> 52) as i32 - 1023
}

/// What a function makes of results below the smallest normal number.
#[derive(Clone, Copy)]
enum Ends {
    /// Subnormal numbers.
    Gradually,
    /// 0.
    AtOnce,
}

impl Ends {
    fn of(self, exact: f64, least: f64) -> f64 {
        if matches!(self, Ends::AtOnce) && exact.abs() < least { 0.0 } else { exact }
    }
}

/// e^(x²) erfc x; 0 below 0, where nothing is promised.
fn erfcx(x: f64) -> f64 {
    let z = 1.0 / (x * x);
    let far = [0.5, 1.5, 2.5, 3.5, 4.5].iter().rfold(1.0, |sum, c| 1.0 - c * z * sum)
        / (x * std::f64::consts::PI.sqrt());
    if x < 20.0 { libm::exp(x * x) * libm::erfc(x) } else { far }
}

fn softplus(x: f64) -> f64 {
    if x > 0.0 { x + libm::log1p(libm::exp(-x)) } else { libm::log1p(libm::exp(x)) }
}

fn sigmoid(x: f64) -> f64 {
    if x > 0.0 { 1.0 / (1.0 + libm::exp(-x)) } else { libm::exp(x) / (1.0 + libm::exp(x)) }
}

fn sweep_f32(name: &str, bound: f64, f: fn(f32) -> f32, exact: fn(f64) -> f64, ends: Ends) {
    let step = std::env::var("QUIETGRAD_SWEEP_STEP").map_or(4099, |step| step.parse().expect("a number"));
    let mut worst = (0.0, 0.0);
    for bits in (0..=u32::MAX).step_by(step) {
        let x = f32::from_bits(bits);
        let error = ulps_f32(f(x), ends.of(exact(x as f64), f32::MIN_POSITIVE as f64));
        if error > worst.0 {
            worst = (error, x);
        }
    }
    println!("{name} f32: {:.3} ulp at {:e}", worst.0, worst.1);
    assert!(worst.0 <= bound, "{name}({:e}) is off by {} ulp", worst.1, worst.0);
}

/// Arguments of every size and sign, and many of the size where functions bend.
fn arguments() -> impl Iterator<Item = f64> {
    let mut random = SmallRng::seed_from_u64(1);
    (0..100_000).map(move |i| match i % 4 {
        0 => f64::from_bits(random.random()),
        1 => random.random_range(-750.0..750.0),
        2 => random.random_range(-6.0..6.0),
        _ => random.random_range(-1.0..1.0) * 2f64.powi(random.random_range(-40..20)),
    })
}

fn sample_f64(name: &str, bound: f64, f: fn(f64) -> f64, other: fn(f64) -> f64, ends: Ends) {
    for x in arguments() {
        let error = ulps_f64(f(x), ends.of(other(x), f64::MIN_POSITIVE));
        assert!(error <= bound, "{name}({x:e}) differs by {error} ulp");
    }
}

/// Bounds: the largest error in `f32`; the largest difference to another library, which errs too, in `f64`.
macro_rules! accuracy {
    ($($f32_test:ident, $f64_test:ident: $name:ident <= $f32_bound:literal, $f64_bound:literal, $other:expr, $ends:ident;)*) => {$(
        #[test]
        fn $f32_test() {
            sweep_f32(stringify!($name), $f32_bound, single::$name, $other, Ends::$ends);
        }

        #[test]
        fn $f64_test() {
            sample_f64(stringify!($name), $f64_bound, double::$name, $other, Ends::$ends);
        }
    )*};
}

accuracy! {
    exp_is_accurate_over_all_f32, exp_agrees_in_f64: exp <= 0.9, 1.0, libm::exp, AtOnce;
    exp_m1_is_accurate_over_all_f32, exp_m1_agrees_in_f64: exp_m1 <= 1.3, 2.0, libm::expm1, Gradually;
    ln_is_accurate_over_all_f32, ln_agrees_in_f64: ln <= 0.9, 1.0, libm::log, Gradually;
    ln_1p_is_accurate_over_all_f32, ln_1p_agrees_in_f64: ln_1p <= 0.9, 1.0, libm::log1p, Gradually;
    tanh_is_accurate_over_all_f32, tanh_agrees_in_f64: tanh <= 1.4, 3.0, libm::tanh, Gradually;
    sigmoid_is_accurate_over_all_f32, sigmoid_agrees_in_f64: sigmoid <= 1.8, 4.0, sigmoid, AtOnce;
    softplus_is_accurate_over_all_f32, softplus_agrees_in_f64: softplus <= 1.7, 3.0, softplus, AtOnce;
    erf_is_accurate_over_all_f32, erf_agrees_in_f64: erf <= 1.4, 2.0, libm::erf, Gradually;
    sin_is_accurate_over_all_f32, sin_agrees_in_f64: sin <= 0.51, 1.0, libm::sin, Gradually;
    cos_is_accurate_over_all_f32, cos_agrees_in_f64: cos <= 0.51, 1.0, libm::cos, Gradually;
    gauss_is_accurate_over_all_f32, gauss_agrees_in_f64: gauss <= 1.9, 1000.0, |x| libm::exp(-x * x), AtOnce;
}

#[test]
fn powf_is_accurate_in_f32() {
    let mut random = SmallRng::seed_from_u64(2);
    for _ in 0..200_000 {
        let (x, y) = match random.random_range(0..3) {
            0 => (f32::from_bits(random.random()), f32::from_bits(random.random())),
            1 => (f32::from_bits(random.random()), random.random_range(-8..8) as f32),
            _ => (random.random_range(0.0..10.0), random.random_range(-20.0..20.0)),
        };
        let error = ulps_f32(single::powf(x, y), libm::pow(x as f64, y as f64));
        assert!(error <= 0.51, "{x:e} to the {y:e} is off by {error} ulp");
    }
}

#[test]
fn powf_has_the_special_values_of_the_standard() {
    let special =
        [0.0, 0.5, 1.0, 2.0, 3.0, 16_777_215.0, 16_777_216.0, 1e30, f32::MIN_POSITIVE, 1e-45, f32::INFINITY];
    let special = || special.into_iter().flat_map(|x| [x, -x]).chain([f32::NAN]);
    for x in special() {
        for y in special() {
            let (ours, expected) = (single::powf(x, y), libm::pow(x as f64, y as f64) as f32);
            assert!(same(ours, expected), "{x} to the {y} is {ours}, not {expected}");
        }
    }
}

/// Equal to the bit, any NaN being like another.
fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
}

macro_rules! edges {
    ($test:ident: $t:ty) => {
        #[test]
        fn $test() {
            let (inf, nan) = (<$t>::INFINITY, <$t>::NAN);
            let check = |name: &str, f: fn($t) -> $t, pairs: &[($t, $t)]| {
                for &(x, y) in pairs {
                    let got = f(x);
                    let same = got.to_bits() == y.to_bits() || got.is_nan() && y.is_nan();
                    assert!(same, "{name}({x:e}) is {got:e}, not {y:e}");
                }
                assert!(f(nan).is_nan(), "{name}(NaN) is {}", f(nan));
            };
            check(
                "exp",
                Element::exp,
                &[(0.0, 1.0), (-0.0, 1.0), (inf, inf), (-inf, 0.0), (1e4, inf), (-1e4, 0.0)],
            );
            check(
                "exp_m1",
                Element::exp_m1,
                &[(0.0, 0.0), (-0.0, -0.0), (inf, inf), (-inf, -1.0), (1e4, inf)],
            );
            check(
                "ln",
                Element::ln,
                &[(1.0, 0.0), (0.0, -inf), (-0.0, -inf), (inf, inf), (-1.0, nan), (-inf, nan)],
            );
            check(
                "ln_1p",
                Element::ln_1p,
                &[(0.0, 0.0), (-0.0, -0.0), (-1.0, -inf), (inf, inf), (-1.5, nan)],
            );
            check("tanh", Element::tanh, &[(0.0, 0.0), (-0.0, -0.0), (inf, 1.0), (-inf, -1.0), (30.0, 1.0)]);
            check(
                "sigmoid",
                Element::sigmoid,
                &[(0.0, 0.5), (inf, 1.0), (-inf, 0.0), (60.0, 1.0), (-1e4, 0.0)],
            );
            check("softplus", Element::softplus, &[(inf, inf), (-inf, 0.0), (1e4, 1e4), (-1e4, 0.0)]);
            check("erf", Element::erf, &[(0.0, 0.0), (-0.0, -0.0), (inf, 1.0), (-inf, -1.0), (7.0, 1.0)]);
            check("sin", Element::sin, &[(0.0, 0.0), (-0.0, -0.0), (inf, nan), (-inf, nan)]);
            check("cos", Element::cos, &[(0.0, 1.0), (-0.0, 1.0), (inf, nan), (-inf, nan)]);

            let tiny = <$t>::from_bits(1);
            for f in [Element::exp_m1, Element::ln_1p, Element::tanh, Element::sin] as [fn($t) -> $t; 4] {
                assert_eq!((f(tiny), f(-tiny)), (tiny, -tiny));
            }
        }
    };
}

edges! { limits_and_signs_of_zero_are_right_in_f32: f32 }
edges! { limits_and_signs_of_zero_are_right_in_f64: f64 }

#[test]
fn exp_and_sigmoid_end_at_the_smallest_normal_number() {
    for f in [single::exp, single::sigmoid] {
        let least = f(-87.336_54);
        assert!((1.0..1.0001).contains(&(least / f32::MIN_POSITIVE)), "{least:e}");
        assert_eq!(f((-87.336_54f32).next_down()), 0.0);
    }
    for f in [double::exp, double::sigmoid] {
        let least = f(-708.3964185322641);
        assert!((1.0..1.0001).contains(&(least / f64::MIN_POSITIVE)), "{least:e}");
        assert_eq!(f((-708.3964185322641f64).next_down()), 0.0);
    }
}

#[test]
fn erfcx_is_accurate_from_0_up() {
    let (mut worst, mut worst_f64) = (0.0f64, 0.0f64);
    for bits in (0..f32::INFINITY.to_bits()).step_by(4099) {
        let x = f32::from_bits(bits);
        worst = worst.max(ulps_f32(single::erfcx(x), erfcx(x as f64)));
        worst_f64 = worst_f64.max((double::erfcx(x as f64) / erfcx(x as f64) - 1.0).abs());
    }
    println!("erfcx f32: {worst:.3} ulp; f64: {worst_f64:.1e} relative");
    assert!(worst <= 8.0, "{worst} ulp");
    // The reference squares x, and so loses 400 · 2⁻⁵³ itself.
    assert!(worst_f64 <= 1e-13, "{worst_f64:e}");
    assert_eq!((single::erfcx(f32::INFINITY), double::erfcx(f64::INFINITY)), (0.0, 0.0));
}
