//! y = r Σ f(a, b): an elementwise function of two tensors of one shape, summed to a scalar in one pass. Most losses
//! are of this kind.

use crate::element::Element;
use crate::kernels::{self, Row};
use crate::ops::{Real, Reduction, Rule, Sample};
use crate::pointwise::{Binary, PullsA, PullsB, Values};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::Show;
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// The sum, or another reduction, of a function of the binary table over all pairs of elements, or over those of each sample.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ZipSum {
    /// The function.
    pub f: Binary,
    /// What the sum is divided by.
    pub reduction: Reduction,
}

/// # Errors
/// If two operands that must not be broadcast differ in shape.
pub(super) fn same_shape(x: &[&[usize]]) -> Result<(), ShapeError> {
    if x[0] == x[1] {
        return Ok(());
    }
    Err(ShapeError::new(format!("{} and {} must be the same shape", Show(x[0]), Show(x[1]))))
}

/// The two operands' parts number i, which go into one sum.
#[inline]
fn parts<'a, T>(x: &[View<'a, T>], i: usize, width: usize) -> [&'a [T]; 2] {
    let place = i * width..(i + 1) * width;
    [&x[0].data[place.clone()], &x[1].data[place]]
}

impl Rule for ZipSum {
    fn name(&self) -> &'static str {
        self.f.name()
    }

    fn arguments(&self) -> String {
        format!("{} {}", self.f.arguments(), self.reduction.name()).trim_start().into()
    }

    /// No broadcasting: a prediction \[n\] against a target [n, 1] would quietly compare all pairs.
    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        same_shape(x)?;
        self.reduction.shape(x[0])
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let (divisor, f) = (T::from_f64(self.reduction.divisor(x[0].shape)), kernels::looped(Values(self.f)));
        let width = x[0].data.len() / y.data.len().max(1);
        for (i, y) in y.data.iter_mut().enumerate() {
            *y = kernels::sum_map(parts(x, i, width), &f) / divisor;
        }
    }

    /// ga = g ∂f/∂a and gb = g ∂f/∂b, with g = gy r; of each sample's own sum with that sample's g
    fn vjp<T: Element>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let divisor = T::from_f64(self.reduction.divisor(x[0].shape));
        let width = x[0].data.len() / gy.data.len().max(1);
        let squares = matches!(self.f, Binary::SquaredError(_));
        let values = kernels::looped(Values(self.f));
        let values: Option<Row<T, 2>> = if self.f.uses_value() { Some(&values) } else { None };
        let pulls: [Row<T, 4>; 2] = [&kernels::looped(PullsA(self.f)), &kernels::looped(PullsB(self.f))];
        for (k, pulls) in pulls.into_iter().enumerate() {
            gx.add(k, |gx, accum| {
                for (i, &g) in gy.data.iter().enumerate() {
                    let (x, g) = (parts(x, i, width), g / divisor);
                    let gx = &mut gx.data[i * width..(i + 1) * width];
                    match (squares, k) {
                        (true, 0) => kernels::map(x, gx, accum, |[a, b]: [T; 2]| g * ((a - b) + (a - b))),
                        (true, _) => kernels::map(x, gx, accum, |[a, b]: [T; 2]| g * ((b - a) + (b - a))),
                        _ => kernels::map_with(x, values, g, gx, accum, pulls),
                    }
                }
            });
        }
    }

    fn pieces(&self, x: &[View<f64>]) -> Vec<i64> {
        super::zip::Zip(self.f).pieces(x)
    }

    fn samples() -> Vec<Sample> {
        let shapes: [&[usize]; 5] = [&[], &[5, 4], &[1, 3, 1], &[0, 3], &[3, 50]];
        let mut samples = Vec::new();
        for &f in &Binary::all() {
            let [a, b] = f.ranges();
            for &shape in &shapes {
                let op = ZipSum { f, reduction: Reduction::Sum };
                samples.push(Sample::within(op, [(shape, a), (shape, b)]));
            }
            for &reduction in &[Reduction::Mean, Reduction::PerSample, Reduction::Each] {
                samples.push(Sample::within(ZipSum { f, reduction }, [(&[5, 4], a), (&[5, 4], b)]));
            }
        }
        let op = ZipSum { f: Binary::all()[0], reduction: Reduction::Each };
        let shapes: [&[usize]; 3] = [&[], &[0, 3], &[3, 0]];
        for &shape in &shapes {
            samples.push(Sample::new(op, [shape; 2]));
        }
        samples
    }
}

/// # Sums of a function of pairs
impl<T: Real> Var<'_, T> {
    /// Σ f(a, b), or another reduction, for a function of the binary table, without an array of f(a, b).
    ///
    /// # Panics
    /// If the shapes differ, or there is nothing to take the mean over.
    ///
    /// ```
    /// use quietgrad::pointwise::{Binary, SquaredError};
    /// use quietgrad::{Params, Reduction, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let a = r.constant(&Tensor::from([1.0, 2.0]));
    /// let b = r.constant(&Tensor::from([0.0, 4.0]));
    /// let squares = a.zip_sum(b, Binary::SquaredError(SquaredError {}), Reduction::Sum);
    /// assert_eq!(squares.item(), 5.0);
    /// let (a, b) = (a.reshape([2, 1]), b.reshape([2, 1])); // two samples
    /// let each = a.zip_sum(b, Binary::SquaredError(SquaredError {}), Reduction::Each);
    /// assert_eq!(each.value(), Tensor::from([1.0, 4.0]));
    /// ```
    #[track_caller]
    pub fn zip_sum(self, other: Self, f: Binary, reduction: Reduction) -> Self {
        self.apply(ZipSum { f, reduction }, &[self, other])
    }
}
