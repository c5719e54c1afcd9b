//! Sequences through a sparse code: an LSTM reads a sequence, a relu layer makes a code of its last state, another LSTM writes
//! the sequence again from the code alone.
//!
//! Each sequence is the sum of two of eight waves. Trained with and without an l1 penalty on the code, on some sequences, and
//! scored on others, for several seeds. `QUIETGRAD_QUICK=1` cuts the training short.

use quietgrad::nn::{Dense, Init, Lstm, Recurrent, Steps};
use quietgrad::optim::{Adam, Optimizer};
use quietgrad::{Params, Random, Recording, Tape, Tensor, Var, loss, reg};

const TIME: usize = 24;
const UNITS: usize = 32;
const CODE: usize = 32;
const BATCH: usize = 32;

/// Sums of two waves each, of eight frequencies, with amplitudes between ½ and 1.
fn sequences(count: usize, random: &mut Random) -> Tensor<f32> {
    let mut data = Vec::with_capacity(count * TIME);
    for _ in 0..count {
        let waves: [(f64, f64); 2] = [0; 2].map(|_| (1.0 + random.below(8) as f64, random.uniform(0.5, 1.0)));
        let at = |t: usize| waves.map(|(k, a)| a * (std::f64::consts::PI * k * t as f64 / TIME as f64).sin());
        data.extend((0..TIME).map(|t| at(t).iter().sum::<f64>() as f32));
    }
    Tensor::new([count, TIME, 1], data).expect("a number for each step")
}

#[derive(Clone, Copy)]
struct Net {
    encoder: Lstm,
    code: Dense,
    decoder: Lstm,
    output: Dense,
}

impl Net {
    fn new(params: &mut Params<f32>, random: &mut Random) -> Net {
        Net {
            encoder: Lstm::new(params, "encoder", [1, UNITS], random),
            code: Dense::new(params, "code", [UNITS, CODE], Init::HeNormal, random),
            decoder: Lstm::new(params, "decoder", [CODE, UNITS], random),
            output: Dense::new(params, "output", [UNITS, 1], Init::GlorotUniform, random),
        }
    }

    /// The code, and the sequence written from it.
    fn forward(self, x: Var<'_, f32>) -> [Var<'_, f32>; 2] {
        let code = self.code.forward_relu(self.encoder.forward(x).last.h);
        let h = self.decoder.run_repeated(code, TIME, Steps::all(), None).h;
        [code, self.output.forward(h)]
    }

    fn loss<'r>(self, r: Recording<'r, f32>, x: &Tensor<f32>, rows: &[usize], lambda: f64) -> Var<'r, f32> {
        let x = r.constant_rows(x, rows);
        let [code, y] = self.forward(x);
        loss::mse(y, x) + reg::l1(code).per_sample() * lambda
    }
}

/// What a trained network makes of sequences that it has not seen.
struct Score {
    /// The share of the variance that it does not explain.
    unexplained: f64,
    /// Active units of the code for a sequence.
    active: f64,
    /// Units that are active for some sequence.
    used: usize,
    x: Tensor<f32>,
    y: Tensor<f32>,
    code: Tensor<f32>,
}

fn train(seed: u64, lambda: f64, steps: usize) -> Score {
    let mut data = Random::new(100 + seed);
    let (seen, unseen) = (sequences(1024, &mut data), sequences(256, &mut data));
    let (mut params, mut random) = (Params::new(), Random::new(seed));
    let net = Net::new(&mut params, &mut random);
    let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::new(3e-3));
    for _ in 0..steps {
        let rows: [usize; BATCH] = std::array::from_fn(|_| random.below(1024));
        net.loss(tape.record(&params), &seen, &rows, lambda).backward(&mut grads);
        grads.clip_norm(1.0);
        adam.step(&mut params, &grads);
    }
    let [code, y] = net.forward(tape.record(&params).constant(&unseen)).map(Var::value);
    let squares = |of: &mut dyn Iterator<Item = f32>| of.map(|x| f64::from(x * x)).sum::<f64>();
    let errors = squares(&mut y.data().iter().zip(unseen.data()).map(|(y, x)| y - x));
    Score {
        unexplained: errors / squares(&mut unseen.data().iter().copied()),
        active: code.data().iter().filter(|&&h| h > 0.0).count() as f64 / 256.0,
        used: (0..CODE).filter(|&unit| code.rows().any(|row| row[unit] > 0.0)).count(),
        x: unseen,
        y,
        code,
    }
}

/// A sequence as a line of characters, from low to high.
fn line(x: &[f32]) -> String {
    const LEVELS: [char; 9] = ['▁', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    x.iter().map(|x| LEVELS[(4.0 + 2.2 * x).round().clamp(0.0, 8.0) as usize]).collect()
}

fn main() {
    let quick = std::env::var_os("QUIETGRAD_QUICK").is_some();
    let (seeds, steps) = if quick { (1, 20) } else { (5, 3000) };
    println!("{seeds} seeds, {steps} steps each, scored on 256 sequences that were not seen");
    println!("  lambda   unexplained variance   active of {CODE} for a sequence   used at all");
    let mut found = Vec::new();
    for lambda in [0.0, 1e-4, 1e-3, 3e-3] {
        let scores: Vec<_> = (0..seeds).map(|seed| train(seed, lambda, steps)).collect();
        let of = |f: &dyn Fn(&Score) -> f64| {
            let values: Vec<_> = scores.iter().map(f).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let squares = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>();
            (mean, (squares / (values.len() as f64 - 1.0).max(1.0)).sqrt())
        };
        let (unexplained, active) = (of(&|score| 100.0 * score.unexplained), of(&|score| score.active));
        let used = of(&|score| score.used as f64);
        println!(
            "  {lambda:<8} {:6.2} ± {:.2} %        {:10.1} ± {:.1}               {:10.1}",
            unexplained.0, unexplained.1, active.0, active.1, used.0
        );
        found.push((unexplained.0, active.0));
        if lambda == 1e-3 {
            println!(
                "\n  three of them, as they are, as they are written again, and the code (a digit is a tenth of its largest):"
            );
            let top = scores[0].code.data().iter().fold(0.0f32, |top, &h| top.max(h)).max(1e-9);
            for k in 0..3 {
                let part = |t: &Tensor<f32>| line(&t.data()[k * TIME..(k + 1) * TIME]);
                let digit = |&h: &f32| if h > 0.0 { char::from(b'0' + (9.0 * h / top) as u8) } else { '.' };
                let code: String =
                    scores[0].code.data()[k * CODE..(k + 1) * CODE].iter().map(digit).collect();
                println!("  {}   {}   {code}", part(&scores[0].x), part(&scores[0].y));
            }
            println!();
        }
    }
    let (free, priced) = (found[0], found[found.len() - 1]);
    println!(
        "With the largest penalty {:.1} units are active for a sequence instead of {:.1}; {:.2} % of the variance stay \
         unexplained instead of {:.2} %.",
        priced.1, free.1, priced.0, free.0
    );
}
