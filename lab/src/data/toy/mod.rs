//! Made-up data, seeded.
//!
//! [`make_circles`], [`make_moons`] and [`make_blobs`] are scikit-learn's, number for number, drawn by NumPy's old
//! generator ([`Mt19937`]). The others draw from [`quietgrad::Random`].

mod clouds;
mod dictionary;
mod mt19937;
mod sklearn;

use quietgrad::Tensor;

pub use clouds::{spirals, xor_clouds};
pub use dictionary::{Dictionary, Signals};
pub use mt19937::Mt19937;
pub use sklearn::{make_blobs, make_circles, make_moons};

/// Points and the class of each.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled {
    /// The points: number of points × number of features.
    pub x: Tensor<f64>,
    /// The class of each point.
    pub y: Vec<usize>,
}

impl Labelled {
    /// Points of `features` numbers each, in row-major order.
    fn new(x: Vec<f64>, features: usize, y: Vec<usize>) -> Self {
        let x = Tensor::new([y.len(), features], x).expect("as many points as classes");
        Labelled { x, y }
    }

    /// The classes as a column of numbers, as a loss takes them: number of points × 1.
    ///
    /// ```
    /// use quietgrad_lab::data::toy::make_circles;
    ///
    /// let circles = make_circles(100, Some(0.1), 1);
    /// assert_eq!(circles.targets::<f32>().shape()[..], [100, 1]);
    /// ```
    pub fn targets<T: quietgrad::Element>(&self) -> Tensor<T> {
        Tensor::from_fn([self.y.len(), 1], |i| T::from_f64(self.y[i] as f64))
    }
}
