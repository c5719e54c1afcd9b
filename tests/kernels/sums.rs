//! Every sum keeps the bound that `src/kernels/sum.rs` promises, at sizes where one float would stop growing, with the same
//! bits on every instruction set and for any number of threads.

use quietgrad::kernels::{self, support};
use quietgrad::matrix::{Mat, Products, ReluLayer, Sparse, Support};
use quietgrad::pointwise::{Abs, Binary, Square, SquaredError, Unary};
use quietgrad::{
    Accum, Element, Params, Recording, Reduction, Tape, Tensor, Var, loss, set_threads, threads,
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use crate::on_every_isa;

/// More ones than f32 can count one by one.
const MANY: usize = 20_000_000;

fn random(len: usize, low: f32) -> Vec<f32> {
    let mut random = SmallRng::seed_from_u64(len as u64);
    (0..len).map(|_| random.random_range(low..1.0)).collect()
}

/// Σ x and Σ|x| by Kahan's method in f64, as Neumaier improved it.
fn exact(x: impl Iterator<Item = f64>) -> [f64; 2] {
    let (mut sum, mut lost, mut magnitude) = (0.0f64, 0.0, 0.0);
    for x in x {
        let next = sum + x;
        lost += if sum.abs() >= x.abs() { (sum - next) + x } else { (x - next) + sum };
        sum = next;
        magnitude += x.abs();
    }
    [sum + lost, magnitude]
}

/// Asserts |computed − Σ x| ≤ (steps + 34 + log₂ n) u Σ|x|, for f32.
#[track_caller]
fn assert_bound(computed: f32, x: impl Iterator<Item = f64>, n: usize, steps: f64) {
    let [sum, magnitude] = exact(x);
    let bound = (steps + 34.0 + (n.max(1) as f64).log2()) * f64::from(f32::UNIT_ROUNDOFF) * magnitude;
    let error = (f64::from(computed) - sum).abs();
    assert!(error <= bound, "{computed} for {sum}: off by {error:e}, {bound:e} allowed");
}

/// Gives what `f` gives on each instruction set, which must be the same bits.
fn same_on_every_isa(mut f: impl FnMut() -> Vec<f32>) -> Vec<f32> {
    let mut first: Option<Vec<f32>> = None;
    on_every_isa(|isa| {
        let y = f();
        let first = first.get_or_insert_with(|| y.clone());
        assert!(first.iter().zip(&y).all(|(a, b)| a.to_bits() == b.to_bits()), "{isa:?}");
    });
    first.expect("there is an instruction set")
}

/// Gives what `f` makes of a recording.
fn on_a_tape<R>(f: impl FnOnce(Recording<'_, f32>) -> R) -> R {
    let (mut tape, params) = (Tape::new(), Params::new());
    f(tape.record(&params))
}

/// The gradient of a loss by an input.
fn gradient(loss: Var<'_, f32>, input: Var<'_, f32>) -> Vec<f32> {
    loss.backward(&mut Params::new().zeros());
    input.gradient().expect("the loss depends on it").into_data()
}

#[test]
fn a_sum_of_a_slice_keeps_its_bound() {
    for len in [0, 1, 31, 32, 33, 63, 4095, 4096, 4097, 12_288, 100_003, 1_000_001] {
        for low in [0.0, -1.0] {
            let (x, w) = (random(len, low), random(len, 0.5));
            let sums = same_on_every_isa(|| {
                on_a_tape(|r| {
                    let [a, b] = [&x, &w].map(|x| r.constant(&Tensor::new([len], x.clone()).unwrap()));
                    let each = [Unary::Square(Square {}), Unary::Abs(Abs {})];
                    let [squares, sizes] = each.map(|f| a.map_sum(f, Reduction::Sum).item());
                    let error = Binary::SquaredError(SquaredError {});
                    vec![kernels::sum(&x), a.zip_sum(b, error, Reduction::Sum).item(), squares, sizes]
                })
            });
            let pairs = || x.iter().zip(&w);
            assert_bound(sums[0], x.iter().map(|&x| x.into()), len, 128.0);
            assert_bound(sums[1], pairs().map(|(&a, &b)| f64::from((a - b) * (a - b))), len, 128.0);
            assert_bound(sums[2], x.iter().map(|&x| f64::from(x * x)), len, 128.0);
            assert_bound(sums[3], x.iter().map(|&x| x.abs().into()), len, 128.0);
        }
    }
}

#[test]
fn a_sum_of_the_losses_of_samples_keeps_its_bound() {
    for len in [1, 127, 128, 129, 4096, 100_003] {
        let mut logits = random(2 * len, -3.0);
        // The first class is the likeliest, with the logit 0: its loss is the row's log-sum-exp.
        logits.iter_mut().step_by(2).for_each(|z| *z = 0.0);
        logits.iter_mut().for_each(|z| *z = -z.abs());
        let mut losses = vec![f32::NAN; len];
        let sum = same_on_every_isa(|| {
            kernels::softmax::log_sum_exp(&logits, 2, &mut losses);
            on_a_tape(|r| {
                let logits = r.constant(&Tensor::new([len, 2], logits.clone()).unwrap());
                vec![logits.cross_entropy(r.indices([len], &vec![0; len]), Reduction::Sum).item()]
            })
        });
        assert_bound(sum[0], losses.iter().map(|&loss| loss.into()), len, 128.0);
    }
}

#[test]
fn sums_of_columns_keep_their_bound() {
    for (rows, cols) in
        [(1, 3), (4, 7), (1023, 2), (1024, 257), (1025, 600), (1037, 2050), (5000, 33), (70_001, 1)]
    {
        let g = [random(rows * cols, -0.2), random(rows * cols + 1, -1.0)];
        // The bias of a layer, and of two layers.
        for layers in [1, 2] {
            let sums = same_on_every_isa(|| {
                on_a_tape(|r| {
                    let b = r.input(&Tensor::zeros([cols]));
                    let loss = |g: &[f32]| {
                        let g = Tensor::new([rows, cols], g[..rows * cols].to_vec()).unwrap();
                        let [x, w] = [[rows, 1], [1, cols]].map(|shape| r.constant(&Tensor::zeros(shape)));
                        (x.linear(w, b) * r.constant(&g)).sum()
                    };
                    let losses = g[..layers].iter().map(|g| loss(g));
                    gradient(losses.reduce(|a, b| a + b).expect("a layer"), b)
                })
            });
            for (j, &sum) in sums.iter().enumerate() {
                let column =
                    g[..layers].iter().flat_map(|g| (0..rows).map(move |i| f64::from(g[i * cols + j])));
                assert_bound(sum, column, layers * rows, 128.0);
            }
        }
    }
}

#[test]
fn sums_over_any_axes_keep_their_bound() {
    let cases: [(&[usize], &[usize]); 12] = [
        (&[7], &[0]),
        (&[3000, 2], &[0]),
        (&[3000, 300], &[0]),
        (&[2, 5000], &[1]),
        (&[200, 3, 4], &[0, 2]),
        (&[2000, 3, 2], &[0, 2]),
        (&[2000, 3, 2], &[0]),
        (&[3, 300, 5], &[1]),
        (&[20, 30, 20, 3], &[0, 2]),
        (&[2, 300, 3, 200, 2], &[1, 3]),
        (&[300, 700, 2], &[0, 2]),
        (&[1, 600, 1, 2, 1], &[1]),
    ];
    for (shape, axes) in cases {
        let x = random(shape.iter().product(), -0.5);
        let kept: Vec<usize> =
            (0..shape.len()).map(|axis| if axes.contains(&axis) { 1 } else { shape[axis] }).collect();
        // Row-major, and with all axes in reverse order.
        for reversed in [false, true] {
            let strides: Vec<usize> = (0..shape.len())
                .map(|axis| if reversed { &shape[..axis] } else { &shape[axis + 1..] }.iter().product())
                .collect();
            let both = same_on_every_isa(|| {
                on_a_tape(|r| {
                    let order: Vec<usize> = (0..shape.len()).rev().collect();
                    let x = if reversed {
                        let shape: Vec<usize> = shape.iter().rev().copied().collect();
                        r.constant(&Tensor::new(&shape[..], x.clone()).unwrap()).permute(&order)
                    } else {
                        r.constant(&Tensor::new(shape, x.clone()).unwrap())
                    };
                    // A sum of its own, and one that is added to what stands there already.
                    let operand = r.input(&Tensor::zeros(&kept[..]));
                    let twice = gradient((operand * x).sum() + (operand * x).sum(), operand);
                    [x.sum_axes(axes).value().into_data(), twice].concat()
                })
            });
            let mut parts = vec![Vec::new(); both.len() / 2];
            for number in 0..x.len() {
                let (mut rest, mut at, mut to, mut len) = (number, 0, 0, 1);
                for axis in (0..shape.len()).rev() {
                    let i = rest % shape[axis];
                    rest /= shape[axis];
                    at += i * strides[axis];
                    if !axes.contains(&axis) {
                        to += i * len;
                        len *= shape[axis];
                    }
                }
                parts[to].push(f64::from(x[at]));
            }
            let (sums, twice) = both.split_at(parts.len());
            for ((&sum, &twice), parts) in sums.iter().zip(twice).zip(parts) {
                let n = parts.len();
                assert_bound(sum, parts.iter().copied(), n, 256.0);
                assert_bound(twice, parts.iter().chain(&parts).copied(), 2 * n, 256.0);
            }
        }
    }
}

#[test]
fn twenty_million_ones_are_counted_over_any_axis() {
    let (mut tape, params) = (Tape::<f32>::new(), Params::new());
    let r = tape.record(&params);
    let one = r.constant(&Tensor::from([[1.0, 1.0]]));
    let ones = one.broadcast_to([MANY, 2]);
    assert_eq!(ones.sum_axes([0]).value(), Tensor::from([MANY as f32; 2]));
    assert_eq!(ones.mean_axes([0]).value(), Tensor::from([1.0; 2]));
    assert_eq!(ones.l1_norm_axes([0]).value(), Tensor::from([MANY as f32; 2]));
    assert_eq!(ones.l2_norm_axes([0]).value(), Tensor::from([(MANY as f32).sqrt(); 2]));
    let inner = one.reshape([2, 1]).broadcast_to([2, MANY]);
    assert_eq!(inner.sum_axes([1]).value(), Tensor::from([MANY as f32; 2]));
    let around = one.reshape([1, 2, 1]).broadcast_to([MANY / 2, 2, 2]);
    assert_eq!(around.sum_axes([0, 2]).value(), Tensor::from([MANY as f32; 2]));
}

#[test]
fn the_gradient_of_a_broadcast_operand_counts_twenty_million_ones() {
    let ones = vec![1.0f32; MANY];
    let (mut tape, params) = (Tape::<f32>::new(), Params::new());
    let r = tape.record(&params);
    let a = r.input(&Tensor::from([2.0]));
    let x = r.constant(&Tensor::new([MANY, 1], ones).unwrap());
    (x * a).sum().backward(&mut params.zeros());
    assert_eq!(a.gradient().unwrap(), Tensor::from([MANY as f32]));
}

#[test]
fn a_bias_gradient_of_many_rows_keeps_its_bound_whatever_way_it_is_made() {
    let (m, n) = (100_000, 70);
    for k in [2, 4] {
        let (x, y, gy) = (random(m * k, -1.0), random(m * n, -1.0), random(m * n, -0.1));
        let layer = ReluLayer { size: [m, k, n], x: Mat::row_major(&x, k), y: &y, gy: &gy, plus: 0.5 };
        let g = |i: usize, j: usize| if y[i * n + j] > 0.0 { gy[i * n + j] + 0.5 } else { 0.0 };
        let check = |gw: &[f32], gb: &[f32]| {
            for j in [0, 1, 63, 64, n - 1] {
                assert_bound(gb[j], (0..m).map(|i| g(i, j).into()), m, 128.0);
                for p in 0..k {
                    let terms = (0..m).map(|i| f64::from(x[i * k + p]) * f64::from(g(i, j)));
                    assert_bound(gw[p * n + j], terms, m, 129.0);
                }
            }
        };
        let (mut gw, mut gb) = (vec![f32::NAN; k * n], vec![f32::NAN; n]);
        on_every_isa(|_| {
            f32::relu_layer_vjp(layer, (&mut gw, Accum::Replace), (&mut gb, Accum::Replace));
            check(&gw, &gb);
        });
        let replace = Accum::Replace;
        kernels::reference::relu_layer_vjp(layer, (&mut gw, replace), (&mut gb, replace));
        check(&gw, &gb);
        let (before_w, before_b) = (gw.clone(), gb.clone());
        f32::relu_layer_vjp(layer, (&mut gw, Accum::Add), (&mut gb, Accum::Add));
        for (twice, once) in gw.iter().zip(&before_w).chain(gb.iter().zip(&before_b)) {
            approx::assert_relative_eq!(*twice, 2.0 * once, max_relative = 1e-4, epsilon = 0.1);
        }
    }
}

#[test]
fn the_sums_of_a_sparse_matrix_keep_their_bound() {
    let (rows, cols) = (60_000, 3);
    let x: Vec<f32> = random(rows * cols, -1.0).into_iter().map(|x| x.max(0.0)).collect();
    let (mut found, mut values, mut by_row) = (Support::default(), Vec::new(), Vec::new());
    support::find(&x, cols, &mut found, &mut values, &mut by_row);
    let mut sums = vec![f32::NAN; cols];
    support::sum_columns(Sparse::new(&found, &values), &mut sums, Accum::Replace);
    for (j, &sum) in sums.iter().enumerate() {
        assert_bound(sum, (0..rows).map(|i| f64::from(x[i * cols + j])), rows, 128.0);
    }
}

#[test]
fn a_loss_of_many_rows_is_no_less_right_than_one_of_few() {
    let rows = 300_000;
    let (mut tape, params) = (Tape::<f32>::new(), Params::new());
    let r = tape.record(&params);
    let logits = r.constant(&Tensor::zeros([rows, 2]));
    let classes = r.indices([rows], &vec![1; rows]);
    let ln2 = std::f32::consts::LN_2;
    let target = r.constant(&Tensor::from([[0.5, 0.5]])).broadcast_to([rows, 2]);
    let losses = [
        logits.cross_entropy(classes, Reduction::Mean),
        logits.cross_entropy_soft(target, Reduction::Mean),
        logits.cross_entropy_smoothed(classes, 0.1, Reduction::Mean),
        loss::nll(logits.log_softmax(1), classes),
        loss::bce_with_logits(logits, target),
    ];
    for loss in losses {
        // One by one the last losses would be added to 2¹⁷, where neighbours are 1/64 apart: 0.8 % off.
        approx::assert_relative_eq!(loss.item(), ln2, max_relative = 4e-6);
    }
}

#[test]
fn a_loss_over_many_classes_keeps_its_bound() {
    let classes = 200_000;
    let (mut tape, params) = (Tape::<f32>::new(), Params::new());
    let r = tape.record(&params);
    let logits = r.input(&Tensor::zeros([1, classes]));
    let share = 1.0 / classes as f32;
    let target = r.constant(&Tensor::from_fn([1, classes], |_| share));
    let loss = logits.cross_entropy_soft(target, Reduction::Sum);
    approx::assert_relative_eq!(loss.item(), (classes as f32).ln(), max_relative = 1e-6);
    assert_eq!(logits.log_sum_exp().item(), (classes as f32).ln());
    approx::assert_relative_eq!(logits.softmax(1).value().data()[7], share, max_relative = 1e-6);
    (logits.log_softmax(1).sum() + loss).backward(&mut params.zeros());
    let worst =
        logits.gradient().unwrap().into_data().into_iter().fold(0.0, |worst: f32, g| worst.max(g.abs()));
    assert!(worst < 1e-3, "the rows' cotangents cancel: {worst}");
}

#[test]
fn rows_are_reduced_with_the_bits_of_every_instruction_set() {
    for cols in [1, 5, 31, 32, 33, 4096, 4097, 9000] {
        let x = Tensor::new([3, cols], random(3 * cols, -1.0)).unwrap();
        let functions: [fn(Var<'_, f32>) -> Var<'_, f32>; 6] = [
            |x| x.variance_axes([1], 0),
            |x| x.std_axes([1], 0),
            |x| x.log_sum_exp_axes([1]),
            |x| x.softmax(1).square(),
            |x| x.log_softmax(1),
            |x| x.cumsum(1).square(),
        ];
        same_on_every_isa(|| {
            on_a_tape(|r| {
                let both = functions.iter().flat_map(|f| {
                    let x = r.input(&x);
                    let y = f(x);
                    [y.value().into_data(), gradient(y.sum(), x)]
                });
                both.flatten().collect()
            })
        });
    }
}

#[test]
fn a_variance_of_a_million_numbers_far_from_zero_is_right() {
    let n = 1_000_000;
    let x = Tensor::from_fn([n], |i| 1000.0 + (i % 5) as f32);
    let (mut tape, params) = (Tape::<f32>::new(), Params::new());
    let r = tape.record(&params);
    let x = r.constant(&x);
    approx::assert_relative_eq!(x.variance(0).item(), 2.0, max_relative = 1e-6);
    approx::assert_relative_eq!(x.mean().item(), 1002.0, max_relative = 1e-6);
}

#[test]
fn a_running_sum_reaches_twenty_million_and_never_falls() {
    // Forwards, and backwards in the gradient.
    let running = |x: Vec<f32>, shape: [usize; 2], backward: bool| {
        on_a_tape(|r| {
            let x = r.constant(&Tensor::new(shape, x).unwrap());
            if backward {
                let zeros = r.input(&Tensor::zeros(shape));
                gradient((zeros.cumsum(0) * x).sum(), zeros)
            } else {
                x.cumsum(0).value().into_data()
            }
        })
    };
    for backward in [false, true] {
        let y = running(vec![1.0; MANY], [MANY, 1], backward);
        let (first, last) = if backward { (y[MANY - 1], y[0]) } else { (y[0], y[MANY - 1]) };
        assert_eq!([first, last], [1.0, MANY as f32]);
        for inner in [1, 3] {
            let len = 3000;
            let x = random(len * inner, 0.0);
            let y = running(x.clone(), [len, inner], backward);
            for j in 0..inner {
                let order = |i: usize| (if backward { len - 1 - i } else { i }) * inner + j;
                for i in 0..len {
                    assert!(i == 0 || y[order(i)] >= y[order(i - 1)]);
                    let terms = (0..=i).map(|i| f64::from(x[order(i)]));
                    if i % 97 == 0 || i + 1 == len {
                        assert_bound(y[order(i)], terms, i, 128.0 + i as f64 / 128.0);
                    }
                }
            }
        }
    }
}

#[test]
fn sums_have_the_same_bits_on_one_thread_and_on_two() {
    let all = || {
        let mut params = Params::<f32>::new();
        let w = params.add("w", Tensor::new([300, 40], random(12_000, -1.0)).unwrap());
        let b = params.add("b", Tensor::zeros([40]));
        let mut grads = params.zeros();
        let mut tape = Tape::new();
        let r = tape.record(&params);
        let x = r.constant(&Tensor::new([3000, 300], random(900_000, -1.0)).unwrap());
        let h = x.linear_relu(r.param(w), r.param(b));
        let loss = h.square().mean() + h.std_axes([0], 0).sum() + h.log_sum_exp() + h.l2_norm();
        loss.backward(&mut grads);
        let bits: Vec<u32> = grads.data().iter().map(|g| g.to_bits()).collect();
        (loss.item().to_bits(), bits)
    };
    let before = threads();
    on_every_isa(|isa| {
        set_threads(1);
        let one = all();
        set_threads(2);
        assert!(one == all(), "{isa:?}");
    });
    set_threads(before);
}

#[test]
fn a_mean_divides_so_that_the_mean_of_equal_numbers_is_that_number() {
    for n in [1, 3, 7, 49, 1000] {
        let (mut tape, params) = (Tape::<f32>::new(), Params::new());
        let r = tape.record(&params);
        let x = r.input(&Tensor::from_fn([n, 2], |_| 1.0));
        let zeros = r.constant(&Tensor::zeros([n, 2]));
        let means = [x.mean(), x.mean_axes([0]).sum() / 2.0, loss::mse(x, zeros), loss::mae(x, zeros)];
        assert_eq!(means.map(|mean| mean.item()), [1.0; 4], "{n}");
        (x.mean_axes([0]).sum() * n as f64).backward(&mut params.zeros());
        assert_eq!(x.gradient().unwrap(), Tensor::from_fn([n, 2], |_| 1.0), "{n}");
    }
}
