//! y = any number of tensors, one after the other along an axis.

use smallvec::SmallVec;

use crate::element::Element;
use crate::kernels::put;
use crate::ops::{Real, Rule, Sample};
use crate::tape::values::MOST_LISTED;
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::{Show, around, size_of, with_size};
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// Tensors joined along an axis.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Concat {
    /// The axis along which they follow each other.
    pub axis: usize,
}

impl Concat {
    /// A part that begins at `start` along the axis stands in y in blocks, one for each index of the axes before. Calls `each`
    /// with the range of every block in y, and its range in the part. `y` and `part` are the shapes.
    fn for_each_block(
        &self,
        [y, part]: [&[usize]; 2],
        start: usize,
        mut each: impl FnMut(std::ops::Range<usize>, std::ops::Range<usize>),
    ) {
        let [outer, total, inner] = around(y, self.axis);
        let (row, width) = (total * inner, part[self.axis] * inner);
        for o in 0..outer {
            let begin = o * row + start * inner;
            each(begin..begin + width, o * width..(o + 1) * width);
        }
    }
}

impl Rule for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn arguments(&self) -> String {
        format!("axis {}", self.axis)
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        let mut total = 0;
        for part in x {
            total = size_of(part, self.axis)?.saturating_add(total);
            if with_size(part, self.axis, 1) != with_size(x[0], self.axis, 1) {
                let axis = self.axis;
                return Err(ShapeError::new(format!(
                    "{} and {} differ in another axis than {axis}",
                    Show(x[0]),
                    Show(part)
                )));
            }
        }
        Ok(with_size(x[0], self.axis, total))
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let mut start = 0;
        for x in x {
            self.for_each_block([y.shape, x.shape], start, |of_y, part| {
                y.data[of_y].copy_from_slice(&x.data[part]);
            });
            start += x.shape[self.axis];
        }
    }

    /// gx = its part of gy
    fn vjp<T: Element>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let mut start = 0;
        for (k, x) in x.iter().enumerate() {
            gx.add(k, |gx, accum| {
                self.for_each_block([gy.shape, x.shape], start, |of_y, part| {
                    put(&mut gx.data[part], gy.data[of_y].iter().copied(), accum);
                });
            });
            start += x.shape[self.axis];
        }
    }

    fn samples() -> Vec<Sample> {
        let two: [([&[usize]; 2], usize); 6] = [
            ([&[2, 3], &[4, 3]], 0),
            ([&[2, 3], &[2, 1]], 1),
            ([&[2, 3, 4], &[2, 2, 4]], 1),
            ([&[0, 3], &[2, 3]], 0),
            ([&[2, 3], &[2, 3]], 1),
            ([&[0], &[0]], 0),
        ];
        let mut samples = Vec::new();
        for &(shapes, axis) in &two {
            samples.push(Sample::new(Concat { axis }, shapes));
        }
        samples.push(Sample::new(Concat { axis: 0 }, [&[3]]));
        let shapes: [&[usize]; 5] = [&[2, 1, 3], &[2, 4, 3], &[2, 0, 3], &[2, 2, 3], &[2, 1, 3]];
        samples.push(Sample::new(Concat { axis: 1 }, shapes));
        samples
    }
}

/// # Putting together
impl<'r, T: Real> Var<'r, T> {
    /// Tensors one after the other along an axis; their other sizes are equal.
    ///
    /// # Panics
    /// If there are none, there is no such axis, or the shapes do not fit.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor, Var};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let a = r.constant(&Tensor::from([[1.0], [2.0]]));
    /// let b = r.constant(&Tensor::from([[3.0, 4.0], [5.0, 6.0]]));
    /// assert_eq!(Var::concat(&[a, b], 1).value(), Tensor::from([[1.0, 3.0, 4.0], [2.0, 5.0, 6.0]]));
    /// ```
    #[doc(alias = "cat")]
    #[doc(alias = "concatenate")]
    #[track_caller]
    pub fn concat(parts: &[Var<'r, T>], axis: usize) -> Self {
        let Some(first) = parts.first() else { panic!("concat: no tensors") };
        first.apply(Concat { axis }, parts)
    }

    /// Tensors of one shape beside each other along a new axis.
    ///
    /// # Panics
    /// If there are none, the shapes differ, or `axis` is more than their rank.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor, Var};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let (a, b) = (r.constant(&Tensor::from([1.0, 2.0])), r.constant(&Tensor::from([3.0, 4.0])));
    /// assert_eq!(Var::stack(&[a, b], 1).value(), Tensor::from([[1.0, 3.0], [2.0, 4.0]]));
    /// ```
    #[track_caller]
    pub fn stack(parts: &[Var<'r, T>], axis: usize) -> Self {
        let mut rows: SmallVec<[Self; MOST_LISTED]> = SmallVec::new();
        for part in parts {
            rows.push(part.unsqueeze(axis));
        }
        Var::concat(&rows, axis)
    }
}
