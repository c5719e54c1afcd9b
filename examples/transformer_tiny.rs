//! A transformer of two blocks that learns to sort short sequences: what is written with attention, norms, an embedding whose
//! weights also read the symbols off again, and residual sums, as plain functions. A penalty on what attention puts out is
//! compared with none, on sequences drawn anew. `QUIETGRAD_QUICK=1` cuts the training short.

use quietgrad::nn::{Dense, Embedding, Init, LayerNorm, MultiHeadAttention, sinusoids};
use quietgrad::optim::{Adam, Optimizer, Schedule};
use quietgrad::{Indices, Params, Random, Recording, Tape, Tensor, Var, loss, reg};

const SYMBOLS: usize = 10;
const PLACES: usize = 8;
const WIDTH: usize = 32;
const BATCH: usize = 64;

struct Block {
    norms: [LayerNorm; 2],
    attention: MultiHeadAttention,
    wide: Dense,
    narrow: Dense,
}

impl Block {
    fn new(params: &mut Params<f32>, name: &str, random: &mut Random) -> Self {
        let norms = ["norm1", "norm2"].map(|norm| LayerNorm::new(params, &format!("{name}.{norm}"), WIDTH));
        let part = |part: &str| format!("{name}.{part}");
        Block {
            norms,
            attention: MultiHeadAttention::new(
                params,
                &part("attention"),
                WIDTH,
                4,
                Init::GlorotUniform,
                random,
            ),
            wide: Dense::new(params, &part("wide"), [WIDTH, 4 * WIDTH], Init::HeNormal, random),
            narrow: Dense::new(params, &part("narrow"), [4 * WIDTH, WIDTH], Init::GlorotUniform, random),
        }
    }

    /// A residual block is a sum. The second result is what attention put out.
    fn forward<'r>(&self, x: Var<'r, f32>) -> [Var<'r, f32>; 2] {
        let found = self.attention.forward(self.norms[0].forward(x), None);
        let x = x + found;
        [x + self.narrow.forward(self.wide.forward_relu(self.norms[1].forward(x))), found]
    }
}

struct Transformer {
    symbols: Embedding,
    places: Tensor<f32>,
    blocks: [Block; 2],
    norm: LayerNorm,
}

impl Transformer {
    fn new(params: &mut Params<f32>, random: &mut Random) -> Self {
        let symbols = Embedding::new(params, "symbols", [SYMBOLS, WIDTH], Init::LeCunNormal, random);
        params.tie("read_off.w", symbols.table);
        Transformer {
            symbols,
            places: sinusoids(PLACES, WIDTH),
            blocks: ["block1", "block2"].map(|name| Block::new(params, name, random)),
            norm: LayerNorm::new(params, "norm", WIDTH),
        }
    }

    /// Logits [samples, places, symbols], and what attention put out.
    fn forward<'r>(&self, sequence: Indices<'r, f32>) -> (Var<'r, f32>, [Var<'r, f32>; 2]) {
        let r = sequence.recording();
        let x = self.symbols.forward(sequence) * (WIDTH as f64).sqrt() + r.constant(&self.places);
        let [x, first] = self.blocks[0].forward(x);
        let [x, second] = self.blocks[1].forward(x);
        (self.norm.forward(x).matmul(r.param(self.symbols.table).t()), [first, second])
    }
}

/// Sequences, and the same sorted.
fn draw(count: usize, random: &mut Random) -> [Vec<usize>; 2] {
    let given: Vec<usize> = (0..count * PLACES).map(|_| random.below(SYMBOLS)).collect();
    let mut sorted = given.clone();
    sorted.chunks_exact_mut(PLACES).for_each(<[usize]>::sort_unstable);
    [given, sorted]
}

fn indices<'r>(r: Recording<'r, f32>, numbers: &[usize]) -> Indices<'r, f32> {
    r.indices([numbers.len() / PLACES, PLACES], numbers)
}

struct Score {
    places: f64,
    sequences: f64,
    /// The mean magnitude of what attention puts out.
    size: f64,
    example: [Vec<usize>; 2],
}

fn evaluate(params: &Params<f32>, net: &Transformer, count: usize) -> Score {
    let [given, sorted] = draw(count, &mut Random::new(99));
    let mut tape = Tape::new();
    let r = tape.record(params);
    let (logits, found) = net.forward(indices(r, &given));
    let guesses = logits.value().argmax(2);
    let right = guesses.iter().zip(&sorted).filter(|(a, b)| a == b).count();
    let pairs = guesses.chunks_exact(PLACES).zip(sorted.chunks_exact(PLACES));
    Score {
        places: right as f64 / guesses.len() as f64,
        sequences: pairs.filter(|(a, b)| a == b).count() as f64 / count as f64,
        size: found.iter().map(|x| f64::from(x.abs().mean().item())).sum::<f64>() / 2.0,
        example: [given[..PLACES].to_vec(), guesses[..PLACES].to_vec()],
    }
}

fn main() {
    let quick = std::env::var_os("QUIETGRAD_QUICK").is_some();
    let (seeds, steps, tested) = if quick { (1, 20, 100) } else { (3, 1500, 2000) };
    println!("penalty   seed   places right   sequences right   mean size of attention's output");
    for lambda in [0.0, 1e-4, 1e-3] {
        for seed in 0..seeds {
            let (mut params, mut random) = (Params::new(), Random::new(seed));
            let net = Transformer::new(&mut params, &mut random);
            let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::new(0.0));
            let schedule = Schedule::cosine(2e-3, 0.0, steps).warm_up(steps / 20 + 1);
            for step in 0..steps {
                let [given, sorted] = draw(BATCH, &mut random);
                let r = tape.record(&params);
                let (logits, found) = net.forward(indices(r, &given));
                let fit = loss::cross_entropy(logits, indices(r, &sorted));
                let penalty: Var<f32> = found.map(|x| reg::l1(x).per_sample()).into_iter().sum();
                (fit + penalty * lambda).backward(&mut grads);
                grads.clip_norm(1.0);
                adam.set_lr(schedule.at(step));
                adam.step(&mut params, &grads);
            }
            let score = evaluate(&params, &net, tested);
            println!(
                "{lambda:7}   {seed:4} {:12.2} % {:15.2} % {:33.3}",
                100.0 * score.places,
                100.0 * score.sequences,
                score.size
            );
            if seed + 1 == seeds {
                let [given, guess] =
                    score.example.map(|x| x.iter().map(usize::to_string).collect::<String>());
                println!("          {given} -> {guess}");
            }
            if quick {
                println!("\n{params}");
            }
        }
    }
}
