//! The case study: two noisy circles, thirty points to learn from, five hundred hidden units, and a penalty on what they say.
//!
//! ```sh
//! cargo run --release -p quietgrad-lab --example two_circles             # the tables
//! cargo run --release -p quietgrad-lab --example two_circles -- --full   # and wide sweeps
//! cargo run --release -p quietgrad-lab --example two_circles -- --norms  # one of these alone: norms at their best
//! cargo run --release -p quietgrad-lab --example two_circles -- --time   # seconds a run, beside benches/peers
//! cargo run --release -p quietgrad-lab --example two_circles -- --full --write   # and docs/tables, docs/figures
//! ```
//!
//! `docs/case-study.md` tells what comes out. With `QUIETGRAD_QUICK=1` everything is cut short.

mod figures;
mod net;

use std::path::PathBuf;
use std::time::Instant;

use net::{Data, Norm, Penalty, Place, Run, run};
use quietgrad_lab::report::{Table, sparkline};
use quietgrad_lab::train::statistics::{Interval, bootstrap, deviation, mean, paired};
use quietgrad_lab::train::{in_parallel, log_grid};

/// How much is done.
struct Scale {
    epochs: usize,
    seeds: u64,
    /// For each of many coefficients.
    sweep_seeds: u64,
    fresh: usize,
    threads: usize,
}

/// The tutorial's batch: what is summed over it weighs this many times what is divided by it.
const BATCH: f64 = 30.0;

fn main() -> quietgrad_lab::Result<()> {
    let flag = |name: &str| std::env::args().any(|argument| argument == name);
    let quick = std::env::var_os("QUIETGRAD_QUICK").is_some();
    let (full, write) = (flag("--full"), flag("--write"));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    quietgrad::set_threads(1); // every processor has a run of its own
    let scale = match (quick, full) {
        (true, _) => Scale { epochs: 100, seeds: 2, sweep_seeds: 2, fresh: 500, threads },
        (_, false) => Scale { epochs: 4000, seeds: 30, sweep_seeds: 4, fresh: 10_000, threads },
        (_, true) => Scale { epochs: 4000, seeds: 30, sweep_seeds: 20, fresh: 10_000, threads },
    };
    let docs = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs"));
    let publish = |name: &str, table: &Table| -> quietgrad_lab::Result<()> {
        println!("{table}");
        if write { table.publish(&docs, name) } else { Ok(()) }
    };
    if flag("--time") {
        time(&scale);
        return Ok(());
    }
    if flag("--norms") {
        return publish("circles_norms", &norms(&scale, &Data::new(0.1, 1, scale.fresh), quick));
    }
    let start = Instant::now();
    let took = |what: &str| println!("[{what}: {:.1} s]\n", start.elapsed().as_secs_f64());

    println!("The tutorial's points, noise 0.1, {} seeds\n", scale.seeds);
    let data = Data::new(0.1, 1, scale.fresh);
    let cases = cases();
    let results = every(&scale, &data, scale.seeds, &cases);
    publish("circles_test", &test_table(&results))?;
    publish("circles_fresh", &fresh_table(&results))?;
    publish("circles_code", &code_table(&results))?;
    for (case, runs) in &results {
        let losses: Vec<f64> = mean_curve(runs).iter().map(|(_, _, valid)| *valid).collect();
        println!("{:36} held-out loss {}", case.name, sparkline(&losses, 40));
    }
    took("the tutorial's points");

    println!("Other draws of 30 points, one seed each: against the baseline of the same draw\n");
    publish("circles_draws", &draws(&scale, scale.seeds))?;
    took("other draws");

    println!("The coefficient of l1, per sample, {} seeds each\n", scale.sweep_seeds);
    let lambdas = if quick { log_grid(1e-6, 1.0, 3) } else { log_grid(1e-6, 1.0, 13) };
    let sweeps = [Place::Before, Place::After].map(|place| sweep(&scale, &data, Norm::L1, place, &lambdas));
    publish("circles_sweep", &sweep_table(&sweeps[1]))?;
    took("the coefficient");
    if full || quick {
        let fine = if quick { log_grid(0.01, 0.1, 2) } else { log_grid(0.01, 0.4, 12) };
        let refined = sweep(&scale, &data, Norm::L1, Place::After, &fine);
        println!("Refined\n");
        publish("circles_refined", &sweep_table(&refined))?;
        publish("circles_norms", &norms(&scale, &data, quick))?;
        println!("Noise 0.2\n");
        let noisy = Data::new(0.2, 1, scale.fresh);
        let cases: Vec<Case> =
            cases.iter().take(3).map(|case| Case { published: None, ..case.clone() }).collect();
        publish("circles_noisy", &test_table(&every(&scale, &noisy, scale.seeds, &cases)))?;
        took("everything");
    }
    if write {
        let figures = docs.join("figures");
        figures::boundary(&data, &results).write(figures.join("circles_boundary"))?;
        figures::curves(&results).write(figures.join("circles_curves"))?;
        figures::histograms(scale.epochs, &data, &results).write(figures.join("circles_preactivations"))?;
        figures::coefficient(&results[0].1, &sweeps, scale.sweep_seeds)
            .write(figures.join("circles_coefficient"))?;
        println!("wrote {}", figures.display());
    }
    Ok(())
}

/// How long one run takes, on one thread, as `benches/peers/keras_circles.py` asks Keras.
fn time(scale: &Scale) {
    let data = Data::new(0.1, 1, 100);
    for case in &cases()[..3] {
        let seconds: Vec<f64> = (0..5)
            .map(|seed| {
                let start = Instant::now();
                run(&data, case.penalty, scale.epochs, seed);
                start.elapsed().as_secs_f64()
            })
            .collect();
        println!("{:30} {} s a run", case.name, spread(&seconds, 3));
    }
}

/// A penalty and what it is called.
#[derive(Clone)]
struct Case {
    name: String,
    penalty: Option<Penalty>,
    /// What the tutorial printed: accuracy on its 30 and on its 70 points.
    published: Option<(f64, f64)>,
}

/// The tutorial's own three, with 1e-4 summed over the batch; then other norms, and all of them divided by the batch.
fn cases() -> Vec<Case> {
    let mut cases =
        vec![Case { name: "no penalty".to_owned(), penalty: None, published: Some((1.0, 0.786)) }];
    for (reduction, factor) in [("summed", BATCH), ("per sample", 1.0)] {
        let rows = [
            (Norm::L1, Place::Before, Some((0.967, 0.829))),
            (Norm::L1, Place::After, Some((1.0, 0.743))),
            (Norm::L2, Place::After, None),
            (Norm::Elastic, Place::After, None),
        ];
        for (norm, place, published) in rows {
            let side = if place == Place::Before { "before" } else { "after" };
            cases.push(Case {
                name: format!("{} {side} relu, {reduction}", norm.name()),
                penalty: Some(Penalty { norm, place, lambda: 1e-4 * factor }),
                published: published.filter(|_| factor > 1.0),
            });
        }
    }
    cases
}

/// Every case with every seed.
fn every<'a>(scale: &Scale, data: &Data, seeds: u64, cases: &'a [Case]) -> Vec<(&'a Case, Vec<Run>)> {
    let jobs: Vec<(usize, u64)> =
        (0..cases.len()).flat_map(|i| (0..seeds).map(move |seed| (i, seed))).collect();
    let mut runs =
        in_parallel(&jobs, scale.threads, |&(i, seed)| run(data, cases[i].penalty, scale.epochs, seed))
            .into_iter();
    cases.iter().map(|case| (case, runs.by_ref().take(seeds as usize).collect())).collect()
}

fn all(runs: &[Run], of: impl Fn(&Run) -> f64) -> Vec<f64> {
    runs.iter().map(of).collect()
}

/// `mean ± standard deviation`
fn spread(numbers: &[f64], digits: usize) -> String {
    format!("{:.digits$} ± {:.digits$}", mean(numbers), deviation(numbers))
}

/// A 95 % interval for the mean, in words.
fn interval(Interval { low, high, .. }: Interval, digits: usize) -> String {
    format!("{low:.digits$} to {high:.digits$}").replace('-', "−")
}

fn test_table(results: &[(&Case, Vec<Run>)]) -> Table {
    let headings =
        ["penalty", "published train", "train", "published test", "test", "95 % for its mean", "test loss"];
    let mut table = Table::new(&headings);
    for (case, runs) in results {
        let published =
            |of: fn((f64, f64)) -> f64| case.published.map_or("–".to_owned(), |p| format!("{:.3}", of(p)));
        let test = all(runs, |run| run.test_accuracy);
        table.row([
            case.name.clone(),
            published(|p| p.0),
            spread(&all(runs, |run| run.train_accuracy), 3),
            published(|p| p.1),
            spread(&test, 3),
            interval(bootstrap(&test), 3),
            spread(&all(runs, |run| run.test_loss), 2),
        ]);
    }
    table
}

fn fresh_table(results: &[(&Case, Vec<Run>)]) -> Table {
    let mut table = Table::new(&[
        "penalty",
        "accuracy",
        "95 % for its mean",
        "more than without",
        "95 %",
        "loss",
        "least mean loss on the way, at epoch",
    ]);
    let base = all(&results[0].1, |run| run.fresh_accuracy);
    for (case, runs) in results {
        let accuracy = all(runs, |run| run.fresh_accuracy);
        let (difference, sure) = if case.penalty.is_none() {
            ("–".to_owned(), "–".to_owned())
        } else {
            let test = paired(&accuracy, &base);
            (format!("{:+.4}", test.mean).replace('-', "−"), interval(test.interval, 4))
        };
        let curve = mean_curve(runs);
        let (epoch, _, least) = curve.iter().min_by(|a, b| a.2.total_cmp(&b.2)).expect("a curve has points");
        table.row([
            case.name.clone(),
            spread(&accuracy, 4),
            interval(bootstrap(&accuracy), 4),
            difference,
            sure,
            spread(&all(runs, |run| run.fresh_loss), 3),
            format!("{least:.3}, {epoch:.0}"),
        ]);
    }
    table
}

fn code_table(results: &[(&Case, Vec<Run>)]) -> Table {
    let mut table =
        Table::new(&["penalty", "mean activation", "exact zeros", "active of 500 (L0)", "dead units"]);
    for (case, runs) in results {
        table.row([
            case.name.clone(),
            spread(&all(runs, |run| run.mean_activation), 4),
            format!("{} %", spread(&all(runs, |run| 100.0 * run.zeros), 1)),
            spread(&all(runs, |run| run.l0), 1),
            spread(&all(runs, |run| run.dead), 1),
        ]);
    }
    table
}

/// The mean over the runs of `(epoch, training loss, held-out loss)`.
fn mean_curve(runs: &[Run]) -> Vec<(f64, f64, f64)> {
    let at = |i: usize, of: fn(&(f64, f64, f64)) -> f64| mean(&all(runs, |run| of(&run.curve[i])));
    (0..runs[0].curve.len()).map(|i| (runs[0].curve[i].0, at(i, |p| p.1), at(i, |p| p.2))).collect()
}

/// The tutorial's three on other training points: what is the method's, and what is these thirty points'?
fn draws(scale: &Scale, count: u64) -> Table {
    let cases = &cases()[..3];
    let jobs: Vec<(usize, u64)> =
        (0..cases.len()).flat_map(|i| (2..count + 2).map(move |draw| (i, draw))).collect();
    let runs = in_parallel(&jobs, scale.threads, |&(i, draw)| {
        let data = Data::new(0.1, draw as u32, scale.fresh);
        run(&data, cases[i].penalty, scale.epochs, draw)
    });
    let mut table = Table::new(&[
        "penalty",
        "accuracy on 10,000 points",
        "more than without",
        "95 %",
        "loss",
        "loss, less than without",
        "95 %",
    ]);
    let count = count as usize;
    for (i, case) in cases.iter().enumerate() {
        let (these, base) = (&runs[i * count..(i + 1) * count], &runs[..count]);
        let (accuracy, loss) = (all(these, |run| run.fresh_accuracy), all(these, |run| run.fresh_loss));
        let mut cells = vec![case.name.clone(), spread(&accuracy, 3)];
        let gain = paired(&accuracy, &all(base, |run| run.fresh_accuracy));
        let less = paired(&all(base, |run| run.fresh_loss), &loss);
        let words = |mean: f64, between: Interval| {
            if i == 0 {
                ["–".to_owned(), "–".to_owned()]
            } else {
                [format!("{mean:+.3}").replace('-', "−"), interval(between, 3)]
            }
        };
        cells.extend(words(gain.mean, gain.interval));
        cells.push(spread(&loss, 3));
        cells.extend(words(less.mean, less.interval));
        table.row(cells);
    }
    table
}

/// Runs at each coefficient.
struct Sweep {
    points: Vec<(f64, Vec<Run>)>,
}

fn sweep(scale: &Scale, data: &Data, norm: Norm, place: Place, lambdas: &[f64]) -> Sweep {
    let seeds = scale.sweep_seeds;
    let jobs: Vec<(f64, u64)> =
        lambdas.iter().flat_map(|&lambda| (0..seeds).map(move |seed| (lambda, seed))).collect();
    let mut runs = in_parallel(&jobs, scale.threads, |&(lambda, seed)| {
        run(data, Some(Penalty { norm, place, lambda }), scale.epochs, seed)
    })
    .into_iter();
    Sweep {
        points: lambdas
            .iter()
            .map(|&lambda| (lambda, runs.by_ref().take(seeds as usize).collect()))
            .collect(),
    }
}

fn sweep_table(sweep: &Sweep) -> Table {
    let mut table = Table::new(&[
        "coefficient",
        "train",
        "70 test points",
        "10,000 points",
        "their loss",
        "active of 500",
        "dead",
    ]);
    for (lambda, runs) in &sweep.points {
        table.row([
            format!("{lambda:.1e}").replace('-', "−"),
            format!("{:.3}", mean(&all(runs, |run| run.train_accuracy))),
            format!("{:.3}", mean(&all(runs, |run| run.test_accuracy))),
            format!("{:.3}", mean(&all(runs, |run| run.fresh_accuracy))),
            format!("{:.3}", mean(&all(runs, |run| run.fresh_loss))),
            format!("{:.1}", mean(&all(runs, |run| run.l0))),
            format!("{:.1}", mean(&all(runs, |run| run.dead))),
        ]);
    }
    table
}

/// Each norm at its best: chosen on the validation points, judged on others.
fn norms(scale: &Scale, data: &Data, quick: bool) -> Table {
    println!("Each norm behind the relu, at the coefficient with the best accuracy on 1000 further points\n");
    let mut table = Table::new(&[
        "norm",
        "coefficient",
        "accuracy on 10,000 points",
        "loss",
        "active of 500",
        "mean activation",
    ]);
    let few = Scale { sweep_seeds: 4.min(scale.sweep_seeds), ..*scale };
    for norm in [Norm::L1, Norm::L2, Norm::Elastic, Norm::Half, Norm::Hoyer, Norm::Log] {
        let lambdas = if quick { log_grid(1e-4, 1e-2, 2) } else { log_grid(1e-5, 1.0, 11) };
        let coarse = sweep(&few, data, norm, Place::After, &lambdas);
        let right = |runs: &Vec<Run>| mean(&all(runs, |run| run.valid_accuracy));
        let (lambda, _) = coarse
            .points
            .iter()
            .max_by(|a, b| right(&a.1).total_cmp(&right(&b.1)))
            .expect("a grid has points");
        let chosen = sweep(scale, data, norm, Place::After, &[*lambda]);
        let runs = &chosen.points[0].1;
        table.row([
            norm.name().to_owned(),
            format!("{lambda:.1e}").replace('-', "−"),
            spread(&all(runs, |run| run.fresh_accuracy), 3),
            spread(&all(runs, |run| run.fresh_loss), 3),
            spread(&all(runs, |run| run.l0), 1),
            spread(&all(runs, |run| run.mean_activation), 3),
        ]);
    }
    table
}
