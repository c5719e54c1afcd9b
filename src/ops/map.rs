//! Elementwise functions of one argument: y = f(x), gx = gy f'(x). The functions stand in
//! [`pointwise`].

use crate::element::Element;
use crate::kernels::{self, Strided, WherePositive};
use crate::matrix::Accum;
use crate::ops::{OnEntries, Output, Real, Rule, Sample, ZeroRule};
use crate::pointwise::{self, Demand, Pulls, Unary, UnaryRule, Values, unary_table};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::row_major;
use crate::tensor::{Cotangent, Shape, ShapeError, View, ViewMut};

/// A function of the unary table, applied to every element.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Map(pub Unary);

impl Rule for Map {
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
        let values = kernels::looped(Values(self.0));
        match x[0].as_slice() {
            Some(x) => values([x], y.data, Accum::Replace),
            None => {
                let x = Strided { data: x[0].data, strides: &x[0].strides() };
                kernels::map_strided(y.shape, [x], y.data, Accum::Replace, &values);
            }
        }
    }

    /// gx = gy f'(x)
    fn vjp<T: Element>(&self, x: &[View<T>], y: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let pulls = kernels::looped(Pulls(self.0));
        gx.add(0, |gx, accum| match x[0].as_slice() {
            Some(x) => pulls([x, y.data, gy.data], gx.data, accum),
            None => {
                let strides = row_major(gx.shape);
                let x = Strided { data: x[0].data, strides: &x[0].strides() };
                let (y, gy) = (y.strided(&strides), gy.strided(&strides));
                kernels::map_strided(gx.shape, [x, y, gy], gx.data, accum, &pulls);
            }
        });
    }

    /// Where gy is to be added a number times y's sign, relu adds that number in passing: it selects where y > 0, and y's sign
    /// is 1 there.
    fn vjp_in_place<T: Real>(
        &self,
        _: &[View<T>],
        y: View<T>,
        gy: &mut Cotangent<T>,
        gx: &mut Cotangents<T>,
    ) -> bool {
        if !matches!(self.0, Unary::Relu(_)) || gy.signs.adds_nothing() {
            return false;
        }
        let plus = *gy.signs;
        gx.add(0, |gx, accum| kernels::map([y.data, gy.data], gx.data, accum, WherePositive { plus }));
        true
    }

    fn zeros(&self, _: &[&[usize]]) -> ZeroRule {
        let output = match self.0.demand() {
            Demand::Support => Output::Sparse,
            Demand::Everywhere if self.0.f(0.0) == 0.0 => Output::KeepsZeros,
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
        let mut samples = Vec::new();
        for &f in &Unary::all() {
            for &shape in &shapes {
                samples.push(Sample::within(Map(f), [(shape, f.range())]));
            }
        }
        samples
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
                    self.apply(Map(Unary::$Rule(pointwise::$Rule { $($arg),* })), &[self])
                }
            )*
        }
    };
}
unary_table!(methods);
