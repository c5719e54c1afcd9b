//! The optimizers' updates, each against its formulas written out for one number.

use quietgrad::kernels::update::{self, Adam, AdamState, Lion, Momentum, RmsProp, RmsPropState};

use crate::on_every_isa;

/// Neither a multiple of a vector's width nor less than one.
const LEN: usize = 75;
const STEPS: u64 = 5;

/// Runs a few steps of `update(p, g, state, t)`, checks every number against `naive`, and every instruction set
/// against the first.
fn check<const N: usize>(
    update: impl Fn(&mut [f64], &[f64], [&mut [f64]; N], u64),
    naive: impl Fn(&mut f64, f64, &mut [f64; N], u64),
) {
    let start: Vec<f64> = (0..LEN).map(|i| (i as f64 * 0.7).sin()).collect();
    let gradient =
        |t: u64| -> Vec<f64> { (0..LEN).map(|i| ((i as f64 + 1.0) * t as f64).cos() * 0.3).collect() };

    let mut results = Vec::new();
    on_every_isa(|_| {
        let mut p = start.clone();
        let mut state: [Vec<f64>; N] = std::array::from_fn(|_| vec![0.0; LEN]);
        for t in 1..=STEPS {
            update(&mut p, &gradient(t), state.each_mut().map(|s| &mut s[..]), t);
        }
        results.push(p);
    });
    for (i, &start) in start.iter().enumerate() {
        let (mut p, mut state) = (start, [0.0; N]);
        for t in 1..=STEPS {
            naive(&mut p, gradient(t)[i], &mut state, t);
        }
        approx::assert_relative_eq!(results[0][i], p, epsilon = 1e-14, max_relative = 1e-13);
    }
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "instruction sets differ");
}

#[test]
fn sgd_steps_down_the_gradient() {
    check(|p, g, [], _| update::sgd(p, g, 0.1, 0.01), |p, g, [], _| *p -= 0.1 * (g + 0.01 * *p));
}

#[test]
fn momentum_steps_along_the_velocity() {
    let rule = Momentum { lr: 0.1, momentum: 0.9, weight_decay: 0.01, nesterov: false };
    check(
        |p, g, [v], _| update::momentum(p, g, v, rule),
        |p, g, [v], _| {
            *v = 0.9 * *v + g + 0.01 * *p;
            *p -= 0.1 * *v;
        },
    );
}

#[test]
fn nesterov_steps_along_the_velocity_to_come() {
    let rule = Momentum { lr: 0.1, momentum: 0.9, weight_decay: 0.01, nesterov: true };
    check(
        |p, g, [v], _| update::momentum(p, g, v, rule),
        |p, g, [v], _| {
            let g = g + 0.01 * *p;
            *v = 0.9 * *v + g;
            *p -= 0.1 * (g + 0.9 * *v);
        },
    );
}

const ADAM: Adam = Adam { lr: 0.02, beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.1, decoupled: false };

/// Of the decays of [`ADAM`].
fn powers(t: u64) -> [f64; 2] {
    [0.9, 0.99].map(|beta: f64| beta.powi(t as i32))
}

#[test]
fn adams_powers_follow_one_another_until_they_vanish() {
    let mut last = [1.0; 2];
    for t in 1..10_000 {
        last = ADAM.next_powers(last);
        for (power, expected) in last.into_iter().zip(powers(t)) {
            assert!(power == 0.0 || power > f64::EPSILON / 8.0, "step {t}: {power}");
            approx::assert_relative_eq!(1.0 - power, 1.0 - expected, max_relative = 1e-13);
        }
    }
    assert_eq!(last, [0.0; 2]);
}

fn adam_step(g: f64, m: &mut f64, v: &mut f64, t: u64) -> f64 {
    *m = 0.9 * *m + 0.1 * g;
    *v = 0.99 * *v + 0.01 * g * g;
    let (m_hat, v_hat) = (*m / (1.0 - 0.9f64.powi(t as i32)), *v / (1.0 - 0.99f64.powi(t as i32)));
    0.02 * m_hat / (v_hat.sqrt() + 1e-8)
}

#[test]
fn adam_adds_weight_decay_to_the_gradient() {
    check(
        |p, g, [mean, square], t| {
            update::adam(p, g, AdamState { mean, square, largest: None }, &ADAM, powers(t))
        },
        |p, g, [m, v], t| *p -= adam_step(g + 0.1 * *p, m, v, t),
    );
}

#[test]
fn adamw_takes_weight_decay_from_the_parameter() {
    let rule = Adam { decoupled: true, ..ADAM };
    check(
        |p, g, [mean, square], t| {
            update::adam(p, g, AdamState { mean, square, largest: None }, &rule, powers(t))
        },
        |p, g, [m, v], t| {
            *p -= 0.02 * 0.1 * *p;
            *p -= adam_step(g, m, v, t);
        },
    );
}

#[test]
fn amsgrad_divides_by_the_largest_mean_square() {
    check(
        |p, g, [mean, square, largest], t| {
            update::adam(p, g, AdamState { mean, square, largest: Some(largest) }, &ADAM, powers(t))
        },
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
    let rule = Lion { lr: 0.01, beta1: 0.9, beta2: 0.99, weight_decay: 0.1 };
    check(
        |p, g, [m], _| update::lion(p, g, m, rule),
        |p, g, [m], _| {
            let direction: f64 = 0.9 * *m + 0.1 * g;
            *m = 0.99 * *m + 0.01 * g;
            *p -= 0.01 * (direction.signum() + 0.1 * *p);
        },
    );
}

#[test]
fn a_moving_average_follows() {
    check(|p, g, [], _| update::moving_average(p, g, 0.9), |p, g, [], _| *p = 0.9 * *p + 0.1 * g);
}

#[test]
fn soft_threshold_moves_towards_zero_and_stops_there() {
    let mut x = [2.0f32, -2.0, 0.3, -0.3, 0.0, 0.5, f32::NAN];
    update::soft_threshold(&mut x, 0.5);
    assert_eq!(x[..6], [1.5, -1.5, 0.0, 0.0, 0.0, 0.0]);
    assert!(x[6].is_nan());
}

#[test]
fn a_first_step_of_adam_is_as_long_as_the_step_size() {
    let (mut p, mut m, mut v) = ([1.0f32; 3], [0.0; 3], [0.0; 3]);
    let state = AdamState { mean: &mut m, square: &mut v, largest: None };
    update::adam(&mut p, &[1e-3, -1.0, 1e3], state, &Adam { lr: 0.5, weight_decay: 0.0, ..ADAM }, powers(1));
    for (p, expected) in p.into_iter().zip([0.5, 1.5, 0.5]) {
        approx::assert_relative_eq!(p, expected, max_relative = 1e-4);
    }
}

const RMSPROP: RmsProp<f64> = RmsProp { lr: 0.01, alpha: 0.9, eps: 1e-8, weight_decay: 0.1, momentum: 0.5 };

#[test]
fn rmsprop_divides_by_the_root_mean_square() {
    check(
        |p, g, [square], _| {
            update::rmsprop(p, g, RmsPropState { square, mean: None, velocity: None }, RMSPROP)
        },
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
        |p, g, [square, v], _| {
            update::rmsprop(p, g, RmsPropState { square, mean: None, velocity: Some(v) }, RMSPROP)
        },
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
        |p, g, [square, mean], _| {
            update::rmsprop(p, g, RmsPropState { square, mean: Some(mean), velocity: None }, RMSPROP)
        },
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
        |p, g, [square, mean, v], _| {
            update::rmsprop(p, g, RmsPropState { square, mean: Some(mean), velocity: Some(v) }, RMSPROP)
        },
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
        |p, g, [s], _| update::adagrad(p, g, s, 0.1, 1e-10, 0.01),
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
    update::sgd(&mut [1.0f32; 3], &[1.0; 2], 0.1, 0.0);
}

#[test]
fn any_number_of_threads_updates_every_parameter_alike() {
    // Enough for several parts, and no multiple of any.
    const MANY: usize = 500_003;
    let number = |i: usize, seed: f64| (i as f64 * 0.37 + seed).sin();
    let rule = Adam { lr: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0.01, decoupled: false };
    on_every_isa(|isa| {
        for amsgrad in [false, true] {
            let on = |threads: usize| {
                quietgrad::set_threads(threads);
                let slice = |seed: f64| (0..MANY).map(|i| number(i, seed)).collect::<Vec<f64>>();
                let (mut p, g, mut mean) = (slice(0.0), slice(1.0), slice(2.0));
                let squares = |seed: f64| slice(seed).into_iter().map(|x| x * x).collect::<Vec<f64>>();
                let (mut square, mut largest) = (squares(3.0), squares(4.0));
                let state = AdamState {
                    mean: &mut mean,
                    square: &mut square,
                    largest: if amsgrad { Some(&mut largest) } else { None },
                };
                update::adam(&mut p, &g, state, &rule, powers(3));
                quietgrad::set_threads(1);
                [p, mean, square, largest]
            };
            let one = on(1);
            for threads in [2, 3, 5] {
                assert!(on(threads) == one, "{isa:?}, amsgrad {amsgrad}: {threads} threads differ from 1");
            }
        }
    });
}
