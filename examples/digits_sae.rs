//! A sparse autoencoder on handwritten digits, 64 pixels to 256 hidden units and back, for four strengths of the l1
//! penalty on the hidden layer.
//!
//! The layer is overcomplete: with no penalty half of it answers to every digit. The stronger the penalty, the fewer
//! units it takes to describe one, at the price of a less faithful reconstruction.

#[path = "data/digits.rs"]
mod digits;

use digits::PIXELS;
use quietgrad::nn::{Dense, Init};
use quietgrad::optim::{Adam, Optimizer};
use quietgrad::{Params, Random, Recording, Tape, Tensor, Var, loss, reg};

const HIDDEN: usize = 256;
const BATCH: usize = 128;
const EPOCHS: usize = 60;

fn main() {
    let digits = digits::standardized();
    println!("{} digits of {PIXELS} pixels, {HIDDEN} hidden units, {EPOCHS} epochs\n", digits.shape()[0]);
    println!("  lambda       MSE   explained   active (L0)   exact zeros   dead units");
    for lambda in [0.0, 1e-3, 1e-2, 1e-1] {
        let (params, model) = train(&digits, lambda);
        let Measures { mse, explained, l0, zeros, dead } = model.measure(&params, &digits);
        println!(
            "{lambda:8}  {mse:8.4}  {:9.1}%  {l0:12.1}  {:11.1}%  {dead:11}",
            100.0 * explained,
            100.0 * zeros
        );
    }
    println!(
        "\nMSE: of standardized pixels. Explained: share of their variance. Active: units above zero for a digit, of"
    );
    println!(
        "{HIDDEN}. Exact zeros: share of all hidden activations. Dead: units that are zero for every digit."
    );
}

struct Autoencoder {
    encoder: Dense,
    decoder: Dense,
}

impl Autoencoder {
    fn forward<'r>(&self, x: Var<'r, f32>) -> (Var<'r, f32>, Var<'r, f32>) {
        let h = self.encoder.forward(x).relu();
        (h, self.decoder.forward(h))
    }
}

fn train(digits: &Tensor<f32>, lambda: f64) -> (Params<f32>, Autoencoder) {
    let mut random = Random::new(0);
    let mut params = Params::new();
    let encoder = Dense::new(&mut params, "encoder", [PIXELS, HIDDEN], Init::HeNormal, &mut random);
    let decoder = Dense::new(&mut params, "decoder", [HIDDEN, PIXELS], Init::GlorotNormal, &mut random);
    let model = Autoencoder { encoder, decoder };

    let mut tape = Tape::new();
    let mut grads = params.zeros();
    let mut adam = Adam::new(2e-3);
    for _ in 0..EPOCHS {
        for batch in random.permutation(digits.shape()[0]).chunks(BATCH) {
            let r = tape.record(&params);
            let x = r.constant_rows(digits, batch);
            let (h, y) = model.forward(x);
            let total = loss::mse(y, x) + reg::l1(h).per_sample() * lambda;
            total.backward(&mut grads);
            adam.step(&mut params, &grads);
        }
    }
    (params, model)
}

struct Measures {
    mse: f32,
    explained: f32,
    l0: f32,
    zeros: f32,
    dead: usize,
}

impl Autoencoder {
    fn measure(&self, params: &Params<f32>, digits: &Tensor<f32>) -> Measures {
        let mut tape = Tape::new();
        let r: Recording<f32> = tape.record(params);
        let x = r.constant(digits);
        let (h, y) = self.forward(x);
        let mse = loss::mse(y, x).item();
        // The mean of every standardized pixel is 0, so that its variance is its mean square.
        let variance = x.square().mean().item();
        let h = h.value();
        let active = h.data().iter().filter(|&&h| h > 0.0).count() as f32;
        let dead = (0..HIDDEN).filter(|&unit| h.rows().all(|h| h[unit] == 0.0)).count();
        Measures {
            mse,
            explained: 1.0 - mse / variance,
            l0: active / h.shape()[0] as f32,
            zeros: 1.0 - active / h.data().len() as f32,
            dead,
        }
    }
}
