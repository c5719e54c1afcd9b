//! The numbers a tensor is made of.
//!
//! [`Element`] is what the engine asks of a number: arithmetic, a few functions, and a matrix product. The
//! provided methods are the slow, obviously right reference; `f32` and `f64` (in `kernels/`) override them with
//! the fast kernels, and [`Dual`](crate::Dual) inherits them, so that every op differentiates forward as well.

use std::fmt::{Debug, Display};
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

use crate::sparsity::{Sparse, Support};

/// Whether a kernel overwrites its output or adds to it.
///
/// The first contribution to a cotangent replaces what an earlier step left in memory, later ones add: nothing is
/// ever filled with zeros first. It is the `beta` of a BLAS `gemm`, 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accum {
    /// `c = …`; what stood in `c` is never read, not even to be multiplied by zero.
    Replace,
    /// `c += …`
    Add,
}

/// A matrix operand: element (i, j) stands at `data[i * row_stride + j * col_stride]`.
///
/// A transpose swaps the strides, a broadcast row has `row_stride` 0: no copy in either case.
#[derive(Clone, Copy, Debug)]
pub struct Mat<'a, T> {
    /// The elements.
    pub data: &'a [T],
    /// Distance between vertical neighbours.
    pub row_stride: usize,
    /// Distance between horizontal neighbours.
    pub col_stride: usize,
}

impl<'a, T> Mat<'a, T> {
    /// A row-major matrix with `cols` columns.
    pub fn row_major(data: &'a [T], cols: usize) -> Self {
        Mat { data, row_stride: cols, col_stride: 1 }
    }

    /// The transpose, without a copy.
    pub fn t(self) -> Self {
        Mat { data: self.data, row_stride: self.col_stride, col_stride: self.row_stride }
    }
}

/// The output of a matrix product: as [`Mat`], mutable; no two elements may share a place.
#[derive(Debug)]
pub struct MatMut<'a, T> {
    /// The elements.
    pub data: &'a mut [T],
    /// Distance between vertical neighbours.
    pub row_stride: usize,
    /// Distance between horizontal neighbours.
    pub col_stride: usize,
}

impl<'a, T> MatMut<'a, T> {
    /// A row-major matrix with `cols` columns.
    pub fn row_major(data: &'a mut [T], cols: usize) -> Self {
        MatMut { data, row_stride: cols, col_stride: 1 }
    }
}

/// What a matrix product does with each finished element before it leaves the registers.
#[derive(Clone, Copy, Debug)]
pub enum Epilogue<'a, T> {
    /// `c = a b`
    None,
    /// `c = a b + bias`, the same row added to every row.
    Bias(&'a [T]),
    /// `c = max(a b + bias, 0)`; NaN stays NaN.
    BiasRelu(&'a [T]),
}

/// A number that the engine can differentiate: `f32`, `f64`, or [`Dual`](crate::Dual) over one of them.
///
/// Comparisons look at the value only (a dual number's tangent does not count), so a function takes the same
/// branch whatever it is run on.
pub trait Element:
    Copy
    + Debug
    + Default
    + Display
    + PartialEq
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + 'static
{
    /// The number 0.
    const ZERO: Self;
    /// The number 1.
    const ONE: Self;

    /// Whether loops over this type are worth compiling once for every instruction set.
    const VECTORIZED: bool = false;

    /// The nearest number of this type, with tangent 0.
    fn from_f64(x: f64) -> Self;
    /// The value; a tangent is dropped.
    fn to_f64(self) -> f64;
    /// eˣ
    fn exp(self) -> Self;
    /// eˣ − 1, accurate near 0.
    fn exp_m1(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// ln(1 + x), accurate near 0.
    fn ln_1p(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// Sine of an angle in radians.
    fn sin(self) -> Self;
    /// Cosine of an angle in radians.
    fn cos(self) -> Self;
    /// Error function 2/√π ∫₀ˣ e^(−t²) dt.
    fn erf(self) -> Self;
    /// xʸ
    fn powf(self, y: Self) -> Self;
    /// |x|
    fn abs(self) -> Self;

    /// 1 / (1 + e⁻ˣ), from whichever side does not overflow.
    fn sigmoid(self) -> Self {
        let e = (-self.abs()).exp();
        let small = e / (Self::ONE + e);
        if self >= Self::ZERO { Self::ONE / (Self::ONE + e) } else { small }
    }

    /// ln(1 + eˣ) = max(x, 0) + ln(1 + e^−|x|), without overflow.
    fn softplus(self) -> Self {
        self.maximum(Self::ZERO) + (-self.abs()).exp().ln_1p()
    }

    /// The larger of two; NaN if either is NaN.
    fn maximum(self, other: Self) -> Self {
        if self >= other || self.is_nan() { self } else { other }
    }

    /// Whether the value is NaN.
    fn is_nan(self) -> bool {
        self.to_f64().is_nan()
    }

    /// `c (=, +=) epilogue(a b)` with a of `size[0]` x `size[1]` and b of `size[1]` x `size[2]`.
    ///
    /// An epilogue goes with [`Accum::Replace`]. `size[1] == 0` gives the epilogue of zeros.
    ///
    /// # Panics
    /// If an operand is too short for its size and strides, or if an epilogue meets [`Accum::Add`].
    fn gemm(
        size: [usize; 3],
        a: Mat<Self>,
        b: Mat<Self>,
        c: MatMut<Self>,
        accum: Accum,
        epilogue: Epilogue<Self>,
    ) {
        reference::gemm(size, a, b, c, accum, epilogue);
    }

    /// See [`find`](crate::kernels::support::find).
    #[doc(hidden)]
    fn find(
        x: &[Self],
        cols: usize,
        support: &mut Support,
        values: &mut Vec<Self>,
        by_place: &mut Vec<Self>,
    ) {
        reference::find(x, cols, support, values, by_place);
    }

    /// `c (=, +=) epilogue(a b)` with a sparse `a`, and `c` row-major with `n` columns.
    ///
    /// # Panics
    /// Here and below: if an operand is too short, or an epilogue meets [`Accum::Add`].
    fn spmm(a: Sparse<Self>, b: Mat<Self>, n: usize, c: &mut [Self], accum: Accum, epilogue: Epilogue<Self>) {
        reference::spmm(a, b, n, c, accum, epilogue);
    }

    /// `c (=, +=) aᵀ g` with a sparse `a`, and `g` of `n` columns.
    fn spmm_t(a: Sparse<Self>, g: Mat<Self>, n: usize, c: MatMut<Self>, accum: Accum) {
        reference::spmm_t(a, g, n, c, accum);
    }

    /// `values (=, +=) g bᵀ` at the entries of a support; `g` and `b` have `n` columns. A sampled product.
    fn sddmm(support: &Support, g: Mat<Self>, b: Mat<Self>, n: usize, values: &mut [Self], accum: Accum) {
        reference::sddmm(support, g, b, n, values, accum);
    }

    /// [`spmm_t`](Element::spmm_t) into `c` and [`sddmm`](Element::sddmm) into `values`, on the support of `a`: both in
    /// one pass over `g`.
    fn spmm_t_sddmm(
        a: Sparse<Self>,
        g: Mat<Self>,
        b: Mat<Self>,
        n: usize,
        (c, c_accum): (MatMut<Self>, Accum),
        (values, values_accum): (&mut [Self], Accum),
    ) {
        Self::spmm_t(a, g, n, c, c_accum);
        Self::sddmm(a.support, g, b, n, values, values_accum);
    }

    /// `y = max(x w + bias, 0)` by [screening](crate::kernels::screen): the elements that are zero for certain are not
    /// computed. Gives how many were, or `None`, having done nothing, where that is not possible.
    fn screen(
        _size: [usize; 3],
        _x: Mat<Self>,
        _w: Mat<Self>,
        _bias: &[Self],
        _y: &mut [Self],
    ) -> Option<usize> {
        None
    }

    /// `count` products of the same size, of which the operands of the next begin `steps` elements further on.
    ///
    /// `a`, `b` and `c` are those of the first product, with the data of all. A step of 0 uses the same `a` or
    /// `b` throughout; products must not share places of `c`.
    ///
    /// # Panics
    /// If an operand is too short for the last product, or if products share places of `c`.
    fn gemm_batch(
        count: usize,
        size: [usize; 3],
        a: Mat<Self>,
        b: Mat<Self>,
        c: MatMut<Self>,
        steps: [usize; 3],
        accum: Accum,
    ) {
        for i in 0..count {
            let a = Mat { data: &a.data[i * steps[0]..], ..a };
            let b = Mat { data: &b.data[i * steps[1]..], ..b };
            let c = MatMut { data: &mut c.data[i * steps[2]..], ..c };
            Self::gemm(size, a, b, c, accum, Epilogue::None);
        }
    }
}

/// The products by their definitions: the defaults of [`Element`], and what every kernel is tested against.
pub mod reference {
    use super::{Accum, Element, Epilogue, Mat, MatMut};
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
                    sum += a.data[i * a.row_stride + p * a.col_stride]
                        * b.data[p * b.row_stride + j * b.col_stride];
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
    pub fn spmm<T: Element>(
        a: Sparse<T>,
        b: Mat<T>,
        n: usize,
        c: &mut [T],
        accum: Accum,
        epilogue: Epilogue<T>,
    ) {
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
    pub fn sddmm<T: Element>(
        support: &Support,
        g: Mat<T>,
        b: Mat<T>,
        n: usize,
        values: &mut [T],
        accum: Accum,
    ) {
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
}
