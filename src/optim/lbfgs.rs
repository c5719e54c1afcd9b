//! L-BFGS: a quasi-Newton method for small problems that are computed whole.

use std::collections::VecDeque;

use crate::element::Element;
use crate::params::{Grads, Params};

/// L-BFGS with a line search that satisfies the strong Wolfe conditions.
///
/// It asks for the loss and the gradient where it likes, several times a step, so it takes a closure; the loss must be
/// smooth and the same function at every call (all of the data, no dropout).
///
/// Source: J. Nocedal and S. J. Wright, Numerical Optimization, 2nd edition, 2006, algorithms 7.4 (the direction), 3.5 and
/// 3.6 (the line search).
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, optim::Lbfgs};
///
/// // Rosenbrock's valley, whose floor is at (1, 1).
/// let mut params = Params::new();
/// let p = params.add("p", Tensor::from([-1.2, 1.0]));
/// let mut tape = Tape::<f64>::new();
/// let minimum = Lbfgs::new().minimize(&mut params, |params, grads| {
///     let [x, y] = tape.record(params).param(p).split([1, 1], 0);
///     let loss = ((1.0 - x).square() + (y - x.square()).square() * 100.0).sum();
///     loss.backward(grads);
///     loss.item()
/// });
/// assert!(minimum.converged && minimum.steps < 50);
/// assert!(params.get(p).iter().all(|p| (p - 1.0).abs() < 1e-6));
/// ```
#[derive(Clone, Debug)]
pub struct Lbfgs {
    /// How many steps are remembered.
    pub memory: usize,
    /// The largest number of steps.
    pub steps: usize,
    /// It has converged when no element of the gradient is larger than this.
    pub tolerance: f64,
}

/// Where [`Lbfgs`] stopped.
#[derive(Clone, Copy, Debug)]
pub struct Minimum {
    /// The loss there.
    pub loss: f64,
    /// The largest element of the gradient there.
    pub gradient: f64,
    /// Whether that is below the tolerance. If not, it ran out of steps, or rounding hides any further descent.
    pub converged: bool,
    /// Steps taken.
    pub steps: usize,
    /// How often the loss was computed.
    pub evaluations: usize,
}

impl Default for Lbfgs {
    fn default() -> Self {
        Lbfgs::new()
    }
}

impl Lbfgs {
    /// Ten steps remembered, a hundred taken at most, and 1e-8 for a gradient of zero.
    pub fn new() -> Self {
        Lbfgs { memory: 10, steps: 100, tolerance: 1e-8 }
    }

    /// Moves the parameters to a minimum of `loss`, which gives the loss of some parameters and fills in its gradients.
    pub fn minimize<T: Element>(
        &self,
        params: &mut Params<T>,
        mut loss: impl FnMut(&Params<T>, &mut Grads<T>) -> T,
    ) -> Minimum {
        let mut grads = params.zeros();
        let start: Vec<f64> = params.data().iter().map(|p| p.to_f64()).collect();
        let mut evaluations = 0;
        let mut evaluate = |x: Vec<f64>| {
            for (p, &x) in params.data_mut().iter_mut().zip(&x) {
                *p = T::from_f64(x);
            }
            evaluations += 1;
            let loss = loss(params, &mut grads).to_f64();
            Point { x, loss, gradient: grads.data().iter().map(|g| g.to_f64()).collect() }
        };
        let mut point = evaluate(start);
        let mut history = VecDeque::new();
        let mut steps = 0;
        while steps < self.steps && point.largest_slope() > self.tolerance {
            let direction = newton_direction(&point.gradient, &history);
            let first = if steps > 0 { 1.0 } else { (1.0 / norm1(&point.gradient)).min(1.0) };
            let Some(next) = search(&mut evaluate, &point, &direction, first) else { break };
            let pair = Pair::between(&point, &next);
            if pair.curvature > 0.0 {
                history.push_back(pair);
            }
            if history.len() > self.memory {
                history.pop_front();
            }
            point = next;
            steps += 1;
        }
        // The line search may have looked further than where it stopped.
        let (loss, gradient) = (point.loss, point.largest_slope());
        for (p, &x) in params.data_mut().iter_mut().zip(&point.x) {
            *p = T::from_f64(x);
        }
        Minimum { loss, gradient, converged: gradient <= self.tolerance, steps, evaluations }
    }
}

/// A place, and what is known of the loss there.
struct Point {
    x: Vec<f64>,
    loss: f64,
    gradient: Vec<f64>,
}

impl Point {
    fn largest_slope(&self) -> f64 {
        self.gradient.iter().fold(0.0, |largest, g| g.abs().max(largest))
    }
}

/// A step s, the change y of the gradient over it, and sᵀy.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    curvature: f64,
}

impl Pair {
    fn between(a: &Point, b: &Point) -> Self {
        let difference = |a: &[f64], b: &[f64]| -> Vec<f64> { b.iter().zip(a).map(|(b, a)| b - a).collect() };
        let (step, change) = (difference(&a.x, &b.x), difference(&a.gradient, &b.gradient));
        Pair { curvature: dot(&step, &change), step, change }
    }
}

/// −H g, with H the inverse Hessian that the remembered steps tell of: two loops over them.
fn newton_direction(gradient: &[f64], history: &VecDeque<Pair>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut weights = Vec::with_capacity(history.len());
    for pair in history.iter().rev() {
        let weight = dot(&pair.step, &direction) / pair.curvature;
        add(&mut direction, -weight, &pair.change);
        weights.push(weight);
    }
    if let Some(last) = history.back() {
        let scale = last.curvature / dot(&last.change, &last.change);
        direction.iter_mut().for_each(|d| *d *= scale);
    }
    for (pair, weight) in history.iter().zip(weights.iter().rev()) {
        let correction = weight - dot(&pair.change, &direction) / pair.curvature;
        add(&mut direction, correction, &pair.step);
    }
    direction
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
fn search(
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
        // A NaN is too high.
        !matches!(trial.point.loss.partial_cmp(&promised), Some(std::cmp::Ordering::Less))
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

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm1(x: &[f64]) -> f64 {
    x.iter().map(|x| x.abs()).sum()
}

/// y += a x
fn add(y: &mut [f64], a: f64, x: &[f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}
