//! y = x at the k largest elements of each row, 0 elsewhere.

use crate::element::Element;
use crate::kernels::{self, top_k::top_k};
use crate::ops::{Real, Rule, Sample, ZeroRule};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::size_of;
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// The k largest elements along the last axis, the rest 0.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TopK {
    /// How many are kept.
    pub k: usize,
    /// Compare magnitudes.
    pub by_magnitude: bool,
}

impl Rule for TopK {
    fn name(&self) -> &'static str {
        if self.by_magnitude { "top_k_by_magnitude" } else { "top_k" }
    }

    fn arguments(&self) -> String {
        self.k.to_string()
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        size_of(x[0], x[0].len().saturating_sub(1)).map(|_| x[0].into())
    }

    fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
        let cols = y.shape[y.shape.len() - 1];
        if self.by_magnitude {
            top_k(x[0].data, cols, self.k, y.data, |x: T| x.abs());
        } else {
            top_k(x[0].data, cols, self.k, y.data, |x: T| x);
        }
    }

    /// gx = gy where y ≠ 0, else 0: a zero passes nothing back, even if it was among the k.
    fn vjp<T: Element>(&self, _: &[View<T>], y: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        gx.add(0, |gx, accum| {
            let kept = |[y, gy]: [T; 2]| if y == T::ZERO { T::ZERO } else { gy };
            kernels::map([y.data, gy.data], gx.data, accum, kept);
        });
    }

    fn zeros(&self, _: &[&[usize]]) -> ZeroRule {
        ZeroRule::RELU
    }

    /// Which elements are kept.
    fn pieces(&self, x: &[View<f64>]) -> Vec<i64> {
        let data = x[0].to_vec();
        let x = View::dense(&data, x[0].shape);
        let mut y = vec![0.0; x.data.len()];
        self.forward(&[x], ViewMut::new(&mut y, x.shape));
        y.into_iter().map(|y| i64::from(y != 0.0)).collect()
    }

    fn samples() -> Vec<Sample> {
        let cases: [(&[usize], usize); 8] = [
            (&[7], 3),
            (&[3, 5], 1),
            (&[2, 3, 4], 2),
            (&[3, 4], 4),
            (&[3, 4], 0),
            (&[2, 1], 1),
            (&[0, 3], 2),
            (&[2, 150], 9),
        ];
        let mut samples = Vec::new();
        for &(shape, k) in &cases {
            for &by_magnitude in &[false, true] {
                samples.push(Sample::new(TopK { k, by_magnitude }, [shape]));
            }
        }
        samples
    }
}

/// # The largest of each row
impl<T: Real> Var<'_, T> {
    /// The k largest elements of each row (along the last axis), the rest 0. Of equal ones the first are kept.
    ///
    /// The slope is 1 at an element that is kept and 0 elsewhere; an element that is 0 passes nothing back, even if it
    /// was kept. Source: A. Makhzani and B. Frey, k-Sparse Autoencoders, 2014.
    ///
    /// # Panics
    /// If this is a scalar.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1.0, 4.0, 3.0], [-5.0, -7.0, -6.0]]));
    /// assert_eq!(x.top_k(2).value(), Tensor::from([[0.0, 4.0, 3.0], [-5.0, 0.0, -6.0]]));
    /// ```
    #[track_caller]
    pub fn top_k(self, k: usize) -> Self {
        self.apply(TopK { k, by_magnitude: false }, &[self])
    }

    /// The k elements of each row (along the last axis) with the largest magnitude, the rest 0.
    ///
    /// # Panics
    /// If this is a scalar.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[1.0, -4.0, 3.0]]));
    /// assert_eq!(x.top_k_by_magnitude(1).value(), Tensor::from([[0.0, -4.0, 0.0]]));
    /// ```
    #[track_caller]
    pub fn top_k_by_magnitude(self, k: usize) -> Self {
        self.apply(TopK { k, by_magnitude: true }, &[self])
    }
}
