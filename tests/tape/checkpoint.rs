//! Segments between checkpoints: computed again on the way back, with the same bits.

use quietgrad::nn::{Dense, Init, Lstm, LstmState, Recurrent, Steps};
use quietgrad::ops::checkpoint::Checkpoint;
use quietgrad::{
    Grads, Params, Random, Recording, Shape, SkipZeros, Tape, Tensor, Var, derivatives, gradcheck, loss, reg,
};

/// Runs a segment as one, or as a part of the rest, with the same copies of what it returns.
fn maybe<'r, const N: usize>(
    r: Recording<'r, f32>,
    checkpoint: bool,
    segment: impl FnOnce() -> [Var<'r, f32>; N],
) -> [Var<'r, f32>; N] {
    if checkpoint { r.checkpoint(segment) } else { segment().map(|y| r.apply(Checkpoint.into(), &[y])) }
}

/// A deep network with dropout, zeros, and a penalty inside of each segment.
fn deep<'r>(r: Recording<'r, f32>, layers: &[Dense], x: &Tensor<f32>, checkpoint: bool) -> Var<'r, f32> {
    let mut random = Random::new(8);
    let x = r.constant(x);
    let (mut h, mut penalties) = (x, r.scalar(0.0));
    for pair in layers.chunks(2) {
        let penalty;
        [h, penalty] = maybe(r, checkpoint, || {
            let mut h = h;
            for layer in pair {
                h = layer.forward_relu(h).dropout(0.2, &mut random);
            }
            [h, reg::l1(h).per_sample()]
        });
        penalties += penalty * 1e-3;
    }
    loss::mse(h, x) + penalties
}

fn layers(params: &mut Params<f32>, width: usize) -> Vec<Dense> {
    let mut random = Random::new(1);
    let mut layer =
        |k: usize| Dense::new(params, &k.to_string(), [width, width], Init::HeNormal, &mut random);
    (0..8).map(&mut layer).collect()
}

fn bits(loss: Var<f32>, grads: &mut Grads<f32>) -> Vec<u32> {
    loss.backward(grads);
    std::iter::once(loss.item()).chain(grads.data().iter().copied()).map(f32::to_bits).collect()
}

#[test]
fn a_checkpoint_changes_no_bit() {
    let _turn = crate::turn();
    for (when, rows, width) in
        [(SkipZeros::Never, 6, 9), (SkipZeros::Always, 6, 9), (SkipZeros::WherePays, 96, 192)]
    {
        let mut params = Params::new();
        let layers = layers(&mut params, width);
        let x = Tensor::randn([rows, width], &mut Random::new(2));
        let mut grads = params.zeros();
        let (mut tape, mut plain) = (Tape::new(), Tape::new());
        tape.skip_zeros(when);
        plain.skip_zeros(when);
        for step in 0..3 {
            let with = bits(deep(tape.record(&params), &layers, &x, true), &mut grads);
            let without = bits(deep(plain.record(&params), &layers, &x, false), &mut grads);
            assert!(with == without, "step {step}, {when:?}");
            for (w, g) in params.data_mut().iter_mut().zip(grads.data()) {
                *w -= 0.01 * g;
            }
        }
    }
}

#[test]
fn gradients_are_added_and_taken_twice_as_without_a_checkpoint() {
    let mut params = Params::<f64>::new();
    let w = params.add("w", Tensor::from([0.5, -1.0, 2.0]));
    let mut grads = params.zeros();
    let mut tape = Tape::new();
    let r = tape.record(&params);
    let [y] = r.checkpoint(|| [(r.param(w) * r.param(w).sin()).exp()]);
    let loss = y.sum() + r.param(w).sum();
    loss.backward(&mut grads);
    let once = grads.data().to_vec();
    loss.backward(&mut grads);
    assert_eq!(grads.data(), once, "a second sweep computes the segment again");
    loss.backward_add(&mut grads);
    assert!(grads.data().iter().zip(&once).all(|(twice, once)| *twice == once + once));
    assert_eq!(y.value().data().len(), 3, "what was returned is kept");
}

#[test]
fn inputs_and_constants_of_a_segment_are_kept() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let mut inner = None;
    let [y] = r.checkpoint(|| {
        let x = r.input(&Tensor::from([1.0, 2.0]));
        inner = Some(x);
        [(x * r.constant(&Tensor::from([3.0, 4.0]))).square()]
    });
    let [z] = r.checkpoint(|| [y.exp()]);
    (y.sum() + z.sum() * 0.0).backward(&mut params.zeros());
    assert_eq!(inner.unwrap().gradient().unwrap(), Tensor::from([18.0, 64.0]));
}

/// An LSTM over many steps, in segments of so many.
fn long<'r>(
    r: Recording<'r, f32>,
    lstm: Lstm,
    x: &Tensor<f32>,
    segment: usize,
    checkpoint: bool,
) -> Var<'r, f32> {
    let (x, time) = (r.constant(x), x.shape()[1]);
    let mut state: Option<LstmState<f32>> = None;
    let mut total = r.scalar(0.0);
    for start in (0..time).step_by(segment) {
        let [h, c, squares] = maybe(r, checkpoint, || {
            let run = lstm.run(x.slice(1, start..time.min(start + segment)), Steps::all(), state);
            [run.last.h, run.last.c, run.h.square().sum()]
        });
        state = Some(LstmState { h, c });
        total += squares;
    }
    total
}

#[test]
fn a_thousand_steps_need_memory_for_two_segments() {
    let mut params = Params::new();
    let lstm = Lstm::new(&mut params, "lstm", [4, 16], &mut Random::new(1));
    let x = Tensor::randn([4, 1000, 4], &mut Random::new(2));
    let mut grads = params.zeros();
    let mut run = |checkpoint: bool| {
        let mut tape = Tape::new();
        let r = tape.record(&params);
        let loss = long(r, lstm, &x, 32, checkpoint);
        let bits = bits(loss, &mut grads);
        let summary = r.summary();
        let data = 4 * x.data().len(); // the sequences themselves stand on the tape as well
        (bits, summary.value_bytes - data + summary.cotangent_bytes)
    };
    let ((with, small), (without, large)) = (run(true), run(false));
    assert!(with == without);
    println!("{small} bytes with checkpoints, {large} without");
    assert!(15 * small < large, "{small} bytes with checkpoints, {large} without");
}

#[test]
#[should_panic(expected = "l1 penalty built at")]
fn a_penalty_that_does_not_leave_its_segment_is_an_error() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let x = r.input(&Tensor::from([1.0, 2.0]));
    let [y] = r.checkpoint(|| {
        let h = x.relu();
        let _forgotten = reg::l1(h).summed();
        [h * 2.0]
    });
    y.sum().backward(&mut params.zeros());
}

/// Records a segment and hands out what it did not return.
fn escaped(r: Recording<'_, f64>) -> Var<'_, f64> {
    let x = r.input(&Tensor::from([1.0, 2.0]));
    let mut inner = x;
    r.checkpoint(|| {
        inner = x.exp();
        [inner.sum()]
    });
    inner
}

#[test]
#[should_panic(expected = "sin: %1 (exp), recorded at tests")]
fn what_a_segment_did_not_return_cannot_be_used() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    escaped(r).sin();
}

#[test]
#[should_panic(expected = "value: %1 (exp)")]
fn what_a_segment_did_not_return_cannot_be_read() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    escaped(tape.record(&params)).value();
}

#[test]
#[should_panic(expected = "backward: %2 (sum)")]
fn a_sweep_does_not_begin_in_a_segment() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let x = r.input(&Tensor::from([1.0, 2.0]));
    let mut inner = x;
    r.checkpoint(|| {
        inner = x.exp().sum();
        [inner]
    });
    inner.backward(&mut params.zeros());
}

#[test]
fn a_checkpoint_in_a_segment_is_a_part_of_it() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let x = r.input(&Tensor::from([0.5, 2.0]));
    let [y] = r.checkpoint(|| {
        let [inner] = r.checkpoint(|| [x.square()]);
        [inner.exp() * inner]
    });
    y.sum().backward(&mut params.zeros());
    let expected = [0.5f64, 2.0].map(|x| 2.0 * x * (x * x).exp() * (1.0 + x * x));
    for (ours, expected) in x.gradient().unwrap().data().iter().zip(expected) {
        assert!((ours - expected).abs() < 1e-12 * expected);
    }
}

#[test]
fn a_program_whose_segments_change_computes_what_it_does_on_a_fresh_tape() {
    let mut params = Params::new();
    let layers = layers(&mut params, 7);
    let x = Tensor::randn([5, 7], &mut Random::new(2));
    let mut used = Tape::new();
    // Segments end, begin and vanish at other nodes than before; the widths change as well.
    for (round, cuts) in [&[2, 5][..], &[2, 6], &[], &[1, 2, 3, 4], &[5], &[2, 5], &[0, 8]].iter().enumerate()
    {
        let program = |r: Recording<'_, f32>, checkpoint: bool| {
            let mut h = r.constant(&x).slice(0, ..5 - round % 2);
            let (mut start, ends) = (0, cuts.iter().copied().chain([8]));
            for end in ends {
                [h] = maybe(r, checkpoint && end != 8, || {
                    [layers[start..end].iter().fold(h, |h, layer| layer.forward(h).tanh())]
                });
                start = end;
            }
            bits(h.square().sum(), &mut params.zeros())
        };
        let ours = program(used.record(&params), true);
        assert!(ours == program(Tape::new().record(&params), false), "round {round}");
        assert!(ours == program(used.record(&params), true), "round {round}, once more");
    }
}

#[test]
fn a_profile_counts_what_is_computed_twice() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    tape.start_profile();
    let r = tape.record(&params);
    let x = r.input(&Tensor::from([1.0, 2.0]));
    let [y] = r.checkpoint(|| [x.exp().sin()]);
    y.sum().backward(&mut params.zeros());
    let profile = tape.stop_profile();
    let calls = |name: &str| profile.by_op().into_iter().find(|(op, _)| *op == name).unwrap().1.calls;
    assert_eq!([calls("exp"), calls("checkpoint"), calls("sum")], [2, 1, 1]);
}

#[test]
#[should_panic(expected = "anomaly in backward")]
fn anomalies_are_found_inside_a_segment() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    tape.detect_anomalies(true);
    let r = tape.record(&params);
    let x = r.input(&Tensor::from([0.0, 4.0]));
    let [y] = r.checkpoint(|| [x.sqrt() * 1.0]);
    y.sum().backward(&mut params.zeros());
}

#[test]
fn checkpoints_have_second_derivatives_and_are_checked_op_by_op() {
    let mut params = Params::<f64>::new();
    let w = params.add("w", Tensor::from([0.3, -0.7]));
    let mut direction = params.zeros();
    direction.data_mut().copy_from_slice(&[1.0, 0.5]);
    let (_, with) = derivatives::hvp(&params, &direction, |r| {
        let [y] = r.checkpoint(|| [r.param(w).exp().square()]);
        y.sum()
    });
    let (_, without) = derivatives::hvp(&params, &direction, |r| r.param(w).exp().square().sum());
    assert_eq!(with.data(), without.data());
    let report = gradcheck::check(&params, |r| {
        let [y] = r.checkpoint(|| [r.param(w).tanh() * r.param(w)]);
        y.sum()
    });
    assert!(report.unwrap().duals >= 8);
}

#[test]
fn an_evaluation_takes_no_memory_for_cotangents_of_segments() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let x = r.constant(&Tensor::full(Shape::from([10]), 1.0));
    let [y] = r.checkpoint(|| [x.exp().sin()]);
    assert_eq!(y.value().data().len(), 10);
    let summary = r.summary();
    assert_eq!((summary.value_bytes, summary.cotangent_bytes), (8 * 10 * 4, 0));
}
