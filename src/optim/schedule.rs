//! Numbers that change from step to step.

use std::f64::consts::PI;

use crate::element::Element;

/// A number that depends on the step: a step size, or the coefficient of a penalty. Steps count from 0.
///
/// ```
/// use quietgrad::optim::Schedule;
///
/// // Up to 1 within 10 steps, down to 0 within 90 more.
/// let lr = Schedule::cosine(1.0, 0.0, 90).warm_up(10);
/// assert_eq!(lr.at(4), 0.5);
/// assert_eq!(lr.at(10), 1.0);
/// assert_eq!(lr.at(55), 0.5);
/// assert_eq!(lr.at(1000), 0.0);
/// ```
///
/// A penalty is best switched on when the data already has a say, or units die before they have learned anything:
///
/// ```
/// use quietgrad::optim::Schedule;
///
/// let lambda = Schedule::linear(0.0, 1e-3, 500);
/// assert_eq!(lambda.at(250), 0.5e-3);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// One value for ever.
    Constant(f64),
    /// Multiplied by a factor once every so many steps.
    Step {
        /// The first value.
        from: f64,
        /// The factor.
        factor: f64,
        /// How many steps each value stays.
        every: usize,
    },
    /// Multiplied by a factor at each step.
    Exponential {
        /// The first value.
        from: f64,
        /// The factor.
        factor: f64,
    },
    /// Along a straight line, then constant.
    Linear {
        /// The first value.
        from: f64,
        /// The last value.
        to: f64,
        /// How many steps it takes to get there.
        steps: usize,
    },
    /// Along half a period of a cosine, then constant (Loshchilov and Hutter 2017, without restarts).
    Cosine {
        /// The first value.
        from: f64,
        /// The last value.
        to: f64,
        /// How many steps it takes to get there.
        steps: usize,
    },
    /// One schedule for some steps, then another, which begins from its own step 0.
    Then {
        /// The first schedule.
        first: Box<Schedule>,
        /// How many steps it is followed.
        steps: usize,
        /// The second.
        second: Box<Schedule>,
    },
}

impl Schedule {
    /// Always `value`.
    ///
    /// # Panics
    /// Here and below: if a value is infinite or NaN, or a factor negative as well.
    #[track_caller]
    pub fn constant(value: f64) -> Self {
        Schedule::Constant(value).checked()
    }

    /// `from`, multiplied by `factor` once every `every` steps.
    ///
    /// # Panics
    /// If `every` is 0 as well.
    #[track_caller]
    pub fn step(from: f64, factor: f64, every: usize) -> Self {
        Schedule::Step { from, factor, every }.checked()
    }

    /// `from`, multiplied by `factor` at each step.
    #[track_caller]
    pub fn exponential(from: f64, factor: f64) -> Self {
        Schedule::Exponential { from, factor }.checked()
    }

    /// Straight from `from` to `to` within so many steps, then `to`.
    #[track_caller]
    pub fn linear(from: f64, to: f64, steps: usize) -> Self {
        Schedule::Linear { from, to, steps }.checked()
    }

    /// From `from` to `to` along half a period of a cosine within so many steps, then `to`.
    #[track_caller]
    pub fn cosine(from: f64, to: f64, steps: usize) -> Self {
        Schedule::Cosine { from, to, steps }.checked()
    }

    /// This schedule for so many steps, then another from its beginning.
    pub fn then(self, steps: usize, second: Schedule) -> Self {
        Schedule::Then { first: Box::new(self), steps, second: Box::new(second) }
    }

    /// First a straight line up to this schedule's own first value, which is reached with the last of so many steps;
    /// then this schedule from its beginning.
    #[track_caller]
    pub fn warm_up(self, steps: usize) -> Self {
        let top = self.at(0);
        let first = top / steps.max(1) as f64;
        Schedule::linear(first, top, steps.saturating_sub(1)).then(steps, self)
    }

    /// The value at a step.
    ///
    /// # Panics
    /// If the schedule makes no sense (its numbers may be given without a constructor), or the value is not finite: a
    /// factor above 1 gets there.
    #[track_caller]
    pub fn at(&self, step: usize) -> f64 {
        self.check();
        let part = |steps: usize| if step >= steps { 1.0 } else { step as f64 / steps as f64 };
        let value = match *self {
            Schedule::Constant(value) => value,
            Schedule::Step { from, factor, every } => from * Element::powf(factor, (step / every) as f64),
            Schedule::Exponential { from, factor } => from * Element::powf(factor, step as f64),
            Schedule::Linear { from, to, steps } => from + (to - from) * part(steps),
            Schedule::Cosine { from, to, steps } => {
                to + (from - to) * 0.5 * (1.0 + Element::cos(PI * part(steps)))
            }
            Schedule::Then { ref first, steps, .. } if step < steps => first.at(step),
            Schedule::Then { steps, ref second, .. } => second.at(step - steps),
        };
        assert!(value.is_finite(), "schedule: the value at step {step} is {value}");
        value
    }

    #[track_caller]
    fn checked(self) -> Self {
        self.check();
        self
    }

    /// What a schedule's own numbers must be; those inside a [`Schedule::Then`] are checked where they are followed.
    #[track_caller]
    fn check(&self) {
        let (values, factor) = match *self {
            Schedule::Constant(value) => ([value, value], 1.0),
            Schedule::Step { from, factor, every } => {
                assert!(every > 0, "schedule: a value must stay for at least one step");
                ([from, from], factor)
            }
            Schedule::Exponential { from, factor } => ([from, from], factor),
            Schedule::Linear { from, to, .. } | Schedule::Cosine { from, to, .. } => ([from, to], 1.0),
            Schedule::Then { .. } => return,
        };
        let [from, to] = values;
        assert!(from.is_finite() && to.is_finite(), "schedule: from {from} to {to} makes no sense");
        let sensible = (0.0..f64::INFINITY).contains(&factor);
        assert!(sensible, "schedule: the factor is {factor}: it must be finite and not negative");
    }
}
