//! Whole training runs, from the file's initial values and in its order of data.

use std::fs;

use quietgrad::nn::{Conv2d, Dense, Lstm, Recurrent, Steps};
use quietgrad::ops::conv::Convolution;
use quietgrad::ops::pool::Pooling;
use quietgrad::optim::{Adagrad, Adam, Optimizer, RmsProp, Sgd};
use quietgrad::{Params, Random, Recording, Tape, Tensor, Var, loss, reg};
use serde_json::Value;

use super::{Array, Fixture, compare};

/// One run of a file.
#[derive(Clone, Copy)]
struct Run<'a> {
    fixture: &'a Fixture,
    manifest: &'a Value,
}

impl<'a> Run<'a> {
    fn all(fixture: &'a Fixture) -> impl Iterator<Item = Run<'a>> {
        let runs = fixture.manifest["trajectories"].as_array().expect("a list of runs");
        runs.iter().map(move |manifest| Run { fixture, manifest })
    }

    fn name(self) -> &'a str {
        self.manifest["name"].as_str().expect("a name")
    }

    fn number(self, name: &str) -> f64 {
        self.manifest[name].as_f64().unwrap_or_else(|| panic!("{}: no number {name}", self.name()))
    }

    /// The coefficient of the penalty, which is part of the name.
    fn l1(self) -> f64 {
        self.name().rsplit_once("/l1_").and_then(|(_, number)| number.parse().ok()).expect("a coefficient")
    }

    fn array(self, name: &str) -> &'a [f64] {
        self.fixture.tensor(&format!("{}/{name}", self.name())).data()
    }

    /// Trains; compares the loss before each recorded step, and the final parameters if the file has them.
    ///
    /// A recorded loss is met if we are no further off than ten times the file's own run was, by this step, from
    /// the same run with its initial values disturbed by 1e-15; but 1e-9 is always near enough. `probe` is called before
    /// each step and after the last.
    fn reproduce(
        self,
        params: &mut Params<f64>,
        optimizer: &mut dyn Optimizer<f64>,
        loss: impl for<'r> Fn(usize, Recording<'r, f64>) -> Var<'r, f64>,
        mut probe: impl FnMut(usize, &Params<f64>),
    ) {
        let steps = self.number("n_steps") as usize;
        let (losses, perturbed) = (self.array("loss"), self.array("loss_perturbed"));
        let stride = steps.div_ceil(losses.len());
        let mut recorded = losses.iter().zip(perturbed);
        let (mut drift, mut largest) = (0.0f64, 0.0f64);

        let (mut tape, mut grads) = (Tape::new(), params.zeros());
        for step in 0..steps {
            probe(step, params);
            let r = tape.record(params);
            let ours = loss(step, r);
            if step % stride == 0 || step == steps - 1 {
                let (theirs, perturbed) = recorded.next().expect("a loss for each recorded step");
                let ours = ours.item();
                let error = (ours - theirs).abs() / theirs.abs();
                drift = drift.max((perturbed - theirs).abs() / theirs.abs());
                largest = largest.max(error);
                let near = error <= (10.0 * drift).max(1e-9);
                assert!(near, "{} step {step}: our loss is {ours:e}, theirs {theirs:e}", self.name());
            }
            ours.backward(&mut grads);
            optimizer.step(params, &grads);
        }
        probe(steps, params);
        assert!(recorded.next().is_none(), "{}: more losses than recorded steps", self.name());

        let tolerance = (10.0 * drift).max(1e-9);
        let mut finals = String::new();
        for id in params.ids() {
            let name = format!("{}/final.{}", self.name(), params.name(id));
            if let Some(Array::Real(theirs)) = self.fixture.arrays.get(&name) {
                let error = compare(&params.tensor(id), theirs, tolerance);
                let error = error.unwrap_or_else(|error| panic!("{name}: {error}"));
                finals += &format!(" {} {error:.1e}", params.name(id));
            }
        }
        println!("{:24} loss {largest:.1e}, their own {drift:.1e}; final{finals}", self.name());
    }
}

/// Two dense layers and the function between them.
#[derive(Clone, Copy)]
struct Net {
    layers: [Dense; 2],
    activation: for<'r> fn(Var<'r, f64>) -> Var<'r, f64>,
}

impl Net {
    /// With the initial values that stand under `prefix`.
    fn read(
        fixture: &Fixture,
        prefix: &str,
        activation: for<'r> fn(Var<'r, f64>) -> Var<'r, f64>,
    ) -> (Params<f64>, Net) {
        let mut params = Params::new();
        let mut add = |name: &str| params.add(name, fixture.tensor(&format!("{prefix}/init.{name}")).clone());
        let layers = [Dense { w: add("w1"), b: add("b1") }, Dense { w: add("w2"), b: add("b2") }];
        (params, Net { layers, activation })
    }

    /// The activations between the layers, and the output.
    fn forward(self, x: Var<'_, f64>) -> [Var<'_, f64>; 2] {
        let h = (self.activation)(self.layers[0].forward(x));
        [h, self.layers[1].forward(h)]
    }

    /// The same, with trained parameters.
    fn evaluate(self, params: &Params<f64>, x: &Tensor<f64>) -> [Tensor<f64>; 2] {
        let mut tape = Tape::new();
        self.forward(tape.record(params).constant(x)).map(Var::value)
    }
}

/// The part of the rows whose logit is on the target's side of 0.
fn accuracy(logits: &Tensor<f64>, targets: &Tensor<f64>) -> f64 {
    part(logits.data().iter().zip(targets.data()), |(z, t)| (*z > 0.0) == (*t > 0.5))
}

/// The part of the items for which something holds.
fn part<I>(items: impl Iterator<Item = I>, holds: impl Fn(I) -> bool) -> f64 {
    let (mut count, mut held) = (0, 0);
    for item in items {
        count += 1;
        held += usize::from(holds(item));
    }
    held as f64 / count as f64
}

#[test]
fn xor_follows_the_recorded_run() {
    let fixture = Fixture::read("train_xor");
    let (x, y) = (fixture.tensor("xor/x"), fixture.tensor("xor/y"));
    for run in Run::all(&fixture) {
        let (mut params, net) = Net::read(&fixture, "xor", |z| z.tanh());
        run.reproduce(
            &mut params,
            &mut Adam::new(0.01),
            |_, r| {
                let [h, logits] = net.forward(r.constant(x));
                loss::bce_with_logits(logits, r.constant(y)) + reg::l1(h).per_sample() * 1e-3
            },
            |_, _| (),
        );
        let [_, logits] = net.evaluate(&params, x);
        assert_eq!(accuracy(&logits, y), run.number("final_acc"));
    }
}

#[test]
fn circles_follow_the_recorded_runs() {
    let fixture = Fixture::read("train_circles");
    let [x, y, test_x, test_y] =
        ["train_x", "train_y", "test_x", "test_y"].map(|name| fixture.tensor(&format!("circles/{name}")));
    for run in Run::all(&fixture) {
        let (mut params, net) = Net::read(&fixture, "circles", |z| z.relu());
        run.reproduce(
            &mut params,
            &mut Adam::new(0.001),
            |_, r| {
                let [h, logits] = net.forward(r.constant(x));
                loss::bce_with_logits(logits, r.constant(y)) + reg::l1(h).per_sample() * run.l1()
            },
            |_, _| (),
        );
        let [h, logits] = net.evaluate(&params, x);
        let [_, test_logits] = net.evaluate(&params, test_x);
        assert_eq!(part(h.data().iter(), |&h| h == 0.0), run.number("zero_fraction_of_h_on_train"));
        assert_eq!(accuracy(&logits, y), run.number("train_acc"));
        assert_eq!(accuracy(&test_logits, test_y), run.number("test_acc"));
    }
}

/// The pixels of all digits, each standardized.
fn digits(fixture: &Fixture) -> Tensor<f64> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/digits-images.idx3-ubyte");
    let idx = fs::read(path).expect("the images");
    let (mean, scale) = (fixture.tensor("digits/mean").data(), fixture.tensor("digits/scale").data());
    // After a header of four words: the kind of file, the number of images, and the two sizes of each.
    let pixels = &idx[16..];
    let standardized = |i: usize| (f64::from(pixels[i]) - mean[i % 64]) / scale[i % 64];
    Tensor::from_fn([pixels.len() / 64, 64], standardized)
}

#[test]
fn sparse_autoencoders_follow_the_recorded_runs() {
    let fixture = Fixture::read("train_sae");
    let digits = digits(&fixture);
    let Array::Index(_, order) = fixture.array("sae/order") else { panic!("sae/order holds row numbers") };
    for run in Run::all(&fixture) {
        let (mut params, net) = Net::read(&fixture, "sae", |z| z.relu());
        let mut probes = run.manifest["probes_every_50_steps_then_final"].as_array().expect("a list").iter();
        run.reproduce(
            &mut params,
            &mut Adam::new(0.001),
            |step, r| {
                let x = r.constant_rows(&digits, &order[step * 128..(step + 1) * 128]);
                let [h, y] = net.forward(x);
                loss::mse(y, x) + reg::l1(h).per_sample() * run.l1()
            },
            |step, params| {
                if step % 50 == 0 {
                    let probe = probes.next().expect("a probe at each fiftieth step");
                    let [h, y] = net.evaluate(params, &digits);
                    let squares = y.data().iter().zip(digits.data()).map(|(y, x)| (y - x) * (y - x));
                    let mse = squares.sum::<f64>() / digits.data().len() as f64;
                    approx::assert_relative_eq!(mse, probe["mse"].as_f64().unwrap(), max_relative = 1e-9);
                    let active = part(h.data().iter(), |&h| h > 0.0) * 256.0;
                    approx::assert_relative_eq!(
                        active,
                        probe["mean_l0"].as_f64().unwrap(),
                        max_relative = 1e-12
                    );
                    let dead = part(0..256, |unit| h.rows().all(|row| row[unit] == 0.0));
                    assert_eq!(dead, probe["dead_fraction"], "{} step {step}", run.name());
                }
            },
        );
        assert!(probes.next().is_none());
    }
}

/// Two convolutions with relu, each followed by max pooling, and a dense layer.
#[derive(Clone, Copy)]
struct CnnOfTwo {
    first: Conv2d,
    second: Conv2d,
    last: Dense,
}

impl CnnOfTwo {
    /// What the convolutions put out, and the logits.
    fn forward(self, x: Var<'_, f64>) -> [Var<'_, f64>; 3] {
        let a = self.first.forward_relu(x);
        let b = self.second.forward_relu(a.max_pool2d(Pooling::new(2)));
        let flat = b.max_pool2d(Pooling::new(2)).reshape([x.shape()[0], 64]);
        [a, b, self.last.forward(flat)]
    }
}

#[test]
fn the_convolutional_net_follows_its_recorded_run() {
    let fixture = Fixture::read("train_cnn");
    let read = |kind: &str| {
        let path = format!("{}/../examples/data/digits-{kind}-ubyte", env!("CARGO_MANIFEST_DIR"));
        fs::read(path).expect("the digits")
    };
    // After a header of four words, or of two.
    let (images, labels) = (read("images.idx3"), read("labels.idx1"));
    let (images, labels) = (&images[16..], &labels[8..]);
    let images = Tensor::from_fn([labels.len(), 1, 8, 8], |i| f64::from(images[i]) / 16.0);
    let labels: Vec<usize> = labels.iter().map(|&label| usize::from(label)).collect();
    let Array::Index(_, order) = fixture.array("cnn/order") else { panic!("cnn/order holds numbers") };

    let mut params = Params::new();
    let mut add = |name: &str| params.add(name, fixture.tensor(&format!("cnn/init.{name}")).clone());
    let of = Convolution::new().padding(1);
    let first = Conv2d { w: add("k1"), b: add("c1"), of };
    let second = Conv2d { w: add("k2"), b: add("c2"), of };
    let last = Dense { w: add("w"), b: add("b") };
    let net = CnnOfTwo { first, second, last };
    for run in Run::all(&fixture) {
        run.reproduce(
            &mut params,
            &mut Adam::new(0.01),
            |step, r| {
                let batch = &order[step * 64..(step + 1) * 64];
                let [a, b, logits] = net.forward(r.constant_rows(&images, batch));
                let labels: Vec<usize> = batch.iter().map(|&i| labels[i]).collect();
                let fit = loss::cross_entropy(logits, r.indices([64], &labels));
                fit + (reg::l1(a).per_sample() + reg::l1(b).per_sample()) * 1e-4
            },
            |_, _| (),
        );
        let mut tape = Tape::new();
        let [a, b, logits] = net.forward(tape.record(&params).constant(&images)).map(Var::value);
        let best = |row: &[f64]| (0..10).fold(0, |best, i| if row[i] > row[best] { i } else { best });
        let right = part(logits.rows().zip(&labels), |(row, &label)| best(row) == label);
        assert_eq!(right, run.number("final_acc_all"));
        let zeros = run.manifest["zero_fraction_conv"].as_array().expect("two numbers");
        for (h, zeros) in [a, b].iter().zip(zeros) {
            assert_eq!(part(h.data().iter(), |&h| h == 0.0), zeros.as_f64().expect("a number"));
        }
    }
}

/// An LSTM autoencoder with the file's initial values, each moved by this much of itself, up or down.
fn lstm_autoencoder(fixture: &Fixture, disturbance: f64) -> (Params<f64>, [Lstm; 2], Dense) {
    let (mut params, mut random) = (Params::new(), Random::new(1));
    let mut add = |name: &str| {
        let initial = fixture.tensor(&format!("lstm/init.{name}"));
        let moved = initial.map(|w| w * (1.0 + disturbance * if random.below(2) == 0 { 1.0 } else { -1.0 }));
        params.add(format!("our {name}"), moved)
    };
    let encoder = Lstm { wx: add("e.wi"), wh: add("e.wh"), b: add("e.b") };
    let decoder = Lstm { wx: add("d.wi"), wh: add("d.wh"), b: add("d.b") };
    let output = Dense { w: add("o_w"), b: add("o_b") };
    (params, [encoder, decoder], output)
}

/// The losses are held to the rule of all runs. The parameters drift further than the losses do, and the file does not say how
/// far: they are held to ten times what our own run is off from itself, disturbed as the file's was.
#[test]
fn an_lstm_autoencoder_follows_the_recorded_run() {
    let fixture = Fixture::read("train_lstm");
    let x = fixture.tensor("lstm/x");
    let run = Run::all(&fixture).next().expect("a run");
    let [ours, disturbed] = [0.0, 1e-15].map(|disturbance| {
        let (mut params, [encoder, decoder], output) = lstm_autoencoder(&fixture, disturbance);
        run.reproduce(
            &mut params,
            &mut Adam::new(0.01),
            |_, r| {
                let x = r.constant(x);
                let code = encoder.forward(x).last.h;
                let y = output.forward(decoder.run_repeated(code, x.shape()[1], Steps::all(), None).h);
                loss::mse(y, x) + reg::l1(code).per_sample() * 1e-3
            },
            |_, _| (),
        );
        params
    });
    let off = |id| compare(&disturbed.tensor(id), &ours.tensor(id), f64::INFINITY).expect("no limit");
    let drift = ours.ids().map(off).fold(0.0, f64::max);
    for id in ours.ids() {
        let name = ours.name(id).strip_prefix("our ").expect("the prefix");
        let theirs = fixture.tensor(&format!("lstm/final.{name}"));
        let error = compare(&ours.tensor(id), theirs, (10.0 * drift).max(1e-9));
        println!(
            "{name} {:.1e}, our own drift {drift:.1e}",
            error.unwrap_or_else(|error| panic!("{name}: {error}"))
        );
    }
}

/// The optimizer of a run.
fn optimizer(run: Run) -> Box<dyn Optimizer<f64>> {
    let hyper = |name: &str| run.manifest["hyper"][name].as_f64().unwrap_or(0.0);
    let is = |name: &str| run.manifest["hyper"][name] == true;
    let (lr, momentum, weight_decay) = (hyper("lr"), hyper("momentum"), hyper("weight_decay"));
    match run.manifest["optimizer"].as_str().expect("a name") {
        "torch.optim.SGD" => {
            let mut sgd = Sgd::momentum(lr, momentum);
            (sgd.nesterov, sgd.weight_decay) = (is("nesterov"), weight_decay);
            Box::new(sgd)
        }
        "torch.optim.RMSprop" => {
            let mut rmsprop = RmsProp::new(lr);
            (rmsprop.alpha, rmsprop.momentum, rmsprop.centered) = (hyper("alpha"), momentum, is("centered"));
            Box::new(rmsprop)
        }
        "torch.optim.Adam" => {
            let mut adam = Adam::new(lr);
            (adam.amsgrad, adam.weight_decay) = (is("amsgrad"), weight_decay);
            Box::new(adam)
        }
        "torch.optim.AdamW" => Box::new(Adam::adamw(lr, weight_decay)),
        "torch.optim.Adagrad" => Box::new(Adagrad::new(lr)),
        name => panic!("no optimizer {name}"),
    }
}

#[test]
fn every_optimizer_follows_its_recorded_run() {
    let fixture = Fixture::read("train_optimizers");
    let (x, y) = (fixture.tensor("opt/x"), fixture.tensor("opt/y"));
    for run in Run::all(&fixture) {
        let (mut params, net) = Net::read(&fixture, "opt", |z| z.tanh());
        run.reproduce(
            &mut params,
            &mut *optimizer(run),
            |_, r| {
                let [_, prediction] = net.forward(r.constant(x));
                loss::mse(prediction, r.constant(y))
            },
            |_, _| (),
        );
    }
}
