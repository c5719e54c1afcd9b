//! Averages of the weights.

use super::fields::{self, Field};
use crate::element::Element;
use crate::kernels::update;
use crate::params::Params;
use crate::state::{State, StateError};

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

/// The name that an average's state bears.
const KIND: &str = "Average";

impl<T: Element> Average<T> {
    /// Begins with these parameters; `decay` is the share of the average that each update keeps.
    ///
    /// # Panics
    /// If the decay is not at least 0 and below 1.
    #[track_caller]
    pub fn new(params: &Params<T>, decay: f64) -> Self {
        fields::demand("Average::new", [fields::decay("decay", decay)]);
        Average { decay, params: params.clone() }
    }

    /// average = decay average + (1 − decay) p, after a step. Of a [frozen](Params::freeze) parameter, such as the running
    /// statistics of a normalization layer, the average is the parameter itself.
    ///
    /// # Panics
    /// If these are not the parameters it began with (names or shapes differ), or some were added since.
    #[track_caller]
    pub fn update(&mut self, params: &Params<T>) {
        let (expected, given) = (self.params.len(), params.len());
        assert!(expected == given, "update: an average of {expected} elements does not fit {given}");
        let same = self.params.signature() == params.signature();
        assert!(same, "update: the average is of other parameters: names or shapes differ");
        let decay = T::from_f64(self.decay);
        let rest = T::ONE - decay;
        let average = self.params.data_mut();
        update::step(average, params.data(), [], move |mean, p, []| (decay * mean + rest * p, []));
        for id in params.ids().filter(|&id| params.is_frozen(id)) {
            self.params.get_mut(id).copy_from_slice(params.get(id));
        }
    }

    /// The average, to record with in place of the parameters themselves.
    pub fn params(&self) -> &Params<T> {
        &self.params
    }

    /// The average and its decay, to be saved.
    pub fn state(&self) -> State<T> {
        let mut state = State::new(KIND);
        state.numbers.insert("decay".to_owned(), self.decay);
        state.arrays.insert("average".to_owned(), self.params.data().to_vec());
        fields::put_signature(&mut state, Some(self.params.signature()));
        state
    }

    /// Goes on from a state of an average of the same parameters.
    ///
    /// # Errors
    /// If the state is of something else or of other parameters, or not whole. Then nothing has changed.
    pub fn restore(&mut self, state: &State<T>) -> Result<(), StateError> {
        state.expect_kind(KIND)?;
        fields::expect_signature(state, self.params.signature())?;
        let elements = self.params.len() as u64;
        fields::expect_field(state, "decay", Field::Decay(&self.decay), elements)?;
        state.expect_sizes(KIND, [1, 2, 1])?;
        let average = state.array("average")?;
        if average.len() as u64 != elements {
            let found = average.len() as u64;
            return Err(StateError::Length { name: "average".to_owned(), expected: elements, found });
        }
        self.decay = state.number("decay")?;
        self.params.data_mut().copy_from_slice(average);
        Ok(())
    }
}
