//! The book-keeping of a training loop.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use quietgrad::{Params, Tensor};
use quietgrad_lab::data::split::Batches;
use quietgrad_lab::train::{Fit, FitError, Report};

fn one(x: f32) -> Params<f32> {
    let mut params = Params::new();
    params.add("x", Tensor::from([x]));
    params
}

/// Runs with these held-out losses, one an epoch; the parameter is the epoch's number. Gives the epochs that were made.
fn run(fit: &mut Fit<f32>, losses: &[f32]) -> Result<Vec<u64>, FitError> {
    let mut epochs = Vec::new();
    while let Some(epoch) = fit.epoch()? {
        epochs.push(epoch.number);
        fit.step(1.0f32);
        fit.held_out(losses[epoch.number as usize], &one(epoch.number as f32));
    }
    Ok(epochs)
}

#[test]
fn every_row_comes_once_an_epoch_and_the_short_batch_is_kept() {
    let batches = Batches::new(10, 4, 7);
    let mut fit = Fit::<f32>::new(3);
    while let Some(epoch) = fit.epoch().unwrap() {
        let mut seen = Vec::new();
        for rows in batches.epoch(epoch.number).batches().skip(epoch.done) {
            seen.extend_from_slice(rows);
            fit.step(rows.len() as f32);
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
    }
    assert_eq!((fit.steps(), fit.history().len()), (9, 3));
    let report = Report { epoch: 1, steps: 3, loss: 10.0 / 3.0, held_out: None };
    assert_eq!(fit.history()[1], report);
}

#[test]
fn an_epoch_without_a_step_is_an_error() {
    let mut fit = Fit::<f32>::new(3);
    assert_eq!(fit.epoch().unwrap().unwrap().number, 0);
    assert_eq!(fit.epoch(), Err(FitError::NoStep { epoch: 0 }));
    assert_eq!(Fit::<f32>::new(0).epoch(), Ok(None));
}

#[test]
fn training_stops_when_patience_is_at_its_end() {
    let losses = [5.0, 3.0, 4.0, 3.0, 2.0, 9.0, 9.0, 2.0, 1.0, 0.0];
    let mut fit = Fit::new(10).patience(3);
    assert_eq!(run(&mut fit, &losses), Ok((0..8).collect()), "three epochs after the best, number 4");
    let mut params = one(-1.0);
    let best = fit.restore_best(&mut params).unwrap();
    assert_eq!((best.epoch, best.held_out, params.data()[0]), (4, Some(2.0), 4.0));
    assert_eq!(fit.epoch(), Ok(None), "it stays stopped");

    let mut without = Fit::new(10);
    assert_eq!(run(&mut without, &losses).unwrap().len(), 10);
    assert_eq!(without.restore_best(&mut params).unwrap().epoch, 9);
    let mut to_the_end = Fit::new(6).patience(3);
    assert_eq!(run(&mut to_the_end, &losses).unwrap().len(), 6);
}

#[test]
fn of_equal_held_out_losses_the_first_is_kept() {
    let mut fit = Fit::new(3);
    run(&mut fit, &[1.0, 1.0, 1.0]).unwrap();
    let mut params = one(-1.0);
    assert_eq!(fit.restore_best(&mut params).unwrap().epoch, 0);
}

#[test]
fn without_a_held_out_loss_nothing_is_put_back_and_patience_is_an_error() {
    let mut fit = Fit::new(2);
    while fit.epoch().unwrap().is_some() {
        fit.step(1.0f32);
    }
    let mut params = one(7.0);
    assert_eq!(fit.restore_best(&mut params), None);
    assert_eq!(params.data(), [7.0]);

    let mut patient = Fit::<f32>::new(2).patience(1);
    patient.epoch().unwrap();
    patient.step(1.0f32);
    assert_eq!(patient.epoch(), Err(FitError::NoHeldOut { epoch: 0 }));
}

#[test]
fn a_loss_that_is_not_finite_is_an_error_that_names_the_step() {
    let mut fit = Fit::<f32>::new(2);
    fit.epoch().unwrap();
    [1.0, f32::INFINITY, 2.0].into_iter().for_each(|loss| fit.step(loss));
    let fault = FitError::NotFinite { epoch: 0, step: Some(1), loss: f64::INFINITY };
    assert_eq!(fit.epoch(), Err(fault));
    assert_eq!(fit.epoch(), Err(fault), "it stays broken");
    assert_eq!(fault.to_string(), "the loss of step 1 of epoch 0 is inf");

    let mut fit = Fit::new(2);
    assert!(run(&mut fit, &[f32::NAN]).unwrap_err().to_string().contains("held-out loss of epoch 0 is NaN"));
    assert!(fit.restore_best(&mut one(0.0)).is_none());
}

#[test]
fn observers_are_called_in_order_at_the_end_of_each_epoch() {
    let calls = RefCell::new(Vec::new());
    let mut fit = Fit::new(2)
        .on_epoch(|report: &Report| calls.borrow_mut().push(("first", report.epoch)))
        .on_epoch(|report: &Report| calls.borrow_mut().push(("second", report.epoch)));
    run(&mut fit, &[1.0, 2.0]).unwrap();
    assert_eq!(*calls.borrow(), [("first", 0), ("second", 0), ("first", 1), ("second", 1)]);
}

#[test]
fn the_time_that_is_left_is_known_after_an_epoch() {
    let mut fit = Fit::<f32>::new(100);
    fit.epoch().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    fit.step(1.0f32);
    assert_eq!(fit.remaining(), None, "how many steps an epoch has is not known yet");
    fit.epoch().unwrap();
    let left = fit.remaining().unwrap().as_secs_f64();
    assert!((1.9..20.0).contains(&left), "99 epochs of 20 ms and a bit: {left}");
}

#[test]
fn a_fit_goes_on_from_its_state_at_any_place() {
    // At each of these moments of the loop, the rest is done by another fit.
    let held_out = [4.0f32, 2.0, 3.0, 3.5, 1.0];
    let whole = |stop: Option<(u64, u64, bool)>| {
        let batches = Batches::new(5, 2, 1);
        let mut seen = Vec::new();
        let mut fit = Fit::<f32>::new(5).patience(2);
        while let Some(epoch) = fit.epoch().unwrap() {
            let mut again = false;
            for (number, rows) in batches.epoch(epoch.number).batches().enumerate().skip(epoch.done) {
                seen.push((epoch.number, rows.to_vec()));
                fit.step(rows[0] as f32);
                if stop == Some((epoch.number, number as u64, false)) {
                    fit = resumed(&fit);
                    again = true;
                    break;
                }
            }
            if again {
                continue;
            }
            fit.held_out(held_out[epoch.number as usize], &one(epoch.number as f32));
            if stop == Some((epoch.number, 2, true)) {
                fit = resumed(&fit);
            }
        }
        let mut params = one(-1.0);
        let best = fit.restore_best(&mut params);
        (seen, fit.history().to_vec(), best, params, fit.steps())
    };
    let undisturbed = whole(None);
    assert_eq!(undisturbed.1.len(), 4, "patience was at its end");
    for epoch in 0..4 {
        for step in 0..3 {
            assert_eq!(whole(Some((epoch, step, false))), undisturbed);
        }
        assert_eq!(whole(Some((epoch, 2, true))), undisturbed);
    }
}

fn resumed(fit: &Fit<f32>) -> Fit<'static, f32> {
    let mut other = Fit::new(5).patience(2);
    other.restore(&one(0.0), &fit.state()).unwrap();
    assert_eq!(
        format!("{:?}", other.state()),
        format!("{:?}", fit.state()),
        "NaN stands for what was not told"
    );
    other
}

#[test]
fn a_damaged_state_is_refused_and_changes_nothing() {
    let mut fit = Fit::new(5);
    run(&mut fit, &[4.0, 2.0, 3.0, 3.0, 3.0]).unwrap();
    let good = fit.state();
    let mut other = Fit::<f32>::new(5);
    let before = format!("{:?}", other.state());
    for name in ["epochs", "epoch_steps", "losses", "held_out_losses", "best"] {
        let mut bad = good.clone();
        bad.arrays.get_mut(name).unwrap().pop();
        assert!(other.restore(&one(0.0), &bad).is_err(), "{name} is too short");
        bad.arrays.remove(name);
        assert!(other.restore(&one(0.0), &bad).is_err(), "{name} is missing");
    }
    let mut bad = good.clone();
    bad.counts.insert("best_epoch".into(), 3);
    assert!(other.restore(&one(0.0), &bad).is_err());
    let mut others = Params::<f32>::new();
    others.add("y", Tensor::from([1.0]));
    assert!(other.restore(&others, &good).is_err());
    assert_eq!(format!("{:?}", other.state()), before);
    other.restore(&one(0.0), &good).unwrap();
}

#[test]
fn what_makes_no_sense_panics() {
    assert!(catch_unwind(|| Fit::<f32>::new(1).patience(0)).is_err());
    let early = || Fit::new(1).held_out(1.0f32, &one(0.0));
    assert!(catch_unwind(AssertUnwindSafe(early)).is_err());
}

/// In a process of its own, which has no terminal: it runs this same test, and is told by the environment to train.
#[test]
fn no_bar_is_shown_where_there_is_no_terminal() {
    const TRAIN: &str = "QUIETGRAD_TEST_TRAINS_WITH_A_BAR";
    if std::env::var_os(TRAIN).is_some() {
        run(&mut Fit::new(3).progress(), &[1.0, 2.0, 3.0]).unwrap();
        return println!("trained");
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fit::no_bar_is_shown_where_there_is_no_terminal", "--nocapture"])
        .env(TRAIN, "1")
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("trained"), "it ran");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
