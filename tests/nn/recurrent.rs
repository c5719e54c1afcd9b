//! Recurrent layers: masks, lengths, directions, stacks, other frameworks' layouts, and penalties on what a step outputs.

// Units of a formula by hand run through several arrays at once.
#![allow(clippy::needless_range_loop)]

use quietgrad::nn::{Bidirectional, Gru, Lstm, Recurrent, Reset, Rnn, Stack, Steps};
use quietgrad::{Params, Random, Real, Recording, Tape, Tensor, Var, loss, reg, set_threads, threads};

/// Every kind of layer, with the same weights whatever it is asked.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Lstm(Lstm),
    Gru(Gru),
    Rnn(Rnn),
}

impl Kind {
    fn all<T: Real>(params: &mut Params<T>, sizes: [usize; 2]) -> [Kind; 5] {
        let mut random = Random::new(11);
        let kinds = [
            Kind::Lstm(Lstm::new(params, "lstm", sizes, &mut random)),
            Kind::Gru(Gru::new(params, "before", sizes, Reset::BeforeProduct, &mut random)),
            Kind::Gru(Gru::new(params, "after", sizes, Reset::AfterProduct, &mut random)),
            Kind::Rnn(Rnn::tanh(params, "tanh", sizes, &mut random)),
            Kind::Rnn(Rnn::relu(params, "relu", sizes, &mut random)),
        ];
        for x in params.data_mut() {
            *x += T::from_f64(0.2 * random.normal());
        }
        kinds
    }

    /// The outputs, and the final states.
    fn run<'r, T: Real>(
        self,
        x: Var<'r, T>,
        steps: Steps<'r, T>,
        initial: Option<[Var<'r, T>; 2]>,
    ) -> (Var<'r, T>, Vec<Var<'r, T>>) {
        match self {
            Kind::Lstm(lstm) => {
                let state = initial.map(|[h, c]| quietgrad::nn::LstmState { h, c });
                let out = lstm.run(x, steps, state);
                (out.h, vec![out.last.h, out.last.c])
            }
            Kind::Gru(gru) => {
                let out = gru.run(x, steps, initial.map(|[h, _]| h));
                (out.h, vec![out.last])
            }
            Kind::Rnn(rnn) => {
                let out = rnn.run(x, steps, initial.map(|[h, _]| h));
                (out.h, vec![out.last])
            }
        }
    }
}

fn directed<T>(steps: Steps<'_, T>, reversed: bool) -> Steps<'_, T> {
    if reversed { steps.reversed() } else { steps }
}

fn noise(shape: &[usize], seed: u64) -> Tensor<f64> {
    Tensor::randn(shape, &mut Random::new(seed))
}

/// Some weights for outputs and final states, so that all of them count in a loss.
fn weighed<'r>(r: Recording<'r, f64>, h: Var<'r, f64>, last: &[Var<'r, f64>]) -> Var<'r, f64> {
    let weigh = |x: Var<'r, f64>, seed: u64| (x * r.constant(&noise(&x.shape(), seed))).sum();
    last.iter().enumerate().fold(weigh(h, 70), |sum, (i, &last)| sum + weigh(last, 71 + i as u64))
}

fn assert_near(a: &[f64], b: &[f64], what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() <= 1e-12 * (1.0 + b.abs()), "{what}, element {i}: {a} and {b}");
    }
}

#[test]
fn an_lstm_unit_by_hand() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let z = r.constant(&Tensor::from([[[0.0, 1.0, 0.5, -1.0]]]));
    let wh = r.constant(&Tensor::zeros([1, 4]));
    let state = [[[0.0]], [[1.0]]].map(|state| r.constant(&Tensor::from(state)));
    let (_, [h, c]) = z.lstm(wh, Some(state), Steps::all());
    assert!((c.item() - 0.962_117_16).abs() < 5e-9);
    assert!((h.item() - 0.200_420_46).abs() < 5e-9);
}

#[test]
fn a_padded_sequence_counts_as_it_does_alone() {
    let (batch, time, inputs, units) = (4, 5, 3, 4);
    let lengths = [5, 2, 0, 1];
    let mut params = Params::<f64>::new();
    let kinds = Kind::all(&mut params, [inputs, units]);
    let (x, begin) =
        (noise(&[batch, time, inputs], 1), [noise(&[batch, units], 2), noise(&[batch, units], 3)]);
    let (mut tape, mut grads) = (Tape::new(), params.zeros());
    for kind in kinds {
        for reversed in [false, true] {
            let what = format!("{kind:?}, reversed {reversed}");
            // All at once, with a mask.
            let (h, last, of_params, of_begin) = {
                let r = tape.record(&params);
                let state = [0, 1].map(|k| r.input(&begin[k]));
                let steps = directed(Steps::masked(r.mask(&lengths, time)), reversed);
                let (h, last) = kind.run(r.constant(&x), steps, Some(state));
                weighed(r, h, &last).backward(&mut grads);
                let of_begin: Vec<_> =
                    state.iter().take(last.len()).map(|state| state.gradient().unwrap()).collect();
                (
                    h.value(),
                    last.iter().map(|x| x.value()).collect::<Vec<_>>(),
                    grads.data().to_vec(),
                    of_begin,
                )
            };
            // One by one, cut to their lengths.
            let mut sum = vec![0.0; grads.data().len()];
            for (b, &length) in lengths.iter().enumerate() {
                let r = tape.record(&params);
                let row = |x: &Tensor<f64>| r.constant(x).slice(0, b..=b).value();
                let state = [0, 1].map(|k| r.input(&row(&begin[k])));
                let cut = r.constant(&row(&x)).slice(1, ..length);
                let (alone, ends) = kind.run(cut, directed(Steps::all(), reversed), Some(state));
                let ours = r.constant(&h).slice(0, b..=b);
                assert_near(ours.slice(1, ..length).value().data(), alone.value().data(), &what);
                assert!(ours.slice(1, length..).value().data().iter().all(|&h| h == 0.0), "{what}");
                for (all, end) in last.iter().zip(&ends) {
                    assert_near(row(all).data(), end.value().data(), &what);
                }
                let weights =
                    r.constant(&noise(&[batch, time, units], 70)).slice(0, b..=b).slice(1, ..length);
                let of_ends = ends.iter().enumerate().map(|(i, &end)| {
                    (end * r.constant(&noise(&[batch, units], 71 + i as u64)).slice(0, b..=b)).sum()
                });
                let total = of_ends.fold((alone * weights).sum(), |sum, term| sum + term);
                total.backward(&mut grads);
                sum.iter_mut().zip(grads.data()).for_each(|(sum, g)| *sum += g);
                for (all, state) in of_begin.iter().zip(state) {
                    assert_near(row(all).data(), state.gradient().unwrap().data(), &what);
                }
            }
            assert_near(&of_params, &sum, &what);
        }
    }
}

#[test]
fn an_op_of_all_steps_is_its_steps_one_by_one() {
    let mut params = Params::<f64>::new();
    let kinds = Kind::all(&mut params, [3, 4]);
    let x = noise(&[2, 6, 3], 1);
    let (mut tape, mut grads) = (Tape::new(), params.zeros());
    for kind in kinds {
        let mut run = |parts: &[std::ops::Range<usize>]| {
            let r = tape.record(&params);
            let (mut outputs, mut state, mut last) = (Vec::new(), None, Vec::new());
            for part in parts {
                let (h, ends) = kind.run(r.constant(&x).slice(1, part.clone()), Steps::all(), state);
                outputs.push(h);
                state = Some([ends[0], ends[ends.len() - 1]]);
                last = ends;
            }
            let h = Var::concat(&outputs, 1);
            weighed(r, h, &last).backward(&mut grads);
            (h.value(), grads.data().to_vec())
        };
        let (whole, of_whole) = run(std::slice::from_ref(&(0..6)));
        let (parts, of_parts) = run(&[0..1, 1..4, 4..4, 4..6]);
        assert_near(parts.data(), whole.data(), &format!("{kind:?}"));
        assert_near(&of_parts, &of_whole, &format!("{kind:?}"));
    }
}

#[test]
fn no_sequences_no_steps_and_single_steps_have_their_shapes() {
    let mut params = Params::<f32>::new();
    let kinds = Kind::all(&mut params, [3, 4]);
    let (mut tape, mut grads) = (Tape::new(), params.zeros());
    for kind in kinds {
        for [batch, time] in [[0, 5], [2, 0], [0, 0], [2, 1], [1, 1]] {
            let r = tape.record(&params);
            let (h, last) = kind.run(r.constant(&Tensor::zeros([batch, time, 3])), Steps::all(), None);
            assert_eq!(h.shape()[..], [batch, time, 4]);
            assert!(last.iter().all(|last| last.shape()[..] == [batch, 4]));
            if time == 0 {
                assert!(last.iter().all(|last| last.value().data().iter().all(|&x| x == 0.0)));
            }
            (h.sum() + last[0].sum()).backward(&mut grads);
            assert!(grads.data().iter().all(|g| g.is_finite()));
        }
    }
}

#[test]
fn both_ways_is_a_run_there_and_one_over_the_flipped_steps() {
    let (mut params, mut random) = (Params::<f64>::new(), Random::new(3));
    let [forward, backward] = ["there", "back"].map(|name| Lstm::new(&mut params, name, [3, 2], &mut random));
    let mut tape = Tape::new();
    let r = tape.record(&params);
    let x = r.constant(&noise(&[2, 4, 3], 1));
    let both = Bidirectional { forward, backward }.forward(x);
    let (there, back) = (forward.forward(x), backward.forward(x.flip(1)));
    assert_eq!(both.h.value(), Var::concat(&[there.h, back.h.flip(1)], 2).value());
    assert_eq!(both.last[1].c.value(), back.last.c.value());
}

#[test]
fn dropout_between_layers_spares_the_last() {
    let (mut params, mut random) = (Params::<f64>::new(), Random::new(3));
    let layers = [("a", [3, 4]), ("b", [4, 4]), ("c", [4, 2])];
    let stack = Stack(
        layers.map(|(name, sizes)| Gru::new(&mut params, name, sizes, Reset::AfterProduct, &mut random)),
    );
    let mut tape = Tape::new();
    let r = tape.record(&params);
    let x = r.constant(&noise(&[2, 4, 3], 1));
    let by_hand = {
        let mut random = Random::new(9);
        let mut h = x;
        for (k, layer) in stack.0.iter().enumerate() {
            h = layer.forward(if k > 0 { h.dropout(0.5, &mut random) } else { h }).h;
        }
        h.value()
    };
    let dropped = stack.run_dropout(x, Steps::all(), None, 0.5, &mut Random::new(9));
    assert_eq!(dropped.h.value(), by_hand);
    assert_ne!(stack.forward(x).h.value(), by_hand);
    assert_eq!(stack.forward(x).last[2].value(), stack.forward(x).h.select(1, 3).value());
}

#[test]
fn an_input_given_again_at_each_step_is_a_repeated_one() {
    let mut params = Params::<f64>::new();
    let lstm = Lstm::new(&mut params, "lstm", [3, 4], &mut Random::new(3));
    let (mut tape, mut grads) = (Tape::new(), params.zeros());
    let mut run = |repeated: bool| {
        let r = tape.record(&params);
        let x = r.input(&noise(&[2, 3], 1));
        let out = if repeated {
            lstm.run_repeated(x, 5, Steps::all(), None)
        } else {
            lstm.forward(x.unsqueeze(1).broadcast_to([2, 5, 3]))
        };
        weighed(r, out.h, &[out.last.c]).backward(&mut grads);
        (out.h.value(), x.gradient().unwrap(), grads.data().to_vec())
    };
    let (a, b) = (run(true), run(false));
    assert_near(a.0.data(), b.0.data(), "outputs");
    assert_near(a.1.data(), b.1.data(), "gradient of the input");
    assert_near(&a.2, &b.2, "gradients of the parameters");
}

/// PyTorch's arrays of a layer with so many gates.
fn pytorch(gates: usize) -> [Tensor<f64>; 4] {
    let [inputs, units] = [3, 2];
    let wide = gates * units;
    [noise(&[wide, inputs], 1), noise(&[wide, units], 2), noise(&[wide], 3), noise(&[wide], 4)]
}

/// Σ over j of w\[row, j\] x\[j\], and a bias.
fn affine(w: &Tensor<f64>, row: usize, x: &[f64], bias: f64) -> f64 {
    x.iter().enumerate().fold(bias, |sum, (j, x)| sum + w[[row, j]] * x)
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[test]
fn layers_of_pytorch_follow_its_formulas() {
    let (x, h, c) = ([0.3, -1.2, 0.8], [0.5, -0.4], [1.5, -0.2]);
    let (mut tape, mut params) = (Tape::new(), Params::<f64>::new());
    let [lstm_arrays, gru_arrays, rnn_arrays] = [4, 3, 1].map(pytorch);
    let lstm = Lstm::from_pytorch(&mut params, "lstm", lstm_arrays.each_ref()).unwrap();
    let gru = Gru::from_pytorch(&mut params, "gru", gru_arrays.each_ref()).unwrap();
    let rnn = Rnn::from_pytorch(&mut params, "rnn", rnn_arrays.each_ref()).unwrap();
    let r = tape.record(&params);
    let step = r.constant(&Tensor::from([[x]]));
    let state = |values: [f64; 2]| r.constant(&Tensor::from([values]));

    let initial = quietgrad::nn::LstmState { h: state(h), c: state(c) };
    let ours = lstm.run(step, Steps::all(), Some(initial)).last;
    for j in 0..2 {
        let z = |gate: usize| {
            let [w, wh, b, bh] = &lstm_arrays;
            affine(w, 2 * gate + j, &x, b.data()[2 * gate + j])
                + affine(wh, 2 * gate + j, &h, bh.data()[2 * gate + j])
        };
        let next = sigmoid(z(1)) * c[j] + sigmoid(z(0)) * z(2).tanh();
        assert_near(&[ours.c.value().data()[j]], &[next], "c");
        assert_near(&[ours.h.value().data()[j]], &[sigmoid(z(3)) * next.tanh()], "h");
    }

    let ours = gru.run(step, Steps::all(), Some(state(h))).last.value();
    for j in 0..2 {
        let [w, wh, b, bh] = &gru_arrays;
        let of_x = |gate: usize| affine(w, 2 * gate + j, &x, b.data()[2 * gate + j]);
        let of_h = |gate: usize| affine(wh, 2 * gate + j, &h, bh.data()[2 * gate + j]);
        let (reset, update) = (sigmoid(of_x(0) + of_h(0)), sigmoid(of_x(1) + of_h(1)));
        let new = (of_x(2) + reset * of_h(2)).tanh();
        assert_near(&[ours.data()[j]], &[(1.0 - update) * new + update * h[j]], "GRU");
    }

    let ours = rnn.run(step, Steps::all(), Some(state(h))).last.value();
    for j in 0..2 {
        let [w, wh, b, bh] = &rnn_arrays;
        let z = affine(w, j, &x, b.data()[j]) + affine(wh, j, &h, bh.data()[j]);
        assert_near(&[ours.data()[j]], &[z.tanh()], "RNN");
    }
}

#[test]
fn layers_of_keras_follow_its_formulas() {
    let (x, h, c) = ([0.3, -1.2, 0.8], [0.5, -0.4], [1.5, -0.2]);
    let (mut tape, mut params) = (Tape::new(), Params::<f64>::new());
    let arrays = |gates: usize, biases: &[usize]| {
        [noise(&[3, 2 * gates], 1), noise(&[2, 2 * gates], 2), noise(&[biases, &[2 * gates]].concat(), 3)]
    };
    let [of_lstm, of_before, of_after, of_simple] =
        [arrays(4, &[]), arrays(3, &[]), arrays(3, &[2]), arrays(1, &[])];
    let lstm = Lstm::from_keras(&mut params, "lstm", of_lstm.each_ref()).unwrap();
    let before = Gru::from_keras(&mut params, "before", of_before.each_ref()).unwrap();
    let after = Gru::from_keras(&mut params, "after", of_after.each_ref()).unwrap();
    let simple = Rnn::from_keras(&mut params, "simple", of_simple.each_ref()).unwrap();
    let r = tape.record(&params);
    let step = r.constant(&Tensor::from([[x]]));
    let state = |values: [f64; 2]| r.constant(&Tensor::from([values]));
    // Column `column` of a kernel against a vector.
    let times = |w: &Tensor<f64>, column: usize, x: &[f64]| -> f64 {
        x.iter().enumerate().map(|(i, x)| w[[i, column]] * x).sum()
    };

    let initial = quietgrad::nn::LstmState { h: state(h), c: state(c) };
    let ours = lstm.run(step, Steps::all(), Some(initial)).last;
    for j in 0..2 {
        let [kernel, recurrent, bias] = &of_lstm;
        let z = |gate: usize| {
            let column = 2 * gate + j;
            times(kernel, column, &x) + times(recurrent, column, &h) + bias.data()[column]
        };
        let next = sigmoid(z(1)) * c[j] + sigmoid(z(0)) * z(2).tanh(); // i, f, c, o
        assert_near(&[ours.c.value().data()[j]], &[next], "c");
        assert_near(&[ours.h.value().data()[j]], &[sigmoid(z(3)) * next.tanh()], "h");
    }

    let ours = before.run(step, Steps::all(), Some(state(h))).last.value();
    let [kernel, recurrent, bias] = &of_before;
    let z = |gate: usize, j: usize, h: &[f64]| {
        let column = 2 * gate + j;
        times(kernel, column, &x) + times(recurrent, column, h) + bias.data()[column]
    };
    let reset: Vec<f64> = (0..2).map(|j| sigmoid(z(1, j, &h)) * h[j]).collect(); // z, r, h
    for j in 0..2 {
        let update = sigmoid(z(0, j, &h));
        let new = z(2, j, &reset).tanh();
        assert_near(&[ours.data()[j]], &[update * h[j] + (1.0 - update) * new], "reset_after=False");
    }

    let ours = after.run(step, Steps::all(), Some(state(h))).last.value();
    for j in 0..2 {
        let [kernel, recurrent, bias] = &of_after;
        let of_x = |gate: usize| times(kernel, 2 * gate + j, &x) + bias[[0, 2 * gate + j]];
        let of_h = |gate: usize| times(recurrent, 2 * gate + j, &h) + bias[[1, 2 * gate + j]];
        let (update, reset) = (sigmoid(of_x(0) + of_h(0)), sigmoid(of_x(1) + of_h(1)));
        let new = (of_x(2) + reset * of_h(2)).tanh();
        assert_near(&[ours.data()[j]], &[update * h[j] + (1.0 - update) * new], "reset_after=True");
    }

    let ours = simple.run(step, Steps::all(), Some(state(h))).last.value();
    for j in 0..2 {
        let [kernel, recurrent, bias] = &of_simple;
        let z = times(kernel, j, &x) + times(recurrent, j, &h) + bias.data()[j];
        assert_near(&[ours.data()[j]], &[z.tanh()], "SimpleRNN");
    }
}

#[test]
fn arrays_of_other_shapes_are_an_error_that_names_them() {
    let mut params = Params::<f64>::new();
    let [w, wh, b, bh] = pytorch(4);
    let turned = Tensor::zeros([3, 8]);
    let error = Lstm::from_pytorch(&mut params, "lstm", [&turned, &wh, &b, &bh]).unwrap_err();
    assert!(error.to_string().contains("weight_ih has the shape [3, 8], not [8, 8]"), "{error}");
    let error = Gru::from_keras(&mut params, "gru", [&w, &wh, &b]).unwrap_err();
    assert!(error.to_string().contains("has the shape"), "{error}");
    assert_eq!(params.len(), 0, "nothing was added");
}

/// h = [1, 2, 9, 9] of one unit, of which two steps count.
fn one_two(r: Recording<'_, f64>) -> [Var<'_, f64>; 2] {
    [r.input(&Tensor::from([[[1.0], [2.0], [9.0], [9.0]]])), r.mask(&[2], 4)]
}

#[test]
fn steps_that_do_not_count_are_in_neither_sum_nor_divisor() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let [h, mask] = one_two(r);
    assert_eq!(reg::l1(h).masked(mask).summed().item(), 3.0);
    assert_eq!(reg::l1(h).masked(mask).per_sample().item(), 3.0);
    assert_eq!(reg::l1(h).masked(mask).per_step().item(), 1.5);
    assert_eq!(reg::ar(h).masked(mask).summed().item(), 5.0);
    assert_eq!(reg::elastic_net(h, 2.0, 1.0).masked(mask).summed().item(), 2.0 * 3.0 + 5.0);
    assert_eq!(reg::tar(h, 1).masked(mask).summed().item(), 1.0);
    assert_eq!(reg::tar(h, 1).masked(mask).per_step().item(), 1.0);
    assert_eq!(reg::tar(h, 1).summed().item(), 1.0 + 49.0);
    assert_eq!(reg::tar(h, 1).per_step().item(), 50.0 / 3.0);
    assert_eq!(reg::l1(h).per_step().item(), 21.0 / 4.0);
    let nothing = r.mask(&[0], 4);
    assert_eq!(reg::l1(h).masked(nothing).per_step().item(), 0.0);
    assert_eq!(loss::masked_mean(h.square(), nothing).item(), 0.0);
    assert_eq!(loss::masked_mean(h.square(), mask).item(), 2.5);
}

#[test]
fn nothing_flows_to_a_step_that_does_not_count() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    for penalty in [0, 1, 2] {
        let r = tape.record(&params);
        let [h, mask] = one_two(r);
        let (penalty, expected) = match penalty {
            0 => (reg::l1(h).masked(mask).per_step(), [0.5, 0.5, 0.0, 0.0]),
            1 => (reg::tar(h, 1).masked(mask).summed(), [-2.0, 2.0, 0.0, 0.0]),
            _ => (loss::masked_mean(h.square(), mask), [1.0, 2.0, 0.0, 0.0]),
        };
        penalty.backward(&mut params.zeros());
        assert_eq!(h.gradient().unwrap().data(), expected);
    }
}

#[test]
#[should_panic(expected = "l1 penalty built at")]
fn a_masked_penalty_that_is_forgotten_is_an_error() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let [h, mask] = one_two(r);
    let _penalty = reg::l1(h).masked(mask).per_step();
    h.sum().backward(&mut params.zeros());
}

#[test]
fn penalties_of_a_real_layer_count_the_valid_steps() {
    let mut params = Params::<f64>::new();
    let lstm = Lstm::new(&mut params, "lstm", [3, 4], &mut Random::new(3));
    let mut tape = Tape::new();
    let r = tape.record(&params);
    let (lengths, time) = ([4, 2, 1], 4);
    let mask = r.mask(&lengths, time);
    let h = lstm.run(r.constant(&noise(&[3, time, 3], 1)), Steps::masked(mask), None).h;
    let of = h.value();
    let (mut abs, mut squares, mut steps, mut pairs) = (0.0, 0.0, 0.0, 0.0);
    for (b, &length) in lengths.iter().enumerate() {
        steps += length as f64;
        pairs += length as f64 - 1.0;
        for j in 0..4 {
            abs += (0..length).map(|t| of[[b, t, j]].abs()).sum::<f64>();
            squares += (1..length).map(|t| (of[[b, t, j]] - of[[b, t - 1, j]]).powi(2)).sum::<f64>();
        }
    }
    assert_near(&[reg::l1(h).masked(mask).per_step().item()], &[abs / steps], "l1");
    assert_near(&[reg::l1(h).masked(mask).per_sample().item()], &[abs / 3.0], "l1");
    assert_near(&[reg::tar(h, 1).masked(mask).per_step().item()], &[squares / pairs], "tar");
    // Before the activation function, and after it: one line each.
    let (before, after) = (reg::l1(h).masked(mask).per_step(), reg::l1(h.relu()).masked(mask).per_step());
    assert!(before.item() > after.item());
}

#[test]
#[should_panic(expected = "lstm: index 0.5 at place 1 is not a whole number below 2")]
fn a_mask_that_is_no_mask_is_refused() {
    let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    let r = tape.record(&params);
    let (z, wh) = (r.constant(&Tensor::zeros([1, 2, 4])), r.constant(&Tensor::zeros([1, 4])));
    z.lstm(wh, None, Steps::masked(r.constant(&Tensor::from([[1.0, 0.5]]))));
}

#[test]
#[should_panic(expected = "layer `lstm` takes inputs of shape [batch, time, 3], not [2, 3]")]
fn a_layer_is_named_where_its_input_does_not_fit() {
    let mut params = Params::<f64>::new();
    let lstm = Lstm::new(&mut params, "lstm", [3, 4], &mut Random::new(3));
    lstm.forward(Tape::new().record(&params).constant(&Tensor::zeros([2, 3])));
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let _turn = crate::turn();
    let before = threads();
    let mut params = Params::<f32>::new();
    let kinds = Kind::all(&mut params, [40, 96]);
    let x = Tensor::randn([64, 12, 40], &mut Random::new(5));
    let run = |threads: usize| {
        set_threads(threads);
        let (mut tape, mut grads, mut bits) = (Tape::new(), params.zeros(), Vec::new());
        for kind in kinds {
            let r = tape.record(&params);
            let (h, last) = kind.run(r.constant(&x), Steps::all(), None);
            (h.square().sum() + last[0].sum()).backward(&mut grads);
            bits.extend(h.value().data().iter().chain(grads.data()).map(|x| x.to_bits()));
        }
        bits
    };
    let (one, two) = (run(1), run(2));
    set_threads(before);
    assert!(one == two);
}

#[test]
fn every_instruction_set_computes_the_same_layers() {
    let mut params = Params::<f64>::new();
    let kinds = Kind::all(&mut params, [7, 13]);
    let x = noise(&[5, 6, 7], 5);
    let mut reference: Option<Vec<f64>> = None;
    crate::on_every_isa(|isa| {
        let (mut tape, mut grads, mut numbers) = (Tape::new(), params.zeros(), Vec::new());
        for kind in kinds {
            let r = tape.record(&params);
            let steps = Steps::masked(r.mask(&[6, 3, 0, 1, 6], 6));
            let (h, last) = kind.run(r.constant(&x), steps, None);
            weighed(r, h, &last).backward(&mut grads);
            numbers.extend(h.value().data().iter().chain(grads.data()).copied());
        }
        let first = reference.get_or_insert_with(|| numbers.clone());
        assert_near(&numbers, first, &format!("{isa:?}"));
    });
}
