//! Elementwise functions of two arguments, broadcast against each other: y = f(a, b). The functions stand in
//! [`pointwise`].

use crate::element::Element;
use crate::kernels::{self, Row, Strided};
use crate::matrix::Accum;
use crate::ops::zip_sum::same_shape;
use crate::ops::{OnEntries, Op, Real, Rule, Sample, ZeroRule};
use crate::pointwise::{self, Binary, PullsA, PullsB, Values, binary_table};
use crate::tape::{Cotangents, Operand, Var};
use crate::tensor::shape::{broadcast_strides, row_major};
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// A function of the binary table, applied to every pair of elements.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Zip(pub Binary);

impl Zip {
    /// The cotangent of operand `k`: gy times the slope, summed over the axes along which it was broadcast.
    fn operand<T: Element>(
        k: usize,
        pulls: Row<T, 4>,
        x: &[View<T>],
        [y, gy]: [View<T>; 2],
        gx: &mut Cotangents<T>,
    ) {
        let [a, b] = x else { unreachable!("two operands") };
        gx.add(k, |gx, accum| match (a.as_slice(), b.as_slice()) {
            (Some(a_data), Some(b_data)) if a.shape.is(b.shape) => {
                pulls([a_data, b_data, y.data, gy.data], gx.data, accum);
            }
            _ => {
                let strides = row_major(y.shape);
                let a = Strided { data: a.data, strides: &a.strides_to(y.shape) };
                let b = Strided { data: b.data, strides: &b.strides_to(y.shape) };
                let x = [a, b, y.strided(&strides), gy.strided(&strides)];
                if gx.shape == y.shape {
                    kernels::map_strided(y.shape, x, gx.data, accum, pulls);
                } else {
                    let to = broadcast_strides(gx.shape, &row_major(gx.shape), y.shape);
                    kernels::sum_strided(y.shape, x, gx.data, &to, accum, pulls);
                }
            }
        });
    }
}

/// Whether a function compares a prediction with a target.
fn is_loss(f: Binary) -> bool {
    use Binary::{AbsoluteError, BceWithLogits, Huber, KlDiv, KlDivLog, SquaredError};
    matches!(f, SquaredError(_) | AbsoluteError(_) | Huber(_) | BceWithLogits(_) | KlDiv(_) | KlDivLog(_))
}

impl From<Binary> for Op {
    #[inline]
    fn from(f: Binary) -> Op {
        Op::Zip(Zip(f))
    }
}

impl Rule for Zip {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn arguments(&self) -> String {
        self.0.arguments()
    }

    /// A loss does not broadcast, as in [`ZipSum`](super::zip_sum::ZipSum): a prediction \[n\] against a target
    /// [n, 1] would quietly compare all pairs.
    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        if is_loss(self.0) {
            return same_shape(x).map(|()| x[0].into());
        }
        if x[0] == x[1] { Ok(x[0].into()) } else { Shape::broadcast(x[0], x[1]) }
    }

    fn takes_strides(&self, _: usize) -> bool {
        true
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let values = kernels::looped(Values(self.0));
        let [a, b] = x else { unreachable!("two operands") };
        match (a.as_slice(), b.as_slice()) {
            (Some(a_data), Some(b_data)) if a.shape.is(b.shape) => {
                values([a_data, b_data], y.data, Accum::Replace);
            }
            _ => {
                let a = Strided { data: a.data, strides: &a.strides_to(y.shape) };
                let b = Strided { data: b.data, strides: &b.strides_to(y.shape) };
                kernels::map_strided(y.shape, [a, b], y.data, Accum::Replace, &values);
            }
        }
    }

    /// A sum hands entries on; so does the sum with a row, such as a bias.
    fn zeros(&self, x: &[&[usize]]) -> ZeroRule {
        let row_or_whole = |a: &[usize], b: &[usize]| a == b || (a.len() == 1 && a.last() == b.last());
        let fits = row_or_whole(x[0], x[1]) || row_or_whole(x[1], x[0]);
        let hands_on = fits && matches!(self.0, Binary::Add(_));
        let entries = if hands_on { OnEntries::PassesOn } else { OnEntries::Ignores };
        ZeroRule { entries, ..ZeroRule::DENSE }
    }

    /// ga = gy ∂f/∂a, gb = gy ∂f/∂b, each summed over the axes along which it was broadcast. Of a + b both are gy, which may be
    /// given at entries alone.
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
        Zip::operand(0, &kernels::looped(PullsA(self.0)), x, [y, gy], gx);
        Zip::operand(1, &kernels::looped(PullsB(self.0)), x, [y, gy], gx);
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
        let mut samples = Vec::new();
        for &f in &Binary::all() {
            let [a, b] = f.ranges();
            for &[of_a, of_b] in &shapes {
                let of_b = if is_loss(f) { of_a } else { of_b };
                samples.push(Sample::within(Zip(f), [(of_a, a), (of_b, b)]));
            }
        }
        samples
    }
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident $Rule:ident($($arg:ident = $sample:expr),*) on $range_a:tt $range_b:tt,
        kink $kink:tt: |$a:ident, $b:ident, $y:tt| $f:expr => $da:expr, $db:expr
        $(, |$g:ident| $pull_a:expr, $pull_b:expr)?;)*) => {
        /// # Functions of two elements
        ///
        /// Elementwise functions of two arguments, a method for every line of the binary table. Shapes broadcast, but for
        /// those of the losses `squared_error`, `absolute_error`, `huber`, `bce_with_logits`, `kl_div` and `kl_div_log`: as
        /// in [`loss`](crate::loss), a prediction and its target have one shape. The second
        /// argument may be a number.
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
        /// If the shapes do not broadcast, or, of a loss, differ.
        impl<'r, T: Real> Var<'r, T> {
            $(
                $(#[$doc])*
                #[track_caller]
                #[inline]
                #[allow(clippy::should_implement_trait)]
                pub fn $name(self, $b: impl Operand<'r, T>, $($arg: f64),*) -> Self {
                    let $b = self.beside($b);
                    self.apply(Zip(Binary::$Rule(pointwise::$Rule { $($arg),* })), &[self, $b])
                }
            )*
        }
    };
}
binary_table!(methods);
