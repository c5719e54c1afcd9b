//! Settings that make no sense, and meetings of things that do not belong together: panics that name the caller's line.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use quietgrad::optim::{
    Adagrad, Adam, Average, Descent, Factors, FieldMut, Groups, Lbfgs, Lion, Optimizer, RmsProp, Schedule,
    Sgd, proximal_group_lasso, proximal_l1,
};
use quietgrad::reg::{self, DensityController};
use quietgrad::{Grads, Params, Tape, Tensor};

use crate::optim::optimizers::every;

thread_local! {
    /// Where this thread's last panic says that it happened.
    static PLACE: RefCell<Option<(String, u32)>> = const { RefCell::new(None) };
}

/// The message of a panic, and its file and line.
fn panic_of(f: impl FnOnce()) -> (String, (String, u32)) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let place = info.location().map(|at| (at.file().to_owned(), at.line()));
            PLACE.with(|last| *last.borrow_mut() = place);
            before(info);
        }));
    });
    let panic = panic::catch_unwind(AssertUnwindSafe(f)).expect_err("a panic");
    let message = panic.downcast_ref::<String>().cloned();
    let message = message.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    (message.expect("a message"), PLACE.take().expect("a place"))
}

/// Checks that a call panics, with these words and this file's line.
macro_rules! panics {
    ($words:expr, $call:expr) => {{
        let here = line!();
        let (message, (file, line)) = panic_of(|| {
            let _ = $call;
        });
        assert!(message.contains($words), "{message:?} does not say {:?}", $words);
        assert!(file.ends_with("settings.rs"), "{file}:{line} is not the caller's: {message}");
        assert!(line >= here, "{line}: {message}");
    }};
}

fn params() -> Params<f64> {
    let mut params = Params::new();
    params.add("w", Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    params.add("b", Tensor::from([1.0, 2.0]));
    params
}

/// What no rate, ε, weight decay or coefficient may be.
const NO_RATES: [f64; 4] = [-1e-3, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];

/// What no momentum and no decay of a mean may be.
const NO_DECAYS: [f64; 5] = [-0.1, 1.0, 1.5, f64::NAN, f64::INFINITY];

#[test]
fn constructors_of_optimizers_refuse_senseless_settings() {
    for lr in NO_RATES {
        panics!("Sgd::new: `lr` is", Sgd::<f64>::new(lr));
        panics!("Sgd::momentum: `lr` is", Sgd::<f64>::momentum(lr, 0.9));
        panics!("Sgd::nesterov: `lr` is", Sgd::<f64>::nesterov(lr, 0.9));
        panics!("RmsProp::new: `lr` is", RmsProp::<f64>::new(lr));
        panics!("Adagrad::new: `lr` is", Adagrad::<f64>::new(lr));
        panics!("Adam::new: `lr` is", Adam::<f64>::new(lr));
        panics!("Adam::adamw: `lr` is", Adam::<f64>::adamw(lr, 0.1));
        panics!("Adam::adamw: `weight_decay` is", Adam::<f64>::adamw(0.1, lr));
        panics!("Lion::new: `lr` is", Lion::<f64>::new(lr));
    }
    for momentum in NO_DECAYS {
        panics!("Sgd::momentum: `momentum` is", Sgd::<f64>::momentum(0.1, momentum));
        panics!("Sgd::nesterov: `momentum` is", Sgd::<f64>::nesterov(0.1, momentum));
        panics!("Average::new: `decay` is", Average::new(&params(), momentum));
    }
    // The ends that make sense.
    let _ = (Sgd::<f64>::momentum(0.0, 0.0), Adam::<f32>::adamw(0.0, 0.0), Average::new(&params(), 0.0));
}

#[test]
fn a_field_that_was_given_a_senseless_value_is_found_by_the_next_step() {
    let mut checked = 0;
    for (i, optimizer) in every::<f64>().iter().enumerate() {
        let mut settings = Vec::new();
        optimizer.fields(&mut |name, field| match field {
            quietgrad::optim::Field::Rate(_) => settings.push((name, NO_RATES.to_vec())),
            quietgrad::optim::Field::Decay(_) => settings.push((name, NO_DECAYS.to_vec())),
            _ => (),
        });
        for (setting, values) in settings {
            for value in values {
                let mut optimizer = every::<f64>().remove(i);
                optimizer.fields_mut(&mut |name, field| {
                    if let (true, FieldMut::Rate(x) | FieldMut::Decay(x)) = (name == setting, field) {
                        *x = value;
                    }
                });
                let before = optimizer.state();
                let mut params = params();
                let grads = params.zeros();
                let groups = Groups::new(&params, |_, _| Factors::default());
                let words = format!("step: {}: `{setting}` is {value}", optimizer.kind());
                panics!(&words, optimizer.step(&mut params, &grads));
                panics!(&words, optimizer.step_groups(&mut params, &grads, &groups));
                // Nothing has happened: in particular it is not bound to these parameters.
                assert_eq!(format!("{:?}", optimizer.state()), format!("{before:?}"));
                assert_eq!(params, self::params());
                checked += 1;
            }
        }
    }
    assert!(checked > 200, "{checked}");
}

#[test]
fn a_step_size_that_makes_no_sense_is_not_set() {
    for lr in NO_RATES {
        let mut sgd = Sgd::<f64>::new(0.1);
        panics!("set_lr: `lr` is", sgd.set_lr(lr));
        assert_eq!(sgd.lr, 0.1);
        let mut boxed: Box<dyn Optimizer<f64>> = Box::new(sgd);
        panics!("set_lr: `lr` is", boxed.set_lr(lr));
    }
}

#[test]
fn plain_fields_are_checked_with_the_line_of_the_step() {
    let (mut params, mut sgd) = (params(), Sgd::new(0.1));
    let grads = params.zeros();
    sgd.momentum = 1.5;
    panics!("step: Sgd: `momentum` is 1.5: it must be at least 0 and below 1", sgd.step(&mut params, &grads));
    sgd.momentum = 0.5;
    sgd.step(&mut params, &grads);
}

#[test]
fn an_optimizer_steps_the_parameters_that_it_began_with() {
    for mut optimizer in every::<f64>() {
        let (mut here, mut grown, mut renamed, mut turned) =
            (params(), params(), Params::new(), Params::new());
        grown.add("late", Tensor::from(1.0));
        renamed.add("w", here.tensor(here.find("w").unwrap()));
        renamed.add("c", here.tensor(here.find("b").unwrap()));
        turned.add("w", Tensor::from([1.0; 4]));
        turned.add("b", Tensor::from([1.0; 2]));
        let grads = here.zeros();
        optimizer.step(&mut here, &grads);
        let [of_grown, of_renamed, of_turned] = [grown.zeros(), renamed.zeros(), turned.zeros()];
        let began = "step: the optimizer began with";
        panics!("began with 6 elements, now there are 7", optimizer.step(&mut grown, &of_grown));
        panics!(began, optimizer.step(&mut renamed, &of_renamed));
        panics!(began, optimizer.step(&mut turned, &of_turned));
        panics!("step: 7 gradients do not fit 6 parameters", optimizer.step(&mut here, &of_grown));
        panics!("they are of another model", optimizer.step(&mut here, &of_renamed));
        let groups = Groups::new(&renamed, |_, _| Factors::default());
        panics!("step_groups: the groups are of other", optimizer.step_groups(&mut here, &grads, &groups));
        // A clone of the parameters is no other model.
        optimizer.step(&mut here.clone(), &grads);
        optimizer.step(&mut here, &grads);
    }
    let (here, mut other) = (params(), Params::new());
    let mut average = Average::new(&here, 0.9);
    other.add("x", Tensor::from([0.0; 6]));
    panics!("update: the average is of other parameters", average.update(&other));
    other.add("y", Tensor::from([0.0; 6]));
    panics!("update: an average of 6 elements does not fit 12", average.update(&other));
}

#[test]
fn factors_clips_and_proximal_steps_refuse_senseless_numbers() {
    for bad in NO_RATES {
        let mut here = params();
        let id = here.find("w").unwrap();
        let lr = |_: &str, _: &quietgrad::Shape| Factors { lr: bad, ..Factors::default() };
        panics!("Groups::new: `lr` is", Groups::new(&here, lr));
        let decay = |_: &str, _: &quietgrad::Shape| Factors { weight_decay: bad, ..Factors::default() };
        panics!("Groups::new: `weight_decay` is", Groups::new(&here, decay));
        panics!("proximal_l1: `lr` is", proximal_l1(&mut here, id, bad, 0.1));
        panics!("proximal_l1: `lambda` is", proximal_l1(&mut here, id, 0.1, bad));
        panics!("proximal_group_lasso: `lr` is", proximal_group_lasso(&mut here, id, bad, 0.1));
        panics!("proximal_group_lasso: `lambda` is", proximal_group_lasso(&mut here, id, 0.1, bad));
        assert_eq!(here, params());
        let lbfgs = Lbfgs { tolerance: bad, ..Lbfgs::new() };
        panics!("Lbfgs: `tolerance` is", lbfgs.minimize(&mut here, |_, _| 0.0));
    }
    for bad in [-1.0, f64::NAN, f64::NEG_INFINITY] {
        let mut grads = params().zeros();
        panics!("clip_norm: a norm of at most", grads.clip_norm(bad));
        panics!("clip_value: a value of at most", grads.clip_value(bad));
        panics!("a threshold of", quietgrad::kernels::update::soft_threshold(&mut [1.0], bad));
    }
    // No bound: only the norm is asked for.
    assert_eq!(params().zeros().clip_norm(f64::INFINITY), 0.0);
    let (mut other, mut descent) = (Params::new(), Descent::new());
    let loss = |_: &Params<f64>, _: &mut Grads<f64>| 0.0;
    Lbfgs::new().resume(&mut descent, &mut params(), loss);
    other.add("x", Tensor::from(1.0));
    panics!("Lbfgs: the descent is of other parameters", Lbfgs::new().resume(&mut descent, &mut other, loss));
}

#[test]
fn schedules_refuse_senseless_numbers() {
    for bad in [f64::NAN, f64::INFINITY] {
        panics!("schedule: from", Schedule::constant(bad));
        panics!("schedule: from", Schedule::step(bad, 0.5, 1));
        panics!("schedule: from", Schedule::exponential(bad, 0.5));
        panics!("schedule: from", Schedule::linear(bad, 0.0, 1));
        panics!("schedule: from", Schedule::linear(0.0, bad, 1));
        panics!("schedule: from", Schedule::cosine(bad, 0.0, 1));
        panics!("schedule: from", Schedule::cosine(0.0, bad, 1));
    }
    for bad in [-0.5, f64::NAN, f64::INFINITY] {
        panics!("schedule: the factor is", Schedule::step(1.0, bad, 1));
        panics!("schedule: the factor is", Schedule::exponential(1.0, bad));
    }
    panics!("stay for at least one step", Schedule::step(1.0, 0.5, 0));
    // Without a constructor, and inside another schedule.
    let step = Schedule::Step { from: 1.0, factor: 0.5, every: 0 };
    panics!("stay for at least one step", step.at(3));
    let then = Schedule::Constant(1.0).then(2, step.clone());
    assert_eq!(then.at(1), 1.0);
    panics!("stay for at least one step", then.at(2));
    panics!("stay for at least one step", step.warm_up(2));
    panics!("schedule: from", Schedule::Constant(f64::NAN).at(0));
    panics!("schedule: the value at step 2000 is inf", Schedule::exponential(1.0, 2.0).at(2000));
}

#[test]
fn penalties_refuse_senseless_numbers() {
    let (mut tape, params) = (Tape::<f64>::new(), params());
    let r = tape.record(&params);
    let h = r.param(params.find("w").unwrap());
    for bad in NO_RATES {
        panics!("elastic_net: coefficients", reg::elastic_net(h, bad, 0.1));
        panics!("elastic_net: coefficients", reg::elastic_net(h, 0.1, bad));
        panics!("lp: a power of", reg::lp(h, bad));
        panics!("log: a scale of", reg::log(h, bad));
    }
    panics!("lp: a power of 0", reg::lp(h, 0.0));
    panics!("log: a scale of 0", reg::log(h, 0.0));
    for bad in [-0.1, 0.0, 1.0, 1.5, f64::NAN] {
        panics!("kl_sparsity: a share of", reg::kl_sparsity(h, bad));
    }
}

#[test]
fn a_controller_refuses_senseless_numbers() {
    for bad in [-1.0, 0.0, f64::NAN, f64::INFINITY] {
        panics!("a coefficient of", DensityController::new(bad, 0.1));
    }
    for bad in [-0.1, 0.0, 1.0, 1.5, f64::NAN] {
        panics!("is not between 0 and 1", DensityController::new(1e-3, bad));
        let mut controller = DensityController::new(1e-3, 0.1);
        controller.target = bad;
        panics!("observe: a density of", controller.observe(0.5));
    }
    for bad in [-0.1, f64::NAN, f64::INFINITY] {
        let mut controller = DensityController::new(1e-3, 0.1);
        controller.gain = bad;
        panics!("observe: a gain of", controller.observe(0.5));
        let mut controller = DensityController::new(1e-3, 0.1);
        controller.range = bad;
        panics!("observe: a range of", controller.observe(0.5));
    }
    panics!("observe: a density of -0.1", DensityController::new(1e-3, 0.1).observe(-0.1));
}
