//! Every elementwise function at both ends of its domain, against 800-digit arithmetic (`tests/golden/tails.py`).
//!
//! `cargo test --test main tails -- --nocapture` prints the largest errors, the tables of
//! `docs/numbers-at-the-edges.md`.

use std::collections::{BTreeSet, HashMap};

use quietgrad::pointwise::{
    Abs, AbsPowf, Binary, BinaryRule, DivBy, DivInto, Elu, Log1pSquare, Pow, Powf, Relu, Sign, Unary,
    UnaryRule,
};
use quietgrad::{Dual, Element, Params, Tape, Tensor, derivatives, scalar};

use crate::golden::arrays::{Stored, stored, words};

/// The recorded arrays, by name.
struct Exact(HashMap<String, Vec<f64>>);

impl Exact {
    fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/tails.safetensors");
        let bytes = std::fs::read(path).expect("a file of arrays");
        let array = |stored: Stored| {
            let numbers = match &stored.kind[..] {
                "F32" => words(stored.bytes).map(|b| f64::from(f32::from_le_bytes(b))).collect(),
                "F64" => words(stored.bytes).map(f64::from_le_bytes).collect(),
                other => panic!("{} is of type {other}", stored.name),
            };
            (stored.name, numbers)
        };
        Exact(stored(&bytes).into_iter().map(array).collect())
    }

    /// The array of a line with its constants.
    fn of(&self, table: &str, name: &str, arguments: &str, used: &mut BTreeSet<String>) -> &[f64] {
        let numbers = |text: &str| -> Vec<f64> {
            text.split_whitespace().map(|number| number.parse().expect("a number")).collect()
        };
        let is_it = |key: &str| {
            let rest = key.strip_prefix(table).and_then(|rest| rest.strip_prefix(name));
            rest.is_some_and(|rest| {
                rest.is_empty() || rest.starts_with(' ') && numbers(rest) == numbers(arguments)
            })
        };
        let key = self.0.keys().find(|key| is_it(key));
        let key =
            key.unwrap_or_else(|| panic!("tests/golden/tails.py does not know {table}{name} {arguments}"));
        used.insert(key.clone());
        &self.0[key]
    }

    /// Nothing was recorded in vain.
    fn all_used(&self, table: &str, used: &BTreeSet<String>) {
        let of_table = self.0.keys().filter(|key| key.starts_with(table) && !key.ends_with("/x"));
        let left: Vec<_> = of_table.filter(|key| !used.contains(*key)).collect();
        assert!(left.is_empty(), "recorded, but not tested: {left:?}");
    }
}

/// A type, and what is promised of it.
struct Promise {
    name: &'static str,
    /// The smallest normal number.
    least: f64,
    largest: f64,
    /// Relative error of values and slopes.
    tolerance: f64,
}

const SINGLE: Promise =
    Promise { name: "f32", least: f32::MIN_POSITIVE as f64, largest: f32::MAX as f64, tolerance: 1e-5 };
const DOUBLE: Promise =
    Promise { name: "f64", least: f64::MIN_POSITIVE, largest: f64::MAX, tolerance: 1e-12 };

impl Promise {
    /// The relative error, where the exact value is a normal number. Where it is smaller, ours must be as well, and
    /// never NaN where a value exists.
    fn error(&self, ours: f64, exact: f64) -> f64 {
        match exact.abs() {
            size if size.is_nan() => 0.0,
            size if size < self.least => {
                if ours.abs() <= self.least {
                    0.0
                } else {
                    f64::INFINITY
                }
            }
            size if size > self.largest => {
                if ours.abs() > self.largest / 2.0 {
                    0.0
                } else {
                    f64::INFINITY
                }
            }
            size if ours.is_nan() || ours.is_infinite() => size + f64::INFINITY,
            size => (ours - exact).abs() / size,
        }
    }
}

/// Where the range of a type, or a zero of the slope inside the domain, sets a limit: docs/numbers-at-the-edges.md names
/// each. Gives the error that is allowed besides.
fn exception(promise: &Promise, name: &str, what: &str, [a, b]: [f64; 2]) -> f64 {
    match (name, what) {
        // |x| / √s overflows
        ("log1p_square", _) if a.abs() / b.sqrt() > promise.largest => f64::INFINITY,
        // σ(z) − t passes through 0: the rounding of t remains
        ("bce_with_logits", "slope by a") => promise.tolerance * 1e-2 * b,
        // aᵇ underflows, and with it what is made of aᵇ ln a
        ("pow", "second") if a != 0.0 && a.abs().powf(b) == 0.0 => f64::INFINITY,
        _ => 0.0,
    }
}

/// f, f′ and f″ at x.
fn at<T: Element>(line: Unary, x: T) -> [f64; 3] {
    let along = Dual::new(x, T::ONE);
    let y = line.f(x);
    let bend = line.df(along, line.f(along)).tangent;
    [y, line.df(x, y), bend].map(Element::to_f64)
}

/// f, its slopes, and its second derivatives by aa, ab and bb.
fn at_pair<T: Element>(line: Binary, a: T, b: T) -> [f64; 6] {
    let y = line.f(a, b);
    let along = |da: T, db: T| {
        let (a, b) = (Dual::new(a, da), Dual::new(b, db));
        let y = line.f(a, b);
        [line.da(a, b, y).tangent, line.db(a, b, y).tangent]
    };
    let [aa, ab] = along(T::ONE, T::ZERO);
    let [_, bb] = along(T::ZERO, T::ONE);
    [y, line.da(a, b, y), line.db(a, b, y), aa, ab, bb].map(Element::to_f64)
}

/// Every line with its constants of the table, and others that matter for the ends.
fn unary_lines() -> Vec<Unary> {
    let mut lines = Unary::all();
    let powers = [0.0, 1.0, 2.0, 3.0, -1.0, -2.0, 0.5, -0.5, 0.1];
    lines.extend(powers.map(|exponent| Unary::Powf(Powf { exponent })));
    lines.extend([0.5, 1.0, 1.5, 2.0, 3.0].map(|exponent| Unary::AbsPowf(AbsPowf { exponent })));
    lines.extend([49.0, 1e-10].map(|divisor| Unary::DivBy(DivBy { divisor })));
    lines.push(Unary::DivInto(DivInto { dividend: 1e20 }));
    lines.push(Unary::Elu(Elu { alpha: 1.0 }));
    lines.push(Unary::Log1pSquare(Log1pSquare { s: 1e-4 }));
    lines
}

/// The line's first constant.
fn constant(line: &Unary) -> f64 {
    line.arguments().split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

/// The largest error below −1, between −1 and 1, and above 1.
#[derive(Default)]
struct Worst([f64; 3]);

impl Worst {
    fn see(&mut self, x: f64, error: f64) {
        let part = if x < -1.0 {
            0
        } else if x <= 1.0 {
            1
        } else {
            2
        };
        self.0[part] = self.0[part].max(error);
    }

    fn row(&self) -> String {
        self.0.map(|error| format!("{error:.1e}")).join(" | ")
    }
}

fn unary<T: Element>(promise: &Promise, element: fn(f64) -> T) {
    let (exact, mut used, mut wrong) = (Exact::read(), BTreeSet::new(), Vec::new());
    let table = format!("unary/{}/", promise.name);
    let xs = &exact.0[&format!("{table}x")];
    println!("| {} | value, x < −1 | within | x > 1 | slope, x < −1 | within | x > 1 |", promise.name);
    for line in unary_lines() {
        let name = format!("{} {}", line.name(), line.arguments());
        let columns = exact.of(&table, line.name(), &line.arguments(), &mut used);
        let mut worst = [Worst::default(), Worst::default()];
        for (i, &x) in xs.iter().enumerate() {
            let ours = at(line, element(x));
            for (k, what) in ["value", "slope"].into_iter().enumerate() {
                let truth = columns[k * xs.len() + i];
                let error = promise.error(ours[k], truth);
                if exception(promise, line.name(), what, [x, constant(&line)]) > 0.0 {
                    continue;
                }
                worst[k].see(x, error);
                if error > promise.tolerance {
                    wrong.push(format!("{what} of {name} at {x:e}: {:e}, exactly {truth:e}", ours[k]));
                }
            }
        }
        println!("| {} | {} | {} |", name.trim_end(), worst[0].row(), worst[1].row());
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    exact.all_used(&table, &used);
}

fn binary<T: Element>(promise: &Promise, element: fn(f64) -> T) {
    let (exact, mut used, mut wrong) = (Exact::read(), BTreeSet::new(), Vec::new());
    let table = format!("binary/{}/", promise.name);
    for line in Binary::all() {
        let columns = exact.of(&table, line.name(), &line.arguments(), &mut used);
        let count = columns.len() / 8;
        let mut worst = [0.0f64; 3];
        for i in 0..count {
            let [a, b] = [0, 1].map(|k| columns[k * count + i]);
            let ours = at_pair(line, element(a), element(b));
            for (k, what) in ["value", "slope by a", "slope by b"].into_iter().enumerate() {
                let truth = columns[(k + 2) * count + i];
                let error = promise.error(ours[k], truth);
                let allowed = exception(promise, line.name(), what, [a, b]);
                if (ours[k] - truth).abs() <= allowed {
                    continue;
                }
                worst[k] = worst[k].max(error);
                if error > promise.tolerance {
                    let name = line.name();
                    wrong.push(format!("{what} of {name} at {a:e}, {b:e}: {:e}, exactly {truth:e}", ours[k]));
                }
            }
        }
        println!("| {} | {} |", line.name(), worst.map(|error| format!("{error:.1e}")).join(" | "));
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    exact.all_used(&table, &used);
}

#[test]
fn every_unary_function_is_accurate_at_both_ends_in_f32() {
    unary(&SINGLE, |x| x as f32);
}

#[test]
fn every_unary_function_is_accurate_at_both_ends_in_f64() {
    unary(&DOUBLE, |x| x);
}

#[test]
fn every_binary_function_is_accurate_at_both_ends_in_f32() {
    binary(&SINGLE, |x| x as f32);
}

#[test]
fn every_binary_function_is_accurate_at_both_ends_in_f64() {
    binary(&DOUBLE, |x| x);
}

/// Second derivatives are asked for where value and slopes, the first of these, do not leave the range of the type.
fn at_hand<const N: usize>(exact: [f64; N]) -> [f64; N] {
    let within = |x: &f64| *x == 0.0 || (f64::MIN_POSITIVE..=f64::MAX).contains(&x.abs()) || x.is_nan();
    if exact[..N.div_ceil(2)].iter().all(within) { exact } else { [f64::NAN; N] }
}

#[test]
fn second_derivatives_hold_in_the_tails() {
    let (exact, mut used, mut wrong) = (Exact::read(), BTreeSet::new(), Vec::new());
    let xs = &exact.0["unary/f64/x"];
    for line in unary_lines() {
        let columns = exact.of("unary/f64/", line.name(), &line.arguments(), &mut used);
        for (i, &x) in xs.iter().enumerate() {
            let [_, slope, bend] = at(line, x);
            let [_, _, truth] = at_hand([0, 1, 2].map(|k| columns[k * xs.len() + i]));
            let limited = exception(&DOUBLE, line.name(), "second", [x, constant(&line)]) > 0.0;
            let error = DOUBLE.error(bend, truth);
            // Where it crosses 0, near x = 0, it is a difference of numbers of the slope's size.
            let near = x.abs() < 3.0 && (bend - truth).abs() <= 1e-14 * slope.abs();
            let right = error <= 1e-11;
            if !right && !near && !limited {
                wrong.push(format!(
                    "{} {} at {x:e}: {bend:e}, exactly {truth:e}",
                    line.name(),
                    line.arguments()
                ));
            }
        }
    }
    for line in Binary::all() {
        let columns = exact.of("binary/f64/", line.name(), &line.arguments(), &mut used);
        let count = columns.len() / 8;
        for i in 0..count {
            let [a, b] = [0, 1].map(|k| columns[k * count + i]);
            let ours = at_pair(line, a, b);
            let exact = at_hand([0, 1, 2, 3, 4, 5].map(|k| columns[(k + 2) * count + i]));
            for k in 3..6 {
                let truth = exact[k];
                let limited = exception(&DOUBLE, line.name(), "second", [a, b]) > 0.0;
                let right = DOUBLE.error(ours[k], truth) <= 1e-11;
                if !limited && !right {
                    let name = line.name();
                    wrong.push(format!(
                        "number {k} of {name} at {a:e}, {b:e}: {:e}, exactly {truth:e}",
                        ours[k]
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn powers_at_zero_have_the_second_derivatives_of_their_limits() {
    let of = |line: Unary, x: f64| at(line, x);
    let power = |exponent| of(Unary::Powf(Powf { exponent }), 0.0);
    assert_eq!(power(0.0), [1.0, 0.0, 0.0]);
    assert_eq!(power(1.0), [0.0, 1.0, 0.0]);
    assert_eq!(power(2.0), [0.0, 0.0, 2.0]);
    assert_eq!(power(3.0), [0.0, 0.0, 0.0]);
    assert_eq!(power(1.5), [0.0, 0.0, f64::INFINITY]);
    assert_eq!(of(Unary::AbsPowf(AbsPowf { exponent: 2.0 }), 0.0), [0.0, 0.0, 2.0]);
    assert_eq!(of(Unary::AbsPowf(AbsPowf { exponent: 1.0 }), 0.0), [0.0; 3]);
    for line in [Unary::Abs(Abs {}), Unary::Sign(Sign {}), Unary::Relu(Relu {})] {
        assert_eq!(of(line, 0.0), [0.0; 3], "{}", line.name());
    }
    let pow = |a: f64, b: f64| at_pair(Binary::Pow(Pow {}), a, b);
    assert_eq!(pow(0.0, 1.0)[..4], [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(pow(0.0, 2.0)[..4], [0.0, 0.0, 0.0, 2.0]);
    assert_eq!(pow(0.0, 0.0)[..4], [1.0, 0.0, 0.0, 0.0]);
    assert_eq!(pow(-2.0, 3.0)[..2], [-8.0, 12.0]);
    assert_eq!(pow(-2.0, 3.0)[3], -12.0);
}

#[test]
fn hessians_of_whole_powers_at_zero_are_finite() {
    for (exponent, expected) in [(1.0, 0.0), (2.0, 2.0), (3.0, 0.0)] {
        let hessian = derivatives::hessian(&Tensor::from([0.0, 3.0]), |x| x.powf(exponent).sum());
        assert_eq!(hessian.data()[0], expected, "x to the {exponent}");
    }
}

/// Whether a number is subnormal.
fn lingers<T: Element>(x: T, least: f64) -> bool {
    let size = x.to_f64().abs();
    size > 0.0 && size < least
}

/// No value and no slope of a function that is made of exponentials is a subnormal number.
fn none_lingers<T: Element>(least: f64, element: fn(f64) -> T, band: (f64, f64)) {
    let exponential = "exp expm1 elu selu gelu gelu_tanh silu tanh sigmoid softplus mish log_sigmoid erf";
    let lines: Vec<_> = Unary::all()
        .into_iter()
        .filter(|line| exponential.split(' ').any(|name| name == line.name()))
        .collect();
    assert_eq!(lines.len(), 13);
    for step in 0..=4000 {
        let size = f64::from(step) / 4000.0 * (band.1 - band.0) + band.0;
        // Where e^−x, e^−x², e^(−½x²), e^−2x and e^−2u of gelu_tanh leave the normal numbers.
        let places = [size, size.sqrt(), (2.0 * size).sqrt(), size / 2.0, (size / 0.0713).cbrt()];
        for x in places.into_iter().flat_map(|x| [x, -x]) {
            for line in &lines {
                let (x, y) = (element(x), line.f(element(x)));
                let both = [y, line.df(x, y)];
                assert!(!both.iter().any(|&y| lingers(y, least)), "{} at {x}: {both:?}", line.name());
            }
        }
    }
}

#[test]
fn what_is_made_of_exponentials_is_never_subnormal() {
    none_lingers(SINGLE.least, |x| x as f32, (80.0, 110.0));
    none_lingers(DOUBLE.least, |x| x, (690.0, 760.0));
}

#[test]
fn a_quotient_by_a_number_is_rounded_once() {
    let params = Params::new();
    let mut tape = Tape::<f64>::new();
    let r = tape.record(&params);
    let x = r.input(&Tensor::from([49.0, 1e-300, 3.0, 5.0]));
    assert_eq!((x / 49.0).value().data()[0], 1.0);
    assert_eq!((x / 1e-310).value().data()[1], 1e-300 / 1e-310);
    assert_eq!((1e300 / (x * 1e300)).value().data()[0], 1e300 / (49.0 * 1e300));
    for c in [3.0, 10.0, -7.0, 0.25, -1024.0, 1e-310, 2f64.powi(-1070), 2f64.powi(1023), f64::INFINITY] {
        let exact = |f: fn(f64, f64) -> f64| x.value().data().iter().map(|&x| f(x, c)).collect::<Vec<_>>();
        assert_eq!((x / c).value().data(), exact(|x, c| x / c), "x / {c}");
        assert_eq!((c / x).value().data(), exact(|x, c| c / x), "{c} / x");
    }
    let mut grads = params.zeros();
    (x * 1.0 / 10.0).vjp(&Tensor::from([3.0, 1.0, 1.0, 1.0]), &mut grads);
    assert_eq!(x.gradient().expect("it flowed").data()[0], 3.0 / 10.0);
    (x / 1e-310).vjp(&Tensor::from([1e-5, 1.0, 1.0, 1.0]), &mut grads);
    assert_eq!(x.gradient().expect("it flowed").data()[0], 1e-5 / 1e-310);
}

#[test]
fn scalars_divide_exactly() {
    let tape = scalar::Tape::new();
    assert_eq!((tape.var(49.0) / 49.0).value(), 1.0);
    assert_eq!((tape.var(1e-300) / 1e-310).value(), 1e-300 / 1e-310);
    assert_eq!((7.0 / tape.var(3.0)).value(), 7.0 / 3.0);
}

#[test]
fn saturated_units_keep_their_slopes() {
    let params = Params::new();
    let mut tape = Tape::<f32>::new();
    let r = tape.record(&params);
    let x = r.input(&Tensor::from([17.0, 40.0, -17.0, -40.0]));
    let mut grads = params.zeros();
    for (y, [at_17, at_40]) in
        [(x.sigmoid(), [4.139_937e-8, 4.248_354e-18]), (x.tanh(), [6.855_634e-15, 7.219_406e-35])]
    {
        y.sum().backward(&mut grads);
        let slopes = x.gradient().expect("it flowed");
        for (slope, expected) in slopes.data().iter().zip([at_17, at_40, at_17, at_40]) {
            assert!((slope / expected - 1.0f32).abs() < 1e-5, "{slope:e}, not {expected:e}");
        }
    }
    let ones = r.constant(&Tensor::from([1.0, 1.0, 0.0, 0.0]));
    quietgrad::loss::bce_with_logits(x, ones).backward(&mut grads);
    let slopes = x.gradient().expect("it flowed");
    for (slope, expected) in
        slopes.data().iter().zip([-4.139_937e-8, -4.248_354e-18, 4.139_937e-8, 4.248_354e-18])
    {
        assert!((4.0 * slope / expected - 1.0f32).abs() < 1e-5, "{slope:e}, not {expected:e} / 4");
    }
}
