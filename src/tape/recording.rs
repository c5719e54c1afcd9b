//! A recording under way: where values enter the graph, and ops are run on them.

use std::panic::Location;

use smallvec::SmallVec;

use super::backward::sweep;
use super::handles::{Indices, Obligation, Recording, Var};
use super::node::{Kind, Node, NodeId};
use super::record::Record;
use super::values::MOST_LISTED;
use super::zeros::Skipping;
use crate::matrix::{Accum, size};
use crate::ops::{Op, Real};
use crate::params::{Grads, ParamId, Params};
use crate::tensor::{Shape, Tensor};

impl<'r, T: Real> Recording<'r, T> {
    /// The parameters that the recording borrows.
    pub fn params(self) -> &'r Params<T> {
        self.params
    }

    /// By which densities a product of the recording was shortened: forward, and in the last sweep.
    ///
    /// # Panics
    /// If the product is of another recording.
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
    #[track_caller]
    pub fn skipping(self, product: Var<'r, T>) -> Skipping {
        product.expect_of(self, "skipping");
        self.tape.record.borrow().skipping(product.id)
    }

    /// The handle of a node.
    ///
    /// # Panics
    /// If the recording has no such node.
    #[track_caller]
    pub fn node(self, id: NodeId) -> Var<'r, T> {
        assert!(id.index() < self.tape.record.borrow().nodes().len(), "this recording has no node {id}");
        self.var(id)
    }

    /// A parameter: read in place, its gradient written in place. The same handle each time it is asked for.
    ///
    /// # Panics
    /// If there is no such parameter.
    #[track_caller]
    #[inline]
    pub fn param(self, id: ParamId) -> Var<'r, T> {
        let record = &mut *self.tape.record.borrow_mut();
        self.var(record.param(id, self.params, Location::caller()))
    }

    /// A copy of a tensor, not differentiated: data, targets.
    #[doc(alias = "no_grad")]
    #[track_caller]
    pub fn constant(self, value: &Tensor<T>) -> Var<'r, T> {
        self.leaf(Kind::Constant, value.shape(), value.data(), Location::caller())
    }

    /// A copy of some rows of a tensor, not differentiated: a mini-batch, gathered straight onto the tape.
    ///
    /// # Panics
    /// If there is no such row.
    #[doc(alias = "DataLoader")]
    #[track_caller]
    pub fn constant_rows(self, value: &Tensor<T>, rows: &[usize]) -> Var<'r, T> {
        let at = Location::caller();
        let Some((&count, row_shape)) = value.shape().split_first() else {
            panic!("constant_rows: a scalar has no rows");
        };
        let width = size::product(row_shape);
        let shape = std::iter::once(rows.len()).chain(row_shape.iter().copied()).collect::<Shape>();
        for &row in rows {
            assert!(row < count, "constant_rows: no row {row} in a tensor of shape {}", value.shape());
        }
        let record = &mut *self.tape.record.borrow_mut();
        let node = record.leaf(Kind::Constant, &shape, at, |place| {
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
    #[doc(alias = "requires_grad")]
    #[track_caller]
    pub fn input(self, value: &Tensor<T>) -> Var<'r, T> {
        self.leaf(Kind::Input, value.shape(), value.data(), Location::caller())
    }

    /// Whole numbers, such as classes or row numbers, not differentiated.
    ///
    /// # Panics
    /// If there are not as many as the shape says, or one is not exact in this element type (all up to 2²⁴ are in
    /// `f32`, and 2⁵³ in `f64`).
    #[track_caller]
    pub fn indices(self, shape: impl Into<Shape>, indices: &[usize]) -> Indices<'r, T> {
        let shape = shape.into();
        assert_eq!(shape.elements(), indices.len(), "indices: shape {shape} does not fit");
        let node = self.whole_numbers("indices", &shape, indices.iter().copied());
        Indices(self.var(node))
    }

    /// The indices of some rows: the classes of a mini-batch, beside [`constant_rows`](Recording::constant_rows).
    ///
    /// # Panics
    /// If there is no such row, or an index is not exact in this element type.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor, loss};
    ///
    /// let scores = Tensor::from([[2.0, 0.0], [0.0, 2.0], [0.0, 9.0]]);
    /// let classes = [0, 1, 0];
    /// let batch = [1, 0];
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let fit = loss::cross_entropy(r.constant_rows(&scores, &batch), r.indices_rows(&classes, &batch));
    /// assert!(fit.item() < 0.2);
    /// ```
    #[track_caller]
    pub fn indices_rows(self, indices: &[usize], rows: &[usize]) -> Indices<'r, T> {
        for &row in rows {
            assert!(row < indices.len(), "indices_rows: no row {row} among {} indices", indices.len());
        }
        let shape = Shape::from([rows.len()]);
        let node = self.whole_numbers("indices_rows", &shape, rows.iter().map(|&row| indices[row]));
        Indices(self.var(node))
    }

    /// A mask \[batch, time\] for sequences of these lengths, padded to `time` steps: 1 at the steps before a length, 0 from
    /// there on.
    ///
    /// # Panics
    /// If a length is larger than `time`.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// assert_eq!(r.mask(&[3, 0], 3).value(), Tensor::from([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]));
    /// ```
    #[doc(alias = "pack_padded_sequence")]
    #[track_caller]
    pub fn mask(self, lengths: &[usize], time: usize) -> Var<'r, T> {
        for &length in lengths {
            assert!(length <= time, "mask: a length of {length} does not fit {time} steps");
        }
        let (shape, at) = (Shape::from([lengths.len(), time]), Location::caller());
        let record = &mut *self.tape.record.borrow_mut();
        let node = record.leaf(Kind::Constant, &shape, at, |place| {
            for (place, &length) in place.chunks_exact_mut(time.max(1)).zip(lengths) {
                place[..length].fill(T::ONE);
                place[length..].fill(T::ZERO);
            }
        });
        self.var(node)
    }

    /// A constant of whole numbers, which must be exact, in the name of a method.
    #[track_caller]
    fn whole_numbers(
        self,
        method: &str,
        shape: &Shape,
        numbers: impl Iterator<Item = usize> + Clone,
    ) -> NodeId {
        for number in numbers.clone() {
            let exact = T::from_f64(number as f64).to_f64() as u128 == number as u128;
            assert!(exact, "{method}: {number} is not exact in this element type");
        }
        let record = &mut *self.tape.record.borrow_mut();
        record.leaf(Kind::Constant, shape, Location::caller(), |place| {
            for (place, number) in place.iter_mut().zip(numbers) {
                *place = T::from_f64(number as f64);
            }
        })
    }

    /// A copy of a value that no op computes.
    #[track_caller]
    fn leaf(self, kind: Kind, shape: &Shape, value: &[T], at: &'static Location<'static>) -> Var<'r, T> {
        let record = &mut *self.tape.record.borrow_mut();
        let node = record.leaf(kind, shape, at, |place| place.copy_from_slice(value));
        self.var(node)
    }

    /// The vector-Jacobian product of several results at once, each with its cotangent. Overwrites `grads`.
    ///
    /// # Panics
    /// If a cotangent has not its value's shape, a result is of another recording, none of them depends on anything that is
    /// differentiated, or `grads` are of other parameters.
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
        let mut roots: SmallVec<[(NodeId, &[T]); MOST_LISTED]> = SmallVec::new();
        for &(y, cotangent) in outputs {
            y.expect_of(self, "vjp");
            let (shape, given) = (y.shape(), cotangent.shape());
            assert!(
                shape == *given,
                "vjp: a cotangent of shape {given} does not fit a value of shape {shape}"
            );
            roots.push((y.id, cotangent.data()));
        }
        self.sweep("vjp", &roots, grads, Accum::Replace);
    }

    /// Carries the cotangents of some roots back to parameters and inputs. A panic, if that cannot be done, names the method.
    #[track_caller]
    pub(crate) fn sweep(self, method: &str, roots: &[(NodeId, &[T])], grads: &mut Grads<T>, accum: Accum) {
        let record = &mut *self.tape.record.borrow_mut();
        assert!(
            record.segments.open == 0,
            "{method}: a sweep cannot begin before a checkpoint's segment has ended"
        );
        for (root, _) in roots {
            record.expect_at_hand(method, &[*root]);
        }
        let active = roots.iter().any(|(root, _)| record.nodes()[root.index()].is_active());
        assert!(active, "{method}: this depends on no parameter and no input");
        self.params.expect_gradients(method, grads);
        if !record.cotangents.back() || !record.segments.back_cotangents() {
            let elements = |node: &&Node| node.shape().elements();
            let largest = record.nodes().iter().filter(|node| node.is_active()).max_by_key(elements);
            let largest = largest.map_or(String::new(), |node| {
                format!("; the largest is that of {}, of shape {}", node.name(), node.shape())
            });
            panic!("{method}: no memory for the cotangents{largest}");
        }
        sweep(record, roots, self.params, grads, accum);
    }

    /// Runs an op on some nodes and records it: what every method of [`Var`] comes down to.
    ///
    /// # Panics
    /// If the shapes do not fit, there is no memory for the result, or an input that the op takes for indices holds another
    /// number than a whole one in range.
    #[track_caller]
    pub fn apply(self, op: Op, inputs: &[Var<'r, T>]) -> Var<'r, T> {
        if let Some((k, bound)) = self.indices_of(&op, inputs) {
            Indices(inputs[k]).check_below(op.name(), bound);
        }
        self.run(&op, inputs, Location::caller())
    }

    /// The input that an op takes for indices, and what each must be below.
    fn indices_of(self, op: &Op, inputs: &[Var<'r, T>]) -> Option<(usize, usize)> {
        let record = self.tape.record.borrow();
        let mut shapes: SmallVec<[&[usize]; 4]> = SmallVec::new();
        for input in inputs.iter().take(4) {
            // One of another recording is refused later.
            let node = record.nodes().get(input.id.index())?;
            shapes.push(&node.shape);
        }
        op.indices(&shapes)
    }

    /// Runs an op whose indices, if it takes any, have been looked at, and records it as of the line `at`.
    #[inline(never)]
    #[track_caller]
    pub(crate) fn run(self, op: &Op, inputs: &[Var<'r, T>], at: &'static Location<'static>) -> Var<'r, T> {
        for input in inputs {
            let same = std::ptr::eq(input.recording.tape, self.tape);
            assert!(same, "{}: the operands are of two recordings", op.name());
        }
        let ids = inputs.iter().map(|input| input.id);
        let result = self.tape.record.borrow_mut().apply(op, ids, self.params.data(), at);
        match result {
            Ok(node) => self.var(node),
            Err((name, error)) => panic!("{name}: {error}"),
        }
    }

    fn var(self, id: NodeId) -> Var<'r, T> {
        Var { recording: self, id }
    }
}

impl<T: Real> Obligation<'_, T> {
    /// A node that meets it, if it becomes part of the loss.
    #[track_caller]
    pub(crate) fn met_by(self, recording: Recording<T>, node: NodeId) {
        let same = std::ptr::eq(self.recording.tape, recording.tape);
        assert!(same, "meets: the obligation is of another recording");
        self.recording.tape.record.borrow_mut().obligations.met_by(self.number, node);
    }
}

impl<'r, T: Real> Recording<'r, T> {
    /// Announces something that must become part of the loss: [`Var::backward`](crate::Var::backward) panics, and names
    /// `what` and the line that called this, unless a value that [meets](crate::Var::meets) the obligation is part of
    /// its loss.
    ///
    /// It is part of the loss if the loss's gradient flows to it. What has been [detached](crate::Var::detach) on the way to
    /// the loss does not count, and neither does what was computed from constants and detached values alone: it changes the
    /// number that is printed, but nothing learns from it. So a penalty on data, or on the output of a frozen layer, is
    /// not for training; where nothing is differentiated, in an evaluation, it may be computed and read freely.
    ///
    /// A recording with several losses: [`Var::backward_among`](crate::Var::backward_among).
    ///
    /// ```should_panic
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.input(&Tensor::from([1.0, 2.0]));
    /// let penalty = r.obligation("penalty");
    /// let (sum, mean) = (x.sum().meets(penalty), x.mean().meets(penalty)); // one of them will do
    /// x.square().sum().backward(&mut params.zeros()); // panics: but this has neither
    /// ```
    #[track_caller]
    pub fn obligation(self, what: &'static str) -> Obligation<'r, T> {
        let number = self.tape.record.borrow_mut().obligations.announce(what, Location::caller());
        Obligation { recording: self, number }
    }

    /// Panics if something that was to be part of the loss is part of none of these. To be called after a sweep from one of
    /// them, which has reached most of what is looked for.
    #[track_caller]
    pub(crate) fn check_obligations(self, roots: impl Iterator<Item = NodeId> + Clone) {
        let Record { nodes, recorded, flows, obligations, .. } = &mut *self.tape.record.borrow_mut();
        obligations.check(&nodes[..*recorded], flows, roots);
    }
}
