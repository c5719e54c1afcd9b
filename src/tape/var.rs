//! The handle: a value on the tape, as light as a reference.

use std::fmt;
use std::panic::Location;

use super::cotangents::Flow;
use super::handles::{Indices, Obligation, Recording, Var};
use super::memory::{EntryValues, Place};
use super::node::NodeId;
use crate::kernels::{add_signs, for_each_offset, support};
use crate::matrix::{Accum, Sparse};
use crate::ops::{Op, Real};
use crate::params::Grads;
use crate::pointwise::Demand;
use crate::tensor::{Axes, AxisList, Shape, Tensor};

impl<'r, T: Real> Indices<'r, T> {
    /// The recording that they belong to.
    pub fn recording(self) -> Recording<'r, T> {
        self.0.recording
    }

    /// The sizes of their axes.
    pub fn shape(self) -> Shape {
        self.0.shape()
    }

    /// Panics with the op's name unless every index is a whole number below `bound`.
    #[track_caller]
    pub(crate) fn check_below(self, op: &str, bound: usize) {
        let record = &mut *self.0.recording.tape.record.borrow_mut();
        let indices = record.value(self.0.id, self.0.recording.params);
        let (mut at, mut bad) = (0, None);
        for_each_offset(indices.shape, [&indices.strides()], |[place]| {
            let index = indices.data[place].to_f64();
            if bad.is_none() && !(index >= 0.0 && index < bound as f64 && index.fract() == 0.0) {
                bad = Some((index, at));
            }
            at += 1;
        });
        if let Some((index, at)) = bad {
            let whole = if index.fract() == 0.0 && index >= 0.0 { "" } else { "a whole number " };
            panic!("{op}: index {index} at place {at} is not {whole}below {bound}");
        }
    }
}

/// # Values and gradients
impl<'r, T: Real> Var<'r, T> {
    /// The recording that it belongs to.
    pub fn recording(self) -> Recording<'r, T> {
        self.recording
    }

    /// Its node in the recorded graph.
    pub fn id(self) -> NodeId {
        self.id
    }

    /// The sizes of its axes.
    pub fn shape(self) -> Shape {
        self.recording.tape.record.borrow().nodes()[self.id.index()].shape.clone()
    }

    /// Whether it takes part in differentiation: it is an input or a parameter that is not frozen, or was computed from one.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.input(&Tensor::from([1.0, 2.0]));
    /// assert!(x.is_active() && x.exp().is_active());
    /// assert!(!x.detach().is_active() && !r.scalar(3.0).is_active());
    /// ```
    #[doc(alias = "requires_grad")]
    pub fn is_active(self) -> bool {
        self.recording.tape.record.borrow().nodes()[self.id.index()].is_active()
    }

    /// A copy of its value.
    ///
    /// # Panics
    /// If there is no memory for it, for example of a view stretched by broadcasting.
    #[doc(alias = "numpy")]
    #[doc(alias = "to_vec")]
    #[track_caller]
    pub fn value(self) -> Tensor<T> {
        let record = &mut *self.recording.tape.record.borrow_mut();
        record.expect_at_hand("value", &[self.id]);
        let value = record.value(self.id, self.recording.params);
        let data = value.to_vec_as("value", value.shape);
        Tensor::new(value.shape.clone(), data).expect("a node has its shape's elements")
    }

    /// Copies its elements, in row-major order, to memory that is there already.
    ///
    /// # Panics
    /// If there is not as much as it has elements.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let mut last = [0.0; 2];
    /// r.constant(&Tensor::from([1.0, 2.0])).copy_to(&mut last);
    /// assert_eq!(last, [1.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn copy_to(self, to: &mut [T]) {
        let record = &mut *self.recording.tape.record.borrow_mut();
        let x = record.value(self.id, self.recording.params);
        let (own, given) = (x.elements(), to.len());
        assert!(own == given, "copy_to: {} has {own} elements, and there is room for {given}", x.shape);
        let mut to = to.iter_mut();
        for_each_offset(x.shape, [&x.strides()], |[at]| {
            if let Some(to) = to.next() {
                *to = x.data[at];
            }
        });
    }

    /// The only element of a tensor that has one: a loss.
    ///
    /// # Panics
    /// If there are none or several.
    #[doc(alias = "to_scalar")]
    #[track_caller]
    pub fn item(self) -> T {
        let record = &mut *self.recording.tape.record.borrow_mut();
        record.expect_at_hand("item", &[self.id]);
        let value = record.value(self.id, self.recording.params);
        assert_eq!(value.elements(), 1, "item: a tensor of shape {} has not one element", value.shape);
        value.data[0]
    }

    /// The share of its elements that are not 0: NaN if it has none.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let h = r.constant(&Tensor::from([-1.0, 2.0, -3.0, -4.0])).relu();
    /// assert_eq!(h.density(), 0.25);
    /// ```
    pub fn density(self) -> f64 {
        let record = &mut *self.recording.tape.record.borrow_mut();
        record.expect_at_hand("density", &[self.id]);
        let x = record.value(self.id, self.recording.params);
        let mut active = 0;
        for_each_offset(x.shape, [&x.strides()], |[i]| active += usize::from(x.data[i] != T::ZERO));
        active as f64 / x.elements() as f64
    }

    /// The gradients of this scalar with respect to every parameter, and to every
    /// [`input`](Recording::input) of the recording. Overwrites `grads`.
    ///
    /// # Panics
    /// If this is not a scalar, depends on nothing that is differentiated, `grads` are of other parameters, or an
    /// [obligation](Var::must_reach_loss) was not met: if the recording holds several losses, see
    /// [`backward_among`](Var::backward_among).
    #[doc(alias = "grad")]
    #[doc(alias = "zero_grad")]
    #[track_caller]
    pub fn backward(self, grads: &mut Grads<T>) {
        self.sweep_scalar("backward", grads, Accum::Replace);
        self.recording.check_obligations(std::iter::once(self.id));
    }

    /// The gradients of this loss, as [`backward`](Var::backward) gives them, in a recording that holds several losses, of
    /// which each has its own parameters to teach: what was built to be part of the loss, a penalty, must be part of one of
    /// `losses`. They are all that the recording holds, this one among them. Overwrites `grads` by the gradients of this loss
    /// alone.
    ///
    /// # Panics
    /// As `backward`, or if a loss is of another recording.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor, reg};
    ///
    /// let mut params = Params::new();
    /// let (g, d) = (params.add("generator", Tensor::from([0.5])), params.add("critic", Tensor::from([2.0])));
    /// let (mut for_g, mut for_d) = (params.zeros(), params.zeros());
    /// let mut tape = Tape::<f64>::new();
    ///
    /// let r = tape.record(&params);
    /// let fake = r.param(g) * 3.0;
    /// let fools = -(fake * r.param(d)).sum() + reg::l2(fake).summed(); // a penalty that is the generator's only
    /// let tells = (fake.detach() * r.param(d)).sum();
    /// let losses = [fools, tells];
    /// fools.backward_among(&losses, &mut for_g);
    /// tells.backward_among(&losses, &mut for_d); // `tells.backward` would miss the penalty
    /// assert_eq!(for_g.get(g), [-2.0 * 3.0 + 3.0 * 1.5 * 2.0]);
    /// assert_eq!(for_d.get(d), [1.5]);
    /// ```
    #[track_caller]
    pub fn backward_among(self, losses: &[Var<'r, T>], grads: &mut Grads<T>) {
        for loss in losses {
            loss.expect_of(self.recording, "backward_among");
        }
        self.sweep_scalar("backward_among", grads, Accum::Replace);
        let others = losses.iter().map(|loss| loss.id);
        self.recording.check_obligations(others.chain([self.id]));
    }

    /// Adds the gradients of this scalar to `grads`, which [`backward`](Var::backward) overwrites: for a batch that is fed in
    /// parts.
    ///
    /// # Panics
    /// As `backward`.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let mut params = Params::new();
    /// let w = params.add("w", Tensor::from(2.0));
    /// let (mut tape, mut grads) = (Tape::<f64>::new(), params.zeros());
    /// for part in [3.0, 5.0] {
    ///     (tape.record(&params).param(w) * part).backward_add(&mut grads);
    /// }
    /// assert_eq!(grads.data(), [8.0]);
    /// ```
    #[track_caller]
    pub fn backward_add(self, grads: &mut Grads<T>) {
        self.sweep_scalar("backward_add", grads, Accum::Add);
        self.recording.check_obligations(std::iter::once(self.id));
    }

    /// The vector-Jacobian product: Jᵀ `cotangent`, for a result of any shape. Overwrites `grads`.
    ///
    /// # Panics
    /// If the cotangent has another shape, or this depends on nothing that is differentiated. Obligations are not
    /// looked at: this may be a part of a loss.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let mut params = Params::new();
    /// let w = params.add("w", Tensor::from([2.0, 3.0]));
    /// let (mut tape, mut grads) = (Tape::<f64>::new(), params.zeros());
    /// let y = tape.record(&params).param(w).square();
    /// y.vjp(&Tensor::from([1.0, 10.0]), &mut grads);
    /// assert_eq!(grads.data(), [4.0, 60.0]);
    /// ```
    #[track_caller]
    pub fn vjp(self, cotangent: &Tensor<T>, grads: &mut Grads<T>) {
        self.recording.vjp(&[(self, cotangent)], grads);
    }

    /// Carries the gradient of this scalar back, without a look at obligations.
    #[track_caller]
    pub(crate) fn sweep_scalar(self, method: &str, grads: &mut Grads<T>, accum: Accum) {
        {
            let record = self.recording.tape.record.borrow();
            let shape = &record.nodes()[self.id.index()].shape;
            assert_eq!(shape.elements(), 1, "{method}: a loss is a scalar, not of shape {shape}");
        }
        self.recording.sweep(method, &[(self.id, &[T::ONE])], grads, accum);
    }

    /// Panics, in the name of a method, unless this is of that recording.
    #[track_caller]
    pub(crate) fn expect_of(self, recording: Recording<T>, method: &str) {
        let same = std::ptr::eq(self.recording.tape, recording.tape);
        assert!(same, "{method}: the operands are of two recordings");
    }

    /// The gradient that the last sweep left for this node, if anything flowed to it.
    ///
    /// Meant for [`input`](Recording::input)s; parameters have theirs in [`Grads`]. The gradient of a value in the middle
    /// is at hand as well, but for those that are zero in many places: of a relu's output, or of what a product skips the
    /// zeros of, it is computed only where a vjp reads it, unless [`keep_gradient`](Var::keep_gradient) asks for all of it.
    ///
    /// # Panics
    /// If not all of it was computed.
    #[doc(alias = "grad")]
    #[track_caller]
    pub fn gradient(self) -> Option<Tensor<T>> {
        let record = &mut *self.recording.tape.record.borrow_mut();
        record.expect_at_hand("gradient", &[self.id]);
        let node = &record.nodes()[self.id.index()];
        let Place::Arena(range) = &node.cotangent else { return None };
        let flow = *record.flows.get(self.id.index())?;
        let signs = record.signs[self.id.index()];
        if flow == Flow::Nothing && signs.adds_nothing() {
            return None;
        }
        let masked = node.zeros.reads == Demand::Support;
        let whole = !masked && record.zeros.demanded(record.nodes(), self.id).is_none();
        assert!(
            whole || record.zeros.known(self.id).kept,
            "gradient: that of {} ({}), recorded at {}, was computed only where the value is not zero: call keep_gradient() \
             on it before the sweep",
            self.id,
            node.name(),
            node.at
        );
        let mut data = match flow {
            Flow::Nothing => vec![T::ZERO; range.len()],
            Flow::Whole => record.cotangents.data[range.clone()].to_vec(),
            Flow::Entries(number) => {
                let EntryValues { support, values, .. } = &record.values_of_entries.all[number];
                let mut data = vec![T::ZERO; range.len()];
                let support = &record.zeros.supports.all[*support];
                support::scatter(Sparse::new(support, values), &mut data, Accum::Replace);
                data
            }
        };
        if !signs.adds_nothing() {
            add_signs(record.value(self.id, self.recording.params).data, &mut data, signs);
        }
        let shape = record.nodes()[self.id.index()].shape.clone();
        Tensor::new(shape, data).ok()
    }

    /// Asks for the whole gradient of this value, to be read by [`gradient`](Var::gradient) after the sweep: also where
    /// no parameter's gradient depends on it. To be called before the sweep.
    ///
    /// # Panics
    /// If a sweep has been here already.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let h = r.input(&Tensor::from([-1.0, 2.0])).relu().keep_gradient();
    /// (h * 3.0).sum().backward(&mut params.zeros());
    /// assert_eq!(h.gradient().unwrap(), Tensor::from([3.0, 3.0]));
    /// ```
    #[doc(alias = "retain_grad")]
    #[track_caller]
    pub fn keep_gradient(self) -> Self {
        let record = &mut *self.recording.tape.record.borrow_mut();
        let swept = record.flows.get(self.id.index()).is_some_and(|&flow| flow != Flow::Nothing);
        assert!(
            !swept || record.zeros.known(self.id).kept,
            "keep_gradient: to be called before the sweep, not after it"
        );
        record.zeros.keep(self.id);
        self
    }

    /// Says that this value was made to be part of the loss: if [`backward`](Var::backward) is called on a loss that
    /// does not contain it, it panics and names `what` and the line that called this method.
    ///
    /// Penalties call it, because a penalty that is computed but not added would otherwise be silently ignored.
    #[track_caller]
    pub fn must_reach_loss(self, what: &'static str) -> Self {
        self.meets(self.recording.obligation(what))
    }

    /// Says that an obligation is met if this becomes part of the loss.
    ///
    /// # Panics
    /// If it is of another recording.
    #[track_caller]
    #[inline]
    pub fn meets(self, obligation: Obligation<'r, T>) -> Self {
        obligation.met_by(self.recording, self.id);
        self
    }

    /// Runs an op that takes no indices on some values, and records it as of the caller's line.
    #[track_caller]
    #[inline]
    pub(crate) fn apply(self, op: impl Into<Op>, inputs: &[Var<'r, T>]) -> Self {
        self.recording.run(&op.into(), inputs, Location::caller())
    }

    /// Some of its axes, checked.
    #[track_caller]
    pub(crate) fn axes(self, method: &str, axes: impl AxisList) -> Axes {
        Axes::listed(method, axes, &self.shape())
    }

    /// Whether its elements stand in memory in row-major order, without gaps.
    pub(crate) fn is_contiguous(self) -> bool {
        self.recording.tape.record.borrow().nodes()[self.id.index()].strides.is_none()
    }
}

/// Prints its value.
impl<T: Real> fmt::Display for Var<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(&self.value(), f)
    }
}

/// Prints its number, what made it, and its value.
impl<T: Real> fmt::Debug for Var<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let kind = self.recording.tape.record.borrow().nodes()[self.id.index()].name();
        write!(f, "{} = {kind} {:?}", self.id, self.value())
    }
}
