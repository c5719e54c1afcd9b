//! Whether a step takes longer after a long run: the two-circles network after 300 and after 30,000 steps, when most of its
//! units have fallen silent.
//!
//! `cargo bench --bench long_run`. The second must be within 10 % of the first, on a processor too on which subnormal numbers
//! are slow: silent units' moments decay, and must not linger there (`src/kernels/update.rs`).

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use quietgrad::nn::{Dense, Init};
use quietgrad::optim::{Adam, Optimizer};
use quietgrad::{Grads, Params, Random, Tape, Tensor, loss, reg};

/// How many steps are measured together, from one place in the run.
const MEASURED: usize = 50;

/// A run, at some step.
struct Run {
    tape: Tape<f32>,
    params: Params<f32>,
    grads: Grads<f32>,
    adam: Adam<f32>,
    layers: [Dense; 2],
}

impl Run {
    fn new() -> Self {
        let mut random = Random::new(1);
        let mut params = Params::new();
        let hidden = Dense::new(&mut params, "hidden", [2, 500], Init::HeNormal, &mut random);
        let output = Dense::new(&mut params, "output", [500, 1], Init::GlorotUniform, &mut random);
        let (grads, adam) = (params.zeros(), Adam::new(1e-3));
        Run { tape: Tape::new(), params, grads, adam, layers: [hidden, output] }
    }

    /// This run once more, with a tape of its own, warmed up.
    fn again(&self, data: &Circles) -> Self {
        let (params, grads, adam) = (self.params.clone(), self.grads.clone(), self.adam.clone());
        let mut run = Run { tape: Tape::new(), params, grads, adam, layers: self.layers };
        run.step(data);
        run
    }

    fn step(&mut self, Circles { x, y }: &Circles) {
        let r = self.tape.record(&self.params);
        let h = self.layers[0].forward_relu(r.constant(x));
        let fit = loss::bce_with_logits(self.layers[1].forward(h), r.constant(y));
        (fit + reg::l1(h).per_sample() * 1e-3).backward(&mut self.grads);
        self.adam.step(&mut self.params, &self.grads);
    }
}

/// Points on two circles, and on which.
struct Circles {
    x: Tensor<f32>,
    y: Tensor<f32>,
}

impl Circles {
    fn new() -> Self {
        let mut random = Random::new(2);
        let mut x = Tensor::zeros([30, 2]);
        for (i, point) in x.data_mut().chunks_exact_mut(2).enumerate() {
            let radius = if i % 2 == 0 { 0.5 } else { 1.0 };
            let angle = random.uniform(0.0, std::f64::consts::TAU);
            point[0] = (radius * angle.cos()) as f32;
            point[1] = (radius * angle.sin()) as f32;
        }
        Circles { x, y: Tensor::from_fn([30, 1], |i| (i % 2) as f32) }
    }
}

fn long_run(c: &mut Criterion) {
    let (data, mut run) = (Circles::new(), Run::new());
    let mut group = c.benchmark_group("50 steps of two circles");
    let mut taken = 0;
    for after in [300, 30_000] {
        while taken < after {
            run.step(&data);
            taken += 1;
        }
        group.bench_function(format!("after {after}"), |b| {
            b.iter_batched_ref(
                || run.again(&data),
                |run| (0..MEASURED).for_each(|_| run.step(&data)),
                BatchSize::LargeInput,
            )
        });
    }
    group.finish();
}

criterion_group!(benches, long_run);
criterion_main!(benches);
