//! A coefficient that finds itself.

/// Steers the coefficient λ of a penalty until a wanted share of the activations is not zero.
///
/// With d the density of each step, d* the wanted one, and λ₀ the first coefficient:
///
/// ```text
/// d̄ ← d̄ + (d − d̄) / 10              a running mean: one batch's density is noisy
/// e = ln(d̄ / d*), held in [−1, 1]    0 at the goal, positive while too much is active
/// u ← u + gain · e
/// λ = λ₀ exp(u + e)
/// ```
///
/// The law is a proportional-integral controller of ln λ by ln d. Logarithms, because what matters of λ and of d is by
/// which factor they are off. The integral u finds the λ that holds d* and leaves no error; the proportional e damps the
/// swing that an integral alone would have, since a network follows λ only over many steps. A `gain` of 0.01 suits
/// networks that settle within a few hundred steps; halve it if the density swings, and expect to wait some 1/gain steps.
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
    first: f64,
    density: Option<f64>,
    integral: f64,
}

/// The share of the running mean that a new density takes.
const SMOOTHING: f64 = 0.1;

impl DensityController {
    /// Begins with the coefficient `first` and steers to the density `target`, with a gain of 0.01.
    ///
    /// # Panics
    /// If `first` is not positive, or `target` not between 0 and 1.
    #[track_caller]
    pub fn new(first: f64, target: f64) -> Self {
        assert!(first > 0.0, "a coefficient of {first} cannot be multiplied up");
        assert!(target > 0.0 && target < 1.0, "a density of {target} is not between 0 and 1");
        DensityController { target, gain: 0.01, first, density: None, integral: 0.0 }
    }

    /// The coefficient for the next step.
    pub fn coefficient(&self) -> f64 {
        self.first * (self.integral + self.error()).exp()
    }

    /// The running mean of the density; the target before the first observation.
    pub fn density(&self) -> f64 {
        self.density.unwrap_or(self.target)
    }

    /// Takes a step's density in: what [`Var::density`](crate::Var::density) says.
    pub fn observe(&mut self, density: f64) {
        let mean = self.density.unwrap_or(density);
        self.density = Some(mean + SMOOTHING * (density - mean));
        self.integral += self.gain * self.error();
    }

    fn error(&self) -> f64 {
        (self.density() / self.target).ln().clamp(-1.0, 1.0)
    }
}
