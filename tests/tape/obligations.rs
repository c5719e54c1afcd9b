//! What was built to be part of the loss: found missing where it is missing, and quickly.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use quietgrad::{Params, Recording, Tape, Tensor, Var, reg, terms};

fn params() -> Params<f64> {
    let mut params = Params::new();
    params.add("w", Tensor::from([[0.5, -2.0], [0.25, 3.0]]));
    params
}

type Build = for<'r> fn(Recording<'r, f64>, Var<'r, f64>) -> Var<'r, f64>;

/// What `backward` says of a loss, built from the recording and its only parameter; empty if it is content.
fn said_by(build: Build) -> String {
    let (mut tape, params) = (Tape::new(), params());
    let mut grads = params.zeros();
    let r = tape.record(&params);
    let loss = build(r, r.param(params.find("w").unwrap()));
    let panicked = catch_unwind(AssertUnwindSafe(|| loss.backward(&mut grads)));
    panicked.map_or_else(|payload| *payload.downcast::<String>().unwrap(), |()| String::new())
}

#[test]
fn a_penalty_that_reaches_the_loss_in_any_form_is_content() {
    let content: [Build; 6] = [
        |_, w| w.square().sum() + reg::l1(w).summed(),
        |_, w| w.square().sum() + reg::l1(w).per_sample() * 0.0,
        |_, w| reg::l1(w).summed().square().exp(),
        |_, w| {
            reg::l1(w).summed().min_axes(..).detach() + reg::l1(w).summed() + w.sum() + reg::l2(w).summed()
        },
        |r, w| w.sum() + reg::l1(w * 0.0 + r.scalar(1.0)).summed(),
        // Nothing flows back through 0 · |0|, but it is part of the loss.
        |_, w| w.sum() + reg::l1(w.relu() * 0.0).summed(),
    ];
    for (i, build) in content.into_iter().enumerate() {
        let says = said_by(build);
        // The fourth has one penalty that reaches the loss through `detach` alone.
        assert_eq!(says.contains("is not part of this loss"), i == 3, "loss {i}: {says}");
    }
}

#[test]
fn a_penalty_that_was_forgotten_or_detached_on_the_way_is_named_with_its_line() {
    let missing: [Build; 4] = [
        |_, w| {
            let _forgotten = reg::l1(w);
            w.sum()
        },
        |_, w| {
            let _forgotten = reg::l1(w).summed();
            w.sum()
        },
        |_, w| w.sum() + reg::l1(w).summed().detach(),
        |_, w| w.sum() + (reg::l1(w).summed() * 2.0).gt(w.sum()),
    ];
    for build in missing {
        let says = said_by(build);
        assert!(
            says.contains("tests/tape/obligations.rs") && says.contains("is not part of this loss"),
            "{says}"
        );
    }
}

#[test]
fn a_penalty_that_nothing_learns_from_is_refused_where_a_loss_is_differentiated() {
    let constant: [Build; 3] = [
        |_, w| w.sum() + reg::l1(w.detach()).summed(),
        |r, w| w.sum() + reg::l1(r.constant(&Tensor::from([[1.0, 2.0]]))).per_sample(),
        |_, w| w.sum() + reg::kl_sparsity(w.detach().sigmoid(), 0.1),
    ];
    for build in constant {
        let says = said_by(build);
        assert!(
            says.contains("tests/tape/obligations.rs") && says.contains("constants or detached"),
            "{says}"
        );
    }
    // Nothing is differentiated: it is a number to be read.
    let (mut tape, params) = (Tape::new(), params());
    let penalty = reg::l1(tape.record(&params).constant(&Tensor::from([[1.0, -2.0]]))).summed();
    assert_eq!(penalty.item(), 3.0);
}

#[test]
fn gradients_that_are_added_to_hide_no_forgotten_penalty() {
    let (mut tape, params) = (Tape::new(), params());
    let mut grads = params.zeros();
    let r = tape.record(&params);
    let w = r.param(params.find("w").unwrap()).must_reach_loss("weight");
    let loss = r.input(&Tensor::from(2.0)).square();
    let panicked = catch_unwind(AssertUnwindSafe(|| loss.backward_add(&mut grads)));
    assert!(panicked.is_err());
    (loss + w.sum()).backward_add(&mut grads);
}

#[test]
fn several_losses_of_one_recording_meet_their_obligations_together() {
    let (mut tape, params) = (Tape::new(), params());
    let (mut first, mut second) = (params.zeros(), params.zeros());
    let r = tape.record(&params);
    let w = r.param(params.find("w").unwrap());
    let losses = [w.square().sum() + reg::l1(w).summed(), w.sum() + reg::l2(w).summed()];
    losses[0].backward_among(&losses, &mut first);
    losses[1].backward_among(&losses, &mut second);
    assert_eq!(first.data(), [2.0 * 0.5 + 1.0, -4.0 - 1.0, 0.5 + 1.0, 6.0 + 1.0]);
    assert_eq!(second.data(), [2.0, -3.0, 1.5, 7.0]);
    // One that is in neither is still missed.
    let _forgotten = reg::lp(w, 0.5);
    let panicked = catch_unwind(AssertUnwindSafe(|| losses[0].backward_among(&losses, &mut first)));
    assert!(panicked.is_err());
}

/// A network whose every block has two ways around it: as many paths as 2 to the power of the blocks.
fn residual(w: Var<f64>, blocks: usize) -> Var<f64> {
    (0..blocks).fold(w, |h, _| h + h.tanh())
}

#[test]
fn many_penalties_in_a_residual_network_are_looked_for_in_one_pass() {
    let (mut tape, params) = (Tape::new(), params());
    let mut grads = params.zeros();
    let id = params.find("w").unwrap();
    let started = Instant::now();
    for forgotten in [false, true] {
        let r = tape.record(&params);
        let w = r.param(id);
        let mut h = w;
        let mut loss = w.sum();
        for _ in 0..500 {
            h = residual(h, 1);
            // Met, but not by this sweep: each is looked for among the nodes.
            loss += reg::l1(h * 1e-9).summed() * 1e-9;
        }
        let apart = residual(w, 500).sum();
        if forgotten {
            let _forgotten = reg::l1(h);
            assert!(catch_unwind(AssertUnwindSafe(|| loss.backward(&mut grads))).is_err());
        }
        let losses = [apart, loss];
        let checked = catch_unwind(AssertUnwindSafe(|| apart.backward_among(&losses, &mut grads)));
        assert_eq!(checked.is_err(), forgotten);
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn terms_check_every_recording_that_they_are_of() {
    let params = params();
    let id = params.find("w").unwrap();
    let (mut first, mut second, mut grads) = (Tape::new(), Tape::new(), params.zeros());
    let (r, s) = (first.record(&params), second.record(&params));
    let (fit, other) = (r.param(id).square().sum(), s.param(id).sum());
    terms::backward(&[("fit", fit), ("other", other)], &mut grads);
    assert_eq!(grads.data(), [2.0, -3.0, 1.5, 7.0]);

    let penalty = reg::l1(s.param(id)).summed();
    terms::backward(&[("fit", fit), ("other", other), ("penalty", penalty)], &mut grads);
    assert_eq!(grads.data(), [3.0, -4.0, 2.5, 8.0]);
    // A penalty of the second recording, which no term has.
    let forgotten = AssertUnwindSafe(|| terms::backward(&[("fit", fit), ("other", other)], &mut grads));
    let says = *catch_unwind(forgotten).unwrap_err().downcast::<String>().unwrap();
    assert!(
        says.contains("tests/tape/obligations.rs") && says.contains("is not part of this loss"),
        "{says}"
    );
}

#[test]
fn no_terms_have_no_gradient() {
    let params = params();
    let mut grads = params.zeros();
    grads.data_mut().fill(7.0);
    let terms = terms::backward::<f64>(&[], &mut grads);
    assert!(terms.terms.is_empty() && grads.data() == [0.0; 4]);
}
