//! One call of a public product with operands made from bytes: sizes, strides, steps and lengths of any magnitude.
//!
//! The call must panic if the operands do not fit, by a calculation in 128 bits that is written down here a second time, and
//! give what the reference gives if they do. What stands around its slices must not change. The fuzz target in `fuzz/` and
//! the seeded test in `tests/hostile.rs` run this file.

use std::panic::{AssertUnwindSafe, catch_unwind};

use quietgrad::Accum;
use quietgrad::kernels::{reference, screen, support};
use quietgrad::matrix::{Epilogue, Mat, MatMut, Products, ReluLayer, Sparse, Support};

/// More multiply-adds than this are not waited for.
const WORK: u128 = 1 << 14;

/// More elements than this are not allocated for an operand.
const LONGEST: u128 = 1 << 11;

/// What is read from when the bytes are at an end: zeros.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> usize {
        let (&byte, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        usize::from(byte)
    }

    fn flag(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    /// A number near a power of two, where products wrap.
    fn huge(&mut self) -> usize {
        let power = 1usize << (self.byte() % 64);
        power.wrapping_add(self.byte() % 5).wrapping_sub(2)
    }

    /// Mostly small, sometimes huge.
    fn size(&mut self) -> usize {
        match self.byte() {
            small @ 0..240 => small % 40 % 19,
            _ => self.huge(),
        }
    }

    /// The distance of neighbours, `dense` as a rule.
    fn stride(&mut self, dense: usize) -> usize {
        match self.byte() {
            0..100 => dense,
            100..140 => 1,
            140..180 => 0,
            180..220 => self.byte() % 32,
            220..240 => dense.wrapping_add(self.byte() % 8),
            _ => self.huge(),
        }
    }

    /// Strides of a `rows x cols` operand: row-major, transposed, or anything.
    fn strides(&mut self, rows: usize, cols: usize) -> [usize; 2] {
        if self.flag() { [self.stride(cols), self.stride(1)] } else { [self.stride(1), self.stride(rows)] }
    }

    /// The length of an operand of which so many elements are needed: just as many as a rule.
    fn len(&mut self, needed: Option<u128>) -> usize {
        let needed = needed.unwrap_or(0).min(LONGEST) as usize;
        match self.byte() {
            0..160 => needed,
            160..190 => needed.saturating_sub(1),
            190..230 => needed + self.byte() % 8,
            _ => self.byte(),
        }
    }

    /// Small whole numbers, whose sums are exact in any order; every third or so is 0.
    fn numbers<T: Products>(&mut self, len: usize) -> Vec<T> {
        let (seed, mut state) = (self.byte() as u64, 0x9e37_79b9_7f4a_7c15u64);
        state = state.wrapping_mul(2 * seed + 1);
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let x = (state >> 33) % 12;
            T::from_f64(if x < 4 { 0.0 } else { x as f64 - 7.0 })
        };
        (0..len).map(|_| next()).collect()
    }

    fn accum(&mut self) -> Accum {
        if self.flag() { Accum::Add } else { Accum::Replace }
    }
}

/// How many elements a `rows x cols` operand needs; `None` if they cannot be counted.
fn needed([rows, cols]: [usize; 2], strides: [usize; 2]) -> Option<u128> {
    if rows == 0 || cols == 0 {
        return Some(0);
    }
    let [down, right] =
        [(rows, strides[0]), (cols, strides[1])].map(|(n, step)| (n as u128 - 1) * step as u128);
    down.checked_add(right)?.checked_add(1)
}

fn fits(len: usize, size: [usize; 2], strides: [usize; 2]) -> bool {
    needed(size, strides).is_some_and(|needed| needed <= len as u128)
}

/// Whether every element of an operand that fits has a place of its own, and rows or columns follow each other.
fn apart([rows, cols]: [usize; 2], [row_stride, col_stride]: [usize; 2]) -> bool {
    let follow = |n: usize, step: usize, of: usize, inner: usize| {
        (n <= 1 || step as u128 > (of as u128 - 1) * inner as u128) && (of <= 1 || inner > 0)
    };
    let by_rows = || follow(rows, row_stride, cols, col_stride);
    let by_cols = || follow(cols, col_stride, rows, row_stride);
    rows == 0 || cols == 0 || by_rows() || by_cols()
}

fn work(sizes: &[usize]) -> u128 {
    sizes.iter().fold(1, |work, &size| work.saturating_mul(size as u128))
}

/// Something to write to, with more of it before and after that must not change.
#[derive(Clone, PartialEq, Debug)]
struct Place<T>(Vec<T>);

const MARGIN: usize = 80;

impl<T: Products> Place<T> {
    fn new(len: usize) -> Self {
        Place(vec![T::from_f64(77.0); len + 2 * MARGIN])
    }

    fn inner(&mut self) -> &mut [T] {
        let end = self.0.len() - MARGIN;
        &mut self.0[MARGIN..end]
    }

    fn check_margins(&self) {
        let outside = self.0[..MARGIN].iter().chain(&self.0[self.0.len() - MARGIN..]);
        assert!(outside.into_iter().all(|x| *x == T::from_f64(77.0)), "something outside was written to");
    }
}

/// Calls the kernel and, if the operands fit, the reference, each with places of its own, and compares.
fn compare<T: Products, const N: usize>(
    what: &str,
    fit: bool,
    work: u128,
    lens: [usize; N],
    kernel: impl FnOnce([&mut [T]; N]),
    reference: impl FnOnce([&mut [T]; N]),
) {
    if fit && work > WORK {
        return;
    }
    let mut places = lens.map(Place::new);
    let mut expected = places.clone();
    let run = catch_unwind(AssertUnwindSafe(|| kernel(places.each_mut().map(Place::inner))));
    for place in &places {
        place.check_margins();
    }
    assert_eq!(run.is_ok(), fit, "{what}: it fits (right), but that is not what the kernel found (left)");
    if fit {
        reference(expected.each_mut().map(Place::inner));
        assert!(places == expected, "{what}: {places:?} is not {expected:?}");
    }
}

fn gemm<T: Products>(bytes: &mut Bytes) {
    let size @ [m, k, n] = [bytes.size(), bytes.size(), bytes.size()];
    let strides = [bytes.strides(m, k), bytes.strides(k, n), bytes.strides(m, n)];
    let sizes = [[m, k], [k, n], [m, n]];
    let lens = [0, 1, 2].map(|i| bytes.len(needed(sizes[i], strides[i])));
    let [a, b] = [bytes.numbers::<T>(lens[0]), bytes.numbers::<T>(lens[1])];
    let (accum, kind, bias_len) = (bytes.accum(), bytes.byte() % 4, bytes.len(Some(n as u128)));
    let bias = bytes.numbers::<T>(bias_len);
    let epilogue = match kind {
        0 | 1 => Epilogue::None,
        2 => Epilogue::Bias(&bias),
        _ => Epilogue::BiasRelu(&bias),
    };
    let fit = (0..3).all(|i| fits(lens[i], sizes[i], strides[i]))
        && apart([m, n], strides[2])
        && (kind < 2 || (accum == Accum::Replace && bias.len() >= n));
    let mat = |data, [row_stride, col_stride]: [usize; 2]| Mat { data, row_stride, col_stride };
    type Gemm<T> = fn([usize; 3], Mat<T>, Mat<T>, MatMut<T>, Accum, Epilogue<T>);
    let run = |gemm: Gemm<T>, c: &mut [T]| {
        let c = MatMut { data: c, row_stride: strides[2][0], col_stride: strides[2][1] };
        gemm(size, mat(&a, strides[0]), mat(&b, strides[1]), c, accum, epilogue);
    };
    let what = format!("gemm {size:?} {strides:?} {lens:?} {accum:?} {kind}");
    let [kernel, slow] = [T::gemm, reference::gemm];
    compare(&what, fit, work(&size), [lens[2]], |[c]| run(kernel, c), |[c]| run(slow, c));
}

fn gemm_batch<T: Products>(bytes: &mut Bytes) {
    let (count, size) = (bytes.size(), [bytes.size(), bytes.size(), bytes.size()]);
    let [m, k, n] = size;
    let strides = [bytes.strides(m, k), bytes.strides(k, n), bytes.strides(m, n)];
    let sizes = [[m, k], [k, n], [m, n]];
    let one = [0, 1, 2].map(|i| needed(sizes[i], strides[i]));
    let steps = one.map(|one| bytes.stride(one.unwrap_or(0).min(1 << 20) as usize));
    let all = [0, 1, 2].map(|i| match (count, one[i]) {
        (0, _) | (_, Some(0)) => Some(0),
        (_, one) => one.and_then(|one| one.checked_add((count as u128 - 1) * steps[i] as u128)),
    });
    let lens = all.map(|all| bytes.len(all));
    let [a, b] = [bytes.numbers::<T>(lens[0]), bytes.numbers::<T>(lens[1])];
    let accum = bytes.accum();
    let enough = (0..3).all(|i| all[i].is_some_and(|all| all <= lens[i] as u128));
    let alone = count <= 1 || one[2].is_none_or(|one| one == 0 || steps[2] as u128 >= one);
    let fit = count == 0 || (enough && alone && apart([m, n], strides[2]));
    type Batch<T> = fn(usize, [usize; 3], Mat<T>, Mat<T>, MatMut<T>, [usize; 3], Accum);
    let run = |batch: Batch<T>, c: &mut [T]| {
        let mat = |data, i: usize| Mat { data, row_stride: strides[i][0], col_stride: strides[i][1] };
        let c = MatMut { data: c, row_stride: strides[2][0], col_stride: strides[2][1] };
        batch(count, size, mat(&a, 0), mat(&b, 1), c, steps, accum);
    };
    let what = format!("gemm_batch {count} {size:?} {strides:?} {steps:?} {lens:?} {accum:?}");
    let [kernel, slow] = [T::gemm_batch, reference::gemm_batch];
    let work = work(&[count, m, k, n]);
    compare(&what, fit, work, [lens[2]], |[c]| run(kernel, c), |[c]| run(slow, c));
}

/// A support, and the values of its entries in both orders.
fn found<T: Products>(x: &[T], cols: usize) -> (Support, Vec<T>, Vec<T>) {
    let (mut support, mut values, mut by_row) = (Support::default(), Vec::new(), Vec::new());
    support::find(x, cols, &mut support, &mut values, &mut by_row);
    (support, values, by_row)
}

fn find<T: Products>(bytes: &mut Bytes) {
    let (rows, cols) = (bytes.byte() % 20, bytes.size());
    let len = bytes.len(Some(rows as u128 * cols as u128));
    let x = bytes.numbers::<T>(len);
    let fit = len.is_multiple_of(cols.max(1)) && (cols > 0 || len == 0) && cols < u32::MAX as usize;
    if fit && cols > 1 << 12 {
        return;
    }
    let run = catch_unwind(AssertUnwindSafe(|| found(&x, cols)));
    assert_eq!(run.is_ok(), fit, "find in {len} elements of {cols} columns");
    if let Ok((support, values, _)) = run {
        let places: Vec<_> = support.positions().collect();
        let nonzero = |j: usize| (0..support.rows()).map(move |i| (i, j));
        let all = (0..cols).flat_map(nonzero).filter(|(i, j)| x[i * cols + j] != T::ZERO);
        assert_eq!(places, all.collect::<Vec<_>>(), "find in {len} elements of {cols} columns");
        let at = places.iter().map(|(i, j)| x[i * cols + j]);
        assert!(at.eq(values), "the values stand in another order than the entries");
    }
}

fn sparse<T: Products>(bytes: &mut Bytes) {
    let (rows, cols, n) = (bytes.byte() % 20, bytes.byte() % 40 + 1, bytes.size());
    let x = bytes.numbers::<T>(rows * cols);
    let (support, mut values, by_row) = found(&x, cols);
    let entries = values.len();
    if bytes.byte() % 16 == 1 {
        values.pop();
    }
    let enough = values.len() >= entries;
    let a = Sparse { support: &support, values: &values, by_row: if bytes.flag() { &by_row } else { &[] } };
    let accum = bytes.accum();
    let [g_strides, b_strides, c_strides] =
        [bytes.strides(rows, n), bytes.strides(cols, n), bytes.strides(cols, n)];
    let [g_len, b_len] = [bytes.len(needed([rows, n], g_strides)), bytes.len(needed([cols, n], b_strides))];
    let [g, b] = [bytes.numbers::<T>(g_len), bytes.numbers::<T>(b_len)];
    let g_fits = fits(g_len, [rows, n], g_strides);
    let b_fits = fits(b_len, [cols, n], b_strides);
    let mat = |data, [row_stride, col_stride]: [usize; 2]| Mat { data, row_stride, col_stride };
    let (g, b) = (mat(&g[..], g_strides), mat(&b[..], b_strides));
    let work = work(&[rows, cols, n]);
    let what = format!("{rows} x {cols}, {n} {accum:?} {g_strides:?} {b_strides:?} {c_strides:?}");
    match bytes.byte() % 4 {
        0 => {
            let c_len = bytes.len(Some(rows as u128 * n as u128));
            let (kind, bias_len) = (bytes.byte() % 3, bytes.len(Some(n as u128)));
            let bias = bytes.numbers::<T>(bias_len);
            let epilogue = [Epilogue::None, Epilogue::Bias(&bias), Epilogue::BiasRelu(&bias)][kind];
            let fit = enough
                && b_fits
                && rows as u128 * n as u128 == c_len as u128
                && (kind == 0 || (accum == Accum::Replace && bias.len() >= n));
            let kernel = |[c]: [&mut [T]; 1]| T::spmm(a, b, n, c, accum, epilogue);
            let slow = |[c]: [&mut [T]; 1]| reference::spmm(a, b, n, c, accum, epilogue);
            compare(&format!("spmm {what}"), fit, work, [c_len], kernel, slow);
        }
        1 => {
            let c_len = bytes.len(needed([cols, n], c_strides));
            let c_fits = fits(c_len, [cols, n], c_strides) && apart([cols, n], c_strides);
            let kernel = |[c]: [&mut [T]; 1]| T::spmm_t(a, g, n, to(c, c_strides), accum);
            let slow = |[c]: [&mut [T]; 1]| reference::spmm_t(a, g, n, to(c, c_strides), accum);
            compare(&format!("spmm_t {what}"), enough && g_fits && c_fits, work, [c_len], kernel, slow);
        }
        2 => {
            let len = bytes.len(Some(entries as u128));
            let kernel = |[v]: [&mut [T]; 1]| T::sddmm(&support, g, b, n, v, accum);
            let slow = |[v]: [&mut [T]; 1]| reference::sddmm(&support, g, b, n, v, accum);
            let fit = g_fits && b_fits && len >= entries;
            compare(&format!("sddmm {what}"), fit, work, [len], kernel, slow);
        }
        _ => {
            let (c_len, len) = (bytes.len(needed([cols, n], c_strides)), bytes.len(Some(entries as u128)));
            let c_fits = fits(c_len, [cols, n], c_strides) && apart([cols, n], c_strides);
            let fit = enough && g_fits && b_fits && c_fits && len >= entries;
            let kernel =
                |[c, v]: [&mut [T]; 2]| T::spmm_t_sddmm(a, g, b, n, (to(c, c_strides), accum), (v, accum));
            let slow = |[c, v]: [&mut [T]; 2]| {
                reference::spmm_t(a, g, n, to(c, c_strides), accum);
                reference::sddmm(&support, g, b, n, v, accum);
            };
            compare(&format!("spmm_t_sddmm {what}"), fit, work, [c_len, len], kernel, slow);
        }
    }
}

fn screened(bytes: &mut Bytes) {
    let size @ [m, k, n] = [bytes.size(), bytes.size(), bytes.size()];
    let x_row = bytes.stride(k);
    let w_strides = if bytes.flag() { [bytes.stride(n), 1] } else { [1, bytes.stride(k)] };
    let (x_size, w_size) = (([m, k], [x_row, 1]), ([k, n], w_strides));
    let lens = [
        bytes.len(needed(x_size.0, x_size.1)),
        bytes.len(needed(w_size.0, w_size.1)),
        bytes.len(Some(n as u128)),
        bytes.len(Some(m as u128 * n as u128)),
    ];
    let [x, w, bias] = [0, 1, 2].map(|i| bytes.numbers::<f32>(lens[i]));
    let fit = fits(lens[0], x_size.0, x_size.1)
        && fits(lens[1], w_size.0, w_size.1)
        && lens[2] >= n
        && (m as u128 * n as u128) <= lens[3] as u128;
    if k == 0
        || k > 1 << 16
        || screen::linear_relu(
            [1; 3],
            Mat::row_major(&[1.0], 1),
            Mat::row_major(&[1.0], 1),
            &[0.0],
            &mut [0.0],
        )
        .is_none()
    {
        return;
    }
    let (x, w) = (
        Mat { data: &x[..], row_stride: x_row, col_stride: 1 },
        Mat { data: &w[..], row_stride: w_strides[0], col_stride: w_strides[1] },
    );
    let kernel = |[y]: [&mut [f32]; 1]| {
        let computed = screen::linear_relu(size, x, w, &bias, y);
        assert!(computed.is_some_and(|computed| computed <= m.saturating_mul(n)), "{computed:?} of {size:?}");
    };
    let slow = |[y]: [&mut [f32]; 1]| {
        reference::gemm(size, x, w, MatMut::row_major(y, n), Accum::Replace, Epilogue::BiasRelu(&bias));
    };
    compare(
        &format!("screen {size:?} {x_row} {w_strides:?} {lens:?}"),
        fit,
        work(&size),
        [lens[3]],
        kernel,
        slow,
    );
}

fn relu_layer<T: Products>(bytes: &mut Bytes) {
    let size @ [m, k, n] = [bytes.size(), bytes.size(), bytes.size()];
    let strides = bytes.strides(m, k);
    let area = Some(m as u128 * n as u128);
    let lens = [
        bytes.len(needed([m, k], strides)),
        bytes.len(area),
        bytes.len(area),
        bytes.len(Some(k as u128 * n as u128)),
        bytes.len(Some(n as u128)),
    ];
    let [x, y, gy] = [0, 1, 2].map(|i| bytes.numbers::<T>(lens[i]));
    let fit = fits(lens[0], [m, k], strides)
        && [1, 2].iter().all(|&i| m as u128 * n as u128 <= lens[i] as u128)
        && k as u128 * n as u128 == lens[3] as u128
        && n == lens[4];
    let (of_w, of_b) = (bytes.accum(), bytes.accum());
    let x = Mat { data: &x[..], row_stride: strides[0], col_stride: strides[1] };
    let layer = ReluLayer { size, x, y: &y, gy: &gy, plus: T::from_f64((bytes.byte() % 3) as f64) };
    compare(
        &format!("relu_layer_vjp {size:?} {strides:?} {lens:?}"),
        fit,
        work(&[m.max(1), k.max(1), n]),
        [lens[3], lens[4]],
        |[gw, gb]| T::relu_layer_vjp(layer, (gw, of_w), (gb, of_b)),
        |[gw, gb]| reference::relu_layer_vjp(layer, (gw, of_w), (gb, of_b)),
    );
}

fn to<T>(data: &mut [T], [row_stride, col_stride]: [usize; 2]) -> MatMut<'_, T> {
    MatMut { data, row_stride, col_stride }
}

/// Makes one call of some bytes.
pub fn call(bytes: &[u8]) {
    let bytes = &mut Bytes(bytes);
    match bytes.byte() % 11 {
        0 => gemm::<f32>(bytes),
        1 => gemm::<f64>(bytes),
        2 => gemm_batch::<f32>(bytes),
        3 => gemm_batch::<f64>(bytes),
        4 => find::<f32>(bytes),
        5 => find::<f64>(bytes),
        6 => sparse::<f32>(bytes),
        7 => sparse::<f64>(bytes),
        8 => screened(bytes),
        9 => relu_layer::<f32>(bytes),
        _ => relu_layer::<f64>(bytes),
    }
}
