//! The handle: a value on the tape, as light as a reference.

use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Sub};
use std::panic::Location;

use super::cotangents::Flow;
use super::memory::{EntryValues, Place};
use super::node::NodeId;
use super::obligation::Obligation;
use crate::kernels::{add_signs, for_each_offset, support};
use crate::matrix::{Accum, Sparse};
use crate::ops::{Op, Real};
use crate::params::Grads;
use crate::tape::Recording;
use crate::tensor::shape::Show;
use crate::tensor::{Axes, Shape, Tensor};

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

impl<T: Real> Indices<'_, T> {
    /// Panics with the op's name unless every index is below `bound`.
    #[track_caller]
    pub(crate) fn check_below(self, op: &str, bound: usize) {
        let record = self.0.recording.tape.record.borrow();
        let node = &record.nodes()[self.0.id.index()];
        let indices = record.values(self.0.recording.params).view(node);
        let bad = indices.data.iter().position(|i| i.to_f64() >= bound as f64);
        if let Some(at) = bad {
            panic!("{op}: index {} at place {at} is not below {bound}", indices.data[at]);
        }
    }
}

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

    /// A copy of its value.
    #[allow(clippy::missing_panics_doc)] // it does not
    pub fn value(self) -> Tensor<T> {
        let record = self.recording.tape.record.borrow();
        let node = &record.nodes()[self.id.index()];
        let data = record.values(self.recording.params).view(node).to_vec();
        Tensor::new(node.shape.clone(), data).expect("a node has its shape's elements")
    }

    /// The only element of a tensor that has one: a loss.
    ///
    /// # Panics
    /// If there are none or several.
    #[track_caller]
    pub fn item(self) -> T {
        let record = self.recording.tape.record.borrow();
        let node = &record.nodes()[self.id.index()];
        assert_eq!(node.shape.elements(), 1, "item: a tensor of shape {} has not one element", node.shape);
        record.values(self.recording.params).view(node).data[0]
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
        let record = self.recording.tape.record.borrow();
        let x = record.values(self.recording.params).view(&record.nodes()[self.id.index()]);
        let mut active = 0;
        for_each_offset(x.shape, [&x.strides()], |[i]| active += usize::from(x.data[i] != T::ZERO));
        active as f64 / x.elements() as f64
    }

    /// The gradients of this scalar with respect to every parameter, and to every
    /// [`input`](Recording::input) of the recording. Overwrites `grads`.
    ///
    /// # Panics
    /// If this is not a scalar, depends on nothing that is differentiated, `grads` are of other parameters, or an
    /// [obligation](Var::must_reach_loss) was not met.
    #[track_caller]
    pub fn backward(self, grads: &mut Grads<T>) {
        self.sweep_scalar(grads);
        self.recording.check_obligations(&[self.id]);
    }

    /// As [`backward`](Var::backward), but adds to `grads`: for a batch that is fed in parts.
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
        self.check_scalar("backward_add");
        self.sweep(&[T::ONE], grads, Accum::Add);
        self.recording.check_obligations(&[self.id]);
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

    /// [`backward`](Var::backward) without a look at obligations.
    #[track_caller]
    pub(crate) fn sweep_scalar(self, grads: &mut Grads<T>) {
        self.check_scalar("backward");
        self.sweep(&[T::ONE], grads, Accum::Replace);
    }

    #[track_caller]
    fn check_scalar(self, method: &str) {
        let record = self.recording.tape.record.borrow();
        let shape = &record.nodes()[self.id.index()].shape;
        assert_eq!(shape.elements(), 1, "{method}: a loss is a scalar, not of shape {shape}");
    }

    #[track_caller]
    fn sweep(self, seed: &[T], grads: &mut Grads<T>, accum: Accum) {
        self.recording.sweep(&[(self.id, seed)], grads, accum);
    }

    /// The gradient that the last sweep left for this node, if anything flowed to it.
    ///
    /// Meant for [`input`](Recording::input)s; parameters have theirs in [`Grads`]. For a value in the middle that is
    /// zero in many places, such as a relu's, the gradient there may not have been computed, because nobody needs it; it
    /// counts as zero then, unless [`keep_gradient`](Var::keep_gradient) was called.
    #[allow(clippy::missing_panics_doc)] // it does not
    pub fn gradient(self) -> Option<Tensor<T>> {
        let record = self.recording.tape.record.borrow();
        let node = &record.nodes()[self.id.index()];
        let Place::Arena(range) = &node.cotangent else { return None };
        let flow = *record.flows.get(self.id.index())?;
        let signs = record.signs[self.id.index()];
        let mut data = match flow {
            Flow::Nothing if signs.adds_nothing() => return None,
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
        add_signs(record.values(self.recording.params).elements(node), &mut data, signs);
        Some(Tensor::new(node.shape.clone(), data).expect("a cotangent has its node's shape"))
    }

    /// Asks for the whole gradient of this value, to be read by [`gradient`](Var::gradient) after the sweep: also where
    /// no parameter's gradient depends on it. To be called before the sweep.
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
    pub fn keep_gradient(self) -> Self {
        self.recording.tape.record.borrow_mut().zeros.keep(self.id);
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
    pub fn meets(self, obligation: Obligation<'r, T>) -> Self {
        obligation.met_by(self.recording, self.id);
        self
    }

    #[track_caller]
    #[inline]
    pub(crate) fn apply(self, op: impl Into<Op>, inputs: &[Var<'r, T>]) -> Self {
        self.recording.run(&op.into(), inputs, Location::caller())
    }

    /// Some of its axes, checked.
    #[track_caller]
    pub(crate) fn axes(self, method: &str, axes: &[usize]) -> Axes {
        let shape = self.shape();
        for (i, axis) in axes.iter().enumerate() {
            assert!(*axis < shape.rank(), "{method}: no axis {axis} in a tensor of shape {shape}");
            assert!(!axes[..i].contains(axis), "{method}: axis {axis} is named twice in {}", Show(axes));
        }
        Axes::new(axes)
    }

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

macro_rules! operator {
    ($Trait:ident, $method:ident, ($x:ident, $c:ident) $number:expr, $number_first:expr) => {
        impl<'r, T: Real> $Trait for Var<'r, T> {
            type Output = Self;
            #[track_caller]
            #[inline]
            fn $method(self, other: Self) -> Self {
                Var::$method(self, other)
            }
        }

        impl<'r, T: Real> $Trait<f64> for Var<'r, T> {
            type Output = Self;
            #[track_caller]
            #[inline]
            fn $method(self, $c: f64) -> Self {
                let $x = self;
                $number
            }
        }

        impl<'r, T: Real> $Trait<Var<'r, T>> for f64 {
            type Output = Var<'r, T>;
            #[track_caller]
            #[inline]
            fn $method(self, $x: Var<'r, T>) -> Var<'r, T> {
                let $c = self;
                $number_first
            }
        }
    };
}

// Expressions, not closures: a closure would stand between the op and the caller's line.
operator!(Add, add, (x, c) x.shift(c), x.shift(c));
operator!(Sub, sub, (x, c) x.shift(-c), Var::neg(x).shift(c));
operator!(Mul, mul, (x, c) x.scale(c), x.scale(c));
operator!(Div, div, (x, c) if has_exact_inverse(c) { x.scale(1.0 / c) } else { x.div_by(c) }, x.div_into(c));

/// Whether c is a power of 2 whose inverse is a normal number in every type: multiplying by that is dividing, and faster.
fn has_exact_inverse(c: f64) -> bool {
    c.to_bits() & ((1 << 52) - 1) == 0 && (1e-37..1e37).contains(&c.abs())
}

impl<T: Real> Neg for Var<'_, T> {
    type Output = Self;
    #[track_caller]
    #[inline]
    fn neg(self) -> Self {
        Var::neg(self)
    }
}
