//! Screening against the dense product: the same active units but for those within rounding of zero, the same values
//! within rounding, exact zeros elsewhere, whatever the numbers are.

use std::panic::AssertUnwindSafe;

use quietgrad::kernels::{isa::Isa, screen};
use quietgrad::matrix::{Epilogue, Mat, MatMut, Products};
use quietgrad::{Accum, Params, Random, SkipZeros, Tape, Tensor, Var, reg};

use crate::on_every_isa;

/// Operands of a layer: x is m x k, w is k x n.
struct Layer {
    size: [usize; 3],
    x: Vec<f32>,
    w: Vec<f32>,
    bias: Vec<f32>,
}

impl Layer {
    /// Normal numbers, and a bias that leaves about `density` of the units active.
    fn normal(size: [usize; 3], threshold: f64, random: &mut Random) -> Layer {
        let [m, k, n] = size;
        let scale = 1.0 / (k as f64).sqrt();
        Layer {
            size,
            x: (0..m * k).map(|_| random.normal() as f32).collect(),
            w: (0..k * n).map(|_| (random.normal() * scale) as f32).collect(),
            bias: (0..n).map(|_| (0.1 * random.normal() - threshold) as f32).collect(),
        }
    }

    fn screened(&self) -> Option<Vec<f32>> {
        let [m, k, n] = self.size;
        let mut y = vec![f32::NAN; m * n];
        let (x, w) = (Mat::row_major(&self.x, k), Mat::row_major(&self.w, n));
        screen::linear_relu(self.size, x, w, &self.bias, &mut y).map(|candidates| {
            let active = y.iter().filter(|&&y| y != 0.0).count();
            assert!((active..=y.len()).contains(&candidates), "{active} active, {candidates} candidates");
            y
        })
    }

    fn dense(&self) -> Vec<f32> {
        let [m, k, n] = self.size;
        let mut y = vec![f32::NAN; m * n];
        let (x, w) = (Mat::row_major(&self.x, k), Mat::row_major(&self.w, n));
        let to = MatMut::row_major(&mut y, n);
        f32::gemm(self.size, x, w, to, Accum::Replace, Epilogue::BiasRelu(&self.bias));
        y
    }

    /// Compares every unit with its exact value, as far as `f64` is exact; where that is not finite, with the dense
    /// product. Sums that overflow in one order and not in another are let pass.
    fn check(&self, what: &str) {
        let Some(y) = self.screened() else {
            assert_ne!(Isa::current(), Isa::Avx2, "{what}");
            return;
        };
        let [m, k, n] = self.size;
        let dense = self.dense();
        for i in 0..m {
            for j in 0..n {
                let (y, dense) = (y[i * n + j], dense[i * n + j]);
                let terms = (0..k).map(|p| f64::from(self.x[i * k + p]) * f64::from(self.w[p * n + j]));
                let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()));
                let (sum, size) = (sum + f64::from(self.bias[j]), size + f64::from(self.bias[j].abs()));
                let place =
                    format!("{what} {:?} ({i}, {j}): {y:e}, dense {dense:e}, exactly {sum:e}", self.size);
                if !sum.is_finite() {
                    assert!(y == dense || (y.is_nan() && dense.is_nan()), "{place}");
                    continue;
                }
                if size > 1e38 {
                    continue;
                }
                let rounding = (k + 2) as f64 * size * f64::from(f32::EPSILON) + 1e-40 * (k + 1) as f64;
                assert!((f64::from(y) - sum.max(0.0)).abs() <= rounding, "{place}");
                assert!(sum > -rounding || y.to_bits() == 0, "{place}: no exact zero");
            }
        }
    }
}

#[test]
fn screening_agrees_with_the_dense_product_on_awkward_shapes() {
    on_every_isa(|_| {
        let mut random = Random::new(1);
        for m in [0, 1, 2, 15, 16, 17, 33, 65] {
            for k in [1, 2, 3, 7, 31, 63, 64, 65, 129] {
                for n in [0, 1, 2, 3, 4, 5, 6, 7, 13, 95, 97, 193] {
                    let threshold = 3.0 * random.unit();
                    Layer::normal([m, k, n], threshold, &mut random).check("normal");
                }
            }
        }
        // More rows than are quantized at a time.
        Layer::normal([2100, 40, 7], 1.0, &mut random).check("tall");
        Layer::normal([130, 768, 300], 1.6, &mut random).check("wide");
    });
}

#[test]
fn screening_agrees_with_the_dense_product_on_random_layers() {
    on_every_isa(|_| {
        let mut random = Random::new(2);
        for _ in 0..300 {
            let size = std::array::from_fn(|_| 1 + (random.unit() * 70.0) as usize);
            let mut layer = Layer::normal(size, 4.0 * random.unit() - 1.0, &mut random);
            // Rows and columns of very different scales, sparse rows, values that round to few integers.
            let [m, k, n] = size;
            for i in 0..m {
                let scale = (40.0 * random.unit() - 20.0).exp2() as f32;
                let keep = random.unit();
                for x in &mut layer.x[i * k..(i + 1) * k] {
                    *x = if random.unit() < keep { *x * scale } else { 0.0 };
                }
            }
            for j in 0..n {
                let scale = (40.0 * random.unit() - 20.0).exp2() as f32;
                let whole = random.unit() < 0.3;
                for p in 0..k {
                    let w = &mut layer.w[p * n + j];
                    *w = scale * if whole { w.round() } else { *w };
                }
                layer.bias[j] *= scale;
            }
            layer.check("random");
        }
    });
}

/// Numbers that a scale, a square or a sum could stumble over.
const HARD: [f32; 20] = [
    f32::NAN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::MAX,
    f32::MIN,
    f32::MIN_POSITIVE,
    1e-45,
    -1e-45,
    1e-40,
    1e-30,
    -1e-20,
    1e-12,
    1e12,
    -1e15,
    1e19,
    -1e20,
    1e30,
    0.0,
    -0.0,
    1.0,
];

#[test]
fn hard_numbers_anywhere_give_what_the_dense_product_gives() {
    on_every_isa(|_| {
        let mut random = Random::new(3);
        for hard in HARD {
            for [m, k, n] in [[20, 70, 13], [5, 1, 7]] {
                for place in 0..7 {
                    let mut layer = Layer::normal([m, k, n], 1.0, &mut random);
                    match place {
                        0 => layer.x[2 * k + k / 2] = hard,
                        1 => layer.w[k / 2 * n + 3] = hard,
                        2 => layer.bias[4] = hard,
                        3 => layer.x[k..2 * k].fill(hard),
                        4 => (0..k).for_each(|p| layer.w[p * n + 2] = hard),
                        5 => layer.bias.fill(hard),
                        _ => layer.x.iter_mut().chain(&mut layer.w).for_each(|x| *x *= hard),
                    }
                    layer.check(&format!("{hard:e} at {place}"));
                }
            }
        }
    });
}

#[test]
fn sums_that_end_at_zero_are_found_on_the_right_side() {
    on_every_isa(|_| {
        let mut random = Random::new(4);
        for step in -3..=3 {
            let mut layer = Layer::normal([48, 96, 24], 0.0, &mut random);
            // Exact in every order, and quantized without a residual: signs decide alone.
            layer.x.iter_mut().for_each(|x| *x = x.round());
            layer.w.iter_mut().for_each(|w| *w = (*w * 10.0).round());
            layer.bias.fill(step as f32);
            if let Some(y) = layer.screened() {
                assert!(y == layer.dense(), "{:?}, bias {step}", Isa::current());
            }
            // A bias within a few steps of a sum's own value.
            let mut layer = Layer::normal([32, 64, 32], 0.0, &mut random);
            layer.bias.fill(0.0);
            let [m, k, n] = layer.size;
            for j in 0..n {
                let i = j % m;
                let dot: f32 = (0..k).map(|p| layer.x[i * k + p] * layer.w[p * n + j]).sum();
                layer.bias[j] = -dot * (1.0 + step as f32 * f32::EPSILON);
            }
            layer.check("on the edge");
        }
    });
}

#[test]
fn the_largest_integers_do_not_overflow() {
    on_every_isa(|_| {
        // Every product is as large as it can be, in every run and in either half of its quads.
        for k in [64, 768, 5000] {
            for signs in [[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]] {
                for every in [1, 2, 4, 32, 64] {
                    let [x, w] = signs.map(|sign| {
                        (0..k).map(|p| if p % every == 0 { sign } else { 0.0 }).collect::<Vec<f32>>()
                    });
                    let layer = Layer { size: [1, k, 1], x, w, bias: vec![0.0] };
                    layer.check("largest");
                }
            }
        }
    });
}

#[test]
fn weights_by_column_and_rows_with_gaps_are_taken_where_they_are() {
    on_every_isa(|isa| {
        let mut random = Random::new(5);
        let layer = Layer::normal([40, 50, 110], 1.0, &mut random);
        let Some(expected) = layer.screened() else { return };
        let [m, k, n] = layer.size;
        let by_column: Vec<f32> = (0..n * k).map(|at| layer.w[at % k * n + at / k]).collect();
        let gaps: Vec<f32> = (0..m * (k + 3))
            .map(|at| if at % (k + 3) < k { layer.x[at / (k + 3) * k + at % (k + 3)] } else { f32::NAN })
            .collect();
        let mut y = vec![f32::NAN; m * n];
        let (x, w) =
            (Mat { data: &gaps, row_stride: k + 3, col_stride: 1 }, Mat::row_major(&by_column, k).t());
        assert!(screen::linear_relu(layer.size, x, w, &layer.bias, &mut y).is_some());
        assert!(y == expected, "{isa:?}");
        // Neither rows nor columns are contiguous: not taken.
        let x = Mat { data: &gaps, row_stride: 1, col_stride: 2 };
        y.fill(3.0);
        assert_eq!(screen::linear_relu([3, 4, n], x, w, &layer.bias, &mut y), None);
        assert_eq!(screen::linear_relu([m, 0, n], x, w, &layer.bias, &mut y), None);
        assert!(y.iter().all(|&y| y == 3.0), "what is refused is not touched");
    });
}

#[test]
fn any_number_of_threads_screens_to_the_same_bits() {
    on_every_isa(|isa| {
        let mut random = Random::new(6);
        for size in [[300, 200, 500], [17, 768, 1000], [2500, 33, 100]] {
            let layer = Layer::normal(size, 1.3, &mut random);
            let on = |threads| {
                quietgrad::set_threads(threads);
                let y = layer.screened();
                quietgrad::set_threads(1);
                y.map(|y| y.iter().map(|y| y.to_bits()).collect::<Vec<_>>())
            };
            let one = on(1);
            for threads in [2, 3, 5] {
                assert!(on(threads) == one, "{isa:?} {size:?}: {threads} threads differ from 1");
            }
        }
    });
}

#[test]
fn a_recording_tells_how_much_of_a_screened_layer_was_computed() {
    on_every_isa(|isa| {
        let layer = Layer::normal([40, 64, 30], 2.0, &mut Random::new(7));
        let [m, k, n] = layer.size;
        let params = Params::new();
        let recorded = |when| {
            let mut tape = Tape::<f32>::new();
            tape.skip_zeros(when);
            let r = tape.record(&params);
            let tensor = |shape: &[usize], x: &[f32]| Tensor::from_fn(shape, |i| x[i]);
            // Of an input, unlike a constant, the entries are not looked for: the product is not a sparse one.
            let x = r.input(&tensor(&[m, k], &layer.x));
            let (w, bias) = (tensor(&[k, n], &layer.w), tensor(&[n], &layer.bias));
            let y = x.linear_relu(r.constant(&w), r.constant(&bias));
            (y.density(), r.skipping(y), r.graph().to_string(), r.summary().skipped_flops())
        };
        let (_, skipping, text, skipped) = recorded(SkipZeros::Never);
        assert_eq!((skipping.screened, skipped), (None, 0), "{text}");
        let (density, skipping, text, skipped) = recorded(SkipZeros::Always);
        let Some(computed) = skipping.screened else {
            assert_ne!(isa, Isa::Avx2, "{text}");
            return;
        };
        assert!(
            density > 0.0 && density <= computed && computed < 0.5,
            "{density} active, {computed} computed"
        );
        assert!(text.contains(&format!("  screened: {:.1} % computed", 100.0 * computed)), "{text}");
        let flops = (2 * m * k * n) as f64;
        assert!((skipped as f64 - flops * (1.0 - computed)).abs() <= 0.001 * flops, "{skipped} of {flops}");
    });
}

#[test]
fn screening_is_for_large_layers_that_are_nearly_all_zero() {
    assert!(screen::pays([1024, 768, 6144], 0.01));
    assert!(screen::pays([1024, 768, 6144], 0.03));
    assert!(!screen::pays([1024, 768, 6144], 0.1));
    assert!(!screen::pays([1024, 64, 4096], 0.01), "short sums");
    assert!(!screen::pays([1024, 2048, 4096], 0.02), "long sums have a wide bound");
    assert!(!screen::pays([8, 768, 6144], 0.01), "few rows");
    assert!(!screen::pays([1024, 768, 6144], f64::NAN), "density unknown");
}

/// What a step with one layer and what reads it leaves: the bits of the layer's output and of all gradients, and of the
/// pre-activations where they are read.
#[derive(Debug, PartialEq)]
struct Step {
    h: Vec<u32>,
    grads: Vec<u32>,
    z: Option<Vec<u32>>,
    screened: Option<f64>,
    skipped: u64,
}

/// When a program reads the pre-activations.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reads {
    /// Never: it has none, and calls `linear_relu`.
    Fused,
    /// Never, though it has them.
    Not,
    Before,
    After,
    /// When the sweep has been.
    Last,
}

fn bits(x: &Tensor<f32>) -> Vec<u32> {
    x.data().iter().map(|x| x.to_bits()).collect()
}

/// Params of the layer as `w` and `b`, and of one after it.
fn params_of(layer: &Layer) -> Params<f32> {
    let [_, k, n] = layer.size;
    let mut params = Params::new();
    params.add("w", Tensor::from_fn([k, n], |i| layer.w[i]));
    params.add("b", Tensor::from_fn([n], |i| layer.bias[i]));
    let mut random = Random::new(8);
    params.add("v", Tensor::from_fn([n, k], |_| random.normal() as f32));
    params
}

fn step(tape: &mut Tape<f32>, layer: &Layer, reads: Reads) -> Step {
    let [m, k, _] = layer.size;
    let params = params_of(layer);
    let ids: Vec<_> = params.ids().collect();
    let mut grads = params.zeros();
    let r = tape.record(&params);
    // Of an input, unlike a constant, the entries are not looked for: the product is not a sparse one.
    let x = r.input(&Tensor::from_fn([m, k], |i| layer.x[i]));
    let (w, b, v) = (r.param(ids[0]), r.param(ids[1]), r.param(ids[2]));
    let product = if reads == Reads::Fused { x.linear_relu(w, b) } else { x.linear(w, b) };
    let mut z = (reads == Reads::Before).then(|| bits(&product.value()));
    let h = if reads == Reads::Fused { product } else { product.relu() };
    z = z.or_else(|| (reads == Reads::After).then(|| bits(&product.value())));
    let loss = (h.matmul(v) - x).square().mean() + reg::l1(h).per_sample() * 1e-2;
    loss.backward(&mut grads);
    let (skipping, skipped) = (r.skipping(product), r.summary().skipped_flops());
    z = z.or_else(|| (reads == Reads::Last).then(|| bits(&product.value())));
    let gx = x.gradient().expect("something flows to x");
    let grads = grads.data().iter().chain(gx.data()).map(|g| g.to_bits()).collect();
    Step { h: bits(&h.value()), grads, z, screened: skipping.screened, skipped }
}

#[test]
fn relu_of_a_layer_screens_and_skips_as_the_two_in_one_do_whoever_reads_the_pre_activations() {
    on_every_isa(|isa| {
        let mut random = Random::new(9);
        let small = (Layer::normal([40, 64, 30], 2.0, &mut random), SkipZeros::Always);
        let large = (Layer::normal([256, 256, 300], 2.3, &mut random), SkipZeros::WherePays);
        for (layer, when) in [small, large] {
            let tape = |when| {
                let mut tape = Tape::<f32>::new();
                tape.skip_zeros(when);
                tape
            };
            let dense = step(&mut tape(SkipZeros::Never), &layer, Reads::After);
            assert_eq!((dense.screened, dense.skipped), (None, 0));
            let fused = step(&mut tape(when), &layer, Reads::Fused);
            assert!(fused.screened.is_some() || isa != Isa::Avx2, "{isa:?} {when:?}");
            let mut used = tape(when);
            for reads in [Reads::Not, Reads::Before, Reads::After, Reads::Last, Reads::Not] {
                for tape in [&mut tape(when), &mut used] {
                    let apart = step(tape, &layer, reads);
                    let what = format!("{isa:?} {when:?} {reads:?}");
                    assert!(apart.h == fused.h && apart.grads == fused.grads, "{what}: other bits");
                    assert!(apart.z.is_none() || apart.z == dense.z, "{what}: other pre-activations");
                    // What is read has been computed, all of it.
                    if matches!(reads, Reads::Not | Reads::Last) {
                        assert_eq!(
                            (apart.screened, apart.skipped),
                            (fused.screened, fused.skipped),
                            "{what}"
                        );
                    } else {
                        assert_eq!(apart.screened, None, "{what}");
                    }
                }
            }
        }
    });
}

#[test]
fn a_layer_that_is_dense_or_not_followed_by_relu_is_computed_once_and_gives_the_same_bits() {
    let _turn = crate::turn();
    let layer = Layer::normal([256, 256, 300], 0.0, &mut Random::new(10));
    let mut tape = Tape::<f32>::new();
    tape.skip_zeros(SkipZeros::WherePays);
    let apart = step(&mut tape, &layer, Reads::After);
    let mut dense_tape = Tape::<f32>::new();
    dense_tape.skip_zeros(SkipZeros::Never);
    let dense = step(&mut dense_tape, &layer, Reads::After);
    assert_eq!(apart.screened, None);
    assert!(apart.h == dense.h && apart.z == dense.z, "other bits");
    let params = params_of(&layer);
    tape.start_profile();
    let r = tape.record(&params);
    let ids: Vec<_> = params.ids().collect();
    let x = r.input(&Tensor::from_fn([256, 256], |i| layer.x[i]));
    let z = x.linear(r.param(ids[0]), r.param(ids[1]));
    let h = z.relu();
    _ = (h.value(), z.value(), z.tanh().value(), z.value());
    let by_op = tape.stop_profile().by_op();
    let calls = |name| by_op.iter().find(|(op, _)| *op == name).map(|(_, cost)| cost.calls);
    assert_eq!((calls("linear"), calls("relu")), (Some(1), Some(1)));
}

type Reader = for<'r> fn(Var<'r, f64>) -> Vec<Tensor<f64>>;

#[test]
fn a_layer_that_has_waited_is_read_alike_through_every_door() {
    let _turn = crate::turn();
    let readers: [Reader; 13] = [
        |z| vec![z.value()],
        |z| {
            let mut to = vec![0.0; z.shape().elements()];
            z.copy_to(&mut to);
            vec![Tensor::from_fn(&z.shape()[..], |i| to[i])]
        },
        |z| vec![Tensor::from(z.density())],
        |z| vec![Tensor::from(z.slice(0, ..1).slice(1, ..1).item())],
        |z| vec![z.t().value(), z.value()],
        |z| vec![z.reshape([z.shape().elements()]).slice(0, 2..5).value()],
        |z| vec![z.t().contiguous().value(), z.detach().value()],
        |z| vec![z.relu().value(), z.relu().value(), z.leaky_relu(0.1).value()],
        |z| vec![(z * z).sum().value(), Var::concat(&[z, z, z.tanh(), z], 1).value()],
        |z| vec![z.matmul(z.t()).value()],
        |z| vec![z.recording().checkpoint(|| [z.relu() + z])[0].value()],
        |z| vec![Tensor::from(z.recording().measured_graph().density(z.id()).expect("measured"))],
        |z| {
            (z.relu().sum() + reg::l1(z).per_sample() + z.square().mean())
                .backward(&mut z.recording().params().zeros());
            vec![z.gradient().expect("something flows to z")]
        },
    ];
    let mut random = Random::new(11);
    let mut params = Params::<f64>::new();
    let w = params.add("w", Tensor::from_fn([6, 9], |_| random.normal()));
    let b = params.add("b", Tensor::from_fn([9], |_| random.normal()));
    let x = Tensor::from_fn([5, 6], |_| random.normal());
    let (mut waiting, mut dense) = (Tape::new(), Tape::new());
    waiting.skip_zeros(SkipZeros::Always);
    dense.skip_zeros(SkipZeros::Never);
    // Whatever stood in its place before is not to be taken for it.
    let other = params.map(|_| f64::NAN);
    for (number, reader) in readers.into_iter().enumerate() {
        for params in [&other, &params] {
            let [a, b] = [&mut waiting, &mut dense].map(|tape| {
                let r = tape.record(params);
                reader(r.input(&x).linear(r.param(w), r.param(b)))
            });
            assert!(params.data()[0].is_nan() || a == b, "reader {number}");
        }
    }
}

#[test]
fn who_looks_on_changes_nothing_and_sees_every_element_of_a_layer() {
    let _turn = crate::turn();
    let layer = Layer::normal([40, 64, 30], 2.0, &mut Random::new(12));
    let tape = || {
        let mut tape = Tape::<f32>::new();
        tape.skip_zeros(SkipZeros::Always);
        tape
    };
    let (mut profiled, mut checked) = (tape(), tape());
    profiled.start_profile();
    checked.detect_anomalies(true);
    let plain = step(&mut tape(), &layer, Reads::Not);
    assert_eq!(step(&mut profiled, &layer, Reads::Not), plain);
    let seen = step(&mut checked, &layer, Reads::Not);
    assert!(seen.h == plain.h && seen.grads == plain.grads);
    let calls = profiled.stop_profile().by_op();
    let calls = |name| calls.iter().find(|(op, _)| *op == name).map(|(_, cost)| cost.calls);
    assert_eq!(calls("relu"), Some(1));
    assert_eq!(calls("linear").unwrap_or(0), u64::from(plain.screened.is_none()));
    // A sum that overflows below zero: relu makes 0 of it, but it is found where it is made.
    let mut broken = layer;
    (broken.x[0], broken.w[0]) = (1e30, -1e30);
    let found = std::panic::catch_unwind(AssertUnwindSafe(|| step(&mut checked, &broken, Reads::Not)));
    let message = *found.expect_err("-inf").downcast::<String>().expect("a message");
    assert!(message.starts_with("anomaly in forward: linear"), "{message}");
}

#[test]
fn a_layer_computed_again_in_a_checkpoints_segment_is_screened_again() {
    on_every_isa(|_| {
        let layer = Layer::normal([40, 64, 30], 2.0, &mut Random::new(13));
        let params = params_of(&layer);
        let ids: Vec<_> = params.ids().collect();
        let run = |segments: bool, read: bool| {
            let (mut tape, mut grads) = (Tape::<f32>::new(), params.zeros());
            tape.skip_zeros(SkipZeros::Always);
            let r = tape.record(&params);
            let x = r.input(&Tensor::from_fn([40, 64], |i| layer.x[i]));
            let of_layer = || {
                let z = x.linear(r.param(ids[0]), r.param(ids[1]));
                if read {
                    _ = z.value();
                }
                [z.relu().square().mean_axes([1]), z.relu().sum_axes([1])]
            };
            // A second segment overwrites the first one's memory.
            let parts = if segments {
                [r.checkpoint(of_layer), r.checkpoint(of_layer)]
            } else {
                [of_layer(), of_layer()]
            };
            let [[a, b], [c, d]] = parts;
            (a * b + c * d).sum().backward(&mut grads);
            grads.data().iter().map(|g| g.to_bits()).collect::<Vec<_>>()
        };
        let whole = run(false, false);
        for (segments, read) in [(false, true), (true, false), (true, true)] {
            assert!(run(segments, read) == whole, "segments: {segments}, read: {read}");
        }
    });
}

/// A program of three layers, drawn at random; of each the pre-activations may be used by others besides relu.
fn random_layers(tape: &mut Tape<f32>, params: &Params<f32>, seed: u64, fused: bool, read: bool) -> Vec<f32> {
    let mut random = Random::new(seed);
    let mut grads = params.zeros();
    let r = tape.record(params);
    let ids: Vec<_> = params.ids().collect();
    let rows = 1 + random.below(20);
    let mut h = r.input(&Tensor::from_fn([rows, 24], |_| random.normal() as f32));
    let mut loss = r.scalar(0.0);
    for layer in 0..3 {
        let (w, b) = (r.param(ids[2 * layer]), r.param(ids[2 * layer + 1]));
        let (x, uses, reads) = (h, random.below(6), random.below(4));
        let z = x.linear(w, b);
        if read && reads == 0 {
            _ = z.density();
        }
        h = if fused { x.linear_relu(w, b) } else { z.relu() };
        if read && reads == 1 {
            _ = z.value();
        }
        match uses {
            0 => loss += reg::l1(z).per_sample() * 1e-2,
            1 => loss += z.tanh().square().mean(),
            2 => h -= 0.05, // no zeros for the next product to skip
            3 => h += z.detach() * 0.1,
            4 => loss += reg::l1(h).per_sample() * 1e-2,
            _ => {}
        }
    }
    loss += h.square().mean();
    loss.backward(&mut grads);
    let mut outcome = grads.data().to_vec();
    outcome.push(loss.item());
    outcome
}

#[test]
fn random_programs_give_the_same_gradients_with_relu_apart_or_fused_and_with_reads_anywhere() {
    let _turn = crate::turn();
    let mut random = Random::new(14);
    let mut params = Params::<f32>::new();
    for layer in 0..3 {
        params.add(format!("{layer}.w"), Tensor::from_fn([24, 24], |_| (0.3 * random.normal()) as f32));
        params.add(format!("{layer}.b"), Tensor::from_fn([24], |_| random.uniform(-1.5, 0.5) as f32));
    }
    let (mut skipping, mut dense_tape) = (Tape::new(), Tape::new());
    skipping.skip_zeros(SkipZeros::Always);
    dense_tape.skip_zeros(SkipZeros::Never);
    for seed in 0..1000 {
        let dense = random_layers(&mut dense_tape, &params, seed, false, false);
        let apart = random_layers(&mut skipping, &params, seed, false, false);
        let read = random_layers(&mut skipping, &params, seed, false, true);
        let fused = random_layers(&mut skipping, &params, seed, true, false);
        let same = apart.iter().zip(&read).all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(same, "program {seed}: a reader changes bits");
        let scale = fused.iter().fold(1.0, |max: f32, x| max.max(x.abs()));
        for (a, b) in apart.iter().zip(&fused) {
            assert!((a - b).abs() <= 1e-4 * scale, "program {seed}: {a} with relu apart, {b} fused");
        }
        // A unit that is zero but for rounding may have a slope here and none there: the loss is continuous.
        let [a, b] = [&apart, &dense].map(|outcome| outcome[outcome.len() - 1]);
        assert!((a - b).abs() <= 1e-4 * b.abs().max(1.0), "program {seed}: a loss of {a}, dense {b}");
    }
}
