//! Training gets faster as activations get sparser, and nothing has to be written for it.
//!
//! A sparse autoencoder, 256 inputs to 2048 units and back, learns sums of a few patterns out of many. An l1 penalty
//! makes its hidden layer sparser from epoch to epoch. Printed for each: how many units fire for a sample, the
//! reconstruction error, and how long a step takes, beside the same step with dense products. At the end stands the
//! picture, as SVG text, or in the file that is named: `cargo run --release --example pay_for_what_fires -- FILE`.

use std::fmt::Write;
use std::time::Instant;

use quietgrad::nn::{Dense, Init};
use quietgrad::optim::{Adam, Optimizer};
use quietgrad::{Grads, Params, Random, SkipZeros, Tape, Tensor, loss, reg, set_threads};

const INPUTS: usize = 256;
const UNITS: usize = 2048;
const BATCH: usize = 256;
const PATTERNS: usize = 512;
const LAMBDA: f64 = 2e-3;

/// Samples that are sums of eight patterns each, in random amounts.
fn samples(count: usize) -> Tensor<f32> {
    let mut random = Random::new(1);
    let scale = (1.0 / INPUTS as f64).sqrt();
    let patterns = Tensor::from_fn([PATTERNS, INPUTS], |_| (random.normal() * scale) as f32);
    let mut x = Tensor::zeros([count, INPUTS]);
    for sample in x.data_mut().chunks_exact_mut(INPUTS) {
        for _ in 0..8 {
            let (pattern, amount) = (random.below(PATTERNS), random.uniform(2.0, 4.0) as f32);
            let pattern = &patterns.data()[pattern * INPUTS..][..INPUTS];
            sample.iter_mut().zip(pattern).for_each(|(x, p)| *x += amount * p);
        }
    }
    x
}

struct Autoencoder {
    encoder: Dense,
    decoder: Dense,
}

/// What one step tells.
struct Step {
    milliseconds: f64,
    /// Units that fire for a sample, in the mean.
    firing: f64,
    error: f64,
}

impl Autoencoder {
    /// Forward and backward.
    fn step(
        &self,
        tape: &mut Tape<f32>,
        params: &Params<f32>,
        x: &Tensor<f32>,
        grads: &mut Grads<f32>,
    ) -> Step {
        let begun = Instant::now();
        let r = tape.record(params);
        let x = r.constant(x);
        let h = self.encoder.forward_relu(x);
        let fit = loss::mse(self.decoder.forward(h), x);
        (fit + reg::l1(h).per_sample() * LAMBDA).backward(grads);
        let milliseconds = 1e3 * begun.elapsed().as_secs_f64();
        Step { milliseconds, firing: h.density() * UNITS as f64, error: f64::from(fit.item()) }
    }
}

/// The middle one of some times.
fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// An epoch, in the mean over its steps.
struct Epoch {
    firing: f64,
    skipping: f64,
    dense: f64,
}

fn train(epochs: usize, batches: usize) -> Vec<Epoch> {
    let mut random = Random::new(2);
    let mut params = Params::<f32>::new();
    let encoder = Dense::new(&mut params, "encoder", [INPUTS, UNITS], Init::HeNormal, &mut random);
    let decoder = Dense::new(&mut params, "decoder", [UNITS, INPUTS], Init::LeCunNormal, &mut random);
    let model = Autoencoder { encoder, decoder };
    let x = samples(BATCH * batches);
    let batch = |i: usize| x.select_rows(&(i * BATCH..(i + 1) * BATCH).collect::<Vec<_>>());
    let batches: Vec<_> = (0..batches).map(batch).collect();

    let (mut grads, mut unused) = (params.zeros(), params.zeros());
    let (mut tape, mut dense_tape, mut adam) = (Tape::new(), Tape::new(), Adam::new(1e-3));
    dense_tape.skip_zeros(SkipZeros::Never);
    model.step(&mut tape, &params, &batches[0], &mut unused); // touches the memory
    model.step(&mut dense_tape, &params, &batches[0], &mut unused);

    println!("epoch  units that fire  share  reconstruction error  ms a step  dense  faster");
    let mut history = Vec::new();
    for number in 0..epochs {
        let (mut skipping, mut dense) = (Vec::new(), Vec::new());
        let (mut firing, mut error) = (0.0, 0.0);
        for x in &batches {
            dense.push(model.step(&mut dense_tape, &params, x, &mut unused).milliseconds);
            let step = model.step(&mut tape, &params, x, &mut grads);
            adam.step(&mut params, &grads);
            skipping.push(step.milliseconds);
            firing += step.firing / batches.len() as f64;
            error += step.error / batches.len() as f64;
        }
        let epoch = Epoch { firing, skipping: median(skipping), dense: median(dense) };
        let Epoch { skipping, dense, .. } = epoch;
        let (share, faster) = (100.0 * firing / UNITS as f64, dense / skipping);
        println!(
            "{number:5}  {firing:15.1}  {share:4.1} %  {error:20.5}  {skipping:9.2}  {dense:5.2}  {faster:5.2}x"
        );
        history.push(epoch);
    }
    history
}

fn main() -> std::io::Result<()> {
    set_threads(1); // a step is short: its time on one thread is steadier
    let quick = std::env::var_os("QUIETGRAD_QUICK").is_some();
    let history = if quick { train(2, 2) } else { train(30, 16) };
    let svg = draw(&history);
    match std::env::args().nth(1) {
        Some(path) => std::fs::write(path, svg),
        None => {
            println!("\n{svg}");
            Ok(())
        }
    }
}

/// Two curves of milliseconds over epochs, and below them the share of units that fire.
fn draw(history: &[Epoch]) -> String {
    const WIDTH: f64 = 720.0;
    const LEFT: f64 = 70.0;
    const RIGHT: f64 = 150.0;
    let last = (history.len() - 1).max(1) as f64;
    let across = |epoch: usize| LEFT + epoch as f64 / last * (WIDTH - LEFT - RIGHT);
    let longest = history.iter().map(|e| e.dense.max(e.skipping)).fold(0.0, f64::max);
    let step =
        [1.0, 2.0, 5.0, 10.0, 20.0, 50.0].into_iter().find(|step| longest / step <= 6.0).unwrap_or(100.0);
    let top = (longest / step).ceil() * step;
    let time = |ms: f64| 250.0 - ms / top * 200.0;
    let share = |e: &Epoch| e.firing / UNITS as f64;
    let widest = history.iter().map(share).fold(0.0, f64::max);
    let highest = (10.0 * widest).ceil() / 10.0;
    let fires = |share: f64| 390.0 - share / highest * 90.0;

    let mut svg = String::new();
    let mut line = |text: std::fmt::Arguments| writeln!(svg, "{text}").expect("a string takes all");
    line(format_args!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} 450" width="{WIDTH}" height="450" font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="14">
<title>A step gets faster as fewer units fire</title>
<rect width="{WIDTH}" height="450" fill="#ffffff"/>
<text x="{LEFT}" y="28" font-size="16" fill="#222222">A step gets faster as fewer units fire</text>"##
    ));
    let ticks = (0..=(top / step) as usize).map(|i| i as f64 * step);
    for ms in ticks {
        let y = time(ms);
        line(format_args!(
            r##"<path d="M{LEFT} {y:.1}H{}" stroke="#e3e3e3"/><text x="{}" y="{:.1}" text-anchor="end" fill="#555555">{ms}</text>"##,
            WIDTH - RIGHT,
            LEFT - 8.0,
            y + 4.5
        ));
    }
    for part in [0.0, highest / 2.0, highest] {
        let y = fires(part);
        line(format_args!(
            r##"<path d="M{LEFT} {y:.1}H{}" stroke="#e3e3e3"/><text x="{}" y="{:.1}" text-anchor="end" fill="#555555">{:.0} %</text>"##,
            WIDTH - RIGHT,
            LEFT - 8.0,
            y + 4.5,
            100.0 * part
        ));
    }
    let mut curve = |y: &dyn Fn(&Epoch) -> f64, color: &str, label: &str| {
        let points: Vec<_> =
            history.iter().enumerate().map(|(i, e)| format!("{:.1},{:.1}", across(i), y(e))).collect();
        let end = history.last().map_or(0.0, y);
        writeln!(
            svg,
            r#"<polyline points="{}" fill="none" stroke="{color}" stroke-width="2.5" stroke-linejoin="round"/>
<text x="{}" y="{:.1}" fill="{color}">{label}</text>"#,
            points.join(" "),
            WIDTH - RIGHT + 8.0,
            end + 4.5
        )
        .expect("a string takes all");
    };
    curve(&|e| time(e.dense), "#8a8a8a", "dense products");
    curve(&|e| time(e.skipping), "#1f5fbf", "zeros skipped");
    curve(&|e| fires(share(e)), "#d9730d", "units that fire");
    let mut line = |text: std::fmt::Arguments| writeln!(svg, "{text}").expect("a string takes all");
    line(format_args!(
        r##"<text transform="translate(16 150) rotate(-90)" text-anchor="middle" fill="#555555">ms a step</text>
<text transform="translate(16 345) rotate(-90)" text-anchor="middle" fill="#555555">units that fire</text>"##
    ));
    let every = history.len().div_ceil(6).max(1);
    for epoch in (0..history.len()).step_by(every) {
        line(format_args!(
            r##"<text x="{:.1}" y="412" text-anchor="middle" fill="#555555">{epoch}</text>"##,
            across(epoch)
        ));
    }
    line(format_args!(
        r##"<text x="{:.1}" y="436" text-anchor="middle" fill="#555555">epoch</text>
</svg>"##,
        across(0) + (WIDTH - LEFT - RIGHT) / 2.0
    ));
    svg
}
