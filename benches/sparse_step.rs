//! A step's time against the share of zeros, with zeros skipped and without: `cargo bench --bench sparse_step`.
//!
//! Whole steps (forward, backward, Adam; f32; an l1 penalty) of autoencoders whose encoder's bias is set so that a given
//! share of the hidden layer is exactly zero. The ways are timed in turn, and the best of each is taken: machines are
//! noisy, and only the ratio of one run means something. The last is that with zeros skipped, the encoder written as
//! `forward(x).relu()`. `STEP_THREADS=2` gives them threads, `STEP_SIZE=large` keeps one
//! size.

use std::time::Instant;

use quietgrad::nn::{Dense, Init};
use quietgrad::optim::{Adam, Optimizer};
use quietgrad::{Grads, Params, Random, SkipZeros, Tape, Tensor, loss, reg, set_threads};

/// Batch, inputs, hidden units.
const SIZES: [(&str, [usize; 3]); 3] =
    [("small", [128, 64, 256]), ("middle", [512, 256, 2048]), ("large", [1024, 768, 6144])];

const ZEROS: [f64; 8] = [0.0, 0.3, 0.5, 0.65, 0.8, 0.9, 0.95, 0.99];

struct Setup {
    params: Params<f32>,
    grads: Grads<f32>,
    adam: Adam<f32>,
    encoder: Dense,
    decoder: Dense,
    x: Tensor<f32>,
}

impl Setup {
    fn new([batch, inputs, hidden]: [usize; 3], zeros: f64) -> Self {
        let mut random = Random::new(1);
        let x = Tensor::from_fn([batch, inputs], |_| random.normal() as f32);
        let mut params = Params::new();
        let encoder = Dense::new(&mut params, "encoder", [inputs, hidden], Init::LeCunNormal, &mut random);
        let decoder = Dense::new(&mut params, "decoder", [hidden, inputs], Init::LeCunNormal, &mut random);
        // The pre-activations' quantile, so that this share of them is not above 0.
        let mut z = {
            let mut tape = Tape::new();
            let r = tape.record(&params);
            encoder.forward(r.constant(&x)).value().into_data()
        };
        z.sort_by(f32::total_cmp);
        let place = (zeros * z.len() as f64) as usize;
        params.get_mut(encoder.b).fill(if zeros == 0.0 { 1.0 - z[0] } else { -z[place] });
        let grads = params.zeros();
        // So small a step that the share of zeros stays.
        Setup { grads, params, adam: Adam::new(1e-12), encoder, decoder, x }
    }

    /// Seconds of a step, with the encoder and relu in one, or apart.
    fn step(&mut self, tape: &mut Tape<f32>, apart: bool) -> f64 {
        let begun = Instant::now();
        let r = tape.record(&self.params);
        let x = r.constant(&self.x);
        let h = if apart { self.encoder.forward(x).relu() } else { self.encoder.forward_relu(x) };
        let fit = loss::mse(self.decoder.forward(h), x);
        (fit + reg::l1(h).per_sample() * 1e-3).backward(&mut self.grads);
        self.adam.step(&mut self.params, &self.grads);
        begun.elapsed().as_secs_f64()
    }
}

fn main() {
    let threads = std::env::var("STEP_THREADS").ok().and_then(|threads| threads.parse().ok()).unwrap_or(1);
    set_threads(threads);
    let only_run = std::env::args().any(|argument| argument == "--test");
    let size = std::env::var("STEP_SIZE").ok();
    for (name, [batch, inputs, hidden]) in SIZES {
        if size.as_ref().is_some_and(|size| size != name) {
            continue;
        }
        println!("{name}: batch {batch}, {inputs}-{hidden}-{inputs}, {threads} thread(s)");
        println!("zeros    dense ms  skipped ms   ratio    apart ms");
        for zeros in ZEROS {
            let mut setup = Setup::new([batch, inputs, hidden], zeros);
            let (mut dense, mut skipping, mut apart) = (Tape::new(), Tape::new(), Tape::new());
            dense.skip_zeros(SkipZeros::Never);
            let mut best = [f64::MAX; 3];
            let (begun, mut rounds) = (Instant::now(), 0);
            while rounds < 3 || (begun.elapsed().as_secs_f64() < 1.0 && !only_run) {
                let ways = [(&mut dense, false), (&mut skipping, false), (&mut apart, true)];
                for (best, (tape, is_apart)) in best.iter_mut().zip(ways) {
                    *best = best.min(setup.step(tape, is_apart));
                }
                rounds += 1;
            }
            let [dense, skipping, apart] = best.map(|seconds| 1e3 * seconds);
            let ratio = dense / skipping;
            println!("{:4.0} % {dense:10.3} {skipping:11.3} {ratio:6.2}x {apart:11.3}", 100.0 * zeros);
            if only_run {
                break;
            }
        }
    }
}
