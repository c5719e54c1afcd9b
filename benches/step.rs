//! Whole training steps on data in memory: forward, backward and Adam, f32, with an l1 penalty on the hidden layer.
//!
//! `cargo bench --bench step`. The same steps written out by hand, without a tape, stand beside them: what the bookkeeping
//! costs, and what the kernels gain.

mod by_hand;

use by_hand::ByHand;
use criterion::{Criterion, criterion_group, criterion_main};
use quietgrad::nn::{Dense, Init};
use quietgrad::optim::{Adam, Optimizer};
use quietgrad::{Grads, Params, Random, Tape, Tensor, Var, loss, reg};

/// A network with one hidden layer, and everything that a step reuses.
struct Setup {
    tape: Tape<f32>,
    params: Params<f32>,
    grads: Grads<f32>,
    adam: Adam<f32>,
    hidden: Dense,
    output: Dense,
    x: Tensor<f32>,
    y: Tensor<f32>,
}

impl Setup {
    fn new([batch, inputs, hidden, outputs]: [usize; 4], lr: f64) -> Self {
        let mut random = Random::new(1);
        let mut params = Params::new();
        let hidden = Dense::new(&mut params, "hidden", [inputs, hidden], Init::HeNormal, &mut random);
        let output_sizes = [params.shape(hidden.b)[0], outputs];
        let output = Dense::new(&mut params, "output", output_sizes, Init::GlorotUniform, &mut random);
        let x = Tensor::from_fn([batch, inputs], |_| random.normal() as f32);
        let y = Tensor::from_fn([batch, outputs], |i| (i % 2) as f32);
        let grads = params.zeros();
        Setup { tape: Tape::new(), params, grads, adam: Adam::new(lr), hidden, output, x, y }
    }

    /// One step of classification; `encode` gives the hidden layer's output.
    fn classify(&mut self, lambda: f64, encode: impl for<'r> Fn(&Dense, Var<'r, f32>) -> Var<'r, f32>) {
        let r = self.tape.record(&self.params);
        let h = encode(&self.hidden, r.constant(&self.x));
        let fit = loss::bce_with_logits(self.output.forward(h), r.constant(&self.y));
        (fit + reg::l1(h).per_sample() * lambda).backward(&mut self.grads);
        self.adam.step(&mut self.params, &self.grads);
    }

    /// One step of reconstruction.
    fn reconstruct(&mut self, lambda: f64) {
        let r = self.tape.record(&self.params);
        let x = r.constant(&self.x);
        let h = self.hidden.forward_relu(x);
        (loss::mse(self.output.forward(h), x) + reg::l1(h).per_sample() * lambda).backward(&mut self.grads);
        self.adam.step(&mut self.params, &self.grads);
    }
}

fn steps(c: &mut Criterion) {
    let mut group = c.benchmark_group("step");
    let mut xor = Setup::new([4, 2, 8, 1], 1e-2);
    group.bench_function("xor, 4 x 2-8-1, tanh", |b| {
        b.iter(|| xor.classify(1e-3, |hidden, x| hidden.forward(x).tanh()))
    });
    let mut hand = ByHand::new(xor.params.data());
    group.bench_function("xor by hand", |b| {
        b.iter(|| hand.step(xor.x.data(), xor.y.data(), [1e-2, 1e-3], f32::tanh, |h| 1.0 - h * h))
    });
    let mut circles = Setup::new([30, 2, 500, 1], 1e-3);
    let mut hand = ByHand::new(circles.params.data());
    group.bench_function("circles by hand", |b| {
        let relu = |z: f32| z.max(0.0);
        b.iter(|| hand.step(circles.x.data(), circles.y.data(), [1e-3, 1e-4], relu, |h| f32::from(h > 0.0)))
    });
    group.bench_function("circles, 30 x 2-500-1, relu", |b| {
        b.iter(|| circles.classify(1e-4, Dense::forward_relu))
    });
    let mut digits = Setup::new([128, 64, 256, 64], 1e-3);
    group.bench_function("autoencoder, 128 x 64-256-64, relu", |b| b.iter(|| digits.reconstruct(1e-3)));
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
