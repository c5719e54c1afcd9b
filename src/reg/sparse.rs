//! Penalties on single elements, samples and units that make activations sparse.

use super::{Penalty, or_infinity, rows};
use crate::ops::Real;
use crate::pointwise::{AbsPowf, Log1pSquare, Unary};
use crate::tape::Var;

/// Σ|x|ᵖ for p > 0: with p = 1 the l1 penalty, with p < 1 closer to counting what is not zero.
///
/// Below p = 1 the slope grows without bound towards 0, where it is taken to be 0: small activations are pushed off
/// quickly, and a unit that is off stays off. Source: I. E. Frank and J. H. Friedman, A Statistical View of Some
/// Chemometrics Regression Tools ("bridge"), 1993.
///
/// # Panics
/// If p is not positive and finite: with p = 0 the slope would be 0 everywhere.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, reg};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let h = r.input(&Tensor::from([4.0, -9.0, 0.0]));
/// let penalty = reg::lp(h, 0.5).summed();
/// assert_eq!(penalty.item(), 5.0);
/// penalty.backward(&mut params.zeros());
/// assert_eq!(h.gradient().unwrap(), Tensor::from([0.5 / 2.0, -0.5 / 3.0, 0.0]));
/// ```
#[track_caller]
pub fn lp<T: Real>(x: Var<'_, T>, p: f64) -> Penalty<'_, T> {
    let sensible = p > 0.0 && p.is_finite();
    assert!(sensible, "lp: a power of {p} makes no sense: it must be positive and finite");
    Penalty::of_each(x, Unary::AbsPowf(AbsPowf { exponent: p }), "lp penalty")
}

/// Σ ln(1 + x²/s): quadratic for |x| well below √s, and nearly flat above, so that large activations are left alone.
///
/// The prior of sparse coding. Source: B. A. Olshausen and D. J. Field, Emergence of Simple-Cell Receptive Field
/// Properties by Learning a Sparse Code for Natural Images, 1996.
///
/// # Panics
/// If s is not positive and finite.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, reg};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let h = r.constant(&Tensor::from([3.0, 0.0]));
/// assert_eq!(reg::log(h, 1.0).summed().item(), 10f64.ln());
/// ```
#[track_caller]
pub fn log<T: Real>(x: Var<'_, T>, s: f64) -> Penalty<'_, T> {
    let sensible = s > 0.0 && s.is_finite();
    assert!(sensible, "log: a scale of {s} makes no sense: it must be positive and finite");
    Penalty::of_each(x, Unary::Log1pSquare(Log1pSquare { s }), "log penalty")
}

/// Σ (Σ|x|)² / Σx², the inner sums over each sample: 1 for a sample with one active unit, n for one with n equal ones, 0
/// for none. It does not depend on the sample's scale, however small or large, so nothing is gained by shrinking. A sample
/// of zeros has the slope 0: there is no other that does not prefer a side.
///
/// Source: P. O. Hoyer, Non-negative Matrix Factorization with Sparseness Constraints, 2004, in the squared form of
/// H. Yang, W. Wen and H. Li, DeepHoyer, 2020.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, reg};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let h = r.constant(&Tensor::from([[0.0, 5.0, 0.0, 0.0], [2.0, 2.0, 0.0, 2.0], [0.0, 0.0, 0.0, 0.0]]));
/// approx::assert_relative_eq!(reg::hoyer(h).summed().item(), 1.0 + 3.0, max_relative = 1e-15);
/// ```
#[track_caller]
pub fn hoyer<T: Real>(x: Var<'_, T>) -> Penalty<'_, T> {
    let rows = rows(x);
    // Divided first: a sum of |x| may overflow where none of them does.
    let directions = rows / or_infinity(rows.l2_norm_axes([1])).unsqueeze(1);
    Penalty::new(x, directions.l1_norm_axes([1]).square().sum(), "Hoyer penalty")
}

/// Σ ρ ln(ρ/m) + (1 − ρ) ln((1 − ρ)/(1 − m)) over units, m being the unit's mean activation: the divergence of a coin
/// that shows heads a share `rho` of the time from one that does so a share m.
///
/// For activations between 0 and 1, such as a sigmoid's; units lie along the last axis, and the mean is over all others.
/// There is one reduction only, since it is about the whole batch already; the batch must be large enough for its means
/// to mean something. The divergence from a unit that is always 0 or always 1 is infinite; so that a saturated unit can
/// return, m is taken as u + (1 − 2u) m, with u = 2⁻²⁴ in `f32` and 2⁻⁵³ in `f64`: value and slope are large there, and
/// finite. Beyond 0 and 1 it is NaN.
///
/// Source: A. Ng, Sparse Autoencoder (CS294A lecture notes; UFLDL tutorial), 2011.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, reg};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let h = r.constant(&Tensor::from([[0.1, 0.5], [0.3, 0.5]]));
/// let expected = 0.2 * (0.2f64 / 0.5).ln() + 0.8 * (0.8f64 / 0.5).ln(); // the first unit is at its target
/// approx::assert_relative_eq!(reg::kl_sparsity(h, 0.2).item(), expected, max_relative = 1e-12);
/// ```
///
/// # Panics
/// If the tensor is a scalar, there are no samples, or `rho` is not between 0 and 1.
#[track_caller]
pub fn kl_sparsity<T: Real>(h: Var<'_, T>, rho: f64) -> Var<'_, T> {
    assert!(rho > 0.0 && rho < 1.0, "kl_sparsity: a share of {rho} is not between 0 and 1");
    let shape = h.shape();
    let Some(&units) = shape.last() else { panic!("kl_sparsity: a scalar has no units") };
    let others = shape[..shape.rank() - 1].iter().product();
    let border = T::UNIT_ROUNDOFF.to_f64();
    let mean = h.reshape([others, units]).mean_axes([0]) * (1.0 - 2.0 * border) + border;
    let cross = mean.log().sum() * rho + (1.0 - mean).log().sum() * (1.0 - rho);
    let entropy = rho * rho.ln() + (1.0 - rho) * (1.0 - rho).ln();
    (units as f64 * entropy - cross).must_reach_loss("KL sparsity penalty")
}
