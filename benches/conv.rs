//! Training steps of a small convolutional net: forward, backward and Adam, f32, with an l1 penalty on both convolutions' outputs.
//! 64 images of 28 x 28, 16 and 32 maps of 3 x 3, each followed by max pooling by two, and a dense layer to ten classes.
//!
//! `cargo bench --bench conv`; with `QUIETGRAD_THREADS=1` on one thread. The peer: `benches/peers/cnn.py`.

use criterion::{Criterion, criterion_group, criterion_main};
use quietgrad::nn::{Conv2d, Dense, Init};
use quietgrad::ops::conv::Convolution;
use quietgrad::ops::pool::Pooling;
use quietgrad::optim::{Adam, Optimizer};
use quietgrad::{Grads, Params, Random, Tape, Tensor, loss, reg};

const BATCH: usize = 64;

struct Setup {
    tape: Tape<f32>,
    params: Params<f32>,
    grads: Grads<f32>,
    adam: Adam<f32>,
    first: Conv2d,
    second: Conv2d,
    last: Dense,
    x: Tensor<f32>,
    classes: Vec<usize>,
}

impl Setup {
    /// With biases of the convolutions that make so much of their outputs zero as a penalty does.
    fn new(biases: [f32; 2]) -> Self {
        let mut random = Random::new(1);
        let mut params = Params::new();
        let of = Convolution::new();
        let mut conv = |name: &str, channels| {
            Conv2d::new(&mut params, name, channels, 3, of, Init::HeNormal, &mut random)
        };
        let (first, second) = (conv("first", [1, 16]), conv("second", [16, 32]));
        for (layer, bias) in [first, second].iter().zip(biases) {
            params.get_mut(layer.b).fill(bias);
        }
        let last = Dense::new(&mut params, "last", [800, 10], Init::GlorotUniform, &mut random);
        let x = Tensor::from_fn([BATCH, 1, 28, 28], |_| random.normal() as f32);
        let classes = (0..BATCH).map(|i| i % 10).collect();
        let grads = params.zeros();
        // So small a rate that the zeros stay as they are.
        let adam = Adam::new(1e-7);
        Setup { tape: Tape::new(), params, grads, adam, first, second, last, x, classes }
    }

    fn step(&mut self, lambda: f64) {
        let r = self.tape.record(&self.params);
        let a = self.first.forward_relu(r.constant(&self.x));
        let b = self.second.forward_relu(a.max_pool2d(Pooling::new(2)));
        let flat = b.max_pool2d(Pooling::new(2)).reshape([BATCH, 800]);
        let fit = loss::cross_entropy(self.last.forward(flat), r.indices([BATCH], &self.classes));
        let penalty = (reg::l1(a) + reg::l1(b)).per_sample() * lambda;
        (fit + penalty).backward(&mut self.grads);
        self.adam.step(&mut self.params, &self.grads);
    }
}

fn steps(c: &mut Criterion) {
    let mut group = c.benchmark_group("cnn");
    for (name, biases) in [("half zero", [0.0, 0.0]), ("sparse", [-2.0, -4.0])] {
        let mut setup = Setup::new(biases);
        group.bench_function(name, |b| b.iter(|| setup.step(1e-4)));
    }
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
