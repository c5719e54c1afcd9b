//! y = 1 where a comparison holds, 0 where it does not; nothing flows back.

use crate::element::Element;
use crate::kernels::{self, Row};
use crate::matrix::Accum;
use crate::ops::{Real, Rule, Sample};
use crate::tape::{Cotangents, Indices, Var};
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// A mask: two tensors compared, element by element.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Compare {
    /// a > b
    Greater,
    /// a ≥ b
    GreaterOrEqual,
    /// a = b
    Equal,
    /// a ≠ b
    NotEqual,
}

impl Rule for Compare {
    fn name(&self) -> &'static str {
        match self {
            Compare::Greater => "gt",
            Compare::GreaterOrEqual => "ge",
            Compare::Equal => "eq",
            Compare::NotEqual => "ne",
        }
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        Shape::broadcast(x[0], x[1])
    }

    fn takes_strides(&self, _: usize) -> bool {
        true
    }

    fn differentiable(&self) -> bool {
        false
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let strides = [x[0].strides_to(y.shape), x[1].strides_to(y.shape)];
        let operands = [x[0].strided(&strides[0]), x[1].strided(&strides[1])];
        let test: Row<T, 2> = match self {
            Compare::Greater => &kernels::row(|[a, b]: [T; 2]| one_if(a > b)),
            Compare::GreaterOrEqual => &kernels::row(|[a, b]: [T; 2]| one_if(a >= b)),
            Compare::Equal => &kernels::row(|[a, b]: [T; 2]| one_if(a == b)),
            Compare::NotEqual => &kernels::row(|[a, b]: [T; 2]| one_if(a != b)),
        };
        kernels::map_strided(y.shape, operands, y.data, Accum::Replace, test);
    }

    fn vjp<T: Element>(&self, _: &[View<T>], _: View<T>, _: View<T>, _: &mut Cotangents<T>) {
        unreachable!("nothing flows back through a comparison");
    }

    fn samples() -> Vec<Sample> {
        let shapes: [[&[usize]; 2]; 4] = [[&[3, 4], &[3, 4]], [&[3, 1], &[4]], [&[], &[]], [&[0, 3], &[3]]];
        let mut samples = Vec::new();
        for op in &[Compare::Greater, Compare::GreaterOrEqual, Compare::Equal, Compare::NotEqual] {
            for &shapes in &shapes {
                samples.push(Sample::new(*op, shapes));
            }
        }
        samples
    }
}

#[inline(always)]
fn one_if<T: Element>(holds: bool) -> T {
    if holds { T::ONE } else { T::ZERO }
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident: |$a:ident, $b:ident| $op:ident($first:ident, $second:ident);)*) => {
        /// # Comparisons
        ///
        /// Masks of 1 and 0, constants to the reverse sweep. Shapes broadcast; nothing compares with NaN.
        ///
        /// # Panics
        /// If the shapes do not broadcast.
        impl<T: Real> Var<'_, T> {
            $(
                $(#[$doc])*
                #[track_caller]
                #[allow(clippy::should_implement_trait)]
                pub fn $name(self, other: Self) -> Self {
                    let ($a, $b) = (self, other);
                    self.apply(Compare::$op, &[$first, $second])
                }
            )*
        }
    };
}
comparisons! {
    /// 1 where `self` > `other`.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let h = r.constant(&Tensor::from([0.0, 2.0, -1.0]));
    /// assert_eq!(h.gt(r.scalar(0.0)).value(), Tensor::from([0.0, 1.0, 0.0]));
    /// assert_eq!(h.ne(r.scalar(0.0)).sum().item(), 2.0);
    /// ```
    gt: |a, b| Greater(a, b);
    /// 1 where `self` ≥ `other`.
    ge: |a, b| GreaterOrEqual(a, b);
    /// 1 where `self` < `other`.
    lt: |a, b| Greater(b, a);
    /// 1 where `self` ≤ `other`.
    le: |a, b| GreaterOrEqual(b, a);
    /// 1 where `self` = `other`.
    eq: |a, b| Equal(a, b);
    /// 1 where `self` ≠ `other`.
    ne: |a, b| NotEqual(a, b);
}

/// # Comparisons with a number
impl<'r, T: Real> Indices<'r, T> {
    /// 1 where an index is not this one, 0 where it is: a mask of what is no padding.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let words = r.indices([4], &[7, 3, 0, 0]);
    /// assert_eq!(words.is_not(0).value(), Tensor::from([1.0, 1.0, 0.0, 0.0]));
    /// ```
    #[track_caller]
    pub fn is_not(self, index: usize) -> Var<'r, T> {
        self.0.ne(self.0.recording().scalar(index as f64))
    }
}
