//! A tape reuses its memory: whatever stood there before must not matter.

use quietgrad::ops::{Op, SampleInput};
use quietgrad::{Params, Random, Shape, Tape, Tensor};

use crate::on_every_isa;
use crate::ops::gradcheck::draw;

/// A tape whose memory is full of NaN.
fn soiled() -> Tape<f64> {
    let (mut tape, params) = (Tape::new(), Params::new());
    let nan = Tensor::full([1 << 13], f64::NAN);
    tape.record(&params).input(&nan).neg().vjp(&nan, &mut params.zeros());
    tape
}

/// An op's input: a leaf, stretched to a shape.
enum Input {
    Real(Tensor<f64>, Shape),
    Index(Tensor<f64>),
}

/// The value of an op, and the gradients of its leaves.
fn run(mut tape: Tape<f64>, op: &Op, inputs: &[Input]) -> Vec<Tensor<f64>> {
    let params = Params::new();
    let r = tape.record(&params);
    let mut leaves = Vec::new();
    let mut x = Vec::new();
    for input in inputs {
        match input {
            Input::Index(indices) => x.push(r.constant(indices)),
            Input::Real(leaf, shape) => {
                let leaf = r.input(leaf);
                leaves.push(leaf);
                x.push(if leaf.shape() == *shape { leaf } else { leaf.broadcast_to(shape.clone()) });
            }
        }
    }
    let y = r.apply(op.clone(), &x);
    let weights = r.constant(&Tensor::from_fn(y.shape(), |i| i as f64 + 0.5));
    // An op that lets nothing flow back would leave no path to any leaf.
    let anchor = r.input(&Tensor::from(0.0));
    ((y * weights).sum() + anchor).backward(&mut params.zeros());
    std::iter::once(y.value()).chain(leaves.iter().filter_map(|leaf| leaf.gradient())).collect()
}

/// Runs every sample of every op on clean and on soiled memory, its real inputs made from leaves.
fn check_all(leaf: impl Fn(&Tensor<f64>) -> Tensor<f64>) {
    on_every_isa(|isa| {
        let mut random = Random::new(7);
        for sample in Op::samples() {
            let mut input = |input: &SampleInput| match (input, draw(input, &mut random)) {
                (SampleInput::Real(..), x) => Input::Real(leaf(&x), x.shape().clone()),
                (SampleInput::Index(..), x) => Input::Index(x),
            };
            let inputs: Vec<_> = sample.inputs.iter().map(&mut input).collect();
            let (clean, stale) = (run(Tape::new(), &sample.op, &inputs), run(soiled(), &sample.op, &inputs));
            assert_eq!(clean, stale, "{:?} on {:?}, {isa:?}", sample.op, sample.inputs);
        }
    });
}

#[test]
fn every_op_overwrites_what_stood_in_memory() {
    check_all(Tensor::clone);
}

#[test]
fn every_op_overwrites_what_stood_in_memory_if_its_inputs_are_stretched() {
    check_all(|x| if x.shape().first() > Some(&1) { x.select_rows(&[0]) } else { x.clone() });
}

#[test]
fn what_a_tape_ran_before_changes_no_bit() {
    let _turn = crate::turn();
    let mut params = Params::new();
    let w = params.add("w", Tensor::from([[0.5, -0.3], [0.2, 0.9]]));
    let b = params.add("b", Tensor::from([0.1, -0.2]));
    // Programs of which each begins the next, but for its loss; with views, copies of views, and numbers.
    let run = |tape: &mut Tape<f64>, layers: usize, swept: bool| {
        let r = tape.record(&params);
        let x = r.input(&Tensor::from([[1.0, 2.0], [3.0, -4.0], [0.5, 0.25]]));
        let mut h = x;
        for _ in 0..layers {
            h = h.linear(r.param(w), r.param(b)).tanh().t().softmax(1).t();
        }
        let loss = h.square().sum() * 0.5 + 1.0;
        let mut grads = params.zeros();
        if swept {
            loss.backward(&mut grads);
        }
        (loss.item(), x.gradient(), grads.data().to_vec(), r.summary().to_string())
    };
    let mut random = Random::new(3);
    let mut tape = Tape::new();
    for _ in 0..200 {
        let (layers, swept) = (random.uniform(0.0, 5.0) as usize, random.uniform(0.0, 1.0) < 0.7);
        assert_eq!(run(&mut tape, layers, swept), run(&mut Tape::new(), layers, swept), "{layers} layers");
    }
}
