//! The products by their definitions: the defaults of [`Products`](crate::matrix::Products), and what every kernel is tested
//! against.

use super::size::{check_exact, check_no_overlap, check_operand, check_steps};
use super::{Accum, Element, Epilogue, Mat, MatMut, ReluLayer, Sparse, Support};

/// `c (=, +=) epilogue(a b)`: [`Products::gemm`](crate::matrix::Products::gemm) by its definition.
///
/// # Panics
/// As [`Products::gemm`](crate::matrix::Products::gemm).
pub fn gemm<T: Element>(
    size: [usize; 3],
    a: Mat<T>,
    b: Mat<T>,
    c: MatMut<T>,
    accum: Accum,
    epilogue: Epilogue<T>,
) {
    let [m, k, n] = size;
    check_operand("gemm: a", a.data.len(), [m, k], [a.row_stride, a.col_stride]);
    check_operand("gemm: b", b.data.len(), [k, n], [b.row_stride, b.col_stride]);
    check_operand("gemm: c", c.data.len(), [m, n], [c.row_stride, c.col_stride]);
    check_no_overlap([m, n], [c.row_stride, c.col_stride]);
    check_epilogue("gemm", n, accum, epilogue);
    if n == 0 {
        return;
    }
    for i in 0..m {
        for j in 0..n {
            let mut sum = T::ZERO;
            for p in 0..k {
                sum +=
                    a.data[i * a.row_stride + p * a.col_stride] * b.data[p * b.row_stride + j * b.col_stride];
            }
            let sum = match epilogue {
                Epilogue::None => sum,
                Epilogue::Bias(bias) => sum + bias[j],
                Epilogue::BiasRelu(bias) => (sum + bias[j]).maximum(T::ZERO),
            };
            let c = &mut c.data[i * c.row_stride + j * c.col_stride];
            match accum {
                Accum::Replace => *c = sum,
                Accum::Add => *c += sum,
            }
        }
    }
}

/// Panics if an epilogue meets [`Accum::Add`], or its bias is too short.
fn check_epilogue<T>(name: &str, n: usize, accum: Accum, epilogue: Epilogue<T>) {
    if let Epilogue::Bias(bias) | Epilogue::BiasRelu(bias) = epilogue {
        assert!(accum == Accum::Replace, "{name}: an epilogue goes with Accum::Replace");
        assert!(bias.len() >= n, "{name}: the bias is shorter than {n}");
    }
}

/// One [`gemm`] after the other: [`Products::gemm_batch`](crate::matrix::Products::gemm_batch) by its definition.
///
/// # Panics
/// As [`Products::gemm_batch`](crate::matrix::Products::gemm_batch).
pub fn gemm_batch<T: Element>(
    count: usize,
    size: [usize; 3],
    a: Mat<T>,
    b: Mat<T>,
    c: MatMut<T>,
    steps: [usize; 3],
    accum: Accum,
) {
    check_batch(count, size, &a, &b, &c, steps);
    let [m, k, n] = size;
    if m == 0 || n == 0 {
        return;
    }
    // With k = 0 the operands may be empty.
    let from = |step: usize, i: usize| if k > 0 { i * step } else { 0 };
    for i in 0..count {
        let a = Mat { data: &a.data[from(steps[0], i)..], ..a };
        let b = Mat { data: &b.data[from(steps[1], i)..], ..b };
        let c = MatMut { data: &mut c.data[i * steps[2]..], ..c };
        gemm(size, a, b, c, accum, Epilogue::None);
    }
}

/// Panics unless a batch finds the operands of all of its products, and no two share places of c.
pub(crate) fn check_batch<T>(
    count: usize,
    [m, k, n]: [usize; 3],
    a: &Mat<T>,
    b: &Mat<T>,
    c: &MatMut<T>,
    steps: [usize; 3],
) {
    check_steps("gemm: a", a.data.len(), [m, k], [a.row_stride, a.col_stride], count, steps[0]);
    check_steps("gemm: b", b.data.len(), [k, n], [b.row_stride, b.col_stride], count, steps[1]);
    check_steps("gemm: c", c.data.len(), [m, n], [c.row_stride, c.col_stride], count, steps[2]);
    if count > 1 && m > 0 && n > 0 {
        // Within c by now: neither product nor sum overflows.
        let last = (m - 1) * c.row_stride + (n - 1) * c.col_stride;
        assert!(steps[2] > last, "gemm: products of a batch share places of c");
    }
}

/// The elements of x that are not zero: what [`find`](crate::kernels::support::find) finds, but in panels of 1024 columns,
/// whatever the machine.
pub fn find<T: Element>(
    x: &[T],
    cols: usize,
    support: &mut Support,
    values: &mut Vec<T>,
    by_row: &mut Vec<T>,
) {
    let (rows, width) = (Support::rows_of(x.len(), cols), 1 << 10);
    *support = Support { rows, cols, width, ..Support::default() };
    values.clear();
    by_row.clear();
    support.row_starts.push(0);
    support.col_starts.push(0);
    // Asked once: both lists name the same elements, whatever the element's idea of equality is.
    let nonzero: Vec<bool> = x.iter().map(|x| *x != T::ZERO).collect();
    for panel in 0..support.panels() {
        let columns = support.columns_of(panel);
        for i in 0..rows {
            for j in columns.clone().filter(|j| nonzero[i * cols + j]) {
                by_row.push(x[i * cols + j]);
                support.column_of.push((j - columns.start) as u16);
            }
            support.row_starts.push(by_row.len() as u32);
        }
        for j in columns {
            for i in (0..rows).filter(|i| nonzero[i * cols + j]) {
                values.push(x[i * cols + j]);
                support.row_of.push(i as u32);
            }
            support.col_starts.push(values.len() as u32);
        }
    }
}

/// `c (=, +=) epilogue(a b)` with a sparse `a`: [`Products::spmm`](crate::matrix::Products::spmm) by its definition.
///
/// # Panics
/// As [`Products::spmm`](crate::matrix::Products::spmm).
pub fn spmm<T: Element>(a: Sparse<T>, b: Mat<T>, n: usize, c: &mut [T], accum: Accum, epilogue: Epilogue<T>) {
    let Support { rows, cols, .. } = *a.support;
    // Without columns, no element tells the number of rows, but c does.
    let rows = if cols == 0 { c.len() / n.max(1) } else { rows };
    check_operand("spmm: b", b.data.len(), [cols, n], [b.row_stride, b.col_stride]);
    check_exact("spmm: c", c.len(), [rows, n]);
    check_epilogue("spmm", n, accum, epilogue);
    let mut sums = vec![T::ZERO; c.len()];
    for p in 0..a.support.cols {
        for entry in a.support.column(p) {
            let i = a.support.row_of[entry] as usize;
            for j in 0..n {
                sums[i * n + j] += a.values[entry] * b.data[p * b.row_stride + j * b.col_stride];
            }
        }
    }
    // 1 times a row of sums, a product of 1 x 1 with 1 x n, does with them what `accum` and `epilogue` say.
    let one = [T::ONE];
    for (sum, c) in sums.chunks_exact(n.max(1)).zip(c.chunks_exact_mut(n.max(1))) {
        gemm(
            [1, 1, n],
            Mat::row_major(&one, 1),
            Mat::row_major(sum, n),
            MatMut::row_major(c, n),
            accum,
            epilogue,
        );
    }
}

/// `c (=, +=) aᵀ g` with a sparse `a`: [`Products::spmm_t`](crate::matrix::Products::spmm_t) by its definition.
///
/// # Panics
/// As [`Products::spmm_t`](crate::matrix::Products::spmm_t).
pub fn spmm_t<T: Element>(a: Sparse<T>, g: Mat<T>, n: usize, c: MatMut<T>, accum: Accum) {
    let Support { rows, cols, .. } = *a.support;
    check_operand("spmm_t: g", g.data.len(), [rows, n], [g.row_stride, g.col_stride]);
    check_operand("spmm_t: c", c.data.len(), [cols, n], [c.row_stride, c.col_stride]);
    check_no_overlap([cols, n], [c.row_stride, c.col_stride]);
    for p in 0..a.support.cols {
        for j in 0..n {
            let mut sum = T::ZERO;
            for entry in a.support.column(p) {
                let i = a.support.row_of[entry] as usize;
                sum += a.values[entry] * g.data[i * g.row_stride + j * g.col_stride];
            }
            let c = &mut c.data[p * c.row_stride + j * c.col_stride];
            *c = if accum == Accum::Add { *c + sum } else { sum };
        }
    }
}

/// `values (=, +=) g bᵀ` at the entries: [`Products::sddmm`](crate::matrix::Products::sddmm) by its definition.
///
/// # Panics
/// As [`Products::sddmm`](crate::matrix::Products::sddmm).
pub fn sddmm<T: Element>(support: &Support, g: Mat<T>, b: Mat<T>, n: usize, values: &mut [T], accum: Accum) {
    let Support { rows, cols, .. } = *support;
    check_operand("sddmm: g", g.data.len(), [rows, n], [g.row_stride, g.col_stride]);
    check_operand("sddmm: b", b.data.len(), [cols, n], [b.row_stride, b.col_stride]);
    for j in 0..support.cols {
        for entry in support.column(j) {
            let i = support.row_of[entry] as usize;
            let value = MatMut::row_major(&mut values[entry..=entry], 1);
            // With n = 0 the operands may be empty.
            let [i, j] = if n > 0 { [i * g.row_stride, j * b.row_stride] } else { [0, 0] };
            let [row, col] = [Mat { data: &g.data[i..], ..g }, Mat { data: &b.data[j..], ..b }];
            gemm([1, n, 1], row, col.t(), value, accum, Epilogue::None);
        }
    }
}

/// Panics unless the operands of a layer's pull-back have its sizes.
pub(crate) fn check_relu_layer<T>(layer: &ReluLayer<T>, gw: &[T], gb: &[T]) {
    let ReluLayer { size: [m, k, n], ref x, y, gy, .. } = *layer;
    check_operand("relu_layer_vjp: x", x.data.len(), [m, k], [x.row_stride, x.col_stride]);
    check_operand("relu_layer_vjp: y", y.len(), [m, n], [n, 1]);
    check_operand("relu_layer_vjp: gy", gy.len(), [m, n], [n, 1]);
    check_exact("relu_layer_vjp: gw", gw.len(), [k, n]);
    check_exact("relu_layer_vjp: gb", gb.len(), [1, n]);
}

/// `gw (=, +=) xᵀ g`, `gb (=, +=) Σ g`: [`Products::relu_layer_vjp`](crate::matrix::Products::relu_layer_vjp) by its
/// definition.
///
/// # Panics
/// As [`Products::relu_layer_vjp`](crate::matrix::Products::relu_layer_vjp).
pub fn relu_layer_vjp<T: Element>(
    layer: ReluLayer<T>,
    (gw, gw_accum): (&mut [T], Accum),
    (gb, gb_accum): (&mut [T], Accum),
) {
    let ReluLayer { size: [m, k, n], x, y, gy, plus } = layer;
    let g = |i: usize, j: usize| if y[i * n + j] > T::ZERO { gy[i * n + j] + plus } else { T::ZERO };
    let put = |place: &mut T, sum: T, accum: Accum| match accum {
        Accum::Replace => *place = sum,
        Accum::Add => *place += sum,
    };
    check_relu_layer(&layer, gw, gb);
    for j in 0..n {
        put(&mut gb[j], pairwise(0, m, &|i| g(i, j)), gb_accum);
        for p in 0..k {
            let x = |i: usize| x.data[i * x.row_stride + p * x.col_stride];
            put(&mut gw[p * n + j], pairwise(0, m, &|i| x(i) * g(i, j)), gw_accum);
        }
    }
}

/// Σ term(i) for i in `from..to`, pairwise, so that no term passes through more than 128 additions in a row.
fn pairwise<T: Element>(from: usize, to: usize, term: &impl Fn(usize) -> T) -> T {
    if to - from <= 128 {
        return (from..to).fold(T::ZERO, |sum, i| sum + term(i));
    }
    let middle = from + (to - from) / 2;
    pairwise(from, middle, term) + pairwise(middle, to, term)
}
