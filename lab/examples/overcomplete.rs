//! Must a layer be overcomplete, and does it need a penalty then? Autoencoders of 16 to 1024 units, with and without l1,
//! that learn from few digits; judged on others, clean and noisy.
//!
//! `cargo run --release -p quietgrad-lab --example overcomplete`; see `docs/advice.md`.

#[path = "shared/digits.rs"]
mod digits;

use digits::{Autoencoder, Digits, Study, Way, percent, spread};
use quietgrad::{Random, Tensor};
use quietgrad_lab::report::Table;
use quietgrad_lab::train::in_parallel;
use quietgrad_lab::train::metrics::ExplainedVariance;

/// Digits that are learned from, and the standard deviation of the noise.
const FEW: usize = 200;
const NOISE: f64 = 0.2;

fn main() -> quietgrad_lab::Result<()> {
    let study = Study::new(8, 200);
    let headings = [
        "units",
        "coefficient",
        "unexplained, learned from",
        "unexplained, held out",
        "held out, noise added",
        "active",
        "dead",
    ];
    let mut table = Table::new(&headings);
    for units in [16, 64, 256, 1024] {
        for lambda in [0.0, 0.03, 0.1] {
            let seeds: Vec<u64> = (0..study.seeds).collect();
            let runs = in_parallel(&seeds, study.threads, |&seed| {
                let digits = Digits::load(seed)?;
                let few = digits.train.0.select_rows(&(0..FEW).collect::<Vec<_>>());
                let way = Way { units, ..Way::relu(lambda) };
                let net = Autoencoder::train(&few, way, study.epochs, seed);
                let test = &digits.test.0;
                let mut random = Random::new(seed);
                let noisy: Tensor<f32> = test.map(|x| x + (NOISE * random.normal()) as f32);
                let mut cleaned = ExplainedVariance::new(digits::PIXELS);
                cleaned.add(test, &net.apply(&noisy).1);
                let code = net.code(test);
                Ok([
                    net.unexplained(&few),
                    net.unexplained(test),
                    cleaned.unexplained(),
                    code.l0(),
                    code.dead().len() as f64,
                ])
            });
            let runs = runs.into_iter().collect::<quietgrad_lab::Result<Vec<_>>>()?;
            let of = |i: usize| runs.iter().map(|run| run[i]).collect::<Vec<f64>>();
            table.row([
                units.to_string(),
                lambda.to_string(),
                percent(&of(0), 1),
                percent(&of(1), 1),
                percent(&of(2), 1),
                spread(&of(3), 1),
                spread(&of(4), 1),
            ]);
        }
    }
    study.table("advice_overcomplete", &table)
}
