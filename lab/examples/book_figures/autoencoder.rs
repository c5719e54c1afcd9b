//! The network that most chapters of "Quiet networks" train: a sparse autoencoder of handwritten digits, whose decoder's rows
//! have length 1, so that a penalty on the code cannot be had for nothing.

use quietgrad::nn::{Dense, Init};
use quietgrad::optim::{Adam, Optimizer, Schedule};
use quietgrad::{Params, Random, Tape, Tensor, Var, loss, reg};
use quietgrad_lab::data::scale::Scaler;

pub const PIXELS: usize = 64;
pub const BATCH: usize = 128;

/// The digits of `examples/data`, with their labels, half of them for training.
pub struct Digits {
    pub train: Tensor<f32>,
    pub test: Tensor<f32>,
    pub train_labels: Vec<usize>,
    pub test_labels: Vec<usize>,
}

impl Digits {
    /// Pixels from 0 to 16. The split is drawn from the seed.
    pub fn load(seed: u64) -> Self {
        // After headers of 16 and 8 bytes.
        let pixels = &include_bytes!("../../../examples/data/digits-images.idx3-ubyte")[16..];
        let labels = &include_bytes!("../../../examples/data/digits-labels.idx1-ubyte")[8..];
        let all = Tensor::from_fn([labels.len(), PIXELS], |i| f32::from(pixels[i]));
        let order = Random::new(1000 + seed).permutation(labels.len());
        let (train, test) = order.split_at(labels.len() / 2);
        let labels = |rows: &[usize]| rows.iter().map(|&row| usize::from(labels[row])).collect();
        Digits {
            train: all.select_rows(train),
            test: all.select_rows(test),
            train_labels: labels(train),
            test_labels: labels(test),
        }
    }

    /// One scale for all pixels, the mean square length of a training digit then being 1.
    pub fn scaled(&self) -> (Tensor<f32>, Tensor<f32>) {
        let scaler = Scaler::standardize_globally(&self.train).expect("digits are finite");
        let shrink = (PIXELS as f32).sqrt().recip();
        (scaler.apply(&self.train).map(|x| x * shrink), scaler.apply(&self.test).map(|x| x * shrink))
    }
}

/// Where the l1 penalty is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    AfterRelu,
    BeforeRelu,
}

#[derive(Clone, Copy)]
pub struct Setting {
    pub units: usize,
    pub lambda: f64,
    /// In how many steps the coefficient rises to `lambda`.
    pub warm_up: usize,
    pub place: Place,
    pub epochs: usize,
    pub seed: u64,
}

impl Setting {
    pub fn new(epochs: usize, lambda: f64, seed: u64) -> Self {
        Setting { units: 256, lambda, warm_up: 0, place: Place::AfterRelu, epochs, seed }
    }
}

pub struct Autoencoder {
    pub params: Params<f32>,
    pub encoder: Dense,
    pub decoder: Dense,
}

/// What an autoencoder makes of some digits.
#[derive(Clone, Copy)]
pub struct Measure {
    /// The share of the variance that the reconstruction misses.
    pub unexplained: f64,
    /// Units that are not 0 for a digit, in the mean.
    pub active: f64,
    /// Units that are 0 for every digit.
    pub dead: usize,
}

impl Autoencoder {
    pub fn train(x: &Tensor<f32>, setting: Setting) -> Self {
        let Setting { units, lambda, warm_up, place, epochs, seed } = setting;
        let mut random = Random::new(seed);
        let mut params = Params::new();
        let encoder = Dense::new(&mut params, "encoder", [PIXELS, units], Init::HeNormal, &mut random);
        let decoder = Dense::new(&mut params, "decoder", [units, PIXELS], Init::HeNormal, &mut random);
        let samples = x.shape()[0];
        let rate = Schedule::cosine(3e-3, 0.0, epochs * samples.div_ceil(BATCH));
        let coefficient =
            if warm_up == 0 { Schedule::constant(lambda) } else { Schedule::linear(0.0, lambda, warm_up) };
        let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::new(rate.at(0)));
        let mut step = 0;
        for _ in 0..epochs {
            for batch in random.permutation(samples).chunks(BATCH) {
                normalize_rows(params.get_mut(decoder.w));
                let r = tape.record(&params);
                let x = r.constant_rows(x, batch);
                let z = encoder.forward(x);
                let h = z.relu();
                let penalized = if place == Place::AfterRelu { h } else { z };
                // The mean over pixels, times their number: the squared length of what is missed.
                let fit = loss::mse(decoder.forward(h), x) * PIXELS as f64;
                (fit + reg::l1(penalized).per_sample() * coefficient.at(step)).backward(&mut grads);
                adam.set_lr(rate.at(step));
                adam.step(&mut params, &grads);
                step += 1;
            }
        }
        normalize_rows(params.get_mut(decoder.w));
        Autoencoder { params, encoder, decoder }
    }

    /// Before the relu.
    pub fn sums(&self, x: &Tensor<f32>) -> Tensor<f32> {
        self.encoder.forward(Tape::new().record(&self.params).constant(x)).value()
    }

    pub fn codes(&self, x: &Tensor<f32>) -> Tensor<f32> {
        self.sums(x).map(|z| z.max(0.0))
    }

    pub fn reconstruct(&self, codes: &Tensor<f32>) -> Tensor<f32> {
        let mut tape = Tape::new();
        let r = tape.record(&self.params);
        let h: Var<f32> = r.constant(codes);
        self.decoder.forward(h).value()
    }

    pub fn measure(&self, x: &Tensor<f32>) -> Measure {
        let codes = self.codes(x);
        let units = codes.shape()[1];
        Measure {
            unexplained: unexplained(x, &self.reconstruct(&codes)),
            active: codes.data().iter().filter(|&&h| h != 0.0).count() as f64 / x.shape()[0] as f64,
            dead: (0..units).filter(|&unit| codes.rows().all(|row| row[unit] == 0.0)).count(),
        }
    }
}

/// Σ (x − y)² / Σ (x − mean of its column)²
pub fn unexplained(x: &Tensor<f32>, y: &Tensor<f32>) -> f64 {
    let mean = x.mean_axes(0);
    let error = x.map2(y, |x, y| (x - y).powi(2)).sum();
    let variance = x.map2(&mean, |x, mean| (x - mean).powi(2)).sum();
    f64::from(error / variance)
}

/// Each row of the decoder to length 1.
pub fn normalize_rows(w: &mut [f32]) {
    for row in w.chunks_exact_mut(PIXELS) {
        let length = row.iter().map(|w| w * w).sum::<f32>().sqrt();
        row.iter_mut().for_each(|w| *w /= length);
    }
}
