//! Relu, tanh or sigmoid for a sparse code? The same autoencoder of digits with each, under l1 of several strengths; how
//! well digits that it has not seen are reconstructed, and how many activations are exactly 0.
//!
//! `cargo run --release -p quietgrad-lab --example code_activations`; see `docs/advice.md`.

#[path = "shared/digits.rs"]
mod digits;

use digits::{Autoencoder, Digits, Study, Way, percent, spread};
use quietgrad::Var;
use quietgrad_lab::report::Table;
use quietgrad_lab::train::in_parallel;

type Activation = for<'r> fn(Var<'r, f32>) -> Var<'r, f32>;

fn main() -> quietgrad_lab::Result<()> {
    let study = Study::new(8, 40);
    let activations: [(&str, Activation); 3] =
        [("relu", |z| z.relu()), ("tanh", |z| z.tanh()), ("sigmoid", |z| z.sigmoid())];
    let lambdas = [0.0, 0.03, 0.1, 0.3];
    let headings = [
        "activation",
        "coefficient",
        "unexplained, held out",
        "exact zeros",
        "below 1 % of the largest",
        "not 0, of 256",
    ];
    let mut table = Table::new(&headings);
    for (name, activation) in activations {
        for lambda in lambdas {
            let seeds: Vec<u64> = (0..study.seeds).collect();
            let runs = in_parallel(&seeds, study.threads, |&seed| {
                let digits = Digits::load(seed)?;
                let way = Way { activation, ..Way::relu(lambda) };
                let net = Autoencoder::train(&digits.train.0, way, study.epochs, seed);
                let (h, _) = net.apply(&digits.test.0);
                let largest = h.data().iter().fold(0.0, |largest: f32, h| largest.max(h.abs()));
                let small = h.data().iter().filter(|h| h.abs() < 0.01 * largest).count();
                let code = net.code(&digits.test.0);
                Ok([
                    net.unexplained(&digits.test.0),
                    code.zeros(),
                    small as f64 / h.data().len() as f64,
                    code.l0(),
                ])
            });
            let runs = runs.into_iter().collect::<quietgrad_lab::Result<Vec<_>>>()?;
            let of = |i: usize| runs.iter().map(|run| run[i]).collect::<Vec<f64>>();
            table.row([
                name.to_owned(),
                lambda.to_string(),
                percent(&of(0), 1),
                percent(&of(1), 1),
                percent(&of(2), 1),
                spread(&of(3), 1),
            ]);
        }
    }
    study.table("advice_activations", &table)
}
