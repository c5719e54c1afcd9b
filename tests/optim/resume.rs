//! States: a run that is saved and resumed has the bits of an undisturbed one.

use quietgrad::optim::{Adam, Average, Descent, Factors, Groups, Lbfgs, Optimizer, Sgd};
use quietgrad::reg::DensityController;
use quietgrad::{Element, Grads, Params, State, StateError, Tape, Tensor};

use crate::optim::optimizers::every;

/// A state as a file would hold it: names, and numbers as bytes.
fn through_bytes(state: &State<f64>) -> State<f64> {
    fn read<T>(bytes: Vec<[u8; 8]>, number: fn([u8; 8]) -> T) -> Vec<T> {
        bytes.into_iter().map(number).collect()
    }
    let mut copy = State::new(&state.kind);
    for (name, x) in &state.numbers {
        copy.numbers.insert(name.clone(), f64::from_le_bytes(x.to_le_bytes()));
    }
    for (name, x) in &state.counts {
        copy.counts.insert(name.clone(), u64::from_le_bytes(x.to_le_bytes()));
    }
    for (name, array) in &state.arrays {
        let bytes = array.iter().map(|x| x.to_le_bytes()).collect();
        copy.arrays.insert(name.clone(), read(bytes, f64::from_le_bytes));
    }
    copy
}

fn params<T: Element>() -> Params<T> {
    let mut params = Params::new();
    params.add("w", Tensor::from_fn([5, 3], |i| T::from_f64((i as f64 * 0.7).sin())));
    params.add("b", Tensor::from_fn([3], |i| T::from_f64(i as f64 - 1.0)));
    params
}

/// A step's gradients, which depend on the parameters.
fn fill<T: Element>(grads: &mut Grads<T>, params: &Params<T>, step: usize) {
    for (i, (g, p)) in grads.data_mut().iter_mut().zip(params.data()).enumerate() {
        *g = *p * T::from_f64(0.3) + T::from_f64(((i + 1) as f64 * (step + 1) as f64).cos());
    }
}

const STEPS: usize = 40;
const SAVED: usize = 17;

fn steps<T: Element>(
    optimizer: &mut dyn Optimizer<T>,
    params: &mut Params<T>,
    steps: std::ops::Range<usize>,
) {
    let mut grads = params.zeros();
    for step in steps {
        fill(&mut grads, params, step);
        optimizer.set_lr(0.1 / (1.0 + step as f64));
        optimizer.step(params, &grads);
    }
}

#[test]
fn every_optimizer_resumes_with_the_bits_of_an_undisturbed_run() {
    for (mut undisturbed, mut saved) in every::<f64>().into_iter().zip(every::<f64>()) {
        let (mut expected, mut params) = (params(), params());
        steps(&mut *undisturbed, &mut expected, 0..STEPS);
        steps(&mut *saved, &mut params, 0..SAVED);
        let state = through_bytes(&saved.state());

        // All others that could be there, with other settings and a memory of their own.
        let kind = saved.kind();
        let mut resumed = 0;
        for mut optimizer in every::<f64>() {
            let mut others = self::params();
            steps(&mut *optimizer, &mut others, 0..3);
            if optimizer.kind() != kind {
                let before = optimizer.state();
                let error = optimizer.restore(&params, &state).unwrap_err();
                assert_eq!(error, StateError::Kind { expected: optimizer.kind(), found: kind.to_owned() });
                assert_eq!(optimizer.state(), before);
                continue;
            }
            let mut params = params.clone();
            optimizer.restore(&params, &state).unwrap();
            assert_eq!(optimizer.state(), saved.state());
            steps(&mut *optimizer, &mut params, SAVED..STEPS);
            assert_eq!(params, expected, "{kind}");
            assert_eq!(optimizer.state(), undisturbed.state(), "{kind}");
            resumed += 1;
        }
        assert!(resumed > 0);
    }
}

#[test]
fn an_optimizer_that_has_not_stepped_can_be_saved() {
    for (mut fresh, mut restored) in every::<f32>().into_iter().zip(every::<f32>()) {
        let (mut expected, mut params) = (params(), params());
        restored.restore(&params, &fresh.state()).unwrap();
        steps(&mut *fresh, &mut expected, 0..3);
        steps(&mut *restored, &mut params, 0..3);
        assert_eq!(params, expected);
    }
}

#[test]
fn a_state_of_other_parameters_is_refused() {
    for mut optimizer in every::<f64>() {
        let mut here = params();
        steps(&mut *optimizer, &mut here, 0..3);
        let state = optimizer.state();
        let mut renamed = Params::new();
        renamed.add("w", here.tensor(here.find("w").unwrap()));
        let mut larger = here.clone();
        larger.add("late", Tensor::from(1.0));
        renamed.add("c", here.tensor(here.find("b").unwrap()));
        let mut turned = Params::new();
        turned.add("w", Tensor::from([[0.0; 5]; 3]));
        turned.add("b", Tensor::from([0.0; 3]));
        for (other, message) in [
            (renamed, "the state is of other parameters: names or shapes differ"),
            (turned, "the state is of other parameters: names or shapes differ"),
            (larger, "the state is of parameters with 18 elements, here are 19"),
        ] {
            assert_eq!(optimizer.restore(&other, &state).unwrap_err().to_string(), message);
            assert_eq!(optimizer.state(), state);
        }
        optimizer.restore(&here.clone(), &state).unwrap();
    }
}

#[test]
fn a_state_that_is_not_whole_or_not_sensible_is_refused() {
    let mut here = params();
    let mut adam = Adam::new(0.1);
    steps(&mut adam, &mut here, 0..3);
    let whole = adam.state();
    type Change = fn(&mut State<f64>) -> bool;
    let changes: [(Change, &str); 11] = [
        (|s| s.numbers.remove("beta1").is_some(), "the state has no `beta1`"),
        (|s| s.counts.remove("amsgrad").is_some(), "the state has no `amsgrad`"),
        (|s| s.counts.remove("elements").is_some(), "the state has no `elements`"),
        (|s| s.arrays.remove("square").is_some(), "the state has no `square`"),
        (
            |s| s.numbers.insert("gamma".to_owned(), 1.0).is_some(),
            "the state has numbers that Adam does not have",
        ),
        (
            |s| s.arrays.insert("more".to_owned(), vec![]).is_some(),
            "the state has numbers that Adam does not have",
        ),
        (|s| s.arrays.insert("mean".to_owned(), vec![0.0; 7]).is_some(), "`mean` has 7 numbers, not 18"),
        (|s| s.counts.insert("amsgrad".to_owned(), 2).is_some(), "`amsgrad` is 2: it must be 0 or 1"),
        (
            |s| s.numbers.insert("beta1".to_owned(), 1.5).is_some(),
            "`beta1` is 1.5: it must be at least 0 and below 1",
        ),
        (
            |s| s.numbers.insert("lr".to_owned(), f64::NAN).is_some(),
            "`lr` is NaN: it must be finite and not negative",
        ),
        (|s| s.numbers.insert("power1".to_owned(), f64::NAN).is_some(), "`power1` is NaN"),
    ];
    for (change, message) in changes {
        let mut state = whole.clone();
        change(&mut state);
        assert_ne!(state, whole);
        assert_eq!(adam.restore(&here, &state).unwrap_err().to_string(), message);
        assert_eq!(adam.state(), whole);
    }
}

#[test]
fn groups_resume_as_well() {
    let mut at_once = params::<f64>();
    let mut params = at_once.clone();
    let groups = Groups::new(&params, |name, _| match name {
        "b" => Factors { lr: 0.5, weight_decay: 0.0 },
        _ => Factors::default(),
    });
    let run = |adam: &mut Adam<f64>, params: &mut Params<f64>, steps: std::ops::Range<usize>| {
        let mut grads = params.zeros();
        for step in steps {
            fill(&mut grads, params, step);
            adam.step_groups(params, &grads, &groups);
        }
    };
    run(&mut Adam::adamw(0.1, 0.1), &mut at_once, 0..STEPS);
    let mut adam = Adam::adamw(0.1, 0.1);
    run(&mut adam, &mut params, 0..SAVED);
    let mut resumed = Adam::new(0.0);
    resumed.restore(&params, &adam.state()).unwrap();
    run(&mut resumed, &mut params, SAVED..STEPS);
    assert_eq!(params, at_once);
}

#[test]
fn an_average_resumes_with_its_bits() {
    let mut params = params::<f64>();
    let mut sgd = Sgd::new(0.1);
    let (mut undisturbed, mut saved) = (Average::new(&params, 0.9), Average::new(&params, 0.9));
    for step in 0..STEPS {
        steps(&mut sgd, &mut params, step..step + 1);
        undisturbed.update(&params);
        if step == SAVED {
            let mut resumed = Average::new(&params, 0.5);
            resumed.restore(&through_bytes(&saved.state())).unwrap();
            saved = resumed;
        }
        saved.update(&params);
    }
    // The one that was saved did not miss its own step.
    assert_eq!(saved.params(), undisturbed.params());
    assert_eq!(saved.state(), undisturbed.state());

    let mut other = Params::new();
    other.add("x", Tensor::from([0.0; 18]));
    let mut other = Average::new(&other, 0.9);
    assert!(matches!(other.restore(&saved.state()), Err(StateError::OtherParameters { .. })));
    assert!(matches!(other.restore(&sgd.state()), Err(StateError::Kind { .. })));
    let mut short = saved.state();
    short.arrays.insert("average".to_owned(), vec![]);
    assert!(matches!(saved.restore(&short), Err(StateError::Length { .. })));
}

#[test]
fn a_controller_resumes_with_its_bits() {
    let density = |step: usize| 0.2 + 0.1 * (step as f64).sin();
    for saved in [0, SAVED] {
        let mut undisturbed = DensityController::new(1e-3, 0.1);
        undisturbed.gain = 0.05;
        let mut resumed = undisturbed.clone();
        for step in 0..STEPS {
            if step == saved {
                let state = through_bytes(&resumed.state());
                resumed = DensityController::new(1.0, 0.5);
                resumed.restore(&state).unwrap();
            }
            undisturbed.observe(density(step));
            resumed.observe(density(step));
            assert_eq!(resumed.coefficient().to_bits(), undisturbed.coefficient().to_bits());
        }
        assert_eq!(resumed.state(), undisturbed.state());
    }
    let mut controller = DensityController::new(1e-3, 0.1);
    let mut bad = controller.state();
    bad.numbers.insert("integral".to_owned(), f64::NAN);
    assert!(matches!(controller.restore(&bad), Err(StateError::Value { .. })));
    assert!(matches!(controller.restore(&Sgd::new(0.1).state()), Err(StateError::Kind { .. })));
}

#[test]
fn lbfgs_resumes_with_the_bits_of_an_undisturbed_run() {
    // Rosenbrock's valley, in single precision: the place itself is kept in double.
    let mut tape = Tape::<f32>::new();
    let mut loss = |params: &Params<f32>, grads: &mut Grads<f32>| {
        let [x, y] = tape.record(params).param(params.find("p").unwrap()).split([1, 1], 0);
        let loss = ((1.0 - x).square() + (y - x.square()).square() * 100.0).sum();
        loss.backward(grads);
        loss.item()
    };
    let mut params = Params::new();
    params.add("p", Tensor::from([-1.2f32, 1.0]));
    let mut at_once = params.clone();
    let whole = Lbfgs { memory: 4, steps: 15, tolerance: 1e-3 };
    let expected = whole.minimize(&mut at_once, &mut loss);
    assert_eq!(expected.steps, 15);

    let part = Lbfgs { steps: 5, ..whole };
    let mut descent = Descent::new();
    for _ in 0..3 {
        let mut resumed = Descent::new();
        resumed.restore(&params, &through_bytes(&descent.state())).unwrap();
        assert_eq!(part.resume(&mut resumed, &mut params, &mut loss).steps, 5);
        descent = resumed;
    }
    assert_eq!(params, at_once);

    let state = descent.state();
    let mut other = Params::new();
    other.add("q", Tensor::from([0.0f32, 0.0]));
    assert!(matches!(descent.restore(&other, &state), Err(StateError::OtherParameters { .. })));
    for (name, length) in [("x", 3), ("steps", 3), ("changes", 2)] {
        let mut bad = state.clone();
        bad.arrays.insert(name.to_owned(), vec![0.0; length]);
        assert!(matches!(descent.restore(&params, &bad), Err(StateError::Length { .. })), "{name}");
        assert_eq!(descent.state(), state);
    }
}

#[test]
fn lbfgs_begins_anew_where_the_parameters_were_put() {
    let mut params = Params::new();
    params.add("x", Tensor::from([5.0]));
    let mut loss = |params: &Params<f64>, grads: &mut Grads<f64>| {
        let x = params.data()[0];
        grads.data_mut()[0] = 2.0 * (x - 1.0);
        (x - 1.0).powi(2)
    };
    let mut descent = Descent::new();
    Lbfgs { steps: 1, ..Lbfgs::new() }.resume(&mut descent, &mut params, &mut loss);
    params.data_mut()[0] = -7.0;
    let minimum = Lbfgs { steps: 0, ..Lbfgs::new() }.resume(&mut descent, &mut params, &mut loss);
    assert_eq!((minimum.loss, params.data()[0]), (64.0, -7.0));
}
