//! Every op of the list between a layer with zeros and a product: the gradients with zeros skipped are the dense ones.

use std::collections::BTreeSet;

use quietgrad::inspect::Node;
use quietgrad::ops::{CustomRule, Op, Real, Sample, SampleInput, ZeroRule};
use quietgrad::{
    Cotangents, Params, Random, Recording, Shape, ShapeError, SkipZeros, Tape, Tensor, Var, View, ViewMut,
    kernels, reg,
};

use crate::ops::gradcheck::draw;

/// y = x where x > threshold, else 0: an activation function that a user wrote.
#[derive(Debug)]
pub struct JumpRelu {
    pub threshold: f64,
}

impl CustomRule for JumpRelu {
    fn name(&self) -> &'static str {
        "jump_relu"
    }
    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        Ok(x[0].into())
    }
    fn zeros(&self, _: &[&[usize]]) -> ZeroRule {
        ZeroRule::RELU
    }
    fn forward<T: Real>(&self, x: &[View<T>], y: ViewMut<T>) {
        let open = |[x]: [T; 1]| if x > T::from_f64(self.threshold) { x } else { T::ZERO };
        kernels::map([x[0].data()], y.data, quietgrad::Accum::Replace, open);
    }
    fn vjp<T: Real>(&self, _: &[View<T>], y: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        gx.add(0, |gx, accum| {
            let open = |[y, g]: [T; 2]| if y == T::ZERO { T::ZERO } else { g };
            kernels::map([y.data(), gy.data()], gx.data, accum, open);
        });
    }
}

/// The kinds of layers that make zeros.
const SOURCES: [&str; 5] = ["linear_relu", "relu", "top_k", "soft_threshold", "custom"];

/// Inputs of the fused layer.
const INPUTS: usize = 3;

/// A layer of a kind, of a shape of rank 1 or more, from the first two parameters.
fn layer<'r>(r: Recording<'r, f64>, source: &str, shape: &Shape, custom: &Op) -> Var<'r, f64> {
    let ids: Vec<_> = r.params().ids().take(2).map(|id| r.param(id)).collect();
    let (weight, bias) = (ids[0], ids[1]);
    if source == "linear_relu" {
        let mut of_x = shape.to_vec();
        *of_x.last_mut().unwrap() = INPUTS;
        let mut random = Random::new(8);
        return r.constant(&Tensor::from_fn(&of_x[..], |_| random.normal())).linear_relu(weight, bias);
    }
    let z = weight + bias;
    match source {
        "relu" => z.relu(),
        "top_k" => z.top_k(shape.last().unwrap().div_ceil(2)),
        "soft_threshold" => z.soft_threshold(0.4),
        _ => r.apply(custom.clone(), &[z]),
    }
}

/// Parameters of a layer of this kind.
fn layer_params(source: &str, shape: &Shape, random: &mut Random) -> Params<f64> {
    let mut params = Params::new();
    let last = *shape.last().unwrap();
    if source == "linear_relu" {
        params.add("weight", Tensor::from_fn([INPUTS, last], |_| random.normal()));
    } else {
        params.add("weight", Tensor::from_fn(shape.clone(), |_| random.normal()));
    }
    params.add("bias", Tensor::from_fn([last], |_| random.uniform(-0.3, 0.3)));
    params
}

/// Records something, and gives the loss.
type Program<'a> = &'a dyn for<'r> Fn(Recording<'r, f64>) -> Var<'r, f64>;

/// What is done with the layer and with what came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// One product.
    Product,
    /// The layer is added to what came of it, and goes through relu.
    Skip,
    /// Two products, of which one reads the layer itself; a penalty on both.
    TwoReaders,
}

/// Σ weights · (y w), for a matrix w that the values are multiplied by.
fn product(y: Var<f64>) -> Var<f64> {
    let r = y.recording();
    let y = if y.shape().rank() == 0 { y.reshape([1, 1]) } else { y };
    let w = Tensor::from_fn([*y.shape().last().unwrap(), 2], |i| 0.3 + (i as f64 * 1.7).sin());
    let z = y.matmul(r.constant(&w));
    (z * r.constant(&Tensor::from_fn(z.shape(), |i| 1.0 + (i as f64 * 0.9).cos()))).sum()
}

/// The loss; `learns` says whether a gradient flows back from y.
fn end<'r>(h: Var<'r, f64>, y: Var<'r, f64>, end: End, learns: bool) -> Var<'r, f64> {
    match end {
        End::Product => product(y),
        End::Skip => product((y + h).relu()) + reg::l1(h).summed() * 0.1,
        End::TwoReaders => {
            let loss = product(y) + product(h) + reg::l1(h).summed() * 0.1;
            // A penalty that nothing learns from is refused.
            if learns { loss + reg::l1(y).summed() * 0.2 } else { loss }
        }
    }
}

/// The loss and the gradients of a program, the second time that it is run on a tape.
fn run(when: SkipZeros, params: &Params<f64>, program: Program) -> Vec<f64> {
    let mut tape = Tape::new();
    tape.skip_zeros(when);
    let mut grads = params.zeros();
    let mut loss = 0.0;
    for _ in 0..2 {
        let value = program(tape.record(params));
        loss = value.item();
        value.backward(&mut grads);
    }
    let mut outcome = grads.data().to_vec();
    outcome.push(loss);
    outcome
}

/// How often programs were compared, and how often they had no finite outcome to compare.
#[derive(Default)]
struct Count {
    compared: usize,
    infinite: usize,
}

impl Count {
    fn compare(&mut self, params: &Params<f64>, what: &dyn Fn() -> String, program: Program) {
        let dense = run(SkipZeros::Never, params, program);
        // 0 · ∞ is skipped: there is nothing to compare.
        if dense.iter().any(|x| !x.is_finite()) {
            self.infinite += 1;
            return;
        }
        self.compared += 1;
        let sparse = run(SkipZeros::Always, params, program);
        let scale = dense.iter().fold(1.0, |max: f64, x| max.max(x.abs()));
        for (i, (a, b)) in sparse.iter().zip(&dense).enumerate() {
            assert!(
                (a - b).abs() <= 1e-10 * scale,
                "{}: number {i} is {a} with zeros skipped, {b} without",
                what()
            );
        }
    }
}

#[test]
fn every_op_between_a_sparse_layer_and_a_product_gives_the_dense_gradients() {
    let (mut random, mut count, mut names) = (Random::new(11), Count::default(), BTreeSet::new());
    let custom = Op::custom(JumpRelu { threshold: 0.5 });
    for Sample { op, inputs } in Op::samples() {
        for (k, input) in inputs.iter().enumerate() {
            let SampleInput::Real(shape, _) = input else { continue };
            if shape.rank() == 0 || shape.elements() == 0 || shape.elements() > 200 {
                continue;
            }
            let others: Vec<_> = inputs.iter().map(|input| draw(input, &mut random)).collect();
            for source in SOURCES {
                let params = layer_params(source, shape, &mut random);
                for how in [End::Product, End::Skip, End::TwoReaders] {
                    let (skips, learns) = {
                        let mut tape = Tape::new();
                        let r = tape.record(&params);
                        let mut x: Vec<_> = others.iter().map(|x| r.constant(x)).collect();
                        x[k] = r.input(&others[k]);
                        let y = r.apply(op.clone(), &x);
                        (y.shape() == *shape, r.graph().nodes().last().is_some_and(Node::is_active))
                    };
                    if how == End::Skip && !skips {
                        continue;
                    }
                    names.insert(op.name());
                    let program: Program = &|r| {
                        let h = layer(r, source, shape, &custom);
                        let mut x: Vec<_> = others.iter().map(|x| r.constant(x)).collect();
                        x[k] = h;
                        end(h, r.apply(op.clone(), &x), how, learns) + h.sum() * 0.01
                    };
                    let what = || format!("{source} -> {op:?} (input {k}, {shape}) -> {how:?}");
                    count.compare(&params, &what, program);
                }
            }
        }
    }
    println!(
        "{} chains compared, {} without a finite outcome, {} ops",
        count.compared,
        count.infinite,
        names.len()
    );
    assert!(count.compared > 5000 && count.infinite < count.compared / 5);
    let reads_reals = |sample: &Sample| sample.inputs.iter().any(|x| matches!(x, SampleInput::Real(..)));
    let samples = Op::samples();
    let all = samples.iter().filter(|sample| reads_reals(sample)).map(|sample| sample.op.name()).collect();
    assert_eq!(names, all, "an op was never between");
}

#[test]
fn chains_of_two_ops_between_a_sparse_layer_and_a_product_give_the_dense_gradients() {
    let (mut random, mut count) = (Random::new(12), Count::default());
    let custom = Op::custom(JumpRelu { threshold: 0.5 });
    let shape = Shape::from([5, 4]);
    let of_the_shape = |sample: &Sample| match &sample.inputs[..] {
        [SampleInput::Real(of_input, _)] => *of_input == shape && keeps_the_shape(&sample.op, &shape),
        _ => false,
    };
    let mut ops: Vec<_> = Op::samples().into_iter().filter(of_the_shape).map(|sample| sample.op).collect();
    ops.extend([custom.clone(), quietgrad::ops::top_k::TopK { k: 2, by_magnitude: false }.into()]);
    for source in SOURCES {
        let params = layer_params(source, &shape, &mut random);
        for (i, first) in ops.iter().enumerate() {
            for (j, second) in ops.iter().enumerate() {
                let how = [End::Product, End::Skip, End::TwoReaders][(i + j) % 3];
                let learns = learns_through(first) && learns_through(second);
                let program: Program = &|r| {
                    let h = layer(r, source, &shape, &custom);
                    let y = r.apply(first.clone(), &[h]);
                    end(h, r.apply(second.clone(), &[y]), how, learns)
                };
                let what = || format!("{source} -> {first:?} -> {second:?} -> {how:?}");
                count.compare(&params, &what, program);
            }
        }
    }
    println!(
        "{} ops, {} chains compared, {} without a finite outcome",
        ops.len(),
        count.compared,
        count.infinite
    );
    assert!(ops.len() > 30 && count.compared > 5000);
}

/// Whether a gradient flows back through an op.
fn learns_through(op: &Op) -> bool {
    !matches!(op, Op::Detach(_) | Op::Compare(_) | Op::OneHot(_))
}

fn keeps_the_shape(op: &Op, shape: &Shape) -> bool {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let y = r.apply(op.clone(), &[r.constant(&Tensor::full(shape.clone(), 0.5))]);
    y.shape() == *shape
}

#[test]
fn top_k_behind_a_fused_layer_hands_back_what_it_kept() {
    let mut params = Params::<f64>::new();
    let w = params.add("w", Tensor::from([[1.0, 2.0, -1.0, 3.0]]));
    let b = params.add("b", Tensor::from([0.0; 4]));
    let mut tape = Tape::new();
    tape.skip_zeros(SkipZeros::Always);
    let r = tape.record(&params);
    let h = r.constant(&Tensor::from([[-1.0], [1.0]])).linear_relu(r.param(w), r.param(b)).top_k(1);
    let mut grads = params.zeros();
    h.matmul(r.constant(&Tensor::full([4, 1], 1.0))).sum().backward(&mut grads);
    assert_eq!(grads.get(w), [0.0, 0.0, -1.0, 1.0]);
    assert_eq!(grads.get(b), [0.0, 0.0, 1.0, 1.0]);
}
