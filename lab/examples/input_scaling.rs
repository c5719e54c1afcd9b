//! Does it matter how the inputs are scaled? Raw pixels, each column standardized, and all divided by one number, each
//! without a penalty and with the coefficient that gives about twenty active units; judged in raw pixels, on digits that were not learned from.
//!
//! `cargo run --release -p quietgrad-lab --example input_scaling`; see `docs/advice.md`.

#[path = "shared/digits.rs"]
mod digits;

use digits::{Autoencoder, Digits, PIXELS, Study, Way, percent, spread};
use quietgrad::Tensor;
use quietgrad_lab::data::scale::Scaler;
use quietgrad_lab::report::Table;
use quietgrad_lab::train::metrics::ExplainedVariance;
use quietgrad_lab::train::statistics::mean;
use quietgrad_lab::train::{in_parallel, log_grid};

/// The active units that the coefficients are chosen for.
const ACTIVE: f64 = 20.0;

fn scaler(name: &str, train: &Tensor<f32>) -> Option<Scaler> {
    let finite = "the training part is not empty, and finite";
    match name {
        "each column standardized" => Some(Scaler::standardize(train).expect(finite)),
        "all by one number" => Some(Scaler::standardize_globally(train).expect(finite)),
        _ => None,
    }
}

/// Of the held-out digits: the share of the variance that is missed, in raw pixels and in scaled ones; the largest scaled
/// input; the active units.
fn run(name: &str, lambda: f64, epochs: usize, seed: u64) -> quietgrad_lab::Result<[f64; 4]> {
    let digits = Digits::load(seed)?;
    let scaler = scaler(name, &digits.train.0);
    let apply = |x: &Tensor<f32>| scaler.as_ref().map_or(x.clone(), |scaler| scaler.apply(x));
    let test = apply(&digits.test.0);
    let net = Autoencoder::train(&apply(&digits.train.0), Way::relu(lambda), epochs, seed);
    let (_, scaled) = net.apply(&test);
    let raw = scaler.as_ref().map_or(scaled.clone(), |scaler| scaler.undo(&scaled));
    let missed = |x: &Tensor<f32>, y: &Tensor<f32>| {
        let mut explained = ExplainedVariance::new(PIXELS);
        explained.add(x, y);
        explained.unexplained()
    };
    let largest = test.data().iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
    Ok([missed(&digits.test.0, &raw), missed(&test, &scaled), f64::from(largest), net.code(&test).l0()])
}

fn main() -> quietgrad_lab::Result<()> {
    let study = Study::new(8, 150);
    let mut grid = vec![0.0];
    grid.extend(if study.quick { log_grid(0.1, 1.0, 2) } else { log_grid(0.1, 10.0, 9) });
    let headings = [
        "inputs",
        "coefficient",
        "active of 256",
        "unexplained, raw pixels",
        "unexplained, as scaled",
        "largest held-out input",
    ];
    let mut table = Table::new(&headings);
    for name in ["raw, from 0 to 1", "all by one number", "each column standardized"] {
        let jobs: Vec<(usize, u64)> =
            (0..grid.len()).flat_map(|i| (0..study.seeds).map(move |seed| (i, seed))).collect();
        let runs = in_parallel(&jobs, study.threads, |&(i, seed)| run(name, grid[i], study.epochs, seed))
            .into_iter()
            .collect::<quietgrad_lab::Result<Vec<_>>>()?;
        let of = |i: usize, what: usize| -> Vec<f64> {
            runs[i * study.seeds as usize..(i + 1) * study.seeds as usize]
                .iter()
                .map(|run| run[what])
                .collect()
        };
        let far = |i: &usize| (mean(&of(*i, 3)) / ACTIVE).ln().abs();
        let nearest = (1..grid.len()).min_by(|a, b| far(a).total_cmp(&far(b))).expect("a grid has points");
        for i in [0, nearest] {
            table.row([
                name.to_owned(),
                format!("{:.2}", grid[i]),
                spread(&of(i, 3), 1),
                percent(&of(i, 0), 1),
                percent(&of(i, 1), 1),
                spread(&of(i, 2), 1),
            ]);
        }
    }
    study.table("advice_scaling", &table)
}
