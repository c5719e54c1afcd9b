//! What the chapters of "Quiet networks" report, measured. Each function prints its table and returns its rows.

use quietgrad::nn::{Dense, Init};
use quietgrad::optim::{Adam, Optimizer};
use quietgrad::reg::DensityController;
use quietgrad::{Params, Random, Tape, Tensor, loss, reg};
use quietgrad_lab::data::scale::Scaler;
use quietgrad_lab::data::toy::make_circles;

use crate::autoencoder::{
    Autoencoder, BATCH, Digits, Measure, PIXELS, Place, Setting, normalize_rows, unexplained,
};

/// How much is done: all of it, or enough to see that the program runs.
#[derive(Clone, Copy)]
pub struct Effort {
    pub quick: bool,
}

impl Effort {
    pub fn epochs(self) -> usize {
        if self.quick { 1 } else { 600 }
    }

    pub fn seeds(self, full: u64) -> u64 {
        if self.quick { 1 } else { full }
    }
}

/// Mean and standard error of some numbers.
#[derive(Clone, Copy)]
pub struct Spread {
    pub mean: f64,
    pub error: f64,
}

impl Spread {
    pub fn of(numbers: &[f64]) -> Self {
        let n = numbers.len() as f64;
        let mean = numbers.iter().sum::<f64>() / n;
        let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
        Spread { mean, error: (variance / n).sqrt() }
    }
}

/// A network of 500 units learned 30 points of two noisy circles: its mean loss and accuracy on other points, step by step.
pub struct Learned {
    pub params: Params<f32>,
    pub layers: [Dense; 2],
    /// Step, loss on the points that are learned, loss on 1000 others.
    pub losses: Vec<(usize, f64, f64)>,
}

pub struct Points {
    pub x: Tensor<f32>,
    pub y: Tensor<f32>,
}

impl Points {
    pub fn circles(count: usize, seed: u32) -> Self {
        let circles = make_circles(count, Some(0.1), seed);
        Points { x: circles.x.map(|x| x as f32), y: circles.targets() }
    }
}

impl Learned {
    pub fn from_circles(train: &Points, test: &Points, lambda: f64, seed: u64, steps: usize) -> Self {
        let mut random = Random::new(seed);
        let mut params = Params::<f32>::new();
        let hidden = Dense::new(&mut params, "hidden", [2, 500], Init::HeNormal, &mut random);
        let output = Dense::new(&mut params, "output", [500, 1], Init::GlorotUniform, &mut random);
        let mut learned = Learned { params, layers: [hidden, output], losses: Vec::new() };
        let (mut tape, mut grads, mut adam) = (Tape::new(), learned.params.zeros(), Adam::new(1e-3));
        for step in 0..=steps {
            if step % 50 == 0 {
                let at = (step, learned.loss_and_accuracy(train).0, learned.loss_and_accuracy(test).0);
                learned.losses.push(at);
            }
            let r = tape.record(&learned.params);
            let h = hidden.forward_relu(r.constant(&train.x));
            let fit = loss::bce_with_logits(output.forward(h), r.constant(&train.y));
            (fit + reg::l1(h).per_sample() * lambda).backward(&mut grads);
            adam.step(&mut learned.params, &grads);
        }
        learned
    }

    pub fn scores(&self, x: &Tensor<f32>) -> (Tensor<f32>, f64) {
        let mut tape = Tape::new();
        let r = tape.record(&self.params);
        let h = self.layers[0].forward(r.constant(x)).relu();
        (self.layers[1].forward(h).value(), h.density())
    }

    pub fn loss_and_accuracy(&self, points: &Points) -> (f64, f64) {
        let (scores, _) = self.scores(&points.x);
        let (mut loss, mut right) = (0.0, 0);
        for (&z, &t) in scores.data().iter().zip(points.y.data()) {
            let (z, t) = (f64::from(z), f64::from(t));
            loss += (-z.abs()).exp().ln_1p() + z.max(0.0) - z * t;
            right += usize::from((z > 0.0) == (t > 0.5));
        }
        let count = points.y.data().len() as f64;
        (loss / count, right as f64 / count)
    }
}

/// l1 on the hidden layer of a network that learns two circles, for several strengths.
pub fn overfit(effort: Effort) {
    println!("two circles, 30 points to learn, 1000 to test, 2-500-1, relu, 4000 steps");
    println!(
        "  lambda   train loss    test loss      s.e.   train acc.   test acc.   gain ± s.e.      active"
    );
    let steps = if effort.quick { 50 } else { 4000 };
    let mut baseline = None;
    for lambda in [0.0, 1e-4, 1e-3, 1e-2, 3e-2, 0.1, 0.2, 0.3, 0.5] {
        let mut columns = [(); 5].map(|()| Vec::new());
        for seed in 0..effort.seeds(12) {
            let (train, test) = (Points::circles(30, seed as u32), Points::circles(1000, 100 + seed as u32));
            let learned = Learned::from_circles(&train, &test, lambda, seed, steps);
            let ((a, b), (c, d)) = (learned.loss_and_accuracy(&train), learned.loss_and_accuracy(&test));
            let all = [a, c, b, d, learned.scores(&test.x).1];
            columns.iter_mut().zip(all).for_each(|(column, number)| column.push(number));
        }
        let without = baseline.get_or_insert_with(|| columns[3].clone());
        // The same points with and without the penalty: their difference varies less than either.
        let gain: Vec<f64> = columns[3].iter().zip(without).map(|(with, without)| with - *without).collect();
        let gain = Spread::of(&gain);
        let [train_loss, test_loss, train_accuracy, test_accuracy, active] = columns.map(|c| Spread::of(&c));
        println!(
            "{lambda:8}   {:10.3}   {:10.3}   {:7.3}   {:10.3}   {:9.3}   {:+.3} ± {:.3}   {:5.1} %",
            train_loss.mean,
            test_loss.mean,
            test_loss.error,
            train_accuracy.mean,
            test_accuracy.mean,
            gain.mean,
            gain.error,
            100.0 * active.mean
        );
    }
}

/// Held-out error under two ways to scale the pixels.
pub struct Scaling {
    pub lambda: f64,
    pub each_pixel: Spread,
    pub globally: Spread,
    /// Seed by seed, each pixel scaled and one scale for all.
    pub seeds: [Vec<f64>; 2],
}

pub fn standardize(effort: Effort) -> Vec<Scaling> {
    println!("\nheld-out unexplained variance of the pixels, statistics from the training half");
    println!("  lambda    each pixel scaled: seed by seed            one scale: seed by seed");
    let mut rows = Vec::new();
    for lambda in [0.0, 1e-3, 1e-2, 3e-2, 1e-1] {
        let mut both = [Vec::new(), Vec::new()];
        for seed in 0..effort.seeds(5) {
            let digits = Digits::load(seed);
            let scalers = [Scaler::standardize(&digits.train), Scaler::standardize_globally(&digits.train)];
            for (found, scaler) in both.iter_mut().zip(scalers) {
                let scaler = scaler.expect("digits are finite");
                let shrink = (PIXELS as f32).sqrt();
                let x = scaler.apply(&digits.train).map(|x| x / shrink);
                let held_out = scaler.apply(&digits.test).map(|x| x / shrink);
                let model = Autoencoder::train(&x, Setting::new(effort.epochs(), lambda, seed));
                let y = model.reconstruct(&model.codes(&held_out)).map(|y| y * shrink);
                // Measured where both are alike: in pixels.
                found.push(100.0 * unexplained(&digits.test, &scaler.undo(&y)));
            }
        }
        println!("{lambda:8}    {:40}    {}", list(&both[0]), list(&both[1]));
        let [each_pixel, globally] = [0, 1].map(|i| Spread::of(&both[i]));
        rows.push(Scaling { lambda, each_pixel, globally, seeds: both });
    }
    let digits = Digits::load(0);
    let scaler = Scaler::standardize(&digits.train).expect("digits are finite");
    let largest = |x: &Tensor<f32>| scaler.apply(x).data().iter().fold(0.0, |m: f32, x| m.max(x.abs()));
    println!(
        "largest standardized pixel: {:.1} in training, {:.1} held out; constant in training: {:?}",
        largest(&digits.train),
        largest(&digits.test),
        scaler.constant()
    );
    rows
}

fn list(percents: &[f64]) -> String {
    percents.iter().map(|p| format!("{p:.1} %")).collect::<Vec<_>>().join("  ")
}

/// A measure of several seeds, on held-out digits.
pub struct Point {
    pub units: usize,
    pub lambda: f64,
    pub warm_up: usize,
    pub unexplained: Spread,
    pub active: Spread,
    pub dead: Spread,
}

impl Point {
    fn measure(effort: Effort, seeds: u64, setting: impl Fn(u64) -> Setting) -> Self {
        let (mut found, Setting { units, lambda, warm_up, .. }) = (Vec::new(), setting(0));
        for seed in 0..effort.seeds(seeds) {
            let (x, held_out) = Digits::load(seed).scaled();
            found.push(Autoencoder::train(&x, setting(seed)).measure(&held_out));
        }
        let of = |f: fn(&Measure) -> f64| Spread::of(&found.iter().map(f).collect::<Vec<_>>());
        let point = Point {
            units,
            lambda,
            warm_up,
            unexplained: of(|m| 100.0 * m.unexplained),
            active: of(|m| m.active),
            dead: of(|m| m.dead as f64),
        };
        println!(
            "{units:6} {lambda:8} {warm_up:8} {:9.1} ± {:<5.1} {:9.1} ± {:<5.1} {:9.1} ± {:<5.1}",
            point.unexplained.mean,
            point.unexplained.error,
            point.active.mean,
            point.active.error,
            point.dead.mean,
            point.dead.error
        );
        point
    }
}

fn header(title: &str) {
    println!("\n{title}");
    println!(" units   lambda  warm-up  unexplained %     active            dead");
}

pub fn overcomplete(effort: Effort) -> Vec<Point> {
    header("wider and wider layers, 3 seeds, held-out digits, mean ± standard error");
    let mut rows = Vec::new();
    for lambda in [0.0, 3e-2] {
        for units in [16, 32, 64, 128, 256, 512, 1024] {
            let setting = |seed| Setting { units, ..Setting::new(effort.epochs(), lambda, seed) };
            rows.push(Point::measure(effort, 3, setting));
        }
    }
    rows
}

pub fn strength(effort: Effort) -> Vec<Point> {
    header("stronger and stronger penalties, 3 seeds, held-out digits, mean ± standard error");
    let mut rows = Vec::new();
    for warm_up in [0, 200] {
        for lambda in [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 0.6, 1.0, 3.0] {
            let setting = |seed| Setting { warm_up, ..Setting::new(effort.epochs(), lambda, seed) };
            rows.push(Point::measure(effort, 3, setting));
        }
    }
    rows
}

/// What a classifier of codes gets right that saw ten labelled digits of each class.
pub struct Probe {
    pub name: String,
    /// On held-out digits, on such with noise, on such moved by a pixel.
    pub right: [Spread; 3],
}

pub fn probe(effort: Effort) -> Vec<Probe> {
    println!("\na linear classifier from 10 labelled digits a class, right on held-out digits, 10 seeds");
    println!("input              plain            noise            moved by a pixel");
    let lambdas = [None, Some(0.0), Some(1e-2), Some(3e-2), Some(0.1)];
    let mut found: Vec<[Vec<f64>; 3]> = lambdas.iter().map(|_| Default::default()).collect();
    for seed in 0..effort.seeds(10) {
        let digits = Digits::load(seed);
        let (x, held_out) = digits.scaled();
        let labelled: Vec<usize> = (0..10)
            .flat_map(|class| {
                (0..x.shape()[0])
                    .filter(|&row| digits.train_labels[row] == class)
                    .take(10)
                    .collect::<Vec<_>>()
            })
            .collect();
        let labels: Vec<usize> = labelled.iter().map(|&row| digits.train_labels[row]).collect();
        let mut random = Random::new(seed);
        let noisy = held_out.map(|x| x + 0.1 * random.normal() as f32);
        // A column of blank pixels comes in from the left.
        let moved = Tensor::from_fn([digits.test.shape()[0], PIXELS], |i| {
            if i % 8 == 0 { 0.0 } else { digits.test.data()[i - 1] }
        });
        let moved = Digits { test: moved, ..Digits::load(seed) }.scaled().1;
        for (lambda, right) in lambdas.iter().zip(&mut found) {
            let model =
                lambda.map(|lambda| Autoencoder::train(&x, Setting::new(effort.epochs(), lambda, seed)));
            let features = |x: &Tensor<f32>| model.as_ref().map_or_else(|| x.clone(), |model| model.codes(x));
            let classify = classifier(&features(&x.select_rows(&labelled)), &labels, effort);
            for (right, x) in right.iter_mut().zip([&held_out, &noisy, &moved]) {
                let taken = classify(&features(x));
                let count = taken.iter().zip(&digits.test_labels).filter(|(a, b)| a == b).count();
                right.push(100.0 * count as f64 / taken.len() as f64);
            }
        }
    }
    let name = |lambda: &Option<f64>| lambda.map_or("pixels".into(), |lambda| format!("code, λ = {lambda}"));
    let rows = lambdas.iter().zip(found).map(|(lambda, right)| {
        let probe = Probe { name: name(lambda), right: right.map(|r| Spread::of(&r)) };
        let [plain, noise, moved] = probe.right.map(|s| format!("{:.1} ± {:.1} %", s.mean, s.error));
        println!("{:16} {plain:>15}  {noise:>15}  {moved:>15}", probe.name);
        probe
    });
    rows.collect()
}

/// Softmax regression with a little weight decay, on features divided by their root mean square length.
fn classifier(
    x: &Tensor<f32>,
    classes: &[usize],
    effort: Effort,
) -> impl Fn(&Tensor<f32>) -> Vec<usize> + use<> {
    let length = (x.map(|x| x * x).sum() / x.shape()[0] as f32).sqrt();
    let scaled = x.map(|x| x / length);
    let mut params = Params::new();
    let layer = Dense::new(&mut params, "layer", [x.shape()[1], 10], Init::Zeros, &mut Random::new(0));
    let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::adamw(0.05, 1e-2));
    for _ in 0..if effort.quick { 1 } else { 300 } {
        let r = tape.record(&params);
        let scores = layer.forward(r.constant(&scaled));
        loss::cross_entropy(scores, r.indices([classes.len()], classes)).backward(&mut grads);
        adam.step(&mut params, &grads);
    }
    move |x| {
        let mut tape = Tape::new();
        layer.forward(tape.record(&params).constant(&x.map(|x| x / length))).value().argmax(1)
    }
}

/// Sums before the relu, of all training digits, without a penalty, with it after the relu, and before.
pub fn sums(effort: Effort) -> [(&'static str, Vec<f32>); 3] {
    let (x, _) = Digits::load(0).scaled();
    let ways = [
        ("no penalty", 0.0, Place::AfterRelu),
        ("l1 after the relu", 3e-2, Place::AfterRelu),
        ("l1 before the relu", 3e-2, Place::BeforeRelu),
    ];
    println!("\nsums before the relu: way, share above 0, mean of |z|");
    ways.map(|(name, lambda, place)| {
        let model = Autoencoder::train(&x, Setting { place, ..Setting::new(effort.epochs(), lambda, 0) });
        let sums = model.sums(&x).into_data();
        let on = sums.iter().filter(|&&z| z > 0.0).count() as f64 / sums.len() as f64;
        let size = sums.iter().map(|z| f64::from(z.abs())).sum::<f64>() / sums.len() as f64;
        println!("{name:20} {:5.1} %   {size:.4}", 100.0 * on);
        (name, sums)
    })
}

/// A coefficient that a controller steers to a density of a tenth: step, λ, density of the batch.
pub fn steered(effort: Effort) -> Vec<(f64, f64, f64)> {
    let (x, _) = Digits::load(0).scaled();
    let mut random = Random::new(0);
    let mut params = Params::new();
    let encoder = Dense::new(&mut params, "encoder", [PIXELS, 256], Init::HeNormal, &mut random);
    let decoder = Dense::new(&mut params, "decoder", [256, PIXELS], Init::HeNormal, &mut random);
    let mut controller = DensityController::new(1e-3, 0.1);
    let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::new(3e-3));
    let mut seen = Vec::new();
    for _ in 0..if effort.quick { 1 } else { 300 } {
        for batch in random.permutation(x.shape()[0]).chunks(BATCH) {
            normalize_rows(params.get_mut(decoder.w));
            let r = tape.record(&params);
            let x = r.constant_rows(&x, batch);
            let h = encoder.forward(x).relu();
            let fit = loss::mse(decoder.forward(h), x) * PIXELS as f64;
            let lambda = controller.coefficient();
            (fit + reg::l1(h).per_sample() * lambda).backward(&mut grads);
            let density = h.density();
            controller.observe(density);
            adam.step(&mut params, &grads);
            seen.push((seen.len() as f64 + 1.0, lambda, density));
        }
    }
    let (_, lambda, density) = seen[seen.len() - 1];
    println!(
        "\nsteered to 10 %: after {} steps lambda {lambda:.4}, density {:.1} %",
        seen.len(),
        100.0 * density
    );
    seen
}
