//! What a penalty on activations does to a network, and what one on its weights does: a sparse autoencoder of handwritten
//! digits, trained from one seed each time: 0, or the one that is given (`-- 1`). `docs/activity-or-weight.md` explains the
//! table that is printed. `QUIETGRAD_QUICK=1` cuts the training short.

#[path = "data/digits.rs"]
mod digits;

use digits::PIXELS;
use quietgrad::nn::{Dense, Init};
use quietgrad::optim::{Adam, Factors, Groups, Optimizer, proximal_l1};
use quietgrad::{Params, Random, Tape, Tensor, Var, loss, reg};

const UNITS: usize = 256;
const BATCH: usize = 128;

/// The tensors that a penalty may be about.
#[derive(Clone, Copy)]
struct Layer<'r> {
    /// Before the activation function.
    z: Var<'r, f32>,
    /// After it.
    h: Var<'r, f32>,
    /// The encoder's weights.
    w: Var<'r, f32>,
}

/// What a way to train adds to the loss, if anything.
type Penalty = for<'r> fn(Layer<'r>) -> Option<Var<'r, f32>>;

/// A way to train.
struct Way {
    name: &'static str,
    penalty: Penalty,
    /// The coefficient of the decoupled weight decay, for both matrices.
    decay: f64,
    /// The coefficient of the proximal step for the encoder's weights.
    proximal: f64,
    /// Whether the encoder's bias is learned. Else it stays 0.
    bias: bool,
}

/// Plain training. A [`Way`] says what it changes.
const PLAIN: Way = Way { name: "no penalty", penalty: |_| None, decay: 0.0, proximal: 0.0, bias: true };

const ON_ACTIVATIONS: Penalty = |layer| Some(reg::l1(layer.h).per_sample() * 1e-2);
const ON_WEIGHTS: Penalty = |layer| Some(reg::l1(layer.w).summed() * 1e-3);

const WAYS: [Way; 12] = [
    PLAIN,
    Way { name: "l1 on activations", penalty: ON_ACTIVATIONS, ..PLAIN },
    Way { name: "l1 before the relu", penalty: |layer| Some(reg::l1(layer.z).per_sample() * 1e-2), ..PLAIN },
    Way { name: "l1 on weights", penalty: ON_WEIGHTS, ..PLAIN },
    Way { name: "proximal l1 on weights", proximal: 0.3, ..PLAIN },
    Way { name: "l2 on weights", penalty: |layer| Some(reg::l2(layer.w).summed() * 1e-3), ..PLAIN },
    Way { name: "decoupled decay", decay: 1.0, ..PLAIN },
    Way { name: "l1 on activations, decay", penalty: ON_ACTIVATIONS, decay: 1.0, ..PLAIN },
    Way { name: "both, proximal", penalty: ON_ACTIVATIONS, decay: 1.0, proximal: 0.1, ..PLAIN },
    Way { name: "no penalty, bias 0", bias: false, ..PLAIN },
    Way { name: "l1 on activations, bias 0", penalty: ON_ACTIVATIONS, bias: false, ..PLAIN },
    Way { name: "l1 on weights, bias 0", penalty: ON_WEIGHTS, bias: false, ..PLAIN },
];

fn main() {
    let epochs = if std::env::var_os("QUIETGRAD_QUICK").is_some() { 1 } else { 60 };
    let seed = std::env::args().nth(1).map_or(0, |seed| seed.parse().expect("a seed: a whole number"));
    let digits = digits::standardized();
    println!(
        "                                        activations               encoder weights    decoder     encoder bias"
    );
    println!(
        "way                      unexplained   active   mean of |h|      zeros   mean of |w|   mean of |w|   mean   > 0"
    );
    for way in &WAYS {
        let (params, [encoder, decoder]) = train(&digits, way, epochs, seed);
        let mut tape = Tape::new();
        let r = tape.record(&params);
        let x = r.constant(&digits);
        let h = encoder.forward(x).relu();
        let unexplained = loss::mse(decoder.forward(h), x).item() / x.square().mean().item();
        println!(
            "{:25} {:8.1} % {:8.1} {:13.4} {:8.1} % {:13.4} {:13.4} {:6.2} {:5}",
            way.name,
            100.0 * unexplained,
            h.density() * UNITS as f64,
            h.abs().mean().item(),
            100.0 * (1.0 - r.param(encoder.w).density()),
            r.param(encoder.w).abs().mean().item(),
            r.param(decoder.w).abs().mean().item(),
            r.param(encoder.b).mean().item(),
            params.get(encoder.b).iter().filter(|&&b| b > 0.0).count(),
        );
    }
}

fn train(digits: &Tensor<f32>, way: &Way, epochs: usize, seed: u64) -> (Params<f32>, [Dense; 2]) {
    let mut random = Random::new(seed);
    let mut params = Params::new();
    let encoder = Dense::new(&mut params, "encoder", [PIXELS, UNITS], Init::HeNormal, &mut random);
    let decoder = Dense::new(&mut params, "decoder", [UNITS, PIXELS], Init::GlorotNormal, &mut random);
    if !way.bias {
        params.freeze(encoder.b);
    }
    let groups = Groups::new(&params, |name, _| Factors {
        weight_decay: if name == "encoder.w" || name == "decoder.w" { 1.0 } else { 0.0 },
        ..Factors::default()
    });
    let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::adamw(2e-3, way.decay));
    for _ in 0..epochs {
        for batch in random.permutation(digits.shape()[0]).chunks(BATCH) {
            let r = tape.record(&params);
            let x = r.constant_rows(digits, batch);
            let z = encoder.forward(x);
            let layer = Layer { z, h: z.relu(), w: r.param(encoder.w) };
            let fit = loss::mse(decoder.forward(layer.h), x);
            let total = (way.penalty)(layer).map_or(fit, |penalty| fit + penalty);
            total.backward(&mut grads);
            adam.step_groups(&mut params, &grads, &groups);
            if way.proximal > 0.0 {
                proximal_l1(&mut params, encoder.w, adam.lr(), way.proximal);
            }
        }
    }
    (params, [encoder, decoder])
}
