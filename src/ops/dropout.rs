//! y = x / (1 − rate) where a random mask keeps it, 0 where it does not.

use crate::element::Element;
use crate::kernels::dropout::{dropout, dropout_entries};
use crate::matrix::Accum;
use crate::ops::{OnEntries, Output, Real, Rule, Sample, ZeroRule};
use crate::random::Random;
use crate::tape::{Cotangents, Var};
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// Elements dropped at random. The seed is the mask: the op is data, and run again it drops the same elements.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Dropout {
    /// The probability that an element is dropped.
    pub rate: f64,
    /// Which mask.
    pub seed: u64,
}

impl Rule for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn arguments(&self) -> String {
        self.rate.to_string()
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        if (0.0..1.0).contains(&self.rate) {
            return Ok(x[0].into());
        }
        Err(ShapeError::new(format!("rate {} is not in [0, 1)", self.rate)))
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        dropout(x[0].data, self.rate, self.seed, y.data, Accum::Replace);
    }

    /// gx = gy / (1 − rate) at the elements that were kept
    fn vjp<T: Element>(&self, _: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        match gy.sparse {
            Some(&gy) => {
                gx.add(0, |gx, accum| dropout_entries(gy, self.rate, self.seed, gx.data, accum));
            }
            None => gx.add(0, |gx, accum| dropout(gy.data, self.rate, self.seed, gx.data, accum)),
        }
    }

    fn zeros(&self, _: &[&[usize]]) -> ZeroRule {
        ZeroRule { output: Output::KeepsZeros, entries: OnEntries::PassesOn, ..ZeroRule::DENSE }
    }

    fn samples() -> Vec<Sample> {
        let shapes: [&[usize]; 4] = [&[], &[5, 4], &[0, 3], &[3, 50]];
        let mut samples = Vec::new();
        for &shape in &shapes {
            samples.push(Sample::new(Dropout { rate: 0.3, seed: 7 }, [shape]));
        }
        samples
    }
}

/// # Dropout
impl<T: Real> Var<'_, T> {
    /// Each element dropped (made 0) with probability `rate`, the others divided by 1 − `rate`, so that the expected
    /// value stays. The mask is drawn now. For inference leave it out.
    ///
    /// Source: N. Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting, 2014, with the
    /// scaling at training time ("inverted").
    ///
    /// # Panics
    /// If the rate is not in [0, 1).
    ///
    /// ```
    /// use quietgrad::{Params, Random, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::full([1000], 1.0));
    /// let y = x.dropout(0.25, &mut Random::new(1)).value();
    /// assert!(y.data().iter().all(|&y| y == 0.0 || y == 1.0 / 0.75));
    /// assert!((y.data().iter().filter(|&&y| y == 0.0).count() as i64 - 250).abs() < 50);
    /// ```
    #[track_caller]
    pub fn dropout(self, rate: f64, random: &mut Random) -> Self {
        self.apply(Dropout { rate, seed: random.bits() }, &[self])
    }
}
