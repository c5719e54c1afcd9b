//! The search for a coefficient.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use quietgrad::optim::{Adam, Optimizer};
use quietgrad::{Params, Random, Tape, Tensor, loss, reg};
use quietgrad_lab::train::{Finding, Outcome, Search, log_grid, log_random};
use tempfile::tempdir;

/// Trials with these coefficients, losses and densities.
fn trials(rows: &[(f64, f64, f64)]) -> Search {
    let mut search = Search::new();
    let lambdas: Vec<f64> = rows.iter().map(|row| row.0).collect();
    let outcome = |lambda: f64| {
        let row = rows.iter().find(|row| row.0 == lambda).expect("a row");
        Outcome { loss: row.1, density: row.2 }
    };
    search.run(&lambdas, 1, outcome).unwrap();
    search
}

/// A training run: eight numbers are to come out of eight hidden units as they went in.
fn train(lambda: f64, params: &mut Params<f32>) -> Outcome {
    let x = Tensor::<f32>::randn([32, 8], &mut Random::new(3));
    let [encode, decode] = ["encode", "decode"].map(|name| params.find(name).expect("a parameter"));
    let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::new(0.02));
    let mut outcome = Outcome { loss: 0.0, density: 0.0 };
    for _ in 0..40 {
        let r = tape.record(params);
        let x = r.constant(&x);
        let h = x.matmul(r.param(encode)).relu();
        let fit = loss::mse(h.matmul(r.param(decode)), x);
        let loss = fit + reg::l1(h).per_sample() * lambda;
        loss.backward(&mut grads);
        outcome = Outcome { loss: f64::from(fit.item()), density: h.density() };
        adam.step(params, &grads);
    }
    outcome
}

fn model() -> Params<f32> {
    let (mut params, mut random) = (Params::new(), Random::new(1));
    for name in ["encode", "decode"] {
        params.add(name, Tensor::randn([8, 8], &mut random).map(|x: f32| 0.3 * x));
    }
    params
}

#[test]
fn a_parallel_search_has_the_bits_of_a_serial_one() {
    let folder = tempdir().unwrap();
    let files = ["serial", "parallel"].map(|name| folder.path().join(name));
    for (file, threads) in files.iter().zip([1, 4]) {
        let mut search = Search::resume(file, "bits").unwrap();
        search.run(&log_grid(1e-4, 1.0, 9), threads, |lambda| train(lambda, &mut model())).unwrap();
        search.run(&search.around_best(3), threads, |lambda| train(lambda, &mut model())).unwrap();
    }
    assert_eq!(fs::read(&files[0]).unwrap(), fs::read(&files[1]).unwrap());
    assert!(Search::resume(&files[0], "bits").unwrap().trials().len() >= 11);
}

#[test]
fn a_stopped_search_goes_on_with_what_is_left() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("search.json");
    let grid = log_grid(1e-4, 1.0, 9);
    let calls = AtomicUsize::new(0);
    let run = |lambda| {
        let number = calls.fetch_add(1, Ordering::Relaxed);
        assert!(number != 4, "the machine stops");
        train(lambda, &mut model())
    };
    let stopped = || Search::resume(&file, "stops").unwrap().run(&grid, 1, run);
    assert!(catch_unwind(AssertUnwindSafe(stopped)).is_err());
    let mut search = Search::resume(&file, "stops").unwrap();
    assert_eq!(search.trials().len(), 4);
    search.run(&grid, 2, run).unwrap();
    assert_eq!(calls.into_inner(), 10, "nine and the one that was stopped");

    let mut undisturbed = Search::new();
    undisturbed.run(&grid, 1, |lambda| train(lambda, &mut model())).unwrap();
    assert_eq!(search.trials(), undisturbed.trials());
    assert_eq!(Search::resume(&file, "stops").unwrap().trials(), undisturbed.trials());
}

#[test]
fn a_stopped_path_goes_on_with_the_bits_of_an_undisturbed_one() {
    let folder = tempdir().unwrap();
    let grid = log_grid(1e-3, 1.0, 6);
    let (mut undisturbed, mut at_once) = (Search::new(), model());
    undisturbed.path(&grid, &mut at_once, train).unwrap();
    for stop in 0..6 {
        let file = folder.path().join(format!("stop {stop}.json"));
        let mut left = stop;
        let stopped = || {
            Search::resume(&file, "path").unwrap().path(&grid, &mut model(), |lambda, params| {
                assert!(left > 0, "the machine stops");
                left -= 1;
                train(lambda, params)
            })
        };
        assert!(catch_unwind(AssertUnwindSafe(stopped)).is_err());
        // Between the two files of a trial the program may stop as well: the trials' file is one behind then.
        if stop == 3 {
            let text = fs::read_to_string(&file).unwrap();
            let end = text.rfind(",\n    {").unwrap();
            fs::write(&file, format!("{}\n  ]\n}}", &text[..end])).unwrap();
            assert_eq!(Search::resume(&file, "path").unwrap().trials().len(), 2);
        }
        let (mut search, mut params) = (Search::resume(&file, "path").unwrap(), model());
        search.path(&grid, &mut params, train).unwrap();
        assert_eq!(params, at_once, "stopped after {stop}");
        assert_eq!(search.trials(), undisturbed.trials());
    }
    assert_ne!(undisturbed.trials()[5].outcome, train(grid[5], &mut model()), "the beginning was warm");
}

#[test]
fn a_file_of_another_search_or_of_nothing_is_refused() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("search.json");
    let outcome = |lambda| Outcome { loss: if lambda > 0.5 { f64::INFINITY } else { 0.1 }, density: 0.5 };
    Search::resume(&file, "one").unwrap().run(&[0.1, 1.0], 1, outcome).unwrap();
    let again = Search::resume(&file, "one").unwrap();
    assert!(again.trials()[1].outcome.loss.is_nan(), "what diverged has no loss");
    let error = Search::resume(&file, "another").unwrap_err().to_string();
    assert!(error.contains("\"one\", not of \"another\""), "{error}");
    let text = fs::read_to_string(&file).unwrap();
    for damaged in [
        text.replace("0.5", "1.5"),
        text.replace("0.1,", "2.0,"),
        text.replace("\"lambda\"", "\"mu\""),
        text.replace("0.5", "null"),
        text[..text.len() / 2].to_owned(),
        String::new(),
    ] {
        assert_ne!(damaged, text);
        fs::write(&file, &damaged).unwrap();
        assert!(Search::resume(&file, "one").is_err(), "{damaged}");
    }
}

#[test]
fn results_that_cannot_be_written_are_an_error() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("gone").join("search.json");
    let mut search = Search::resume(&file, "x").unwrap();
    let calls = AtomicUsize::new(0);
    let run = |_| {
        calls.fetch_add(1, Ordering::Relaxed);
        Outcome { loss: 1.0, density: 0.5 }
    };
    assert!(search.run(&log_grid(0.1, 1.0, 50), 1, run).is_err());
    assert_eq!(calls.into_inner(), 1, "no run is made whose result would be lost");
    assert_eq!(search.trials().len(), 1);
}

#[test]
fn a_finer_grid_stands_between_the_neighbours_of_the_best() {
    let search = trials(&[(0.01, 3.0, 0.9), (0.1, 1.0, 0.5), (1.0, 2.0, 0.1)]);
    let finer = search.around_best(3);
    assert_eq!(finer, [0.0316228, 0.316228]); // the middle one is the best itself
    assert!(search.around_best(4).iter().all(|&lambda| lambda > 0.01 && lambda < 1.0));
    let edge = trials(&[(0.01, 1.0, 0.9), (0.1, 2.0, 0.5)]).around_best(3);
    assert!(edge[0] < 0.01 && edge[0] > 0.001 && edge[edge.len() - 1] < 0.1, "{edge:?}");
    let alone = trials(&[(1.0, 1.0, 0.9)]).around_best(2);
    assert!(alone[0] < 1.0 && alone[1] > 1.0);
    assert!(Search::new().around_best(5).is_empty());
    assert!(trials(&[(0.0, 1.0, 0.9), (0.1, 2.0, 0.5)]).around_best(5).is_empty());
}

#[test]
fn of_equal_losses_the_sparsest_is_the_best() {
    let search = trials(&[(0.01, 1.0, 0.9), (0.1, 1.0, 0.5), (1.0, 2.0, 0.1), (2.0, f64::NAN, 0.1)]);
    assert_eq!(search.best().unwrap().lambda, 0.1);
    assert_eq!(Search::new().best(), None);
}

#[test]
fn the_best_at_an_edge_is_said() {
    let rising = trials(&[(0.01, 1.0, 0.9), (0.1, 2.0, 0.5)]);
    assert!(rising.findings().contains(&Finding::BestIsSmallest(0.01)));
    let falling = trials(&[(0.01, 2.0, 0.9), (0.1, 1.0, 0.5)]);
    assert!(falling.findings().contains(&Finding::BestIsLargest(0.1)));
    let inside = trials(&[(0.01, 2.0, 0.9), (0.1, 1.0, 0.5), (1.0, 2.0, 0.1)]);
    assert_eq!(inside.findings(), []);
    let zero = trials(&[(0.0, 1.0, 0.9), (0.1, 2.0, 0.5)]);
    assert_eq!(zero.findings(), [], "nothing is smaller than 0");
}

#[test]
fn a_penalty_that_no_longer_changes_anything_is_saturated() {
    let flat = [(1e-4, 1.0, 0.9), (1e-3, 0.9, 0.5), (1e-2, 1.0, 0.2), (1e-1, 1.1, 0.2), (1.0, 1.2, 0.199)];
    assert!(trials(&flat).findings().contains(&Finding::Saturated { from: 1e-2, density: 0.2 }));
    let falling = flat.map(|(lambda, loss, _)| (lambda, loss, 0.1 / lambda.sqrt().sqrt() / 1.1));
    let says = |search: &Search| search.findings().iter().any(|it| matches!(it, Finding::Saturated { .. }));
    assert!(!says(&trials(&falling)));
    // A penalty that is too small everywhere has not begun to act.
    assert!(!says(&trials(&flat.map(|(lambda, loss, _)| (lambda, loss, 0.5)))));
}

#[test]
fn dead_and_diverged_runs_are_said() {
    let search = trials(&[(0.01, 1.0, 0.9), (0.1, 2.0, 0.0), (1.0, 2.0, 0.0), (10.0, f64::NAN, 0.0)]);
    let findings = search.findings();
    assert!(findings.contains(&Finding::AllDied { from: 0.1 }), "{findings:?}");
    assert!(findings.contains(&Finding::Diverged { count: 1, from: 10.0 }));
    assert!(trials(&[(0.1, 2.0, 0.0), (1.0, 2.0, 0.0)]).findings().contains(&Finding::NothingLived));
    let text = search.to_string();
    assert!(text.contains("every unit died") && text.contains("1 of the runs diverged"), "{text}");
}

#[test]
fn the_elbow_is_the_point_furthest_below_the_line_between_the_ends() {
    // y = 1/x at x = 1/8 … 8: scaled to [0, 1], the curve is symmetric, and its elbow stands at x = 1.
    let points: Vec<(f64, f64, f64)> = (-3..=3)
        .map(|i| {
            let x = 2f64.powi(i);
            (1.0 / x, 1.0 / x, x / 8.0)
        })
        .collect();
    assert_eq!(trials(&points).elbow().unwrap().lambda, 1.0);
    // Trials that others beat in both respects, dead ones and diverged ones do not move it.
    let mut more = points.clone();
    more.extend([(100.0, 9.0, 0.6), (200.0, 5.0, 0.0), (300.0, f64::INFINITY, 0.1)]);
    assert_eq!(trials(&more).elbow().unwrap().lambda, 1.0);
    // A straight line and a curve that is bent the other way have none.
    assert_eq!(trials(&[(1.0, 0.3, 0.1), (2.0, 0.2, 0.2), (3.0, 0.1, 0.3)]).elbow(), None);
    assert_eq!(trials(&[(1.0, 0.3, 0.1), (2.0, 0.29, 0.2), (3.0, 0.1, 0.3)]).elbow(), None);
    assert_eq!(trials(&points[..2]).elbow(), None);
}

#[test]
fn grids_have_their_ends_and_equal_factors() {
    let grid = log_grid(1e-5, 1e-1, 9);
    assert_eq!((grid[0], grid[4], grid[8]), (1e-5, 1e-3, 1e-1));
    assert_eq!(log_grid(2.0, 2.0, 3), [2.0; 3]);
    assert!(log_grid(1.0, 2.0, 0).is_empty());
    for (low, high) in [(0.0, 1.0), (2.0, 1.0), (1.0, f64::INFINITY), (f64::NAN, 1.0)] {
        assert!(catch_unwind(|| log_grid(low, high, 3)).is_err());
        assert!(catch_unwind(|| log_random(low, high, 3, 1)).is_err());
    }
    assert!(log_random(1e-3, 1e-2, 100, 1).iter().all(|lambda| (1e-3..=1e-2).contains(lambda)));
}

#[test]
fn what_makes_no_sense_panics() {
    let run = |lambda: f64, density: f64| {
        catch_unwind(|| Search::new().run(&[lambda], 1, |_| Outcome { loss: 1.0, density })).is_err()
    };
    assert!(run(-1.0, 0.5) && run(f64::NAN, 0.5) && run(1.0, 1.5) && run(1.0, f64::NAN));
    assert!(!run(0.0, 0.0));
    let twice = || Search::new().path(&[0.1, 0.1], &mut model(), train);
    assert!(catch_unwind(twice).is_err());
}
