//! Matrices in memory, and the products that a number type offers: [`Products`], with the slow, obviously right
//! [`reference`](mod@reference) as its defaults. No kernel stands here, and nothing that knows a graph.

pub(crate) mod conv;
pub mod reference;
pub(crate) mod size;
mod support;

use crate::element::{Dual, Element};
use conv::{ConvFinish, ConvSize};

pub use support::{Sparse, Support};

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

/// What the pull-back of a layer `y = max(x w + b, 0)` reads.
#[derive(Clone, Copy, Debug)]
pub struct ReluLayer<'a, T> {
    /// m, k and n: x is m x k, and y and its cotangent are m x n, row-major.
    pub size: [usize; 3],
    /// The layer's input.
    pub x: Mat<'a, T>,
    /// Its output.
    pub y: &'a [T],
    /// The cotangent of y, to which `plus` has not been added yet.
    pub gy: &'a [T],
    /// To be added to every element of the cotangent.
    pub plus: T,
}

/// The matrix products of a number type. The provided methods are the [`reference`](mod@reference); `f32` and `f64` override
/// them with the fast kernels, and [`Dual`] inherits them, so that every product differentiates forward as well.
pub trait Products: Element {
    /// `c (=, +=) epilogue(a b)` with a of `size[0]` x `size[1]` and b of `size[1]` x `size[2]`.
    ///
    /// An epilogue goes with [`Accum::Replace`]. `size[1] == 0` gives the epilogue of zeros.
    ///
    /// # Panics
    /// If an operand is too short for its size and strides, if elements of `c` share places, or if an epilogue meets
    /// [`Accum::Add`].
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

    /// Finds the elements of x, row-major with `cols` columns, that are not zero: where they are goes to `support`, what they
    /// are to `values`, in the support's order, and once more, row by row, to `by_row`.
    #[doc(hidden)]
    fn find(x: &[Self], cols: usize, support: &mut Support, values: &mut Vec<Self>, by_row: &mut Vec<Self>) {
        reference::find(x, cols, support, values, by_row);
    }

    /// `c (=, +=) epilogue(a b)` with a sparse `a` of m x k, `b` of k x n, and `c` of m x n, row-major.
    ///
    /// # Panics
    /// If an operand is too short, `c` has not as many elements as the product, or an epilogue meets [`Accum::Add`]. Here
    /// and below: if there is no memory for a copy of the dense operands.
    fn spmm(a: Sparse<Self>, b: Mat<Self>, n: usize, c: &mut [Self], accum: Accum, epilogue: Epilogue<Self>) {
        reference::spmm(a, b, n, c, accum, epilogue);
    }

    /// `c (=, +=) aᵀ g` with a sparse `a` of m x k, `g` of m x n, and `c` of k x n.
    ///
    /// # Panics
    /// Here and below: if an operand is too short, or elements of `c` share places.
    fn spmm_t(a: Sparse<Self>, g: Mat<Self>, n: usize, c: MatMut<Self>, accum: Accum) {
        reference::spmm_t(a, g, n, c, accum);
    }

    /// `values (=, +=) g bᵀ` at the entries of a support alone, a sampled product: with a support in m x k, `g` of m x n and
    /// `b` of k x n, entry (i, j) gets Σ g[i, p] b[j, p] over p. `values` has a number for each entry, in the support's order.
    fn sddmm(support: &Support, g: Mat<Self>, b: Mat<Self>, n: usize, values: &mut [Self], accum: Accum) {
        reference::sddmm(support, g, b, n, values, accum);
    }

    /// [`spmm_t`](Products::spmm_t) into `c` and [`sddmm`](Products::sddmm) into `values`, on the support of `a`: both in
    /// one pass over `g`. Of a matrix product's two cotangents, where its left operand is sparse, it makes both.
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

    /// `y = max(x w + bias, 0)` by [screening](crate::kernels::screen), with x of `size[0]` x `size[1]` and w of `size[1]` x
    /// `size[2]`: the elements that are zero for certain are not computed. Gives how many were computed, or `None`, having
    /// done nothing, where that is not possible or, unless it is to be done `always`, does not pay.
    fn screen(
        _size: [usize; 3],
        _x: Mat<Self>,
        _w: Mat<Self>,
        _bias: &[Self],
        _y: &mut [Self],
        _always: bool,
    ) -> Option<usize> {
        None
    }

    /// `gw (=, +=) xᵀ g` and `gb (=, +=) Σ g` over the rows, where g is the cotangent of y where y is above 0, and 0
    /// elsewhere, whatever stands there: in one pass, if k is not large. With x of m x k and g of m x n, gw is k x n and gb has
    /// n elements.
    ///
    /// # Panics
    /// If an operand is too short, or `gw` and `gb` are not k n and n long.
    fn relu_layer_vjp(
        layer: ReluLayer<Self>,
        (gw, gw_accum): (&mut [Self], Accum),
        (gb, gb_accum): (&mut [Self], Accum),
    ) {
        reference::relu_layer_vjp(layer, (gw, gw_accum), (gb, gb_accum));
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
        reference::gemm_batch(count, size, a, b, c, steps, accum);
    }

    /// `y = finish(w * x)`: a convolution of images x with weights w, which gives maps y, all shaped as `size` says.
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn conv(size: &ConvSize, x: &[Self], w: &[Self], finish: ConvFinish<Self>, y: &mut [Self]) {
        conv::conv(size, x, w, finish, y);
    }

    /// `x (=, +=) wᵀ * y + bias`: a convolution's transpose, which spreads each element of the maps y over the part of the
    /// images x that it was made from. `bias` has a number for each channel of x.
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn conv_transpose(
        size: &ConvSize,
        w: &[Self],
        y: &[Self],
        bias: Option<&[Self]>,
        x: (&mut [Self], Accum),
    ) {
        conv::conv_transpose(size, w, y, bias, x);
    }

    /// `gw (=, +=) gy * x`: the cotangent of a convolution's weights, from those of the maps and the images.
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn conv_weights(size: &ConvSize, x: &[Self], gy: &[Self], gw: (&mut [Self], Accum)) {
        conv::conv_weights(size, x, gy, gw);
    }
}

impl<T: Element> Products for Dual<T> {}
