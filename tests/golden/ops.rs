//! Single operations: their values and their gradients.

use std::collections::{BTreeMap, BTreeSet};

use quietgrad::pointwise::{BceWithLogits, Binary, Huber, KlDiv, KlDivLog, SquaredError};
use quietgrad::{Indices, Params, Reduction, Tape, Tensor, Var, loss, nn, reg};
use serde_json::Value;

use super::args::Args;
use super::nets::Case;
use super::{Array, Fixture, compare_gradient, sequences};

/// Operations of the fixtures that the crate does not have.
const NOT_YET: &[&str] = &[];

/// Operations that evaluate a transcendental function: two libraries may differ in its last digits.
const TRANSCENDENTAL: &[&str] = &[
    "exp",
    "log",
    "pow_scalar",
    "pow_tensor",
    "tanh",
    "sigmoid",
    "softplus",
    "silu",
    "elu",
    "gelu",
    "bce_with_logits",
    "cross_entropy",
    "softmax",
    "log_softmax",
    "logsumexp",
    "kl_div",
];

/// Gradients far out, where the other engine takes y (1 − y) and 1 − y² for the slopes: each is off by the rounding of
/// its y, at most 2⁻⁵² times the cotangent. (`tests/ops/tails.rs` has exact slopes.)
const ROUNDED_TAILS: [&str; 2] = ["sigmoid/large/grad.0", "tanh/large/grad.0"];

/// As `compare`, but for errors of a rounding of 1, times the cotangent.
fn near_as_a_rounding_of_1(
    ours: &Tensor<f64>,
    theirs: &Tensor<f64>,
    cotangent: &Tensor<f64>,
) -> Result<f64, String> {
    let mut largest = 0.0f64;
    for ((a, b), ct) in ours.data().iter().zip(theirs.data()).zip(cotangent.data()) {
        let error = (a - b).abs() / ct.abs();
        let near = error <= f64::EPSILON; // a NaN of ours is not
        if !near {
            return Err(format!("ours is {a:e}, theirs {b:e}, the cotangent {ct:e}"));
        }
        largest = largest.max(error);
    }
    Ok(largest)
}

fn tolerance(op: &str) -> f64 {
    if TRANSCENDENTAL.contains(&op) { 1e-10 } else { 1e-13 }
}

/// The operation under its name in the fixtures, as a user calls it; none if the crate has no such operation.
fn call<'r>(
    op: &str,
    x: &[Var<'r, f64>],
    indices: Option<Indices<'r, f64>>,
    args: Args,
) -> Option<Var<'r, f64>> {
    Some(match (op, x) {
        ("matmul", &[a, b]) => a.matmul(b),
        ("add", &[a, b]) => a + b,
        ("sub", &[a, b]) => a - b,
        ("mul", &[a, b]) => a * b,
        ("div", &[a, b]) => a / b,
        ("neg", &[x]) => -x,
        ("exp", &[x]) => x.exp(),
        ("log", &[x]) => x.log(),
        ("sqrt", &[x]) => x.sqrt(),
        ("abs", &[x]) => x.abs(),
        ("square", &[x]) => x.square(),
        ("pow_scalar", &[x]) => x.powf(args.number("exponent")),
        ("pow_tensor", &[a, b]) => a.pow(b),
        ("relu", &[x]) => x.relu(),
        ("tanh", &[x]) => x.tanh(),
        ("sigmoid", &[x]) => x.sigmoid(),
        ("softplus", &[x]) => (x * args.number("beta")).softplus() / args.number("beta"),
        ("silu", &[x]) => x.silu(),
        ("leaky_relu", &[x]) => x.leaky_relu(args.number("negative_slope")),
        ("elu", &[x]) => x.elu(args.number("alpha")),
        ("gelu", &[x]) if args.is("approximate", "tanh") => x.gelu_tanh(),
        ("gelu", &[x]) => x.gelu(),
        ("sum", &[x]) => args.reduce(x, |x, axes| x.sum_axes(axes)),
        ("mean", &[x]) => args.reduce(x, |x, axes| x.mean_axes(axes)),
        ("max", &[x]) => args.reduce(x, |x, axes| x.max_axes(axes)),
        ("transpose", &[x]) => x.transpose(args.size("dim0"), args.size("dim1")),
        ("permute", &[x]) => x.permute(&args.sizes("dims")),
        ("reshape", &[x]) => x.reshape(&args.sizes("shape")[..]),
        ("softmax", &[x]) => x.softmax(args.axis(x)),
        ("log_softmax", &[x]) => x.log_softmax(args.axis(x)),
        ("logsumexp", &[x]) => x.log_sum_exp_axes([args.axis(x)]),
        ("concat", parts) => Var::concat(parts, args.axis(parts[0])),
        ("slice", &[x]) => args
            .ranges()
            .enumerate()
            .fold(x, |x, (axis, [from, to, step])| x.slice_step(axis, from..to, step)),
        ("gather", &[x]) => x.gather(args.axis(x), indices?),
        ("index_select", &[x]) => x.index_select(args.axis(x), indices?),
        ("embedding", &[table]) => table.embedding(indices?),
        ("kl_div", &[z, t]) if args.is("reduction", "batchmean") => loss::kl_div(z, t),
        ("kl_div", &[z, t]) if args.0["log_target"] == true => {
            z.zip_sum(t, Binary::KlDivLog(KlDivLog {}), Reduction::Sum)
        }
        ("kl_div", &[z, t]) => z.zip_sum(t, Binary::KlDiv(KlDiv {}), Reduction::Sum),
        ("bce_with_logits", &[z, t]) if args.is("reduction", "mean") => loss::bce_with_logits(z, t),
        ("bce_with_logits", &[z, t]) => z.zip_sum(t, Binary::BceWithLogits(BceWithLogits {}), Reduction::Sum),
        ("cross_entropy", &[z]) if args.is("reduction", "mean") => loss::cross_entropy(z, indices?),
        ("cross_entropy", &[z]) => z.cross_entropy(indices?, Reduction::Sum),
        ("cross_entropy", &[z, t]) => z.cross_entropy_soft(t, Reduction::Mean),
        ("mse", &[a, b]) if args.is("reduction", "mean") => loss::mse(a, b),
        ("mse", &[a, b]) => a.zip_sum(b, Binary::SquaredError(SquaredError {}), Reduction::Sum),
        ("huber", &[a, b]) if args.is("reduction", "mean") => loss::huber(a, b, args.number("delta")),
        ("huber", &[a, b]) if args.is("reduction", "none") => a.huber(b, args.number("delta")),
        ("huber", &[a, b]) => {
            a.zip_sum(b, Binary::Huber(Huber { delta: args.number("delta") }), Reduction::Sum)
        }
        ("layer_norm", &[x]) => x.normalize(x.shape().rank() - 1, args.number("eps")),
        ("layer_norm", &[x, scale, shift]) => {
            let last = x.shape().rank() - 1;
            x.normalize(last, args.number("eps")).affine(last, scale, shift)
        }
        ("batch_norm_train", &[x, scale, shift]) => {
            nn::normalize_batch(x, 1, args.number("eps"), [scale, shift]).0
        }
        ("conv2d", x) => x[0].conv2d(x[1], x.get(2).copied(), args.convolution()),
        ("max_pool2d", &[x]) => x.max_pool2d(args.pooling()),
        ("avg_pool2d", &[x]) => x.avg_pool2d(args.pooling()),
        ("activity_l1", &[x]) => reg::l1(x).per_sample() * args.number("l1"),
        ("activity_l2", &[x]) => reg::l2(x).per_sample() * args.number("l2"),
        ("activity_l1l2", &[x]) => reg::elastic_net(x, args.number("l1"), args.number("l2")).per_sample(),
        _ => return None,
    })
}

/// The same matrices, each transposed.
fn transposed(x: &Tensor<f64>) -> Tensor<f64> {
    let (mut tape, params) = (Tape::new(), Params::new());
    tape.record(&params).constant(x).t().value()
}

/// Runs a case, value and gradients, and gives its largest error; none if the crate has no such operation.
fn run(fixture: &Fixture, case: &Value) -> Result<Option<f64>, String> {
    let text = |name: &str| case[name].as_str().expect("a text");
    let numbers = |name: &str| -> Vec<u64> {
        case[name].as_array().expect("a list").iter().map(|k| k.as_u64().expect("a number")).collect()
    };
    let (key, op) = (text("key"), text("op"));
    // What has several outputs is run as layers are.
    if op.ends_with("_cell") {
        let case = Case::new(fixture, case);
        return sequences::run(&case).map(|outcome| case.compare(&outcome)).transpose();
    }
    let strided = numbers("noncontiguous_inputs");
    let (mut tape, params) = (Tape::new(), Params::new());
    let r = tape.record(&params);

    // The arrays hold each input's elements in row-major order. An input that is not contiguous there is made here as
    // the transpose of a leaf that holds its transpose, so that the operation sees the same elements with strides.
    let (mut leaves, mut x, mut indices) = (Vec::new(), Vec::new(), None);
    for k in 0..case["n_in"].as_u64().expect("a number") {
        match fixture.array(&format!("{key}/in.{k}")) {
            Array::Real(value) if strided.contains(&k) => {
                leaves.push(r.input(&transposed(value)));
                x.push(leaves[leaves.len() - 1].t());
            }
            Array::Real(value) => {
                leaves.push(r.input(value));
                x.push(leaves[leaves.len() - 1]);
            }
            Array::Index(shape, values) => indices = Some(r.indices(shape.clone(), values)),
        }
    }
    let Some(y) = call(op, &x, indices, Args(&case["args"])) else { return Ok(None) };

    let check = |name: String, ours: Tensor<f64>| {
        let theirs = fixture.tensor(&name);
        if ROUNDED_TAILS.contains(&name.as_str()) {
            return near_as_a_rounding_of_1(&ours, theirs, fixture.tensor(&format!("{key}/ct.0")))
                .map_err(|error| format!("{name}: {error}"));
        }
        compare_gradient(&name, &ours, theirs, tolerance(op)).map_err(|error| format!("{name}: {error}"))
    };
    let mut largest = check(format!("{key}/out.0"), y.value())?;
    y.vjp(fixture.tensor(&format!("{key}/ct.0")), &mut params.zeros());
    for k in numbers("grads") {
        let gradient =
            leaves[k as usize].gradient().ok_or_else(|| format!("{key}: nothing flows to input {k}"))?;
        let gradient = if strided.contains(&k) { transposed(&gradient) } else { gradient };
        largest = check(format!("{key}/grad.{k}"), gradient)?.max(largest);
    }
    Ok(Some(largest))
}

#[test]
fn every_fixture_of_a_known_op_agrees() {
    let fixture = Fixture::read("ops");
    let (mut errors, mut missing) = (BTreeMap::<_, Vec<f64>>::new(), BTreeSet::new());
    let mut failures = Vec::new();
    for case in fixture.manifest["cases"].as_array().expect("a list of cases") {
        let op = case["op"].as_str().expect("a name");
        match run(&fixture, case) {
            Ok(Some(error)) => errors.entry(op).or_default().push(error),
            Ok(None) => _ = missing.insert(op),
            Err(failure) => failures.push(failure),
        }
    }
    for (op, errors) in &errors {
        let largest = errors.iter().copied().fold(0.0, f64::max);
        println!("{op:16} {:3} cases, largest error {largest:.1e} of {:.0e}", errors.len(), tolerance(op));
    }
    assert!(failures.is_empty(), "{} cases disagree:\n{}", failures.len(), failures.join("\n"));
    assert_eq!(missing, NOT_YET.iter().copied().collect(), "the ops that cannot be run are those of NOT_YET");
}
