//! y = (x − c) s + b, with a center, a scale and a shift for each index of one axis: what follows a normalization.

use crate::element::Element;
use crate::kernels::{self, Row, Strided};
use crate::matrix::{Accum, size};
use crate::ops::{Real, Rule, Sample};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::{Show, Strides, row_major, size_of};
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// A scale and a shift for each index of an axis. The inputs are x, the scale, the shift and, if there is one, the center.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Affine {
    /// The axis of features, or channels.
    pub axis: usize,
    /// Whether a center is taken away first.
    pub about: bool,
}

impl Affine {
    /// The strides of a vector along the axis, repeated to a tensor of this rank: 1 along the axis, 0 along the others.
    fn strides(&self, rank: usize) -> Strides {
        (0..rank).map(|axis| usize::from(axis == self.axis)).collect()
    }
}

impl Rule for Affine {
    fn name(&self) -> &'static str {
        if self.about { "affine_about" } else { "affine" }
    }

    fn arguments(&self) -> String {
        format!("axis {}", self.axis)
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        let size = size_of(x[0], self.axis)?;
        match x[1..].iter().find(|vector| ***vector != [size]) {
            None => Ok(x[0].into()),
            Some(other) => {
                let text = format!(
                    "{} is not one number for each index of axis {} of {}",
                    Show(other),
                    self.axis,
                    Show(x[0])
                );
                Err(ShapeError::new(text))
            }
        }
    }

    fn takes_strides(&self, k: usize) -> bool {
        k == 0
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let (own, along) = (x[0].strides(), self.strides(y.shape.len()));
        let vector = |k: usize| Strided { data: x[k].data, strides: &along };
        let (own, scale, shift) = (Strided { data: x[0].data, strides: &own }, vector(1), vector(2));
        if self.about {
            let f = kernels::row(|[x, s, b, c]: [T; 4]| (x - c) * s + b);
            kernels::map_strided(y.shape, [own, scale, shift, vector(3)], y.data, Accum::Replace, &f);
        } else {
            let f = kernels::row(|[x, s, b]: [T; 3]| x * s + b);
            kernels::map_strided(y.shape, [own, scale, shift], y.data, Accum::Replace, &f);
        }
    }

    /// Forward, y = (x − c) s + b with s, b and c the same for all elements of an index of the axis, over which the sums go.
    /// So:
    ///
    /// gx = gy s, gs = Σ gy (x − c), gb = Σ gy, gc = −Σ gy s
    fn vjp<T: Element>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let shape = gy.shape;
        let (own, along, of_gy) = (x[0].strides(), self.strides(shape.len()), row_major(shape));
        let vector = |k: usize| Strided { data: x[k].data, strides: &along };
        let (own, g) =
            (Strided { data: x[0].data, strides: &own }, Strided { data: gy.data, strides: &of_gy });
        gx.add(0, |gx, accum| {
            let f = kernels::row(|[g, s]: [T; 2]| g * s);
            kernels::map_strided(shape, [g, vector(1)], gx.data, accum, &f);
        });
        gx.add(1, |gs, accum| {
            if self.about {
                let f = kernels::row(|[g, x, c]: [T; 3]| g * (x - c));
                kernels::sum_strided(shape, [g, own, vector(3)], gs.data, &along, accum, &f);
            } else {
                let f = kernels::row(|[g, x]: [T; 2]| g * x);
                kernels::sum_strided(shape, [g, own], gs.data, &along, accum, &f);
            }
        });
        let copy: Row<T, 1> = &kernels::copy;
        gx.add(2, |gb, accum| kernels::sum_strided(shape, [g], gb.data, &along, accum, copy));
        if self.about {
            gx.add(3, |gc, accum| {
                let f = kernels::row(|[g, s]: [T; 2]| -(g * s));
                kernels::sum_strided(shape, [g, vector(1)], gc.data, &along, accum, &f);
            });
        }
    }

    fn flops(&self, _: &[&[usize]], y: &[usize]) -> u64 {
        2u64.saturating_mul(size::product(y) as u64)
    }

    fn samples() -> Vec<Sample> {
        let cases: [(&[usize], usize); 7] = [
            (&[3, 4], 1),
            (&[3, 4], 0),
            (&[2, 3, 2, 2], 1),
            (&[5], 0),
            (&[1, 1], 1),
            (&[0, 3], 1),
            (&[2, 70], 1),
        ];
        let mut samples = Vec::new();
        for &(shape, axis) in &cases {
            let vector = [shape[axis]];
            samples.push(Sample::new(Affine { axis, about: false }, [shape, &vector, &vector]));
            samples.push(Sample::new(Affine { axis, about: true }, [shape, &vector, &vector, &vector]));
        }
        samples
    }
}

/// # A scale and a shift for each feature
impl<T: Real> Var<'_, T> {
    /// x s + b, with one number of `scale` and `shift` for each index of an axis: what a normalization layer learns.
    ///
    /// # Panics
    /// If there is no such axis, or a vector has not its length.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let [x, y] = [[[1.0, 2.0], [3.0, 4.0]], [[10.0, 7.0], [30.0, 9.0]]].map(|x| r.constant(&Tensor::from(x)));
    /// let [scale, shift] = [[10.0, 1.0], [0.0, 5.0]].map(|x| r.constant(&Tensor::from(x)));
    /// assert_eq!(x.affine(1, scale, shift).value(), y.value());
    /// ```
    #[track_caller]
    pub fn affine(self, axis: usize, scale: Self, shift: Self) -> Self {
        self.apply(Affine { axis, about: false }, &[self, scale, shift])
    }

    /// (x − c) s + b, with one number of `center`, `scale` and `shift` for each index of an axis. With a mean for the center
    /// it does not lose what distinguishes numbers that are all large, as x s + (b − c s) would.
    ///
    /// # Panics
    /// If there is no such axis, or a vector has not its length.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1e16], [1e16 + 2.0]]));
    /// let [center, scale, shift] = [1e16, 3.0, 1.0].map(|x| r.constant(&Tensor::from([x])));
    /// assert_eq!(x.affine_about(1, center, scale, shift).value(), Tensor::from([[1.0], [7.0]]));
    /// ```
    #[track_caller]
    pub fn affine_about(self, axis: usize, center: Self, scale: Self, shift: Self) -> Self {
        self.apply(Affine { axis, about: true }, &[self, scale, shift, center])
    }
}
