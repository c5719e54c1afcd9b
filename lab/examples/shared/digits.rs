//! What the studies of the digits share: the data in three parts, an autoencoder, and how a study is run and written down.

#![allow(dead_code, reason = "each study uses its part")]

use std::path::{Path, PathBuf};

use quietgrad::nn::{Dense, Init};
use quietgrad::optim::{Adam, Factors, Groups, Optimizer, Schedule};
use quietgrad::{Params, Random, Tape, Tensor, Var, loss, reg};
use quietgrad_lab::Result;
use quietgrad_lab::data::idx;
use quietgrad_lab::data::split::stratified_split;
use quietgrad_lab::report::{Figure, Table};
use quietgrad_lab::train::metrics::{Code, ExplainedVariance};
use quietgrad_lab::train::statistics::{deviation, mean};

pub const PIXELS: usize = 64;
const BATCH: usize = 100;

/// How a study is run: seeds, epochs, threads, and whether its tables and figures go into the book.
pub struct Study {
    pub seeds: u64,
    pub epochs: usize,
    pub threads: usize,
    pub quick: bool,
    write: bool,
    docs: PathBuf,
}

impl Study {
    /// From the command line: `-- --write` writes tables and figures into `docs`; `QUIETGRAD_QUICK=1` cuts all short.
    pub fn new(seeds: u64, epochs: usize) -> Self {
        quietgrad::set_threads(1); // every processor has a run of its own
        let quick = std::env::var_os("QUIETGRAD_QUICK").is_some();
        Study {
            seeds: if quick { 2 } else { seeds },
            epochs: if quick { 2 } else { epochs },
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            quick,
            write: std::env::args().any(|argument| argument == "--write"),
            docs: Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs"),
        }
    }

    pub fn table(&self, name: &str, table: &Table) -> Result<()> {
        println!("{table}");
        if self.write { table.publish(&self.docs, name) } else { Ok(()) }
    }

    pub fn figure(&self, name: &str, figure: &Figure) -> Result<()> {
        if self.write { figure.write(self.docs.join("figures").join(name)) } else { Ok(()) }
    }
}

/// The digits of `examples/data`, in three parts, every class spread evenly over them.
pub struct Digits {
    /// 1000 or so to learn from, a row each, pixels from 0 to 1.
    pub train: (Tensor<f32>, Vec<usize>),
    /// 200 or so to choose settings by.
    pub valid: (Tensor<f32>, Vec<usize>),
    /// 600 or so to judge by.
    pub test: (Tensor<f32>, Vec<usize>),
}

impl Digits {
    /// Each seed parts them differently.
    pub fn load(seed: u64) -> Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data");
        let pixels = idx::read::<f32>(folder.join("digits-images.idx3-ubyte"))?;
        let labels: Vec<usize> = idx::read::<u8>(folder.join("digits-labels.idx1-ubyte"))?
            .data()
            .iter()
            .map(|&l| l.into())
            .collect();
        let x = pixels.into_tensor().reshape([labels.len(), PIXELS]).map(|x| x / 16.0);
        let parts = stratified_split(&labels, 1.0 / 9.0, 1.0 / 3.0, seed);
        let part = |rows: &[usize]| (x.select_rows(rows), rows.iter().map(|&row| labels[row]).collect());
        Ok(Digits { train: part(&parts.train), valid: part(&parts.validation), test: part(&parts.test) })
    }
}

/// A way to train an autoencoder.
#[derive(Clone, Copy)]
pub struct Way {
    pub units: usize,
    pub activation: for<'r> fn(Var<'r, f32>) -> Var<'r, f32>,
    /// The coefficient of l1 on the code, per sample.
    pub lambda: f64,
    /// Decoupled weight decay of both layers' weights.
    pub decay: f64,
    /// The decoder's rows are brought to length 1 after each step, so that small codes and large weights are no way out.
    pub unit_rows: bool,
}

impl Way {
    /// 64 pixels to 256 units with a relu, decoder rows of length 1.
    pub fn relu(lambda: f64) -> Self {
        Way { units: 256, activation: |z| z.relu(), lambda, decay: 0.0, unit_rows: true }
    }
}

pub struct Autoencoder {
    pub params: Params<f32>,
    pub encoder: Dense,
    pub decoder: Dense,
    way: Way,
}

impl Autoencoder {
    /// Learns to reconstruct these rows.
    pub fn train(x: &Tensor<f32>, way: Way, epochs: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut params = Params::new();
        let init = Init::GlorotNormal;
        let encoder = Dense::new(&mut params, "encoder", [PIXELS, way.units], init, &mut random);
        let decoder = Dense::new(&mut params, "decoder", [way.units, PIXELS], init, &mut random);
        let groups = Groups::new(&params, |name, _| Factors {
            weight_decay: if ["encoder.w", "decoder.w"].contains(&name) { 1.0 } else { 0.0 },
            ..Factors::default()
        });
        let rows = x.shape()[0];
        let rate = Schedule::cosine(3e-3, 0.0, epochs * rows.div_ceil(BATCH));
        let mut net = Autoencoder { params, encoder, decoder, way };
        let (mut tape, mut grads) = (Tape::new(), net.params.zeros());
        let mut adam = Adam::adamw(rate.at(0), way.decay);
        let mut step = 0;
        for _ in 0..epochs {
            for batch in random.permutation(rows).chunks(BATCH) {
                net.unit_rows();
                let r = tape.record(&net.params);
                let x = r.constant_rows(x, batch);
                let h = (way.activation)(net.encoder.forward(x));
                // The mean over pixels, times their number: the squared length of what is missed.
                let fit = loss::mse(net.decoder.forward(h), x) * PIXELS as f64;
                let total = fit + reg::l1(h).per_sample() * way.lambda;
                total.backward(&mut grads);
                adam.set_lr(rate.at(step));
                adam.step_groups(&mut net.params, &grads, &groups);
                step += 1;
            }
        }
        net.unit_rows();
        net
    }

    fn unit_rows(&mut self) {
        if self.way.unit_rows {
            for row in self.params.get_mut(self.decoder.w).chunks_exact_mut(PIXELS) {
                let length = row.iter().map(|w| w * w).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
                row.iter_mut().for_each(|w| *w /= length);
            }
        }
    }

    /// The codes of these rows, and their reconstructions.
    pub fn apply(&self, x: &Tensor<f32>) -> (Tensor<f32>, Tensor<f32>) {
        let mut tape = Tape::new();
        let r = tape.record(&self.params);
        let h = (self.way.activation)(self.encoder.forward(r.constant(x)));
        (h.value(), self.decoder.forward(h).value())
    }

    /// The share of these rows' variance that the reconstruction misses.
    pub fn unexplained(&self, x: &Tensor<f32>) -> f64 {
        let mut explained = ExplainedVariance::new(PIXELS);
        explained.add(x, &self.apply(x).1);
        explained.unexplained()
    }

    pub fn code(&self, x: &Tensor<f32>) -> Code {
        let mut code = Code::new(self.way.units);
        code.add(&self.apply(x).0);
        code
    }
}

/// `mean ± standard deviation`
pub fn spread(numbers: &[f64], digits: usize) -> String {
    format!("{:.digits$} ± {:.digits$}", mean(numbers), deviation(numbers))
}

/// [`spread`] of percent.
pub fn percent(numbers: &[f64], digits: usize) -> String {
    format!("{} %", spread(&numbers.iter().map(|x| 100.0 * x).collect::<Vec<_>>(), digits))
}
