//! y = r Σ f(x): an elementwise function summed to a scalar in one pass, with no array of f(x) in between.
//!
//! Activity penalties are of this kind: Σ|h| and Σh² read the layer once, forward and backward.

use crate::element::Element;
use crate::kernels::{self, Row};
use crate::ops::{OnEntries, Output, Real, Reduction, Rule, Sample, ZeroRule};
use crate::pointwise::{Pulls, Unary, UnaryRule, Values};
use crate::tape::{Cotangents, Var};
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// The sum, or another reduction, of a function of the unary table over all elements, or over those of each sample.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MapSum {
    /// The function.
    pub f: Unary,
    /// What the sum is divided by.
    pub reduction: Reduction,
}

impl MapSum {
    /// gx = g f'(x), with the g of the sample that x belongs to.
    fn vjp_each<T: Element>(&self, x: &[T], gy: &[T], gx: &mut Cotangents<T>) {
        let width = x.len() / gy.len().max(1);
        let (values, pulls) = (kernels::looped(Values(self.f)), kernels::looped(Pulls(self.f)));
        let values: Option<Row<T, 1>> = if self.f.uses_value() { Some(&values) } else { None };
        gx.add(0, |gx, accum| {
            for (i, &g) in gy.iter().enumerate() {
                let place = i * width..(i + 1) * width;
                kernels::map_with([&x[place.clone()]], values, g, &mut gx.data[place], accum, &pulls);
            }
        });
    }
}

impl Rule for MapSum {
    fn name(&self) -> &'static str {
        "map_sum"
    }

    fn arguments(&self) -> String {
        [self.f.name(), &self.f.arguments(), self.reduction.name()].join(" ").replace("  ", " ")
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        self.reduction.shape(x[0])
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let divisor = T::from_f64(self.reduction.divisor(x[0].shape));
        let sum = |x: &[T]| match self.f {
            Unary::Abs(_) => kernels::sum_each(x, |[x]: [T; 1]| x.abs()),
            Unary::Square(_) => kernels::sum_each(x, |[x]: [T; 1]| x * x),
            f => kernels::sum_map([x], &kernels::looped(Values(f))),
        };
        if self.reduction != Reduction::Each {
            // Where zeros add nothing, x may be its entries alone.
            y.data[0] = sum(x[0].data) / divisor;
            return;
        }
        let width = x[0].data.len() / y.data.len().max(1);
        for (i, y) in y.data.iter_mut().enumerate() {
            *y = sum(&x[0].data[i * width..(i + 1) * width]);
        }
    }

    /// gx = g f'(x), with g = gy divided as the sum was; of |x|, whose slope is sign(x), only the number g is noted
    fn vjp<T: Element>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        if self.reduction == Reduction::Each {
            return self.vjp_each(x[0].data, gy.data, gx);
        }
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
        if self.reduction == Reduction::Each {
            return ZeroRule::DENSE;
        }
        let output = if self.f.f(0.0) == 0.0 { Output::KeepsZeros } else { Output::Any };
        ZeroRule { output, entries: OnEntries::SumOfEach, ..ZeroRule::DENSE }
    }

    fn pieces(&self, x: &[View<f64>]) -> Vec<i64> {
        super::map::Map(self.f).pieces(x)
    }

    fn samples() -> Vec<Sample> {
        let shapes: [&[usize]; 5] = [&[], &[5, 4], &[1, 3, 1], &[0, 3], &[3, 50]];
        let mut samples = Vec::new();
        for &f in &Unary::all() {
            for &shape in &shapes {
                samples.push(Sample::within(MapSum { f, reduction: Reduction::Sum }, [(shape, f.range())]));
            }
            for &reduction in &[Reduction::Mean, Reduction::PerSample, Reduction::Each] {
                samples.push(Sample::within(MapSum { f, reduction }, [(&[5, 4], f.range())]));
            }
        }
        let op = MapSum { f: Unary::all()[0], reduction: Reduction::Each };
        let shapes: [&[usize]; 3] = [&[], &[0, 3], &[3, 0]];
        for &shape in &shapes {
            samples.push(Sample::new(op, [shape]));
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
