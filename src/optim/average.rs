//! Averages of the weights.

use crate::element::Element;
use crate::kernels::update;
use crate::params::Params;

/// An exponential moving average of the parameters: less noisy than the last ones, often better to predict with.
///
/// Source: B. T. Polyak and A. B. Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992.
///
/// ```
/// use quietgrad::{Params, Tensor, optim::Average};
///
/// let mut params = Params::new();
/// params.add("x", Tensor::from(0.0));
/// let mut average = Average::new(&params, 0.75);
/// params.data_mut()[0] = 1.0;
/// average.update(&params);
/// assert_eq!(average.params().data(), [0.25]);
/// ```
#[derive(Clone, Debug)]
pub struct Average<T> {
    decay: f64,
    params: Params<T>,
}

impl<T: Element> Average<T> {
    /// Begins with these parameters; `decay` is the share of the average that each update keeps.
    pub fn new(params: &Params<T>, decay: f64) -> Self {
        Average { decay, params: params.clone() }
    }

    /// average = decay average + (1 − decay) p, after a step.
    ///
    /// # Panics
    /// If parameters were added.
    #[track_caller]
    pub fn update(&mut self, params: &Params<T>) {
        let (expected, given) = (self.params.len(), params.len());
        assert_eq!(expected, given, "update: an average of {expected} elements does not fit {given}");
        update::moving_average(self.params.data_mut(), params.data(), T::from_f64(self.decay));
    }

    /// The average, to record with in place of the parameters themselves.
    pub fn params(&self) -> &Params<T> {
        &self.params
    }
}
