//! A coefficient that finds itself.

use crate::element::Element;
use crate::state::{State, StateError};

/// Steers the coefficient λ of a penalty until a wanted share of the activations is not zero.
///
/// With d the density of each step, d* the wanted one, and λ₀ the first coefficient:
///
/// ```text
/// d̄ ← d̄ + (d − d̄) / 10              a running mean: one batch's density is noisy
/// e = ln(d̄ / d*), held in [−1, 1]    0 at the goal, positive while too much is active
/// u ← u + gain · e                   held in [−ln range, ln range]
/// λ = λ₀ exp(u + e)                  held in [λ₀ / range, λ₀ range]
/// ```
///
/// The law is a proportional-integral controller of ln λ by ln d. Logarithms, because what matters of λ and of d is by
/// which factor they are off. The integral u finds the λ that holds d* and leaves no error; the proportional e damps the
/// swing that an integral alone would have, since a network follows λ only over many steps. A `gain` of 0.01 suits
/// networks that settle within a few hundred steps; halve it if the density swings, and expect to wait some 1/gain steps.
///
/// The bounds are there because not every density can be reached: without them the integral would wind up as long as the
/// goal is missed, to an infinite λ, and take as long to unwind. With the usual `range` of 10⁴ it is back at λ₀ after
/// ln(range) / gain = 921 steps at the most. (K. J. Åström and T. Hägglund, PID Controllers, 1995, section 3.5.)
///
/// ```
/// use quietgrad::reg::DensityController;
///
/// let mut lambda = DensityController::new(1e-3, 0.05);
/// assert_eq!(lambda.coefficient(), 1e-3);
/// lambda.observe(0.5); // far too much is active: the coefficient rises
/// assert!(lambda.coefficient() > 2e-3);
/// ```
///
/// In a training loop:
///
/// ```
/// # use quietgrad::{Params, Tape, Tensor, loss, optim::{Adam, Optimizer}, reg};
/// # let mut params = Params::new();
/// # let w = params.add("w", Tensor::from([[0.5, -1.0], [0.1, 2.0]]));
/// # let (mut grads, mut tape, mut adam) = (params.zeros(), Tape::<f64>::new(), Adam::new(0.01));
/// # let batches = vec![Tensor::from([[1.0, 2.0], [3.0, 4.0]])];
/// let mut lambda = reg::DensityController::new(1e-3, 0.05);
/// for batch in &batches {
///     let r = tape.record(&params);
///     let x = r.constant(batch);
///     let h = x.matmul(r.param(w)).relu();
///     let loss = loss::mse(h, x) + reg::l1(h).per_sample() * lambda.coefficient();
///     loss.backward(&mut grads);
///     lambda.observe(h.density());
///     adam.step(&mut params, &grads);
/// }
/// ```
#[derive(Clone, Debug)]
pub struct DensityController {
    /// The wanted density d*, between 0 and 1: 0.05 for 5 % active.
    pub target: f64,
    /// How fast the coefficient moves.
    pub gain: f64,
    /// By which factor the coefficient may move away from the first one, either way.
    pub range: f64,
    first: f64,
    density: Option<f64>,
    integral: f64,
}

/// The share of the running mean that a new density takes.
const SMOOTHING: f64 = 0.1;

/// A mean density below this is none: 2⁻⁹⁷⁰, as for everything that a step keeps ([`Element::TINY`](crate::Element::TINY)).
const NOTHING: f64 = <f64 as Element>::TINY;

/// The name that a controller's state bears.
const KIND: &str = "DensityController";

/// The number in the state of a controller that has not observed anything.
const NONE: f64 = -1.0;

impl DensityController {
    /// Begins with the coefficient `first` and steers to the density `target`, with a gain of 0.01 and a range of 10⁴.
    ///
    /// # Panics
    /// If `first` is not positive and finite, or `target` not between 0 and 1.
    #[track_caller]
    pub fn new(first: f64, target: f64) -> Self {
        let positive = first > 0.0 && first.is_finite();
        assert!(positive, "a coefficient of {first} cannot be multiplied up");
        let new = DensityController { target, gain: 0.01, range: 1e4, first, density: None, integral: 0.0 };
        if let Err(fault) = new.settings() {
            panic!("DensityController::new: {fault}");
        }
        new
    }

    /// The coefficient for the next step: positive and finite.
    pub fn coefficient(&self) -> f64 {
        let bound = self.range.ln();
        self.first * (self.integral + self.error()).clamp(-bound, bound).exp()
    }

    /// The running mean of the density; the target before the first observation.
    pub fn density(&self) -> f64 {
        self.density.unwrap_or(self.target)
    }

    /// Takes a step's density in: what [`Var::density`](crate::Var::density) says. Says whether it did: a density that is
    /// NaN, as that of an empty batch, or infinite changes nothing.
    ///
    /// # Panics
    /// If the density is negative, or if a field has been given a value that makes no sense: a target not between 0 and 1, a
    /// negative gain, a range below 1.
    #[track_caller]
    pub fn observe(&mut self, density: f64) -> bool {
        if let Err(fault) = self.settings() {
            panic!("observe: {fault}");
        }
        if !density.is_finite() {
            return false;
        }
        assert!(density >= 0.0, "observe: a density of {density} makes no sense");
        let mean = self.density.unwrap_or(density);
        let mean = mean + SMOOTHING * (density - mean);
        // Without this, the mean of densities that are all 0 would decay into the subnormal numbers, and linger there.
        self.density = Some(if mean < NOTHING { 0.0 } else { mean });
        let bound = self.range.ln();
        self.integral = (self.integral + self.gain * self.error()).clamp(-bound, bound);
        true
    }

    /// The e of the law: ln(d̄ / d*), held in [−1, 1].
    fn error(&self) -> f64 {
        (self.density() / self.target).ln().clamp(-1.0, 1.0)
    }

    /// Checks the settings; says what is wrong with them.
    fn settings(&self) -> Result<(), String> {
        let DensityController { target, gain, range, .. } = *self;
        if !(target > 0.0 && target < 1.0) {
            return Err(format!("a density of {target} is not between 0 and 1"));
        }
        if !(0.0..f64::INFINITY).contains(&gain) {
            return Err(format!("a gain of {gain} makes no sense"));
        }
        if !(1.0..f64::INFINITY).contains(&range) {
            return Err(format!("a range of {range} makes no sense: it is a factor of at least 1"));
        }
        Ok(())
    }

    /// Everything that it knows, to be saved.
    ///
    /// ```
    /// use quietgrad::reg::DensityController;
    ///
    /// let mut lambda = DensityController::new(1e-3, 0.05);
    /// lambda.observe(0.5);
    /// let mut resumed = DensityController::new(1.0, 0.5);
    /// resumed.restore(&lambda.state())?;
    /// assert_eq!(resumed.coefficient(), lambda.coefficient());
    /// # Ok::<(), quietgrad::StateError>(())
    /// ```
    pub fn state(&self) -> State<f64> {
        let mut state = State::new(KIND);
        let DensityController { target, gain, range, first, density, integral } = *self;
        for (name, number) in [
            ("target", target),
            ("gain", gain),
            ("range", range),
            ("first", first),
            ("density", density.unwrap_or(NONE)),
            ("integral", integral),
        ] {
            state.numbers.insert(name.to_owned(), number);
        }
        state
    }

    /// Goes on from a state of a controller.
    ///
    /// # Errors
    /// If the state is of something else, or not whole. Then nothing has changed.
    pub fn restore(&mut self, state: &State<f64>) -> Result<(), StateError> {
        state.expect_kind(KIND)?;
        let density = state.number("density")?;
        let restored = DensityController {
            target: state.number("target")?,
            gain: state.number("gain")?,
            range: state.number("range")?,
            first: state.number("first")?,
            density: (density != NONE).then_some(density),
            integral: state.number("integral")?,
        };
        state.expect_sizes(KIND, [6, 0, 0])?;
        restored.settings().map_err(|message| StateError::Value { message })?;
        if !(restored.coefficient() > 0.0 && restored.coefficient().is_finite()) {
            let message = format!("the coefficient would be {}", restored.coefficient());
            return Err(StateError::Value { message });
        }
        *self = restored;
        Ok(())
    }
}
