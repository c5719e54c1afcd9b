//! Derivatives beyond one reverse sweep: directional derivatives, Jacobians, Hessians and Hessian-vector products.
//!
//! A recording is data, so it can be run again over dual numbers. Forward, each node then carries the derivative in one
//! direction (J v); swept back, each gradient carries the Hessian's product with that direction (H v): forward over
//! reverse, with the same rules and no second set of derivatives. A function that branches on values takes, in the
//! second run, the branches of the first.

use crate::element::Dual;
use crate::params::{Grads, Params};
use crate::tape::{Kind, NodeId};
use crate::tape::{Recording, Tape, Var};
use crate::tensor::Tensor;

/// Runs everything that was recorded up to `y` again, over dual numbers; a parameter's tangent is its element of
/// `direction`. For second derivatives the tangents where a function has a tip are those along the direction
/// ([`along_direction`](crate::ops::Rule::along_direction)).
#[inline] // as what computes with dual numbers: compiled where it is called
fn replay<'d>(y: Var<'_, f64>, onto: Recording<'d, Dual<f64>>, second: bool) -> Var<'d, Dual<f64>> {
    let mut again: Vec<Var<Dual<f64>>> = Vec::new();
    for (number, node) in y.recording().graph().nodes().iter().enumerate().take(y.id().index() + 1) {
        let value = |id: u32| y.recording().node(NodeId(id)).value().map(|x| Dual::new(x, 0.0));
        again.push(match node.kind() {
            Kind::Constant => onto.constant(&value(number as u32)),
            Kind::Input => onto.input(&value(number as u32)),
            Kind::Param(id) => onto.param(*id),
            Kind::Op(op) => {
                let inputs: Vec<_> = node.inputs().iter().map(|id| again[id.index()]).collect();
                onto.apply(if second { op.along_direction() } else { op.clone() }, &inputs)
            }
        });
    }
    again[y.id().index()]
}

/// The parameters as dual numbers that move in `direction`.
#[inline]
fn lifted(params: &Params<f64>, direction: &[f64]) -> Params<Dual<f64>> {
    let mut tangents = direction.iter();
    params.map(|value| Dual::new(value, *tangents.next().expect("a direction has the parameters' length")))
}

/// The value of `f` and its derivative J v in a direction v of the parameters: one run forward, no sweep.
///
/// # Panics
/// If the direction is of other parameters.
///
/// ```
/// use quietgrad::{Params, Tensor, derivatives};
///
/// let mut params = Params::new();
/// let x = params.add("x", Tensor::from([1.0, 2.0]));
/// let mut direction = params.zeros();
/// direction.data_mut().copy_from_slice(&[1.0, 0.0]);
/// let (value, slope) = derivatives::jvp(&params, &direction, |r| r.param(x).square());
/// assert_eq!(value, Tensor::from([1.0, 4.0]));
/// assert_eq!(slope, Tensor::from([2.0, 0.0]));
/// ```
#[track_caller]
pub fn jvp(
    params: &Params<f64>,
    direction: &Grads<f64>,
    f: impl for<'r> Fn(Recording<'r, f64>) -> Var<'r, f64>,
) -> (Tensor<f64>, Tensor<f64>) {
    params.expect_gradients("jvp", direction);
    let mut tape = Tape::new();
    let y = f(tape.record(params));
    let moving = lifted(params, direction.data());
    let mut dual_tape = Tape::new();
    let slope = replay(y, dual_tape.record(&moving), false).value().map(|y| y.tangent);
    (y.value(), slope)
}

/// The gradient of a scalar function and its Hessian's product H v with a direction v of the parameters: one run
/// forward and one sweep, whatever the number of parameters.
///
/// Source: B. A. Pearlmutter, Fast Exact Multiplication by the Hessian, 1994.
///
/// # Panics
/// If `f` is not a scalar, or the direction is of other parameters.
///
/// ```
/// use quietgrad::{Params, Tensor, derivatives};
///
/// let mut params = Params::new();
/// let x = params.add("x", Tensor::from([1.0, 2.0]));
/// let mut direction = params.zeros();
/// direction.data_mut().copy_from_slice(&[1.0, 1.0]);
/// let (gradient, product) = derivatives::hvp(&params, &direction, |r| r.param(x).powf(3.0).sum());
/// assert_eq!(gradient.data(), [3.0, 12.0]);
/// assert_eq!(product.data(), [6.0, 12.0]);
/// ```
#[track_caller]
pub fn hvp(
    params: &Params<f64>,
    direction: &Grads<f64>,
    f: impl for<'r> Fn(Recording<'r, f64>) -> Var<'r, f64>,
) -> (Grads<f64>, Grads<f64>) {
    params.expect_gradients("hvp", direction);
    let mut tape = Tape::new();
    let y = f(tape.record(params));
    let (mut gradient, mut product) = (params.zeros(), params.zeros());
    let mut dual_tape = Tape::new();
    sweep_duals(y, params, direction.data(), &mut dual_tape, |i, g| {
        gradient.data_mut()[i] = g.value;
        product.data_mut()[i] = g.tangent;
    });
    (gradient, product)
}

/// Sweeps `y` over dual numbers and hands on the parameters' gradients.
#[track_caller]
fn sweep_duals(
    y: Var<f64>,
    params: &Params<f64>,
    direction: &[f64],
    tape: &mut Tape<Dual<f64>>,
    mut each: impl FnMut(usize, Dual<f64>),
) {
    let moving = lifted(params, direction);
    let mut grads = moving.zeros();
    replay(y, tape.record(&moving), true).backward(&mut grads);
    for (i, &g) in grads.data().iter().enumerate() {
        each(i, g);
    }
}

/// The Jacobian of a function of one tensor: shape [outputs, inputs], both counted in row-major order. One sweep for
/// each output.
///
/// # Panics
/// If the result of `f` does not depend on its argument.
///
/// ```
/// use quietgrad::{Tensor, derivatives};
///
/// let jacobian = derivatives::jacobian(&Tensor::from([2.0, 3.0]), |x| x * x.sum());
/// assert_eq!(jacobian, Tensor::from([[7.0, 2.0], [3.0, 8.0]]));
/// ```
#[track_caller]
pub fn jacobian(x: &Tensor<f64>, f: impl for<'r> Fn(Var<'r, f64>) -> Var<'r, f64>) -> Tensor<f64> {
    let mut params = Params::new();
    let id = params.add("x", x.clone());
    let mut tape = Tape::new();
    let y = f(tape.record(&params).param(id));
    let (outputs, inputs) = (y.shape().elements(), x.shape().elements());
    let mut grads = params.zeros();
    let mut rows = Vec::with_capacity(outputs * inputs);
    let mut cotangent = Tensor::zeros(y.shape());
    for output in 0..outputs {
        cotangent.data_mut()[output] = 1.0;
        y.vjp(&cotangent, &mut grads);
        cotangent.data_mut()[output] = 0.0;
        rows.extend_from_slice(grads.data());
    }
    Tensor::new([outputs, inputs], rows).expect("one row an output")
}

/// The Hessian of a scalar function of one tensor: shape [n, n] for n elements in row-major order. One run forward and
/// one sweep for each of them.
///
/// # Panics
/// If `f` is not a scalar.
///
/// ```
/// use quietgrad::{Tensor, derivatives};
///
/// let hessian = derivatives::hessian(&Tensor::from([1.0, 2.0]), |x| x.powf(3.0).sum() + x.sum().square());
/// assert_eq!(hessian, Tensor::from([[8.0, 2.0], [2.0, 14.0]]));
/// ```
#[track_caller]
pub fn hessian(x: &Tensor<f64>, f: impl for<'r> Fn(Var<'r, f64>) -> Var<'r, f64>) -> Tensor<f64> {
    let mut params = Params::new();
    let id = params.add("x", x.clone());
    let mut tape = Tape::new();
    let y = f(tape.record(&params).param(id));
    let n = x.shape().elements();
    let mut hessian = Tensor::zeros([n, n]);
    let mut dual_tape = Tape::new();
    let mut direction = vec![0.0; n];
    for column in 0..n {
        direction[column] = 1.0;
        sweep_duals(y, &params, &direction, &mut dual_tape, |row, g| hessian[[row, column]] = g.tangent);
        direction[column] = 0.0;
    }
    hessian
}
