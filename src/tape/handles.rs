//! What a user holds: the tape, a recording, a value. The types alone; what can be done with a tape is in `mod.rs`, with a
//! recording in `recording.rs`, with a value in `var.rs`.

use std::cell::RefCell;

use super::node::NodeId;
use super::record::Record;
use crate::params::Params;

/// Memory for recordings. One tape serves a whole training run. After the first step of a program that repeats, it allocates
/// nothing, on no thread: as long as no tensor has more than eight axes, and no op more than 64 inputs.
///
/// A tape belongs to one thread at a time (`Send`, not `Sync`); threads that train together have one each and share
/// the [`Params`] by reference.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor};
///
/// let mut params = Params::new();
/// let w = params.add("w", Tensor::from(2.0));
/// let mut grads = params.zeros();
///
/// let mut tape = Tape::<f64>::new();
/// for step in 0..100 {
///     let r = tape.record(&params);
///     let loss = (r.param(w) - 5.0).square();
///     loss.backward(&mut grads);
///     params.data_mut()[0] -= 0.1 * grads.data()[0];
/// }
/// assert!((params.data()[0] - 5.0).abs() < 1e-6);
/// ```
///
/// A handle cannot outlive its recording:
///
/// ```compile_fail
/// use quietgrad::{Params, Tape};
///
/// let params = Params::new();
/// let mut tape = Tape::<f64>::new();
/// let stale = tape.record(&params).scalar(1.0);
/// let r = tape.record(&params);
/// let y = stale + r.scalar(1.0); // error: `tape` was borrowed again while `stale` was alive
/// ```
#[derive(Default)]
pub struct Tape<T> {
    pub(crate) record: RefCell<Record<T>>,
}

/// A recording under way: where values enter the graph.
pub struct Recording<'r, T> {
    pub(crate) tape: &'r Tape<T>,
    pub(crate) params: &'r Params<T>,
}

impl<T> Clone for Recording<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Recording<'_, T> {}

/// A tensor on the tape. Copy it freely: it is a number and two references, and cannot outlive its recording.
pub struct Var<'r, T> {
    pub(crate) recording: Recording<'r, T>,
    pub(crate) id: NodeId,
}

impl<T> Clone for Var<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Var<'_, T> {}

/// Whole numbers on the tape: classes, or row numbers.
pub struct Indices<'r, T>(pub(crate) Var<'r, T>);

impl<T> Clone for Indices<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Indices<'_, T> {}

/// Something that must become part of the loss, in one of several forms: made by [`Recording::obligation`], to be
/// [met](crate::Var::meets) by a value that becomes part of the loss.
pub struct Obligation<'r, T> {
    pub(super) recording: Recording<'r, T>,
    pub(super) number: usize,
}

impl<T> Clone for Obligation<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Obligation<'_, T> {}
