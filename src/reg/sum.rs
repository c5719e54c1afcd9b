//! Sums of penalties: over the layers of a network, with one reduction for all.

use std::iter;
use std::ops::{Add, AddAssign};

use super::{Penalty, Sum};
use crate::ops::Real;

/// ```
/// use quietgrad::{Params, Tape, Tensor, reg};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let (first, second) = (r.constant(&Tensor::from([[1.0], [2.0]])), r.constant(&Tensor::from([[3.0], [4.0]])));
/// let penalty = reg::l1(first) + reg::l2(second);
/// assert_eq!(penalty.per_sample().item(), (3.0 + 25.0) / 2.0);
/// ```
impl<T: Real> Add for Penalty<'_, T> {
    type Output = Self;
    #[track_caller]
    fn add(self, other: Self) -> Self {
        let alike = self.of.shape().first() == other.of.shape().first();
        let mixed = matches!(self.sum, Sum::Mixed(_)) || matches!(other.sum, Sum::Mixed(_));
        let total = self.summed() + other.summed();
        // The other's obligation is met by its own sum, which is a part of this one.
        let sum = if alike && !mixed { Sum::Total(total) } else { Sum::Mixed(total) };
        Penalty { sum, mask: None, ..self }
    }
}

impl<T: Real> AddAssign for Penalty<'_, T> {
    #[track_caller]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// # Panics
/// If there are none.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, reg};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let layers = [1.0, 2.0].map(|x| r.constant(&Tensor::full([10, 3], x)));
/// let penalty = layers.iter().map(|&h| reg::l1(h)).sum::<reg::Penalty<f64>>().per_sample();
/// assert_eq!(penalty.item(), 9.0);
/// ```
impl<T: Real> iter::Sum for Penalty<'_, T> {
    #[track_caller]
    fn sum<I: Iterator<Item = Self>>(mut penalties: I) -> Self {
        let Some(mut total) = penalties.next() else {
            panic!("sum: an iterator over no penalties has no sum")
        };
        for penalty in penalties {
            total += penalty;
        }
        total
    }
}
