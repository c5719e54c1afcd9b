//! Recurrent layers.

use quietgrad::nn::Steps;
use quietgrad::{Var, reg};

use super::nets::{Case, Outcome};

type V<'r> = Var<'r, f64>;

/// A layer of one direction as the fixtures have it: its input, four parameters and initial states; all h, and final states.
type Layer = for<'r> fn(V<'r>, &[V<'r>], Option<&[V<'r>]>, Steps<'r, f64>) -> (V<'r>, Vec<V<'r>>);

/// The layer of a case, or none if it is of another kind.
pub fn run(case: &Case) -> Option<Outcome> {
    Some(match case.op {
        "lstm" => case.of_inputs(|x, _| stacked(case, x, lstm, 2)),
        "gru" => case.of_inputs(|x, _| stacked(case, x, gru, 1)),
        "rnn" => case.of_inputs(|x, _| stacked(case, x, rnn, 1)),
        "lstm_cell" => {
            case.of_inputs(|x, _| lstm(x[0].unsqueeze(1), &x[3..], Some(&x[1..3]), Steps::all()).1)
        }
        "gru_cell" => case.of_inputs(|x, _| gru(x[0].unsqueeze(1), &x[2..], Some(&x[1..2]), Steps::all()).1),
        "lstm_lengths" => case.of_inputs(|x, _| {
            let (lengths, time) = (case.args.sizes("lengths"), x[0].shape()[1]);
            let steps = Steps::masked(x[0].recording().mask(&lengths, time));
            let (h, last) = lstm(x[0], &x[1..], None, steps);
            std::iter::once(h).chain(last.into_iter().map(|state| state.unsqueeze(0))).collect()
        }),
        "masked_activity_l1" => {
            case.of_inputs(|x, _| vec![reg::l1(x[0]).masked(x[1]).per_step() * case.args.number("lam")])
        }
        _ => return None,
    })
}

/// Gates i, f, g, o.
fn lstm<'r>(x: V<'r>, w: &[V<'r>], initial: Option<&[V<'r>]>, steps: Steps<'r, f64>) -> (V<'r>, Vec<V<'r>>) {
    let z = x.linear(w[0].t(), w[2] + w[3]);
    let (h, last) = z.lstm(w[1].t(), initial.map(|states| [states[0], states[1]]), steps);
    (h, last.to_vec())
}

/// Gates r, z, n; the reset gate comes after the product.
fn gru<'r>(x: V<'r>, w: &[V<'r>], initial: Option<&[V<'r>]>, steps: Steps<'r, f64>) -> (V<'r>, Vec<V<'r>>) {
    let gates = 2 * w[2].shape()[0] / 3;
    let of_h = w[3].slice(0, ..gates);
    let b = Var::concat(&[w[2].slice(0, ..gates) + of_h, w[2].slice(0, gates..)], 0);
    let z = x.linear(w[0].t(), b);
    let (h, last) = z.gru(w[1].t(), Some(w[3].slice(0, gates..)), initial.map(|states| states[0]), steps);
    (h, vec![last])
}

/// tanh
fn rnn<'r>(x: V<'r>, w: &[V<'r>], initial: Option<&[V<'r>]>, steps: Steps<'r, f64>) -> (V<'r>, Vec<V<'r>>) {
    let z = x.linear(w[0].t(), w[2] + w[3]);
    let (h, last) = z.rnn(false, w[1].t(), initial.map(|states| states[0]), steps);
    (h, vec![last])
}

/// Layers one upon the other, each maybe in both directions; final states \[layers · directions, batch, units\].
fn stacked<'r>(case: &Case, x: &[V<'r>], layer: Layer, states: usize) -> Vec<V<'r>> {
    let directions = if case.args.0["bidirectional"] == true { 2 } else { 1 };
    let layers = case.args.size("layers");
    let initial = (case.args.size("initial_states") > 0).then(|| &x[x.len() - states..]);
    let mut h = x[0];
    let mut last: Vec<Vec<V<'r>>> = vec![Vec::new(); states];
    for number in 0..layers {
        let mut outputs = Vec::new();
        for direction in 0..directions {
            let run = number * directions + direction;
            let begin: Option<Vec<_>> =
                initial.map(|initial| initial.iter().map(|state| state.select(0, run)).collect());
            let steps = if direction == 0 { Steps::all() } else { Steps::all().reversed() };
            let (of_run, ends) = layer(h, &x[1 + 4 * run..5 + 4 * run], begin.as_deref(), steps);
            outputs.push(of_run);
            for (all, end) in last.iter_mut().zip(ends) {
                all.push(end.unsqueeze(0));
            }
        }
        h = Var::concat(&outputs, 2);
    }
    std::iter::once(h).chain(last.iter().map(|ends| Var::concat(ends, 0))).collect()
}
