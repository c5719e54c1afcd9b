//! What a unit stands for: the decoder's rows as pictures, with and without a penalty, and one held-out digit as the sum of
//! its five strongest features.
//!
//! `cargo run --release -p quietgrad-lab --example features`; see `docs/advice.md`.

#[path = "shared/digits.rs"]
mod digits;

use digits::{Autoencoder, Digits, PIXELS, Study, Way, percent, spread};
use quietgrad_lab::report::{Figure, Panel, Ramp, Table};
use quietgrad_lab::train::in_parallel;

const LAMBDA: f64 = 0.3;

/// The share of a digit's squared pixels, around the decoder's bias, that its five strongest features leave unexplained, in
/// the mean over digits; and how many pixels a unit's feature takes: its participation ratio (Σw²)² / Σw⁴.
fn measure(net: &Autoencoder, digits: &Digits) -> [f64; 3] {
    let (h, _) = net.apply(&digits.test.0);
    let (w, b) = (net.params.get(net.decoder.w), net.params.get(net.decoder.b));
    let (mut missed, mut whole) = (0.0, 0.0);
    for (x, h) in digits.test.0.rows().zip(h.rows()) {
        let sum = parts(h, w).iter().take(5).fold(b.to_vec(), |sum, part| {
            sum.iter().zip(&part.1).map(|(sum, part)| sum + part).collect::<Vec<f32>>()
        });
        missed += x.iter().zip(&sum).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>();
        whole += x.iter().zip(b).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>();
    }
    let taken = w.chunks_exact(PIXELS).map(|row| {
        let squares: f64 = row.iter().map(|w| f64::from(*w).powi(2)).sum();
        squares.powi(2) / row.iter().map(|w| f64::from(*w).powi(4)).sum::<f64>()
    });
    let units = w.len() / PIXELS;
    [missed / whole, net.code(&digits.test.0).l0(), taken.sum::<f64>() / units as f64]
}

/// What each active unit adds to a digit, the strongest first: its activation, and that times its row of the decoder.
fn parts(h: &[f32], w: &[f32]) -> Vec<(f32, Vec<f32>)> {
    let mut parts: Vec<(f32, Vec<f32>)> = h
        .iter()
        .zip(w.chunks_exact(PIXELS))
        .filter(|(h, _)| **h > 0.0)
        .map(|(&h, row)| (h, row.iter().map(|w| h * w).collect()))
        .collect();
    parts.sort_by(|a, b| b.0.total_cmp(&a.0));
    parts
}

fn main() -> quietgrad_lab::Result<()> {
    let study = Study::new(8, 100);
    let ways = [("no penalty", 0.0), ("l1, 0.3", LAMBDA)];
    let headings = ["penalty", "missed by five features", "active of 256", "pixels that a feature takes"];
    let mut table = Table::new(&headings);
    for (name, lambda) in ways {
        let seeds: Vec<u64> = (0..study.seeds).collect();
        let runs = in_parallel(&seeds, study.threads, |&seed| {
            let digits = Digits::load(seed)?;
            let net = Autoencoder::train(&digits.train.0, Way::relu(lambda), study.epochs, seed);
            Ok(measure(&net, &digits))
        });
        let runs = runs.into_iter().collect::<quietgrad_lab::Result<Vec<_>>>()?;
        let of = |i: usize| runs.iter().map(|run| run[i]).collect::<Vec<f64>>();
        table.row([name.to_owned(), percent(&of(0), 1), spread(&of(1), 1), spread(&of(2), 1)]);
    }
    study.table("advice_features", &table)?;

    let digits = Digits::load(0)?;
    let nets =
        ways.map(|(_, lambda)| Autoencoder::train(&digits.train.0, Way::relu(lambda), study.epochs, 0));
    let mut tiles = Figure::new("With a penalty features look like digits and parts of them; without one, like noise")
        .note(
            "Decoder rows of the 64 units that answer most often on held-out digits. Orange adds ink, blue takes it away.",
        );
    for ((name, _), net) in ways.iter().zip(&nets) {
        let densities = net.code(&digits.test.0).densities();
        let mut order: Vec<usize> = (0..densities.len()).collect();
        order.sort_by(|&a, &b| densities[b].total_cmp(&densities[a]));
        let rows: Vec<&[f32]> = net.params.get(net.decoder.w).chunks_exact(PIXELS).collect();
        let images: Vec<Vec<f64>> =
            order[..64].iter().map(|&unit| rows[unit].iter().map(|&w| f64::from(w)).collect()).collect();
        tiles = tiles.panel(Panel::tiles(&images, 8, 8, Ramp::Signed).title(*name));
    }
    study.figure("advice_features", &tiles)?;

    let digit = digits.test.1.iter().position(|&label| label == 3).expect("every class is in every part");
    let mut sums = Figure::new("One held-out digit, and what its five strongest units add to it")
        .note("Sum: the five parts and the decoder's bias. Orange adds ink, blue takes it away.")
        .columns(1);
    for ((name, _), net) in ways.iter().zip(&nets) {
        let (h, y) = net.apply(&digits.test.0);
        let parts = parts(h.row(digit), net.params.get(net.decoder.w));
        let wide = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
        let mut images = vec![("digit".to_owned(), wide(digits.test.0.row(digit)))];
        let mut sum = net.params.get(net.decoder.b).to_vec();
        for (strength, part) in parts.iter().take(5) {
            sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
            images.push((format!("{strength:.2} ×"), wide(part)));
        }
        images.push(("sum".to_owned(), wide(&sum)));
        images.push(("all units".to_owned(), wide(y.row(digit))));
        let title = format!("{name}: {} units answer", parts.len());
        sums = sums.panel(Panel::captioned(&images, 8, Ramp::Signed).title(title));
    }
    study.figure("advice_sum", &sums)
}
