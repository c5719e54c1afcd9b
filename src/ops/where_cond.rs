//! y = a where the mask is not 0, else b; all three broadcast.

use crate::element::Element;
use crate::kernels::{self, Row, Strided};
use crate::matrix::Accum;
use crate::ops::{Real, Rule, Sample, SampleInput};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::{broadcast_strides, row_major};
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// A choice between two tensors, element by element.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct WhereCond;

impl Rule for WhereCond {
    fn name(&self) -> &'static str {
        "where_cond"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        Shape::broadcast(&Shape::broadcast(x[0], x[1])?, x[2])
    }

    fn takes_strides(&self, _: usize) -> bool {
        true
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let strides = [x[0].strides_to(y.shape), x[1].strides_to(y.shape), x[2].strides_to(y.shape)];
        let operands = [x[0].strided(&strides[0]), x[1].strided(&strides[1]), x[2].strided(&strides[2])];
        let choose = kernels::row(|[mask, a, b]: [T; 3]| if mask == T::ZERO { b } else { a });
        kernels::map_strided(y.shape, operands, y.data, Accum::Replace, &choose);
    }

    /// ga = gy where the mask is not 0, gb = gy where it is; summed over broadcast axes. The other elements of gy are
    /// left out, not multiplied by 0: a NaN on the side not taken stays there.
    fn vjp<T: Element>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let (mask_strides, gy_strides) = (x[0].strides_to(gy.shape), row_major(gy.shape));
        let mask = Strided { data: x[0].data, strides: &mask_strides };
        let gy_strided = Strided { data: gy.data, strides: &gy_strides };
        let mut side = |k: usize, f: Row<T, 2>| {
            gx.add(k, |gx, accum| {
                let to = broadcast_strides(gx.shape, &row_major(gx.shape), gy.shape);
                kernels::sum_strided(gy.shape, [mask, gy_strided], gx.data, &to, accum, f);
            });
        };
        side(1, &kernels::row(|[mask, g]: [T; 2]| if mask == T::ZERO { T::ZERO } else { g }));
        side(2, &kernels::row(|[mask, g]: [T; 2]| if mask == T::ZERO { g } else { T::ZERO }));
    }

    fn samples() -> Vec<Sample> {
        let shapes: [[&[usize]; 3]; 6] = [
            [&[3, 4], &[3, 4], &[3, 4]],
            [&[3, 1], &[4], &[]],
            [&[4], &[2, 3, 1], &[3, 4]],
            [&[], &[], &[]],
            [&[0, 3], &[3], &[1]],
            [&[2, 150], &[2, 150], &[2, 1]],
        ];
        let real = |shape: &[usize]| SampleInput::Real(shape.into(), (-2.0, 2.0));
        let mut samples = Vec::new();
        for &[mask, a, b] in &shapes {
            let inputs = vec![SampleInput::Index(mask.into(), 2), real(a), real(b)];
            samples.push(Sample { op: WhereCond.into(), inputs });
        }
        samples
    }
}

/// # A choice, element by element
impl<T: Real> Var<'_, T> {
    /// `a` where this mask is not 0, `b` elsewhere; all three broadcast. Nothing flows back to the mask.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([-1.0, 4.0]));
    /// let y = x.gt(r.scalar(0.0)).where_cond(x.sqrt(), r.scalar(0.0));
    /// assert_eq!(y.value(), Tensor::from([0.0, 2.0]));
    /// ```
    #[track_caller]
    pub fn where_cond(self, a: Self, b: Self) -> Self {
        self.apply(WhereCond, &[self, a, b])
    }
}
