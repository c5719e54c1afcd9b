//! Penalties on sequences: steps that do not count, and what one costs a step.

use super::{Penalty, Sum, or_infinity, sequence};
use crate::ops::Real;
use crate::ops::map::Map;
use crate::tape::Var;

impl<'r, T: Real> Penalty<'r, T> {
    /// Leaves out the steps at which the mask, \[batch, time\], is 0 and not 1: of the sum and, in
    /// [`per_step`](Penalty::per_step), of what it is divided by. Such a step may hold anything, NaN included.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor, reg};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let h = r.constant(&Tensor::from([[[1.0], [2.0], [9.0], [9.0]]])); // one sequence of two steps, padded to four
    /// let mask = r.mask(&[2], 4);
    /// assert_eq!(reg::l1(h).masked(mask).summed().item(), 1.0 + 2.0);
    /// assert_eq!(reg::l1(h).masked(mask).per_step().item(), 1.5);
    /// assert_eq!(reg::tar(h, 1).masked(mask).summed().item(), 1.0); // no difference is taken across the edge
    /// ```
    ///
    /// # Panics
    /// If the mask's axes are not the first ones of the tensor, or the penalty is not a sum over steps: one on whole samples,
    /// such as [`hoyer`](super::hoyer), or a sum of penalties, each of which is to be masked by itself.
    #[track_caller]
    pub fn masked(self, mask: Var<'r, T>) -> Self {
        let (shape, of) = (mask.shape(), self.of.shape());
        let fits = shape.rank() > 0 && of.starts_with(&shape);
        assert!(fits, "masked: a mask of shape {shape} does not fit the first axes of {of}");
        if let Sum::Differences { time } = self.sum {
            assert!(
                time < shape.rank(),
                "masked: a mask of shape {shape} has no axis {time}, which is that of time"
            );
        }
        let by_steps = matches!(self.sum, Sum::OfEach(_) | Sum::Elastic(_) | Sum::Differences { .. });
        assert!(
            by_steps,
            "masked: this penalty is no sum over steps, or a sum of penalties: mask each by itself"
        );
        Penalty { mask: Some(mask), ..self }
    }

    /// The sum divided by the number of steps of all samples, the sizes of the first two axes; under a
    /// [mask](Penalty::masked) by the number of those that count, 0 if none does. A difference of two steps counts as one.
    ///
    /// A coefficient means the same for long and for short sequences then; [`per_sample`](Penalty::per_sample) weighs a
    /// sequence by its length.
    ///
    /// # Panics
    /// If there are no steps, or the penalty is not a sum over steps.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor, reg};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let h = r.constant(&Tensor::full([2, 5, 3], 1.0)); // two samples of five steps of three units
    /// assert_eq!(reg::l1(h).per_step().item(), 3.0);
    /// assert_eq!(reg::l1(h).per_sample().item(), 15.0);
    /// ```
    #[track_caller]
    pub fn per_step(self) -> Var<'r, T> {
        let shape = self.of.shape();
        let total = match (self.sum, self.mask) {
            (Sum::Total(_) | Sum::Mixed(_), _) => {
                panic!("per_step: this penalty is no sum over steps, or a sum of penalties")
            }
            (sum, Some(mask)) => self.total() / or_infinity(weights(sum, mask).sum()),
            (sum, None) => {
                let steps = match (sum, &shape[..]) {
                    (Sum::Differences { time }, sizes) => {
                        sizes[..time].iter().product::<usize>() * sizes[time].saturating_sub(1)
                    }
                    (_, [batch, time, ..]) => batch * time,
                    _ => 0,
                };
                assert!(steps > 0, "per_step: there are no steps in {shape} to take the mean over");
                self.total() / steps as f64
            }
        };
        total.meets(self.obligation)
    }
}

/// How much each term counts: each step by its mask, a difference of two by both of theirs.
#[track_caller]
fn weights<'r, T: Real>(sum: Sum<'r, T>, mask: Var<'r, T>) -> Var<'r, T> {
    match sum {
        Sum::Differences { time } => {
            let [later, earlier] = sequence::neighbours(mask, time);
            later * earlier
        }
        _ => mask,
    }
}

/// x at the steps that count, and 0 at the others, where a NaN is left out and not multiplied by 0. A mask that is itself
/// differentiated is a weight, and its slope at a step is that step's term: then x is taken as it is.
#[track_caller]
fn counted<'r, T: Real>(x: Var<'r, T>, weights: Var<'r, T>) -> Var<'r, T> {
    if weights.is_active() { x } else { weights.where_cond(x, x.recording().scalar(0.0)) }
}

/// The sum over the steps that count. Each penalty of 0 is 0.
#[track_caller]
pub(super) fn total<'r, T: Real>(of: Var<'r, T>, sum: Sum<'r, T>, mask: Var<'r, T>) -> Var<'r, T> {
    let mut weights = weights(sum, mask);
    while weights.shape().rank() < of.shape().rank() {
        weights = weights.unsqueeze(weights.shape().rank());
    }
    let terms = match sum {
        Sum::OfEach(f) => of.recording().apply(Map(f).into(), &[counted(of, weights)]),
        Sum::Elastic([l1, l2]) => {
            let of = counted(of, weights);
            of.abs() * l1 + of.square() * l2
        }
        Sum::Differences { time } => {
            let [later, earlier] = sequence::neighbours(of, time);
            counted(later - earlier, weights).square()
        }
        Sum::Total(total) | Sum::Mixed(total) => return total,
    };
    (terms * weights).sum()
}
