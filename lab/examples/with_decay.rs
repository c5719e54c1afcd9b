//! An activity penalty together with weight decay: l1 on the code and decoupled decay of the weights, in all combinations,
//! where the decoder's rows may have any length.
//!
//! `cargo run --release -p quietgrad-lab --example with_decay`; see `docs/advice.md`.

#[path = "shared/digits.rs"]
mod digits;

use digits::{Autoencoder, Digits, Study, Way, percent, spread};
use quietgrad_lab::report::Table;
use quietgrad_lab::train::in_parallel;

fn main() -> quietgrad_lab::Result<()> {
    let study = Study::new(8, 40);
    let headings = [
        "coefficient",
        "decay",
        "unexplained, held out",
        "active of 256",
        "mean activation",
        "mean size of a decoder weight",
    ];
    let mut table = Table::new(&headings);
    for lambda in [0.0, 0.03, 0.1] {
        for decay in [0.0, 0.3, 1.0, 3.0] {
            let seeds: Vec<u64> = (0..study.seeds).collect();
            let runs = in_parallel(&seeds, study.threads, |&seed| {
                let digits = Digits::load(seed)?;
                let way = Way { decay, unit_rows: false, ..Way::relu(lambda) };
                let net = Autoencoder::train(&digits.train.0, way, study.epochs, seed);
                let code = net.code(&digits.test.0);
                let w = net.params.get(net.decoder.w);
                let size = w.iter().map(|w| f64::from(w.abs())).sum::<f64>() / w.len() as f64;
                Ok([net.unexplained(&digits.test.0), code.l0(), code.mean_activation(), size])
            });
            let runs = runs.into_iter().collect::<quietgrad_lab::Result<Vec<_>>>()?;
            let of = |i: usize| runs.iter().map(|run| run[i]).collect::<Vec<f64>>();
            table.row([
                lambda.to_string(),
                decay.to_string(),
                percent(&of(0), 1),
                spread(&of(1), 1),
                spread(&of(2), 3),
                spread(&of(3), 3),
            ]);
        }
    }
    study.table("advice_decay", &table)
}
