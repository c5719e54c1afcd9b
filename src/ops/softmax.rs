//! y = e^x / Σ e^x of each row, or its logarithm; nothing overflows.

use crate::element::Element;
use crate::kernels::softmax;
use crate::ops::{Real, Rule, Sample};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::size_of;
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// Softmax along the last axis, or its logarithm.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Softmax {
    /// The logarithm of it.
    pub log: bool,
}

impl Rule for Softmax {
    fn name(&self) -> &'static str {
        if self.log { "log_softmax" } else { "softmax" }
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        size_of(x[0], x[0].len().saturating_sub(1)).map(|_| x[0].into())
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let cols = y.shape[y.shape.len() - 1];
        if self.log {
            softmax::log_softmax(x[0].data, cols, y.data);
        } else {
            softmax::softmax(x[0].data, cols, y.data);
        }
    }

    /// Forward, y = e^x / Σ e^x, so that dy = y (dx − Σ y dx). Of the logarithm, y = x − ln Σ e^x and dy = dx − Σ e^y dx. So:
    ///
    /// gx = y (gy − Σ y gy), of the logarithm gx = gy − e^y Σ gy
    fn vjp<T: Element>(&self, _: &[View<T>], y: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let cols = y.shape[y.shape.len() - 1];
        gx.add(0, |gx, accum| {
            if self.log {
                softmax::log_softmax_vjp(y.data, gy.data, cols, gx.data, accum);
            } else {
                softmax::softmax_vjp(y.data, gy.data, cols, gx.data, accum);
            }
        });
    }

    fn samples() -> Vec<Sample> {
        let shapes: [&[usize]; 7] = [&[5], &[3, 4], &[2, 3, 2], &[3, 1], &[0, 4], &[2, 0], &[2, 70]];
        let mut samples = Vec::new();
        for &shape in &shapes {
            for &log in &[false, true] {
                samples.push(Sample::new(Softmax { log }, [shape]));
            }
        }
        samples
    }
}

/// # Softmax
impl<T: Real> Var<'_, T> {
    /// e^x / Σ e^x along an axis, without overflow. The last axis is the fast one.
    ///
    /// # Panics
    /// If there is no such axis.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[0.0, 0.0], [1000.0, 0.0]]));
    /// assert_eq!(x.softmax(1).value(), Tensor::from([[0.5, 0.5], [1.0, 0.0]]));
    /// ```
    #[track_caller]
    pub fn softmax(self, axis: usize) -> Self {
        let last = self.last("softmax", axis);
        let x = self.swap(axis, last);
        x.apply(Softmax { log: false }, &[x]).swap(axis, last)
    }

    /// x − ln Σ e^x along an axis: the logarithm of softmax, accurate where that is near 0. The last axis is the fast
    /// one.
    ///
    /// # Panics
    /// If there is no such axis.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1000.0, 0.0]]));
    /// assert_eq!(x.log_softmax(1).value(), Tensor::from([[0.0, -1000.0]]));
    /// ```
    #[track_caller]
    pub fn log_softmax(self, axis: usize) -> Self {
        let last = self.last("log_softmax", axis);
        let x = self.swap(axis, last);
        x.apply(Softmax { log: true }, &[x]).swap(axis, last)
    }
}
