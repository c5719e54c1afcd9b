//! The sparse products and supports: every instruction set of this machine, on awkward shapes, strides and densities,
//! against the definitions.
//!
//! The numbers are small integers, so that every order of summation gives the same exact result.

use std::panic::{AssertUnwindSafe, catch_unwind};

use quietgrad::Accum;
use quietgrad::kernels::cost::{Form, pays};
use quietgrad::kernels::support::{estimate_density, find, gather, scatter, sum_columns};
use quietgrad::kernels::{isa::Isa, reference};
use quietgrad::matrix::{Epilogue, Mat, MatMut, Products, Sparse, Support};

use crate::kernels::operands::{Layout, Random};
use crate::on_every_isa;

impl Random {
    fn chance(&mut self, p: f64) -> bool {
        (self.below(1 << 20) as f64) < p * f64::from(1 << 20)
    }
    /// A matrix of which a share is not zero; some zeros are negative.
    fn sparse<T: Products>(&mut self, len: usize, density: f64) -> Vec<T> {
        let mut x = vec![T::ZERO; len];
        for x in &mut x {
            if self.chance(density) {
                *x = T::from_f64((self.below(8) as f64 + 1.0) * if self.chance(0.5) { -1.0 } else { 1.0 });
            } else if self.chance(0.1) {
                *x = -T::ZERO;
            }
        }
        x
    }
    fn fractions(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.below(1 << 24) as f32 / (1 << 23) as f32 - 1.0).collect()
    }
}

/// A sparse matrix with what it was found in.
struct Found<T> {
    dense: Vec<T>,
    support: Support,
    values: Vec<T>,
    by_row: Vec<T>,
}

impl<T: Products> Found<T> {
    fn in_matrix(dense: Vec<T>, cols: usize) -> Self {
        let (mut support, mut values, mut by_row) = (Support::default(), Vec::new(), Vec::new());
        find(&dense, cols, &mut support, &mut values, &mut by_row);
        Found { dense, support, values, by_row }
    }

    fn matrix(&self) -> Sparse<'_, T> {
        Sparse { support: &self.support, values: &self.values, by_row: &self.by_row }
    }
}

use Layout::*;
const INPUTS: [Layout; 5] = [RowMajor, Transposed, Padded, Spread, OneRow];
const OUTPUTS: [Layout; 4] = [RowMajor, Transposed, Padded, Spread];

impl Layout {
    fn mat<T>(self, data: &[T], rows: usize, cols: usize) -> Mat<'_, T> {
        let [row_stride, col_stride] = self.strides(rows, cols);
        Mat { data, row_stride, col_stride }
    }

    fn mat_mut<T>(self, data: &mut [T], rows: usize, cols: usize) -> MatMut<'_, T> {
        let [row_stride, col_stride] = self.strides(rows, cols);
        MatMut { data, row_stride, col_stride }
    }
}

#[derive(Clone, Copy, Debug)]
struct Case {
    size: [usize; 3],
    density: f64,
    b: Layout,
    g: Layout,
    c: Layout,
    mode: usize,
}

fn assert_same<T: Products>(got: &[T], expected: &[T], what: &str, case: Case) {
    for (at, (&x, &y)) in got.iter().zip(expected).enumerate() {
        let isa = Isa::current();
        assert!(x == y || (x.is_nan() && y.is_nan()), "{isa:?} {what} {case:?}: [{at}] is {x}, not {y}");
    }
}

/// Compares the four products with their definitions, and unused elements of outputs with what they were.
fn check<T: Products>(case: Case, random: &mut Random) {
    let [m, k, n] = case.size;
    let a = Found::in_matrix(random.sparse::<T>(m * k, case.density), k);
    let bias = random.integers::<T>(n);
    let b = random.integers::<T>(case.b.len(k, n));
    let g = random.integers::<T>(case.g.len(m, n));
    let (b, g) = (case.b.mat(&b, k, n), case.g.mat(&g, m, n));
    let (accum, epilogue) = match case.mode {
        0 => (Accum::Replace, Epilogue::None),
        1 => (Accum::Add, Epilogue::None),
        2 => (Accum::Replace, Epilogue::Bias(&bias)),
        _ => (Accum::Replace, Epilogue::BiasRelu(&bias)),
    };
    let output = |len: usize, random: &mut Random| {
        let mut x = random.integers::<T>(len);
        if accum == Accum::Replace {
            x.fill(T::from_f64(f64::NAN));
        }
        [x.clone(), x]
    };

    let [mut y, mut expected] = output(m * n, random);
    T::spmm(a.matrix(), b, n, &mut y, accum, epilogue);
    let dense = Mat::row_major(&a.dense, k);
    let to = MatMut::row_major(&mut expected, n);
    reference::gemm([m, k, n], dense, b, to, accum, epilogue);
    assert_same(&y, &expected, "spmm", case);
    let [mut y, _] = output(m * n, &mut Random(1));
    let before = y.clone();
    T::spmm(Sparse::new(&a.support, &a.values), b, n, &mut y, accum, epilogue);
    let mut again = before;
    T::spmm(a.matrix(), b, n, &mut again, accum, epilogue);
    assert_same(&y, &again, "spmm of values by number", case);

    let [mut c, mut c_expected] = output(case.c.len(k, n), random);
    let mut c_fused = c.clone();
    T::spmm_t(a.matrix(), g, n, case.c.mat_mut(&mut c, k, n), accum);
    let to = case.c.mat_mut(&mut c_expected, k, n);
    reference::gemm([k, m, n], dense.t(), g, to, accum, Epilogue::None);
    assert_same(&c, &c_expected, "spmm_t", case);

    let [mut values, mut values_expected] = output(a.support.entries(), random);
    let mut values_fused = values.clone();
    T::sddmm(&a.support, g, b, n, &mut values, accum);
    reference::sddmm(&a.support, g, b, n, &mut values_expected, accum);
    assert_same(&values, &values_expected, "sddmm", case);

    let to = (case.c.mat_mut(&mut c_fused, k, n), accum);
    T::spmm_t_sddmm(a.matrix(), g, b, n, to, (&mut values_fused, accum));
    assert_same(&c_fused, &c_expected, "spmm_t of both", case);
    assert_same(&values_fused, &values_expected, "sddmm of both", case);
}

fn case(size: [usize; 3], density: f64, random: &mut Random) -> Case {
    Case {
        size,
        density,
        b: INPUTS[random.below(5)],
        g: INPUTS[random.below(5)],
        c: OUTPUTS[random.below(4)],
        mode: random.below(4),
    }
}

const DENSITIES: [f64; 5] = [0.0, 0.01, 0.1, 0.5, 1.0];

#[test]
fn sparse_products_match_their_definitions_on_awkward_shapes() {
    on_every_isa(|_| {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        // Around the vectors and panels of every instruction set, and of supports.
        for n in [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 72, 127, 128, 129, 257] {
            for [m, k] in [[0, 5], [5, 0], [1, 1], [7, 3], [16, 17], [61, 63], [33, 65], [5, 130], [37, 200]]
            {
                for density in DENSITIES {
                    let case = case([m, k, n], density, &mut random);
                    check::<f32>(case, &mut random);
                    check::<f64>(case, &mut random);
                }
            }
        }
        for b in INPUTS {
            for c in OUTPUTS {
                for mode in 0..4 {
                    let case = Case { size: [19, 83, 75], density: 0.3, b, g: b, c, mode };
                    check::<f32>(case, &mut random);
                    check::<f64>(case, &mut random);
                }
            }
        }
        // Operands that are packed for their size, and several panels of every kind.
        for density in DENSITIES {
            check::<f32>(case([130, 300, 70], density, &mut random), &mut random);
            check::<f64>(case([130, 300, 70], density, &mut random), &mut random);
            check::<f32>(case([310, 1100, 136], density, &mut random), &mut random);
        }
    });
}

#[test]
fn any_number_of_threads_gives_the_same_bits_of_sparse_products() {
    on_every_isa(|isa| {
        let mut random = Random(0x0123_4567_89ab_cdef);
        for ([m, k, n], density) in [([700, 900, 200], 0.1), ([257, 2111, 40], 0.4), ([3000, 130, 129], 0.2)]
        {
            let mut dense = random.fractions(m * k);
            dense.iter_mut().for_each(|x| *x = if random.chance(density) { *x } else { 0.0 });
            let (b, g) = (random.fractions(k * n), random.fractions(m * n));
            let (b, g) = (Mat::row_major(&b, n), Mat::row_major(&g, n));
            for transposed in [false, true] {
                let on = |threads: usize| {
                    quietgrad::set_threads(threads);
                    let a = Found::in_matrix(dense.clone(), k);
                    let nan = |len: usize| vec![f32::NAN; len];
                    let (mut y, mut c, mut c_fused) = (nan(m * n), nan(k * n), nan(k * n));
                    let (mut values, mut fused) = (nan(a.values.len()), nan(a.values.len()));
                    let layout = if transposed { Transposed } else { RowMajor };
                    f32::spmm(a.matrix(), b, n, &mut y, Accum::Replace, Epilogue::None);
                    f32::spmm_t(a.matrix(), g, n, layout.mat_mut(&mut c, k, n), Accum::Replace);
                    f32::sddmm(&a.support, g, b, n, &mut values, Accum::Replace);
                    let to = (layout.mat_mut(&mut c_fused, k, n), Accum::Replace);
                    f32::spmm_t_sddmm(a.matrix(), g, b, n, to, (&mut fused, Accum::Replace));
                    let (mut gathered, mut scattered) = (nan(a.values.len()), nan(m * k));
                    gather(&dense, &a.support, &mut gathered, Accum::Replace);
                    scatter(a.matrix(), &mut scattered, Accum::Replace);
                    let mut sums = nan(k);
                    sum_columns(a.matrix(), &mut sums, Accum::Replace);
                    quietgrad::set_threads(1);
                    let results = [y, c, c_fused, values, fused, gathered, scattered, sums, a.values];
                    let bits = results.map(|x| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>());
                    (bits, a.support)
                };
                let one = on(1);
                for threads in [2, 3, 7] {
                    assert!(on(threads) == one, "{isa:?} {m} x {k} x {n}: {threads} threads differ from 1");
                }
            }
        }
    });
}

#[test]
fn a_support_is_where_the_matrix_is_not_zero() {
    on_every_isa(|isa| {
        let mut random = Random(0x2545_f491_4f6c_dd1d);
        let (mut support, mut values, mut by_row) = (Support::default(), Vec::new(), Vec::new());
        let shapes = [[0, 5], [5, 0], [1, 1], [3, 63], [9, 64], [7, 65], [40, 130], [300, 1500], [2, 5000]];
        for [rows, cols] in shapes {
            for density in DENSITIES {
                let x = random.sparse::<f32>(rows * cols, density);
                find(&x, cols, &mut support, &mut values, &mut by_row);
                // By column, then by row.
                let not_zero = |&(i, j): &(usize, usize)| x[i * cols + j] != 0.0;
                let places = (0..cols).flat_map(|j| (0..rows).map(move |i| (i, j))).filter(not_zero);
                let places: Vec<_> = places.collect();
                assert_eq!(
                    support.positions().collect::<Vec<_>>(),
                    places,
                    "{isa:?} {rows} x {cols}, {density}"
                );
                let expected: Vec<_> = places.iter().map(|&(i, j)| x[i * cols + j]).collect();
                assert_eq!(values, expected, "{isa:?} {rows} x {cols}, {density}");
                // Panel by panel, by row.
                let panels = (0..cols).step_by(support.width()).map(|j| j..cols.min(j + support.width()));
                let rows_of = panels.flat_map(|panel| (0..rows).map(move |i| (i, panel.clone())));
                let values_of = rows_of.flat_map(|(i, panel)| &x[i * cols..][panel]);
                let expected: Vec<_> = values_of.copied().filter(|&x| x != 0.0).collect();
                assert_eq!(by_row, expected, "{isa:?} {rows} x {cols}, {density}");
                assert_eq!((support.entries(), support.cols()), (places.len(), cols));
                assert!(support.width().is_power_of_two());
            }
        }
    });
}

#[test]
fn what_is_gathered_is_scattered_to_the_same_places() {
    let mut random = Random(0x5851_f42d_4c95_7f2d);
    for ([rows, cols], density) in [([0, 4], 1.0), ([30, 70], 0.2), ([9, 2100], 0.01), ([50, 64], 1.0)] {
        let a = Found::in_matrix(random.sparse::<f64>(rows * cols, density), cols);
        let mut values = vec![f64::NAN; a.values.len()];
        gather(&a.dense, &a.support, &mut values, Accum::Replace);
        assert_eq!(values, a.values);
        let mut dense = vec![f64::NAN; rows * cols];
        scatter(a.matrix(), &mut dense, Accum::Replace);
        assert_eq!(dense, a.dense);

        gather(&a.dense, &a.support, &mut values, Accum::Add);
        scatter(a.matrix(), &mut dense, Accum::Add);
        assert!(values.iter().zip(&a.values).all(|(x, y)| *x == 2.0 * y));
        assert!(dense.iter().zip(&a.dense).all(|(x, y)| *x == 2.0 * y));

        let mut sums = vec![f64::NAN; cols];
        sum_columns(a.matrix(), &mut sums, Accum::Replace);
        let column = |j: usize| (0..rows).map(|i| a.dense[i * cols + j]).sum::<f64>();
        assert!((0..cols).all(|j| sums[j] == column(j)));
        sum_columns(a.matrix(), &mut sums, Accum::Add);
        assert!((0..cols).all(|j| sums[j] == 2.0 * column(j)));
    }
}

#[test]
fn the_density_of_a_large_matrix_is_estimated() {
    let mut random = Random(77);
    for density in DENSITIES {
        let estimate = estimate_density(&random.sparse::<f32>(1000 * 300, density), 300);
        assert!((estimate - density).abs() < 0.02, "{estimate} of {density}");
    }
}

#[test]
fn entries_that_are_not_finite_multiply_as_in_a_dense_product() {
    on_every_isa(|isa| {
        let a = Found::in_matrix(vec![f32::NAN, 0.0, 0.0, f32::INFINITY, 1.0, 0.0, 0.0, 0.0], 4);
        let b: Vec<f32> = vec![1.0, 2.0, f32::NAN, f32::NAN, 1.0, 1.0, 3.0, 0.0];
        let mut y = [7.0f32; 4];
        f32::spmm(a.matrix(), Mat::row_major(&b, 2), 2, &mut y, Accum::Replace, Epilogue::None);
        assert!(y[0].is_nan() && y[1].is_nan(), "{isa:?}: {y:?}");
        assert_eq!(y[2..], [1.0, 2.0], "{isa:?}: zeros of a skip the NaN of b");
    });
}

#[test]
fn sparse_operands_too_short_panic() {
    let a = Found::in_matrix(vec![1.0f32; 6], 3);
    let refuses = |b: usize, g: usize, c: usize, values: usize| {
        let (b, g, mut c, mut values) = (vec![1.0; b], vec![1.0; g], vec![0.0; c], vec![0.0; values]);
        let (b, g) = (Mat::row_major(&b, 5), Mat::row_major(&g, 5));
        let mut run = || {
            let mut y = [0.0; 10];
            f32::spmm(a.matrix(), b, 5, &mut y, Accum::Replace, Epilogue::None);
            let to = (MatMut::row_major(&mut c, 5), Accum::Replace);
            f32::spmm_t_sddmm(a.matrix(), g, b, 5, to, (&mut values, Accum::Add));
        };
        catch_unwind(AssertUnwindSafe(&mut run)).is_err()
    };
    assert!(!refuses(15, 10, 15, 6), "this one is right");
    assert!(refuses(14, 10, 15, 6), "b too short");
    assert!(refuses(15, 9, 15, 6), "g too short");
    assert!(refuses(15, 10, 14, 6), "c too short");
    assert!(refuses(15, 10, 15, 5), "values too short");
}

#[test]
fn the_sparse_form_pays_the_sooner_the_sparser_and_the_larger() {
    for form in [Form::Rows, Form::Columns, Form::ColumnsTurned, Form::Sampled, Form::Both] {
        for found in [false, true] {
            for size in [[1024, 6144, 768], [128, 256, 64]] {
                let pays = |density| pays(form, size, density, found);
                assert!(pays(0.01) && !pays(0.9) && !pays(f64::NAN), "{form:?} {size:?}");
            }
            assert!(!pays(form, [1, 6144, 768], 0.01, found), "one row is not worth the work");
        }
    }
}
