//! Regression from few rows: does a penalty on activations help on rows that were not trained on? Friedman's first function of ten
//! variables, of which five do nothing, with noise; the penalty's coefficient is chosen on validation rows, the score is that on
//! test rows, and all is done for several draws of the data and of the weights. `QUIETGRAD_QUICK=1` cuts it short.
//!
//! Source of the data: J. H. Friedman, Multivariate Adaptive Regression Splines, 1991, section 4.3.

use std::f64::consts::PI;

use quietgrad::nn::{Dense, Init};
use quietgrad::optim::{Adam, Optimizer, Schedule};
use quietgrad::{Params, Random, Tape, Tensor, Var, loss, reg};

const VARIABLES: usize = 10;
const UNITS: usize = 64;
/// What is tried, 0 first: no penalty.
const LAMBDAS: [f64; 5] = [0.0, 1e-3, 3e-3, 1e-2, 3e-2];

struct Rows {
    x: Tensor<f32>,
    y: Tensor<f32>,
}

/// Uniform variables; 10 sin(π x₀ x₁) + 20 (x₂ − ½)² + 10 x₃ + 5 x₄, and normal noise of deviation 1.
fn draw(count: usize, random: &mut Random) -> Rows {
    let x = Tensor::from_fn([count, VARIABLES], |_| random.unit() as f32);
    let y = x.rows().map(|row| {
        let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|i| f64::from(row[i]));
        let y = 10.0 * (PI * a * b).sin() + 20.0 * (c - 0.5) * (c - 0.5) + 10.0 * d + 5.0 * e;
        (y + random.normal()) as f32
    });
    let y = Tensor::new([count, 1], y.collect()).expect("a number a row");
    Rows { x, y }
}

/// A network is its layers, and a function that calls them.
struct Mlp {
    layers: [Dense; 3],
}

impl Mlp {
    fn new(params: &mut Params<f32>, random: &mut Random) -> Self {
        let mut layer = |name, sizes, init| Dense::new(params, name, sizes, init, random);
        let first = layer("first", [VARIABLES, UNITS], Init::HeNormal);
        let second = layer("second", [UNITS, UNITS], Init::HeNormal);
        Mlp { layers: [first, second, layer("last", [UNITS, 1], Init::LeCunNormal)] }
    }

    /// The prediction, and the activations on the way.
    fn forward<'r>(&self, x: Var<'r, f32>) -> (Var<'r, f32>, [Var<'r, f32>; 2]) {
        let [first, second, last] = self.layers;
        let h = first.forward_relu(x - 0.5);
        let g = second.forward_relu(h);
        // The mean of y is about 14.
        (last.forward(g) * 5.0 + 14.0, [h, g])
    }
}

fn train(rows: &Rows, lambda: f64, epochs: usize, seed: u64) -> (Params<f32>, Mlp) {
    let (mut params, mut random) = (Params::new(), Random::new(seed));
    let net = Mlp::new(&mut params, &mut random);
    let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::new(0.0));
    let schedule = Schedule::cosine(3e-3, 0.0, epochs);
    for epoch in 0..epochs {
        adam.set_lr(schedule.at(epoch));
        for batch in random.permutation(rows.x.shape()[0]).chunks_exact(20) {
            let r = tape.record(&params);
            let (y, activations) = net.forward(r.constant_rows(&rows.x, batch));
            let fit = loss::mse(y, r.constant_rows(&rows.y, batch));
            let penalty: Var<f32> = activations.map(|h| reg::l1(h).per_sample()).into_iter().sum();
            (fit + penalty * lambda).backward(&mut grads);
            adam.step(&mut params, &grads);
        }
    }
    (params, net)
}

/// The root mean squared error, the share of units that are not 0, and the predictions.
fn evaluate(rows: &Rows, params: &Params<f32>, net: &Mlp) -> (f64, f64, Tensor<f32>) {
    let mut tape = Tape::new();
    let r = tape.record(params);
    let (y, activations) = net.forward(r.constant(&rows.x));
    let error = f64::from(loss::mse(y, r.constant(&rows.y)).item()).sqrt();
    (error, activations.map(|h| h.density()).iter().sum::<f64>() / 2.0, y.value())
}

fn mean_and_deviation(x: &[f64]) -> (f64, f64) {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let square = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (x.len() - 1) as f64;
    (mean, square.sqrt())
}

/// Truth to the right, prediction upwards: the nearer to the diagonal the better.
fn picture(truth: &Tensor<f32>, prediction: &Tensor<f32>) {
    const SIZE: [usize; 2] = [16, 48];
    let mut counts = [[0; SIZE[1]]; SIZE[0]];
    let cell = |y: f32, cells: usize| ((y / 28.0 * cells as f32) as usize).min(cells - 1);
    for (&truth, &prediction) in truth.data().iter().zip(prediction.data()) {
        counts[SIZE[0] - 1 - cell(prediction, SIZE[0])][cell(truth, SIZE[1])] += 1;
    }
    for row in counts {
        let mark = |count: &usize| [' ', '.', 'o', '#'][(count + 1).ilog2().min(3) as usize];
        println!("  |{}", row.iter().map(mark).collect::<String>());
    }
    println!("  +{}", "-".repeat(SIZE[1]));
}

fn main() {
    let quick = std::env::var_os("QUIETGRAD_QUICK").is_some();
    let (seeds, epochs, tested) = if quick { (2, 5, 200) } else { (10, 300, 2000) };
    println!("seed   without: error   active   with: lambda    error   active");
    let (mut without, mut with, mut shown) = (Vec::new(), Vec::new(), None);
    for seed in 0..seeds {
        let mut random = Random::new(1000 + seed);
        let [known, valid, test] = [200, 100, tested].map(|count| draw(count, &mut random));
        let runs = LAMBDAS.map(|lambda| {
            let (params, net) = train(&known, lambda, epochs, seed);
            (evaluate(&valid, &params, &net).0, lambda, evaluate(&test, &params, &net))
        });
        let best = runs[1..].iter().min_by(|a, b| a.0.total_cmp(&b.0)).expect("four coefficients");
        let ((_, _, plain), (_, lambda, penalized)) = (&runs[0], best);
        println!(
            "{seed:4} {:16.3} {:6.1} % {lambda:14} {:8.3} {:6.1} %",
            plain.0,
            100.0 * plain.1,
            penalized.0,
            100.0 * penalized.1
        );
        without.push(plain.0);
        with.push(penalized.0);
        shown = Some((test.y, penalized.2.clone()));
    }
    let gains: Vec<f64> = without.iter().zip(&with).map(|(a, b)| a - b).collect();
    for (name, errors) in [("without a penalty", &without), ("with one", &with), ("difference", &gains)] {
        let (mean, deviation) = mean_and_deviation(errors);
        println!("{name:18} {mean:7.3}, deviation {deviation:.3} over {seeds} draws");
    }
    let better = gains.iter().filter(|&&gain| gain > 0.0).count();
    println!("lower with a penalty in {better} of {seeds}; noise alone leaves an error of 1");
    let (truth, prediction) = shown.expect("a seed");
    println!(
        "\nthe last draw's test rows, with the penalty: truth to the right, prediction upwards, 0 to 28"
    );
    picture(&truth, &prediction);
}
