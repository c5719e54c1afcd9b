//! The drawings of parts one and two: graphs, sweeps, shapes, memory.

use crate::drawing::{At, Drawing, Ink, Point, both};

pub type Named = (&'static str, [String; 2]);

pub fn all() -> Vec<Named> {
    vec![
        ("graph", graph()),
        ("passes", passes()),
        ("film", film()),
        ("two_visits", two_visits()),
        ("numbers_and_arrays", numbers_and_arrays()),
        ("vjp_shapes", vjp_shapes()),
        ("arenas", arenas()),
        ("five_products", five_products()),
        ("what_is_summed", what_is_summed()),
    ]
}

/// The two paths of y = a b + sin a.
fn graph() -> [String; 2] {
    both("Two paths lead from a to y", (760.0, 330.0), |d| {
        let [a, b, p, s, y]: [Point; 5] =
            [(110.0, 120.0), (110.0, 260.0), (360.0, 190.0), (360.0, 95.0), (600.0, 140.0)];
        d.arrow(a, p, 30.0, Ink::Story, 3.0);
        d.arrow(p, y, 30.0, Ink::Story, 3.0);
        d.arrow(a, s, 30.0, Ink::Second, 3.0);
        d.arrow(s, y, 30.0, Ink::Second, 3.0);
        d.arrow(b, p, 30.0, Ink::Faint, 2.0);
        for (at, name, value) in [
            (a, "a", "2"),
            (b, "b", "3"),
            (p, "p = a b", "6"),
            (s, "s = sin a", "0.909"),
            (y, "y = p + s", "6.909"),
        ] {
            d.node(at, 29.0, value, Ink::Text);
            d.words((at.0, at.1 - 38.0), name, 15.0, Ink::Text, At::Middle);
        }
        d.words((228.0, 176.0), "3", 16.0, Ink::Story, At::Middle);
        d.words((480.0, 190.0), "1", 16.0, Ink::Story, At::Middle);
        d.words((228.0, 96.0), "−0.416", 16.0, Ink::Second, At::Middle);
        d.words((480.0, 102.0), "1", 16.0, Ink::Second, At::Middle);
        d.words((228.0, 248.0), "2", 16.0, Ink::Quiet, At::Middle);
        d.words((300.0, 300.0), "∂y/∂a =", 17.0, Ink::Text, At::Right);
        d.words((310.0, 300.0), "3 · 1", 17.0, Ink::Story, At::Left);
        d.words((362.0, 300.0), "+", 17.0, Ink::Text, At::Left);
        d.words((384.0, 300.0), "(−0.416) · 1", 17.0, Ink::Second, At::Left);
        d.words((510.0, 300.0), "= 2.584", 17.0, Ink::Text, At::Left);
    })
}

/// Five inputs, one result, in one mode or the other.
fn passes() -> [String; 2] {
    both("Five inputs, one result", (760.0, 440.0), |d| {
        let net = |d: &mut Drawing, (x, y): Point, hot: &dyn Fn(usize) -> bool, back: bool| {
            let inputs: Vec<Point> = (0..5).map(|i| (x, y + 26.0 * i as f64)).collect();
            let middle: Vec<Point> = (0..3).map(|i| (x + 45.0, y + 26.0 + 26.0 * i as f64)).collect();
            let result = (x + 90.0, y + 52.0);
            for (i, &input) in inputs.iter().enumerate() {
                for (j, &node) in middle.iter().enumerate() {
                    if i.abs_diff(j + 1) <= 1 {
                        let ink = if hot(i) { Ink::Story } else { Ink::Faint };
                        d.line(input, node, ink, if hot(i) { 2.0 } else { 1.0 });
                    }
                }
            }
            for (j, &node) in middle.iter().enumerate() {
                let lit = (0..5).any(|i| hot(i) && i.abs_diff(j + 1) <= 1);
                d.line(node, result, if lit { Ink::Story } else { Ink::Faint }, if lit { 2.0 } else { 1.0 });
                d.node(node, 6.0, "", if lit { Ink::Story } else { Ink::Faint });
            }
            for (i, &input) in inputs.iter().enumerate() {
                d.node(input, 7.0, "", if hot(i) { Ink::Story } else { Ink::Faint });
            }
            d.node(result, 8.0, "", Ink::Story);
            let (from, to) = ((x - 4.0, y + 132.0), (x + 94.0, y + 132.0));
            let (from, to) = if back { (to, from) } else { (from, to) };
            d.arrow(from, to, 0.0, Ink::Quiet, 1.5);
        };
        d.words(
            (20.0, 72.0),
            "Forward mode: one input moves at a time. Five passes.",
            16.0,
            Ink::Text,
            At::Left,
        );
        for pass in 0..5 {
            net(d, (40.0 + 148.0 * pass as f64, 92.0), &|i| i == pass, false);
        }
        d.words(
            (20.0, 268.0),
            "Reverse mode: from the result to everything. One pass.",
            16.0,
            Ink::Text,
            At::Left,
        );
        net(d, (40.0, 284.0), &|_| true, true);
        d.words((170.0, 330.0), "It needs what was computed going forward:", 15.0, Ink::Quiet, At::Left);
        d.words((170.0, 352.0), "that is what the tape is for.", 15.0, Ink::Quiet, At::Left);
    })
}

/// The tape of y = a b + sin a filled, and swept.
fn film() -> [String; 2] {
    /// Title, adjoints, the nodes whose adjoint changes, and the arrows along which.
    type Frame = (&'static str, [&'static str; 5], &'static [usize], &'static [usize]);
    let frames: [Frame; 6] = [
        ("1  forward: values", ["", "", "", "", ""], &[], &[]),
        ("2  seed: ȳ = 1", ["0", "0", "0", "0", "1"], &[4], &[]),
        ("3  y passes 1 · 1 to p and s", ["0", "0", "1", "1", "1"], &[2, 3], &[2, 3]),
        ("4  s passes −0.416 · 1 to a", ["−0.416", "0", "1", "1", "1"], &[0], &[1]),
        ("5  p passes 3 · 1 to a, 2 · 1 to b", ["2.584", "2", "1", "1", "1"], &[0, 1], &[0, 4]),
        ("6  all adjoints", ["2.584", "2", "1", "1", "1"], &[], &[]),
    ];
    both("The tape is filled, and swept", (780.0, 520.0), |d| {
        d.words((20.0, 62.0), "in the circle: the value; below it: the adjoint", 15.0, Ink::Quiet, At::Left);
        for (i, (title, adjoints, changed, arrows)) in frames.iter().enumerate() {
            let (x, y) = (20.0 + 255.0 * (i % 3) as f64, 80.0 + 220.0 * (i / 3) as f64);
            d.words((x, y + 18.0), title, 14.0, Ink::Text, At::Left);
            let nodes: [Point; 5] = [
                (x + 24.0, y + 70.0),
                (x + 24.0, y + 160.0),
                (x + 112.0, y + 125.0),
                (x + 112.0, y + 52.0),
                (x + 200.0, y + 88.0),
            ];
            // From, to: a-p, a-s, p-y, s-y, b-p.
            for (k, (from, to)) in [(0, 2), (0, 3), (2, 4), (3, 4), (1, 2)].into_iter().enumerate() {
                if arrows.contains(&k) {
                    d.arrow(nodes[to], nodes[from], 23.0, Ink::Story, 2.5);
                } else if i == 0 {
                    d.arrow(nodes[from], nodes[to], 23.0, Ink::Second, 2.0);
                } else {
                    d.line(nodes[from], nodes[to], Ink::Faint, 1.0);
                }
            }
            for (k, (&at, value)) in nodes.iter().zip(["2", "3", "6", "0.91", "6.91"]).enumerate() {
                let hot = changed.contains(&k);
                d.node(at, 21.0, value, if hot { Ink::Story } else { Ink::Quiet });
                let ink = if hot { Ink::Story } else { Ink::Quiet };
                d.words((at.0, at.1 + 38.0), adjoints[k], 15.0, ink, At::Middle);
                let beside = match k {
                    2 => (at.0 + 28.0, at.1 + 16.0),
                    4 => (at.0 + 24.0, at.1 - 18.0),
                    _ => (at.0 - 24.0, at.1 - 16.0),
                };
                d.words(beside, ["a", "b", "p", "s", "y"][k], 14.0, Ink::Text, At::Middle);
            }
        }
    })
}

/// c = b + b, b = a + a: walked recursively, and along the tape.
fn two_visits() -> [String; 2] {
    both("b is used twice", (790.0, 330.0), |d| {
        let side = |d: &mut Drawing, x: f64, title: &str, b: &[&str], a: &str, right: bool| {
            d.words((x, 76.0), title, 16.0, Ink::Text, At::Left);
            let [ca, cb, cc]: [Point; 3] = [(x + 40.0, 180.0), (x + 150.0, 180.0), (x + 260.0, 180.0)];
            for shift in [-9.0, 9.0] {
                let moved = |(x, y): Point| (x, y + shift);
                d.arrow(moved(cc), moved(cb), 24.0, Ink::Quiet, 1.5);
                d.arrow(moved(cb), moved(ca), 24.0, if right { Ink::Second } else { Ink::Story }, 2.5);
            }
            d.node(ca, 24.0, "a", Ink::Text);
            d.node(cb, 24.0, "b", Ink::Text);
            d.node(cc, 24.0, "c", Ink::Text);
            d.words((cc.0, 230.0), "1", 16.0, Ink::Text, At::Middle);
            for (i, line) in b.iter().enumerate() {
                d.words((cb.0, 230.0 + 20.0 * i as f64), line, 15.0, Ink::Text, At::Middle);
            }
            d.words((ca.0, 230.0), a, 16.0, if right { Ink::Second } else { Ink::Story }, At::Middle);
        };
        side(
            d,
            30.0,
            "A walk that visits b twice",
            &["first 1: passes 1, 1", "then 2: passes 2, 2"],
            "6",
            false,
        );
        side(d, 440.0, "The tape: once, when it is complete", &["2: passes 2, 2"], "4", true);
        d.words((30.0, 300.0), "wrong: what was passed on at first counts again", 15.0, Ink::Quiet, At::Left);
        d.words((440.0, 300.0), "right: c = 4 a", 15.0, Ink::Quiet, At::Left);
    })
}

/// The loss of a line through three points, with a node for each number, and for each array.
fn numbers_and_arrays() -> [String; 2] {
    both("A circle for each number, or one for each array", (760.0, 400.0), |d| {
        let ops = ["w x", "+ b", "− y", "square"];
        d.words((20.0, 66.0), "17 nodes: these, w and b", 15.0, Ink::Quiet, At::Left);
        let sums: [Point; 3] = [(555.0, 130.0), (610.0, 180.0), (665.0, 180.0)];
        for row in 0..3 {
            let y = 105.0 + 50.0 * f64::from(row);
            for (i, _) in ops.iter().enumerate() {
                let at = (120.0 + 105.0 * i as f64, y);
                if i + 1 < ops.len() {
                    d.arrow(at, (at.0 + 105.0, y), 14.0, Ink::Quiet, 1.2);
                }
            }
            let last = (120.0 + 315.0, y);
            let to = if row == 2 { sums[1] } else { sums[0] };
            d.arrow(last, to, 14.0, Ink::Quiet, 1.2);
            for (i, op) in ops.iter().enumerate() {
                let at = (120.0 + 105.0 * i as f64, y);
                d.node(at, 13.0, "", Ink::Quiet);
                if row == 0 {
                    d.words((at.0, y - 20.0), op, 14.0, Ink::Quiet, At::Middle);
                }
            }
        }
        d.arrow(sums[0], sums[1], 14.0, Ink::Quiet, 1.2);
        d.arrow(sums[1], sums[2], 14.0, Ink::Quiet, 1.2);
        for (at, word) in sums.iter().zip(["+", "+", "/3"]) {
            d.node(*at, 13.0, word, Ink::Quiet);
        }
        d.words((60.0, 110.0), "x₁", 14.0, Ink::Quiet, At::Middle);
        d.words((60.0, 160.0), "x₂", 14.0, Ink::Quiet, At::Middle);
        d.words((60.0, 210.0), "x₃", 14.0, Ink::Quiet, At::Middle);
        d.words(
            (20.0, 270.0),
            "9 nodes: these, w, b, x and y, however many points",
            15.0,
            Ink::Story,
            At::Left,
        );
        let ops = ["w x", "+ b", "− y", "square", "mean"];
        for (i, op) in ops.iter().enumerate() {
            let at = (120.0 + 125.0 * i as f64, 330.0);
            if i + 1 < ops.len() {
                d.arrow(at, (at.0 + 125.0, 330.0), 31.0, Ink::Story, 2.5);
            }
            d.node(at, 30.0, if i == 4 { "[ ]" } else { "[3]" }, Ink::Story);
            d.words((at.0, 382.0), op, 15.0, Ink::Text, At::Middle);
        }
    })
}

/// The shapes of a product and of its two vjps.
fn vjp_shapes() -> [String; 2] {
    both("Each cotangent has the shape of its value", (760.0, 535.0), |d| {
        let (m, k, n) = (100.0, 60.0, 140.0);
        let matrix = |d: &mut Drawing, (x, y): Point, size: Point, name: &str, shape: &str, ink: Ink| {
            d.box_((x, y), size, ink, 0.16);
            d.words((x + size.0 / 2.0, y + size.1 / 2.0 - 2.0), name, 16.0, Ink::Text, At::Middle);
            let below = if size.0 < 70.0 { y + size.1 + 17.0 } else { y + size.1 / 2.0 + 18.0 };
            d.words((x + size.0 / 2.0, below), shape, 14.0, Ink::Quiet, At::Middle);
        };
        /// Name, shape, size, and how it is drawn.
        type Matrix = (&'static str, &'static str, Point, Ink);
        let rows: [(f64, &str, [Matrix; 3]); 3] = [
            (
                70.0,
                "forward",
                [
                    ("y", "[m, n]", (n, m), Ink::Quiet),
                    ("a", "[m, k]", (k, m), Ink::Quiet),
                    ("b", "[k, n]", (n, k), Ink::Quiet),
                ],
            ),
            (
                220.0,
                "back, for a",
                [
                    ("ga", "[m, k]", (k, m), Ink::Story),
                    ("gy", "[m, n]", (n, m), Ink::Quiet),
                    ("bᵀ", "[n, k]", (k, n), Ink::Quiet),
                ],
            ),
            (
                402.0,
                "back, for b",
                [
                    ("gb", "[k, n]", (n, k), Ink::Story),
                    ("aᵀ", "[k, m]", (m, k), Ink::Quiet),
                    ("gy", "[m, n]", (n, m), Ink::Quiet),
                ],
            ),
        ];
        for (y, title, [result, left, right]) in rows {
            d.words((20.0, y + 55.0), title, 16.0, Ink::Text, At::Left);
            for (x, (name, shape, size, ink)) in [(150.0, result), (360.0, left), (540.0, right)] {
                matrix(d, (x, y), size, name, shape, ink);
            }
            d.words((325.0, y + 55.0), "=", 22.0, Ink::Text, At::Middle);
        }
    })
}

/// The two strips of memory of a recording.
fn arenas() -> [String; 2] {
    both("Values fill from the left, cotangents from the right", (790.0, 300.0), |d| {
        let parts = [("x", 90.0), ("z", 150.0), ("h", 150.0), ("y", 90.0), ("loss", 60.0)];
        for (y, title, story, prefix, hint) in
            [(100.0, "values", Ink::Second, "", "forward"), (210.0, "cotangents", Ink::Story, "g", "back")]
        {
            d.words((20.0, y + 26.0), title, 16.0, Ink::Text, At::Left);
            let mut x = 140.0;
            for (name, width) in parts {
                let wanted = prefix.is_empty() || name != "x";
                d.box_((x, y), (width - 3.0, 40.0), if wanted { story } else { Ink::Faint }, 0.18);
                let name = match (wanted, prefix, name) {
                    (false, ..) => "not wanted".to_owned(),
                    (true, "g", "loss") => "seed".to_owned(),
                    _ => format!("{prefix}{name}"),
                };
                let ink = if wanted { Ink::Text } else { Ink::Quiet };
                d.words((x + width / 2.0, y + 26.0), &name, 14.0, ink, At::Middle);
                x += width;
            }
            let (left, right) = ((140.0, y - 16.0), (x, y - 16.0));
            if prefix.is_empty() {
                d.arrow(left, right, 0.0, story, 2.5)
            } else {
                d.arrow(right, left, 0.0, story, 2.5)
            }
            d.words((x + 14.0, y - 11.0), hint, 15.0, story, At::Left);
        }
        d.words(
            (140.0, 280.0),
            "The next recording begins at the left end again.",
            15.0,
            Ink::Quiet,
            At::Left,
        );
    })
}

/// The five products of a step through x → W₁ → relu → W₂.
fn five_products() -> [String; 2] {
    // Name, size, and whether most of it is zero.
    type Operand = (&'static str, Point, bool);
    let (m, i, u) = (70.0, 56.0, 110.0); // samples, inputs, units
    let products: [(&str, &str, [Operand; 3]); 5] = [
        (
            "z = x W₁",
            "dense: what will be zero is not known yet",
            [("z", (u, m), false), ("x", (i, m), false), ("W₁", (u, i), false)],
        ),
        (
            "y = h W₂",
            "only rows of W₂ whose unit fires",
            [("y", (i, m), false), ("h", (u, m), true), ("W₂", (i, u), false)],
        ),
        (
            "gW₂ = hᵀ gy",
            "only samples for which the unit fires",
            [("gW₂", (i, u), false), ("hᵀ", (m, u), true), ("gy", (i, m), false)],
        ),
        (
            "gh = gy W₂ᵀ",
            "only where h is not 0",
            [("gh", (u, m), true), ("gy", (i, m), false), ("W₂ᵀ", (u, i), false)],
        ),
        (
            "gW₁ = xᵀ gz",
            "only samples for which the unit fires",
            [("gW₁", (u, i), false), ("xᵀ", (m, i), false), ("gz", (u, m), true)],
        ),
    ];
    both("Four of five products skip zeros", (800.0, 660.0), |d| {
        d.box_((20.0, 58.0), (16.0, 16.0), Ink::Quiet, 0.5);
        d.words((44.0, 71.0), "not zero, or computed", 15.0, Ink::Text, At::Left);
        d.box_((240.0, 58.0), (16.0, 16.0), Ink::Story, 0.9);
        d.words((264.0, 71.0), "the few entries that count", 15.0, Ink::Text, At::Left);
        d.box_((490.0, 58.0), (16.0, 16.0), Ink::Faint, 0.0);
        d.words((514.0, 71.0), "skipped", 15.0, Ink::Text, At::Left);
        let mut y = 95.0;
        for (formula, what, operands) in products {
            let height = operands.iter().map(|(_, size, _)| size.1).fold(0.0, f64::max);
            d.words((20.0, y + 24.0), formula, 18.0, Ink::Text, At::Left);
            for (line, words) in what.split(": ").enumerate() {
                d.words((20.0, y + 48.0 + 20.0 * line as f64), words, 14.0, Ink::Quiet, At::Left);
            }
            for (x, (name, size, zeros)) in [330.0, 500.0, 665.0].into_iter().zip(operands) {
                if zeros {
                    d.box_((x, y), size, Ink::Faint, 0.0);
                    spots(d, (x, y), size.1 > size.0);
                } else {
                    d.box_((x, y), size, Ink::Quiet, 0.5);
                }
                d.words((x - 8.0, y + 18.0), name, 15.0, Ink::Text, At::Right);
            }
            d.words((470.0, y + 45.0), "=", 18.0, Ink::Text, At::Middle);
            y += height + 24.0;
        }
    })
}

/// Two samples of a dense layer, of feature maps and of sequences: what a penalty adds up, and what it divides by.
fn what_is_summed() -> [String; 2] {
    const CELL: f64 = 17.0;
    both("All of a sample is summed", (760.0, 360.0), |d| {
        let grid = |d: &mut Drawing, (x, y): Point, [columns, rows]: [usize; 2], counts: usize| {
            for i in 0..columns * rows {
                let at = (x + CELL * (i % columns) as f64, y + CELL * (i / columns) as f64);
                let (ink, opacity) = if i < counts { (Ink::Story, 0.35) } else { (Ink::Faint, 0.0) };
                d.box_(at, (CELL - 3.0, CELL - 3.0), ink, opacity);
            }
        };
        for (sample, y) in [(1, 118.0), (2, 208.0)] {
            d.words((20.0, y + 24.0), &format!("sample {sample}"), 15.0, Ink::Text, At::Left);
            grid(d, (110.0, y + 11.0), [8, 1], 8);
            for channel in 0..3 {
                grid(d, (300.0 + 62.0 * f64::from(channel), y), [3, 3], 9);
            }
            grid(d, (540.0, y + 11.0), [5, 1], if sample == 1 { 5 } else { 2 });
        }
        for (x, name, shape, divisor) in [
            (110.0, "dense", "[2, 8]: units", ["per sample: / 2", ""]),
            (300.0, "feature maps", "[2, 3, 3, 3]: channels, pixels", ["per sample: / 2", ""]),
            (
                540.0,
                "sequences",
                "[2, 5, n]: steps of n units",
                ["per sample: / 2", "per step: / 7, those that count"],
            ),
        ] {
            d.words((x, 76.0), name, 16.0, Ink::Text, At::Left);
            d.words((x, 98.0), shape, 14.0, Ink::Quiet, At::Left);
            d.words((x, 300.0), divisor[0], 15.0, Ink::Text, At::Left);
            d.words((x, 324.0), divisor[1], 14.0, Ink::Text, At::Left);
        }
        d.words((20.0, 300.0), "divided", 15.0, Ink::Text, At::Left);
        d.words((540.0, 262.0), "empty: padding, masked", 14.0, Ink::Quiet, At::Left);
    })
}

/// A tenth of a grid of 7 samples by 13 units, always the same; or mirrored.
fn spots(d: &mut Drawing, (x, y): Point, mirrored: bool) {
    for (sample, unit) in [(0, 2), (0, 9), (1, 5), (2, 2), (3, 10), (4, 5), (5, 9), (6, 2), (6, 7)] {
        let (column, row) = if mirrored { (sample, unit) } else { (unit, sample) };
        d.box_(
            (x + 10.0 * f64::from(column) + 1.5, y + 10.0 * f64::from(row) + 1.5),
            (7.0, 7.0),
            Ink::Story,
            0.9,
        );
    }
}
