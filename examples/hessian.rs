//! Second derivatives: the Hessian of a small function, and a Hessian-vector product that never builds the matrix.
//!
//! At its minimum the loss of a fitted line has the Hessian 2 XᵀX / n; of a network, the products with a few directions
//! tell how sharp the valley is that training ended in.

use quietgrad::nn::{Dense, Init};
use quietgrad::optim::{Adam, Optimizer};
use quietgrad::{Params, Random, Recording, Tape, Tensor, Var, derivatives, loss, reg};

fn main() {
    let x = Tensor::from([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 3.0]]);
    let y = Tensor::from([[0.1], [0.9], [2.1], [2.9]]);
    let hessian = derivatives::hessian(&Tensor::from([[0.0], [1.0]]), |w| {
        let r = w.recording();
        loss::mse(r.constant(&x).matmul(w), r.constant(&y))
    });
    println!("The Hessian of a line's squared error (twice the mean of [1 x; x x²]):\n{hessian}\n");

    println!("Sharpness of XOR's minimum, by ten rounds of power iteration on Hessian-vector products:");
    for lambda in [0.0, 0.03] {
        println!("  l1 penalty {lambda}: largest eigenvalue about {:.3}", sharpness(lambda));
    }
}

/// The largest eigenvalue of the Hessian where training ended: multiply a direction by H and normalize, repeatedly.
fn sharpness(lambda: f64) -> f64 {
    let mut random = Random::new(1);
    let mut params = Params::new();
    let hidden = Dense::new(&mut params, "hidden", [2, 8], Init::GlorotUniform, &mut random);
    let output = Dense::new(&mut params, "output", [8, 1], Init::GlorotUniform, &mut random);
    let x = Tensor::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let y = Tensor::from([[0.0], [1.0], [1.0], [0.0]]);

    let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::new(1e-2));
    for _ in 0..2000 {
        xor(tape.record(&params), hidden, output, &x, &y, lambda).backward(&mut grads);
        adam.step(&mut params, &grads);
    }

    let mut direction = params.zeros();
    direction.data_mut().iter_mut().for_each(|d| *d = random.normal());
    let mut eigenvalue = 0.0;
    for _ in 0..10 {
        let (_, mut product) =
            derivatives::hvp(&params, &direction, |r| xor(r, hidden, output, &x, &y, lambda));
        eigenvalue = product.norm();
        product.data_mut().iter_mut().for_each(|p| *p /= eigenvalue);
        direction = product;
    }
    eigenvalue
}

fn xor<'r>(
    r: Recording<'r, f64>,
    hidden: Dense,
    output: Dense,
    x: &Tensor<f64>,
    y: &Tensor<f64>,
    lambda: f64,
) -> Var<'r, f64> {
    let h = hidden.forward(r.constant(x)).tanh();
    loss::bce_with_logits(output.forward(h), r.constant(y)) + reg::l1(h).per_sample() * lambda
}
