//! Elementwise functions of one argument: y = f(x), gx = gy f'(x). The functions stand in
//! [`pointwise`].

use crate::element::Element;
use crate::kernels::{self, Strided, WherePositive};
use crate::matrix::Accum;
use crate::ops::{OnEntries, Output, Real, Rule, Sample, ZeroRule};
use crate::pointwise::Demand;
use crate::pointwise::{self, Slope, Unary, UnaryRule, UnaryVisitor, Value, unary_table};
use crate::tape::{Cotangents, Var};
use crate::tensor::{Cotangent, Shape, ShapeError, View, ViewMut};

/// A function of the unary table, applied to every element.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Elementwise(pub Unary);

struct Forward<'a, T> {
    x: View<'a, T>,
    y: ViewMut<'a, T>,
}

impl<T: Element> UnaryVisitor for Forward<'_, T> {
    type Output = ();
    #[inline]
    fn visit<R: UnaryRule>(self, rule: R) {
        match self.x.as_slice() {
            Some(x) => kernels::map([x], self.y.data, Accum::Replace, Value(rule)),
            None => {
                let x = Strided { data: self.x.data, strides: &self.x.strides() };
                kernels::map_strided(
                    self.y.shape,
                    [x],
                    self.y.data,
                    Accum::Replace,
                    &kernels::row(Value(rule)),
                );
            }
        }
    }
}

struct Vjp<'a, T> {
    x: View<'a, T>,
    y: &'a [T],
    gy: &'a [T],
    gx: &'a mut [T],
    accum: Accum,
}

impl<T: Element> UnaryVisitor for Vjp<'_, T> {
    type Output = ();
    #[inline]
    fn visit<R: UnaryRule>(self, rule: R) {
        match self.x.as_slice() {
            Some(x) => kernels::map([x, self.y, self.gy], self.gx, self.accum, Slope(rule)),
            None => {
                let strides = crate::tensor::shape::row_major(self.x.shape);
                let x = Strided { data: self.x.data, strides: &self.x.strides() };
                let [y, gy] = [self.y, self.gy].map(|data| Strided { data, strides: &strides });
                kernels::map_strided(
                    self.x.shape,
                    [x, y, gy],
                    self.gx,
                    self.accum,
                    &kernels::row(Slope(rule)),
                );
            }
        }
    }
}

impl Rule for Elementwise {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn arguments(&self) -> String {
        self.0.arguments()
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        Ok(x[0].into())
    }

    fn takes_strides(&self, _: usize) -> bool {
        true
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        self.0.accept(Forward { x: x[0], y });
    }

    fn vjp<T: Element>(&self, x: &[View<T>], y: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        gx.add(0, |gx, accum| {
            self.0.accept(Vjp { x: x[0], y: y.data, gy: gy.data, gx: gx.data, accum });
        });
    }

    /// Relu selects where y > 0, and y's sign is 1 there: what waits is added in passing.
    fn vjp_in_place<T: Real>(&self, x: &[View<T>], y: View<T>, gy: Cotangent<T>, gx: &mut Cotangents<T>) {
        if !matches!(self.0, Unary::Relu(_)) || gy.signs.adds_nothing() {
            return gy.read(y, |gy| self.vjp(x, y, gy, gx));
        }
        let plus = *gy.signs;
        gx.add(0, |gx, accum| kernels::map([y.data, gy.data], gx.data, accum, WherePositive { plus }));
    }

    fn zeros(&self, _: &[&[usize]]) -> ZeroRule {
        let output = match self.0.demand() {
            Demand::Support => Output::Sparse,
            Demand::Everywhere if self.0.at_zero() == 0.0 => Output::KeepsZeros,
            Demand::Everywhere => Output::Any,
        };
        ZeroRule { output, reads: self.0.demand(), entries: OnEntries::EachAlone }
    }

    /// How many kinks lie to the left, twice, plus one on a kink.
    fn pieces(&self, x: &[View<f64>]) -> Vec<i64> {
        let kinks = self.0.kinks();
        if kinks.is_empty() {
            return Vec::new();
        }
        let piece = |x: f64| kinks.iter().map(|&k| i64::from(k < x) + i64::from(k <= x)).sum();
        x[0].to_vec().into_iter().map(piece).collect()
    }

    fn samples() -> Vec<Sample> {
        let shapes: [&[usize]; 6] = [&[], &[7], &[1, 3, 1], &[0, 3], &[5, 4], &[3, 50]];
        let sample = |f: Unary| shapes.map(|shape| Sample::within(Elementwise(f), [(shape, f.range())]));
        Unary::all().into_iter().flat_map(sample).collect()
    }
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident $Rule:ident($($arg:ident = $sample:expr),*) on $range:tt,
        kinks $kinks:tt, $demand:ident: |$x:ident, $y:tt| $f:expr => $df:expr $(, |$g:ident| $pull:expr)?;)*) => {
        /// # Functions of each element
        ///
        /// Elementwise functions of one argument, a method for every line of the unary table.
        ///
        /// ```
        /// use quietgrad::{Params, Tape, Tensor};
        ///
        /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
        /// let r = tape.record(&params);
        /// let x = r.input(&Tensor::from([-2.0, -0.5, 0.0, 0.5, 2.0]));
        /// assert_eq!(x.soft_threshold(0.5).value(), Tensor::from([-1.5, 0.0, 0.0, 0.0, 1.5]));
        /// assert_eq!(x.clamp(-1.0, 0.5).value(), Tensor::from([-1.0, -0.5, 0.0, 0.5, 0.5]));
        /// assert_eq!(x.leaky_relu(0.1).value(), Tensor::from([-0.2, -0.05, 0.0, 0.5, 2.0]));
        /// x.abs().sum().backward(&mut params.zeros());
        /// assert_eq!(x.gradient().unwrap(), Tensor::from([-1.0, -1.0, 0.0, 1.0, 1.0]));
        /// ```
        impl<T: Real> Var<'_, T> {
            $(
                $(#[$doc])*
                #[track_caller]
                #[inline]
                #[allow(clippy::should_implement_trait)]
                pub fn $name(self, $($arg: f64),*) -> Self {
                    self.apply(Elementwise(Unary::$Rule(pointwise::$Rule { $($arg),* })), &[self])
                }
            )*
        }
    };
}
unary_table!(methods);
