//! A small convolutional net that reads handwritten digits, with an l1 penalty on what both convolutions put out, and without:
//! how many digits it gets right that it has not seen, and how much of its feature maps is not zero.
//!
//! Images of 8 x 8 pixels; 8 and 16 maps of 3 x 3, each followed by relu and max pooling by two; a dense layer to ten classes.
//! `QUIETGRAD_QUICK=1` runs fewer seeds and epochs.

use quietgrad::nn::{Conv2d, Dense, Init};
use quietgrad::ops::conv::{Convolution, Padding};
use quietgrad::ops::pool::Pooling;
use quietgrad::optim::{Adam, Optimizer};
use quietgrad::{Params, Random, Tape, Tensor, Var, loss, reg};

const BATCH: usize = 64;
const LAMBDAS: [f64; 4] = [0.0, 1e-4, 1e-3, 3e-3];

struct Digits {
    images: Tensor<f32>,
    labels: Vec<usize>,
}

impl Digits {
    fn read() -> Self {
        // After a header of four words, or of two.
        let pixels = &include_bytes!("data/digits-images.idx3-ubyte")[16..];
        let labels = &include_bytes!("data/digits-labels.idx1-ubyte")[8..];
        let images = Tensor::from_fn([labels.len(), 1, 8, 8], |i| f32::from(pixels[i]) / 16.0);
        Digits { images, labels: labels.iter().map(|&label| usize::from(label)).collect() }
    }

    fn labels_of(&self, digits: &[usize]) -> Vec<usize> {
        digits.iter().map(|&i| self.labels[i]).collect()
    }
}

#[derive(Clone, Copy)]
struct Net {
    first: Conv2d,
    second: Conv2d,
    last: Dense,
}

impl Net {
    fn new(params: &mut Params<f32>, random: &mut Random) -> Self {
        let of = Convolution::new().padding(Padding::SameBothSides);
        Net {
            first: Conv2d::new(params, "first", [1, 8], 3, of, Init::HeNormal, random),
            second: Conv2d::new(params, "second", [8, 16], 3, of, Init::HeNormal, random),
            last: Dense::new(params, "last", [64, 10], Init::GlorotUniform, random),
        }
    }

    /// The feature maps of both convolutions, and the logits.
    fn forward<'r>(self, x: Var<'r, f32>) -> [Var<'r, f32>; 3] {
        let a = self.first.forward_relu(x);
        let b = self.second.forward_relu(a.max_pool2d(Pooling::new(2)));
        let flat = b.max_pool2d(Pooling::new(2)).reshape([x.shape()[0], 64]);
        [a, b, self.last.forward(flat)]
    }
}

/// What a trained net does with digits that it has not seen.
struct Outcome {
    accuracy: f64,
    densities: [f64; 2],
    /// The first map of the first of them.
    maps: Tensor<f32>,
}

fn run(digits: &Digits, lambda: f64, seed: u64, epochs: usize) -> Outcome {
    let mut random = Random::new(seed);
    let all = random.permutation(digits.labels.len());
    let (held_out, seen) = all.split_at(all.len() / 5);
    let mut params = Params::new();
    let net = Net::new(&mut params, &mut random);
    let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::new(3e-3));
    for _ in 0..epochs {
        for batch in random.permutation(seen.len()).chunks(BATCH) {
            let batch: Vec<usize> = batch.iter().map(|&i| seen[i]).collect();
            let r = tape.record(&params);
            let [a, b, logits] = net.forward(r.constant_rows(&digits.images, &batch));
            let fit = loss::cross_entropy(logits, r.indices([batch.len()], &digits.labels_of(&batch)));
            let penalty = (reg::l1(a) + reg::l1(b)).per_sample() * lambda;
            (fit + penalty).backward(&mut grads);
            adam.step(&mut params, &grads);
        }
    }
    let r = tape.record(&params);
    let [a, b, logits] = net.forward(r.constant_rows(&digits.images, held_out)).map(Var::value);
    let best = |row: &[f32]| (0..10).fold(0, |best, i| if row[i] > row[best] { i } else { best });
    let labels = digits.labels_of(held_out);
    let right = logits.rows().zip(&labels).filter(|(row, label)| best(row) == **label).count();
    let density =
        |h: &Tensor<f32>| h.data().iter().filter(|&&h| h > 0.0).count() as f64 / h.data().len() as f64;
    Outcome { accuracy: right as f64 / labels.len() as f64, densities: [density(&a), density(&b)], maps: a }
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

fn deviation(numbers: &[f64]) -> f64 {
    let mean = mean(numbers);
    (numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (numbers.len() as f64 - 1.0).max(1.0)).sqrt()
}

/// The eight maps of one digit, side by side: `#` for more than half of the largest, `+` for less, a dot for zero.
fn draw(maps: &Tensor<f32>) {
    let maps = &maps.data()[..8 * 64];
    let largest = maps.iter().fold(0.0, |max: f32, &x| max.max(x));
    for row in 0..8 {
        let line = (0..8).map(|map| {
            let row = &maps[map * 64 + row * 8..][..8];
            row.iter()
                .map(|&x| {
                    if x > largest / 2.0 {
                        '#'
                    } else if x > 0.0 {
                        '+'
                    } else {
                        '.'
                    }
                })
                .collect()
        });
        println!("  {}", line.collect::<Vec<String>>().join("  "));
    }
}

fn main() {
    let quick = std::env::var_os("QUIETGRAD_QUICK").is_some();
    let (seeds, epochs) = if quick { (2, 2) } else { (10, 30) };
    let digits = Digits::read();
    println!("{} digits, a fifth of them held out; {seeds} seeds, {epochs} epochs\n", digits.labels.len());
    println!("  lambda   held-out accuracy   density of the first maps   of the second");
    let mut pictures = Vec::new();
    for lambda in LAMBDAS {
        let outcomes: Vec<_> = (0..seeds).map(|seed| run(&digits, lambda, seed, epochs)).collect();
        let of = |f: fn(&Outcome) -> f64| outcomes.iter().map(f).collect::<Vec<_>>();
        let accuracy = of(|outcome| 100.0 * outcome.accuracy);
        let [first, second] = [of(|outcome| outcome.densities[0]), of(|outcome| outcome.densities[1])];
        println!(
            "{lambda:8}   {:7.2} ± {:.2} %   {:23.1} %   {:11.1} %",
            mean(&accuracy),
            deviation(&accuracy),
            100.0 * mean(&first),
            100.0 * mean(&second)
        );
        pictures.extend(outcomes.into_iter().next().map(|outcome| (lambda, outcome.maps)));
    }
    for (lambda, maps) in [&pictures[0], &pictures[2]] {
        println!("\nThe eight first maps of a digit that was held out, with lambda {lambda}:\n");
        draw(maps);
    }
    println!(
        "\nlambda: of Σ|h| over both convolutions' outputs, divided by the number of digits in the batch."
    );
}
