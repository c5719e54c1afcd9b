//! The plots of the book's chapters: what is drawn of a measurement, or of a formula.

use quietgrad::optim::{Adam, Optimizer, Sgd};
use quietgrad::scalar::{self, Gradient};
use quietgrad::{Params, Random, Tape, Tensor};
use quietgrad_lab::report::{Axis, Figure, Ink, Panel, Ramp, Side};

use crate::autoencoder::{Autoencoder, Digits, PIXELS, Setting};
use crate::experiments::{Effort, Learned, Point, Points, Probe, Scaling};

/// `count + 1` points from `lo` to `hi`.
fn span(lo: f64, hi: f64, count: usize) -> impl Iterator<Item = f64> {
    (0..=count).map(move |i| lo + (hi - lo) * i as f64 / count as f64)
}

fn curve(lo: f64, hi: f64, f: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
    span(lo, hi, 400).map(|x| (x, f(x))).collect()
}

/// y of a, with its tangent, and a bump that can be seen.
pub fn bump() -> Figure {
    let y = |a: f64| 3.0 * a + a.sin();
    let (at, slope, h) = (2.0, 3.0 + 2f64.cos(), 1.2);
    let tangent = |a: f64| y(at) + slope * (a - at);
    Figure::new("A bump h raises y by about 2.584 h").note("y = a b + sin a, for b = 3").height(340.0).panel(
        Panel::new(Axis::linear("a").range(0.0, 4.5), Axis::linear("y").range(0.0, 14.0))
            .line(&curve(0.0, 4.5, y), Ink::Second)
            .label_at(4.2, "y", Side::Below)
            .line(&[(0.7, tangent(0.7)), (4.2, tangent(4.2))], Ink::Muted)
            .line(&[(at, y(at)), (at + h, y(at)), (at + h, tangent(at + h))], Ink::Story)
            .words((at + h / 2.0, y(at)), "h", Ink::Story, Side::Below)
            .words((at + h, f64::midpoint(y(at), tangent(at + h))), "2.584 h", Ink::Story, Side::Right)
            .dots(&[(at, y(at))], Ink::Text)
            .words((at, y(at)), "a = 2", Ink::Text, Side::Above),
    )
}

/// The error of a difference quotient over h.
pub fn error_over_h() -> Figure {
    let hs: Vec<f64> = span(-15.0, -0.5, 116).map(|k| 10f64.powf(k)).collect();
    let slope = 1f64.cos();
    let line = |f: &dyn Fn(f64) -> f64| -> Vec<(f64, f64)> {
        hs.iter().map(|&h| (h, (f(h) - slope).abs().max(1e-14))).collect()
    };
    let one = line(&|h| ((1.0 + h).sin() - 1f64.sin()) / h);
    let two = line(&|h| ((1.0 + h).sin() - (1.0 - h).sin()) / (2.0 * h));
    Figure::new("Too large an h, or too small: the error is a V")
        .note("the slope of sin x at 1, by a bump to one side and to both")
        .height(340.0)
        .panel(
            Panel::new(
                Axis::log("h").ticks(&[1e-15, 1e-12, 1e-9, 1e-6, 1e-3]),
                Axis::log("error").range(1e-13, 1.0).ticks(&[1e-12, 1e-9, 1e-6, 1e-3, 1.0]),
            )
            .line(&two, Ink::Second)
            .words((7e-3, 4e-7), "both sides", Ink::Second, Side::Right)
            .line(&one, Ink::Story)
            .words((4e-5, 2e-4), "one side", Ink::Story, Side::Left)
            .words((1e-13, 3e-2), "digits cancel", Ink::Muted, Side::Right)
            .words((3e-2, 1.5e-1), "the curve bends", Ink::Muted, Side::Left),
        )
}

/// The plain-number network of the chapter, at three moments.
pub fn circles_moments() -> Figure {
    const UNITS: usize = 8;
    fn score<'t>(w: &[scalar::Var<'t>], [x, y]: [f64; 2]) -> scalar::Var<'t> {
        let (hidden, output) = w.split_at(3 * UNITS);
        let mut sum = output[UNITS];
        for (unit, &out) in hidden.chunks(3).zip(output) {
            sum += (unit[0] * x + unit[1] * y + unit[2]).tanh() * out;
        }
        sum
    }
    let points: Vec<([f64; 2], f64)> = (0..40)
        .map(|i| {
            let (angle, inner) = (0.157 * f64::from(i), i % 2 == 0);
            let radius = if inner { 0.5 } else { 1.0 };
            ([radius * angle.cos(), radius * angle.sin()], if inner { 1.0 } else { -1.0 })
        })
        .collect();
    let of = |wanted: f64| -> Vec<(f64, f64)> {
        points.iter().filter(|(_, side)| *side == wanted).map(|([x, y], _)| (*x, *y)).collect()
    };
    let mut random = Random::new(1);
    let mut weights: Vec<f64> = (0..=4 * UNITS).map(|_| random.normal()).collect();
    let (mut tape, mut gradient) = (scalar::Tape::new(), Gradient::default());
    let mut figure = Figure::new("Learned on plain numbers: inner or outer circle?").height(250.0);
    for step in 0..=300 {
        if [0, 30, 300].contains(&step) {
            let at = weights.clone();
            let f = move |x: f64, y: f64| {
                let tape = scalar::Tape::new();
                let w: Vec<_> = at.iter().map(|&w| tape.var(w)).collect();
                score(&w, [x, y]).sigmoid().value()
            };
            figure = figure.panel(
                Panel::new(Axis::linear("").ticks(&[]), Axis::linear("").ticks(&[]))
                    .title(format!("step {step}"))
                    .field((-1.3, 1.3), (-1.3, 1.3), (0.0, 1.0), f)
                    .dots(&of(1.0), Ink::Story)
                    .dots(&of(-1.0), Ink::Second),
            );
        }
        tape.clear();
        let w: Vec<_> = weights.iter().map(|&w| tape.var(w)).collect();
        let terms = points.iter().map(|&(point, side)| (score(&w, point) * -side).softplus());
        let loss = terms.reduce(|sum, term| sum + term).expect("points") / points.len() as f64;
        loss.gradient_into(&mut gradient);
        let slopes: Vec<f64> = w.iter().map(|&w| gradient[w]).collect();
        weights.iter_mut().zip(slopes).for_each(|(w, slope)| *w -= 0.5 * slope);
    }
    figure
}

/// Three corners, and the slope that is taken there.
pub fn kinks() -> Figure {
    let panel = |title: &str, f: fn(f64) -> f64, slope: f64, words: &str| {
        Panel::new(
            Axis::linear("x").range(-1.0, 1.0).ticks(&[-1.0, 0.0, 1.0]),
            Axis::linear("").range(-0.4, 1.0).ticks(&[0.0, 1.0]),
        )
        .title(title)
        .line(&curve(-1.0, 1.0, f), Ink::Second)
        .line(&[(-0.45, -0.45 * slope), (0.45, 0.45 * slope)], Ink::Story)
        .dots(&[(0.0, 0.0)], Ink::Story)
        .words((0.0, -0.1), words, Ink::Story, Side::Below)
    };
    Figure::new("One slope is chosen at each corner")
        .height(230.0)
        .panel(panel("relu", |x| x.max(0.0), 0.0, "slope 0"))
        .panel(panel("|x|", f64::abs, 0.0, "slope 0"))
        .panel(panel("max(x, 0), a tie", |x| x.max(0.0), 0.5, "slope ½"))
}

/// Three optimizers in Rosenbrock's valley.
pub fn valley() -> Figure {
    let height = |x: f64, y: f64| (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2);
    let path = |optimizer: &mut dyn Optimizer<f64>| -> Vec<(f64, f64)> {
        let mut params = Params::new();
        let at = params.add("at", Tensor::from([-1.2, 1.0]));
        let (mut tape, mut grads, mut path) = (Tape::new(), params.zeros(), vec![(-1.2, 1.0)]);
        for _ in 0..1000 {
            let r = tape.record(&params);
            let (x, y) = (r.param(at).slice(0, 0..1), r.param(at).slice(0, 1..2));
            let f = (1.0 - x).square() + (y - x.square()).square() * 100.0;
            f.sum().backward(&mut grads);
            optimizer.step(&mut params, &grads);
            path.push((params.data()[0], params.data()[1]));
        }
        path
    };
    let (x, y) = ((-1.6, 1.6), (-0.5, 1.8));
    let ways: [(&str, Vec<(f64, f64)>); 3] = [
        ("Sgd", path(&mut Sgd::new(1e-3))),
        ("momentum", path(&mut Sgd::momentum(1e-3, 0.9))),
        ("Adam", path(&mut Adam::new(0.1))),
    ];
    let mut figure = Figure::new("A thousand steps in Rosenbrock's valley")
        .note("from (−1.2, 1) to the lowest point, (1, 1); the darker, the higher")
        .height(260.0);
    for (name, path) in ways {
        let side = 120;
        let heights: Vec<f64> = (0..side * side)
            .map(|i| {
                let at = |(lo, hi): (f64, f64), i: usize| lo + (hi - lo) * (i as f64 + 0.5) / side as f64;
                height(at(x, i % side), at((y.1, y.0), i / side)).ln_1p()
            })
            .collect();
        let end = path[path.len() - 1];
        let left = (end.0 - 1.0).hypot(end.1 - 1.0);
        println!("{name}: {left:.4} from the lowest point after 1000 steps");
        figure = figure.panel(
            Panel::new(
                Axis::linear("x").range(x.0, x.1).ticks(&[-1.0, 0.0, 1.0]),
                Axis::linear("y").range(y.0, y.1).ticks(&[0.0, 1.0]),
            )
            .title(name)
            .image(&heights, side, (0.0, 12.0), Ramp::Amount, x, y)
            .line(&path, Ink::Story)
            .dots(&[(1.0, 1.0)], Ink::Text)
            .dots(&[(-1.2, 1.0)], Ink::Story),
        );
    }
    figure
}

/// What l1 and l2 make of a number, and the diamond and the disc.
pub fn shrinkage() -> Figure {
    let lambda = 0.3;
    let l1 = |a: f64| a.signum() * (a.abs() - lambda).max(0.0);
    let l2 = |a: f64| a / (1.0 + 2.0 * lambda);
    let left = Panel::new(
        Axis::linear("what the data want, a").range(-1.0, 1.0),
        Axis::linear("what they get").range(-1.0, 1.0),
    )
    .title("λ = 0.3")
    .line(&[(-1.0, -1.0), (1.0, 1.0)], Ink::Muted)
    .line(&curve(-1.0, 1.0, l2), Ink::Second)
    .line(&curve(-1.0, 1.0, l1), Ink::Story)
    .words((0.66, 0.3), "l1", Ink::Story, Side::Below)
    .words((-0.75, -0.42), "l2", Ink::Second, Side::Above)
    .words((-0.35, 0.04), "exactly 0", Ink::Story, Side::Above);
    // The fit's ellipses around (1, 0.3); the least l1 and l2 prices at the same misfit.
    let ellipse = |size: f64, points: usize| -> Vec<(f64, f64)> {
        span(0.0, std::f64::consts::TAU, points)
            .map(|t| (1.0 + 0.7 * size * t.cos(), 0.3 + 1.2 * size * t.sin()))
            .collect()
    };
    let plane = |title: &str| {
        Panel::new(
            Axis::linear("x₁").range(-0.9, 1.5).ticks(&[0.0, 1.0]),
            Axis::linear("x₂").range(-0.85, 1.01).ticks(&[0.0, 1.0]),
        )
        .title(title)
    };
    let touch = |price: fn(f64, f64) -> f64, size: f64| {
        let points = ellipse(size, 2000).into_iter();
        points.min_by(|a, b| price(a.0, a.1).total_cmp(&price(b.0, b.1))).expect("points")
    };
    let size = 0.5;
    let (a, b) = (touch(|x, y| x.abs() + y.abs(), size), touch(f64::hypot, size));
    let (s, r) = (a.0.abs() + a.1.abs(), b.0.hypot(b.1));
    let diamond = [(s, 0.0), (0.0, s), (-s, 0.0), (0.0, -s), (s, 0.0)];
    let disc: Vec<_> = span(0.0, std::f64::consts::TAU, 100).map(|t| (r * t.cos(), r * t.sin())).collect();
    let rings = |panel: Panel| {
        [0.17, 0.33, size].into_iter().fold(panel, |p, s| p.line(&ellipse(s, 200), Ink::Muted))
    };
    Figure::new("l1 takes λ away, l2 divides")
        .note("right: the cheapest code of equal misfit (gray); the diamond is touched at a corner, where x₂ = 0")
        .height(250.0)
        .panel(left)
        .panel(rings(plane("l1: a diamond")).line(&diamond, Ink::Story).dots(&[a], Ink::Story))
        .panel(rings(plane("l2: a disc")).line(&disc, Ink::Second).dots(&[b], Ink::Second))
}

/// What the circles' network learned, without and with a penalty, and its losses.
pub fn overfit(effort: Effort) -> Figure {
    let (train, test) = (Points::circles(30, 1), Points::circles(1000, 101));
    let steps = if effort.quick { 50 } else { 4000 };
    let learned = [0.0, 0.1].map(|lambda| Learned::from_circles(&train, &test, lambda, 1, steps));
    let of = |class: f32| -> Vec<(f64, f64)> {
        let rows = train.x.rows().zip(train.y.data()).filter(|(_, y)| **y == class);
        rows.map(|(row, _)| (f64::from(row[0]), f64::from(row[1]))).collect()
    };
    let boundary = |learned: &Learned, title: &str| {
        let f = |x: f64, y: f64| {
            let (score, _) = learned.scores(&Tensor::from([[x as f32, y as f32]]));
            1.0 / (1.0 + f64::from(-score.item()).exp())
        };
        Panel::new(Axis::linear("").ticks(&[]), Axis::linear("").ticks(&[]))
            .title(title)
            .field((-1.5, 1.5), (-1.5, 1.5), (0.0, 1.0), f)
            .dots(&of(1.0), Ink::Story)
            .dots(&of(0.0), Ink::Second)
    };
    let losses = |pick: fn(&(usize, f64, f64)) -> f64, learned: &Learned| -> Vec<(f64, f64)> {
        learned.losses.iter().map(|row| (row.0 as f64, pick(row))).collect()
    };
    let curves =
        Panel::new(Axis::linear("step").ticks(&[0.0, 2000.0, 4000.0]), Axis::linear("loss").range(0.0, 1.6))
            .title("loss")
            .line(&losses(|row| row.1, &learned[0]), Ink::Muted)
            .label_at(1500.0, "on the 30", Side::Above)
            .line(&losses(|row| row.2, &learned[0]), Ink::Second)
            .label_at(3000.0, "λ = 0", Side::Above)
            .line(&losses(|row| row.2, &learned[1]), Ink::Story)
            .label_at(3000.0, "λ = 0.1", Side::Above);
    Figure::new("Learned by heart, or not")
        .note("30 points, 500 units, one draw of twelve. Right: on new points, and gray on the 30 (λ = 0)")
        .height(240.0)
        .panel(boundary(&learned[0], "λ = 0"))
        .panel(boundary(&learned[1], "λ = 0.1"))
        .panel(curves)
}

pub fn sums(ways: &[(&'static str, Vec<f32>); 3]) -> Figure {
    let mut figure = Figure::new("After the relu the penalty moves the hill, before it, narrows it")
        .note("sums z of all units and digits; right of the line, 0, a unit is on. The third hill is cut off above")
        .height(230.0);
    for (i, (name, sums)) in ways.iter().enumerate() {
        let sums: Vec<f64> = sums.iter().map(|&z| f64::from(z)).collect();
        let ink = [Ink::Muted, Ink::Story, Ink::Second][i];
        figure = figure.panel(
            Panel::new(
                Axis::linear("z").range(-0.5, 0.5).ticks(&[-0.4, 0.0, 0.4]),
                Axis::linear("").range(0.0, 40_000.0).ticks(&[]),
            )
            .title(*name)
            .histogram(&sums, (-0.5, 0.5), 50, ink)
            .vertical(0.0, ""),
        );
    }
    figure
}

pub fn standardize(rows: &[Scaling]) -> Figure {
    // λ = 0 has no place on a logarithmic axis: it is drawn at the left end.
    let at = |lambda: f64| lambda.max(2e-4);
    let each: Vec<_> = rows.iter().map(|row| (at(row.lambda), row.each_pixel.mean)).collect();
    let one: Vec<_> = rows.iter().map(|row| (at(row.lambda), row.globally.mean)).collect();
    let dots = |pick: fn(&Scaling) -> &[f64]| -> Vec<(f64, f64)> {
        rows.iter().flat_map(|row| pick(row).iter().map(move |&y| (at(row.lambda), y))).collect()
    };
    Figure::new("A scale for each pixel: the result depends on the draw")
        .note("held-out digits; a dot for each of five seeds, lines through the means")
        .height(320.0)
        .panel(
            Panel::new(
                Axis::log("λ (leftmost: 0)").range(1.6e-4, 0.15).ticks(&[1e-3, 1e-2, 1e-1]),
                Axis::linear("unexplained, %").range(0.0, 85.0),
            )
            .line(&each, Ink::Story)
            .label("each pixel")
            .dots(&dots(|row| &row.seeds[0]), Ink::Story)
            .line(&one, Ink::Second)
            .label("one scale")
            .dots(&dots(|row| &row.seeds[1]), Ink::Second),
        )
}

pub fn overcomplete(rows: &[Point]) -> Figure {
    let pick = |lambda: f64, f: fn(&Point) -> f64| -> Vec<(f64, f64)> {
        rows.iter().filter(|p| p.lambda == lambda).map(|p| (p.units as f64, f(p))).collect()
    };
    let panel = |title: &str, y: Axis, f: fn(&Point) -> f64| {
        Panel::new(Axis::log("units").ticks(&[16.0, 64.0, 256.0, 1024.0]), y)
            .title(title)
            .line(&pick(0.0, f), Ink::Second)
            .label("λ = 0")
            .dots(&pick(0.0, f), Ink::Second)
            .line(&pick(3e-2, f), Ink::Story)
            .label("λ = 0.03")
            .dots(&pick(3e-2, f), Ink::Story)
    };
    Figure::new("Wider layers, held-out digits")
        .note("64 pixels; mean of 3 seeds")
        .height(280.0)
        .panel(panel("active for a digit", Axis::log("units").ticks(&[10.0, 30.0, 100.0, 300.0]), |p| {
            p.active.mean
        }))
        .panel(panel("unexplained", Axis::linear("%").range(0.0, 30.0), |p| p.unexplained.mean))
}

pub fn strength(rows: &[Point]) -> Figure {
    let pick = |warm_up: usize, f: fn(&Point) -> f64| -> Vec<(f64, f64)> {
        rows.iter().filter(|p| p.warm_up == warm_up).map(|p| (p.lambda, f(p))).collect()
    };
    let ticks = [1e-4, 1e-3, 1e-2, 1e-1, 1.0];
    Figure::new("From nothing to nothing: the whole range of λ")
        .note("held-out digits, 256 units, mean of 3 seeds")
        .height(280.0)
        .panel(
            Panel::new(Axis::log("λ").ticks(&ticks), Axis::linear("%").range(0.0, 100.0))
                .title("unexplained")
                .line(&pick(0, |p| p.unexplained.mean), Ink::Story)
                .dots(&pick(0, |p| p.unexplained.mean), Ink::Story),
        )
        .panel(
            Panel::new(Axis::log("λ").ticks(&ticks), Axis::linear("units, of 256").range(0.0, 120.0))
                .title("active for a digit")
                .line(&pick(0, |p| p.active.mean), Ink::Second)
                .dots(&pick(0, |p| p.active.mean), Ink::Second),
        )
}

pub fn controller(seen: &[(f64, f64, f64)]) -> Figure {
    let line = |f: fn(&(f64, f64, f64)) -> f64| -> Vec<(f64, f64)> {
        seen.iter().map(|row| (row.0, f(row))).collect()
    };
    Figure::new("The controller finds the coefficient")
        .note("one run; wanted: a tenth of 256 units active")
        .height(240.0)
        .panel(
            Panel::new(Axis::linear("step"), Axis::log("λ").ticks(&[1e-3, 1e-2, 1e-1, 1.0]))
                .title("coefficient")
                .line(&line(|row| row.1), Ink::Story),
        )
        .panel(
            Panel::new(Axis::linear("step"), Axis::linear("").percent().range(0.0, 0.6))
                .title("active, of all units")
                .line(&line(|row| row.2), Ink::Second)
                .horizontal(0.1, "wanted"),
        )
}

/// What units paint, and a digit as a sum of what its strongest five paint.
pub fn features(effort: Effort) -> [Figure; 2] {
    let digits = Digits::load(0);
    let (x, held_out) = digits.scaled();
    let models = [0.0, 0.1].map(|lambda| Autoencoder::train(&x, Setting::new(effort.epochs(), lambda, 0)));
    let tiles = |model: &Autoencoder| -> Vec<Vec<f64>> {
        let codes = model.codes(&x);
        // The units that are on most often.
        let mut order: Vec<usize> = (0..256).collect();
        let on = |unit: usize| codes.rows().filter(|row| row[unit] > 0.0).count();
        order.sort_by_key(|&unit| std::cmp::Reverse(on(unit)));
        let w = model.params.get(model.decoder.w);
        let paints = |unit: usize| w[unit * PIXELS..][..PIXELS].iter().map(|&w| f64::from(w)).collect();
        order.into_iter().take(40).map(paints).collect()
    };
    let wall = Figure::new("What the forty busiest units paint")
        .note("rows of the decoder, 8 x 8 pixels: orange adds ink, blue takes it away")
        .panel(Panel::tiles(&tiles(&models[0]), 8, 8, Ramp::Signed).title("λ = 0"))
        .panel(Panel::tiles(&tiles(&models[1]), 8, 8, Ramp::Signed).title("λ = 0.1"));

    let model = &models[1];
    let row = (0..digits.test_labels.len()).find(|&row| digits.test_labels[row] == 3).expect("a three");
    let codes = model.codes(&held_out.select_rows(&[row]));
    let mut order: Vec<usize> = (0..256).filter(|&unit| codes.data()[unit] > 0.0).collect();
    order.sort_by(|&a, &b| codes.data()[b].total_cmp(&codes.data()[a]));
    println!("\na three: {} of 256 units active", order.len());
    let image = |tensor: &Tensor<f32>| tensor.data().iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
    let sum_of = |count: usize| {
        let kept = &order[..count.min(order.len())];
        let some =
            Tensor::from_fn([1, 256], |unit| if kept.contains(&unit) { codes.data()[unit] } else { 0.0 });
        image(&model.reconstruct(&some))
    };
    let shown: Vec<(String, Vec<f64>)> = [
        ("the digit".to_owned(), image(&held_out.select_rows(&[row]))),
        ("bias alone".to_owned(), sum_of(0)),
        ("+ 1 unit".to_owned(), sum_of(1)),
        ("+ 3".to_owned(), sum_of(3)),
        ("+ 5".to_owned(), sum_of(5)),
        ("+ 10".to_owned(), sum_of(10)),
        (format!("all {}", order.len()), sum_of(256)),
    ]
    .into();
    let sum = Figure::new("A three, unit by unit")
        .note("held out; λ = 0.1; the strongest units first; blue is less ink than in the mean digit")
        .panel(Panel::captioned(&shown, 8, Ramp::Signed));
    [wall, sum]
}

pub fn probe(rows: &[Probe]) -> Figure {
    let names: Vec<&str> = rows.iter().map(|row| row.name.trim_start_matches("code, ")).collect();
    let mut figure = Figure::new("A classifier of codes, from ten labelled digits a class")
        .note(
            "from pixels or a code with this λ: right on held-out digits; mean and standard error, 10 seeds",
        )
        .height(260.0)
        .columns(3);
    let panels = [
        ("plain", (88.0, 92.0), [88.0, 90.0, 92.0]),
        ("with noise", (64.0, 82.0), [64.0, 72.0, 80.0]),
        ("moved by a pixel", (32.0, 41.0), [32.0, 36.0, 40.0]),
    ];
    for (i, (title, (lo, hi), ticks)) in panels.into_iter().enumerate() {
        let bars: Vec<_> = rows
            .iter()
            .enumerate()
            .map(|(row, probe)| {
                let spread = probe.right[i];
                (spread.mean, spread.mean - spread.error, spread.mean + spread.error, row as f64)
            })
            .collect();
        let y = if i == 0 { Axis::names("", &names) } else { Axis::linear("").ticks(&[]) };
        let y = y.range(names.len() as f64 - 0.5, -0.5);
        figure = figure.panel(
            Panel::new(Axis::linear("%").range(lo, hi).ticks(&ticks), y)
                .title(title)
                .whiskers(&bars, Ink::Story),
        );
    }
    figure
}
