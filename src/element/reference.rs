//! The products by their definitions: the defaults of [`Element`], and what every kernel is tested against.

use super::{Accum, Element, Epilogue, Mat, MatMut, ReluLayer};
use crate::sparsity::{Sparse, Support};

/// See [`Element::gemm`].
///
/// # Panics
/// As [`Element::gemm`].
pub fn gemm<T: Element>(
    size: [usize; 3],
    a: Mat<T>,
    b: Mat<T>,
    c: MatMut<T>,
    accum: Accum,
    epilogue: Epilogue<T>,
) {
    let [m, k, n] = size;
    assert!(
        accum == Accum::Replace || matches!(epilogue, Epilogue::None),
        "gemm: an epilogue goes with Accum::Replace"
    );
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

/// See [`find`](crate::kernels::support::find). All columns are one panel, as far as its places can be numbered.
pub fn find<T: Element>(
    x: &[T],
    cols: usize,
    support: &mut Support,
    values: &mut Vec<T>,
    by_place: &mut Vec<T>,
) {
    let (rows, width) = (x.len() / cols.max(1), 1 << 10);
    *support = Support { rows, cols, width, ..Support::default() };
    values.clear();
    by_place.clear();
    support.row_starts.push(0);
    support.col_starts.push(0);
    for panel in 0..support.panels() {
        let columns = support.columns_of(panel);
        for i in 0..rows {
            for j in columns.clone().filter(|j| x[i * cols + j] != T::ZERO) {
                by_place.push(x[i * cols + j]);
                support.column_of.push((j - columns.start) as u16);
            }
            support.row_starts.push(by_place.len() as u32);
        }
        for j in columns {
            for i in (0..rows).filter(|i| x[i * cols + j] != T::ZERO) {
                values.push(x[i * cols + j]);
                support.row_of.push(i as u32);
            }
            support.col_starts.push(values.len() as u32);
        }
    }
}

/// See [`Element::spmm`].
pub fn spmm<T: Element>(a: Sparse<T>, b: Mat<T>, n: usize, c: &mut [T], accum: Accum, epilogue: Epilogue<T>) {
    let mut sums = vec![T::ZERO; a.support.rows * n];
    for p in 0..a.support.cols {
        for entry in a.support.column(p) {
            let i = a.support.row_of[entry] as usize;
            for j in 0..n {
                sums[i * n + j] += a.values[entry] * b.data[p * b.row_stride + j * b.col_stride];
            }
        }
    }
    // The product of a 1 and a row of sums knows what to do with them.
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

/// See [`Element::spmm_t`].
pub fn spmm_t<T: Element>(a: Sparse<T>, g: Mat<T>, n: usize, c: MatMut<T>, accum: Accum) {
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

/// See [`Element::sddmm`].
pub fn sddmm<T: Element>(support: &Support, g: Mat<T>, b: Mat<T>, n: usize, values: &mut [T], accum: Accum) {
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

/// See [`Element::relu_layer_vjp`].
///
/// # Panics
/// As [`Element::relu_layer_vjp`].
pub fn relu_layer_vjp<T: Element>(
    layer: ReluLayer<T>,
    (gw, gw_accum): (&mut [T], Accum),
    (gb, gb_accum): (&mut [T], Accum),
) {
    let ReluLayer { size: [m, k, n], x, y, gy, uniform } = layer;
    let g = |i: usize, j: usize| if y[i * n + j] > T::ZERO { gy[i * n + j] + uniform } else { T::ZERO };
    let put = |place: &mut T, sum: T, accum: Accum| match accum {
        Accum::Replace => *place = sum,
        Accum::Add => *place += sum,
    };
    assert!(gw.len() == k * n && gb.len() == n, "relu_layer_vjp: the weights are {k} x {n}");
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
