//! Eleven ways to a sparse code, on the same small network and data: which give exact zeros, and at what price?
//!
//! A sparse autoencoder of handwritten digits, 64 pixels to 256 units and back, is trained with each of them at several
//! strengths, and then at the strength at which 10 % of the pixels' variance stay unexplained, so that they can be
//! compared. Prints a table and writes `docs/figures/which_norm.svg`, which `docs/which-norm.md` explains. A seed
//! other than 0 is an argument (`-- 1`): then only the table is printed. With `QUIETGRAD_QUICK=1` the training is cut short
//! and nothing is written.

#[path = "data/digits.rs"]
mod digits;

use std::fmt::Write;

use digits::PIXELS;
use quietgrad::nn::{Dense, Init};
use quietgrad::optim::{Adam, Optimizer, Schedule};
use quietgrad::{Params, Random, Tape, Tensor, Var, loss, reg};

const UNITS: usize = 256;
const BATCH: usize = 128;
/// The share of the variance that stays unexplained in the comparison.
const GOAL: f64 = 0.1;

/// A way to a sparse code.
struct Method {
    name: &'static str,
    formula: &'static str,
    color: &'static str,
    dashes: &'static str,
    /// Codes from pre-activations, given the strength.
    code: for<'r> fn(Var<'r, f32>, f64) -> Var<'r, f32>,
    /// What is added to the loss for codes, given the strength.
    penalty: for<'r> fn(Var<'r, f32>, f64) -> Option<Var<'r, f32>>,
    /// The weakest and the strongest that are tried.
    range: (f64, f64),
}

/// Fills in the fields of a [`Method`].
macro_rules! method {
    ($name:expr, $formula:expr, $color:expr, $dashes:expr, $range:expr, $code:expr, $penalty:expr) => {
        Method {
            name: $name,
            formula: $formula,
            color: $color,
            dashes: $dashes,
            code: $code,
            penalty: $penalty,
            range: $range,
        }
    };
}

fn methods() -> Vec<Method> {
    vec![
        method!("no penalty", "", "#8a8a8a", "none", (1.0, 1.0), |z, _| z.relu(), |_, _| None),
        method!("l2", "Σ h²", "#d9730d", "none", (0.05, 4.0), |z, _| z.relu(), |h, c| {
            Some(reg::l2(h).per_sample() * c)
        }),
        method!("log", "Σ ln(1 + h²/0.01)", "#c9a000", "none", (1e-3, 0.06), |z, _| z.relu(), |h, c| {
            Some(reg::log(h, 0.01).per_sample() * c)
        }),
        method!("l1", "Σ |h|", "#1f5fbf", "none", (5e-3, 0.5), |z, _| z.relu(), |h, c| {
            Some(reg::l1(h).per_sample() * c)
        }),
        method!("elastic net", "Σ |h| + Σ h²", "#5aa0e6", "6 3", (5e-3, 0.5), |z, _| z.relu(), |h, c| {
            Some(reg::elastic_net(h, c, c).per_sample())
        }),
        method!("lp, p = ½", "Σ √|h|", "#0b2d66", "2 2", (1e-3, 0.1), |z, _| z.relu(), |h, c| {
            Some(reg::lp(h, 0.5).per_sample() * c)
        }),
        method!("Hoyer", "Σ (Σ|h|)² / Σh²", "#2e8b57", "none", (1e-3, 0.1), |z, _| z.relu(), |h, c| {
            Some(reg::hoyer(h).per_sample() * c)
        }),
        method!(
            "group lasso",
            "Σ √8 ‖8 units‖",
            "#86c232",
            "6 3",
            (3e-3, 0.2),
            |z, _| z.relu(),
            |h, c| {
                let groups = h.reshape([h.shape()[0], UNITS / 8, 8]);
                Some(reg::group_lasso(groups, &[2]).per_sample() * c)
            }
        ),
        method!(
            "KL, sigmoid",
            "Σ KL(0.02 ‖ mean)",
            "#c2255c",
            "none",
            (0.1, 2.5),
            |z, _| z.sigmoid(),
            |h, c| { Some(reg::kl_sparsity(h, 0.02) * c) }
        ),
        method!("l1, no relu", "Σ |h|", "#8e44ad", "6 3", (0.07, 0.4), |z, _| z, |h, c| {
            Some(reg::l1(h).per_sample() * c)
        }),
        method!(
            "soft threshold",
            "threshold λ",
            "#333333",
            "2 2",
            (0.15, 0.6),
            |z, c| z.soft_threshold(c),
            |_, _| None
        ),
        method!(
            "top-k",
            "k largest",
            "#000000",
            "none",
            (64.0, 2.0),
            |z, c| z.relu().top_k(c as usize),
            |_, _| None
        ),
    ]
}

/// What came out of one training.
struct Outcome {
    strength: f64,
    /// The share of the variance that stays unexplained.
    unexplained: f64,
    /// The share of codes that are exactly 0.
    zeros: f64,
    /// The share of codes that are not 0, but less than a hundredth of the largest.
    small: f64,
    /// Units that are exactly 0 for every digit.
    dead: usize,
    /// How many codes fall into each part of the magnitudes' range.
    histogram: Vec<usize>,
}

impl Outcome {
    /// The strength in words. From 2 on it is a number of units, and whole.
    fn strength(&self) -> String {
        let whole = self.strength >= 2.0 || self.strength == 1.0;
        if whole { self.strength.floor().to_string() } else { format!("{:.4}", self.strength) }
    }

    /// Codes of a digit that are not 0.
    fn active(&self) -> f64 {
        (1.0 - self.zeros) * UNITS as f64
    }

    /// A row of the table.
    fn print(&self, name: &str) {
        println!(
            "{name:15} {:>9} {:11.1} % {:13.1} {:11.1} % {:16.1} % {:6}",
            self.strength(),
            100.0 * self.unexplained,
            self.active(),
            100.0 * self.zeros,
            100.0 * (self.zeros + self.small),
            self.dead,
        );
    }
}

/// The logarithms of the magnitudes that the histograms begin and end with, and their parts.
const MAGNITUDES: (f64, f64) = (-4.0, 0.5);
const PARTS: usize = 45;

fn main() {
    let quick = std::env::var_os("QUIETGRAD_QUICK").is_some();
    let seed = std::env::args().nth(1).map_or(0, |seed| seed.parse().expect("a seed: a whole number"));
    let (epochs, points) = if quick { (1, 2) } else { (60, 7) };
    // With one scale for all, so that the mean square length of a digit is 1.
    let pixels = digits::standardized();
    let length = pixels.data().iter().map(|x| x * x).sum::<f32>() / pixels.shape()[0] as f32;
    let pixels = pixels.map(|x| x / length.sqrt());

    println!("way              strength   unexplained   active (L0)   exact zeros   < 1 % of largest   dead");
    let mut results = Vec::new();
    for method in methods() {
        let (sweep, compared) = try_out(&method, points, |strength| {
            train(&pixels, &method, strength, Training { epochs, seed, bias: true })
        });
        compared.print(method.name);
        results.push((method, sweep, compared));
    }
    println!("\nwith the encoder's bias held at 0");
    for method in methods().into_iter().filter(|method| ["no penalty", "l2", "l1"].contains(&method.name)) {
        let (_, compared) = try_out(&method, points, |strength| {
            train(&pixels, &method, strength, Training { epochs, seed, bias: false })
        });
        compared.print(method.name);
    }
    if !quick && seed == 0 {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/figures/which_norm.svg");
        std::fs::write(path, figure(&results)).expect("a folder for figures");
        println!("\nwrote {path}");
    }
}

/// The outcomes over a method's range of strengths, and the one at the strength that leaves the goal unexplained.
fn try_out(method: &Method, points: usize, train: impl Fn(f64) -> Outcome) -> (Vec<Outcome>, Outcome) {
    let (weak, strong) = method.range;
    let points = if weak == strong { 1 } else { points };
    let strengths = (0..points).map(|i| weak * (strong / weak).powf(i as f64 / (points - 1).max(1) as f64));
    let sweep: Vec<_> = strengths.map(&train).collect();
    let compared = meet_goal(&sweep, train);
    (sweep, compared)
}

/// How to train.
#[derive(Clone, Copy)]
struct Training {
    epochs: usize,
    seed: u64,
    /// Whether the encoder's bias is learned. Else it stays 0.
    bias: bool,
}

fn train(pixels: &Tensor<f32>, method: &Method, strength: f64, training: Training) -> Outcome {
    let Training { epochs, seed, bias } = training;
    let mut random = Random::new(seed);
    let mut params = Params::new();
    let encoder = Dense::new(&mut params, "encoder", [PIXELS, UNITS], Init::HeNormal, &mut random);
    let decoder = Dense::new(&mut params, "decoder", [UNITS, PIXELS], Init::HeNormal, &mut random);
    let samples = pixels.shape()[0];
    let rate = Schedule::cosine(3e-3, 0.0, epochs * samples.div_ceil(BATCH));

    let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::new(rate.at(0)));
    let mut step = 0;
    for _ in 0..epochs {
        for batch in random.permutation(samples).chunks(BATCH) {
            normalize_rows(params.get_mut(decoder.w));
            let r = tape.record(&params);
            let x = r.constant_rows(pixels, batch);
            let h = (method.code)(encoder.forward(x), strength);
            // The mean over pixels, times their number: the squared length of what is not explained.
            let fit = loss::mse(decoder.forward(h), x) * PIXELS as f64;
            let total = (method.penalty)(h, strength).map_or(fit, |penalty| fit + penalty);
            total.backward(&mut grads);
            adam.set_lr(rate.at(step));
            adam.step(&mut params, &grads);
            if !bias {
                params.get_mut(encoder.b).fill(0.0);
            }
            step += 1;
        }
    }

    normalize_rows(params.get_mut(decoder.w));
    let r = tape.record(&params);
    let x = r.constant(pixels);
    let h = (method.code)(encoder.forward(x), strength);
    let unexplained = f64::from(loss::mse(decoder.forward(h), x).item()) * PIXELS as f64;
    measure(strength, unexplained, &h.value())
}

/// Each row of the decoder to length 1. Otherwise a penalty is escaped by small codes and large weights.
fn normalize_rows(w: &mut [f32]) {
    for row in w.chunks_exact_mut(PIXELS) {
        let length = row.iter().map(|w| w * w).sum::<f32>().sqrt();
        row.iter_mut().for_each(|w| *w /= length);
    }
}

fn measure(strength: f64, unexplained: f64, codes: &Tensor<f32>) -> Outcome {
    let h = codes.data();
    let largest = h.iter().fold(0.0, |largest: f32, h| largest.max(h.abs()));
    let share = |count: usize| count as f64 / h.len() as f64;
    let zeros = h.iter().filter(|&&h| h == 0.0).count();
    let small = h.iter().filter(|&&h| h != 0.0 && h.abs() < 0.01 * largest).count();
    let dead = (0..UNITS).filter(|&unit| codes.rows().all(|row| row[unit] == 0.0)).count();
    let mut histogram = vec![0; PARTS];
    for h in h.iter().filter(|&&h| h != 0.0) {
        let place = (f64::from(h.abs()).log10() - MAGNITUDES.0) / (MAGNITUDES.1 - MAGNITUDES.0);
        if (0.0..1.0).contains(&place) {
            histogram[(place * PARTS as f64) as usize] += 1;
        }
    }
    Outcome { strength, unexplained, zeros: share(zeros), small: share(small), dead, histogram }
}

/// The training whose unexplained share is nearest to the goal: between the two of a sweep that enclose it, by the rule
/// of false position for the logarithms.
fn meet_goal(sweep: &[Outcome], train: impl Fn(f64) -> Outcome) -> Outcome {
    let miss = |outcome: &Outcome| (outcome.unexplained / GOAL).ln();
    let point = |outcome: &Outcome| (outcome.strength.ln(), miss(outcome));
    let last = &sweep[sweep.len() - 1];
    let enclosing = sweep.windows(2).rev().find(|pair| miss(&pair[0]) * miss(&pair[1]) < 0.0);
    let Some([weaker, stronger]) = enclosing else { return train(last.strength) };
    let (mut a, mut b) = (point(weaker), point(stronger));
    let mut best: Option<Outcome> = None;
    for _ in 0..4 {
        let between = train((a.0 - a.1 * (b.0 - a.0) / (b.1 - a.1)).exp());
        let c = point(&between);
        if c.1 * a.1 > 0.0 {
            a = c
        } else {
            b = c
        }
        if best.as_ref().is_none_or(|best| miss(&between).abs() < miss(best).abs()) {
            best = Some(between);
        }
    }
    best.expect("four trials")
}

/// A figure as text.
struct Svg(String);

impl Svg {
    fn text(&mut self, (x, y): (f64, f64), style: &str, text: &str) {
        let text = text.replace('<', "&lt;");
        writeln!(self.0, r#"<text x="{x:.1}" y="{y:.1}" {style}>{text}</text>"#).expect("memory");
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), style: &str) {
        self.path(&[from, to], style);
    }

    fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), fill: &str) {
        let size = format!(r#"width="{width:.1}" height="{height:.1}""#);
        writeln!(self.0, r#"<rect x="{x:.1}" y="{y:.1}" {size} fill="{fill}"/>"#).expect("memory");
    }

    fn dot(&mut self, (x, y): (f64, f64), fill: &str) {
        writeln!(self.0, r#"<circle cx="{x:.1}" cy="{y:.1}" r="3" fill="{fill}"/>"#).expect("memory");
    }

    fn path(&mut self, points: &[(f64, f64)], style: &str) {
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        writeln!(self.0, r#"<polyline points="{}" {style}/>"#, points.join(" ")).expect("memory");
    }
}

/// An axis: from which to which value, and from which to which place on the page.
#[derive(Clone, Copy)]
struct Axis {
    values: (f64, f64),
    places: (f64, f64),
    logarithmic: bool,
}

impl Axis {
    fn place(self, value: f64) -> f64 {
        let at = |x: f64| if self.logarithmic { x.ln() } else { x };
        let ((lo, hi), (from, to)) = (self.values, self.places);
        from + (to - from) * (at(value) - at(lo)) / (at(hi) - at(lo))
    }
}

const GRID: &str = r##"fill="none" stroke="#e4e4e4""##;
const FRAME: &str = r##"fill="none" stroke="#777777""##;
const LABEL: &str = r##"font-size="12" fill="#444444""##;
const RIGHT: &str = r##"font-size="12" fill="#222222" text-anchor="end""##;
const LEFT: &str = r##"font-size="12" fill="#222222""##;
const MIDDLE: &str = r##"font-size="12" fill="#444444" text-anchor="middle""##;
const HEADING: &str = r##"font-size="15" font-weight="bold" fill="#222222""##;

impl Method {
    fn stroke(&self) -> String {
        format!(
            r#"fill="none" stroke="{}" stroke-width="2" stroke-dasharray="{}" stroke-linejoin="round""#,
            self.color, self.dashes
        )
    }
}

fn figure(results: &[(Method, Vec<Outcome>, Outcome)]) -> String {
    let mut svg = Svg(String::new());
    let font = "DejaVu Sans, Helvetica, Arial, sans-serif";
    let size = r#"viewBox="0 0 1000 1010" width="1000" height="1010""#;
    writeln!(svg.0, r#"<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{font}">"#)
        .expect("memory");
    writeln!(svg.0, "<title>Eleven ways to a sparse code of handwritten digits</title>").expect("memory");
    svg.rect((0.0, 0.0), (1000.0, 1010.0), "#ffffff");
    trade_off(&mut svg, results);
    legend(&mut svg, results);
    pulls(&mut svg, results);
    comparison(&mut svg, results);
    svg.0 + "</svg>\n"
}

/// Active units against what stays unexplained: a line for each way.
fn trade_off(svg: &mut Svg, results: &[(Method, Vec<Outcome>, Outcome)]) {
    let x = Axis { values: (0.03, 0.5), places: (70.0, 480.0), logarithmic: true };
    let y = Axis { values: (2.0, 300.0), places: (390.0, 70.0), logarithmic: true };
    svg.text((20.0, 32.0), HEADING, "What sparsity costs");
    svg.text((20.0, 52.0), LABEL, "active units for a digit, of 256 (log scale)");
    for active in [2, 4, 8, 16, 32, 64, 128, 256] {
        let at = y.place(f64::from(active));
        svg.line((x.places.0, at), (x.places.1, at), GRID);
        svg.text((x.places.0 - 8.0, at + 4.0), RIGHT, &active.to_string());
    }
    for percent in [3, 5, 10, 20, 40] {
        let at = x.place(f64::from(percent) / 100.0);
        svg.line((at, y.places.0), (at, y.places.1), if percent == 10 { FRAME } else { GRID });
        svg.text((at, y.places.0 + 18.0), MIDDLE, &format!("{percent} %"));
    }
    svg.text((275.0, y.places.0 + 40.0), MIDDLE, "variance that stays unexplained (log scale)");
    svg.text((x.place(GOAL) - 7.0, y.place(2.0) - 12.0), RIGHT, "compared below");
    svg.text((x.places.1 - 4.0, y.place(256.0) + 18.0), RIGHT, "KL, l1 with no relu: never exactly 0");
    svg.line((x.places.0, y.places.0), (x.places.1, y.places.0), FRAME);
    svg.line((x.places.0, y.places.0), (x.places.0, y.places.1), FRAME);
    for (method, sweep, _) in results {
        let inside =
            |outcome: &&Outcome| outcome.unexplained < x.values.1 && outcome.unexplained > x.values.0;
        let at = |outcome: &Outcome| (x.place(outcome.unexplained), y.place(outcome.active()));
        let points: Vec<_> = sweep.iter().filter(inside).map(at).collect();
        svg.path(&points, &method.stroke());
        points.iter().for_each(|&point| svg.dot(point, method.color));
    }
}

/// The names of the lines, between the two panels that share them.
fn legend(svg: &mut Svg, results: &[(Method, Vec<Outcome>, Outcome)]) {
    for (i, (method, ..)) in results.iter().enumerate() {
        let y = 90.0 + 25.0 * i as f64;
        svg.line((505.0, y), (537.0, y), &method.stroke());
        svg.dot((521.0, y), method.color);
        svg.text((545.0, y + 4.0), LEFT, method.name);
    }
}

/// The slope of the elementwise penalties, each with the strength of the comparison.
fn pulls(svg: &mut Svg, results: &[(Method, Vec<Outcome>, Outcome)]) {
    let x = Axis { values: (0.0, 0.5), places: (715.0, 975.0), logarithmic: false };
    let y = Axis { values: (0.0, 0.4), places: (390.0, 70.0), logarithmic: false };
    svg.text((680.0, 32.0), HEADING, "How a penalty pulls");
    svg.text((680.0, 52.0), LABEL, "its slope, at the strength compared below");
    for tenth in 0..=4 {
        let slope = f64::from(tenth) / 10.0;
        svg.line((x.places.0, y.place(slope)), (x.places.1, y.place(slope)), GRID);
        svg.text((x.places.0 - 8.0, y.place(slope) + 4.0), RIGHT, &slope.to_string());
    }
    for tenth in 0..=5 {
        let h = f64::from(tenth) / 10.0;
        svg.line((x.place(h), y.places.0), (x.place(h), y.places.1), GRID);
        svg.text((x.place(h), y.places.0 + 18.0), MIDDLE, &h.to_string());
    }
    svg.text((845.0, y.places.0 + 40.0), MIDDLE, "activation h");
    svg.line((x.places.0, y.places.0), (x.places.1, y.places.0), FRAME);
    svg.line((x.places.0, y.places.0), (x.places.0, y.places.1), FRAME);
    for (method, _, compared) in results {
        if !["l2", "log", "l1", "elastic net", "lp, p = ½"].contains(&method.name) {
            continue;
        }
        let h = Tensor::from_fn([1, 500], |i| (i + 1) as f32 / 1000.0);
        let (mut tape, params) = (Tape::new(), Params::new());
        let code = tape.record(&params).input(&h);
        let penalty = (method.penalty)(code, compared.strength).expect("these have one");
        penalty.backward(&mut params.zeros());
        let slopes = code.gradient().expect("a penalty depends on the code");
        let points = h.data().iter().zip(slopes.data()).map(|(&h, &slope)| (f64::from(h), f64::from(slope)));
        let inside = points.filter(|&(_, slope)| slope <= y.values.1);
        let points: Vec<_> = inside.map(|(h, slope)| (x.place(h), y.place(slope))).collect();
        svg.path(&points, &method.stroke());
    }
}

/// A row for each way, at the same share unexplained: what is exactly 0, what is merely small, and how large the rest is.
fn comparison(svg: &mut Svg, results: &[(Method, Vec<Outcome>, Outcome)]) {
    let top = 475.0;
    let bar = Axis { values: (0.0, 1.0), places: (345.0, 645.0), logarithmic: false };
    let size = Axis { values: (1e-4, 10f64.powf(0.5)), places: (800.0, 975.0), logarithmic: true };
    svg.text((20.0, top), HEADING, "At 10 % unexplained: what is zero, what is only small?");
    let header = top + 30.0;
    let (zero, small, large) = ("#cfd8e3", "#f2b36b", "#1f5fbf");
    svg.text((345.0, header), LABEL, "share of all activations");
    for (x, fill, name) in
        [(345.0, zero, "exactly 0"), (430.0, small, "below 1 % of the largest"), (603.0, large, "larger")]
    {
        svg.rect((x, header + 8.0), (10.0, 10.0), fill);
        svg.text((x + 15.0, header + 17.0), LABEL, name);
    }
    for (x, lines) in [(330.0, ["strength", ""]), (720.0, ["active", "of 256"]), (772.0, ["dead", "units"])] {
        svg.text((x, header), RIGHT, lines[0]);
        svg.text((x, header + 17.0), RIGHT, lines[1]);
    }
    svg.text((800.0, header), LABEL, "magnitudes of those");
    svg.text((800.0, header + 17.0), LABEL, "that are not 0");
    let rows = header + 34.0;
    let height = 35.0;
    let bottom = rows + height * results.len() as f64;
    for (value, text) in [(1e-4, "10⁻⁴"), (1e-3, "10⁻³"), (1e-2, "0.01"), (1e-1, "0.1"), (1.0, "1")] {
        svg.line((size.place(value), rows), (size.place(value), bottom), GRID);
        svg.text((size.place(value), bottom + 17.0), MIDDLE, text);
    }
    for percent in [0, 25, 50, 75, 100] {
        svg.text((bar.place(f64::from(percent) / 100.0), bottom + 17.0), MIDDLE, &format!("{percent} %"));
    }
    for (i, (method, _, compared)) in results.iter().enumerate() {
        let y = rows + height * i as f64;
        let base = y + 21.0;
        svg.line((20.0, y + 16.0), (44.0, y + 16.0), &method.stroke());
        svg.text((52.0, base), LEFT, method.name);
        svg.text((158.0, base), LABEL, method.formula);
        if method.range.0 != method.range.1 {
            svg.text((330.0, base), RIGHT, &compared.strength());
        }
        let parts =
            [(zero, compared.zeros), (small, compared.small), (large, 1.0 - compared.zeros - compared.small)];
        let mut from = 0.0;
        for (fill, share) in parts {
            let (left, right) = (bar.place(from), bar.place(from + share));
            svg.rect((left, y + 5.0), (right - left, 22.0), fill);
            from += share;
        }
        // White on blue, where there is neither gray nor orange.
        let style =
            if compared.zeros + compared.small > 0.1 { LEFT } else { r##"font-size="12" fill="#ffffff""## };
        svg.text((bar.places.0 + 6.0, base), style, &format!("{:.1} %", 100.0 * compared.zeros));
        svg.text((720.0, base), RIGHT, &format!("{:.1}", compared.active()));
        svg.text((772.0, base), RIGHT, &compared.dead.to_string());
        ridge(svg, method, &compared.histogram, size, y + height - 6.0, height - 8.0);
    }
    let note = "no penalty: whatever it leaves unexplained. Decoder rows have length 1, a digit the mean square length 1.";
    svg.text((20.0, bottom + 48.0), LABEL, note);
}

/// A histogram as a hill on a base line, as high as `height` where it is highest.
fn ridge(svg: &mut Svg, method: &Method, histogram: &[usize], size: Axis, base: f64, height: f64) {
    let highest = histogram.iter().copied().max().unwrap_or(1).max(1) as f64;
    let mut points = vec![(size.places.0, base)];
    for (i, &count) in histogram.iter().enumerate() {
        let middle = MAGNITUDES.0 + (MAGNITUDES.1 - MAGNITUDES.0) * (i as f64 + 0.5) / PARTS as f64;
        points.push((size.place(10f64.powf(middle)), base - height * count as f64 / highest));
    }
    points.push((size.places.1, base));
    let style = format!(r#"fill="{0}" fill-opacity="0.25" stroke="{0}" stroke-width="1.2""#, method.color);
    svg.path(&points, &style);
}
