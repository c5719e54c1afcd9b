//! y = x in a frame of a constant.

use smallvec::SmallVec;

use crate::element::Element;
use crate::kernels::{self, Strided, for_each_offset};
use crate::ops::{Real, Rule, Sample};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::{Show, row_major};
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// A constant put before and after the elements along each axis.
#[derive(Clone, Debug)]
pub struct Pad {
    /// How many elements come before and after, for each axis.
    pub widths: SmallVec<[(usize, usize); 8]>,
    /// What they are.
    pub value: f64,
}

/// By the bits of the value: 0 and −0 are two, and NaN is itself.
impl PartialEq for Pad {
    fn eq(&self, other: &Self) -> bool {
        self.widths == other.widths && self.value.to_bits() == other.value.to_bits()
    }
}

impl Pad {
    /// Where the input begins in an output with these strides.
    fn offset(&self, strides: &[usize]) -> usize {
        self.widths.iter().zip(strides).map(|((before, _), stride)| before * stride).sum()
    }
}

impl Rule for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn arguments(&self) -> String {
        format!("{:?} with {}", self.widths, self.value)
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        if self.widths.len() != x[0].len() {
            let axes = self.widths.len();
            return Err(ShapeError::new(format!("widths for {axes} axes do not fit shape {}", Show(x[0]))));
        }
        // What does not fit counts as the largest size, of which no tensor can be.
        let padded = |(size, (before, after)): (&usize, &(usize, usize))| {
            before.saturating_add(*size).saturating_add(*after)
        };
        Ok(x[0].iter().zip(&self.widths).map(padded).collect())
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let (x, strides) = (x[0], row_major(y.shape));
        y.data.fill(T::from_f64(self.value));
        let offset = self.offset(&strides);
        let (width, outer) = x.shape.split_last().map_or((1, &x.shape[..]), |(&width, outer)| (width, outer));
        let (from, to) = (row_major(x.shape), &strides[..outer.len()]);
        for_each_offset(outer, [&from[..outer.len()], to], |[from, to]| {
            let to = to + offset;
            y.data[to..to + width].copy_from_slice(&x.data[from..from + width]);
        });
    }

    /// gx = gy without the frame
    fn vjp<T: Element>(&self, _: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let strides = row_major(gy.shape);
        let gy = Strided { data: gy.data.get(self.offset(&strides)..).unwrap_or(&[]), strides: &strides };
        gx.add(0, |gx, accum| kernels::map_strided(gx.shape, [gy], gx.data, accum, &kernels::copy));
    }

    fn samples() -> Vec<Sample> {
        type Case<'a> = (&'a [usize], &'a [(usize, usize)]);
        let cases: [Case; 6] = [
            (&[2, 3], &[(1, 2), (0, 3)]),
            (&[4], &[(0, 0)]),
            (&[2, 1, 3], &[(0, 0), (2, 1), (1, 1)]),
            (&[1, 1], &[(1, 0), (0, 1)]),
            (&[], &[]),
            (&[0, 2], &[(1, 1), (0, 1)]),
        ];
        let mut samples = Vec::new();
        for &(shape, widths) in &cases {
            let pad = Pad { widths: SmallVec::from_slice(widths), value: 0.5 };
            samples.push(Sample::new(pad, [shape]));
        }
        samples
    }
}

/// # Padding
impl<T: Real> Var<'_, T> {
    /// A frame of `value` around the tensor: for each axis, how many elements before and after.
    ///
    /// # Panics
    /// If there is not one pair of widths an axis, or no memory for so much.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1.0, 2.0]]));
    /// assert_eq!(x.pad(&[(0, 1), (1, 0)], 9.0).value(), Tensor::from([[9.0, 1.0, 2.0], [9.0, 9.0, 9.0]]));
    /// ```
    #[track_caller]
    pub fn pad(self, widths: &[(usize, usize)], value: f64) -> Self {
        self.apply(Pad { widths: SmallVec::from_slice(widths), value }, &[self])
    }
}
