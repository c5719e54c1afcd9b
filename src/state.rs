//! What a run remembers, as plain names and numbers: to be saved, and to go on from with the same bits.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

/// What an optimizer, an average or a controller remembers, in a form that any file format can hold: names with numbers.
///
/// `state()` reads it, `restore()` puts it back. What is restored goes on exactly as what was saved would have: settings
/// are part of it.
///
/// ```
/// use quietgrad::{Params, Tensor, optim::{Optimizer, Sgd}};
///
/// let mut params = Params::new();
/// params.add("x", Tensor::from([1.0, 2.0]));
/// let mut grads = params.zeros();
/// grads.data_mut().fill(0.5);
/// let mut sgd = Sgd::momentum(0.1, 0.9);
/// sgd.step(&mut params, &grads);
///
/// let state = sgd.state();
/// assert_eq!(state.kind, "Sgd");
/// assert_eq!(state.numbers["momentum"], 0.9);
/// assert_eq!(state.arrays["velocity"], [0.5, 0.5]);
///
/// let mut resumed = Sgd::new(0.0);
/// resumed.restore(&params, &state)?;
/// assert_eq!(resumed.state(), state);
/// # Ok::<(), quietgrad::StateError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct State<T> {
    /// Of what this is the state: `Adam`, for example.
    pub kind: String,
    /// Settings and running numbers.
    pub numbers: BTreeMap<String, f64>,
    /// Whole numbers, and switches as 0 or 1.
    pub counts: BTreeMap<String, u64>,
    /// A number for each parameter element, or for none before the first step.
    pub arrays: BTreeMap<String, Vec<T>>,
}

impl<T> State<T> {
    /// No numbers yet.
    pub fn new(kind: &str) -> Self {
        State {
            kind: kind.to_owned(),
            numbers: BTreeMap::new(),
            counts: BTreeMap::new(),
            arrays: BTreeMap::new(),
        }
    }

    /// The number of this name.
    ///
    /// # Errors
    /// If there is none. Here and below.
    pub fn number(&self, name: &str) -> Result<f64, StateError> {
        self.numbers.get(name).copied().ok_or_else(|| StateError::missing(name))
    }

    /// The whole number of this name.
    #[allow(clippy::missing_errors_doc)]
    pub fn count(&self, name: &str) -> Result<u64, StateError> {
        self.counts.get(name).copied().ok_or_else(|| StateError::missing(name))
    }

    /// The array of this name.
    #[allow(clippy::missing_errors_doc)]
    pub fn array(&self, name: &str) -> Result<&[T], StateError> {
        self.arrays.get(name).map(Vec::as_slice).ok_or_else(|| StateError::missing(name))
    }

    /// Checks that this is a state of that kind.
    ///
    /// # Errors
    /// If it is of another.
    pub fn expect_kind(&self, kind: &'static str) -> Result<(), StateError> {
        if self.kind == kind {
            return Ok(());
        }
        Err(StateError::Kind { expected: kind, found: self.kind.clone() })
    }

    /// Checks how many numbers, whole numbers and arrays there are, in this order.
    ///
    /// # Errors
    /// If there are more or fewer.
    pub fn expect_sizes(&self, kind: &'static str, sizes: [usize; 3]) -> Result<(), StateError> {
        if sizes == [self.numbers.len(), self.counts.len(), self.arrays.len()] {
            return Ok(());
        }
        Err(StateError::Names { kind })
    }
}

/// Why a [`State`] cannot be restored.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum StateError {
    /// It is the state of something else.
    Kind {
        /// What was to be restored.
        expected: &'static str,
        /// What the state is of.
        found: String,
    },
    /// A number or an array is missing.
    Missing {
        /// Its name.
        name: String,
    },
    /// There are numbers or arrays that this kind does not have.
    Names {
        /// What was to be restored.
        kind: &'static str,
    },
    /// It is of parameters with other names or shapes.
    OtherParameters {
        /// The number of elements that the state is of.
        expected: u64,
        /// The number of elements of the parameters at hand.
        found: u64,
    },
    /// An array does not have a number for each parameter element.
    Length {
        /// Its name.
        name: String,
        /// How many numbers it needs.
        expected: u64,
        /// How many it has.
        found: u64,
    },
    /// A number cannot be what it says.
    Value {
        /// Its name, and what it is.
        message: String,
    },
}

impl StateError {
    fn missing(name: &str) -> Self {
        StateError::Missing { name: name.to_owned() }
    }
}

impl Display for StateError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            StateError::Kind { expected, found } => {
                write!(f, "this is a state of {found}, not of {expected}")
            }
            StateError::Missing { name } => write!(f, "the state has no `{name}`"),
            StateError::Names { kind } => write!(f, "the state has numbers that {kind} does not have"),
            StateError::OtherParameters { expected, found } if expected != found => {
                write!(f, "the state is of parameters with {expected} elements, here are {found}")
            }
            StateError::OtherParameters { .. } => {
                write!(f, "the state is of other parameters: names or shapes differ")
            }
            StateError::Length { name, expected, found } => {
                write!(f, "`{name}` has {found} numbers, not {expected}")
            }
            StateError::Value { message } => f.write_str(message),
        }
    }
}

impl std::error::Error for StateError {}
