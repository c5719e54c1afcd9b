//! Are sparse features good for anything? A linear classifier on the codes of autoencoders with penalties of several
//! strengths, that learns from ten labels a class or from all, tested on clean, noisy and shifted digits; beside raw pixels
//! and principal components.
//!
//! `cargo run --release -p quietgrad-lab --example probe`; see `docs/advice.md`.

#[path = "shared/digits.rs"]
mod digits;

use digits::{Autoencoder, Digits, PIXELS, Study, Way, percent};
use quietgrad::nn::{Dense, Init};
use quietgrad::optim::{Adam, Optimizer};
use quietgrad::{Params, Random, Tape, Tensor, loss};
use quietgrad_lab::report::{Axis, Figure, Ink, Panel, Side, Table};
use quietgrad_lab::train::in_parallel;
use quietgrad_lab::train::metrics::accuracy;
use quietgrad_lab::train::statistics::{bootstrap, mean, paired};

/// The standard deviation of the noise that is added to a pixel between 0 and 1.
const NOISE: f64 = 0.3;
const COMPONENTS: usize = 32;
/// What is measured: labels (ten a class, all) × test digits (clean, noisy, shifted), and the active features.
const MEASURES: usize = 7;

/// What the classifier sees of a digit.
#[derive(Clone, Copy, PartialEq)]
enum View {
    Pixels,
    Components,
    /// Codes of an autoencoder with this coefficient.
    Code(f64),
}

/// The first principal components of these rows: mean, and columns. By orthogonal iteration.
fn components(x: &Tensor<f32>, seed: u64) -> (Tensor<f32>, Tensor<f32>) {
    let mean = x.mean_axes(0);
    let centered = x.map2(&mean, |x, m| x - m);
    let covariance = product(&centered.t(), &centered);
    let mut w = Tensor::<f32>::randn([PIXELS, COMPONENTS], &mut Random::new(seed));
    for _ in 0..100 {
        w = product(&covariance, &w).t();
        // Gram and Schmidt, row by row.
        for i in 0..COMPONENTS {
            let (done, rest) = w.data_mut().split_at_mut(i * PIXELS);
            let row = &mut rest[..PIXELS];
            for other in done.chunks_exact(PIXELS) {
                let along: f32 = row.iter().zip(other).map(|(a, b)| a * b).sum();
                row.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
            }
            let length = row.iter().map(|a| a * a).sum::<f32>().sqrt();
            row.iter_mut().for_each(|a| *a /= length);
        }
        w = w.t();
    }
    (mean, w)
}

fn product(a: &Tensor<f32>, b: &Tensor<f32>) -> Tensor<f32> {
    let (mut tape, params) = (Tape::new(), Params::new());
    let r = tape.record(&params);
    r.constant(a).matmul(r.constant(b)).value()
}

/// Digits moved right by a pixel; what leaves the frame is lost.
fn shifted(x: &Tensor<f32>) -> Tensor<f32> {
    Tensor::from_fn([x.shape()[0], PIXELS], |i| if i % 8 == 0 { 0.0 } else { x.data()[i - 1] })
}

/// Weights of a linear classifier, from this much decay.
fn classifier(x: &Tensor<f32>, y: &[usize], decay: f64) -> (Params<f32>, Dense) {
    let mut params = Params::new();
    let layer = Dense::new(&mut params, "probe", [x.shape()[1], 10], Init::Zeros, &mut Random::new(0));
    let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::adamw(0.02, decay));
    for _ in 0..300 {
        let r = tape.record(&params);
        let scores = layer.forward(r.constant(x));
        loss::cross_entropy(scores, r.indices([y.len()], y)).backward(&mut grads);
        adam.step(&mut params, &grads);
    }
    (params, layer)
}

fn score((params, layer): &(Params<f32>, Dense), x: &Tensor<f32>, y: &[usize]) -> f64 {
    let mut tape = Tape::new();
    let scores = layer.forward(tape.record(params).constant(x)).value();
    accuracy(&scores.argmax(1), y)
}

fn run(view: View, epochs: usize, seed: u64) -> quietgrad_lab::Result<[f64; MEASURES]> {
    let digits = Digits::load(seed)?;
    let (x, y) = &digits.train;
    let (test, truth) = &digits.test;
    let mut random = Random::new(seed);
    let noisy = test.map(|x| x + (NOISE * random.normal()) as f32);
    let net = match view {
        View::Code(lambda) => Some(Autoencoder::train(x, Way::relu(lambda), epochs, seed)),
        _ => None,
    };
    let axes = components(x, seed);
    let seen = |x: &Tensor<f32>| match (&net, view) {
        (Some(net), _) => net.apply(x).0,
        (None, View::Components) => product(&x.map2(&axes.0, |x, m| x - m), &axes.1),
        _ => x.clone(),
    };
    // One scale for all features, so that the same decay means the same.
    let features = seen(x);
    let size =
        (features.data().iter().map(|f| f64::from(*f).powi(2)).sum::<f64>() / x.shape()[0] as f64).sqrt();
    let seen = |x: &Tensor<f32>| seen(x).map(|f| f * (8.0 / size.max(1e-12)) as f32);

    let mut few = Vec::new();
    for class in 0..10 {
        few.extend((0..y.len()).filter(|&row| y[row] == class).take(10));
    }
    let every: Vec<usize> = (0..y.len()).collect();
    let mut measures = [0.0; MEASURES];
    for (i, rows) in [few, every].into_iter().enumerate() {
        let (x, y) = (seen(&x.select_rows(&rows)), rows.iter().map(|&row| y[row]).collect::<Vec<_>>());
        let valid = seen(&digits.valid.0);
        let (probe, _) = [0.0, 0.1, 1.0, 5.0]
            .map(|decay| classifier(&x, &y, decay))
            .into_iter()
            .map(|probe| {
                let right = score(&probe, &valid, &digits.valid.1);
                (probe, right)
            })
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .expect("four probes");
        for (j, test) in [test, &noisy, &shifted(test)].into_iter().enumerate() {
            measures[3 * i + j] = score(&probe, &seen(test), truth);
        }
    }
    let codes = seen(test);
    measures[6] = codes.data().iter().filter(|&&f| f != 0.0).count() as f64 / truth.len() as f64;
    Ok(measures)
}

fn main() -> quietgrad_lab::Result<()> {
    let study = Study::new(10, 40);
    let lambdas = if study.quick { vec![0.0, 0.3] } else { vec![0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0] };
    let views: Vec<View> =
        [View::Pixels, View::Components].into_iter().chain(lambdas.iter().map(|&l| View::Code(l))).collect();
    let jobs: Vec<(View, u64)> =
        views.iter().flat_map(|&view| (0..study.seeds).map(move |seed| (view, seed))).collect();
    let runs = in_parallel(&jobs, study.threads, |&(view, seed)| run(view, study.epochs, seed))
        .into_iter()
        .collect::<quietgrad_lab::Result<Vec<_>>>()?;
    let of = |view: usize, what: usize| -> Vec<f64> {
        let n = study.seeds as usize;
        runs[view * n..(view + 1) * n].iter().map(|run| run[what]).collect()
    };
    let name = |view: View| match view {
        View::Pixels => "64 pixels".to_owned(),
        View::Components => format!("{COMPONENTS} principal components"),
        View::Code(lambda) => format!("code, l1 {lambda}"),
    };
    let headings = [
        "features",
        "active",
        "10 labels a class",
        "… noise",
        "… shifted",
        "all labels",
        "… noise",
        "… shifted",
    ];
    let mut table = Table::new(&headings);
    for (i, &view) in views.iter().enumerate() {
        let mut cells = vec![name(view), format!("{:.1}", mean(&of(i, 6)))];
        cells.extend((0..6).map(|what| percent(&of(i, what), 1)));
        table.row(cells);
    }
    study.table("advice_probe", &table)?;

    let mut against = Table::new(&[
        "code against pixels",
        "10 labels a class",
        "… noise",
        "… shifted",
        "all labels",
        "… noise",
        "… shifted",
    ]);
    for (i, &view) in views.iter().enumerate().skip(2) {
        let mut cells = vec![name(view)];
        for what in 0..6 {
            let test = paired(&of(i, what), &of(0, what));
            let sure = if test.interval.low > 0.0 || test.interval.high < 0.0 { "" } else { " (?)" };
            cells.push(format!("{:+.1}{sure}", 100.0 * test.mean).replace('-', "−"));
        }
        against.row(cells);
    }
    study.table("advice_probe_paired", &against)?;

    let mut figure = Figure::new("A moderate penalty helps a little where digits are shifted; too strong a one costs everything")
        .note(format!(
            "Held-out digits told apart, {} seeds; bands: 95 % intervals of the mean. Horizontal lines: the same classifier on \
             the pixels.",
            study.seeds
        ))
        .height(320.0);
    for (half, title) in ["ten labels a class", "a thousand labels"].into_iter().enumerate() {
        let mut panel =
            Panel::new(Axis::log("coefficient of l1"), Axis::linear("right").percent().range(0.0, 1.0))
                .title(title);
        for (what, (ink, label)) in
            [(Ink::Second, "clean"), (Ink::Story, "noise added"), (Ink::Third, "shifted by a pixel")]
                .into_iter()
                .enumerate()
        {
            let penalized = || {
                views.iter().enumerate().filter_map(|(i, view)| match view {
                    View::Code(lambda) if *lambda > 0.0 => Some((*lambda, of(i, 3 * half + what))),
                    _ => None,
                })
            };
            let line: Vec<(f64, f64)> = penalized().map(|(lambda, right)| (lambda, mean(&right))).collect();
            let band: Vec<(f64, f64, f64)> = penalized()
                .map(|(lambda, right)| {
                    let sure = bootstrap(&right);
                    (lambda, sure.low, sure.high)
                })
                .collect();
            let pixels = mean(&of(0, 3 * half + what));
            let ends = [(line[0].0, pixels), (line[line.len() - 1].0, pixels)];
            panel = panel.band(&band, ink).line(&ends, Ink::Muted).line(&line, ink).label_at(
                0.1,
                label,
                Side::Above,
            );
        }
        figure = figure.panel(panel);
    }
    study.figure("advice_probe", &figure)
}
