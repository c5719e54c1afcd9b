//! The front of density and loss, and its elbow.

use super::Trial;

/// The trials than which no other has both less density and less loss, by ascending density: their losses fall. Diverged and
/// dead ones are left out.
pub(super) fn front(trials: &[Trial]) -> Vec<Trial> {
    let alive = |trial: &&Trial| trial.outcome.loss.is_finite() && trial.outcome.density > 0.0;
    let mut sorted: Vec<Trial> = trials.iter().filter(alive).copied().collect();
    let key = |trial: &Trial| (trial.outcome.density, trial.outcome.loss);
    sorted.sort_by(|a, b| key(a).partial_cmp(&key(b)).expect("finite numbers"));
    let mut least = f64::INFINITY;
    sorted.retain(|trial| {
        let better = trial.outcome.loss < least;
        least = least.min(trial.outcome.loss);
        better
    });
    sorted
}

/// The largest 1 − density − loss of the front, both scaled to reach from 0 to 1 on it.
pub(super) fn of(trials: &[Trial]) -> Option<Trial> {
    let front = front(trials);
    let [first, .., last] = &front[..] else { return None };
    let (width, height) =
        (last.outcome.density - first.outcome.density, first.outcome.loss - last.outcome.loss);
    let below = |trial: &Trial| {
        let density = (trial.outcome.density - first.outcome.density) / width;
        let loss = (trial.outcome.loss - last.outcome.loss) / height;
        1.0 - density - loss
    };
    let furthest = front.iter().max_by(|a, b| below(a).total_cmp(&below(b)))?;
    // The ends lie on the line: rounding is not a distance from it.
    (below(furthest) > 1e-9).then_some(*furthest)
}
