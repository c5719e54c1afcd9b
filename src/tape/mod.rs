//! The tape: ops run as they are recorded, onto memory that is reused from one recording to the next. No op is named
//! here, and nothing is computed with a number: what an op is asked is in [`ops::Rule`](crate::ops::Rule).

mod backward;
mod checkpoint;
pub(crate) mod cotangents;
mod handles;
mod incoming;
mod leaves;
mod memory;
pub(crate) mod node;
mod obligation;
mod operators;
pub(crate) mod profile;
pub(crate) mod record;
mod recording;
pub(crate) mod sweep;
pub(crate) mod values;
pub(crate) mod var;
mod waiting;
mod watch;
pub(crate) mod zeros;

use std::cell::RefCell;
use std::fmt;

use record::Record;
use watch::Watch;

use crate::ops::Real;
use crate::params::Params;

pub use cotangents::Cotangents;
pub use handles::{Indices, Obligation, Recording, Tape, Var};
pub use node::{Kind, Node, NodeId};
pub use operators::Operand;
pub use profile::{Cost, Profile};
pub use zeros::{SkipZeros, Skipping};

impl<T: Real> Tape<T> {
    /// A tape without memory yet.
    pub fn new() -> Self {
        Tape { record: RefCell::new(Record::default()) }
    }

    /// Starts a recording with these parameters.
    ///
    /// What was recorded before is gone: its handles are of an earlier borrow, and the compiler has made sure that
    /// none is left.
    pub fn record<'r>(&'r mut self, params: &'r Params<T>) -> Recording<'r, T> {
        let record = self.record.get_mut();
        record.start();
        if let Some(watch) = &mut record.watch {
            watch.recording_begins();
        }
        Recording { tape: self, params }
    }

    /// When products skip zeros, from now on; at first it is where that is faster.
    ///
    /// What is skipped is exactly zero, so that results differ by rounding only, as sums run in another order; but
    /// 0 · ∞ and 0 · NaN are skipped as well, and count as 0.
    ///
    /// ```
    /// use quietgrad::{Params, SkipZeros, Tape};
    ///
    /// let mut tape = Tape::<f32>::new();
    /// tape.skip_zeros(SkipZeros::Never); // to see what it would cost
    /// ```
    pub fn skip_zeros(&mut self, when: SkipZeros) {
        self.record.get_mut().zeros.when = when;
    }

    /// Whether the first NaN or infinity panics, from now on: in the data, in a parameter, in a result, or in a
    /// cotangent of a sweep. The message names the op, the element, and the line that recorded it.
    ///
    /// Off, as it is at first, it costs nothing; on, every result is read once more.
    ///
    /// ```should_panic
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// tape.detect_anomalies(true);
    /// let r = tape.record(&params);
    /// r.constant(&Tensor::from([1.0, 0.0])).log(); // panics: element [1] of log is -inf
    /// ```
    pub fn detect_anomalies(&mut self, on: bool) {
        Watch::change(&mut self.record.get_mut().watch, |watch| watch.anomalies = on);
    }

    /// Measures the time of every op from now on, forward and backward, until
    /// [`stop_profile`](Tape::stop_profile). Begins anew if a profile is under way.
    pub fn start_profile(&mut self) {
        Watch::change(&mut self.record.get_mut().watch, |watch| watch.profile = Some(Profile::default()));
    }

    /// What was measured since [`start_profile`](Tape::start_profile); an empty profile if that was not called.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let mut params = Params::new();
    /// let w = params.add("w", Tensor::from([1.0, -2.0]));
    /// let mut tape = Tape::<f64>::new();
    /// tape.start_profile();
    /// tape.record(&params).param(w).relu().sum().backward(&mut params.zeros());
    /// let profile = tape.stop_profile();
    /// assert_eq!(profile.steps(), 1);
    /// println!("{profile}");
    /// ```
    pub fn stop_profile(&mut self) -> Profile {
        let mut profile = None;
        Watch::change(&mut self.record.get_mut().watch, |watch| profile = watch.profile.take());
        profile.unwrap_or_default()
    }
}

impl<T: Real> fmt::Debug for Tape<T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let record = self.record.borrow();
        write!(f, "Tape of {} nodes", record.nodes().len())
    }
}
