//! Penalties on the length of vectors: they are zero as a whole or not at all.

use super::{Penalty, rows};
use crate::ops::Real;
use crate::tape::Var;

/// Σ ‖x‖₂ over samples, with the root: pulls each sample's vector towards zero with the same force however long it is.
/// The gradient at a zero vector is 0.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, reg};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let h = r.constant(&Tensor::from([[3.0, 4.0], [0.0, 1.0]]));
/// assert_eq!(reg::l2_norm(h).per_sample().item(), 3.0);
/// ```
#[track_caller]
pub fn l2_norm<T: Real>(x: Var<'_, T>) -> Penalty<'_, T> {
    Penalty::new(x, rows(x).l2_norm_axes([1]).sum(), "l2 norm penalty")
}

/// Σ √n ‖group‖₂, a group being the n elements along these axes: all of them become zero together.
///
/// On weights [inputs, outputs], axis 1 groups what leaves an input, so that inputs drop out, and axis 0 what enters a
/// unit. Neighbouring units of a layer are grouped by a reshape: `h.reshape([samples, groups, size])`, axis 2.
///
/// Source: M. Yuan and Y. Lin, Model Selection and Estimation in Regression with Grouped Variables, 2006.
///
/// # Panics
/// If there is no such axis, or one is named twice.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, reg};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let w = r.constant(&Tensor::from([[1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 3.0]]));
/// assert_eq!(reg::group_lasso(w, &[1]).summed().item(), 2.0 * 2.0 + 2.0 * 3.0);
/// ```
#[track_caller]
pub fn group_lasso<'r, T: Real>(x: Var<'r, T>, axes: &[usize]) -> Penalty<'r, T> {
    let lengths = x.l2_norm_axes(axes);
    let shape = x.shape();
    let size: usize = axes.iter().map(|&axis| shape[axis]).product();
    Penalty::new(x, lengths.sum() * (size as f64).sqrt(), "group lasso penalty")
}
