//! Matrix products taken apart: sizes, batches, and which form each product takes, dense or skipping zeros.

use crate::element::Element;
use crate::matrix::{Accum, Epilogue, Mat, MatMut, Products, Sparse, size};
use crate::tape::Cotangents;
use crate::tape::cotangents::Wanted;
use crate::tensor::shape::{Strides, broadcast_strides};
use crate::tensor::{Shape, View};

/// A (batched) matrix product, taken apart: its sizes, and where each batch's matrices stand.
pub(super) struct Product<'a, T> {
    a: Mat<'a, T>,
    b: Mat<'a, T>,
    size: [usize; 3],
    /// What there is besides one matrix times another.
    batches: Option<Batches>,
    /// The entries of a, if it is one matrix and they have been found.
    sparse: Option<&'a Sparse<'a, T>>,
}

/// The products of a batch.
struct Batches {
    shape: Shape,
    /// Batch strides of a, b, and of their (row-major) cotangents. An operand that is itself a stretched view has
    /// stride 0 where its cotangent has not.
    strides: [Strides; 4],
}

impl Batches {
    /// Calls `each` with the batch's number, the offsets of a, b and their cotangents, and whether this batch is the
    /// first to touch a's and b's cotangent (later ones come from broadcasting, and add).
    fn for_each(&self, each: &mut dyn FnMut(usize, [usize; 4], [bool; 2])) {
        let Batches { shape, strides } = self;
        let count = size::product(shape);
        let mut index = Strides::from_elem(0, shape.len());
        for number in 0..count {
            let mut offsets = [0; 4];
            let mut first = [true; 2];
            for (axis, &i) in index.iter().enumerate() {
                for (offset, strides) in offsets.iter_mut().zip(strides) {
                    *offset += i * strides[axis];
                }
                for (first, strides) in first.iter_mut().zip(&strides[2..]) {
                    *first &= i == 0 || strides[axis] != 0;
                }
            }
            each(number, offsets, first);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                if index[axis] < shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
    }

    /// Whether there is none. Then no batch contributes to an operand that is broadcast to none, and its cotangent is zero.
    fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }
}

impl<'a, T: Element> View<'a, T> {
    /// A view of rank 2 and so many columns, as an operand of a matrix product.
    #[inline]
    pub(super) fn mat(&self, cols: usize) -> Mat<'a, T> {
        match self.strides {
            None => Mat::row_major(self.data, cols),
            Some(strides) => Mat { data: self.data, row_stride: strides[0], col_stride: strides[1] },
        }
    }
}

/// A view as a stack of matrices; a vector counts as a matrix of one row or column.
struct Stack<'a, T> {
    data: &'a [T],
    /// The axes before the last two.
    batch: &'a [usize],
    batch_strides: Strides,
    /// How many rows a matrix has, and the distance from one to the next.
    rows: (usize, usize),
    /// How many columns a matrix has, and the distance from one to the next.
    cols: (usize, usize),
}

impl<'a, T: Element> Stack<'a, T> {
    /// The stack that a view is; a vector is one row, or one column.
    fn new(x: View<'a, T>, vector_is_row: bool) -> Self {
        let mut strides = x.strides();
        match x.shape[..] {
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

impl<'a, T: Products> Product<'a, T> {
    /// The product a b, of shapes that the shape rule has let pass.
    #[inline]
    pub(super) fn new(a: View<'a, T>, b: View<'a, T>) -> Self {
        match (&a.shape[..], &b.shape[..]) {
            (&[m, k], &[_, n]) => {
                Product { a: a.mat(k), b: b.mat(n), size: [m, k, n], batches: None, sparse: a.sparse }
            }
            _ => Product::of_stacks(a, b),
        }
    }

    /// The product of operands of which one is not a matrix.
    fn of_stacks(a: View<'a, T>, b: View<'a, T>) -> Self {
        let sparse = a.sparse;
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
            return Product { a: a.mat(), b: b.mat(), size, batches: None, sparse };
        }
        let batch = Shape::broadcast(a.batch, b.batch).expect("batches were checked by the shape rule");
        let dense = |batch: &[usize], area| -> Strides {
            crate::tensor::shape::row_major(batch).iter().map(|stride| stride * area).collect()
        };
        let strides = [
            broadcast_strides(a.batch, &a.batch_strides, &batch),
            broadcast_strides(b.batch, &b.batch_strides, &batch),
            broadcast_strides(a.batch, &dense(a.batch, m * k), &batch),
            broadcast_strides(b.batch, &dense(b.batch, k * n), &batch),
        ];
        let batches = Some(Batches { shape: batch, strides });
        Product { a: a.mat(), b: b.mat(), size, batches, sparse: None }
    }

    /// How many elements the product has.
    pub(super) fn elements(&self) -> usize {
        let count = self.batches.as_ref().map_or(1, |batches| size::product(&batches.shape));
        self.size[0] * self.size[2] * count
    }

    /// y = a b, with an epilogue.
    pub(super) fn forward(&self, y: &mut [T], epilogue: Epilogue<T>) {
        let [m, _, n] = self.size;
        if let Some(&a) = self.sparse {
            return T::spmm(a, self.b, n, y, Accum::Replace, epilogue);
        }
        let product = |a: Mat<T>, b: Mat<T>, y: &mut [T]| {
            T::gemm(self.size, a, b, MatMut::row_major(y, n), Accum::Replace, epilogue);
        };
        let Some(batches) = &self.batches else { return product(self.a, self.b, y) };
        batches.for_each(&mut |number, [a, b, ..], _| {
            product(from(self.a, a), from(self.b, b), &mut y[number * m * n..(number + 1) * m * n]);
        });
    }

    /// y = max(a b + bias, 0) without computing most of y, if that can be done and, unless it is to be done `always`, is
    /// faster. Gives the part of y that was computed.
    pub(super) fn screen(&self, y: &mut [T], bias: &[T], always: bool) -> Option<f32> {
        if self.sparse.is_some() || self.batches.is_some() {
            return None;
        }
        let computed = T::screen(self.size, self.a, self.b, bias, y, always)?;
        Some(computed as f32 / y.len().max(1) as f32)
    }

    /// Forward, y = a b. So ga = gy bᵀ, gb = aᵀ gy, in the forms that the entries of gy, or else of a, allow: a is m x k, b is
    /// k x n, and y is m x n.
    pub(super) fn vjp(&self, gy: View<T>, gx: &mut Cotangents<T>) {
        let [_, k, n] = self.size;
        if let Some(&gy) = gy.sparse {
            gx.add(0, |ga, accum| T::spmm(gy, self.b.t(), k, ga.data, accum, Epilogue::None));
            gx.add(1, |gb, accum| {
                // gbᵀ = gyᵀ a
                let transposed = MatMut { data: gb.data, row_stride: 1, col_stride: n };
                T::spmm_t(gy, self.a, k, transposed, accum);
            });
            return;
        }
        let Some(&a) = self.sparse else {
            gx.add(0, |ga, accum| self.vjp_left(gy.data, ga.data, accum));
            gx.add(1, |gb, accum| self.vjp_right(gy.data, gb.data, accum));
            return;
        };
        let g = Mat::row_major(gy.data, n);
        gx.add_both([0, 1], &mut |ga, gb| {
            let gb = gb.map(|(gb, accum)| (MatMut::row_major(gb.data, n), accum));
            match (ga, gb) {
                // ga at the entries of a, and gb, from one load of gy
                (Some((Wanted::Entries(support, values), of_ga)), Some(gb))
                    if std::ptr::eq(support, a.support) =>
                {
                    T::spmm_t_sddmm(a, g, self.b, n, gb, (values, of_ga));
                }
                (ga, gb) => {
                    match ga {
                        Some((Wanted::Entries(support, values), of_ga)) => {
                            T::sddmm(support, g, self.b, n, values, of_ga);
                        }
                        Some((Wanted::Whole(ga), of_ga)) => self.vjp_left(gy.data, ga.data, of_ga),
                        None => {}
                    }
                    if let Some((gb, of_gb)) = gb {
                        T::spmm_t(a, g, n, gb, of_gb);
                    }
                }
            }
        });
    }

    /// ga (=, +=) gy bᵀ
    fn vjp_left(&self, gy: &[T], ga: &mut [T], accum: Accum) {
        let [m, k, n] = self.size;
        let product = |gy: &[T], b: Mat<T>, ga: &mut [T], accum| {
            T::gemm([m, n, k], Mat::row_major(gy, n), b.t(), MatMut::row_major(ga, k), accum, Epilogue::None);
        };
        let Some(batches) = &self.batches else { return product(gy, self.b, ga, accum) };
        if batches.is_empty() && accum == Accum::Replace {
            ga.fill(T::ZERO);
        }
        batches.for_each(&mut |number, [_, b, to, _], [first, _]| {
            let accum = if first { accum } else { Accum::Add };
            product(&gy[number * m * n..], from(self.b, b), &mut ga[to..to + m * k], accum);
        });
    }

    /// gb (=, +=) aᵀ gy
    fn vjp_right(&self, gy: &[T], gb: &mut [T], accum: Accum) {
        let [m, k, n] = self.size;
        let product = |gy: &[T], a: Mat<T>, gb: &mut [T], accum| {
            T::gemm([k, m, n], a.t(), Mat::row_major(gy, n), MatMut::row_major(gb, n), accum, Epilogue::None);
        };
        let Some(batches) = &self.batches else { return product(gy, self.a, gb, accum) };
        if batches.is_empty() && accum == Accum::Replace {
            gb.fill(T::ZERO);
        }
        batches.for_each(&mut |number, [a, _, _, to], [_, first]| {
            let accum = if first { accum } else { Accum::Add };
            product(&gy[number * m * n..], from(self.a, a), &mut gb[to..to + k * n], accum);
        });
    }
}

/// The matrix that starts at an offset.
fn from<T>(x: Mat<T>, offset: usize) -> Mat<T> {
    Mat { data: x.data.get(offset..).unwrap_or(&[]), ..x }
}
