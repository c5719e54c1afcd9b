//! y = a b, with NumPy's rules for vectors and batches.

use smallvec::SmallVec;

use crate::cotangents::Cotangents;
use crate::element::{Accum, Element, Epilogue, Mat, MatMut};
use crate::ops::{Real, Rule, Sample};
use crate::shape::{Shape, ShapeError, Show, Strides, broadcast_strides};
use crate::tensor::{View, ViewMut};
use crate::var::Var;

/// The matrix product.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MatMul;

impl Rule for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    /// 2 m k n: an element of y is k multiplications and as many additions.
    fn flops(&self, x: &[&[usize]], y: &[usize]) -> u64 {
        let inner = x[0].last().copied().unwrap_or(1);
        2 * (y.iter().product::<usize>() * inner) as u64
    }

    /// A vector on the left counts as one row, on the right as one column, and that axis goes again; axes before the
    /// last two are batches and broadcast.
    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        let (a, b) = (x[0], x[1]);
        if a.is_empty() || b.is_empty() {
            return Err(ShapeError::new(format!("{} x {}: a scalar is no matrix", Show(a), Show(b))));
        }
        let ([batch_a @ .., k], [batch_b @ .., k_b, _]) = (a, b) else {
            let (k, k_b) = (a[a.len() - 1], b[0]);
            return if k == k_b { Ok(a[..a.len() - 1].into()) } else { Err(inner_differ(a, b, k, k_b)) };
        };
        if k != k_b {
            return Err(inner_differ(a, b, *k, *k_b));
        }
        let (batch_a, m) = match batch_a {
            [] => (batch_a, None),
            [batch @ .., m] => (batch, Some(*m)),
        };
        let batch = Shape::broadcast(batch_a, batch_b)?;
        Ok(batch.iter().copied().chain(m).chain([b[b.len() - 1]]).collect())
    }

    fn takes_strides(&self, _: usize) -> bool {
        true
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        Product::new(x[0], x[1]).forward(y.data, Epilogue::None);
    }

    fn vjp<T: Element>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let product = Product::new(x[0], x[1]);
        gx.add(0, |ga, accum| product.vjp_left(gy.data, ga.data, accum));
        gx.add(1, |gb, accum| product.vjp_right(gy.data, gb.data, accum));
    }

    fn samples() -> Vec<Sample> {
        let shapes: [[&[usize]; 2]; 14] = [
            [&[3, 4], &[4, 5]],
            [&[1, 4], &[4, 1]],
            [&[3, 1], &[1, 2]],
            [&[0, 4], &[4, 3]],
            [&[3, 0], &[0, 2]],
            [&[7], &[7]],
            [&[6], &[6, 2]],
            [&[2, 6], &[6]],
            [&[2, 3, 4], &[4, 2]],
            [&[2, 3, 4], &[2, 4, 2]],
            [&[2, 1, 3, 4], &[5, 4, 2]],
            [&[5, 4], &[3, 4, 2]],
            [&[2, 3, 4], &[4]],
            [&[0, 3, 4], &[1, 4, 2]],
        ];
        shapes.map(|shapes| Sample::new(MatMul, shapes)).to_vec()
    }
}

#[cold]
fn inner_differ(a: &[usize], b: &[usize], k: usize, k_b: usize) -> ShapeError {
    ShapeError::new(format!("{} x {}: inner sizes {k} and {k_b} differ", Show(a), Show(b)))
}

/// A (batched) matrix product, taken apart: its sizes, and where each batch's matrices stand.
pub(super) struct Product<'a, T> {
    a: Mat<'a, T>,
    b: Mat<'a, T>,
    size: [usize; 3],
    batch: SmallVec<[usize; 4]>,
    /// Batch strides of a, b, and of their (row-major) cotangents. An operand that is itself a stretched view has
    /// stride 0 where its cotangent has not.
    strides: [Strides; 4],
}

impl<'a, T: Element> View<'a, T> {
    /// A view of rank 2 as an operand of a matrix product.
    fn mat(&self) -> Mat<'a, T> {
        match self.strides {
            None => Mat::row_major(self.data, self.shape[1]),
            Some(strides) => Mat { data: self.data, row_stride: strides[0], col_stride: strides[1] },
        }
    }
}

/// A view as a stack of matrices, vectors made matrices: batch shape and strides, sizes and strides of the last two
/// axes.
struct Stack<'a, T> {
    data: &'a [T],
    batch: &'a [usize],
    batch_strides: Strides,
    rows: (usize, usize),
    cols: (usize, usize),
}

impl<'a, T: Element> Stack<'a, T> {
    fn new(x: View<'a, T>, vector_is_row: bool) -> Self {
        let mut strides = x.strides();
        match *x.shape {
            [n] => {
                let (along, across) = ((n, strides[0]), (1, n * strides[0]));
                let (rows, cols) = if vector_is_row { (across, along) } else { (along, (1, 1)) };
                Stack { data: x.data, batch: &[], batch_strides: Strides::new(), rows, cols }
            }
            [ref batch @ .., m, n] => {
                let (rows, cols) = ((m, strides[batch.len()]), (n, strides[batch.len() + 1]));
                strides.truncate(batch.len());
                Stack { data: x.data, batch, batch_strides: strides, rows, cols }
            }
            [] => unreachable!("the shape rule refuses scalars"),
        }
    }

    /// Batches that stand one below the other, as rows of one tall matrix.
    fn flatten(mut self) -> Self {
        while let ([outer @ .., size], Some(&stride)) = (self.batch, self.batch_strides.last()) {
            if stride != self.rows.0 * self.rows.1 && *size != 1 {
                break;
            }
            self.rows.0 *= size;
            self.batch = outer;
            self.batch_strides.pop();
        }
        self
    }

    fn mat(&self) -> Mat<'a, T> {
        Mat { data: self.data, row_stride: self.rows.1, col_stride: self.cols.1 }
    }
}

impl<'a, T: Element> Product<'a, T> {
    pub(super) fn new(a: View<'a, T>, b: View<'a, T>) -> Self {
        if let (&[m, k], &[_, n]) = (a.shape, b.shape) {
            let batch = SmallVec::new();
            return Product { a: a.mat(), b: b.mat(), size: [m, k, n], batch, strides: Default::default() };
        }
        let (mut a, b) = (Stack::new(a, true), Stack::new(b, false));
        if b.batch.is_empty() {
            let flat = Stack { batch_strides: a.batch_strides.clone(), ..a }.flatten();
            if flat.batch.is_empty() {
                a = flat;
            }
        }
        let size = [a.rows.0, a.cols.0, b.cols.0];
        let (m, k, n) = (size[0], size[1], size[2]);
        if a.batch.is_empty() && b.batch.is_empty() {
            return Product {
                a: a.mat(),
                b: b.mat(),
                size,
                batch: SmallVec::new(),
                strides: Default::default(),
            };
        }
        let batch = Shape::broadcast(a.batch, b.batch).expect("batches were checked by the shape rule");
        let dense = |batch: &[usize], area| -> Strides {
            crate::shape::row_major(batch).iter().map(|stride| stride * area).collect()
        };
        let strides = [
            broadcast_strides(a.batch, &a.batch_strides, &batch),
            broadcast_strides(b.batch, &b.batch_strides, &batch),
            broadcast_strides(a.batch, &dense(a.batch, m * k), &batch),
            broadcast_strides(b.batch, &dense(b.batch, k * n), &batch),
        ];
        Product { a: a.mat(), b: b.mat(), size, batch: SmallVec::from_slice(&batch), strides }
    }

    /// Calls `each` with the batch's number, the offsets of a, b and their cotangents, and whether this batch is the
    /// first to touch a's and b's cotangent (later ones come from broadcasting, and add).
    fn for_each_batch(&self, mut each: impl FnMut(usize, [usize; 4], [bool; 2])) {
        if self.batch.is_empty() {
            return each(0, [0; 4], [true; 2]);
        }
        let count = self.batch.iter().product();
        let mut index: SmallVec<[usize; 4]> = SmallVec::from_elem(0, self.batch.len());
        for number in 0..count {
            let mut offsets = [0; 4];
            let mut first = [true; 2];
            for (axis, &i) in index.iter().enumerate() {
                for (offset, strides) in offsets.iter_mut().zip(&self.strides) {
                    *offset += i * strides[axis];
                }
                for (first, strides) in first.iter_mut().zip(&self.strides[2..]) {
                    *first &= i == 0 || strides[axis] != 0;
                }
            }
            each(number, offsets, first);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                if index[axis] < self.batch[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
    }

    /// How many elements the product has.
    pub(super) fn elements(&self) -> usize {
        self.size[0] * self.size[2] * self.batch.iter().product::<usize>()
    }

    /// y = a b, with an epilogue.
    pub(super) fn forward(&self, y: &mut [T], epilogue: Epilogue<T>) {
        let [m, _, n] = self.size;
        self.for_each_batch(|number, [a, b, ..], _| {
            let y = MatMut::row_major(&mut y[number * m * n..(number + 1) * m * n], n);
            T::gemm(self.size, from(self.a, a), from(self.b, b), y, Accum::Replace, epilogue);
        });
    }

    /// No batch contributes to an operand that is broadcast to none, so its cotangent is zero.
    fn clear_if_no_batch(&self, g: &mut [T], accum: Accum) {
        if self.batch.contains(&0) && accum == Accum::Replace {
            g.fill(T::ZERO);
        }
    }

    /// ga (=, +=) gy bᵀ
    pub(super) fn vjp_left(&self, gy: &[T], ga: &mut [T], accum: Accum) {
        let [m, k, n] = self.size;
        self.clear_if_no_batch(ga, accum);
        self.for_each_batch(|number, [_, b, offset, _], [first, _]| {
            let gy = Mat::row_major(&gy[number * m * n..], n);
            let ga = MatMut::row_major(&mut ga[offset..offset + m * k], k);
            let accum = if first { accum } else { Accum::Add };
            T::gemm([m, n, k], gy, from(self.b, b).t(), ga, accum, Epilogue::None);
        });
    }

    /// gb (=, +=) aᵀ gy
    pub(super) fn vjp_right(&self, gy: &[T], gb: &mut [T], accum: Accum) {
        let [m, k, n] = self.size;
        self.clear_if_no_batch(gb, accum);
        self.for_each_batch(|number, [a, _, _, offset], [_, first]| {
            let gy = Mat::row_major(&gy[number * m * n..], n);
            let gb = MatMut::row_major(&mut gb[offset..offset + k * n], n);
            let accum = if first { accum } else { Accum::Add };
            T::gemm([k, m, n], from(self.a, a).t(), gy, gb, accum, Epilogue::None);
        });
    }
}

/// The matrix that starts at an offset.
fn from<T>(x: Mat<T>, offset: usize) -> Mat<T> {
    Mat { data: x.data.get(offset..).unwrap_or(&[]), ..x }
}

impl<T: Real> Var<'_, T> {
    /// The matrix product [m, k] x [k, n]. Transposed views are read in place, never copied.
    ///
    /// A vector counts as a row on the left and as a column on the right; axes before the last two are batches, and
    /// broadcast.
    ///
    /// # Panics
    /// If the inner sizes differ, the batches do not broadcast, or an operand is a scalar.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let a = r.constant(&Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// assert_eq!(a.matmul(a.t()).value(), Tensor::from([[5.0, 11.0], [11.0, 25.0]]));
    /// ```
    #[track_caller]
    pub fn matmul(self, other: Self) -> Self {
        self.apply(MatMul, &[self, other])
    }
}
