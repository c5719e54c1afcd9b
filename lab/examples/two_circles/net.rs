//! The network of the case study, and one training of it.

use quietgrad::nn::{Dense, Init};
use quietgrad::optim::{Adam, Optimizer};
use quietgrad::{Params, Random, Tape, Tensor, Var, loss, reg};
use quietgrad_lab::data::toy::{Labelled, make_circles};
use quietgrad_lab::train::metrics::Code;

pub const UNITS: usize = 500;

/// What is penalized.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The hidden layer's linear output, before the relu.
    Before,
    /// The relu's output.
    After,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    L1,
    L2,
    /// Σ|h| + Σh²
    Elastic,
    /// Σ√|h|
    Half,
    /// Σ (Σ|h|)² / Σh²
    Hoyer,
    /// Σ ln(1 + h²/0.01)
    Log,
}

impl Norm {
    pub fn name(self) -> &'static str {
        match self {
            Norm::L1 => "l1",
            Norm::L2 => "l2",
            Norm::Elastic => "elastic net",
            Norm::Half => "lp, p = ½",
            Norm::Hoyer => "Hoyer",
            Norm::Log => "log",
        }
    }

    fn penalty(self, h: Var<'_, f32>) -> reg::Penalty<'_, f32> {
        match self {
            Norm::L1 => reg::l1(h),
            Norm::L2 => reg::l2(h),
            Norm::Elastic => reg::elastic_net(h, 1.0, 1.0),
            Norm::Half => reg::lp(h, 0.5),
            Norm::Hoyer => reg::hoyer(h),
            Norm::Log => reg::log(h, 0.01),
        }
    }
}

/// A penalty: its norm, what it is put on, and its coefficient per sample.
#[derive(Clone, Copy)]
pub struct Penalty {
    pub norm: Norm,
    pub place: Place,
    pub lambda: f64,
}

/// The data: 30 points to learn from, the tutorial's 70 to test on, and as many fresh ones as wanted.
pub struct Data {
    pub train: Labelled,
    pub test: Labelled,
    /// To choose a coefficient by, and for the curves.
    pub valid: Labelled,
    /// To judge by.
    pub fresh: Labelled,
}

impl Data {
    /// The tutorial's 100 points are those of `draw` 1.
    pub fn new(noise: f64, draw: u32, fresh: usize) -> Self {
        let all = make_circles(100, Some(noise), draw);
        let part = |rows: std::ops::Range<usize>| Labelled {
            x: all.x.select_rows(&rows.clone().collect::<Vec<_>>()),
            y: all.y[rows].to_vec(),
        };
        Data {
            train: part(0..30),
            test: part(30..100),
            valid: make_circles(1000, Some(noise), 1_000_001),
            fresh: make_circles(fresh, Some(noise), 1_000_002),
        }
    }
}

/// What one training came to.
pub struct Run {
    pub train_accuracy: f64,
    pub test_accuracy: f64,
    pub test_loss: f64,
    pub valid_accuracy: f64,
    pub fresh_accuracy: f64,
    pub fresh_loss: f64,
    /// Of the hidden layer, on fresh points.
    pub mean_activation: f64,
    pub zeros: f64,
    pub l0: f64,
    pub dead: f64,
    /// `(epoch, loss on the training points, loss on 1000 new ones)`
    pub curve: Vec<(f64, f64, f64)>,
    pub net: Net,
}

/// A trained network.
pub struct Net {
    pub params: Params<f32>,
    hidden: Dense,
    output: Dense,
}

impl Net {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut params = Params::new();
        // Keras' defaults.
        let hidden = Dense::new(&mut params, "hidden", [2, UNITS], Init::GlorotUniform, &mut random);
        let output = Dense::new(&mut params, "output", [UNITS, 1], Init::GlorotUniform, &mut random);
        Net { params, hidden, output }
    }

    /// Pre-activations, activations and logits.
    fn forward<'r>(&self, x: Var<'r, f32>) -> [Var<'r, f32>; 3] {
        let z = self.hidden.forward(x);
        let h = z.relu();
        [z, h, self.output.forward(h)]
    }

    /// Pre-activations and logits of these points.
    pub fn outputs(&self, x: &Tensor<f64>) -> (Tensor<f32>, Vec<f64>) {
        let mut tape = Tape::new();
        let r = tape.record(&self.params);
        let [z, _, logits] = self.forward(r.constant(&x.map(|x| x as f32)));
        (z.value(), logits.value().data().iter().map(|&logit| f64::from(logit)).collect())
    }

    /// Accuracy and loss on these points.
    fn score(&self, points: &Labelled) -> (f64, f64) {
        let (mut right, mut loss) = (0, 0.0);
        for first in (0..points.y.len()).step_by(1000) {
            let rows: Vec<usize> = (first..points.y.len().min(first + 1000)).collect();
            let (_, logits) = self.outputs(&points.x.select_rows(&rows));
            for (logit, &row) in logits.iter().zip(&rows) {
                let class = points.y[row];
                right += usize::from((*logit > 0.0) == (class == 1));
                // −ln σ(±logit)
                let toward = if class == 1 { *logit } else { -logit };
                loss += (-toward.abs()).exp().ln_1p() - toward.min(0.0);
            }
        }
        (right as f64 / points.y.len() as f64, loss / points.y.len() as f64)
    }

    fn code(&self, points: &Labelled) -> Code {
        let rows: Vec<usize> = (0..points.y.len().min(1000)).collect();
        let (z, _) = self.outputs(&points.x.select_rows(&rows));
        let mut code = Code::new(UNITS);
        code.add(&z.map(|z| z.max(0.0)));
        code
    }
}

/// Trains from this seed, full batch, with Adam's default settings.
pub fn run(data: &Data, penalty: Option<Penalty>, epochs: usize, seed: u64) -> Run {
    let mut net = Net::new(seed);
    let (x, y) = (data.train.x.map(|x| x as f32), data.train.targets::<f32>());
    let (mut tape, mut grads, mut adam) = (Tape::new(), net.params.zeros(), Adam::new(1e-3));
    let mut curve = Vec::new();
    for epoch in 0..epochs {
        if epoch % 200 == 0 {
            curve.push((epoch as f64, net.score(&data.train).1, net.score(&data.valid).1));
        }
        let r = tape.record(&net.params);
        let [z, h, logits] = net.forward(r.constant(&x));
        let fit = loss::bce_with_logits(logits, r.constant(&y));
        let loss = match penalty {
            Some(Penalty { norm, place: Place::Before, lambda }) => {
                fit + norm.penalty(z).per_sample() * lambda
            }
            Some(Penalty { norm, place: Place::After, lambda }) => {
                fit + norm.penalty(h).per_sample() * lambda
            }
            None => fit,
        };
        loss.backward(&mut grads);
        adam.step(&mut net.params, &grads);
    }
    let (train_accuracy, train_loss) = net.score(&data.train);
    let (test_accuracy, test_loss) = net.score(&data.test);
    let (valid_accuracy, valid_loss) = net.score(&data.valid);
    let (fresh_accuracy, fresh_loss) = net.score(&data.fresh);
    curve.push((epochs as f64, train_loss, valid_loss));
    let code = net.code(&data.fresh);
    Run {
        train_accuracy,
        test_accuracy,
        test_loss,
        valid_accuracy,
        fresh_accuracy,
        fresh_loss,
        mean_activation: code.mean_activation(),
        zeros: code.zeros(),
        l0: code.l0(),
        dead: code.dead().len() as f64,
        curve,
        net,
    }
}
