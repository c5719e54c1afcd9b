//! Elementwise functions of two arguments, broadcast against each other: y = f(a, b). The functions stand in
//! [`pointwise`].

use crate::element::Element;
use crate::kernels::{self, Each, Strided};
use crate::matrix::Accum;
use crate::ops::{OnEntries, Real, Rule, Sample, ZeroRule};
use crate::pointwise::{self, Binary, BinaryRule, BinaryVisitor, SlopeA, SlopeB, Value, binary_table};
use crate::tape::{Cotangents, Operand, Var};
use crate::tensor::shape::{broadcast_strides, row_major};
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// A function of the binary table, applied to every pair of elements.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Pairwise(pub Binary);

struct Forward<'a, T> {
    a: View<'a, T>,
    b: View<'a, T>,
    y: ViewMut<'a, T>,
}

impl<T: Element> BinaryVisitor for Forward<'_, T> {
    type Output = ();
    #[inline]
    fn visit<R: BinaryRule>(self, rule: R) {
        let Forward { a, b, y } = self;
        match (a.as_slice(), b.as_slice()) {
            (Some(a_data), Some(b_data)) if a.shape.is(b.shape) => {
                kernels::map([a_data, b_data], y.data, Accum::Replace, Value(rule));
            }
            _ => {
                let a = Strided { data: a.data, strides: &a.strides_to(y.shape) };
                let b = Strided { data: b.data, strides: &b.strides_to(y.shape) };
                kernels::map_strided(y.shape, [a, b], y.data, Accum::Replace, &kernels::row(Value(rule)));
            }
        }
    }
}

struct Vjp<'a, 'g, T> {
    x: &'a [View<'a, T>],
    y: &'a View<'a, T>,
    gy: &'a View<'a, T>,
    gx: &'a mut Cotangents<'g, T>,
}

impl<T: Element> Vjp<'_, '_, T> {
    /// The cotangent of one operand: gy times the slope, summed over the axes along which it was broadcast.
    #[inline]
    fn operand(&mut self, k: usize, slope: impl Each<T, 4>) {
        let ([a, b], y, gy) = (self.x, self.y, self.gy) else { unreachable!("two operands") };
        self.gx.add(k, |gx, accum| match (a.as_slice(), b.as_slice()) {
            (Some(a_data), Some(b_data)) if a.shape.is(b.shape) => {
                kernels::map([a_data, b_data, y.data, gy.data], gx.data, accum, slope);
            }
            _ => {
                let strides = row_major(y.shape);
                let [y_data, gy] = [y.data, gy.data].map(|data| Strided { data, strides: &strides });
                let a = Strided { data: a.data, strides: &a.strides_to(y.shape) };
                let b = Strided { data: b.data, strides: &b.strides_to(y.shape) };
                let x = [a, b, y_data, gy];
                if gx.shape == y.shape {
                    kernels::map_strided(y.shape, x, gx.data, accum, &kernels::row(slope));
                } else {
                    let to = broadcast_strides(gx.shape, &row_major(gx.shape), y.shape);
                    kernels::sum_strided(y.shape, x, gx.data, &to, accum, &kernels::row(slope));
                }
            }
        });
    }
}

impl<T: Element> BinaryVisitor for Vjp<'_, '_, T> {
    type Output = ();
    #[inline]
    fn visit<R: BinaryRule>(mut self, rule: R) {
        self.operand(0, SlopeA(rule));
        self.operand(1, SlopeB(rule));
    }
}

impl Rule for Pairwise {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn arguments(&self) -> String {
        self.0.arguments()
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        if x[0] == x[1] { Ok(x[0].into()) } else { Shape::broadcast(x[0], x[1]) }
    }

    fn takes_strides(&self, _: usize) -> bool {
        true
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        self.0.accept(Forward { a: x[0], b: x[1], y });
    }

    /// A sum hands entries on; so does the sum with a row, such as a bias.
    fn zeros(&self, x: &[&[usize]]) -> ZeroRule {
        let row_or_whole = |a: &[usize], b: &[usize]| a == b || (a.len() == 1 && a.last() == b.last());
        let fits = row_or_whole(x[0], x[1]) || row_or_whole(x[1], x[0]);
        let hands_on = fits && matches!(self.0, Binary::Add(_));
        let entries = if hands_on { OnEntries::PassesOn } else { OnEntries::Ignores };
        ZeroRule { entries, ..ZeroRule::DENSE }
    }

    fn vjp<T: Element>(&self, x: &[View<T>], y: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        if let Some(&entries) = gy.sparse {
            for (k, x) in x.iter().enumerate() {
                gx.add(k, |g, accum| {
                    if x.shape == gy.shape {
                        kernels::copy([entries.values], g.data, accum);
                    } else {
                        kernels::support::sum_columns(entries, g.data, accum);
                    }
                });
            }
            return;
        }
        // The slopes of a sum are 1: nothing needs to be read but gy.
        if matches!(self.0, Binary::Add(_)) && x[0].shape.is(x[1].shape) {
            for k in [0, 1] {
                gx.add(k, |g, accum| kernels::copy([gy.data], g.data, accum));
            }
            return;
        }
        self.0.accept(Vjp { x, y: &y, gy: &gy, gx });
    }

    fn pieces(&self, x: &[View<f64>]) -> Vec<i64> {
        let shape = self.shape(&[x[0].shape, x[1].shape]).expect("shapes were checked when recorded");
        let [a, b] = [x[0], x[1]].map(|x| x.to_vec_as("pieces", &shape));
        let pairs = a.into_iter().zip(b);
        pairs.map(|(a, b)| self.0.kink(a, b)).map(|k| i64::from(k > 0.0) - i64::from(k < 0.0)).collect()
    }

    fn samples() -> Vec<Sample> {
        let shapes: [[&[usize]; 2]; 9] = [
            [&[], &[]],
            [&[7], &[7]],
            [&[3, 4], &[4]],
            [&[4], &[3, 4]],
            [&[], &[2, 3]],
            [&[3, 1], &[1, 4]],
            [&[2, 1, 3], &[4, 1]],
            [&[0, 3], &[3]],
            [&[2, 300], &[2, 1]],
        ];
        let sample = |f: Binary| {
            let [a, b] = f.ranges();
            shapes.map(|shape| Sample::within(Pairwise(f), [(shape[0], a), (shape[1], b)]))
        };
        Binary::all().into_iter().flat_map(sample).collect()
    }
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident $Rule:ident($($arg:ident = $sample:expr),*) on $range_a:tt $range_b:tt,
        kink $kink:tt: |$a:ident, $b:ident, $y:tt| $f:expr => $da:expr, $db:expr
        $(, |$g:ident| $pull_a:expr, $pull_b:expr)?;)*) => {
        /// # Functions of two elements
        ///
        /// Elementwise functions of two arguments, a method for every line of the binary table. Shapes broadcast, and
        /// the second argument may be a number.
        ///
        /// ```
        /// use quietgrad::{Params, Tape, Tensor};
        ///
        /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
        /// let r = tape.record(&params);
        /// let a = r.input(&Tensor::from([1.0, 2.0, 3.0]));
        /// let b = r.constant(&Tensor::from([3.0, 2.0, 1.0]));
        /// assert_eq!(a.pow(b).value(), Tensor::from([1.0, 4.0, 3.0]));
        /// assert_eq!(a.minimum(b).value(), Tensor::from([1.0, 2.0, 1.0]));
        /// assert_eq!(a.minimum(2.5).value(), Tensor::from([1.0, 2.0, 2.5]));
        /// assert_eq!((a.unsqueeze(1) - b).shape()[..], [3, 3]);
        /// a.maximum(b).sum().backward(&mut params.zeros());
        /// assert_eq!(a.gradient().unwrap(), Tensor::from([0.0, 0.5, 1.0])); // a tie shares it
        /// ```
        ///
        /// # Panics
        /// If the shapes do not broadcast.
        impl<'r, T: Real> Var<'r, T> {
            $(
                $(#[$doc])*
                #[track_caller]
                #[inline]
                #[allow(clippy::should_implement_trait)]
                pub fn $name(self, $b: impl Operand<'r, T>, $($arg: f64),*) -> Self {
                    let $b = self.beside($b);
                    self.apply(Pairwise(Binary::$Rule(pointwise::$Rule { $($arg),* })), &[self, $b])
                }
            )*
        }
    };
}
binary_table!(methods);
