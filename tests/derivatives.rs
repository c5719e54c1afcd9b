//! Second derivatives, terms of a loss, and sums of gradients, against what they must equal.

use approx::assert_relative_eq;
use quietgrad::nn::{Dense, Init};
use quietgrad::{Params, Random, Recording, Tape, Tensor, Var, derivatives, loss, reg, terms};

/// A small network with its data.
struct Net {
    params: Params<f64>,
    hidden: Dense,
    output: Dense,
    x: Tensor<f64>,
    y: Tensor<f64>,
}

impl Net {
    fn new() -> Self {
        let mut random = Random::new(5);
        let mut params = Params::new();
        let hidden = Dense::new(&mut params, "hidden", [3, 7], Init::GlorotNormal, &mut random);
        let output = Dense::new(&mut params, "output", [7, 2], Init::GlorotNormal, &mut random);
        let x = Tensor::from_fn([6, 3], |_| random.normal());
        let y = Tensor::from_fn([6, 2], |_| random.normal());
        Net { params, hidden, output, x, y }
    }

    /// The data term and the penalty, on some rows.
    fn parts<'r>(&self, r: Recording<'r, f64>, rows: &[usize]) -> (Var<'r, f64>, Var<'r, f64>) {
        let h = self.hidden.forward(r.constant_rows(&self.x, rows)).tanh();
        let fit = loss::mse(self.output.forward(h), r.constant_rows(&self.y, rows));
        (fit, reg::l2(h).per_sample() * 0.1)
    }

    fn loss<'r>(&self, r: Recording<'r, f64>) -> Var<'r, f64> {
        let (fit, penalty) = self.parts(r, &[0, 1, 2, 3, 4, 5]);
        fit + penalty
    }
}

fn direction(params: &Params<f64>, seed: u64) -> quietgrad::Grads<f64> {
    let mut random = Random::new(seed);
    let mut direction = params.zeros();
    direction.data_mut().iter_mut().for_each(|d| *d = random.normal());
    direction
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn a_directional_derivative_is_the_gradients_product_with_the_direction() {
    let net = Net::new();
    let v = direction(&net.params, 1);
    let (_, slope) = derivatives::jvp(&net.params, &v, |r| net.loss(r));
    let (mut tape, mut grads) = (Tape::new(), net.params.zeros());
    net.loss(tape.record(&net.params)).backward(&mut grads);
    assert_relative_eq!(slope.item(), dot(grads.data(), v.data()), max_relative = 1e-12);
}

#[test]
fn a_hessian_product_is_the_difference_of_gradients() {
    let net = Net::new();
    let v = direction(&net.params, 2);
    let (_, product) = derivatives::hvp(&net.params, &v, |r| net.loss(r));
    let gradient_at = |step: f64| {
        let mut moved = net.params.clone();
        moved.data_mut().iter_mut().zip(v.data()).for_each(|(p, v)| *p += step * v);
        let (mut tape, mut grads) = (Tape::new(), moved.zeros());
        net.loss(tape.record(&moved)).backward(&mut grads);
        grads
    };
    let (above, below) = (gradient_at(1e-5), gradient_at(-1e-5));
    for ((h, a), b) in product.data().iter().zip(above.data()).zip(below.data()) {
        assert_relative_eq!(*h, (a - b) / 2e-5, epsilon = 1e-8, max_relative = 1e-6);
    }
}

#[test]
fn the_hessian_is_symmetric() {
    let net = Net::new();
    let (u, v) = (direction(&net.params, 3), direction(&net.params, 4));
    let (_, hv) = derivatives::hvp(&net.params, &v, |r| net.loss(r));
    let (_, hu) = derivatives::hvp(&net.params, &u, |r| net.loss(r));
    assert_relative_eq!(dot(u.data(), hv.data()), dot(v.data(), hu.data()), max_relative = 1e-11);
}

#[test]
fn terms_add_up_to_the_gradient_of_the_loss() {
    let net = Net::new();
    let (mut tape, mut whole, mut summed) = (Tape::new(), net.params.zeros(), net.params.zeros());
    net.loss(tape.record(&net.params)).backward(&mut whole);
    let (fit, penalty) = net.parts(tape.record(&net.params), &[0, 1, 2, 3, 4, 5]);
    let shares = terms::backward(&[("fit", fit), ("l2", penalty)], &mut summed);
    for (a, b) in whole.data().iter().zip(summed.data()) {
        assert_relative_eq!(a, b, epsilon = 1e-15, max_relative = 1e-12);
    }
    let output = net.params.ids().position(|id| net.params.name(id) == "output.w").unwrap();
    assert_eq!(shares.terms[1].norms[output], 0.0, "the penalty does not depend on the output layer");
    assert!(shares.to_string().contains("output.w"));
}

#[test]
#[should_panic(expected = "the l2 penalty built at tests/derivatives.rs")]
fn a_term_left_out_is_reported() {
    let net = Net::new();
    let mut tape = Tape::new();
    let (fit, _) = net.parts(tape.record(&net.params), &[0, 1]);
    terms::backward(&[("fit", fit)], &mut net.params.zeros());
}

#[test]
fn micro_batches_accumulate_to_the_whole_batch() {
    let net = Net::new();
    let (mut tape, mut whole, mut summed) = (Tape::new(), net.params.zeros(), net.params.zeros());
    net.loss(tape.record(&net.params)).backward(&mut whole);
    for rows in [[0, 1], [2, 3], [4, 5]] {
        let (fit, penalty) = net.parts(tape.record(&net.params), &rows);
        ((fit + penalty) * (1.0 / 3.0)).backward_add(&mut summed);
    }
    for (a, b) in whole.data().iter().zip(summed.data()) {
        assert_relative_eq!(a, b, epsilon = 1e-15, max_relative = 1e-12);
    }
}

#[test]
fn a_jacobian_agrees_with_differences() {
    let net = Net::new();
    let x = Tensor::from_fn([2, 3], |i| 0.3 * i as f64 - 0.5);
    let f = |x: &Tensor<f64>| {
        let mut tape = Tape::new();
        let r = tape.record(&net.params);
        net.hidden.forward(r.constant(x)).tanh().value()
    };
    let w = net.params.tensor(net.hidden.w);
    let jacobian = derivatives::jacobian(&x, |x| x.matmul(x.recording().constant(&w)).tanh());
    assert_eq!(jacobian.shape()[..], [14, 6]);
    for input in 0..6 {
        let moved = |step: f64| {
            let mut x = x.clone();
            x.data_mut()[input] += step;
            f(&x)
        };
        let (above, below) = (moved(1e-6), moved(-1e-6));
        for output in 0..14 {
            let slope = (above.data()[output] - below.data()[output]) / 2e-6;
            assert_relative_eq!(jacobian[[output, input]], slope, epsilon = 1e-8);
        }
    }
}

#[test]
fn a_weight_of_zero_on_a_penalty_has_mixed_derivatives() {
    // f(s, x, y) = s (relu(x) + |relu(y)|) at s = 0: ∂²f/∂s∂x is 1 where x is positive, whatever s.
    let layers: [for<'r> fn(Var<'r, f64>) -> Var<'r, f64>; 2] = [
        |x| x.relu(),
        |x| {
            let r = x.recording();
            let (one, none) = (r.constant(&Tensor::from([[1.0]])), r.constant(&Tensor::from([0.0])));
            x.reshape([2, 1]).linear_relu(one, none)
        },
    ];
    for layer in layers {
        let h = derivatives::hessian(&Tensor::from([0.0, 2.0, -3.0]), |v| {
            v.slice(0, 0..1).sum() * reg::l1(layer(v.slice(0, 1..3))).summed()
        });
        assert_eq!(h, Tensor::from([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]));
    }
    let h = derivatives::hessian(&Tensor::from([0.0, 2.0]), |v| {
        let number = v.slice(0, 1..2).sum();
        v.slice(0, 0..1).sum() * reg::l1(number.relu()).summed()
    });
    assert_eq!(h, Tensor::from([[0.0, 1.0], [1.0, 0.0]]));
}
