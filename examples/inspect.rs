//! A small autoencoder's tape, seen from all sides: printed, drawn, counted, timed, and searched for the first NaN.

use std::panic::{AssertUnwindSafe, catch_unwind};

use quietgrad::nn::{Dense, Init};
use quietgrad::{Params, Random, Recording, Tape, Tensor, Var, loss, reg};

struct Autoencoder {
    encoder: Dense,
    decoder: Dense,
}

impl Autoencoder {
    fn loss<'r>(&self, r: Recording<'r, f32>, batch: &Tensor<f32>) -> Var<'r, f32> {
        let x = r.constant(batch);
        let h = self.encoder.forward(x).relu();
        let fit = loss::mse(self.decoder.forward(h), x);
        let penalty = reg::l1(h).per_sample() * 1e-3;
        fit + penalty
    }
}

fn main() {
    let mut random = Random::new(1);
    let mut params = Params::new();
    let model = Autoencoder {
        encoder: Dense::new(&mut params, "encoder", [64, 256], Init::HeNormal, &mut random),
        decoder: Dense::new(&mut params, "decoder", [256, 64], Init::HeNormal, &mut random),
    };
    let batch = Tensor::from_fn([32, 64], |i| (i as f32 * 0.37).sin());
    let mut grads = params.zeros();
    let mut tape = Tape::new();

    let r = tape.record(&params);
    model.loss(r, &batch);
    let graph = r.measured_graph();
    println!("{graph}\n{}\n{}\n{}", r.summary(), graph.to_dot(), graph.to_mermaid());

    tape.start_profile();
    for _ in 0..100 {
        model.loss(tape.record(&params), &batch).backward(&mut grads);
    }
    println!("{}", tape.stop_profile());

    tape.detect_anomalies(true);
    let broken = Tensor::full([32, 64], f32::NAN);
    let _ = catch_unwind(AssertUnwindSafe(|| model.loss(tape.record(&params), &broken).item()));
}
