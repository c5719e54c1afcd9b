//! A 2-8-1 network learns XOR twice: without and with an l1 penalty on what its hidden layer outputs.
//!
//! Both solve the problem. The penalty leaves only the hidden units that the solution needs; look at the columns.

use quietgrad::nn::{Dense, Init};
use quietgrad::optim::{Adam, Optimizer};
use quietgrad::{Params, Random, Tape, Tensor, loss, reg};

fn main() {
    let inputs = Tensor::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let targets = Tensor::from([[0.0], [1.0], [1.0], [0.0]]);

    for lambda in [0.0, 0.03] {
        println!("\nl1 penalty on the hidden activations, lambda = {lambda}");
        train(&inputs, &targets, lambda);
    }
}

fn train(inputs: &Tensor<f32>, targets: &Tensor<f32>, lambda: f64) {
    let mut random = Random::new(1);
    let mut params = Params::new();
    let hidden = Dense::new(&mut params, "hidden", [2, 8], Init::GlorotUniform, &mut random);
    let output = Dense::new(&mut params, "output", [8, 1], Init::GlorotUniform, &mut random);

    let mut tape = Tape::new();
    let mut grads = params.zeros();
    let mut adam = Adam::new(1e-2);

    for step in 0..=2000 {
        let r = tape.record(&params);
        let h = hidden.forward(r.constant(inputs)).tanh();
        let logits = output.forward(h);
        let fit = loss::bce_with_logits(logits, r.constant(targets));
        let penalty = reg::l1(h).per_sample() * lambda;
        let total = fit + penalty;
        total.backward(&mut grads);

        if step % 500 == 0 {
            println!("step {step:4}: loss {:.4} = fit {fit:.4} + penalty {penalty:.4}", total.item());
        }
        if step == 2000 {
            report(inputs, &logits.sigmoid().value(), &h.value());
        }
        adam.step(&mut params, &grads);
    }
}

fn report(inputs: &Tensor<f32>, predictions: &Tensor<f32>, hidden: &Tensor<f32>) {
    println!("  input   prediction   hidden activations");
    for ((x, p), h) in inputs.rows().zip(predictions.rows()).zip(hidden.rows()) {
        print!("  {} {}         {:.3}     ", x[0], x[1], p[0]);
        h.iter().for_each(|&h| if h.abs() < 0.05 { print!("     .") } else { print!("{h:6.2}") });
        println!();
    }
    let size = hidden.data().iter().map(|h| h.abs()).sum::<f32>() / 4.0;
    let active = (0..8).filter(|&unit| hidden.rows().any(|h| h[unit].abs() >= 0.05)).count();
    println!("  (a dot is below 0.05)  sum of |h| for an input: {size:.2}; units used: {active} of 8");
}
