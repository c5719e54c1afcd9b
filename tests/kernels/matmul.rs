//! The kernel corpus: every instruction set of this machine, on awkward shapes and strides, against the
//! definitions.
//!
//! The numbers are small integers, so that every order of summation gives the same exact result: what differs
//! by one bit is wrong.

use std::panic::{AssertUnwindSafe, catch_unwind};

use quietgrad::Accum;
use quietgrad::kernels::{Blocks, isa::Isa, reference};
use quietgrad::matrix::{Epilogue, Mat, MatMut, Products, ReluLayer};

use crate::kernels::operands::{Layout, Random};
use crate::on_every_isa;

use Layout::*;
const INPUTS: [Layout; 6] = [RowMajor, Transposed, Padded, Spread, OneRow, OneColumn];
const OUTPUTS: [Layout; 4] = [RowMajor, Transposed, Padded, Spread];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Replace,
    Add,
    Bias,
    BiasRelu,
}

const MODES: [Mode; 4] = [Mode::Replace, Mode::Add, Mode::Bias, Mode::BiasRelu];

#[derive(Clone, Copy, Debug)]
struct Case {
    size: [usize; 3],
    a: Layout,
    b: Layout,
    c: Layout,
    mode: Mode,
    /// How many elements stand before each operand: vectors are rarely aligned.
    offset: usize,
}

/// Compares the kernel with the definition, and the unused elements of `c` with what they were.
fn check<T: Products>(case: Case, random: &mut Random) {
    let [m, k, n] = case.size;
    let operand = |layout: Layout, rows, cols, random: &mut Random| {
        random.integers::<T>(case.offset + layout.len(rows, cols))
    };
    let a = operand(case.a, m, k, random);
    let b = operand(case.b, k, n, random);
    let bias = random.integers::<T>(n);
    let mut c = operand(case.c, m, n, random);
    if case.mode != Mode::Add {
        c.fill(T::from_f64(f64::NAN));
    }
    let mut expected = c.clone();
    let (accum, epilogue) = match case.mode {
        Mode::Replace => (Accum::Replace, Epilogue::None),
        Mode::Add => (Accum::Add, Epilogue::None),
        Mode::Bias => (Accum::Replace, Epilogue::Bias(&bias)),
        Mode::BiasRelu => (Accum::Replace, Epilogue::BiasRelu(&bias)),
    };
    type Gemm<T> = fn([usize; 3], Mat<T>, Mat<T>, MatMut<T>, Accum, Epilogue<T>);
    for (gemm, c) in [(T::gemm as Gemm<T>, &mut c), (reference::gemm, &mut expected)] {
        let mat = |data, [row_stride, col_stride]: [usize; 2]| Mat { data, row_stride, col_stride };
        let [row_stride, col_stride] = case.c.strides(m, n);
        gemm(
            case.size,
            mat(&a[case.offset..], case.a.strides(m, k)),
            mat(&b[case.offset..], case.b.strides(k, n)),
            MatMut { data: &mut c[case.offset..], row_stride, col_stride },
            accum,
            epilogue,
        );
    }
    for (at, (&x, &y)) in c.iter().zip(&expected).enumerate() {
        assert!(
            x == y || (x.is_nan() && y.is_nan()),
            "{:?} {case:?}: c[{at}] is {x}, not {y}",
            Isa::current()
        );
    }
}

/// Sizes on both sides of a tile's edge, then primes.
fn awkward(tile: usize) -> Vec<usize> {
    let mut sizes = vec![0, 1, 2, 3, tile / 2 - 1, tile / 2, tile / 2 + 1, tile - 1, tile, tile + 1, 37, 61];
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

fn corpus<T: Products>(blocks: Blocks, random: &mut Random) {
    let mut depths = vec![0, 1, 2, 3, 4, 7, 16, 17];
    depths.extend([blocks.kc - 1, blocks.kc, blocks.kc + 1, 2 * blocks.kc + 1]);
    // A row-major product is computed transposed: each side meets both edges.
    let mut sides = awkward(blocks.mr);
    sides.extend(awkward(blocks.nr));
    sides.sort_unstable();
    sides.dedup();
    for &m in &sides {
        for &n in &sides {
            for &k in &depths {
                for _ in 0..if k > 20 { 1 } else { 6 } {
                    let case = Case {
                        size: [m, k, n],
                        a: INPUTS[random.below(6)],
                        b: INPUTS[random.below(6)],
                        c: OUTPUTS[random.below(4)],
                        mode: MODES[random.below(4)],
                        offset: random.below(4),
                    };
                    check::<T>(case, random);
                }
            }
        }
    }
    // Every combination, on two shapes: one within a tile, one of several tiles and blocks.
    for size in [[7, 5, 6], [2 * blocks.mr + 1, blocks.kc + 1, 2 * blocks.nr + 1]] {
        for a in INPUTS {
            for b in INPUTS {
                for c in OUTPUTS {
                    for mode in MODES {
                        check::<T>(Case { size, a, b, c, mode, offset: 1 }, random);
                    }
                }
            }
        }
    }
    // Over the edges of the outer blocks, both ways round.
    let wide = 5 * blocks.mr + 1;
    for (a, b, c) in
        [(RowMajor, RowMajor, RowMajor), (Transposed, Padded, Transposed), (Spread, Transposed, Spread)]
    {
        for (k, mode) in [(blocks.kc + 1, Mode::Replace), (blocks.kc, Mode::Add)] {
            check::<T>(Case { size: [wide, k, blocks.mc + 1], a, b, c, mode, offset: 1 }, random);
            check::<T>(Case { size: [blocks.mc + 1, k, wide], a, b, c, mode, offset: 0 }, random);
        }
    }
    check::<T>(
        Case {
            size: [wide, 9, blocks.nc + 1],
            a: Padded,
            b: RowMajor,
            c: Transposed,
            mode: Mode::Bias,
            offset: 0,
        },
        random,
    );
    check::<T>(
        Case {
            size: [blocks.nc + 1, 9, wide],
            a: Padded,
            b: RowMajor,
            c: RowMajor,
            mode: Mode::Bias,
            offset: 0,
        },
        random,
    );
}

#[test]
fn products_match_the_definition_on_awkward_shapes() {
    on_every_isa(|_| {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        corpus::<f32>(Blocks::of_f32(), &mut random);
        corpus::<f64>(Blocks::of_f64(), &mut random);
    });
}

#[test]
fn products_match_the_definition_on_random_shapes() {
    on_every_isa(|_| {
        let mut random = Random(0x2545_f491_4f6c_dd1d);
        for _ in 0..400 {
            let bound = [4, 20, 100, 200][random.below(4)];
            let case = Case {
                size: [random.below(bound), random.below(bound), random.below(bound)],
                a: INPUTS[random.below(6)],
                b: INPUTS[random.below(6)],
                c: OUTPUTS[random.below(4)],
                mode: MODES[random.below(4)],
                offset: random.below(9),
            };
            check::<f32>(case, &mut random);
            check::<f64>(case, &mut random);
        }
    });
}

#[test]
fn a_batch_is_its_products() {
    on_every_isa(|isa| {
        let mut random = Random(0x5851_f42d_4c95_7f2d);
        for (count, size @ [m, k, n]) in [(0, [2, 3, 4]), (1, [5, 1, 3]), (9, [4, 0, 2]), (40, [33, 65, 47])]
        {
            // The second operand is shared by all products; one c is apart from the next.
            let (a, b) = (random.integers::<f32>(count * m * k), random.integers::<f32>(k * n));
            let steps = [m * k, 0, m * n + 2];
            for (accum, threads) in [(Accum::Replace, 1), (Accum::Replace, 2), (Accum::Add, 3)] {
                let start = random.integers::<f32>(count * steps[2]);
                let [mut c, mut expected] = [start.clone(), start];
                quietgrad::set_threads(threads);
                let to = MatMut::row_major(&mut c, n);
                f32::gemm_batch(count, size, Mat::row_major(&a, k), Mat::row_major(&b, n), to, steps, accum);
                quietgrad::set_threads(1);
                for i in 0..count {
                    let a = Mat::row_major(&a[i * steps[0]..], k);
                    let to = MatMut::row_major(&mut expected[i * steps[2]..], n);
                    reference::gemm(size, a, Mat::row_major(&b, n), to, accum, Epilogue::None);
                }
                assert!(c == expected, "{isa:?} {count} of {size:?}");
            }
        }
    });
}

fn relu_layers<T: Products>(isa: Isa, random: &mut Random) {
    let nan = T::from_f64(f64::NAN);
    for m in [0, 1, 2, 5, 30] {
        for k in [0, 1, 2, 3, 4, 5] {
            for n in [0, 1, 3, 8, 31, 64, 65, 130] {
                let transposed = random.below(2) == 0;
                let x = random.integers::<T>(m * k);
                let [row_stride, col_stride] = if transposed { [1, m] } else { [k, 1] };
                let y = random.integers::<T>(m * n);
                // What stands where y is not above 0 must not matter.
                let hide = |(g, y): (T, &T)| if *y > T::ZERO { g } else { nan };
                let gy: Vec<T> = random.integers::<T>(m * n).into_iter().zip(&y).map(hide).collect();
                let layer = ReluLayer {
                    size: [m, k, n],
                    x: Mat { data: &x, row_stride, col_stride },
                    y: &y,
                    gy: &gy,
                    plus: T::from_f64(3.0),
                };
                let [of_w, of_b] = [(); 2].map(|()| [Accum::Replace, Accum::Add][random.below(2)]);
                let place = |len: usize, accum: Accum, random: &mut Random| match accum {
                    Accum::Replace => vec![nan; len],
                    Accum::Add => random.integers::<T>(len),
                };
                let (mut gw, mut gb) = (place(k * n, of_w, random), place(n, of_b, random));
                let (mut expected_w, mut expected_b) = (gw.clone(), gb.clone());
                T::relu_layer_vjp(layer, (&mut gw, of_w), (&mut gb, of_b));
                reference::relu_layer_vjp(layer, (&mut expected_w, of_w), (&mut expected_b, of_b));
                assert_eq!((gw, gb), (expected_w, expected_b), "{isa:?} {m} x {k} x {n}");
            }
        }
    }
}

#[test]
fn a_relu_layer_is_pulled_back_as_defined() {
    on_every_isa(|isa| {
        relu_layers::<f32>(isa, &mut Random(6));
        relu_layers::<f64>(isa, &mut Random(7));
    });
}

#[test]
fn relu_epilogue_keeps_nan() {
    on_every_isa(|isa| {
        let (a, b) = ([1.0f32, f32::NAN], [1.0f32; 3]);
        let mut c = [0.0f32; 6];
        f32::gemm(
            [2, 1, 3],
            Mat::row_major(&a, 1),
            Mat::row_major(&b, 3),
            MatMut::row_major(&mut c, 3),
            Accum::Replace,
            Epilogue::BiasRelu(&[0.0, -2.0, f32::NAN]),
        );
        assert_eq!(c[..2], [1.0, 0.0], "{isa:?}");
        assert!(c[2..].iter().all(|x| x.is_nan()), "{isa:?}: {c:?}");
    });
}

#[test]
fn operands_too_short_or_overlapping_panic() {
    let refuses = |a_len: usize, c_strides: [usize; 2], bias_len: usize, accum: Accum| {
        let (a, b, bias) = (vec![1.0f32; a_len], [1.0f32; 15], vec![1.0f32; bias_len]);
        let mut c = [0.0f32; 10];
        catch_unwind(AssertUnwindSafe(|| {
            f32::gemm(
                [2, 3, 5],
                Mat::row_major(&a, 3),
                Mat::row_major(&b, 5),
                MatMut { data: &mut c, row_stride: c_strides[0], col_stride: c_strides[1] },
                accum,
                if bias_len > 0 { Epilogue::Bias(&bias) } else { Epilogue::None },
            )
        }))
        .is_err()
    };
    assert!(!refuses(6, [5, 1], 5, Accum::Replace), "this one is right");
    assert!(refuses(5, [5, 1], 0, Accum::Replace), "a too short");
    assert!(refuses(6, [6, 1], 0, Accum::Replace), "c too short");
    assert!(refuses(6, [0, 1], 0, Accum::Replace), "rows of c in one place");
    assert!(refuses(6, [2, 1], 0, Accum::Replace), "rows of c overlap");
    assert!(refuses(6, [5, 1], 4, Accum::Replace), "bias too short");
    assert!(refuses(6, [5, 1], 5, Accum::Add), "an epilogue, added");
    assert!(refuses(6, [usize::MAX, 1], 0, Accum::Replace), "a stride that overflows");
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    on_every_isa(|isa| {
        let mut random = Random(0x0123_4567_89ab_cdef);
        let mut fractions = |len: usize| -> Vec<f32> {
            (0..len).map(|_| random.below(1 << 24) as f32 / (1 << 23) as f32 - 1.0).collect()
        };
        // The last three would be split to single columns, or are not split at all.
        for [m, k, n] in [[257, 300, 263], [1500, 700, 13], [13, 700, 1500], [4000, 1100, 1], [1, 1100, 4000]]
        {
            let (a, b) = (fractions(m * k), fractions(k * n));
            let layouts = |data, rows: usize, cols: usize| {
                [Mat::row_major(data, cols), Mat { data, row_stride: 1, col_stride: rows }]
            };
            for a in layouts(&a, m, k) {
                for b in layouts(&b, k, n) {
                    let on = |threads: usize| {
                        quietgrad::set_threads(threads);
                        let mut c = vec![f32::NAN; m * n];
                        let to = MatMut::row_major(&mut c, n);
                        f32::gemm([m, k, n], a, b, to, Accum::Replace, Epilogue::None);
                        quietgrad::set_threads(1);
                        c.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
                    };
                    let one = on(1);
                    for threads in [2, 3, 4, 7] {
                        assert!(
                            on(threads) == one,
                            "{isa:?} {m} x {k} x {n}: {threads} threads differ from 1"
                        );
                    }
                }
            }
        }
    });
}

#[test]
fn products_from_many_threads_do_not_disturb_each_other() {
    crate::on_every_isa(|_| {
        quietgrad::set_threads(2);
        std::thread::scope(|scope| {
            for seed in 1..5 {
                scope.spawn(move || {
                    let mut random = Random(seed);
                    for _ in 0..10 {
                        let case = Case {
                            size: [200, 100, 150],
                            a: Transposed,
                            b: RowMajor,
                            c: RowMajor,
                            mode: Mode::Replace,
                            offset: 0,
                        };
                        check::<f32>(case, &mut random);
                    }
                });
            }
        });
    });
}
