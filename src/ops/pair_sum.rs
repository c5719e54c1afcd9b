//! y = r Σ f(a, b): an elementwise function of two tensors of one shape, summed to a scalar in one pass. Most losses
//! are of this kind.

use crate::element::Element;
use crate::kernels;
use crate::ops::{Real, Reduction, Rule, Sample};
use crate::pointwise::{Binary, BinaryRule, BinaryVisitor, PullA, PullB, Value};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::Show;
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// The sum, or another reduction, of a function of the binary table over all pairs of elements.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PairSum {
    /// The function.
    pub f: Binary,
    /// What the sum is divided by.
    pub reduction: Reduction,
}

struct Forward<'a, T> {
    a: &'a [T],
    b: &'a [T],
}

impl<T: Element> BinaryVisitor for Forward<'_, T> {
    type Output = T;
    #[inline]
    fn visit<R: BinaryRule>(self, rule: R) -> T {
        kernels::sum_map([self.a, self.b], &kernels::row(Value(rule)))
    }
}

struct Vjp<'a, 'g, T> {
    a: &'a [T],
    b: &'a [T],
    g: T,
    gx: &'a mut Cotangents<'g, T>,
}

impl<T: Element> BinaryVisitor for Vjp<'_, '_, T> {
    type Output = ();
    #[inline]
    fn visit<R: BinaryRule>(self, rule: R) {
        let Vjp { a, b, g, gx } = self;
        gx.add(0, |gx, accum| kernels::map([a, b], gx.data, accum, PullA(rule, g)));
        gx.add(1, |gx, accum| kernels::map([a, b], gx.data, accum, PullB(rule, g)));
    }
}

impl Rule for PairSum {
    fn name(&self) -> &'static str {
        self.f.name()
    }

    fn arguments(&self) -> String {
        format!("{} {}", self.f.arguments(), self.reduction.name()).trim_start().into()
    }

    /// No broadcasting: a prediction \[n\] against a target [n, 1] would quietly compare all pairs.
    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        if x[0] == x[1] {
            return Ok(Shape::scalar());
        }
        Err(ShapeError::new(format!("{} and {} must be the same shape", Show(x[0]), Show(x[1]))))
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let sum = self.f.accept(Forward { a: x[0].data, b: x[1].data });
        y.data[0] = sum * T::from_f64(self.reduction.factor(x[0].shape));
    }

    fn vjp<T: Element>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let g = gy.data[0] * T::from_f64(self.reduction.factor(x[0].shape));
        self.f.accept(Vjp { a: x[0].data, b: x[1].data, g, gx });
    }

    fn pieces(&self, x: &[View<f64>]) -> Vec<i64> {
        super::binary::Pairwise(self.f).pieces(x)
    }

    fn samples() -> Vec<Sample> {
        let shapes: [&[usize]; 5] = [&[], &[5, 4], &[1, 3, 1], &[0, 3], &[3, 50]];
        let mut samples = Vec::new();
        for f in Binary::all() {
            let [a, b] = f.ranges();
            for shape in shapes {
                let op = PairSum { f, reduction: Reduction::Sum };
                samples.push(Sample::within(op, [(shape, a), (shape, b)]));
            }
            for reduction in [Reduction::Mean, Reduction::PerSample] {
                samples.push(Sample::within(PairSum { f, reduction }, [(&[5, 4], a), (&[5, 4], b)]));
            }
        }
        samples
    }
}

/// # Sums of a function of pairs
impl<T: Real> Var<'_, T> {
    /// Σ f(a, b), or another reduction, for a function of the binary table, without an array of f(a, b).
    ///
    /// # Panics
    /// If the shapes differ.
    ///
    /// ```
    /// use quietgrad::pointwise::{Binary, SquaredError};
    /// use quietgrad::{Params, Reduction, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let a = r.constant(&Tensor::from([1.0, 2.0]));
    /// let b = r.constant(&Tensor::from([0.0, 4.0]));
    /// let squares = a.pair_sum(b, Binary::SquaredError(SquaredError {}), Reduction::Sum);
    /// assert_eq!(squares.item(), 5.0);
    /// ```
    #[track_caller]
    pub fn pair_sum(self, other: Self, f: Binary, reduction: Reduction) -> Self {
        self.apply(PairSum { f, reduction }, &[self, other])
    }
}
