//! How strong should the penalty on activations be? A search on validation rows of handwritten digits, then ten seeds with and
//! without the penalty on test rows: `cargo run --release -p quietgrad-lab --example search_lambda`.

use quietgrad::nn::{Dense, Init};
use quietgrad::optim::{Adam, Optimizer};
use quietgrad::{Params, Random, Tape, Tensor, loss, reg};
use quietgrad_lab::data::idx;
use quietgrad_lab::data::scale::Scaler;
use quietgrad_lab::data::split::{Batches, Split, stratified_split};
use quietgrad_lab::train::metrics::{Code, accuracy};
use quietgrad_lab::train::statistics::{paired, summarize};
use quietgrad_lab::train::{Fit, Outcome, Search, log_grid, repeat};

const HIDDEN: usize = 128;

struct Digits {
    x: Tensor<f32>,
    classes: Vec<usize>,
}

/// What a run came to, on rows that it did not learn from.
struct Held {
    loss: f32,
    accuracy: f64,
    code: Code,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data");
    let images = idx::read::<f32>(format!("{folder}/digits-images.idx3-ubyte"))?.into_tensor();
    let classes = idx::read::<u64>(format!("{folder}/digits-labels.idx1-ubyte"))?.into_data();
    let digits = Digits {
        x: images.reshape([classes.len(), 64]),
        classes: classes.into_iter().map(|class| class as usize).collect(),
    };
    let quick = std::env::var_os("QUIETGRAD_QUICK").is_some();
    let (epochs, seeds) = if quick { (2, 0..2) } else { (60, 0..10) };
    let threads = quietgrad::threads();
    quietgrad::set_threads(1); // each processor has runs of its own

    // The coefficient is chosen by validation rows alone, on one split; test rows are looked at once, below.
    let parts = |seed| stratified_split(&digits.classes, 0.2, 0.6, seed);
    let run = |lambda| {
        let split = parts(100);
        let held = train(&digits, &split, &split.validation, lambda, 100, epochs);
        Outcome { loss: f64::from(held.loss), density: held.code.density() }
    };
    let mut search = Search::new();
    search.run(&log_grid(1e-4, 1.0, 9), threads, run)?;
    search.run(&search.around_best(3), threads, run)?;
    println!("validation rows of one split:\n{search}");
    let lambda = search.best().expect("trials were made").lambda;

    // Is it better than no penalty? The same splits and initial weights for both.
    let runs = repeat(seeds, threads, |seed| {
        let split = parts(seed);
        [lambda, 0.0].map(|lambda| train(&digits, &split, &split.test, lambda, seed, epochs))
    });
    let numbers = |way: usize, of: fn(&Held) -> f64| runs.iter().map(|run| of(&run[way])).collect::<Vec<_>>();
    for (way, name) in ["with the penalty", "without it"].into_iter().enumerate() {
        println!("test rows, {name}:");
        println!("  accuracy     {}", summarize(&numbers(way, |held| held.accuracy)));
        println!("  active units {:.1}", summarize(&numbers(way, |held| held.code.l0())));
    }
    let [with, without] = [0, 1].map(|way| numbers(way, |held| held.accuracy));
    println!("accuracy, with minus without: {}", paired(&with, &without));
    Ok(())
}

/// Learns from a split's training rows, as long as its validation rows say, and looks at `held_out`.
fn train(digits: &Digits, split: &Split, held_out: &[usize], lambda: f64, seed: u64, epochs: u64) -> Held {
    let scaler = Scaler::standardize(&digits.x.select_rows(&split.train)).expect("finite pixels");
    let (x, classes) = (scaler.apply(&digits.x), &digits.classes);
    let (mut params, mut random) = (Params::new(), Random::new(seed));
    let hidden = Dense::new(&mut params, "hidden", [64, HIDDEN], Init::HeNormal, &mut random);
    let output = Dense::new(&mut params, "output", [HIDDEN, 10], Init::GlorotUniform, &mut random);
    let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::new(2e-3));

    let look = |params: &Params<f32>, tape: &mut Tape<f32>, rows: &[usize]| {
        let r = tape.record(params);
        let h = hidden.forward(r.constant_rows(&x, rows)).relu();
        let scores = output.forward(h);
        let mut code = Code::new(HIDDEN);
        code.add(&h.value());
        let truth: Vec<usize> = rows.iter().map(|&row| classes[row]).collect();
        Held {
            loss: loss::cross_entropy(scores, r.indices_rows(classes, rows)).item(),
            accuracy: accuracy(&scores.value().argmax(1), &truth),
            code,
        }
    };
    let batches = Batches::new(split.train.len(), 32, seed);
    let mut fit = Fit::new(epochs).patience(10);
    while let Some(epoch) = fit.epoch().expect("finite losses") {
        for batch in batches.epoch(epoch.number).batches() {
            let rows: Vec<usize> = batch.iter().map(|&i| split.train[i]).collect();
            let r = tape.record(&params);
            let h = hidden.forward(r.constant_rows(&x, &rows)).relu();
            let error = loss::cross_entropy(output.forward(h), r.indices_rows(classes, &rows));
            let loss = error + reg::l1(h).per_sample() * lambda;
            loss.backward(&mut grads);
            let value = loss.item();
            adam.step(&mut params, &grads);
            fit.step(value);
        }
        fit.held_out(look(&params, &mut tape, &split.validation).loss, &params);
    }
    fit.restore_best(&mut params);
    look(&params, &mut tape, held_out)
}
