//! y = x, copied out of a segment whose values are not kept.

use crate::element::Element;
use crate::kernels::{self, Strided, map_strided};
use crate::ops::{Output, Rule, Sample, ZeroRule};
use crate::tape::Cotangents;
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// A copy: what [`Recording::checkpoint`](crate::Recording::checkpoint) makes of what a segment returns.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Checkpoint;

impl Rule for Checkpoint {
    fn name(&self) -> &'static str {
        "checkpoint"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        Ok(x[0].into())
    }

    fn takes_strides(&self, _: usize) -> bool {
        true
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let x = Strided { data: x[0].data, strides: &x[0].strides() };
        map_strided(y.shape, [x], y.data, crate::matrix::Accum::Replace, &kernels::copy);
    }

    /// gx = gy
    fn vjp<T: Element>(&self, _: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        gx.add(0, |gx, accum| kernels::copy([gy.data], gx.data, accum));
    }

    /// Its zeros are looked for in the copy: x is gone when that is read.
    fn zeros(&self, _: &[&[usize]]) -> ZeroRule {
        ZeroRule { output: Output::Sparse, ..ZeroRule::DENSE }
    }

    fn samples() -> Vec<Sample> {
        let shapes: [&[usize]; 4] = [&[], &[3, 4], &[0, 2], &[1, 1]];
        let mut samples = Vec::new();
        for &shape in &shapes {
            samples.push(Sample::new(Checkpoint, [shape]));
        }
        samples
    }
}
