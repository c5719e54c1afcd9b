//! Skipping zeros changes nothing but the time: whatever the graph, the results are those of dense products.

use quietgrad::nn::{Conv2d, Dense, Init};
use quietgrad::ops::Op;
use quietgrad::ops::conv::Convolution;
use quietgrad::ops::pool::Pooling;
use quietgrad::optim::{Adam, Optimizer};
use quietgrad::{Params, Random, Recording, SkipZeros, Tape, Tensor, Var, loss, reg};

use crate::tape::chains::JumpRelu;

/// Records something: gives the loss, and what else is to be looked at.
type Program<'a> = &'a dyn for<'r> Fn(Recording<'r, f64>) -> (Var<'r, f64>, Vec<Var<'r, f64>>);

/// What one run of a program leaves.
#[derive(PartialEq)]
struct Outcome {
    /// Values and gradients of what the program asked to look at.
    seen: Vec<Tensor<f64>>,
    /// Gradients of the parameters.
    grads: Vec<f64>,
    /// Operations that were not done.
    skipped: u64,
}

/// The second of two runs on one tape: the first one's nodes, and what it knew of zeros, are there to be reused.
fn run(when: SkipZeros, params: &Params<f64>, program: Program) -> Outcome {
    let mut tape = Tape::new();
    tape.skip_zeros(when);
    program(tape.record(params)).0.backward(&mut params.zeros());
    run_on(&mut tape, params, program)
}

fn run_on(tape: &mut Tape<f64>, params: &Params<f64>, program: Program) -> Outcome {
    let mut grads = params.zeros();
    let r = tape.record(params);
    let (loss, looked_at) = program(r);
    loss.backward(&mut grads);
    let gradients = looked_at.iter().filter_map(|x| x.gradient());
    let seen = looked_at.iter().map(|x| x.value()).chain(gradients).collect();
    Outcome { seen, grads: grads.data().to_vec(), skipped: r.summary().skipped_flops() }
}

fn assert_close(a: &[f64], b: &[f64], what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    let scale = b.iter().fold(1.0, |max: f64, x| max.max(x.abs()));
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() <= 1e-12 * scale, "{what}, element {i}: {a} with zeros skipped, {b} without");
    }
}

/// Runs a program with and without skipping, compares, and says how much was skipped.
fn compare(params: &Params<f64>, what: &str, program: Program) -> u64 {
    let dense = run(SkipZeros::Never, params, program);
    let sparse = run(SkipZeros::Always, params, program);
    assert_eq!(dense.skipped, 0, "{what}");
    assert_close(&sparse.grads, &dense.grads, what);
    assert_eq!(sparse.seen.len(), dense.seen.len(), "{what}");
    for (a, b) in sparse.seen.iter().zip(&dense.seen) {
        assert_close(a.data(), b.data(), what);
    }
    sparse.skipped
}

/// A program drawn at random: layers of several kinds one after the other, with things done to a layer's output before
/// the next one reads it, second readers, and penalties.
fn random_program(r: Recording<f64>, seed: u64, width: usize) -> (Var<f64>, Vec<Var<f64>>) {
    let mut random = Random::new(seed);
    let mut below = |bound: usize| (random.uniform(0.0, 1.0) * bound as f64) as usize % bound;
    let ids: Vec<_> = r.params().ids().collect();
    let mut data = Random::new(seed + 1);
    let rows = 1 + below(7);
    let x = Tensor::from_fn([rows, width], |_| data.uniform(-1.0, 1.0));
    let mut h = if below(2) == 0 { r.input(&x) } else { r.constant(&x) };
    let mut looked_at = vec![h];
    let mut loss = r.scalar(0.0);
    for layer in 0..3 {
        let (w, b) = (r.param(ids[2 * layer]), r.param(ids[2 * layer + 1]));
        let z = match below(4) {
            0 => h.matmul(w) + b,
            1 => h.matmul(w),
            _ => h.linear(w, b),
        };
        let before = h;
        h = match below(7) {
            0 => z.top_k(2),
            1 => z.soft_threshold(0.3),
            2 => before.linear_relu(w, b),
            3 => z.tanh(),
            _ => z.relu(),
        };
        match below(8) {
            0 => loss += h.square().mean(),           // a reader that wants all of it
            1 => loss += (h * h).sum_axes([0]).sum(), // two slots of one input
            2 => loss += z.tanh().sum(),              // another contribution before the activation
            3 => loss += h.matmul(h.t()).mean(),
            4 => looked_at.push(h.keep_gradient()),
            _ => {}
        }
        h = match below(8) {
            0 => h * 0.7,
            1 => h.dropout(0.3, &mut Random::new(seed + 2)),
            2 => h + h,
            3 => h.reshape([1, rows, width]).reshape([rows, width]),
            4 => h.sqrt_of_square(),
            5 => h.detach() + h,
            _ => h,
        };
        if below(2) == 0 {
            loss += reg::l1(h).per_sample() * 0.01;
        }
        if below(4) == 0 {
            loss += reg::elastic_net(h, 0.01, 0.02).summed();
        }
        looked_at.push(h.detach());
    }
    (loss + h.square().sum(), looked_at)
}

/// A function of the table that keeps zeros and bends.
trait SqrtOfSquare {
    fn sqrt_of_square(self) -> Self;
}

impl SqrtOfSquare for Var<'_, f64> {
    fn sqrt_of_square(self) -> Self {
        self.square().abs()
    }
}

/// The layers' width in the random programs.
const WIDTH: usize = 9;

/// Parameters for the random programs.
fn random_params() -> Params<f64> {
    let mut random = Random::new(5);
    let mut params = Params::new();
    for layer in 0..3 {
        let w = Tensor::from_fn([WIDTH, WIDTH], |_| random.uniform(-1.0, 1.0));
        params.add(format!("{layer}.w"), w);
        params.add(format!("{layer}.b"), Tensor::from_fn([WIDTH], |_| random.uniform(-0.5, 0.3)));
    }
    params
}

#[test]
fn who_looks_on_changes_no_bit() {
    let _turn = crate::turn();
    let params = random_params();
    for when in [SkipZeros::Never, SkipZeros::Always] {
        for seed in 0..200 {
            let program: Program = &|r| random_program(r, seed, WIDTH);
            let mut tape = Tape::new();
            tape.skip_zeros(when);
            program(tape.record(&params)).0.backward(&mut params.zeros());
            tape.detect_anomalies(true);
            tape.start_profile();
            let watched = run_on(&mut tape, &params, program);
            assert!(watched == run(when, &params, program), "graph {seed}, {when:?}");
        }
    }
}

#[test]
fn random_graphs_give_the_same_with_and_without_skipping() {
    let params = random_params();
    let graphs = 400;
    let skipping = (0..graphs)
        .filter(|&seed| compare(&params, &format!("graph {seed}"), &|r| random_program(r, seed, WIDTH)) > 0)
        .count();
    assert!(skipping > graphs as usize * 3 / 4, "only {skipping} of {graphs} graphs had zeros to skip");
}

/// An autoencoder whose four products beside the encoder's should all skip.
fn autoencoder<'r>(r: Recording<'r, f64>, x: &Tensor<f64>, fused: bool) -> [Var<'r, f64>; 3] {
    let ids: Vec<_> = r.params().ids().map(|id| r.param(id)).collect();
    let x = r.constant(x);
    let h = if fused { x.linear_relu(ids[0], ids[1]) } else { (x.matmul(ids[0]) + ids[1]).relu() };
    let y = h.linear(ids[2], ids[3]);
    let loss = loss::mse(y, x) + reg::l1(h).per_sample() * 0.1;
    [h, y, loss]
}

fn autoencoder_params(inputs: usize, hidden: usize, bias: f64) -> Params<f64> {
    let mut random = Random::new(2);
    let mut params = Params::new();
    let encoder = Dense::new(&mut params, "encoder", [inputs, hidden], Init::HeNormal, &mut random);
    Dense::new(&mut params, "decoder", [hidden, inputs], Init::HeNormal, &mut random);
    params.get_mut(encoder.b).fill(bias);
    params
}

#[test]
fn four_of_five_products_of_an_autoencoder_skip_what_does_not_fire() {
    let params = autoencoder_params(6, 40, -1.0);
    let mut random = Random::new(3);
    let x = Tensor::from_fn([20, 6], |_| random.normal());
    let mut grads = params.zeros();
    for fused in [false, true] {
        let mut tape = Tape::new();
        tape.skip_zeros(SkipZeros::Always);
        let r = tape.record(&params);
        let [h, y, loss] = autoencoder(r, &x, fused);
        loss.backward(&mut grads);
        let density = Some(h.density());
        assert!(density < Some(0.5), "{density:?}");
        let decoder = r.skipping(y);
        assert_eq!([decoder.forward, decoder.left, decoder.right], [density; 3], "decoder, fused: {fused}");
        let text = r.graph().to_string();
        let name = if fused { " = linear_relu " } else { " = matmul " };
        let encoder = text.lines().find(|line| line.contains(name)).unwrap();
        assert!(encoder.contains(&format!("gb at {:.1} %", 100.0 * h.density())), "{text}");
        compare(&params, "autoencoder", &|r| {
            let [h, y, loss] = autoencoder(r, &x, fused);
            (loss, vec![h.keep_gradient(), y.detach()])
        });
    }
}

#[test]
fn a_pooled_and_flattened_feature_map_is_sparse_to_the_layer_after_it() {
    let mut random = Random::new(3);
    let mut params = Params::new();
    let of = Convolution::new().padding(1);
    let conv = Conv2d::new(&mut params, "conv", [1, 3], 3, of, Init::HeNormal, &mut random);
    params.get_mut(conv.b).fill(-2.0);
    let dense = Dense::new(&mut params, "dense", [48, 20], Init::HeNormal, &mut random);
    let x = Tensor::from_fn([6, 1, 8, 8], |_| random.normal());
    let program: Program = &|r| {
        let h = conv.forward_relu(r.constant(&x));
        let flat = h.max_pool2d(Pooling::new(2)).reshape([6, 48]);
        let y = dense.forward(flat);
        (y.square().mean() + reg::l1(h).per_sample(), vec![flat, y])
    };
    assert!(compare(&params, "a feature map", program) > 0);
    let mut tape = Tape::new();
    tape.skip_zeros(SkipZeros::Always);
    let r = tape.record(&params);
    let (_, seen) = program(r);
    assert_eq!(r.skipping(seen[1]).forward, Some(seen[0].density()));
}

#[test]
fn a_users_own_op_skips_as_many_operations_as_relu() {
    let params = autoencoder_params(6, 40, -1.0);
    let x = Tensor::from_fn([20, 6], |i| (i % 7) as f64 - 3.5);
    let jump_relu = Op::custom(JumpRelu { threshold: 0.0 });
    let run = |activation: &dyn for<'r> Fn(Var<'r, f64>) -> Var<'r, f64>| {
        let mut tape = Tape::new();
        tape.skip_zeros(SkipZeros::Always);
        let r = tape.record(&params);
        let ids: Vec<_> = params.ids().map(|id| r.param(id)).collect();
        let h = activation(r.constant(&x).linear(ids[0], ids[1]));
        let y = h.linear(ids[2], ids[3]);
        let mut grads = params.zeros();
        (loss::mse(y, r.constant(&x)) + reg::l1(h).per_sample() * 0.1).backward(&mut grads);
        (r.skipping(y), r.summary().skipped_flops(), h.density(), grads.data().to_vec())
    };
    let (of_relu, of_jump) = (run(&|z| z.relu()), run(&|z| z.recording().apply(jump_relu.clone(), &[z])));
    let (skipping, skipped, density, _) = &of_jump;
    assert_eq!([skipping.forward, skipping.left, skipping.right], [Some(*density); 3]);
    // Four products of 2 · 20 · 6 · 40 operations, of which the share of h that is zero is skipped.
    let zero = 1.0 - density;
    assert_eq!(*skipped, (4.0 * 2.0 * 20.0 * 6.0 * 40.0 * zero).round() as u64);
    assert_eq!(of_jump, of_relu);
}

#[test]
fn whole_training_runs_agree() {
    let mut random = Random::new(4);
    let x = Tensor::from_fn([20, 6], |_| random.normal());
    let end = |when| {
        let mut params = autoencoder_params(6, 40, 0.0);
        let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::new(1e-2));
        tape.skip_zeros(when);
        let mut densities = Vec::new();
        for _ in 0..100 {
            let [h, _, loss] = autoencoder(tape.record(&params), &x, true);
            densities.push(h.density());
            loss.backward(&mut grads);
            adam.step(&mut params, &grads);
        }
        assert!(densities[99] < densities[0], "{densities:?}");
        params.data().to_vec()
    };
    let (sparse, dense) = (end(SkipZeros::Always), end(SkipZeros::Never));
    for (a, b) in sparse.iter().zip(&dense) {
        assert!((a - b).abs() < 1e-9, "{a} with zeros skipped, {b} without");
    }
}

#[test]
fn a_gradient_that_is_kept_is_whole() {
    let params = autoencoder_params(6, 40, -1.0);
    let x = Tensor::from_fn([20, 6], |i| (i % 7) as f64 - 3.0);
    let gradient = |when| {
        let mut tape = Tape::new();
        tape.skip_zeros(when);
        let [h, _, loss] = autoencoder(tape.record(&params), &x, false);
        let h = h.keep_gradient();
        loss.backward(&mut params.zeros());
        h.gradient().unwrap()
    };
    let (whole, sparse) = (gradient(SkipZeros::Never), gradient(SkipZeros::Always));
    assert_eq!(sparse.shape(), whole.shape());
    assert_close(sparse.data(), whole.data(), "kept");
}

#[test]
fn a_parameter_behind_a_relu_gets_its_whole_gradient() {
    let mut random = Random::new(3);
    let mut params = Params::<f64>::new();
    let w = params.add("w", Tensor::from_fn([6, 5], |_| random.normal()));
    let shift = params.add("shift", Tensor::from_fn([6, 5], |_| random.normal()));
    let out = params.add("out", Tensor::from_fn([5, 3], |_| random.normal()));
    let gradients = [SkipZeros::Never, SkipZeros::Always].map(|when| {
        let mut tape = Tape::new();
        tape.skip_zeros(when);
        let mut grads = params.zeros();
        grads.data_mut().fill(f64::NAN); // what an earlier step left
        let r = tape.record(&params);
        let (h, k) = (r.param(w).relu(), (r.param(w) + r.param(shift)).relu());
        let y = h.matmul(r.param(out)).square().sum() + k.matmul(r.param(out)).sum();
        (y + reg::l1(h).summed()).backward(&mut grads);
        grads.data().to_vec()
    });
    assert!(gradients[0].iter().any(|&g| g != 0.0));
    assert_close(&gradients[0], &gradients[1], "gradients");
}

#[test]
fn terms_of_a_loss_can_be_swept_one_after_the_other() {
    let params = autoencoder_params(6, 40, -0.5);
    let x = Tensor::from_fn([20, 6], |i| (i % 5) as f64 - 2.0);
    let norms = |when| {
        let (mut tape, mut grads) = (Tape::new(), params.zeros());
        tape.skip_zeros(when);
        let r = tape.record(&params);
        let ids: Vec<_> = params.ids().map(|id| r.param(id)).collect();
        let h = r.constant(&x).linear_relu(ids[0], ids[1]);
        let fit = loss::mse(h.linear(ids[2], ids[3]), r.constant(&x));
        let terms = [("fit", fit), ("l1", reg::l1(h).per_sample())];
        let terms = quietgrad::terms::backward(&terms, &mut grads);
        terms
            .terms
            .iter()
            .flat_map(|term| term.norms.clone())
            .chain(grads.data().to_vec())
            .collect::<Vec<_>>()
    };
    assert_close(&norms(SkipZeros::Always), &norms(SkipZeros::Never), "terms");
}

#[test]
fn zero_times_infinity_is_skipped_and_the_switch_brings_it_back() {
    let mut tape = Tape::<f64>::new();
    let params = Params::new();
    let mut product = |when| {
        tape.skip_zeros(when);
        let r = tape.record(&params);
        let h = r.constant(&Tensor::from([[1.0, -1.0]])).relu();
        h.matmul(r.constant(&Tensor::from([[2.0], [f64::INFINITY]]))).item()
    };
    assert_eq!(product(SkipZeros::Always), 2.0);
    assert!(product(SkipZeros::Never).is_nan());
}

#[test]
fn a_small_or_dense_layer_is_left_alone() {
    let x = Tensor::from_fn([64, 512], |i| if i % 4 != 0 { 1.0f32 } else { -1.0 });
    let few = x.map(|x| if x > 0.0 { x } else { 0.0 });
    let sparse = Tensor::from_fn([64, 512], |i| if i % 50 == 0 { 1.0f32 } else { 0.0 });
    let params = Params::new();
    let w = Tensor::full([512, 64], 1.0f32);
    let forward = |x: &Tensor<f32>, rows: usize, cols: usize| {
        let mut tape = Tape::new();
        tape.skip_zeros(SkipZeros::WherePays);
        let r = tape.record(&params);
        let x = r.constant(x).slice(0, ..rows).relu();
        let y = x.matmul(r.constant(&w).slice(1, ..cols));
        r.skipping(y).forward
    };
    assert_eq!(forward(&few, 64, 64), None, "most of it fires");
    assert!(forward(&sparse, 64, 64).is_some());
    assert_eq!(forward(&sparse, 2, 64), None, "two rows are not worth a look");
    assert_eq!(forward(&sparse, 64, 1), None, "nor is a product with one column");
}

#[test]
fn an_anomaly_among_entries_is_named_by_its_place() {
    let mut params = Params::<f64>::new();
    let w = params.add("w", Tensor::from([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]));
    let mut tape = Tape::new();
    tape.skip_zeros(SkipZeros::Always);
    tape.detect_anomalies(true);
    let message = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let r = tape.record(&params);
        let h = r.input(&Tensor::from([[-1.0, 2.0, 0.0], [-1.0, -1.0, 4.0]])).relu();
        let y = h.matmul(r.param(w));
        // The slope of a root is infinite at 0: the cotangents of y's first row.
        (y - 2.0).abs().sqrt().sum().backward(&mut params.zeros());
    }))
    .expect_err("a panic");
    let message = message.downcast_ref::<String>().expect("a message");
    assert!(message.contains("anomaly in backward") && message.contains("[0, 1]"), "{message}");
}
