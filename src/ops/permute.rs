//! y = x with its axes in another order: a transpose, without a copy.

use crate::element::Element;
use crate::kernels::{self, Strided};
use crate::ops::{Alias, Layout, Real, Rule, Sample};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::{Show, Strides, row_major};
use crate::tensor::{Axes, Shape, ShapeError, View, ViewMut};

/// The axes in another order; shares memory.
#[derive(Clone, PartialEq, Debug)]
pub struct Permute {
    /// Axis i of the output is axis `order[i]` of the input.
    pub order: Shape,
}

impl Rule for Permute {
    fn name(&self) -> &'static str {
        "permute"
    }

    fn arguments(&self) -> String {
        self.order.to_string()
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        let rank = x[0].len();
        if self.order.rank() != rank || (0..rank).any(|axis| !self.order.contains(&axis)) {
            return Err(ShapeError::new(format!("{} is no order of the axes of {}", self.order, Show(x[0]))));
        }
        Ok(self.order.iter().map(|&axis| x[0][axis]).collect())
    }

    fn takes_strides(&self, _: usize) -> bool {
        true
    }

    fn alias(&self, x: Layout, _: &[usize]) -> Option<Alias> {
        let strides = x.strides.map_or_else(|| row_major(x.shape), Strides::from_slice);
        Some(Alias { offset: 0, strides: Some(self.order.iter().map(|&axis| strides[axis]).collect()) })
    }

    fn forward<T: Element>(&self, _: &[View<T>], _: ViewMut<T>) {
        unreachable!("permute always shares its input's memory");
    }

    /// gx = gy with its axes put back
    fn vjp<T: Element>(&self, _: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let strides = row_major(gy.shape);
        let mut back = Strides::from_elem(0, strides.len());
        for (&axis, &stride) in self.order.iter().zip(&strides) {
            back[axis] = stride;
        }
        gx.add(0, |gx, accum| {
            let gy = Strided { data: gy.data, strides: &back };
            kernels::map_strided(gx.shape, [gy], gx.data, accum, &kernels::copy);
        });
    }

    fn samples() -> Vec<Sample> {
        let cases: [(&[usize], &[usize]); 5] = [
            (&[3, 5], &[1, 0]),
            (&[3, 4, 5], &[2, 0, 1]),
            (&[2, 1, 3, 4], &[3, 1, 0, 2]),
            (&[], &[]),
            (&[0, 3], &[1, 0]),
        ];
        let mut samples = Vec::new();
        for &(shape, order) in &cases {
            samples.push(Sample::new(Permute { order: order.into() }, [shape]));
        }
        samples
    }
}

/// # Order of axes
impl<T: Real> Var<'_, T> {
    /// The tensor whose axis i is this one's axis `order[i]`. No copy.
    ///
    /// # Panics
    /// If `order` does not name every axis once.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::zeros([2, 3, 4]));
    /// assert_eq!(x.permute(&[2, 0, 1]).shape()[..], [4, 2, 3]);
    /// ```
    #[track_caller]
    pub fn permute(self, order: &[usize]) -> Self {
        self.apply(Permute { order: order.into() }, &[self])
    }

    /// With two axes swapped. No copy.
    ///
    /// # Panics
    /// If there is no such axis.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::zeros([2, 3, 4]));
    /// assert_eq!(x.transpose(0, 2).shape()[..], [4, 3, 2]);
    /// ```
    #[track_caller]
    pub fn transpose(self, axis: usize, other: usize) -> Self {
        let rank = self.shape().rank();
        assert!(
            axis < rank && other < rank,
            "transpose: no axes {axis} and {other} in shape {}",
            self.shape()
        );
        let mut order: Strides = (0..rank).collect();
        order.swap(axis, other);
        self.permute(&order)
    }

    /// The transpose of a matrix, or of the last two axes. No copy.
    ///
    /// # Panics
    /// If the rank is below 2.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1.0, 2.0]]));
    /// assert_eq!(x.t().value(), Tensor::from([[1.0], [2.0]]));
    /// ```
    #[track_caller]
    pub fn t(self) -> Self {
        let rank = self.shape().rank();
        assert!(rank >= 2, "t: a tensor of shape {} is no matrix", self.shape());
        self.transpose(rank - 2, rank - 1)
    }

    /// This axis and the last exchanged; itself if they are one.
    #[track_caller]
    pub(super) fn swap(self, axis: usize, last: usize) -> Self {
        if axis == last { self } else { self.transpose(axis, last) }
    }

    /// The number of the last axis, if `axis` is one of the tensor's.
    #[track_caller]
    pub(super) fn last(self, method: &str, axis: usize) -> usize {
        let shape = self.shape();
        assert!(axis < shape.rank(), "{method}: no axis {axis} in a tensor of shape {shape}");
        shape.rank() - 1
    }

    /// These axes flattened to one, the last: what a reduction of rows takes. No copy if they are the last already.
    #[track_caller]
    pub(super) fn rows(self, axes: Axes) -> Self {
        let shape = self.shape();
        let order = axes.inside(shape.rank());
        let ordered = order.iter().enumerate().all(|(i, &axis)| i == axis);
        let rows: Shape = axes.drop(&shape).iter().copied().chain([axes.count(&shape)]).collect();
        let x = if ordered { self } else { self.permute(&order) };
        if axes.len() == 1 { x } else { x.reshape(rows) }
    }
}
