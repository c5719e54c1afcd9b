//! y = x with the same elements, in the same order, in another shape.

use crate::element::Element;
use crate::kernels::{self, Strided};
use crate::matrix::{Accum, size};
use crate::ops::{Alias, Layout, OnEntries, Output, Real, Rule, Sample, ZeroRule};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::Show;
use crate::tensor::{Axes, Shape, ShapeError, View, ViewMut};

/// Another shape for the same elements. Shares memory, unless the input is a permuted view.
#[derive(Clone, PartialEq, Debug)]
pub struct Reshape {
    /// The new shape.
    pub to: Shape,
}

impl Rule for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        let (from, to) = (size::product(x[0]), self.to.elements());
        if from != to {
            return Err(ShapeError::new(format!("{} has {from} elements, {} has {to}", Show(x[0]), self.to)));
        }
        Ok(self.to.clone())
    }

    fn takes_strides(&self, _: usize) -> bool {
        true
    }

    fn alias(&self, x: Layout, _: &[usize]) -> Option<Alias> {
        x.strides.is_none().then_some(Alias { offset: 0, strides: None })
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let x_strided = Strided { data: x[0].data, strides: &x[0].strides() };
        kernels::map_strided(x[0].shape, [x_strided], y.data, Accum::Replace, &kernels::copy);
    }

    fn zeros(&self, _: &[&[usize]]) -> ZeroRule {
        ZeroRule { output: Output::KeepsZeros, entries: OnEntries::EachAlone, ..ZeroRule::DENSE }
    }

    /// gx = gy
    fn vjp<T: Element>(&self, _: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        gx.add(0, |gx, accum| kernels::copy([gy.data], gx.data, accum));
    }

    fn samples() -> Vec<Sample> {
        let cases: [(&[usize], &[usize]); 4] =
            [(&[3, 4], &[2, 6]), (&[1, 1], &[]), (&[0, 3], &[3, 0]), (&[2, 3, 4], &[24])];
        let mut samples = Vec::new();
        for &(from, to) in &cases {
            samples.push(Sample::new(Reshape { to: to.into() }, [from]));
        }
        samples
    }
}

/// # Shape
impl<T: Real> Var<'_, T> {
    /// The elements, in row-major order, in another shape. No copy, unless of a permuted view.
    ///
    /// # Panics
    /// If the number of elements differs.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]));
    /// assert_eq!(x.reshape([3, 2]).value(), Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]));
    /// ```
    #[doc(alias = "view")]
    #[doc(alias = "flatten")]
    #[track_caller]
    pub fn reshape(self, shape: impl Into<Shape>) -> Self {
        self.apply(Reshape { to: shape.into() }, &[self])
    }

    /// The tensor with its elements in row-major order in memory; itself if they already are.
    #[track_caller]
    pub fn contiguous(self) -> Self {
        if self.is_contiguous() { self } else { self.reshape(self.shape()) }
    }

    /// With an axis of size 1 put in before this one.
    ///
    /// # Panics
    /// If `axis` is more than the rank.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([1.0, 2.0]));
    /// assert_eq!(x.unsqueeze(1).value(), Tensor::from([[1.0], [2.0]]));
    /// ```
    #[doc(alias = "expand_dims")]
    #[track_caller]
    pub fn unsqueeze(self, axis: usize) -> Self {
        let shape = self.shape();
        assert!(axis <= shape.rank(), "unsqueeze: no place {axis} in a tensor of shape {shape}");
        self.reshape(
            shape[..axis].iter().copied().chain([1]).chain(shape[axis..].iter().copied()).collect::<Shape>(),
        )
    }

    /// Without this axis, whose size must be 1.
    ///
    /// # Panics
    /// If there is no such axis or its size is not 1.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1.0], [2.0]]));
    /// assert_eq!(x.squeeze(1).value(), Tensor::from([1.0, 2.0]));
    /// ```
    #[track_caller]
    pub fn squeeze(self, axis: usize) -> Self {
        let shape = self.shape();
        assert!(shape.get(axis) == Some(&1), "squeeze: axis {axis} of shape {shape} is not of size 1");
        self.reshape(Axes::new(&[axis]).drop(&shape))
    }
}
