//! The optimizers' updates, each against its formulas written out for one number.

use quietgrad::kernels::update;
use quietgrad::optim::{Adagrad, Adam, Average, Lion, Optimizer, RmsProp, Sgd};
use quietgrad::{Params, Tensor};

use crate::on_every_isa;

/// Neither a multiple of a vector's width nor less than one.
const LEN: usize = 75;
const STEPS: u64 = 5;

fn start() -> Vec<f64> {
    (0..LEN).map(|i| (i as f64 * 0.7).sin()).collect()
}

fn gradient(t: u64) -> Vec<f64> {
    (0..LEN).map(|i| ((i as f64 + 1.0) * t as f64).cos() * 0.3).collect()
}

/// Runs a few steps of an optimizer, checks every number against `naive`, and every instruction set against the first.
fn check<O: Optimizer<f64>, const N: usize>(
    make: impl Fn() -> O,
    naive: impl Fn(&mut f64, f64, &mut [f64; N], u64),
) {
    check_run(
        |p| {
            let mut params = Params::new();
            params.add("p", Tensor::from_fn([LEN], |i| p[i]));
            let (mut grads, mut optimizer) = (params.zeros(), make());
            for t in 1..=STEPS {
                grads.data_mut().copy_from_slice(&gradient(t));
                optimizer.step(&mut params, &grads);
            }
            p.copy_from_slice(params.data());
        },
        naive,
    );
}

/// Checks a run of a few steps, which changes the numbers that it is given.
fn check_run<const N: usize>(run: impl Fn(&mut [f64]), naive: impl Fn(&mut f64, f64, &mut [f64; N], u64)) {
    let mut results = Vec::new();
    on_every_isa(|_| {
        let mut p = start();
        run(&mut p);
        results.push(p);
    });
    for (i, &start) in start().iter().enumerate() {
        let (mut p, mut state) = (start, [0.0; N]);
        for t in 1..=STEPS {
            naive(&mut p, gradient(t)[i], &mut state, t);
        }
        approx::assert_relative_eq!(results[0][i], p, epsilon = 1e-14, max_relative = 1e-13);
    }
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "instruction sets differ");
}

/// An optimizer with some settings changed.
fn with<O>(mut optimizer: O, change: impl Fn(&mut O)) -> O {
    change(&mut optimizer);
    optimizer
}

#[test]
fn sgd_steps_down_the_gradient() {
    check(|| with(Sgd::new(0.1), |sgd| sgd.weight_decay = 0.01), |p, g, [], _| *p -= 0.1 * (g + 0.01 * *p));
}

#[test]
fn momentum_steps_along_the_velocity() {
    check(
        || with(Sgd::momentum(0.1, 0.9), |sgd| sgd.weight_decay = 0.01),
        |p, g, [v], _| {
            *v = 0.9 * *v + g + 0.01 * *p;
            *p -= 0.1 * *v;
        },
    );
}

#[test]
fn nesterov_steps_along_the_velocity_to_come() {
    check(
        || with(Sgd::nesterov(0.1, 0.9), |sgd| sgd.weight_decay = 0.01),
        |p, g, [v], _| {
            let g = g + 0.01 * *p;
            *v = 0.9 * *v + g;
            *p -= 0.1 * (g + 0.9 * *v);
        },
    );
}

fn adam() -> Adam<f64> {
    with(Adam::new(0.02), |adam| (adam.beta2, adam.weight_decay) = (0.99, 0.1))
}

#[test]
fn adams_powers_follow_one_another_until_they_vanish() {
    let mut params = Params::new();
    params.add("p", Tensor::from([1.0]));
    let (grads, mut adam) = (params.zeros(), adam());
    for t in 1..10_000 {
        adam.step(&mut params, &grads);
        let state = adam.state();
        for (name, beta) in [("power1", 0.9f64), ("power2", 0.99)] {
            let power = state.numbers[name];
            assert!(power == 0.0 || power > f64::EPSILON / 8.0, "step {t}: {power}");
            approx::assert_relative_eq!(1.0 - power, 1.0 - beta.powi(t), max_relative = 1e-13);
        }
    }
    let state = adam.state();
    assert_eq!([state.numbers["power1"], state.numbers["power2"]], [0.0; 2]);
}

fn adam_step(g: f64, m: &mut f64, v: &mut f64, t: u64) -> f64 {
    *m = 0.9 * *m + 0.1 * g;
    *v = 0.99 * *v + 0.01 * g * g;
    let (m_hat, v_hat) = (*m / (1.0 - 0.9f64.powi(t as i32)), *v / (1.0 - 0.99f64.powi(t as i32)));
    0.02 * m_hat / (v_hat.sqrt() + 1e-8)
}

#[test]
fn adam_adds_weight_decay_to_the_gradient() {
    check(adam, |p, g, [m, v], t| *p -= adam_step(g + 0.1 * *p, m, v, t));
}

#[test]
fn adamw_takes_weight_decay_from_the_parameter() {
    check(
        || with(Adam::adamw(0.02, 0.1), |adam| adam.beta2 = 0.99),
        |p, g, [m, v], t| {
            *p -= 0.02 * 0.1 * *p;
            *p -= adam_step(g, m, v, t);
        },
    );
}

#[test]
fn amsgrad_divides_by_the_largest_mean_square() {
    check(
        || with(adam(), |adam| adam.amsgrad = true),
        |p, g, [m, v, largest], t| {
            let g = g + 0.1 * *p;
            *m = 0.9 * *m + 0.1 * g;
            *v = 0.99 * *v + 0.01 * g * g;
            *largest = v.max(*largest);
            let (bias1, bias2) = (1.0 - 0.9f64.powi(t as i32), 1.0 - 0.99f64.powi(t as i32));
            *p -= 0.02 * (*m / bias1) / ((*largest / bias2).sqrt() + 1e-8);
        },
    );
}

#[test]
fn lion_steps_by_signs() {
    check(
        || with(Lion::new(0.01), |lion| lion.weight_decay = 0.1),
        |p, g, [m], _| {
            let direction: f64 = 0.9 * *m + 0.1 * g;
            *m = 0.99 * *m + 0.01 * g;
            *p -= 0.01 * (direction.signum() + 0.1 * *p);
        },
    );
}

#[test]
fn a_moving_average_follows() {
    check_run(
        |p| {
            let mut params = Params::new();
            params.add("p", Tensor::from_fn([LEN], |i| p[i]));
            let mut average = Average::new(&params, 0.9);
            for t in 1..=STEPS {
                params.data_mut().copy_from_slice(&gradient(t));
                average.update(&params);
            }
            p.copy_from_slice(average.params().data());
        },
        |p, g, [], _| *p = 0.9 * *p + 0.1 * g,
    );
}

#[test]
fn soft_threshold_moves_towards_zero_and_stops_there() {
    on_every_isa(|_| {
        let mut x = [2.0f32, -2.0, 0.3, -0.3, 0.0, 0.5, f32::NAN, f32::INFINITY];
        update::soft_threshold(&mut x, 0.5);
        assert_eq!(x[..6], [1.5, -1.5, 0.0, 0.0, 0.0, 0.0]);
        assert!(x[6].is_nan() && x[7] == f32::INFINITY);
    });
}

#[test]
fn a_first_step_of_adam_is_as_long_as_the_step_size() {
    let mut params = Params::new();
    params.add("p", Tensor::from([1.0, 1.0, 1.0]));
    let mut grads = params.zeros();
    grads.data_mut().copy_from_slice(&[1e-3, -1.0, 1e3]);
    Adam::new(0.5).step(&mut params, &grads);
    for (p, expected) in params.data().iter().zip([0.5, 1.5, 0.5]) {
        approx::assert_relative_eq!(*p, expected, max_relative = 1e-4);
    }
}

fn rmsprop(momentum: f64, centered: bool) -> RmsProp<f64> {
    with(RmsProp::new(0.01), |rmsprop| {
        (rmsprop.alpha, rmsprop.weight_decay) = (0.9, 0.1);
        (rmsprop.momentum, rmsprop.centered) = (momentum, centered);
    })
}

#[test]
fn rmsprop_divides_by_the_root_mean_square() {
    check(
        || rmsprop(0.0, false),
        |p, g, [s], _| {
            let g = g + 0.1 * *p;
            *s = 0.9 * *s + 0.1 * g * g;
            *p -= 0.01 * g / (s.sqrt() + 1e-8);
        },
    );
}

#[test]
fn rmsprop_with_a_velocity_has_momentum() {
    check(
        || rmsprop(0.5, false),
        |p, g, [s, v], _| {
            let g = g + 0.1 * *p;
            *s = 0.9 * *s + 0.1 * g * g;
            *v = 0.5 * *v + g / (s.sqrt() + 1e-8);
            *p -= 0.01 * *v;
        },
    );
}

#[test]
fn rmsprop_with_a_mean_divides_by_the_standard_deviation() {
    check(
        || rmsprop(0.0, true),
        |p, g, [s, mean], _| {
            let g = g + 0.1 * *p;
            *s = 0.9 * *s + 0.1 * g * g;
            *mean = 0.9 * *mean + 0.1 * g;
            *p -= 0.01 * g / ((*s - *mean * *mean).sqrt() + 1e-8);
        },
    );
}

#[test]
fn rmsprop_with_mean_and_velocity_does_both() {
    check(
        || rmsprop(0.5, true),
        |p, g, [s, mean, v], _| {
            let g = g + 0.1 * *p;
            *s = 0.9 * *s + 0.1 * g * g;
            *mean = 0.9 * *mean + 0.1 * g;
            *v = 0.5 * *v + g / ((*s - *mean * *mean).sqrt() + 1e-8);
            *p -= 0.01 * *v;
        },
    );
}

#[test]
fn adagrad_divides_by_the_root_of_all_squares() {
    check(
        || with(Adagrad::new(0.1), |adagrad| adagrad.weight_decay = 0.01),
        |p, g, [s], _| {
            let g = g + 0.01 * *p;
            *s += g * g;
            *p -= 0.1 * g / (s.sqrt() + 1e-10);
        },
    );
}

#[test]
#[should_panic(expected = "differ in length")]
fn slices_of_different_lengths_are_refused() {
    update::step(&mut [1.0f32; 3], &[1.0; 2], [], |p, g, []| (p - g, []));
}
