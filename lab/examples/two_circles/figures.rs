//! What the case study looks like.

use quietgrad_lab::report::{Axis, Figure, Ink, Panel, Side};
use quietgrad_lab::train::statistics::{bootstrap, mean};

use super::net::{Data, Run, run};
use super::{Case, Sweep, all, mean_curve};

type Results<'a> = [(&'a Case, Vec<Run>)];
type Quantity = fn(&Run) -> f64;

/// The names of the tutorial's three, short.
const SHORT: [&str; 3] = ["no penalty", "l1 before relu", "l1 after relu"];
const INKS: [Ink; 3] = [Ink::Muted, Ink::Second, Ink::Story];

/// What the first seed's network takes each place for.
pub fn boundary(data: &Data, results: &Results) -> Figure {
    let span = (-1.6, 1.6);
    let mut figure = Figure::new("Thirty points, three boundaries")
        .note(
            "Orange: taken for the inner circle; blue: for the outer one; pale where the network is not sure. The dots are \
             the points it learned from; the circle halfway between the two classes is what it should have found. Seed 0.",
        )
        .height(248.0);
    for (i, name) in SHORT.iter().enumerate() {
        let net = &results[i].1[0].net;
        let axis = || Axis::linear("").range(span.0, span.1).ticks(&[-1.0, 0.0, 1.0]);
        let field = |x: f64, y: f64| {
            let (_, logits) = net.outputs(&quietgrad::Tensor::from([[x, y]]));
            1.0 / (1.0 + (-logits[0]).exp())
        };
        let of_class = |class: usize| -> Vec<(f64, f64)> {
            let rows = data.train.x.rows().zip(&data.train.y).filter(|(_, y)| **y == class);
            rows.map(|(row, _)| (row[0], row[1])).collect()
        };
        let circle: Vec<(f64, f64)> = (0..=120)
            .map(|i| f64::from(i) * std::f64::consts::TAU / 120.0)
            .map(|a| (0.9 * a.cos(), 0.9 * a.sin()))
            .collect();
        let panel = Panel::new(axis(), axis())
            .title(*name)
            .field(span, span, (0.0, 1.0), field)
            .line(&circle, Ink::Muted)
            .dots(&of_class(0), Ink::Second)
            .dots(&of_class(1), Ink::Story);
        figure = figure.panel(panel);
    }
    figure
}

/// The loss on points that were not learned from, over the epochs.
pub fn curves(results: &Results) -> Figure {
    let mut panel =
        Panel::new(Axis::linear("epoch"), Axis::linear("loss on 1000 new points").range(0.0, 2.1));
    for i in 0..3 {
        let runs = &results[i].1;
        let curve: Vec<(f64, f64)> =
            mean_curve(runs).iter().map(|&(epoch, _, valid)| (epoch, valid)).collect();
        let band: Vec<(f64, f64, f64)> = (0..curve.len())
            .map(|point| {
                let mut losses = all(runs, |run| run.curve[point].2);
                losses.sort_by(f64::total_cmp);
                let last = losses.len() - 1;
                (curve[point].0, losses[last / 10], losses[last - last / 10])
            })
            .collect();
        panel = panel.band(&band, INKS[i]).line(&curve, INKS[i]).label(SHORT[i]);
    }
    panel = panel.horizontal(std::f64::consts::LN_2, "a guess has 0.69");
    Figure::new("The loss on new points falls for a few hundred epochs and then climbs; a penalty slows that")
        .note("l1 of 1e-4, summed over the batch of 30. Mean of the seeds; the bands hold all but the lowest and highest tenth.")
        .panel(panel)
        .height(330.0)
}

/// Where the pre-activations lie before and after training.
pub fn histograms(epochs: usize, data: &Data, results: &Results) -> Figure {
    let points = data.fresh.x.select_rows(&(0..data.fresh.y.len().min(400)).collect::<Vec<_>>());
    let numbers =
        |run: &Run| -> Vec<f64> { run.net.outputs(&points).0.data().iter().map(|&z| f64::from(z)).collect() };
    let begin = numbers(&run(data, None, 0, 0));
    let mut figure = Figure::new("Before the relu l1 gathers the pre-activations around 0; behind it, below 0")
        .note(format!(
            "Pre-activations of 500 units for 400 new points: gray before training, in colour after {epochs} epochs. What is \
             left of 0 the relu makes exactly 0."
        ))
        .height(260.0);
    for (i, name) in SHORT.iter().enumerate() {
        let range = (-1.0, 1.0);
        let share = |numbers: &[f64]| {
            let mut bins = vec![0.0; 60];
            for z in numbers {
                let at = (z - range.0) / (range.1 - range.0) * 60.0;
                if (0.0..60.0).contains(&at) {
                    bins[at as usize] += 1.0 / numbers.len() as f64;
                }
            }
            bins
        };
        let edges: Vec<f64> = (0..=60).map(|i| range.0 + (range.1 - range.0) * f64::from(i) / 60.0).collect();
        let y =
            Axis::log("share of all (log scale)").percent().range(1e-3, 1.0).ticks(&[1e-3, 1e-2, 0.1, 1.0]);
        let panel = Panel::new(Axis::linear("pre-activation z").range(range.0, range.1), y)
            .title(*name)
            .bars(&edges, &share(&begin), Ink::Muted)
            .bars(&edges, &share(&numbers(&results[i].1[0])), if i == 0 { Ink::Third } else { INKS[i] })
            .vertical(0.0, "");
        figure = figure.panel(panel);
    }
    figure
}

/// Accuracy, loss, active and dead units over the coefficient.
pub fn coefficient(base: &[Run], sweeps: &[Sweep; 2], seeds: u64) -> Figure {
    let quantities: [(&str, Quantity); 4] = [
        ("accuracy on 10,000 new points", |run| run.fresh_accuracy),
        ("loss on them", |run| run.fresh_loss),
        ("active units for a point, of 500", |run| run.l0),
        ("dead units, of 500", |run| run.dead),
    ];
    let mut figure = Figure::new("The more is charged, the fewer units answer; the cliff comes at 0.1")
        .note(format!(
            "l1 with this coefficient per sample, {seeds} seeds each; bands: 95 % intervals of the mean. The horizontal line is \
             the network without a penalty."
        ))
        .columns(2)
        .height(270.0);
    for (i, (name, of)) in quantities.into_iter().enumerate() {
        let y = Axis::linear(name);
        let y = match i {
            0 => y.percent(),
            _ => y,
        };
        let mut panel = Panel::new(Axis::log("coefficient"), y).horizontal(mean(&all(base, of)), "");
        for (sweep, (ink, label)) in
            sweeps.iter().zip([(Ink::Second, "before relu"), (Ink::Story, "after relu")])
        {
            let line: Vec<(f64, f64)> =
                sweep.points.iter().map(|(lambda, runs)| (*lambda, mean(&all(runs, of)))).collect();
            let band: Vec<(f64, f64, f64)> = sweep
                .points
                .iter()
                .map(|(lambda, runs)| {
                    let sure = bootstrap(&all(runs, of));
                    (*lambda, sure.low, sure.high)
                })
                .collect();
            panel = panel.band(&band, ink).line(&line, ink);
            if i == 2 {
                panel = panel.label_at(1e-3, label, if ink == Ink::Story { Side::Left } else { Side::Below });
            }
        }
        figure = figure.panel(panel);
    }
    figure
}
