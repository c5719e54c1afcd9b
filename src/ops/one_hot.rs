//! y = 1 at the place that an index names, 0 elsewhere, along a new last axis.

use crate::element::Element;
use crate::ops::{Real, Rule, Sample, SampleInput, index};
use crate::tape::{Cotangents, Indices, Var};
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// Indices as unit vectors.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct OneHot {
    /// The length of the vectors.
    pub classes: usize,
}

impl Rule for OneHot {
    fn name(&self) -> &'static str {
        "one_hot"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        Ok(x[0].iter().copied().chain([self.classes]).collect())
    }

    fn indices(&self, _: &[&[usize]]) -> Option<(usize, usize)> {
        Some((0, self.classes))
    }

    fn differentiable(&self) -> bool {
        false
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        y.data.fill(T::ZERO);
        for (y, &i) in y.data.chunks_exact_mut(self.classes.max(1)).zip(x[0].data) {
            y[index(i)] = T::ONE;
        }
    }

    fn vjp<T: Element>(&self, _: &[View<T>], _: View<T>, _: View<T>, _: &mut Cotangents<T>) {
        unreachable!("nothing flows back to indices");
    }

    fn samples() -> Vec<Sample> {
        let shapes: [&[usize]; 4] = [&[5], &[2, 3], &[], &[0]];
        let mut samples = Vec::new();
        for &shape in &shapes {
            let inputs = vec![SampleInput::Index(shape.into(), 4)];
            samples.push(Sample { op: OneHot { classes: 4 }.into(), inputs });
        }
        samples
    }
}

/// # One-hot
impl<'r, T: Real> Indices<'r, T> {
    /// A row of `classes` numbers for each index: 1 at the index, 0 elsewhere.
    ///
    /// # Panics
    /// If an index is not below `classes`, or there is no memory for so many.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let y = r.indices([2], &[2, 0]).one_hot(3);
    /// assert_eq!(y.value(), Tensor::from([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]));
    /// ```
    #[track_caller]
    pub fn one_hot(self, classes: usize) -> Var<'r, T> {
        self.0.recording.apply(OneHot { classes }.into(), &[self.0])
    }
}
