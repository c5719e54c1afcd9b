//! Proximal steps: exact zeros among the parameters.

use super::fields::{demand, rate};
use crate::element::Element;
use crate::kernels::{length, update};
use crate::params::{ParamId, Params};

/// p ← sign(p) max(|p| − `lr` `lambda`, 0), after an optimizer's step with step size `lr`: the l1 penalty λ Σ|p| on a
/// parameter, with exact zeros.
///
/// Gradient steps on λ|p| make p small and let it jump across 0; it is exactly 0 hardly ever. A proximal step splits the
/// loss instead: the optimizer steps down the smooth part f alone (leave the penalty out of the loss), and then p goes
/// to where ½ (q − p)² + lr λ |q| is smallest. The step size belongs in the threshold: at a minimum the step −lr f' and
/// the shrinkage lr λ cancel, so that f' = −λ sign(p) whatever lr is, down a schedule as well.
///
/// With plain [`Sgd`](super::Sgd) this is the proximal gradient method (ISTA), and finds the minimum of f + λ Σ|p|. An
/// adaptive optimizer divides each gradient by a scale of its own, and this step does not: the zeros are as exact, but λ
/// then weighs against f' over that scale, and which parameters become zero is no longer the minimum's choice.
///
/// Source: I. Daubechies, M. Defrise and C. De Mol, An Iterative Thresholding Algorithm for Linear Inverse Problems with a
/// Sparsity Constraint, 2004.
///
/// # Panics
/// If the step size or the coefficient is negative, infinite or NaN. A NaN among the parameters stays, and so does a
/// [frozen](Params::freeze) parameter.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, optim::{Optimizer, Sgd, proximal_l1}};
///
/// // The minimum of ½ (x − 3)² + ½ (y − 0.5)² + |x| + |y| is at x = 2, y = 0.
/// let mut params = Params::new();
/// let p = params.add("p", Tensor::from([1.0, 1.0]));
/// let target = Tensor::from([3.0, 0.5]);
/// let (mut tape, mut grads, mut sgd) = (Tape::<f64>::new(), params.zeros(), Sgd::new(0.1));
/// for _ in 0..300 {
///     let r = tape.record(&params);
///     ((r.param(p) - r.constant(&target)).square().sum() * 0.5).backward(&mut grads);
///     sgd.step(&mut params, &grads);
///     proximal_l1(&mut params, p, sgd.lr, 1.0);
/// }
/// assert!((params.get(p)[0] - 2.0).abs() < 1e-9);
/// assert_eq!(params.get(p)[1], 0.0);
/// ```
#[track_caller]
pub fn proximal_l1<T: Element>(params: &mut Params<T>, id: ParamId, lr: f64, lambda: f64) {
    demand("proximal_l1", [rate("lr", lr), rate("lambda", lambda)]);
    if !params.is_frozen(id) {
        update::soft_threshold(params.get_mut(id), T::from_f64(lr * lambda));
    }
}

/// Each row p ← p max(1 − `lr` `lambda` / ‖p‖, 0) of a parameter: the group lasso λ Σ‖row‖, with rows that are zero as a
/// whole.
///
/// Source: M. Yuan and Y. Lin, Model Selection and Estimation in Regression with Grouped Variables, 2006.
///
/// # Panics
/// If the parameter is a scalar, or the step size or the coefficient negative, infinite or NaN. A row with a NaN becomes NaN.
///
/// ```
/// use quietgrad::{Params, Tensor, optim::proximal_group_lasso};
///
/// let mut params = Params::new();
/// let w = params.add("w", Tensor::from([[3.0, 4.0], [0.3, 0.4]]));
/// proximal_group_lasso(&mut params, w, 0.5, 2.0); // each row becomes shorter by 1
/// approx::assert_relative_eq!(params.get(w)[1], 3.2, max_relative = 1e-12);
/// assert_eq!(params.get(w)[2..], [0.0, 0.0]);
/// ```
#[track_caller]
pub fn proximal_group_lasso<T: Element>(params: &mut Params<T>, id: ParamId, lr: f64, lambda: f64) {
    demand("proximal_group_lasso", [rate("lr", lr), rate("lambda", lambda)]);
    let shape = params.shape(id).clone();
    assert!(shape.rank() > 0, "proximal_group_lasso: a scalar has no rows");
    if params.is_frozen(id) {
        return;
    }
    let width = shape[1..].iter().product::<usize>();
    let threshold = lr * lambda;
    for row in params.get_mut(id).chunks_exact_mut(width.max(1)) {
        let length = length(row).value();
        let keep = T::from_f64(if length <= threshold { 0.0 } else { 1.0 - threshold / length });
        for p in row {
            *p = update::kept(*p * keep);
        }
    }
}
