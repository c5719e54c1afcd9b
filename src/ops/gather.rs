//! y\[…, i, …\] = x\[…, index\[…, i, …\], …\]: along an axis, the element that an index names.

use crate::element::Element;
use crate::kernels::for_each_offset;
use crate::matrix::{Accum, size};
use crate::ops::{Real, Rule, Sample, index};
use crate::tape::{Cotangents, Indices, Var};
use crate::tensor::shape::{Show, Strides, row_major, size_of};
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// One element for each index; `torch.gather`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Gather {
    /// The axis that the indices count along.
    pub axis: usize,
}

impl Gather {
    /// Calls `each` with the number of each index, and the offset of the element that it names in a row-major tensor of shape
    /// `x`.
    fn for_each<T: Element>(&self, x: &[usize], indices: View<T>, mut each: impl FnMut(usize, usize)) {
        let mut strides: Strides = row_major(x);
        let along = std::mem::take(&mut strides[self.axis]);
        let mut number = 0;
        for_each_offset(indices.shape, [&strides], |[offset]| {
            each(number, offset + index(indices.data[number]) * along);
            number += 1;
        });
    }
}

impl Rule for Gather {
    fn name(&self) -> &'static str {
        "gather"
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
        let inside = |axis: usize| axis == self.axis || indices[axis] <= x[axis];
        if indices.len() != x.len() || !(0..x.len()).all(inside) {
            let text = format!("indices {} do not fit {} outside axis {}", Show(indices), Show(x), self.axis);
            return Err(ShapeError::new(text));
        }
        Ok(indices.into())
    }

    fn indices(&self, x: &[&[usize]]) -> Option<(usize, usize)> {
        Some((1, *x.first()?.get(self.axis)?))
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        self.for_each(x[0].shape, x[1], |number, offset| y.data[number] = x[0].data[offset]);
    }

    /// gx = Σ gy over the indices that name the element
    fn vjp<T: Element>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        gx.add(0, |gx, accum| {
            if accum == Accum::Replace {
                gx.data.fill(T::ZERO);
            }
            self.for_each(gx.shape, x[1], |number, offset| gx.data[offset] += gy.data[number]);
        });
    }

    fn samples() -> Vec<Sample> {
        let cases: [([&[usize]; 2], usize); 6] = [
            ([&[3, 5], &[3, 4]], 1),
            ([&[4, 3], &[6, 3]], 0),
            ([&[4, 3], &[2, 2]], 0),
            ([&[2, 3, 4], &[2, 5, 4]], 1),
            ([&[3], &[1]], 0),
            ([&[3, 2], &[0, 2]], 0),
        ];
        let mut samples = Vec::new();
        for &(shapes, axis) in &cases {
            samples.push(Sample::indexed(Gather { axis }, shapes, shapes[0][axis]));
        }
        samples
    }
}

/// # Choosing by indices
impl<'r, T: Real> Var<'r, T> {
    /// For each index the element that it names along an axis, at the index's own place in the other axes; the result
    /// has the shape of the indices.
    ///
    /// # Panics
    /// If there is no such axis, the indices have another rank or are larger in another axis, or one is out of range.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]));
    /// let y = x.gather(1, r.indices([2, 1], &[2, 0]));
    /// assert_eq!(y.value(), Tensor::from([[3.0], [4.0]]));
    /// ```
    #[track_caller]
    pub fn gather(self, axis: usize, indices: Indices<'r, T>) -> Self {
        self.recording.apply(Gather { axis }.into(), &[self, indices.0])
    }
}
