//! The fields of an optimizer as a list, from which the check of its settings, its state and its restoring are made.

use crate::params::Signature;
use crate::state::{State, StateError};

/// A field of an optimizer, to be read.
#[derive(Clone, Copy, Debug)]
pub enum Field<'a, T> {
    /// A setting that is finite and not negative: a step size, ε, a weight decay.
    Rate(&'a f64),
    /// A setting that is at least 0 and below 1: a momentum, a mean's decay.
    Decay(&'a f64),
    /// A setting that is on or off.
    Switch(&'a bool),
    /// A number that changes with each step.
    Number(&'a f64),
    /// Of which parameters the optimizer remembers something; none before the first step.
    Parameters(&'a Option<Signature>),
    /// A number for each parameter element, zeros at first, and whether the settings use it.
    Array(&'a Vec<T>, bool),
}

/// A field of an optimizer, to be changed: see [`Field`].
#[derive(Debug)]
#[allow(missing_docs)]
pub enum FieldMut<'a, T> {
    Rate(&'a mut f64),
    Decay(&'a mut f64),
    Switch(&'a mut bool),
    Number(&'a mut f64),
    Parameters(&'a mut Option<Signature>),
    Array(&'a mut Vec<T>, bool),
}

/// The methods of [`Optimizer`](super::Optimizer) that list the fields, of one list. A field that is not in it does not
/// compile. Behind an array stands when it is used.
macro_rules! fields {
    ($kind:ident { $($field:ident: $what:ident $(($used:expr))?),* $(,)? }) => {
        fn kind(&self) -> &'static str {
            stringify!($kind)
        }

        #[inline]
        fn fields(&self, see: &mut dyn FnMut(&'static str, $crate::optim::Field<'_, T>)) {
            let $kind { $($field),* } = self;
            $(see(stringify!($field), $crate::optim::Field::$what($field $(, $used)?));)*
        }

        #[inline]
        fn fields_mut(&mut self, see: &mut dyn FnMut(&'static str, $crate::optim::FieldMut<'_, T>)) {
            let $kind { $($field),* } = self;
            $(see(stringify!($field), $crate::optim::FieldMut::$what($field $(, $used)?));)*
        }

        fn lr(&self) -> f64 {
            self.lr
        }

        fn lr_mut(&mut self) -> &mut f64 {
            &mut self.lr
        }
    };
}
pub(super) use fields;

/// A setting that makes no sense.
#[derive(Clone, Copy, Debug)]
pub(super) struct Senseless {
    name: &'static str,
    value: f64,
    should: &'static str,
}

impl std::fmt::Display for Senseless {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` is {}: it must be {}", self.name, self.value, self.should)
    }
}

/// A rate is finite and not negative.
#[inline]
pub(super) fn rate(name: &'static str, value: f64) -> Result<(), Senseless> {
    // Written so that NaN is refused.
    if (0.0..f64::INFINITY).contains(&value) {
        return Ok(());
    }
    Err(Senseless { name, value, should: "finite and not negative" })
}

/// A decay is at least 0 and below 1: at 1 nothing new would ever count.
#[inline]
pub(super) fn decay(name: &'static str, value: f64) -> Result<(), Senseless> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Senseless { name, value, should: "at least 0 and below 1" })
}

/// Panics with the caller's line if a setting makes no sense.
#[track_caller]
pub(super) fn demand(of: &str, settings: impl IntoIterator<Item = Result<(), Senseless>>) {
    for setting in settings {
        if let Err(fault) = setting {
            panic!("{of}: {fault}");
        }
    }
}

/// Puts a field into a state.
pub(super) fn put<T: Clone>(state: &mut State<T>, name: &'static str, field: Field<T>) {
    let key = name.to_owned();
    match field {
        Field::Rate(x) | Field::Decay(x) | Field::Number(x) => {
            state.numbers.insert(key, *x);
        }
        Field::Switch(on) => {
            state.counts.insert(key, u64::from(*on));
        }
        Field::Parameters(signature) => put_signature(state, *signature),
        Field::Array(array, _) => {
            state.arrays.insert(key, array.clone());
        }
    }
}

/// The names under which it stands which parameters a state is of.
const ELEMENTS: &str = "elements";
const FINGERPRINT: &str = "fingerprint";

/// Says in a state which parameters it is of; zeros if of none yet.
pub(super) fn put_signature<T>(state: &mut State<T>, signature: Option<Signature>) {
    let (elements, fingerprint) = signature.map_or((0, 0), |s| (s.elements, s.fingerprint));
    state.counts.insert(ELEMENTS.to_owned(), elements);
    state.counts.insert(FINGERPRINT.to_owned(), fingerprint);
}

/// Which parameters a state is of.
pub(super) fn signature<T>(state: &State<T>) -> Result<Option<Signature>, StateError> {
    let (elements, fingerprint) = (state.count(ELEMENTS)?, state.count(FINGERPRINT)?);
    Ok((elements, fingerprint) != (0, 0)).map(|any| any.then_some(Signature { elements, fingerprint }))
}

/// Checks that a state is of these parameters, or of none yet.
pub(super) fn expect_signature<T>(state: &State<T>, here: Signature) -> Result<(), StateError> {
    match signature(state)? {
        Some(there) if there != here => {
            Err(StateError::OtherParameters { expected: there.elements, found: here.elements })
        }
        _ => Ok(()),
    }
}

/// Checks that what a state has under this name can be that field, for parameters of so many elements.
pub(super) fn expect_field<T>(
    state: &State<T>,
    name: &'static str,
    field: Field<T>,
    elements: u64,
) -> Result<(), StateError> {
    let value = |fault: Senseless| StateError::Value { message: fault.to_string() };
    match field {
        Field::Rate(_) => rate(name, state.number(name)?).map_err(value),
        Field::Decay(_) => decay(name, state.number(name)?).map_err(value),
        Field::Number(_) => match state.number(name)? {
            x if x.is_finite() => Ok(()),
            x => Err(StateError::Value { message: format!("`{name}` is {x}") }),
        },
        Field::Switch(_) => match state.count(name)? {
            0 | 1 => Ok(()),
            other => Err(StateError::Value { message: format!("`{name}` is {other}: it must be 0 or 1") }),
        },
        Field::Parameters(_) => signature(state).map(|_| ()),
        Field::Array(..) => match state.array(name)?.len() as u64 {
            0 => Ok(()),
            found if found == elements => Ok(()),
            found => Err(StateError::Length { name: name.to_owned(), expected: elements, found }),
        },
    }
}

/// Takes a field out of a state in which it was found to be right.
pub(super) fn take<T: Clone>(state: &State<T>, name: &'static str, field: FieldMut<T>) {
    const FOUND: &str = "it was found to be there";
    match field {
        FieldMut::Rate(x) | FieldMut::Decay(x) | FieldMut::Number(x) => *x = state.number(name).expect(FOUND),
        FieldMut::Switch(on) => *on = state.count(name).expect(FOUND) == 1,
        FieldMut::Parameters(of) => *of = signature(state).expect(FOUND),
        FieldMut::Array(array, _) => {
            array.clear();
            array.extend_from_slice(state.array(name).expect(FOUND));
        }
    }
}
