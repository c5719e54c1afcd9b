//! The tape: ops run as they are recorded, onto memory that is reused from one recording to the next.

mod backward;
pub(crate) mod cotangents;
mod memory;
mod obligation;
pub(crate) mod profile;
pub(crate) mod record;
mod values;
pub(crate) mod var;
mod watch;
pub(crate) mod zeros;

use std::cell::RefCell;
use std::fmt;
use std::panic::Location;

use smallvec::SmallVec;

use crate::element::Accum;
use crate::graph::{Graph, Kind, Node, NodeId};
use crate::ops::{Op, Real};
use crate::params::{Grads, ParamId, Params};
use crate::sparsity::SkipZeros;
use crate::tensor::{Shape, Tensor};
use backward::sweep;
use record::Inner;
use watch::Watch;

pub use cotangents::Cotangents;
pub use obligation::Obligation;
pub use profile::{Cost, Profile};
pub use var::{Indices, Var};
pub use zeros::Skipping;

/// Memory for recordings. One tape serves a whole training run; after the first step it allocates nothing.
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
    pub(crate) inner: RefCell<Inner<T>>,
}

impl<T: Real> Tape<T> {
    /// A tape without memory yet.
    pub fn new() -> Self {
        Tape { inner: RefCell::new(Inner::default()) }
    }

    /// Starts a recording with these parameters.
    ///
    /// What was recorded before is gone: its handles are of an earlier borrow, and the compiler has made sure that
    /// none is left.
    pub fn record<'r>(&'r mut self, params: &'r Params<T>) -> Recording<'r, T> {
        let inner = self.inner.get_mut();
        inner.start();
        if let Some(watch) = &mut inner.watch {
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
        self.inner.get_mut().zeros.when = when;
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
        Watch::change(&mut self.inner.get_mut().watch, |watch| watch.anomalies = on);
    }

    /// Measures the time of every op from now on, forward and backward, until
    /// [`stop_profile`](Tape::stop_profile). Begins anew if a profile is under way.
    pub fn start_profile(&mut self) {
        Watch::change(&mut self.inner.get_mut().watch, |watch| watch.profile = Some(Profile::default()));
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
        Watch::change(&mut self.inner.get_mut().watch, |watch| profile = watch.profile.take());
        profile.unwrap_or_default()
    }
}

impl<T: Real> fmt::Debug for Tape<T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let inner = self.inner.borrow();
        write!(f, "Tape of {} nodes", inner.nodes().len())
    }
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

impl<'r, T: Real> Recording<'r, T> {
    /// The parameters that the recording borrows.
    pub fn params(self) -> &'r Params<T> {
        self.params
    }

    /// A copy of everything recorded so far, to look at: print it, or draw it.
    pub fn graph(self) -> Graph {
        let inner = self.tape.inner.borrow();
        let nodes = inner.nodes().to_vec();
        let names = self.params.ids().map(|id| self.params.name(id).into()).collect();
        let notes = (0..nodes.len()).map(|i| inner.skipping(NodeId(i as u32)).to_string()).collect();
        Graph { nodes, names, densities: None, notes }
    }

    /// By which densities a product of the recording was shortened: forward, and in the last sweep.
    ///
    /// ```
    /// use quietgrad::{Params, SkipZeros, Tape, Tensor};
    ///
    /// let mut tape = Tape::<f32>::new();
    /// tape.skip_zeros(SkipZeros::Always); // a product as small as this one would not look for zeros
    /// let params = Params::new();
    /// let r = tape.record(&params);
    /// let h = r.constant(&Tensor::from([[1.0, -1.0, -2.0, -3.0]])).relu();
    /// let y = h.matmul(r.constant(&Tensor::full([4, 2], 1.0)));
    /// assert_eq!(r.skipping(y).forward, Some(0.25));
    /// ```
    pub fn skipping(self, product: Var<'r, T>) -> Skipping {
        self.tape.inner.borrow().skipping(product.id)
    }

    /// As [`graph`](Recording::graph), with the density of every value: the part of its elements that is not zero.
    /// Reads every value once.
    pub fn measured_graph(self) -> Graph {
        let mut graph = self.graph();
        let inner = self.tape.inner.borrow();
        let density = |node: &Node| {
            let value = inner.values(self.params).view(node).to_vec();
            value.iter().filter(|&&x| x != T::ZERO).count() as f64 / value.len() as f64
        };
        graph.densities = Some(graph.nodes.iter().map(density).collect());
        graph
    }

    /// The handle of a node.
    ///
    /// # Panics
    /// If the recording has no such node.
    #[track_caller]
    pub fn node(self, id: NodeId) -> Var<'r, T> {
        assert!(id.index() < self.tape.inner.borrow().nodes().len(), "this recording has no node {id}");
        self.var(id)
    }

    /// Every node with copies of its inputs' values.
    pub(crate) fn values(self) -> Vec<(Node, Vec<Tensor<T>>)> {
        let inner = self.tape.inner.borrow();
        let value = |id: &NodeId| self.var(*id).value();
        inner.nodes().iter().map(|node| (node.clone(), node.inputs.iter().map(value).collect())).collect()
    }

    /// A parameter: read in place, its gradient written in place. The same handle each time it is asked for.
    ///
    /// # Panics
    /// If there is no such parameter.
    #[track_caller]
    #[inline]
    pub fn param(self, id: ParamId) -> Var<'r, T> {
        let inner = &mut *self.tape.inner.borrow_mut();
        self.var(inner.param(id, self.params, Location::caller()))
    }

    /// A copy of a tensor, not differentiated: data, targets.
    #[track_caller]
    pub fn constant(self, value: &Tensor<T>) -> Var<'r, T> {
        self.leaf(Kind::Constant, value.shape(), value.data(), Location::caller())
    }

    /// A copy of some rows of a tensor, not differentiated: a mini-batch, gathered straight onto the tape.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn constant_rows(self, value: &Tensor<T>, rows: &[usize]) -> Var<'r, T> {
        let at = Location::caller();
        let Some((&count, row_shape)) = value.shape().split_first() else {
            panic!("constant_rows: a scalar has no rows");
        };
        let width = row_shape.iter().product::<usize>();
        let shape = std::iter::once(rows.len()).chain(row_shape.iter().copied()).collect::<Shape>();
        for &row in rows {
            assert!(row < count, "constant_rows: no row {row} in a tensor of shape {}", value.shape());
        }
        let inner = &mut *self.tape.inner.borrow_mut();
        let node = inner.leaf(Kind::Constant, &shape, at, |place| {
            for (place, &row) in place.chunks_exact_mut(width.max(1)).zip(rows) {
                place.copy_from_slice(&value.data()[row * width..(row + 1) * width]);
            }
        });
        self.var(node)
    }

    /// A constant scalar.
    #[track_caller]
    pub fn scalar(self, value: f64) -> Var<'r, T> {
        self.leaf(Kind::Constant, &Shape::scalar(), &[T::from_f64(value)], Location::caller())
    }

    /// A copy of a tensor, differentiated: [`Var::gradient`] gives its gradient after the sweep.
    #[track_caller]
    pub fn input(self, value: &Tensor<T>) -> Var<'r, T> {
        self.leaf(Kind::Input, value.shape(), value.data(), Location::caller())
    }

    /// Whole numbers, such as classes or row numbers, not differentiated.
    ///
    /// # Panics
    /// If there are not as many as the shape says, or one is too large to be exact in this element type (2²⁴ for
    /// `f32`).
    #[track_caller]
    pub fn indices(self, shape: impl Into<Shape>, indices: &[usize]) -> Indices<'r, T> {
        let shape = shape.into();
        assert_eq!(shape.elements(), indices.len(), "indices: shape {shape} does not fit");
        let inner = &mut *self.tape.inner.borrow_mut();
        let node = inner.leaf(Kind::Constant, &shape, Location::caller(), |place| {
            for (place, &index) in place.iter_mut().zip(indices) {
                *place = T::from_f64(index as f64);
                assert_eq!(
                    place.to_f64() as usize,
                    index,
                    "indices: {index} is not exact in this element type"
                );
            }
        });
        Indices(self.var(node))
    }

    fn leaf(self, kind: Kind, shape: &Shape, value: &[T], at: &'static Location<'static>) -> Var<'r, T> {
        let inner = &mut *self.tape.inner.borrow_mut();
        let node = inner.leaf(kind, shape, at, |place| place.copy_from_slice(value));
        self.var(node)
    }

    /// The vector-Jacobian product of several results at once, each with its cotangent. Overwrites `grads`.
    ///
    /// # Panics
    /// If a cotangent has not its value's shape, or none of the results depends on anything that is differentiated.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let mut params = Params::new();
    /// let w = params.add("w", Tensor::from([2.0, 3.0]));
    /// let mut grads = params.zeros();
    /// let mut tape = Tape::<f64>::new();
    /// let r = tape.record(&params);
    /// let (a, b) = (r.param(w).square(), r.param(w).sum());
    /// r.vjp(&[(a, &Tensor::from([1.0, 0.0])), (b, &Tensor::from(10.0))], &mut grads);
    /// assert_eq!(grads.data(), [14.0, 10.0]);
    /// ```
    #[track_caller]
    pub fn vjp(self, outputs: &[(Var<'r, T>, &Tensor<T>)], grads: &mut Grads<T>) {
        let mut roots: SmallVec<[(NodeId, &[T]); 4]> = SmallVec::new();
        for &(y, cotangent) in outputs {
            let shape = y.shape();
            let given = cotangent.shape();
            assert_eq!(&shape, given, "vjp: a cotangent must have its value's shape");
            roots.push((y.id, cotangent.data()));
        }
        self.sweep(&roots, grads, Accum::Replace);
    }

    #[track_caller]
    pub(crate) fn sweep(self, roots: &[(NodeId, &[T])], grads: &mut Grads<T>, accum: Accum) {
        let inner = &mut *self.tape.inner.borrow_mut();
        let active = roots.iter().any(|(root, _)| inner.nodes()[root.index()].is_active());
        assert!(active, "backward: this depends on no parameter and no input");
        let (expected, given) = (self.params.len(), grads.data().len());
        assert_eq!(expected, given, "backward: {given} gradients do not fit {expected} parameters");
        sweep(inner, roots, self.params, grads, accum);
    }

    /// Runs an op on some nodes and records it: what every method of [`Var`] comes down to.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    pub fn apply(self, op: Op, inputs: &[Var<'r, T>]) -> Var<'r, T> {
        self.run(&op, inputs, Location::caller())
    }

    #[inline(never)]
    #[track_caller]
    pub(crate) fn run(self, op: &Op, inputs: &[Var<'r, T>], at: &'static Location<'static>) -> Var<'r, T> {
        for input in inputs {
            let same = std::ptr::eq(input.recording.tape, self.tape);
            assert!(same, "{}: the operands are of two recordings", op.name());
        }
        let ids = inputs.iter().map(|input| input.id);
        let result = self.tape.inner.borrow_mut().apply(op, ids, self.params.data(), at);
        match result {
            Ok(node) => self.var(node),
            Err((name, error)) => panic!("{name}: {error}"),
        }
    }

    fn var(self, id: NodeId) -> Var<'r, T> {
        Var { recording: self, id }
    }
}

impl Recording<'_, f64> {
    /// Which smooth piece each element of each op is on, for the ops that have kinks.
    pub(crate) fn pieces(self) -> Vec<(&'static str, Vec<i64>)> {
        let inner = self.tape.inner.borrow();
        let nodes = inner.nodes();
        let mut pieces = Vec::new();
        for node in nodes {
            let Kind::Op(op) = &node.kind else { continue };
            let input = |id: &NodeId| inner.values(self.params).view(&nodes[id.index()]);
            let of_op = op.pieces(&node.inputs.iter().map(input).collect::<Vec<_>>());
            if !of_op.is_empty() {
                pieces.push((op.name(), of_op));
            }
        }
        pieces
    }
}
