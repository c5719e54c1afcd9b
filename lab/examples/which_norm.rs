//! Eleven ways to a sparse code, on the same small network and data: which give exact zeros, and at what price?
//!
//! A sparse autoencoder of handwritten digits, 64 pixels to 256 units and back, is trained with each of them at several
//! strengths, and then at the strength at which 10 % of the pixels' variance stay unexplained, so that they can be
//! compared. Prints a table and writes `docs/figures/which_norm_*.svg`, which `docs/which-norm.md` explains:
//! `cargo run --release -p quietgrad-lab --example which_norm`. A seed other than 0 is an argument (`-- 1`): then only
//! the table is printed. With `QUIETGRAD_QUICK=1` the training is cut short and nothing is written.

#[path = "../../examples/data/digits.rs"]
mod digits;

use std::path::Path;

use digits::PIXELS;
use quietgrad::nn::{Dense, Init};
use quietgrad::optim::{Adam, Optimizer, Schedule};
use quietgrad::{Params, Random, Tape, Tensor, Var, loss, reg};
use quietgrad_lab::report::{Axis, Figure, Ink, Panel, Side};

const UNITS: usize = 256;
const BATCH: usize = 128;
/// The share of the variance that stays unexplained in the comparison.
const GOAL: f64 = 0.1;

/// A way to a sparse code.
struct Method {
    name: &'static str,
    /// Codes from pre-activations, given the strength.
    code: for<'r> fn(Var<'r, f32>, f64) -> Var<'r, f32>,
    /// What is added to the loss for codes, given the strength.
    penalty: for<'r> fn(Var<'r, f32>, f64) -> Option<Var<'r, f32>>,
    /// The weakest and the strongest that are tried.
    range: (f64, f64),
}

/// Fills in the fields of a [`Method`].
macro_rules! method {
    ($name:expr, $range:expr, $code:expr, $penalty:expr) => {
        Method { name: $name, code: $code, penalty: $penalty, range: $range }
    };
}

fn methods() -> Vec<Method> {
    vec![
        method!("no penalty", (1.0, 1.0), |z, _| z.relu(), |_, _| None),
        method!("l2", (0.05, 4.0), |z, _| z.relu(), |h, c| { Some(reg::l2(h).per_sample() * c) }),
        method!("log", (1e-3, 0.06), |z, _| z.relu(), |h, c| { Some(reg::log(h, 0.01).per_sample() * c) }),
        method!("l1", (5e-3, 0.5), |z, _| z.relu(), |h, c| { Some(reg::l1(h).per_sample() * c) }),
        method!("elastic net", (5e-3, 0.5), |z, _| z.relu(), |h, c| {
            Some(reg::elastic_net(h, c, c).per_sample())
        }),
        method!("lp, p = ½", (1e-3, 0.1), |z, _| z.relu(), |h, c| {
            Some(reg::lp(h, 0.5).per_sample() * c)
        }),
        method!("Hoyer", (1e-3, 0.1), |z, _| z.relu(), |h, c| { Some(reg::hoyer(h).per_sample() * c) }),
        method!("group lasso", (3e-3, 0.2), |z, _| z.relu(), |h, c| {
            let groups = h.reshape([h.shape()[0], UNITS / 8, 8]);
            Some(reg::group_lasso(groups, &[2]).per_sample() * c)
        }),
        method!("KL, sigmoid", (0.1, 2.5), |z, _| z.sigmoid(), |h, c| {
            Some(reg::kl_sparsity(h, 0.02) * c)
        }),
        method!("l1, no relu", (0.07, 0.4), |z, _| z, |h, c| { Some(reg::l1(h).per_sample() * c) }),
        method!("soft threshold", (0.15, 0.6), |z, c| z.soft_threshold(c), |_, _| None),
        method!("top-k", (64.0, 2.0), |z, c| z.relu().top_k(c as usize), |_, _| None),
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

fn main() -> quietgrad_lab::Result<()> {
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
        let figures = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/figures"));
        cost(&results).write(figures.join("which_norm_cost"))?;
        pull(&results).write(figures.join("which_norm_pull"))?;
        zeros(&results).write(figures.join("which_norm_zeros"))?;
        println!(
            "
wrote {}/which_norm_*.svg",
            figures.display()
        );
    }
    Ok(())
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
    Outcome { strength, unexplained, zeros: share(zeros), small: share(small), dead }
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

type Results = [(Method, Vec<Outcome>, Outcome)];

/// The colour of what the pictures tell of; the others are there to compare.
fn ink(method: &Method) -> Ink {
    match method.name {
        "l1" => Ink::Story,
        "l2" => Ink::Second,
        "top-k" => Ink::Third,
        _ => Ink::Muted,
    }
}

/// Active units against what stays unexplained: a line for each way.
fn cost(results: &Results) -> Figure {
    let x = Axis::log("variance that stays unexplained").percent().range(0.03, 0.5);
    let y = Axis::log("active units for a digit, of 256").range(2.0, 330.0);
    let mut panel = Panel::new(
        x.ticks(&[0.03, 0.05, 0.1, 0.2, 0.4]),
        y.ticks(&[2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]),
    );
    panel = panel.vertical(GOAL, "compared here");
    let mut order: Vec<_> = results.iter().collect();
    order.sort_by_key(|(method, ..)| ink(method) != Ink::Muted); // gray lies behind the colours
    for (method, sweep, _) in order {
        let points: Vec<_> = sweep.iter().map(|outcome| (outcome.unexplained, outcome.active())).collect();
        panel = panel.line(&points, ink(method)).dots(&points, ink(method)).size(3.0);
        if ink(method) != Ink::Muted {
            panel =
                panel.label_at(0.2, method.name, if method.name == "l2" { Side::Right } else { Side::Left });
        }
    }
    panel = panel.words((0.25, 256.0), "KL, and l1 without a relu", Ink::Muted, Side::Below);
    Figure::new("For one error, l2 keeps many units active, l1 fewer, top-k the fewest")
        .note("Each dot is a training at one strength. Gray: the others of the table.")
        .panel(panel)
        .height(430.0)
}

/// The slope of the elementwise penalties, each with the strength of the comparison.
fn pull(results: &Results) -> Figure {
    let x = Axis::linear("activation h").range(0.0, 0.5);
    let mut panel = Panel::new(x, Axis::linear("slope of the penalty").range(0.0, 0.4));
    for (method, _, compared) in results {
        if !["l2", "log", "l1", "elastic net", "lp, p = ½"].contains(&method.name) {
            continue;
        }
        let h = Tensor::from_fn([1, 250], |i| (i + 1) as f32 / 500.0);
        let (mut tape, params) = (Tape::new(), Params::new());
        let code = tape.record(&params).input(&h);
        let penalty = (method.penalty)(code, compared.strength).expect("these have one");
        penalty.backward(&mut params.zeros());
        let slopes = code.gradient().expect("a penalty depends on the code");
        let points: Vec<_> =
            h.data().iter().zip(slopes.data()).map(|(&h, &slope)| (f64::from(h), f64::from(slope))).collect();
        let ink = if method.name.starts_with("lp") { Ink::Third } else { ink(method) };
        panel = panel.line(&points, ink).label(method.name);
    }
    Figure::new("The steeper at small activations, the sparser the code")
        .note("How five penalties pull an activation towards 0, each at the strength that leaves 10 % unexplained.")
        .panel(panel)
        .height(320.0)
}

/// A row for each way, at the same share unexplained: what is exactly 0, what is merely small.
fn zeros(results: &Results) -> Figure {
    let names: Vec<&str> = results.iter().map(|(method, ..)| method.name).collect();
    let last = results.len() as f64;
    let y = Axis::names("", &names).range(last - 0.4, -0.6);
    let mut panel = Panel::new(Axis::linear("share of all activations").percent().range(0.0, 1.0), y);
    let (mut zero, mut small, mut large) = (Vec::new(), Vec::new(), Vec::new());
    for (i, (_, _, compared)) in results.iter().enumerate() {
        let (low, high) = (i as f64 - 0.32, i as f64 + 0.32);
        let (a, b) = (compared.zeros, compared.zeros + compared.small);
        zero.push([0.0, a, low, high]);
        small.push([a, b, low, high]);
        large.push([b, 1.0, low, high]);
    }
    panel = panel.rects(&zero, Ink::Muted).rects(&small, Ink::Story).rects(&large, Ink::Second);
    for (i, (_, _, compared)) in
        results.iter().enumerate().filter(|(_, (_, _, compared))| compared.zeros > 0.0)
    {
        let words = format!("{:.0} % exactly 0", 100.0 * compared.zeros);
        panel = panel.words((0.0, i as f64), words, Ink::Text, Side::Right);
    }
    Figure::new("Behind a relu most activations are exactly 0, whatever the penalty; without one none is")
        .note(
            "At 10 % unexplained (no penalty: at 4 %). Gray: exactly 0. Orange: not 0, but below 1 % of the largest. Blue: \
             larger.",
        )
        .panel(panel)
        .height(460.0)
}
