//! Checks of gradients: is the reverse sweep the transpose of the derivative?
//!
//! [`check`] takes any function recorded on a tape. It looks at every op of the recording by itself, at the very
//! values it was given, so that a wrong rule is reported by its name and by the line that recorded it; then at the
//! whole function.
//!
//! Two references are used. *Dual numbers* run the op forward with its derivative in the direction of one element:
//! exact but for rounding, on every branch that the op takes, so that the choices at kinks are checked as well.
//! *Central differences* (f(x + h) − f(x − h)) / 2h know nothing of any rule; a point within h of a kink is skipped,
//! and the report says which and why.

use std::fmt;
use std::panic::Location;

use crate::element::Dual;
use crate::ops::{Op, Real};
use crate::params::Params;
use crate::random::Random;
use crate::tape::{Kind, Node, NodeId, Recording, Tape, Var};
use crate::tensor::{Tensor, View};

/// Largest relative difference from dual numbers.
pub const DUAL_TOLERANCE: f64 = 1e-12;
/// Largest relative difference from central differences.
pub const DIFFERENCE_TOLERANCE: f64 = 1e-6;
/// Half the distance between the points of a central difference.
const STEP: f64 = 1e-5;

/// What a successful check looked at.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Derivatives compared with dual numbers.
    pub duals: usize,
    /// Derivatives compared with central differences.
    pub differences: usize,
    /// The largest relative difference from dual numbers.
    pub worst_dual: f64,
    /// The largest relative difference from central differences.
    pub worst_difference: f64,
    /// Points at which there is no derivative to compare with.
    pub skipped: Vec<Skip>,
}

/// A point that central differences could not be taken at.
#[derive(Clone, Debug)]
pub struct Skip {
    /// The op whose input lies near a kink.
    pub op: &'static str,
    /// Which of its elements changes from one smooth piece to another.
    pub element: usize,
    /// The leaf, or input, whose element was moved.
    pub input: usize,
    /// The element that was moved.
    pub index: usize,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Skip { op, element, input, index } = self;
        write!(f, "input {input}, element {index}: skipped, since element {element} of {op} is at a kink")
    }
}

/// A derivative that is wrong.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// The op, or "the function" as a whole.
    pub op: String,
    /// The line that recorded the op, if a recording was checked.
    pub at: Option<&'static Location<'static>>,
    /// The input (of the op), or leaf (of the function, in recorded order), that it is a derivative with respect to.
    pub input: usize,
    /// The element of that input.
    pub index: usize,
    /// What the reverse sweep gave.
    pub reverse: f64,
    /// What it should have been.
    pub expected: f64,
    /// What said so.
    pub reference: &'static str,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Mismatch { op, input, index, reverse, expected, reference, .. } = self;
        write!(f, "{op}: derivative by input {input}, element {index}: {reverse} by the reverse sweep, ")?;
        write!(f, "{expected} by {reference}")?;
        match self.at {
            Some(at) => write!(f, " (recorded at {at})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Mismatch {}

/// How an op's inputs are handed to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// One leaf each, row-major.
    Plain,
    /// Each a transposed view of a leaf.
    Transposed,
    /// The first leaf for all of them, where their shapes are the same.
    Repeated,
}

/// Checks every op of the recording that `f` makes, and the gradient of `f` as a whole, at these parameters.
///
/// `f` may use parameters and inputs, and be of any shape: its elements are weighted at random.
///
/// # Errors
/// The first derivative that is wrong: which op, by which element, and both values.
///
/// # Panics
/// If `f` depends on no parameter and no input.
///
/// ```
/// use quietgrad::{Params, Tensor, gradcheck, reg};
///
/// let mut params = Params::new();
/// let w = params.add("w", Tensor::from([[0.3, -1.2], [0.7, 0.0]]));
/// let report = gradcheck::check(&params, |r| {
///     let h = r.param(w).relu();
///     h.matmul(h.t()).tanh().sum() + reg::l1(h).summed() * 0.1
/// })?;
/// assert!(report.worst_dual < 1e-12);
/// // No central differences at the relu's kink, and at those of |h| where h is exactly 0.
/// println!("{}", report.skipped[0]); // input 0, element 3: skipped, since element 3 of relu is at a kink
/// # Ok::<(), gradcheck::Mismatch>(())
/// ```
#[track_caller]
pub fn check(
    params: &Params<f64>,
    f: impl for<'r> Fn(Recording<'r, f64>) -> Var<'r, f64>,
) -> Result<Report, Mismatch> {
    let mut report = Report::default();
    let mut tape = Tape::new();
    tape.record.get_mut().segments.keep = true; // each op is looked at by itself, with its inputs
    let mut grads = params.zeros();
    let (nodes, weights) = {
        let y = f(tape.record(params));
        let weights = random_weights(&y.value());
        y.vjp(&weights, &mut grads);
        (nodes_with_inputs(y.recording()), weights)
    };
    for (node, inputs) in &nodes {
        if let (Kind::Op(op), true) = (&node.kind, node.is_active()) {
            let op_report = check_op(op, inputs, Feed::Plain)
                .map_err(|mismatch| Mismatch { at: Some(node.location()), ..mismatch })?;
            report.merge(op_report);
        }
    }

    let mut moved = params.clone();
    // Frozen parameters have no gradient to be checked.
    for (input, id) in params.ids().enumerate().filter(|(_, id)| !params.is_frozen(*id)) {
        for index in 0..params.get(id).len() {
            let mut at = |step: f64| {
                moved.get_mut(id)[index] = params.get(id)[index] + step;
                let y = f(tape.record(&moved));
                (weighted(&y.value(), &weights), pieces(y.recording()))
            };
            let (above, below) = (at(STEP), at(-STEP));
            moved.get_mut(id)[index] = params.get(id)[index];
            report.compare_difference("the function", input, index, grads.get(id)[index], above, below)?;
        }
    }
    Ok(report)
}

/// Checks one op at these inputs: each derivative against dual numbers, and against central differences.
///
/// Inputs of whole numbers (classes, row numbers) are recognized by the op's refusal to differentiate them: no
/// gradient arrives there, and none is expected.
///
/// # Errors
/// The first derivative that is wrong.
#[inline] // as what computes with dual numbers: compiled where it is called
pub fn check_op(op: &Op, inputs: &[Tensor<f64>], feed: Feed) -> Result<Report, Mismatch> {
    let mut report = Report::default();
    let none = Params::new();
    let mut tape = Tape::new();
    let (weights, gradients) = {
        let (leaves, y) = feed.run(op, inputs, tape.record(&none));
        let weights = random_weights(&y.value());
        if !op.differentiable() {
            return Ok(report);
        }
        y.vjp(&weights, &mut none.zeros());
        (weights, leaves.iter().map(|leaf| leaf.gradient()).collect::<Vec<_>>())
    };

    let leaves = if feed == Feed::Repeated { &inputs[..1] } else { inputs };
    let no_duals = Params::new();
    let mut dual_tape = Tape::new();
    let mut duals: Vec<_> = inputs.iter().map(|x| x.map(|x| Dual::new(x, 0.0))).collect();
    let mut moved = inputs.to_vec();
    for (input, x) in leaves.iter().enumerate() {
        let Some(gradient) = &gradients[input] else { continue };
        for (index, &g) in gradient.data().iter().enumerate() {
            duals[input].data_mut()[index].tangent = 1.0;
            let y = feed.run(op, &duals, dual_tape.record(&no_duals)).1.value();
            duals[input].data_mut()[index].tangent = 0.0;
            let slope = y.data().iter().zip(weights.data()).map(|(y, w)| y.tangent * w).sum();
            report.compare_dual(op.name(), input, index, g, slope)?;

            let mut at = |step: f64| {
                moved[input].data_mut()[index] = x.data()[index] + step;
                let y = feed.run(op, &moved, tape.record(&none)).1;
                (weighted(&y.value(), &weights), pieces(y.recording()))
            };
            let (above, below) = (at(STEP), at(-STEP));
            moved[input].data_mut()[index] = x.data()[index];
            report.compare_difference(op.name(), input, index, g, above, below)?;
        }
    }
    Ok(report)
}

impl Feed {
    /// Records the op on these values; gives the nodes whose gradients are checked, and the result.
    fn run<'r, T: Real>(
        self,
        op: &Op,
        inputs: &[Tensor<T>],
        r: Recording<'r, T>,
    ) -> (Vec<Var<'r, T>>, Var<'r, T>) {
        let leaf = |x: &Tensor<T>| match self {
            Feed::Transposed => {
                let reversed: Vec<usize> = (0..x.shape().rank()).rev().collect();
                let turned = r.constant(x).permute(&reversed).value();
                let operand = r.input(&turned).permute(&reversed);
                (operand, operand)
            }
            Feed::Plain | Feed::Repeated => {
                let leaf = r.input(x);
                (leaf, leaf)
            }
        };
        let (leaves, mut operands): (Vec<_>, Vec<_>) = inputs.iter().map(leaf).unzip();
        if self == Feed::Repeated {
            let first = operands[0];
            operands.fill(first);
        }
        (leaves, r.apply(op.clone(), &operands))
    }
}

/// A weight for every element, so that a result of any shape becomes a number.
fn random_weights(y: &Tensor<f64>) -> Tensor<f64> {
    let mut random = Random::new(17);
    y.map(|_| random.uniform(0.5, 1.5))
}

fn weighted(y: &Tensor<f64>, weights: &Tensor<f64>) -> f64 {
    y.data().iter().zip(weights.data()).map(|(y, w)| y * w).sum()
}

/// The pieces of every op of a recording that has any.
type Pieces = Vec<(&'static str, Vec<i64>)>;

impl Report {
    fn merge(&mut self, other: Report) {
        self.duals += other.duals;
        self.differences += other.differences;
        self.worst_dual = self.worst_dual.max(other.worst_dual);
        self.worst_difference = self.worst_difference.max(other.worst_difference);
        self.skipped.extend(other.skipped);
    }

    /// Compares a derivative with that of dual numbers.
    fn compare_dual(
        &mut self,
        op: &str,
        input: usize,
        index: usize,
        reverse: f64,
        expected: f64,
    ) -> Result<(), Mismatch> {
        self.duals += 1;
        let error = relative(reverse, expected);
        self.worst_dual = self.worst_dual.max(error);
        if error <= DUAL_TOLERANCE {
            return Ok(());
        }
        let reference = "dual numbers";
        Err(Mismatch { op: op.into(), at: None, input, index, reverse, expected, reference })
    }

    /// Compares a derivative with the central difference of the values above and below, unless a kink lies between them.
    fn compare_difference(
        &mut self,
        op: &str,
        input: usize,
        index: usize,
        reverse: f64,
        (above, pieces_above): (f64, Pieces),
        (below, pieces_below): (f64, Pieces),
    ) -> Result<(), Mismatch> {
        for ((op, above), (_, below)) in pieces_above.iter().zip(&pieces_below) {
            if let Some(element) = above.iter().zip(below).position(|(a, b)| a != b) {
                self.skipped.push(Skip { op, element, input, index });
                return Ok(());
            }
        }
        self.differences += 1;
        let expected = (above - below) / (2.0 * STEP);
        let error = relative(reverse, expected);
        self.worst_difference = self.worst_difference.max(error);
        if error <= DIFFERENCE_TOLERANCE {
            return Ok(());
        }
        let reference = "central differences";
        Err(Mismatch { op: op.into(), at: None, input, index, reverse, expected, reference })
    }
}

/// |a − b| relative to the larger of |b| and 1; infinite if either is NaN.
fn relative(a: f64, b: f64) -> f64 {
    let error = (a - b).abs() / b.abs().max(1.0);
    if error.is_nan() { f64::INFINITY } else { error }
}

/// Every node with copies of its inputs' values.
fn nodes_with_inputs(r: Recording<f64>) -> Vec<(Node, Vec<Tensor<f64>>)> {
    let nodes = r.tape.record.borrow().nodes().to_vec();
    let value = |&id: &NodeId| r.node(id).value();
    let inputs: Vec<Vec<_>> = nodes.iter().map(|node| node.inputs().iter().map(value).collect()).collect();
    nodes.into_iter().zip(inputs).collect()
}

/// The smooth piece that each element of each op is on, for the ops that have kinks.
fn pieces(r: Recording<f64>) -> Pieces {
    let mut pieces = Vec::new();
    for (node, inputs) in nodes_with_inputs(r) {
        let Kind::Op(op) = node.kind() else { continue };
        let views: Vec<_> = inputs.iter().map(|x| View::dense(x.data(), x.shape())).collect();
        let of_op = op.pieces(&views);
        if !of_op.is_empty() {
            pieces.push((op.name(), of_op));
        }
    }
    pieces
}
