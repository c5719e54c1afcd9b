//! y = every step-th element of a range along an axis, without a copy.

use std::ops::{Bound, RangeBounds};

use crate::element::Element;
use crate::kernels::{self, Strided};
use crate::matrix::{Accum, size};
use crate::ops::{Alias, Layout, Real, Rule, Sample};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::{
    Axes, Shape, ShapeError, Show, Strides, is_row_major, row_major, size_of, with_size,
};
use crate::tensor::{View, ViewMut};

/// A range along an axis, with steps; shares memory.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Slice {
    /// The axis that is cut.
    pub axis: usize,
    /// The first index taken.
    pub start: usize,
    /// The distance between indices taken, at least 1.
    pub step: usize,
    /// How many are taken.
    pub len: usize,
}

impl Slice {
    /// Where the slice of a tensor with these strides begins, and its own strides.
    fn walk(&self, strides: &[usize]) -> (usize, Strides) {
        let mut inside = Strides::from_slice(strides);
        // To less than two elements no step is ever taken, and it may be as large as it likes.
        inside[self.axis] = if self.len > 1 { inside[self.axis] * self.step } else { 1 };
        (self.start * strides[self.axis], inside)
    }
}

impl Rule for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn arguments(&self) -> String {
        format!("axis {}, {} from {} by {}", self.axis, self.len, self.start, self.step)
    }

    fn flops(&self, _: &[&[usize]], y: &[usize]) -> u64 {
        size::product(y) as u64
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        let size = size_of(x[0], self.axis)?;
        let last = self.start.saturating_add(self.len.saturating_sub(1).saturating_mul(self.step));
        if self.step == 0 || (self.len > 0 && last >= size) {
            let Slice { axis, start, step, len } = self;
            let text = format!(
                "{len} elements from {start} in steps of {step} do not lie in axis {axis} of {}",
                Show(x[0])
            );
            return Err(ShapeError::new(text));
        }
        Ok(with_size(x[0], self.axis, self.len))
    }

    fn takes_strides(&self, _: usize) -> bool {
        true
    }

    fn alias(&self, x: Layout, y: &[usize]) -> Option<Alias> {
        let strides = x.strides.map_or_else(|| row_major(x.shape), Strides::from_slice);
        let (offset, strides) = self.walk(&strides);
        let strides = if is_row_major(y, &strides) { None } else { Some(strides) };
        Some(Alias { offset: if y.contains(&0) { 0 } else { offset }, strides })
    }

    fn forward<T: Element>(&self, _: &[View<T>], _: ViewMut<T>) {
        unreachable!("slice always shares its input's memory");
    }

    /// gx = gy in the slice, 0 around it. A second slice of the same tensor touches only its own part.
    fn vjp<T: Element>(&self, _: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        gx.add(0, |gx, accum| {
            if accum == Accum::Replace {
                gx.data.fill(T::ZERO);
            }
            if gy.data.is_empty() {
                return;
            }
            let (offset, to) = self.walk(&row_major(gx.shape));
            let gy_strided = Strided { data: gy.data, strides: &row_major(gy.shape) };
            let place = &mut gx.data[offset..];
            kernels::sum_strided(gy.shape, [gy_strided], place, &to, Accum::Add, &kernels::copy);
        });
    }

    fn samples() -> Vec<Sample> {
        let cases: [(&[usize], [usize; 4]); 10] = [
            (&[5, 4], [0, 1, 1, 3]),
            (&[5, 4], [0, 0, 2, 3]),
            (&[5, 7], [1, 2, 1, 4]),
            (&[5, 7], [1, 1, 3, 2]),
            (&[2, 5, 3], [1, 4, 1, 1]),
            (&[6], [0, 1, 2, 3]),
            (&[1, 1], [1, 0, 1, 1]),
            (&[4, 2], [0, 4, 1, 0]),
            (&[0, 3], [1, 1, 1, 2]),
            (&[2, 300], [1, 1, 2, 149]),
        ];
        let mut samples = Vec::new();
        for &(shape, [axis, start, step, len]) in &cases {
            samples.push(Sample::new(Slice { axis, start, step, len }, [shape]));
        }
        samples
    }
}

/// # Parts
impl<T: Real> Var<'_, T> {
    /// The elements of a range along an axis. No copy; slices of several axes are made one after the other.
    ///
    /// # Panics
    /// If there is no such axis, or the range leaves it.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]));
    /// assert_eq!(x.slice(1, 1..).value(), Tensor::from([[2.0, 3.0], [5.0, 6.0]]));
    /// assert_eq!(x.slice_step(1, .., 2).value(), Tensor::from([[1.0, 3.0], [4.0, 6.0]]));
    /// ```
    #[doc(alias = "narrow")]
    #[track_caller]
    pub fn slice(self, axis: usize, range: impl RangeBounds<usize>) -> Self {
        self.slice_step(axis, range, 1)
    }

    /// Every `step`-th element of a range along an axis. No copy.
    ///
    /// # Panics
    /// If there is no such axis, the range leaves it, or the step is 0.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([0.0, 1.0, 2.0, 3.0, 4.0]));
    /// assert_eq!(x.slice_step(0, 1.., 2).value(), Tensor::from([1.0, 3.0]));
    /// ```
    #[track_caller]
    pub fn slice_step(self, axis: usize, range: impl RangeBounds<usize>, step: usize) -> Self {
        let shape = self.shape();
        let size = shape.get(axis).copied().unwrap_or(0);
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => size,
        };
        let inside = axis < shape.rank() && start <= end && end <= size && step > 0;
        assert!(inside, "slice: no {start}..{end} in steps of {step} along axis {axis} of shape {shape}");
        self.apply(Slice { axis, start, step, len: (end - start).div_ceil(step) }, &[self])
    }

    /// The tensor number `index` along an axis, which goes. No copy.
    ///
    /// # Panics
    /// If there is no such axis or element.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// assert_eq!(x.select(0, 1).value(), Tensor::from([3.0, 4.0]));
    /// assert_eq!(x.select(1, 1).value(), Tensor::from([2.0, 4.0]));
    /// ```
    #[track_caller]
    pub fn select(self, axis: usize, index: usize) -> Self {
        let slice = self.apply(Slice { axis, start: index, step: 1, len: 1 }, &[self]);
        slice.reshape(Axes::new(&[axis]).drop(&slice.shape()))
    }

    /// Parts of these sizes, one after the other along an axis. No copies.
    ///
    /// # Panics
    /// If there is no such axis, or the sizes do not add up to its size.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let [a, b] = r.constant(&Tensor::from([[1.0, 2.0, 3.0]])).split([1, 2], 1);
    /// assert_eq!(a.value(), Tensor::from([[1.0]]));
    /// assert_eq!(b.value(), Tensor::from([[2.0, 3.0]]));
    /// ```
    #[track_caller]
    pub fn split<const N: usize>(self, sizes: [usize; N], axis: usize) -> [Self; N] {
        let shape = self.shape();
        let sum = sizes.iter().try_fold(0, |sum: usize, &len| sum.checked_add(len));
        let fits = axis < shape.rank() && sum == Some(shape[axis]);
        assert!(fits, "split: parts of {sizes:?} do not make up axis {axis} of shape {shape}");
        let (mut parts, mut start) = ([self; N], 0);
        // A loop, since a closure would not know the caller's line.
        for (part, len) in parts.iter_mut().zip(sizes) {
            *part = self.apply(Slice { axis, start, step: 1, len }, &[self]);
            start += len;
        }
        parts
    }
}
