//! Random graphs, drawn from the whole list of ops: zeros skipped or not, the tape fresh or used, the outcome is the same.

use std::collections::BTreeSet;

use quietgrad::inspect::{Kind, Node};
use quietgrad::nn::Steps;
use quietgrad::ops::Op;
use quietgrad::ops::conv::{Convolution, Padding, Transposed};
use quietgrad::ops::pool::Pooling;
use quietgrad::ops::upsample::Align;
use quietgrad::pointwise::{Binary, Unary};
use quietgrad::{ParamId, Params, Random, Recording, Reduction, SkipZeros, Tape, Tensor, Var, reg};

use crate::tape::chains::JumpRelu;

/// Values on the way from the data to the loss, all of one shape.
struct Draw<'r> {
    r: Recording<'r, f64>,
    random: Random,
    rows: usize,
    width: usize,
    values: Vec<Var<'r, f64>>,
    loss: Var<'r, f64>,
    jump_relu: Op,
}

/// A program is a number: the seed that it is drawn from.
fn draw<'r>(r: Recording<'r, f64>, seed: u64, rows: usize, width: usize, jump_relu: &Op) -> Var<'r, f64> {
    let mut random = Random::new(seed);
    let x = Tensor::from_fn([rows, width], |_| random.normal());
    let x = r.input(&x);
    let loss = r.scalar(0.0);
    let mut draw = Draw { r, random, rows, width, values: vec![x], loss, jump_relu: jump_relu.clone() };
    for _ in 0..4 {
        let h = draw.layer();
        draw.values.push(h);
        for _ in 0..draw.random.below(3) {
            let y = draw.step();
            draw.values.push(y);
        }
        draw.penalty();
    }
    let last = draw.layer();
    draw.loss + last.square().mean()
}

impl<'r> Draw<'r> {
    fn below(&mut self, bound: usize) -> usize {
        self.random.below(bound)
    }

    /// One of the values, the last ones more often.
    fn value(&mut self) -> Var<'r, f64> {
        let newest = self.values.len() - 1;
        let back = self.below(3).min(newest);
        self.values[newest - back]
    }

    fn param(&mut self, kind: usize) -> Var<'r, f64> {
        let ids: Vec<ParamId> = self.r.params().ids().skip(kind).step_by(KINDS).collect();
        let number = self.below(ids.len());
        self.r.param(ids[number])
    }

    /// Whole numbers below a bound.
    fn indices(&mut self, shape: &[usize], bound: usize) -> quietgrad::Indices<'r, f64> {
        let numbers: Vec<usize> = (0..shape.iter().product()).map(|_| self.below(bound)).collect();
        self.r.indices(shape, &numbers)
    }

    /// A product with weights, and most often something that makes zeros.
    fn layer(&mut self) -> Var<'r, f64> {
        let (h, w, b) = (self.value(), self.param(0), self.param(1));
        match self.below(9) {
            0 => h.linear(w, b),
            8 => {
                let data = Tensor::from_fn([self.rows, self.width], |_| self.random.normal().max(0.5) - 0.5);
                self.r.constant(&data).linear_relu(w, b)
            }
            1 => (h.matmul(w) + b).relu(),
            2 => (h.matmul(w) + h).relu(),
            3 => h.linear(w, b).relu(),
            4 => self.r.apply(self.jump_relu.clone(), &[h.linear(w, b)]),
            _ => h.linear_relu(w, b),
        }
    }

    /// A value, brought into an interval that a function is defined on.
    fn within(&mut self, (lo, hi): (f64, f64)) -> Var<'r, f64> {
        let h = self.value();
        if lo >= 0.0 && hi <= 1.0 {
            h.sigmoid() * (hi - lo) + lo
        } else if lo >= 0.0 {
            h.abs() + lo.max(0.1)
        } else {
            h
        }
    }

    /// Any op, and what makes its result a value of the usual shape again.
    fn step(&mut self) -> Var<'r, f64> {
        let (h, rows, width) = (self.value(), self.rows, self.width);
        let axis = self.below(2);
        match self.below(33) {
            0..4 => {
                let all = Unary::all();
                let f = all[self.below(all.len())];
                let x = self.within(f.range());
                self.r.apply(quietgrad::ops::map::Map(f).into(), &[x])
            }
            4..7 => {
                let all = Binary::all();
                let f = all[self.below(all.len())];
                let [of_a, of_b] = f.ranges();
                let (a, b) = (self.within(of_a), self.within(of_b));
                self.r.apply(quietgrad::ops::zip::Zip(f).into(), &[a, b])
            }
            7 => h.relu(),
            8 => h.top_k(width / 3),
            9 => h.top_k_by_magnitude(width / 3),
            10 => h.soft_threshold(0.3),
            11 => self.r.apply(self.jump_relu.clone(), &[h]),
            12 => (h + self.value()).relu(),
            13 => h + self.param(1),
            14 => h.dropout(0.3, &mut self.random),
            15 => {
                if axis == 0 {
                    h.softmax(1)
                } else {
                    h.log_softmax(0)
                }
            }
            16 => h.cumsum(axis) * 0.3,
            17 => h.flip(axis),
            18 => h.t().contiguous().t(),
            19 => h.reshape([width, rows]).reshape([1, rows, width]).squeeze(0),
            20 => {
                let cut = 1 + self.below(width - 1);
                Var::concat(&[h.slice(1, ..cut), h.slice(1, cut..)], 1)
            }
            21 => {
                let padded = h.pad(&[(1, 0), (0, 2)], 0.5);
                padded.slice(0, 1..).slice(1, ..width)
            }
            22 => {
                let (numbers, bound) = (self.below(2), if axis == 0 { rows } else { width });
                if numbers == 0 {
                    let chosen = self.indices(&[bound], bound);
                    h.index_select(axis, chosen)
                } else {
                    let chosen = self.indices(&[rows, width], bound);
                    h.gather(axis, chosen)
                }
            }
            23 => {
                let other = self.value();
                let condition = match self.below(4) {
                    0 => h.gt(other),
                    1 => h.ge(other),
                    2 => h.eq(other),
                    _ => h.ne(other),
                };
                condition.where_cond(h, other.detach() + other)
            }
            24 => {
                let total = match self.below(8) {
                    0 => h.sum_axes([axis]),
                    6 => {
                        let center = h.mean_axes(axis);
                        h.mean_square_about(if self.below(2) == 0 { center } else { center.detach() }, axis)
                    }
                    5 => h.min_axes([axis]),
                    1 => h.mean_axes([axis]),
                    2 => h.max_axes([axis]),
                    3 => h.l2_norm_axes([axis]),
                    4 => h.variance_axes([axis], 0),
                    _ => h.log_sum_exp_axes([axis]),
                };
                h * 0.5 + total.unsqueeze(axis).broadcast_to([rows, width]) * 0.1
            }
            25 | 26 => self.normalized(h, axis),
            27 | 28 => self.of_an_image(h),
            29 | 30 => self.recurrent(h),
            31 => {
                let (w, b) = (self.param(0), self.param(1));
                let [y] = self.r.checkpoint(|| [h.linear_relu(w, b).matmul(w).top_k(width / 3) * 0.5]);
                y
            }
            _ => h * 0.7,
        }
    }

    /// A normalization along an axis, or what follows one.
    fn normalized(&mut self, h: Var<'r, f64>, axis: usize) -> Var<'r, f64> {
        match self.below(6) {
            0 => h.normalize(axis, 0.1) * 0.5,
            1 => h.normalize_rms(axis, 0.1) * 0.5,
            2 => {
                let mask = h.gt(self.value());
                h.masked_softmax(mask)
            }
            _ => {
                let (scale, shift) = (self.param(1), self.param(1));
                if axis == 0 {
                    h.affine(1, scale, shift)
                } else {
                    h.affine_about(1, h.mean_axes(0), scale, shift)
                }
            }
        }
    }

    /// What a convolution makes of the rows as lines, or of all of them as one image, or pooling does.
    fn of_an_image(&mut self, h: Var<'r, f64>) -> Var<'r, f64> {
        let (rows, width) = (self.rows, self.width);
        let (lines, image) = (h.reshape([rows, 1, width]), h.reshape([1, 1, rows, width]));
        let [kernel_of_lines, kernel_of_image] = [[1, 3], [3, 3]].map(|[height, width]| {
            self.param(0).slice(0, ..height).slice(1, ..width).reshape([1, 1, height, width])
        });
        let (line, bias) = (kernel_of_lines.squeeze(0), self.param(1).slice(0, ..1));
        let (thrice, of_lines, of_image) = (
            Pooling::new(3).stride(1).padding(1),
            Convolution::new().padding(Padding::SameBothSides),
            Convolution::new().padding(Padding::SameAtEnd),
        );
        let y = match self.below(12) {
            0 => lines.conv1d(line, None, of_lines),
            1 => lines.conv1d_relu(line, bias, of_lines),
            2 => image.conv2d(kernel_of_image, bias, of_image),
            3 => image.conv2d_relu(kernel_of_image, bias, of_image),
            4 => lines.conv_transpose1d(line, bias, Transposed::new().padding(1)),
            5 => image.conv_transpose2d(kernel_of_image, None, Transposed::new().padding(1)),
            6 => lines.max_pool1d(thrice),
            7 => image.max_pool2d(Pooling::new(3).stride(1).padding(1)),
            8 => lines.avg_pool1d(thrice),
            9 => image.avg_pool2d(Pooling::new(3).stride(1).padding(1)),
            10 => image.upsample_nearest(2).max_pool2d(Pooling::new(2)),
            _ => image.upsample_bilinear([2 * rows, width], Align::Edges).avg_pool2d(Pooling::new([2, 1])),
        };
        y.reshape([rows, width])
    }

    /// A recurrent layer of two units that takes the rows for the steps of one sequence.
    fn recurrent(&mut self, h: Var<'r, f64>) -> Var<'r, f64> {
        let (kind, reversed, masked) = (self.below(4), self.below(2) == 1, self.below(2) == 1);
        let (w, other) = (self.param(0).slice(0, ..2), self.value());
        let z = |gates: usize| h.slice(1, ..2 * gates).unsqueeze(0);
        let wh = |gates: usize| w.slice(1, ..2 * gates);
        let mut steps = if masked {
            Steps::masked(other.select(1, 0).gt(h.select(1, 1)).unsqueeze(0))
        } else {
            Steps::all()
        };
        if reversed {
            steps = steps.reversed();
        }
        let state = other.slice(0, ..1).slice(1, ..2);
        let y = match kind {
            0 => z(4).lstm(wh(4), Some([state, state]), steps).0,
            1 => z(3).gru(wh(3), Some(other.select(0, 0).slice(0, ..2)), Some(state), steps).0,
            2 => z(3).gru(wh(3), None, None, steps).0,
            _ => z(1).rnn(reversed, wh(1), None, steps).0,
        };
        h * 0.5 + y.squeeze(0).sum_axes([1]).unsqueeze(1) * 0.3
    }

    /// Adds something to the loss that reads a value.
    fn penalty(&mut self) {
        let h = self.value();
        let term = match self.below(10) {
            0 | 1 => reg::l1(h).per_sample() * 0.1,
            2 => reg::l2(h).summed() * 0.01,
            3 => reg::elastic_net(h, 0.01, 0.02).per_sample(),
            4 => h.map_sum(Unary::all()[self.below(3)], Reduction::Mean),
            5 => {
                let classes = self.indices(&[self.rows], self.width);
                h.cross_entropy(classes, Reduction::Mean) * 0.1
            }
            6 => {
                let other = self.value();
                let classes = self.indices(&[self.rows], self.width);
                h.huber(other, 1.0).mean() + (h * classes.one_hot(self.width)).mean()
            }
            7 => h.zip_sum(self.value(), Binary::all()[0], Reduction::Mean) + h.std(1) + h.l1_norm() * 0.01,
            9 => {
                let classes = self.indices(&[self.rows], self.width);
                let each =
                    h.cross_entropy(classes, Reduction::Each) + h.map_sum(Unary::all()[0], Reduction::Each);
                (each * classes.is_not(0)).mean() * 0.1
            }
            _ => return,
        };
        self.loss += term;
    }
}

/// Weights and biases take turns.
const KINDS: usize = 2;

fn params(width: usize) -> Params<f64> {
    let mut random = Random::new(5);
    let mut params = Params::new();
    let scale = (2.0 / width as f64).sqrt();
    for layer in 0..3 {
        params.add(format!("{layer}.w"), Tensor::from_fn([width, width], |_| scale * random.normal()));
        params.add(format!("{layer}.b"), Tensor::from_fn([width], |_| random.uniform(-0.8, 0.2)));
    }
    params
}

/// Loss and gradients of two steps of a program, the parameters moved in between; and how many operations were skipped.
fn two_steps(tape: &mut Tape<f64>, mut params: Params<f64>, program: Program) -> (Vec<f64>, u64) {
    let mut grads = params.zeros();
    let (mut outcome, mut skipped) = (Vec::new(), 0);
    for _ in 0..2 {
        let r = tape.record(&params);
        let loss = program(r);
        loss.backward(&mut grads);
        outcome.push(loss.item());
        outcome.extend_from_slice(grads.data());
        skipped += r.summary().skipped_flops();
        for (w, g) in params.data_mut().iter_mut().zip(grads.data()) {
            *w -= 1e-3 * g.clamp(-1.0, 1.0);
        }
    }
    (outcome, skipped)
}

type Program<'a> = &'a dyn for<'r> Fn(Recording<'r, f64>) -> Var<'r, f64>;

/// What a run over many graphs saw.
#[derive(Default)]
struct Seen {
    compared: usize,
    infinite: usize,
    skipping: usize,
    names: BTreeSet<&'static str>,
}

/// Compares each graph's outcome with zeros skipped in this way with the dense one, and that on a tape that has run all the
/// graphs before with that on a fresh one.
fn compare(when: SkipZeros, seeds: std::ops::Range<u64>, rows: usize, width: usize) -> Seen {
    let _turn = crate::turn();
    let (params, jump_relu, mut seen) =
        (params(width), Op::custom(JumpRelu { threshold: 0.5 }), Seen::default());
    let (mut used, mut dense_tape) = (Tape::new(), Tape::new());
    used.skip_zeros(when);
    dense_tape.skip_zeros(SkipZeros::Never);
    for seed in seeds {
        let rows = if rows < 10 { 1 + seed as usize % rows } else { rows };
        let program: Program = &|r| draw(r, seed, rows, width, &jump_relu);
        let (dense, of_dense) = two_steps(&mut dense_tape, params.clone(), program);
        assert_eq!(of_dense, 0);
        let (sparse, skipped) = two_steps(&mut used, params.clone(), program);
        let mut fresh = Tape::new();
        fresh.skip_zeros(when);
        let again = two_steps(&mut fresh, params.clone(), program).0;
        let bits = |x: &[f64]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&again), bits(&sparse), "graph {seed}: a used tape gives other bits, {when:?}");
        let r = fresh.record(&params);
        program(r);
        let graph = r.graph();
        let ops = graph.nodes().iter().filter(|node| matches!(node.kind(), Kind::Op(_)));
        seen.names.extend(ops.map(Node::name));
        if dense.iter().any(|x| !x.is_finite()) {
            seen.infinite += 1;
            continue;
        }
        seen.compared += 1;
        seen.skipping += usize::from(skipped > 0);
        let scale = dense.iter().fold(1.0, |max: f64, x| max.max(x.abs()));
        for (i, (a, b)) in sparse.iter().zip(&dense).enumerate() {
            assert!(
                (a - b).abs() <= 1e-9 * scale,
                "graph {seed}, number {i}: {a} with zeros skipped, {b} without"
            );
        }
    }
    seen
}

/// Every op and function that there is.
fn every_name() -> BTreeSet<&'static str> {
    let functions =
        Unary::all().into_iter().map(Unary::name).chain(Binary::all().into_iter().map(Binary::name));
    Op::samples().iter().map(|sample| sample.op.name()).chain(functions).collect()
}

#[test]
fn twenty_thousand_graphs_give_the_dense_outcome_on_a_fresh_tape_and_on_a_used_one() {
    let seen = compare(SkipZeros::Always, 0..20_000, 6, 9);
    println!("{} compared, {} infinite, {} skipping", seen.compared, seen.infinite, seen.skipping);
    assert!(seen.compared > 18_000 && seen.skipping > seen.compared * 3 / 4);
    let missing: Vec<_> = every_name().difference(&seen.names).copied().collect();
    assert!(missing.is_empty(), "never drawn: {missing:?}");
}

#[test]
fn graphs_large_enough_for_zeros_to_be_skipped_by_default_give_the_dense_outcome() {
    let seen = compare(SkipZeros::WherePays, 0..150, 80, 128);
    println!("{} compared, {} infinite, {} skipping", seen.compared, seen.infinite, seen.skipping);
    assert!(seen.compared > 140 && seen.skipping > seen.compared / 2);
}
