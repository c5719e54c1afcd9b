//! A small network learns XOR, is saved, is built anew from what the file says of it, and is loaded:
//! `cargo run --release -p quietgrad-lab --example save_and_load`.

use quietgrad::nn::{Dense, Init};
use quietgrad::optim::{Adam, Optimizer};
use quietgrad::{Params, Random, Tape, Tensor, loss};
use quietgrad_lab::Result;
use quietgrad_lab::params::{self, Description};

/// A network of one hidden layer.
struct Net {
    hidden: Dense,
    output: Dense,
}

impl Net {
    fn new(params: &mut Params<f32>, width: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let hidden = Dense::new(params, "hidden", [2, width], Init::GlorotUniform, &mut random);
        let output = Dense::new(params, "output", [width, 1], Init::GlorotUniform, &mut random);
        Net { hidden, output }
    }

    /// The loss on the four points of XOR, and a step towards a smaller one if there is an optimizer.
    fn loss(&self, params: &mut Params<f32>, tape: &mut Tape<f32>, adam: Option<&mut Adam<f32>>) -> f32 {
        let x = Tensor::from([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
        let y = Tensor::from([[0.0], [1.0], [1.0], [0.0]]);
        let mut grads = params.zeros();
        let r = tape.record(params);
        let h = self.hidden.forward(r.constant(&x)).tanh();
        let loss = loss::bce_with_logits(self.output.forward(h), r.constant(&y));
        let value = loss.item();
        if let Some(adam) = adam {
            loss.backward(&mut grads);
            adam.step(params, &grads);
        }
        value
    }
}

fn main() -> Result<()> {
    let path = std::env::temp_dir().join("quietgrad_xor.safetensors");

    let (width, steps) = (8, 500);
    let mut params = Params::new();
    let net = Net::new(&mut params, width, 1);
    let (mut tape, mut adam) = (Tape::new(), Adam::new(1e-2));
    for _ in 0..steps {
        net.loss(&mut params, &mut tape, Some(&mut adam));
    }
    let trained = net.loss(&mut params, &mut tape, None);
    params::save(&path, &params, &Description::new("xor").with("width", width).with("steps", steps))?;
    println!("trained: loss {trained:.6}, saved to {}", path.display());

    // Elsewhere, later: only the file is known.
    let description = params::describe(&path)?.expect("this program wrote it");
    let width = description.settings["width"].parse().expect("a width");
    let mut params = Params::new();
    let net = Net::new(&mut params, width, 2);
    println!(
        "built anew, {} of width {width}: loss {:.6}",
        description.model,
        net.loss(&mut params, &mut tape, None)
    );
    params::load(&path, &mut params)?;
    let loaded = net.loss(&mut params, &mut tape, None);
    println!("loaded: loss {loaded:.6}");
    assert_eq!(loaded.to_bits(), trained.to_bits(), "a loaded model computes what the saved one did");

    // A model of another width cannot be loaded from it; the error lists everything that differs.
    let mut other = Params::new();
    Net::new(&mut other, 16, 3);
    println!("\nloaded into a wider model:\n{}", params::load(&path, &mut other).expect_err("other shapes"));
    Ok(())
}
