//! Optimizers on problems whose minimum is known; that each reproduces an independent engine's run is checked in
//! `golden`.

use std::collections::BTreeSet;
use std::fs;

use quietgrad::optim::{
    Adagrad, Adam, Average, Factors, Field, Groups, Lbfgs, Lion, Optimizer, RmsProp, Sgd,
    proximal_group_lasso, proximal_l1,
};
use quietgrad::{Element, Grads, Params, Tape, Tensor};

/// Every optimizer, with each kind of memory that its settings can ask for.
pub fn every<T: Element>() -> Vec<Box<dyn Optimizer<T>>> {
    let mut decayed = Sgd::new(0.01);
    decayed.weight_decay = 0.05;
    let mut momentum = RmsProp::new(0.01);
    (momentum.momentum, momentum.weight_decay) = (0.5, 0.01);
    let mut centered = RmsProp::new(0.01);
    centered.centered = true;
    let mut both = RmsProp::new(0.01);
    (both.centered, both.momentum) = (true, 0.5);
    let mut amsgrad = Adam::adamw(0.01, 0.01);
    amsgrad.amsgrad = true;
    let mut coupled = Adam::new(0.01);
    (coupled.beta2, coupled.weight_decay) = (0.9, 0.01);
    let mut lion = Lion::new(0.001);
    lion.weight_decay = 0.1;
    vec![
        Box::new(Sgd::new(0.01)),
        Box::new(decayed),
        Box::new(Sgd::momentum(0.01, 0.9)),
        Box::new(Sgd::nesterov(0.01, 0.9)),
        Box::new(RmsProp::new(0.01)),
        Box::new(momentum),
        Box::new(centered),
        Box::new(both),
        Box::new(Adagrad::new(0.1)),
        Box::new(Adam::new(0.01)),
        Box::new(coupled),
        Box::new(amsgrad),
        Box::new(lion),
    ]
}

fn all() -> Vec<Box<dyn Optimizer<f64>>> {
    every()
}

#[test]
fn the_list_of_optimizers_has_every_optimizer_and_uses_every_array() {
    let mut written = BTreeSet::new();
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../src/optim")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for (at, found) in text.match_indices("Optimizer<T> for ") {
            let kind = text[at + found.len()..].split('<').next().unwrap().to_owned();
            written.insert(kind);
        }
    }
    assert!(written.remove("Box"), "an optimizer in a box is one");
    let (mut listed, mut arrays, mut used) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for optimizer in all() {
        let kind = optimizer.kind();
        listed.insert(kind.to_owned());
        optimizer.fields(&mut |name, field| {
            if let Field::Array(_, in_use) = field {
                arrays.insert((kind, name));
                if in_use {
                    used.insert((kind, name));
                }
            }
        });
    }
    assert_eq!(listed, written);
    assert_eq!(used, arrays);
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

/// Gradients of one parameter.
fn gradients<T: Element>(g: &[T]) -> Grads<T> {
    let mut params = Params::new();
    params.add("p", Tensor::from_fn([g.len()], |i| g[i]));
    let mut grads = params.zeros();
    grads.data_mut().copy_from_slice(g);
    grads
}

#[test]
fn norms_neither_overflow_nor_underflow() {
    for (g, norm) in [
        ([1e38f32, 1e38], 1.414_213_562e38),
        ([3e38, -3e38], 4.242_640_687e38),
        ([3e-30, 4e-30], 5e-30),
        ([3e-44, 4e-44], 5e-44),
        ([0.0, 1e-45], 1.401_298_464e-45),
        ([0.0, 0.0], 0.0),
    ] {
        // The numbers themselves have few digits where they are subnormal.
        approx::assert_relative_eq!(
            gradients(&g).norm(),
            norm,
            epsilon = 0.0,
            max_relative = if norm < 1e-38 { 0.05 } else { 1e-6 }
        );
    }
    for (g, norm) in [([3e200, 4e200], 5e200), ([3e-200, 4e-200], 5e-200), ([3e-310, 4e-310], 5e-310)] {
        approx::assert_relative_eq!(gradients(&g).norm(), norm, epsilon = 0.0, max_relative = 1e-12);
    }
    assert_eq!(gradients(&[f64::MAX, f64::MAX]).norm(), f64::INFINITY);
    let many = vec![1e-22f32; 1_000_000];
    approx::assert_relative_eq!(gradients(&many).norm(), 1e-19, epsilon = 0.0, max_relative = 1e-5);
    assert_eq!(gradients::<f32>(&[]).norm(), 0.0);
}

#[test]
fn clipping_by_norm_reaches_its_bound_whatever_the_size() {
    for g in [[1e38f32, 1e38], [3e38, -3e38], [3e18, -3e18], [0.6, -0.8], [2.0, 0.0], [1e-30, 2e-30]] {
        for max in [0.5, 1e-3, 1e-32] {
            let mut grads = gradients(&g);
            let norm = grads.clip_norm(max);
            approx::assert_relative_eq!(grads.norm(), norm.min(max), epsilon = 0.0, max_relative = 1e-5);
            approx::assert_relative_eq!(
                f64::from(grads.data()[1]) / f64::from(grads.data()[0]),
                f64::from(g[1]) / f64::from(g[0]),
                epsilon = 0.0,
                max_relative = 1e-5
            );
        }
    }
    // A norm that no number is as large as.
    let mut grads = gradients(&[f64::MAX, f64::MAX]);
    assert_eq!(grads.clip_norm(2.0), f64::INFINITY);
    approx::assert_relative_eq!(grads.norm(), 2.0, epsilon = 0.0, max_relative = 1e-12);
    let mut grads = gradients(&[3e-200, 4e-200]);
    approx::assert_relative_eq!(grads.clip_norm(1e-200), 5e-200, epsilon = 0.0, max_relative = 1e-12);
    approx::assert_relative_eq!(grads.data()[0], 0.6e-200, epsilon = 0.0, max_relative = 1e-12);
}

#[test]
fn clipping_reports_what_is_not_finite_and_leaves_it() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for clip in [Grads::clip_norm, Grads::clip_value] {
            let mut grads = gradients(&[3.0, bad, -4.0]);
            let reported = clip(&mut grads, 0.5);
            assert!(if bad.is_nan() { reported.is_nan() } else { reported == f64::INFINITY });
            assert_eq!([grads.data()[0], grads.data()[2]], [3.0, -4.0]);
            assert_eq!(grads.data()[1].to_bits(), bad.to_bits());
        }
    }
    // NaN behind and before infinity.
    assert!(gradients(&[f64::INFINITY, f64::NAN]).clip_value(1.0).is_nan());
    assert!(gradients(&[f64::NAN, f64::INFINITY]).clip_norm(1.0).is_nan());
    assert_eq!(gradients(&[3.0, -7.0]).clip_value(5.0), 7.0);
}

#[test]
fn a_gradient_that_is_nan_makes_its_parameter_nan_and_no_other() {
    for mut optimizer in all() {
        let (mut params, mut grads) = example();
        let before = params.clone();
        grads.data_mut()[1] = f64::NAN;
        optimizer.step(&mut params, &grads);
        let kind = optimizer.kind();
        for (i, (p, before)) in params.data().iter().zip(before.data()).enumerate() {
            assert_eq!(p.is_nan(), i == 1, "{kind}: {p}");
            assert!(i == 1 || p != before, "{kind} does not move");
        }
    }
    let (mut params, _) = example();
    let mut average = Average::new(&params, 0.5);
    params.data_mut()[1] = f64::NAN;
    average.update(&params);
    assert!(average.params().data()[1].is_nan());
}

#[test]
fn proximal_steps_keep_nan() {
    let mut params = Params::new();
    let x = params.add("x", Tensor::from([[f64::NAN, 1.0], [3.0, 4.0]]));
    proximal_l1(&mut params, x, 1.0, 0.5);
    assert!(params.get(x)[0].is_nan());
    assert_eq!(params.get(x)[1..], [0.5, 2.5, 3.5]);
    proximal_group_lasso(&mut params, x, 1.0, 0.5);
    assert!(params.get(x)[0].is_nan() && params.get(x)[1].is_nan());
    assert!(params.get(x)[2] > 2.0);
}

#[test]
fn a_proximal_step_on_rows_knows_the_length_of_large_and_small_rows() {
    let mut params = Params::new();
    let x = params.add("x", Tensor::from([[3e200, 4e200], [3e-200, 4e-200]]));
    proximal_group_lasso(&mut params, x, 1.0, 2.5e-200);
    approx::assert_relative_eq!(params.get(x)[0], 3e200, epsilon = 0.0, max_relative = 1e-12);
    approx::assert_relative_eq!(params.get(x)[2], 1.5e-200, epsilon = 0.0, max_relative = 1e-12);
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

/// Minimizes from 1 a loss that is given with its slope.
fn minimize(f: impl Fn(f64) -> (f64, f64)) -> (quietgrad::optim::Minimum, f64) {
    let mut params = Params::new();
    params.add("x", Tensor::from([1.0]));
    let minimum = Lbfgs::new().minimize(&mut params, |params, grads| {
        let (loss, slope) = f(params.data()[0]);
        grads.data_mut()[0] = slope;
        loss
    });
    (minimum, params.data()[0])
}

#[test]
fn lbfgs_does_not_converge_on_what_is_no_number() {
    for (loss, slope) in [
        (f64::NAN, f64::NAN),
        (f64::NAN, 0.0),
        (f64::NAN, 1.0),
        (1.0, f64::NAN),
        (f64::INFINITY, 0.0),
        (f64::NEG_INFINITY, 0.0),
        (1.0, f64::INFINITY),
    ] {
        let (minimum, x) = minimize(|_| (loss, slope));
        assert!(!minimum.converged, "{loss} {slope}: {minimum:?}");
        assert_eq!((minimum.steps, x), (0, 1.0));
        assert_eq!(minimum.gradient.is_nan(), slope.is_nan());
    }
}

#[test]
fn lbfgs_never_steps_to_where_loss_or_slope_is_no_number() {
    // (x − 3)², which is no number in some places: beyond 2 the loss, or the slope, is NaN or infinite.
    for (loss_there, slope_there) in [
        (f64::NAN, 1.0),
        (0.0, f64::NAN),
        (f64::NEG_INFINITY, -1.0),
        (-5.0, f64::INFINITY),
        (f64::INFINITY, 0.0),
    ] {
        let (minimum, x) =
            minimize(
                |x| {
                    if x > 2.0 { (loss_there, slope_there) } else { ((x - 3.0).powi(2), 2.0 * (x - 3.0)) }
                },
            );
        assert!(x <= 2.0 && x > 1.0, "{loss_there} {slope_there}: {x}");
        assert!(
            !minimum.converged && minimum.loss.is_finite() && minimum.gradient.is_finite(),
            "{minimum:?}"
        );
    }
    // Slopes so steep that what is remembered of them overflows: it stops, or gets there, and says which.
    let (minimum, x) = minimize(|x| ((x - 3.0) * (x - 3.0) * 1e200, 2e200 * (x - 3.0)));
    assert!(x.is_finite() && minimum.loss.is_finite());
    assert!(!minimum.converged || (x - 3.0).abs() < 1e-8);
}
