//! Optimizers on problems whose minimum is known; that each reproduces an independent engine's run is checked in
//! `golden`.

use quietgrad::optim::{
    Adagrad, Adam, Factors, Groups, Lbfgs, Lion, Optimizer, RmsProp, Sgd, proximal_group_lasso, proximal_l1,
};
use quietgrad::{Grads, Params, Tape, Tensor};

fn all() -> Vec<Box<dyn Optimizer<f64>>> {
    let mut centered = RmsProp::new(0.01);
    (centered.centered, centered.momentum) = (true, 0.5);
    let mut amsgrad = Adam::adamw(0.01, 0.01);
    amsgrad.amsgrad = true;
    vec![
        Box::new(Sgd::new(0.01)),
        Box::new(Sgd::momentum(0.01, 0.9)),
        Box::new(Sgd::nesterov(0.01, 0.9)),
        Box::new(RmsProp::new(0.01)),
        Box::new(centered),
        Box::new(Adagrad::new(0.1)),
        Box::new(Adam::new(0.01)),
        Box::new(amsgrad),
        Box::new(Lion::new(0.001)),
    ]
}

/// Parameters, and a gradient of them.
fn example() -> (Params<f64>, Grads<f64>) {
    let mut params = Params::new();
    params.add("a", Tensor::from([1.0, -2.0, 3.0]));
    params.add("b", Tensor::from([0.5, 0.25]));
    let mut grads = params.zeros();
    grads.data_mut().copy_from_slice(&[0.1, 2.0, -0.3, 1.0, -1.0]);
    (params, grads)
}

#[test]
fn one_group_is_no_group() {
    for (mut whole, mut grouped) in all().into_iter().zip(all()) {
        let (mut params, grads) = example();
        let mut other = params.clone();
        let groups = Groups::new(&params, |_, _| Factors::default());
        for _ in 0..5 {
            whole.step(&mut params, &grads);
            grouped.step_groups(&mut other, &grads, &groups);
        }
        assert_eq!(params, other);
    }
}

#[test]
fn a_group_steps_as_an_optimizer_with_its_step_size() {
    for ((mut grouped, mut fast), mut slow) in all().into_iter().zip(all()).zip(all()) {
        let (mut params, grads) = example();
        let (mut with_fast, mut with_slow) = (params.clone(), params.clone());
        let groups = Groups::new(&params, |name, _| {
            if name == "b" { Factors { lr: 0.25, ..Factors::default() } } else { Factors::default() }
        });
        slow.set_lr(0.25 * slow.lr());
        for _ in 0..5 {
            grouped.step_groups(&mut params, &grads, &groups);
            fast.step(&mut with_fast, &grads);
            slow.step(&mut with_slow, &grads);
        }
        assert_eq!(params.data()[..3], with_fast.data()[..3]);
        assert_eq!(params.data()[3..], with_slow.data()[3..]);
    }
}

#[test]
#[should_panic(expected = "the optimizer began with 5 elements, now there are 6")]
fn parameters_are_not_added_under_way() {
    let (mut params, grads) = example();
    let mut adam = Adam::new(0.1);
    adam.step(&mut params, &grads);
    params.add("late", Tensor::from(1.0));
    let grads = params.zeros();
    adam.step(&mut params, &grads);
}

#[test]
fn clipping_keeps_the_direction_and_bounds_the_size() {
    let (_, mut grads) = example();
    let before = grads.data().to_vec();
    let norm = before.iter().map(|g| g * g).sum::<f64>().sqrt();
    approx::assert_relative_eq!(grads.clip_norm(0.5), norm, max_relative = 1e-15);
    approx::assert_relative_eq!(grads.norm(), 0.5, max_relative = 1e-14);
    for (after, before) in grads.data().iter().zip(&before) {
        approx::assert_relative_eq!(*after, before * 0.5 / norm, max_relative = 1e-14);
    }
    assert_eq!(grads.clone().clip_norm(1.0), grads.norm());
    let (_, mut grads) = example();
    grads.clip_value(0.3);
    assert_eq!(grads.data(), [0.1, 0.3, -0.3, 0.3, -0.3]);
}

#[test]
fn proximal_steps_solve_the_lasso_whatever_the_step_size() {
    // Minimum of ½ ‖x − t‖² + λ‖x‖₁: t moved towards 0 by λ.
    for lr in [0.5, 0.02] {
        let mut params = Params::new();
        let x = params.add("x", Tensor::from([[0.0; 2]; 2]));
        let target = Tensor::from([[2.0, -0.3], [0.6, -1.0]]);
        let (mut tape, mut grads, mut sgd) = (Tape::<f64>::new(), params.zeros(), Sgd::new(lr));
        for _ in 0..3000 {
            let r = tape.record(&params);
            ((r.param(x) - r.constant(&target)).square().sum() * 0.5).backward(&mut grads);
            sgd.step(&mut params, &grads);
            proximal_l1(&mut params, x, lr, 0.5);
        }
        for (x, expected) in params.get(x).iter().zip([1.5, 0.0, 0.1, -0.5]) {
            approx::assert_abs_diff_eq!(*x, expected, epsilon = 1e-12);
        }
        assert_eq!(params.get(x)[1], 0.0);
    }
}

#[test]
fn a_proximal_step_on_rows_zeroes_them_whole() {
    let mut params = Params::new();
    let x = params.add("x", Tensor::from([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]]));
    proximal_group_lasso(&mut params, x, 0.5, 2.0);
    approx::assert_relative_eq!(params.get(x)[0], 3.0 * 0.8);
    approx::assert_relative_eq!(params.get(x)[1], 4.0 * 0.8);
    assert_eq!(params.get(x)[2..], [0.0; 4]);
}

#[test]
fn lbfgs_solves_a_quadratic_and_a_network() {
    let mut params = Params::new();
    let x = params.add("x", Tensor::from_fn([30], |i| (i as f64).sin()));
    let scales = Tensor::from_fn([30], |i| 10f64.powf(i as f64 / 10.0));
    let mut tape = Tape::<f64>::new();
    let minimum = Lbfgs { steps: 500, ..Lbfgs::new() }.minimize(&mut params, |params, grads| {
        let r = tape.record(params);
        let loss = ((r.param(x) - 1.0).square() * r.constant(&scales)).sum();
        loss.backward(grads);
        loss.item()
    });
    assert!(minimum.converged, "{minimum:?}");
    assert!(params.get(x).iter().all(|x| (x - 1.0).abs() < 1e-8));

    let mut params = Params::new();
    let w = params.add("w", Tensor::from_fn([2, 6], |i| ((i * 7 % 5) as f64 - 2.0) / 2.0));
    let b = params.add("b", Tensor::from_fn([6], |i| (i as f64 - 2.5) / 5.0));
    let v = params.add("v", Tensor::from_fn([6, 1], |i| ((i * 3 % 7) as f64 - 3.0) / 4.0));
    let inputs = Tensor::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let targets = Tensor::from([[0.0], [1.0], [1.0], [0.0]]);
    let minimum = Lbfgs::new().minimize(&mut params, |params, grads| {
        let r = tape.record(params);
        let h = r.constant(&inputs).linear(r.param(w), r.param(b)).tanh();
        let loss = (h.matmul(r.param(v)) - r.constant(&targets)).square().sum();
        loss.backward(grads);
        loss.item()
    });
    assert!(minimum.loss < 1e-10, "{minimum:?}");
    assert!(minimum.evaluations < 4 * minimum.steps);
}
