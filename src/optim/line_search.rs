//! The line search of L-BFGS: J. Nocedal and S. J. Wright, Numerical Optimization, 2nd edition, 2006, algorithms 3.5 and 3.6.

/// A point x, with the loss and its gradient there.
pub(super) struct Point {
    pub(super) x: Vec<f64>,
    pub(super) loss: f64,
    pub(super) gradient: Vec<f64>,
}

impl Point {
    /// The largest absolute value among the elements of the gradient; NaN if one of them is.
    pub(super) fn largest_slope(&self) -> f64 {
        let larger =
            |largest: f64, g: &f64| if g.abs() <= largest || largest.is_nan() { largest } else { g.abs() };
        self.gradient.iter().fold(0.0, larger)
    }

    pub(super) fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.gradient.iter().all(|g| g.is_finite())
    }
}

/// The loss must fall by at least this part of what its slope promises,
const SUFFICIENT_DECREASE: f64 = 1e-4;
/// and the slope to at most this part of itself.
const CURVATURE: f64 = 0.9;
/// How often a line search looks, at most.
const TRIALS: usize = 25;

/// A point on the line, `length` directions away from the start, and the slope of the loss along the line there.
struct Trial {
    length: f64,
    slope: f64,
    point: Point,
}

/// A point along the direction that satisfies the strong Wolfe conditions, or at least lies lower; none if there is none.
pub(super) fn search(
    mut evaluate: impl FnMut(Vec<f64>) -> Point,
    from: &Point,
    direction: &[f64],
    first: f64,
) -> Option<Point> {
    let start_slope = dot(&from.gradient, direction);
    let mut look = |length: f64| {
        let mut x = from.x.clone();
        add(&mut x, length, direction);
        let point = evaluate(x);
        Trial { length, slope: dot(&point.gradient, direction), point }
    };
    let too_high = |trial: &Trial, lowest: &Trial| {
        let promised = from.loss + SUFFICIENT_DECREASE * trial.length * start_slope;
        !trial.point.is_finite()
            || promised.is_nan()
            || trial.point.loss >= promised
            || trial.point.loss >= lowest.point.loss
    };
    let flat = |trial: &Trial| trial.slope.abs() <= -CURVATURE * start_slope;

    let start = Point { x: from.x.clone(), loss: from.loss, gradient: from.gradient.clone() };
    let mut low = Trial { length: 0.0, slope: start_slope, point: start };
    let mut high: Option<Trial> = None;
    let mut length = first;
    for _ in 0..TRIALS {
        let trial = look(length);
        if too_high(&trial, &low) {
            high = Some(trial);
        } else if flat(&trial) {
            return Some(trial.point);
        } else {
            let far = high.as_ref().map_or(f64::INFINITY, |high| high.length);
            // The minimum lies between the new lowest point and the end that the slope there falls towards.
            let previous = std::mem::replace(&mut low, trial);
            if low.slope * (far - previous.length) >= 0.0 {
                high = Some(previous);
            }
        }
        length = match &high {
            None => 2.0 * low.length,
            Some(high) => between(&low, high),
        };
    }
    (low.length > 0.0).then_some(low.point)
}

/// Where the cubic through two trials is lowest, kept away from both.
fn between(a: &Trial, b: &Trial) -> f64 {
    let width = b.length - a.length;
    let bend = a.slope + b.slope - 3.0 * (b.point.loss - a.point.loss) / width;
    let root = (bend * bend - a.slope * b.slope).sqrt() * width.signum();
    let part = 1.0 - (b.slope + root - bend) / (b.slope - a.slope + 2.0 * root);
    a.length + width * if (0.1..=0.9).contains(&part) { part } else { 0.5 }
}

/// Σ a b
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Σ |x|
pub(super) fn norm1(x: &[f64]) -> f64 {
    x.iter().map(|x| x.abs()).sum()
}

/// y += a x
pub(super) fn add(y: &mut [f64], a: f64, x: &[f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}
