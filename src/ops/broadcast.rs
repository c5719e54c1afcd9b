//! y = x, repeated along axes of size 1 and new outer axes, without a copy.

use crate::element::Element;
use crate::kernels::{self, Strided};
use crate::ops::{Alias, Layout, Real, Rule, Sample};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::{Show, Strides, broadcast_strides, row_major};
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// A larger shape, by NumPy's rule; shares memory.
#[derive(Clone, PartialEq, Debug)]
pub struct BroadcastTo {
    /// The new shape.
    pub to: Shape,
}

impl Rule for BroadcastTo {
    fn name(&self) -> &'static str {
        "broadcast_to"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        match Shape::broadcast(x[0], &self.to) {
            Ok(shape) if shape == self.to => Ok(shape),
            _ => Err(ShapeError::new(format!("{} does not stretch to {}", Show(x[0]), self.to))),
        }
    }

    fn takes_strides(&self, _: usize) -> bool {
        true
    }

    fn alias(&self, x: Layout, y: &[usize]) -> Option<Alias> {
        let strides = x.strides.map_or_else(|| row_major(x.shape), Strides::from_slice);
        Some(Alias { offset: 0, strides: Some(broadcast_strides(x.shape, &strides, y)) })
    }

    fn forward<T: Element>(&self, _: &[View<T>], _: ViewMut<T>) {
        unreachable!("broadcast_to always shares its input's memory");
    }

    /// gx = Σ gy over the repeated axes
    fn vjp<T: Element>(&self, _: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        gx.add(0, |gx, accum| {
            let to = broadcast_strides(gx.shape, &row_major(gx.shape), gy.shape);
            let gy_strided = Strided { data: gy.data, strides: &row_major(gy.shape) };
            kernels::sum_strided(gy.shape, [gy_strided], gx.data, &to, accum, &kernels::copy);
        });
    }

    fn samples() -> Vec<Sample> {
        let cases: [(&[usize], &[usize]); 5] =
            [(&[3, 1], &[3, 4]), (&[4], &[2, 3, 4]), (&[], &[2, 2]), (&[1, 3], &[0, 3]), (&[2, 3], &[2, 3])];
        let mut samples = Vec::new();
        for &(from, to) in &cases {
            samples.push(Sample::new(BroadcastTo { to: to.into() }, [from]));
        }
        samples
    }
}

/// # Broadcasting
impl<T: Real> Var<'_, T> {
    /// The tensor stretched to a larger shape by NumPy's rule. No copy.
    ///
    /// # Panics
    /// If it does not stretch to that shape, or no memory could hold so many elements.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1.0], [2.0]]));
    /// assert_eq!(x.broadcast_to([2, 3]).value(), Tensor::from([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]));
    /// ```
    #[doc(alias = "expand")]
    #[track_caller]
    pub fn broadcast_to(self, shape: impl Into<Shape>) -> Self {
        self.apply(BroadcastTo { to: shape.into() }, &[self])
    }
}
