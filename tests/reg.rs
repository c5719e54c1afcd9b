//! Penalties: their gradients, their formulas on numbers written out, and the controller of a coefficient.

use quietgrad::nn::{Dense, Init};
use quietgrad::optim::{Adam, Optimizer, Schedule};
use quietgrad::reg::{self, DensityController, Penalty};
use quietgrad::{Params, Random, Recording, Tape, Tensor, Var, gradcheck, loss};

/// Activations of three samples, some of them 0, and of a sequence of four steps.
fn activations() -> Params<f64> {
    let mut random = Random::new(5);
    let mut params = Params::new();
    params.add("z", Tensor::from_fn([3, 8], |_| random.uniform(-1.0, 1.0)));
    params.add("s", Tensor::from_fn([2, 4, 3], |_| random.uniform(-1.0, 1.0)));
    params
}

#[test]
fn every_penalty_has_the_right_gradient() {
    type Build = for<'r> fn(Var<'r, f64>) -> Penalty<'r, f64>;
    let of_layer: [Build; 9] = [
        |h| reg::l1(h),
        |h| reg::l2(h),
        |h| reg::elastic_net(h, 0.3, 0.7),
        |h| reg::lp(h, 1.5),
        |h| reg::log(h, 0.1),
        |h| reg::hoyer(h),
        |h| reg::l2_norm(h),
        |h| reg::group_lasso(h, &[0]),
        |h| reg::ar(h),
    ];
    let params = activations();
    let (z, s) = (params.find("z").unwrap(), params.find("s").unwrap());
    let check = |f: &dyn for<'r> Fn(Recording<'r, f64>) -> Var<'r, f64>| {
        let report = gradcheck::check(&params, f).unwrap_or_else(|mismatch| panic!("{mismatch}"));
        assert!(report.skipped.is_empty() && report.duals > 0);
    };
    for penalty in of_layer {
        check(&|r| penalty(r.param(z)).per_sample());
        check(&|r| penalty(r.param(z).softplus()).summed());
    }
    check(&|r| reg::tar(r.param(s), 1).summed());
    check(&|r| reg::kl_sparsity(r.param(z).sigmoid(), 0.05));
    check(&|r| reg::kl_sparsity(r.param(s).sigmoid(), 0.3));
}

/// The value and the gradient of a penalty at h.
fn at(h: &[f64], penalty: impl for<'r> Fn(Var<'r, f64>) -> Var<'r, f64>) -> (f64, Vec<f64>) {
    let (mut tape, params) = (Tape::new(), Params::new());
    let h = tape.record(&params).input(&Tensor::from_fn([h.len() / 2, 2], |i| h[i]));
    let y = penalty(h);
    y.backward(&mut params.zeros());
    (y.item(), h.gradient().unwrap().into_data())
}

#[test]
fn nothing_flows_to_an_element_that_is_zero() {
    let h = [0.0, 0.0, 0.0, 2.0];
    let penalties: [for<'r> fn(Var<'r, f64>) -> Var<'r, f64>; 5] = [
        |h| reg::lp(h, 0.5).summed(),
        |h| reg::lp(h, 1.0).summed(),
        |h| reg::log(h, 1.0).summed(),
        |h| reg::l2_norm(h).summed(),
        |h| reg::group_lasso(h, &[1]).summed(),
    ];
    for penalty in penalties {
        let (value, gradient) = at(&h, penalty);
        assert!(value > 0.0 && gradient[3] > 0.0);
        assert_eq!(gradient[..3], [0.0; 3]);
    }
    assert_eq!(at(&[0.0, 0.0, 0.0, 0.0], |h| reg::hoyer(h).summed()), (0.0, vec![0.0; 4]));
}

#[test]
fn hoyer_does_not_depend_on_the_scale() {
    let (value, gradient) = at(&[1.0, 3.0], |h| reg::hoyer(h).summed());
    let (scaled, _) = at(&[100.0, 300.0], |h| reg::hoyer(h).summed());
    approx::assert_relative_eq!(value, 1.6, max_relative = 1e-15);
    approx::assert_relative_eq!(value, scaled, max_relative = 1e-15);
    approx::assert_abs_diff_eq!(gradient[0] * 1.0 + gradient[1] * 3.0, 0.0, epsilon = 1e-15);
}

#[test]
fn a_penalty_per_sample_is_the_sum_over_the_batch_size() {
    let h = [0.5, -2.0, 0.0, 2.0, 1.0, 4.0];
    let builds: [for<'r> fn(Var<'r, f64>) -> Penalty<'r, f64>; 3] =
        [reg::hoyer, reg::l2_norm, |h| reg::lp(h, 0.7)];
    for build in builds {
        let (sum, per_sample) = (at(&h, |h| build(h).summed()).0, at(&h, |h| build(h).per_sample()).0);
        approx::assert_relative_eq!(sum / 3.0, per_sample, max_relative = 1e-15);
    }
}

/// A layer of 7 samples with its weights and bias, and the same numbers as constants.
fn layer(inputs: usize) -> (Params<f64>, Tensor<f64>) {
    let mut random = Random::new(11);
    let mut params = Params::new();
    params.add("w", Tensor::from_fn([inputs, 21], |_| random.normal()));
    params.add("b", Tensor::from_fn([21], |_| random.normal()));
    params.add("out", Tensor::from_fn([21, 2], |_| random.normal()));
    (params, Tensor::from_fn([7, inputs], |_| random.normal()))
}

/// What is built on a hidden layer, and whether its whole gradient is kept.
type Loss = (&'static str, bool, for<'r> fn(Var<'r, f64>, Var<'r, f64>) -> Var<'r, f64>);

/// A layer's output, from its input, weights and bias.
type Layer = for<'r> fn(Var<'r, f64>, Var<'r, f64>, Var<'r, f64>) -> Var<'r, f64>;

/// Three ways to a layer with relu. The last one knows nothing of penalties.
const LAYERS: [Layer; 3] = [
    |x, w, b| x.linear_relu(w, b),
    |x, w, b| x.linear(w, b).relu(),
    |x, w, b| x.linear(w, b).clamp(0.0, 1e300),
];

/// The gradients of the parameters, of the data and of the hidden layer, made in one of three ways.
fn gradients(inputs: usize, differentiate_x: bool, way: usize, (_, keep, loss): Loss) -> [Vec<f64>; 3] {
    let (params, x) = layer(inputs);
    let [w, b, out] = ["w", "b", "out"].map(|name| params.find(name).unwrap());
    let (mut tape, mut grads) = (Tape::new(), params.zeros());
    let r = tape.record(&params);
    let x = if differentiate_x { r.input(&x) } else { r.constant(&x) };
    let (w, b) = (r.param(w), r.param(b));
    let h = LAYERS[way](x, w, b);
    let h = if keep { h.keep_gradient() } else { h };
    loss(h, r.param(out)).backward(&mut grads);
    let of_x = x.gradient().map_or(Vec::new(), Tensor::into_data);
    // Where a unit does not fire, the gradient need not have been computed.
    let of_h =
        if keep { h.gradient().expect("the loss depends on the layer").into_data() } else { Vec::new() };
    [grads.data().to_vec(), of_x, of_h]
}

#[test]
fn a_penalty_on_a_relu_layer_has_the_gradients_of_one_that_is_made_otherwise() {
    let losses: [Loss; 7] = [
        ("a fit alone", false, |h, out| h.matmul(out).square().sum()),
        ("a fit and l1", false, |h, out| h.matmul(out).square().sum() + reg::l1(h).per_sample() * 0.3),
        ("l1 alone", false, |h, _| reg::l1(h).summed()),
        ("l1 twice", false, |h, out| reg::l1(h).summed() + h.matmul(out).sum() + reg::l1(h).per_sample()),
        ("l1 first", false, |h, out| (reg::l1(h).summed() + 2.0).square() + h.matmul(out).sum()),
        ("elastic net", false, |h, out| h.matmul(out).sum() + reg::elastic_net(h, 0.3, 0.7).summed()),
        ("l1, kept", true, |h, out| h.matmul(out).square().sum() + reg::l1(h).summed()),
    ];
    for loss in losses {
        for inputs in [1, 2, 3, 4, 5] {
            for differentiate_x in [false, true] {
                let [fused, apart, reference] =
                    [0, 1, 2].map(|way| gradients(inputs, differentiate_x, way, loss));
                for (got, reference) in fused.iter().chain(&apart).zip(reference.iter().cycle()) {
                    assert_eq!(got.len(), reference.len());
                    for (&a, &b) in got.iter().zip(reference) {
                        assert!((a - b).abs() <= 1e-13 * b.abs().max(1.0), "{}: {a}, not {b}", loss.0);
                    }
                }
                assert!(fused[0].iter().any(|&g| g != 0.0));
                assert_eq!(fused[2].iter().any(|&g| g != 0.0), loss.1);
            }
        }
    }
}

#[test]
fn a_penalty_on_a_number_behind_a_relu_counts_where_it_is_positive() {
    for (x, expected) in [(2.0, 3.5), (-2.0, 0.0)] {
        let (mut tape, mut params) = (Tape::<f64>::new(), Params::new());
        let id = params.add("x", Tensor::from(x));
        let mut grads = params.zeros();
        let r = tape.record(&params);
        let h = r.param(id).relu();
        (h * 3.0 + reg::l1(h).summed() * 0.5).backward(&mut grads);
        assert_eq!(grads.data(), [expected]);
        let r = tape.record(&params);
        reg::l1(r.param(id).relu()).summed().backward(&mut grads);
        assert_eq!(grads.data(), [if x > 0.0 { 1.0 } else { 0.0 }]);
    }
}

/// Trains an autoencoder of data with sparse causes, its penalty steered to `target`; gives the last densities.
fn steer(target: f64) -> Vec<f64> {
    let mut random = Random::new(3);
    let causes = Tensor::<f32>::from_fn([24, 16], |_| random.normal() as f32);
    let mut data = Tensor::zeros([256, 16]);
    for row in data.data_mut().chunks_exact_mut(16) {
        for _ in 0..2 {
            let (cause, strength) = (random.below(24), random.uniform(0.5, 1.5) as f32);
            for (x, c) in row.iter_mut().zip(&causes.data()[cause * 16..]) {
                *x += strength * c;
            }
        }
    }
    let mut params = Params::<f32>::new();
    let encoder = Dense::new(&mut params, "encoder", [16, 64], Init::HeNormal, &mut random);
    let decoder = Dense::new(&mut params, "decoder", [64, 16], Init::HeNormal, &mut random);
    let (mut grads, mut tape, mut adam) = (params.zeros(), Tape::new(), Adam::new(3e-3));
    let mut lambda = DensityController::new(1e-3, target);
    let mut densities = Vec::new();
    for step in 0..1500 {
        let r = tape.record(&params);
        let rows: Vec<usize> = (0..64).map(|i| (step * 64 + i) % 256).collect();
        let x = r.constant_rows(&data, &rows);
        let h = encoder.forward(x).relu();
        let loss = loss::mse(decoder.forward(h), x) + reg::l1(h).per_sample() * lambda.coefficient();
        loss.backward(&mut grads);
        lambda.observe(h.density());
        densities.push(h.density());
        adam.step(&mut params, &grads);
    }
    densities.split_off(1300)
}

#[test]
fn the_controller_reaches_the_wanted_density() {
    for target in [0.05, 0.15] {
        let densities = steer(target);
        let mean = densities.iter().sum::<f64>() / densities.len() as f64;
        assert!((mean - target).abs() < 0.1 * target, "{mean} instead of {target}");
    }
}

#[test]
fn a_controller_of_a_density_out_of_reach_does_not_wind_up() {
    // Always too much is active, then always too little, for very long.
    for (density, bound) in [(1.0, 1e-3 * 1e4), (0.0, 1e-3 / 1e4)] {
        let mut lambda = DensityController::new(1e-3, 0.1);
        for _ in 0..100_000 {
            lambda.observe(density);
            assert!((1e-3 / 1e4 * 0.999..=1e-3 * 1e4 * 1.001).contains(&lambda.coefficient()));
        }
        approx::assert_relative_eq!(lambda.coefficient(), bound, max_relative = 1e-12);
        // And back, as fast as it came: within a thousand steps it is beyond where it began.
        let back = (0..1000).position(|_| {
            lambda.observe(1.0 - density);
            (lambda.coefficient() > 1e-3) == (density == 0.0)
        });
        assert!(back.is_some(), "{}", lambda.coefficient());
    }
}

#[test]
fn a_density_that_is_no_number_changes_nothing() {
    let mut lambda = DensityController::new(1e-3, 0.1);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(!lambda.observe(bad));
        assert_eq!(lambda.state(), DensityController::new(1e-3, 0.1).state());
    }
    assert!(lambda.observe(0.5));
    let (state, coefficient) = (lambda.state(), lambda.coefficient());
    assert!(!lambda.observe(f64::NAN));
    assert_eq!((lambda.state(), lambda.coefficient()), (state, coefficient));
}

#[test]
fn schedules_go_where_they_say() {
    let values = |schedule: &Schedule, steps: &[usize]| -> Vec<f64> {
        steps.iter().map(|&step| schedule.at(step)).collect()
    };
    assert_eq!(values(&Schedule::constant(0.5), &[0, 9]), [0.5, 0.5]);
    assert_eq!(values(&Schedule::step(1.0, 0.5, 10), &[0, 9, 10, 25]), [1.0, 1.0, 0.5, 0.25]);
    assert_eq!(values(&Schedule::exponential(1.0, 0.5), &[0, 1, 3]), [1.0, 0.5, 0.125]);
    assert_eq!(values(&Schedule::linear(0.0, 2.0, 4), &[0, 1, 4, 9]), [0.0, 0.5, 2.0, 2.0]);
    assert_eq!(values(&Schedule::linear(3.0, 2.0, 0), &[0]), [2.0]);
    let cosine = Schedule::cosine(1.0, 0.0, 3);
    for (step, expected) in [(0, 1.0), (1, 0.75), (2, 0.25), (3, 0.0), (7, 0.0)] {
        approx::assert_abs_diff_eq!(cosine.at(step), expected, epsilon = 1e-15);
    }
    let warm = Schedule::step(1.0, 0.5, 2).warm_up(4);
    assert_eq!(values(&warm, &[0, 1, 2, 3, 4, 5, 6]), [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 0.5]);
    let composed = Schedule::linear(0.0, 1.0, 2).then(3, Schedule::exponential(1.0, 0.5));
    assert_eq!(values(&composed, &[0, 1, 2, 3, 4]), [0.0, 0.5, 1.0, 1.0, 0.5]);
}
