//! y = r Σ f(x): an elementwise function summed to a scalar in one pass, with no array of f(x) in between.
//!
//! Activity penalties are of this kind: Σ|h| and Σh² read the layer once, forward and backward.

use crate::element::Element;
use crate::kernels::{self, Row};
use crate::ops::{OnEntries, Output, Real, Reduction, Rule, Sample, ZeroRule};
use crate::pointwise::{Pulls, Unary, UnaryRule, Values};
use crate::tape::{Cotangents, Var};
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// The sum, or another reduction, of a function of the unary table over all elements.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MapSum {
    /// The function.
    pub f: Unary,
    /// What the sum is divided by.
    pub reduction: Reduction,
}

impl Rule for MapSum {
    fn name(&self) -> &'static str {
        "map_sum"
    }

    fn arguments(&self) -> String {
        [self.f.name(), &self.f.arguments(), self.reduction.name()].join(" ").replace("  ", " ")
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        self.reduction.check(x[0]).map(|()| Shape::scalar())
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let sum = match self.f {
            Unary::Abs(_) => kernels::sum_each(x[0].data, |[x]: [T; 1]| x.abs()),
            Unary::Square(_) => kernels::sum_each(x[0].data, |[x]: [T; 1]| x * x),
            f => kernels::sum_map([x[0].data], &kernels::looped(Values(f))),
        };
        y.data[0] = sum / T::from_f64(self.reduction.divisor(x[0].shape));
    }

    fn vjp<T: Element>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let g = gy.data[0] / T::from_f64(self.reduction.divisor(x[0].shape));
        let x = [x[0].data];
        match self.f {
            Unary::Abs(_) => gx.add_signs(0, g, x[0]),
            Unary::Square(_) => {
                gx.add(0, |gx, accum| kernels::map(x, gx.data, accum, |[x]: [T; 1]| g * (x + x)))
            }
            f => gx.add(0, |gx, accum| {
                let values: Option<Row<T, 1>> =
                    if f.uses_value() { Some(&kernels::looped(Values(f))) } else { None };
                kernels::map_with(x, values, g, gx.data, accum, &kernels::looped(Pulls(f)));
            }),
        }
    }

    fn zeros(&self, _: &[&[usize]]) -> ZeroRule {
        let output = if self.f.f(0.0) == 0.0 { Output::KeepsZeros } else { Output::Any };
        ZeroRule { output, entries: OnEntries::SumOfEach, ..ZeroRule::DENSE }
    }

    fn pieces(&self, x: &[View<f64>]) -> Vec<i64> {
        super::map::Map(self.f).pieces(x)
    }

    fn samples() -> Vec<Sample> {
        let shapes: [&[usize]; 5] = [&[], &[5, 4], &[1, 3, 1], &[0, 3], &[3, 50]];
        let mut samples = Vec::new();
        for f in Unary::all() {
            for shape in shapes {
                samples.push(Sample::within(MapSum { f, reduction: Reduction::Sum }, [(shape, f.range())]));
            }
            for reduction in [Reduction::Mean, Reduction::PerSample] {
                samples.push(Sample::within(MapSum { f, reduction }, [(&[5, 4], f.range())]));
            }
        }
        samples
    }
}

/// # Sums of a function of each element
impl<T: Real> Var<'_, T> {
    /// Σ f(x), or another reduction, for a function of the unary table, without an array of f(x).
    ///
    /// # Panics
    /// If there is nothing to take the mean over.
    ///
    /// ```
    /// use quietgrad::{Params, Reduction, Tape, Tensor, pointwise::{Abs, Unary}};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let h = r.constant(&Tensor::from([[1.0, -2.0], [0.0, 3.0]]));
    /// assert_eq!(h.map_sum(Unary::Abs(Abs {}), Reduction::PerSample).item(), 3.0);
    /// ```
    #[track_caller]
    pub fn map_sum(self, f: Unary, reduction: Reduction) -> Self {
        self.apply(MapSum { f, reduction }, &[self])
    }
}
