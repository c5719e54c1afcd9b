//! y = the slices of x that indices name along an axis: rows of a table.

use crate::element::Element;
use crate::kernels::put;
use crate::matrix::{Accum, size};
use crate::ops::{Real, Rule, Sample, index};
use crate::tape::{Cotangents, Indices, Var};
use crate::tensor::shape::{around, size_of};
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// Slices picked along an axis; the axes of the indices take that axis' place.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct IndexSelect {
    /// The axis that the indices count along.
    pub axis: usize,
}

impl IndexSelect {
    /// Calls `each` with the offset of every slice in the tensor of what is picked, and its offset in a tensor of shape `x`.
    fn for_each<T: Element>(&self, x: &[usize], indices: &[T], mut each: impl FnMut(usize, usize)) {
        let [outer, size, inner] = around(x, self.axis);
        let mut to = 0;
        for o in 0..outer {
            for &i in indices {
                each(to, (o * size + index(i)) * inner);
                to += inner;
            }
        }
    }
}

impl Rule for IndexSelect {
    fn name(&self) -> &'static str {
        "index_select"
    }

    fn arguments(&self) -> String {
        format!("axis {}", self.axis)
    }

    fn flops(&self, _: &[&[usize]], y: &[usize]) -> u64 {
        size::product(y) as u64
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        let (x, indices) = (x[0], x[1]);
        size_of(x, self.axis)?;
        Ok(x[..self.axis].iter().chain(indices).chain(&x[self.axis + 1..]).copied().collect())
    }

    fn indices(&self, x: &[&[usize]]) -> Option<(usize, usize)> {
        Some((1, *x.first()?.get(self.axis)?))
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let [.., inner] = around(x[0].shape, self.axis);
        self.for_each(x[0].shape, x[1].data, |to, from| {
            put(&mut y.data[to..to + inner], x[0].data[from..from + inner].iter().copied(), Accum::Replace);
        });
    }

    /// gx = Σ gy over the indices that name the slice
    fn vjp<T: Element>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let [.., inner] = around(x[0].shape, self.axis);
        gx.add(0, |gx, accum| {
            if accum == Accum::Replace {
                gx.data.fill(T::ZERO);
            }
            self.for_each(gx.shape, x[1].data, |from, to| {
                put(&mut gx.data[to..to + inner], gy.data[from..from + inner].iter().copied(), Accum::Add);
            });
        });
    }

    fn samples() -> Vec<Sample> {
        let cases: [([&[usize]; 2], usize); 7] = [
            ([&[5, 3], &[4]], 0),
            ([&[3, 5], &[7]], 1),
            ([&[2, 4, 3], &[2, 3]], 1),
            ([&[5, 3], &[0, 2]], 0),
            ([&[1], &[1]], 0),
            ([&[4], &[]], 0),
            ([&[6, 20], &[9]], 0),
        ];
        let mut samples = Vec::new();
        for &(shapes, axis) in &cases {
            samples.push(Sample::indexed(IndexSelect { axis }, shapes, shapes[0][axis]));
        }
        samples
    }
}

/// # Rows by number
impl<'r, T: Real> Var<'r, T> {
    /// The slices that indices name along an axis, in the order of the indices; their axes take that axis' place.
    ///
    /// # Panics
    /// If there is no such axis, or an index is out of range.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]));
    /// let y = x.index_select(1, r.indices([2], &[2, 2]));
    /// assert_eq!(y.value(), Tensor::from([[3.0, 3.0], [6.0, 6.0]]));
    /// ```
    #[track_caller]
    pub fn index_select(self, axis: usize, indices: Indices<'r, T>) -> Self {
        self.recording.apply(IndexSelect { axis }.into(), &[self, indices.0])
    }

    /// The rows of this table [entries, width] that indices name: shape [.., width] for indices of shape [..].
    ///
    /// # Panics
    /// If this is a scalar, or an index is out of range.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let table = r.constant(&Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]));
    /// assert_eq!(table.embedding(r.indices([1, 2], &[2, 0])).shape()[..], [1, 2, 2]);
    /// ```
    #[track_caller]
    pub fn embedding(self, indices: Indices<'r, T>) -> Self {
        self.index_select(0, indices)
    }
}
