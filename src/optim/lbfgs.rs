//! L-BFGS: a quasi-Newton method for small problems that are computed whole.

use std::collections::VecDeque;

use super::fields::{self, demand, rate};
use super::line_search::{Point, add, dot, norm1, search};
use crate::element::Element;
use crate::params::{Grads, Params, Signature};
use crate::state::{State, StateError};

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
    /// The largest element of the gradient there; NaN if one is.
    pub gradient: f64,
    /// Whether that is below the tolerance, and the loss a finite number. If not, it ran out of steps, or rounding hides any
    /// further descent, or the loss or the gradient was NaN or infinite where it started.
    pub converged: bool,
    /// Steps taken by this call.
    pub steps: usize,
    /// How often this call computed the loss.
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
    ///
    /// # Panics
    /// If the tolerance is negative, infinite or NaN.
    #[track_caller]
    pub fn minimize<T: Element>(
        &self,
        params: &mut Params<T>,
        loss: impl FnMut(&Params<T>, &mut Grads<T>) -> T,
    ) -> Minimum {
        self.resume(&mut Descent::new(), params, loss)
    }

    /// [`minimize`](Lbfgs::minimize) that goes on with what an earlier call left in `descent`: 20 steps and 80 more end with
    /// the bits of 100. If the parameters were changed in between, it begins anew from where they are now.
    ///
    /// # Panics
    /// If the tolerance is negative, infinite or NaN, or if the descent is of other parameters.
    #[track_caller]
    pub fn resume<T: Element>(
        &self,
        descent: &mut Descent,
        params: &mut Params<T>,
        mut loss: impl FnMut(&Params<T>, &mut Grads<T>) -> T,
    ) -> Minimum {
        demand("Lbfgs", [rate("tolerance", self.tolerance)]);
        descent.begin(params);
        let mut grads = params.zeros();
        let mut evaluations = 0;
        let mut evaluate = |x: Vec<f64>| {
            for (p, &x) in params.data_mut().iter_mut().zip(&x) {
                *p = T::from_f64(x);
            }
            evaluations += 1;
            let loss = loss(params, &mut grads).to_f64();
            Point { x, loss, gradient: grads.data().iter().map(|g| g.to_f64()).collect() }
        };
        let mut point = evaluate(std::mem::take(&mut descent.x));
        let mut steps = 0;
        // A loss or a gradient that is no number leads nowhere; the search steps on no other point like that.
        while steps < self.steps && point.is_finite() && point.largest_slope() > self.tolerance {
            let mut direction = newton_direction(&point.gradient, &descent.history);
            let slope = dot(&point.gradient, &direction);
            if !(slope < 0.0 && slope.is_finite()) {
                // Overflow among what is remembered: straight down is always downhill.
                descent.history.clear();
                direction = newton_direction(&point.gradient, &descent.history);
            }
            let first =
                if descent.history.is_empty() { (1.0 / norm1(&point.gradient)).min(1.0) } else { 1.0 };
            let Some(next) = search(&mut evaluate, &point, &direction, first) else { break };
            let pair = Pair::between(&point, &next);
            if pair.curvature > 0.0 {
                descent.history.push_back(pair);
            }
            if descent.history.len() > self.memory {
                descent.history.pop_front();
            }
            point = next;
            steps += 1;
        }
        // The line search may have looked further than where it stopped.
        for (p, &x) in params.data_mut().iter_mut().zip(&point.x) {
            *p = T::from_f64(x);
        }
        let (loss, gradient) = (point.loss, point.largest_slope());
        let converged = point.is_finite() && gradient <= self.tolerance;
        descent.x = point.x;
        Minimum { loss, gradient, converged, steps, evaluations }
    }
}

/// What [`Lbfgs`] remembers from one call to the next: where it is, and the last steps.
///
/// ```
/// use quietgrad::{Grads, Params, Tape, Tensor, optim::{Descent, Lbfgs}};
///
/// let mut tape = Tape::<f64>::new();
/// let mut loss = |params: &Params<f64>, grads: &mut Grads<f64>| {
///     let x = tape.record(params).param(params.find("x").unwrap());
///     let loss = x.square().square().sum();
///     loss.backward(grads);
///     loss.item()
/// };
/// let mut params = Params::new();
/// params.add("x", Tensor::from([3.0, -2.0]));
/// let (mut at_once, mut descent) = (params.clone(), Descent::new());
/// Lbfgs { steps: 8, ..Lbfgs::new() }.minimize(&mut at_once, &mut loss);
///
/// let lbfgs = Lbfgs { steps: 4, ..Lbfgs::new() };
/// lbfgs.resume(&mut descent, &mut params, &mut loss);
/// let saved = descent.state();
/// let mut descent = Descent::new();
/// descent.restore(&params, &saved)?;
/// lbfgs.resume(&mut descent, &mut params, &mut loss);
/// assert_eq!(params, at_once);
/// # Ok::<(), quietgrad::StateError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Descent {
    of: Option<Signature>,
    /// The parameters where it stopped, in double precision whatever they are.
    x: Vec<f64>,
    /// The last steps, the latest at the end.
    history: VecDeque<Pair>,
}

/// The name that a descent's state bears.
const KIND: &str = "Lbfgs";

impl Descent {
    /// Nothing remembered yet.
    pub fn new() -> Self {
        Descent::default()
    }

    /// Begins at the parameters: where it stopped, if they are still there, else anew.
    #[track_caller]
    fn begin<T: Element>(&mut self, params: &Params<T>) {
        let of = *self.of.get_or_insert(params.signature());
        assert!(of == params.signature(), "Lbfgs: the descent is of other parameters");
        let still = |(&p, &x): (&T, &f64)| p == T::from_f64(x);
        if self.x.len() != params.len() || !params.data().iter().zip(&self.x).all(still) {
            self.history.clear();
            self.x = params.data().iter().map(|p| p.to_f64()).collect();
        }
    }

    /// What it remembers, to be saved.
    pub fn state(&self) -> State<f64> {
        let mut state = State::new(KIND);
        fields::put_signature(&mut state, self.of);
        state.arrays.insert("x".to_owned(), self.x.clone());
        let all = |of: fn(&Pair) -> &Vec<f64>| self.history.iter().flat_map(of).copied().collect();
        state.arrays.insert("steps".to_owned(), all(|pair| &pair.step));
        state.arrays.insert("changes".to_owned(), all(|pair| &pair.change));
        state
    }

    /// Goes on from a state of a descent with these parameters.
    ///
    /// # Errors
    /// If the state is of something else or of other parameters, or not whole. Then nothing has changed.
    pub fn restore<T: Element>(&mut self, params: &Params<T>, state: &State<f64>) -> Result<(), StateError> {
        state.expect_kind(KIND)?;
        fields::expect_signature(state, params.signature())?;
        state.expect_sizes(KIND, [0, 2, 3])?;
        let [x, steps, changes] = [state.array("x")?, state.array("steps")?, state.array("changes")?];
        let length = |name: &str, found: usize, expected: usize| {
            let (expected, found) = (expected as u64, found as u64);
            Err(StateError::Length { name: name.to_owned(), expected, found })
        };
        let elements = params.len();
        if !x.is_empty() && x.len() != elements {
            return length("x", x.len(), elements);
        }
        if !steps.len().is_multiple_of(elements.max(1)) {
            return length("steps", steps.len(), steps.len().next_multiple_of(elements.max(1)));
        }
        if changes.len() != steps.len() {
            return length("changes", changes.len(), steps.len());
        }
        let rows = |all: &[f64]| all.chunks(elements.max(1)).map(<[f64]>::to_vec).collect::<Vec<_>>();
        let pairs = rows(steps).into_iter().zip(rows(changes)).map(|(step, change)| Pair::new(step, change));
        let history = pairs.collect();
        *self = Descent { of: fields::signature(state)?, x: x.to_vec(), history };
        Ok(())
    }
}

/// A step s, the change y of the gradient over it, and sᵀy.
#[derive(Clone, Debug)]
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    curvature: f64,
}

impl Pair {
    fn new(step: Vec<f64>, change: Vec<f64>) -> Self {
        Pair { curvature: dot(&step, &change), step, change }
    }

    fn between(a: &Point, b: &Point) -> Self {
        let difference = |a: &[f64], b: &[f64]| -> Vec<f64> { b.iter().zip(a).map(|(b, a)| b - a).collect() };
        Pair::new(difference(&a.x, &b.x), difference(&a.gradient, &b.gradient))
    }
}

/// −H g, with H the inverse Hessian that the remembered steps tell of: two loops over them (algorithm 7.4).
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
