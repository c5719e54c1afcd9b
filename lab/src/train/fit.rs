//! The book-keeping of a training loop that stays the user's own.

use std::fmt;
use std::time::{Duration, Instant};

use quietgrad::{Element, Params, State, StateError};

use super::progress::Bar;

/// The name that a fit's state bears.
const KIND: &str = "Fit";

/// What a training loop keeps count of: epochs and steps, losses, the best weights, when to stop, how long it will take.
///
/// The loop itself is plain Rust: the tape, the loss, the sweep and the step stand in it, for all to see and to change.
///
/// ```
/// use quietgrad::nn::{Dense, Init};
/// use quietgrad::optim::{Adam, Optimizer};
/// use quietgrad::{Params, Random, Tape, loss, reg};
/// use quietgrad_lab::data::{split::{Batches, split}, toy::make_moons};
/// use quietgrad_lab::train::Fit;
///
/// let moons = make_moons(400, Some(0.1), 1);
/// let (x, y) = (&moons.x, &moons.targets::<f64>());
/// let parts = split(400, 0.25, 0.0, 1);
/// let mut params = Params::new();
/// let mut random = Random::new(1);
/// let hidden = Dense::new(&mut params, "hidden", [2, 16], Init::HeNormal, &mut random);
/// let output = Dense::new(&mut params, "output", [16, 1], Init::GlorotUniform, &mut random);
/// let (mut tape, mut grads, mut adam) = (Tape::new(), params.zeros(), Adam::new(0.01));
/// let batches = Batches::new(parts.train.len(), 32, 1); // shuffled by the seed, the short one kept
///
/// let mut fit = Fit::new(50).patience(5).progress();
/// while let Some(epoch) = fit.epoch()? {
///     for batch in batches.epoch(epoch.number).batches().skip(epoch.done) {
///         let rows: Vec<usize> = batch.iter().map(|&i| parts.train[i]).collect();
///         let r = tape.record(&params);
///         let h = hidden.forward(r.constant_rows(x, &rows)).relu();
///         let error = loss::bce_with_logits(output.forward(h), r.constant_rows(y, &rows));
///         let loss = error + reg::l1(h).per_sample() * 1e-3;
///         loss.backward(&mut grads);
///         let value = loss.item();
///         adam.step(&mut params, &grads);
///         fit.step(value);
///     }
///     let r = tape.record(&params);
///     let h = hidden.forward(r.constant_rows(x, &parts.validation)).relu();
///     let held_out = loss::bce_with_logits(output.forward(h), r.constant_rows(y, &parts.validation)).item();
///     fit.held_out(held_out, &params);
/// }
/// let best = fit.restore_best(&mut params).expect("there was an epoch");
/// assert!(best.held_out.unwrap() < fit.history()[0].held_out.unwrap());
/// # Ok::<(), quietgrad_lab::train::FitError>(())
/// ```
///
/// A run that is to go on another day saves [`state`](Self::state) in a [`Checkpoint`](super::Checkpoint), at any step: the
/// resumed loop is handed the same epoch once more, with the number of batches that are [done](Epoch::done).
pub struct Fit<'a, T> {
    epochs: u64,
    patience: Option<u64>,
    /// The epoch that is open, or the next one.
    number: u64,
    open: bool,
    /// The next call of `epoch` hands out the open epoch again, since the one that began it was in another process.
    resumed: bool,
    /// Steps of the open epoch, the sum of their losses, and the held-out loss if there is one by now.
    steps: u64,
    sum: f64,
    held_out: Option<f64>,
    /// Steps of all epochs.
    all_steps: u64,
    history: Vec<Report>,
    best: Option<(Report, Params<T>)>,
    fault: Option<FitError>,
    observers: Vec<Box<dyn FnMut(&Report) + 'a>>,
    bar: Bar,
    /// When this process began, and with which step.
    clock: Option<(Instant, u64)>,
}

/// An epoch that begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Its number, from 0: the order of its batches comes from that.
    pub number: u64,
    /// How many of its batches are done: 0 but in a run that was resumed in the middle of an epoch.
    pub done: usize,
}

/// What came of an epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// Its number, from 0.
    pub epoch: u64,
    /// The number of its steps.
    pub steps: u64,
    /// The mean of the losses of its steps, each with the parameters of its time. A short batch counts as a whole one.
    pub loss: f64,
    /// The held-out loss, if one was told.
    pub held_out: Option<f64>,
}

/// Why a fit cannot go on.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum FitError {
    /// An epoch ended without a step: nothing was learned, and nothing would have been said.
    NoStep {
        /// The epoch.
        epoch: u64,
    },
    /// A loss is NaN or infinite: from such a step on, all parameters may be.
    NotFinite {
        /// The epoch.
        epoch: u64,
        /// The step of that epoch, from 0; `None` for a held-out loss.
        step: Option<u64>,
        /// The loss.
        loss: f64,
    },
    /// There is patience, and no held-out loss was told: training would never stop early.
    NoHeldOut {
        /// The epoch.
        epoch: u64,
    },
}

impl<'a, T: Element> Fit<'a, T> {
    /// At most so many epochs.
    pub fn new(epochs: u64) -> Self {
        Fit {
            epochs,
            patience: None,
            number: 0,
            open: false,
            resumed: false,
            steps: 0,
            sum: 0.0,
            held_out: None,
            all_steps: 0,
            history: Vec::new(),
            best: None,
            fault: None,
            observers: Vec::new(),
            bar: Bar::hidden(),
            clock: None,
        }
    }

    /// Stops when the held-out loss has not fallen below its least for so many epochs.
    ///
    /// Source: L. Prechelt, Early stopping — but when?, 1998, criterion UP with strips of one epoch, counted from the best one.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn patience(mut self, epochs: u64) -> Self {
        assert!(epochs > 0, "patience for no epoch");
        self.patience = Some(epochs);
        self
    }

    /// Shows a bar with the losses and the time that is left, on standard error; nothing at all where that is no terminal.
    pub fn progress(mut self) -> Self {
        self.bar = Bar::on_terminal();
        self
    }

    /// Calls `observer` at the end of each epoch. There may be several; they are called in this order.
    ///
    /// ```
    /// use quietgrad_lab::train::Fit;
    ///
    /// let mut losses = Vec::new();
    /// let mut fit = Fit::<f32>::new(2).on_epoch(|report| losses.push(report.loss));
    /// while let Some(epoch) = fit.epoch()? {
    ///     fit.step(1.0 / (1.0 + epoch.number as f32));
    /// }
    /// drop(fit);
    /// assert_eq!(losses, [1.0, 0.5]);
    /// # Ok::<(), quietgrad_lab::train::FitError>(())
    /// ```
    pub fn on_epoch(mut self, observer: impl FnMut(&Report) + 'a) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// Ends the open epoch and begins the next; `None` when all are done, or patience is at its end.
    ///
    /// # Errors
    /// If the epoch that ends was without a step, a loss of it was NaN or infinite, or there is patience and no held-out loss.
    pub fn epoch(&mut self) -> Result<Option<Epoch>, FitError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        // A held-out loss means that the loop had reached the epoch's end when it was saved.
        let again = std::mem::take(&mut self.resumed) && self.open && self.held_out.is_none();
        if self.open && !again {
            self.close()?;
        }
        if self.number >= self.epochs || self.is_out_of_patience() {
            self.bar.clear();
            return Ok(None);
        }
        if !again {
            (self.open, self.steps, self.sum, self.held_out) = (true, 0, 0.0, None);
        }
        self.clock.get_or_insert_with(|| (Instant::now(), self.all_steps));
        Ok(Some(Epoch { number: self.number, done: self.steps as usize }))
    }

    /// Tells the loss of a step that was made.
    pub fn step(&mut self, loss: impl Into<f64>) {
        let loss = loss.into();
        if !loss.is_finite() {
            let fault = FitError::NotFinite { epoch: self.number, step: Some(self.steps), loss };
            self.fault.get_or_insert(fault);
        }
        self.steps += 1;
        self.all_steps += 1;
        self.sum += loss;
        let (done, all) = (self.all_steps, self.steps_of_all());
        self.bar.show(done, all, || {
            let held_out = self.history.last().and_then(|report| report.held_out);
            let held_out = held_out.map_or(String::new(), |loss| format!(", held out {loss:.4}"));
            format!("epoch {} of {}, loss {:.4}{held_out}", self.number + 1, self.epochs, self.mean())
        });
    }

    /// Tells the held-out loss at the end of an epoch. The parameters with the least one are kept.
    ///
    /// # Panics
    /// If no epoch has begun.
    #[track_caller]
    pub fn held_out(&mut self, loss: impl Into<f64>, params: &Params<T>) {
        assert!(self.open, "a held-out loss before the first epoch");
        let loss = loss.into();
        if !loss.is_finite() {
            self.fault.get_or_insert(FitError::NotFinite { epoch: self.number, step: None, loss });
            return;
        }
        self.held_out = Some(loss);
        let report = self.report();
        match &mut self.best {
            Some((best, _)) if best.held_out.is_some_and(|least| loss >= least) => {}
            Some((best, kept)) if kept.signature() == params.signature() => {
                *best = report;
                kept.data_mut().copy_from_slice(params.data());
            }
            _ => self.best = Some((report, params.clone())),
        }
    }

    /// Puts the parameters of the least held-out loss back, and says which epoch that was; `None`, and nothing is changed, if no
    /// held-out loss was told.
    ///
    /// # Panics
    /// If the parameters are others.
    #[track_caller]
    pub fn restore_best(&self, params: &mut Params<T>) -> Option<Report> {
        let (report, best) = self.best.as_ref()?;
        assert!(best.signature() == params.signature(), "restore_best: these are other parameters");
        params.data_mut().copy_from_slice(best.data());
        Some(*report)
    }

    /// What came of each epoch that has ended.
    pub fn history(&self) -> &[Report] {
        &self.history
    }

    /// The steps made so far, in all epochs: what a [`Schedule`](quietgrad::optim::Schedule) asks for.
    pub fn steps(&self) -> u64 {
        self.all_steps
    }

    /// How long it will take at most, by the steps that this process has made; `None` before the end of the first epoch.
    ///
    /// With patience it may be over sooner.
    pub fn remaining(&self) -> Option<Duration> {
        let (began, first) = self.clock?;
        let (made, left) = (self.all_steps - first, self.steps_of_all()?.saturating_sub(self.all_steps));
        (made > 0).then(|| began.elapsed().mul_f64(left as f64 / made as f64))
    }

    /// Everything that it knows, to be saved: epoch, step, losses, the best weights.
    ///
    /// Not the number of epochs and the patience, which a resumed program may change.
    pub fn state(&self) -> State<f64> {
        let mut state = State::new(KIND);
        let best = self.best.as_ref();
        for (name, count) in [
            ("epoch", self.number),
            ("open", u64::from(self.open)),
            ("steps", self.steps),
            ("all_steps", self.all_steps),
            ("best_epoch", best.map_or(NONE, |(report, _)| report.epoch)),
            ("fingerprint", best.map_or(0, |(_, params)| params.signature().fingerprint)),
        ] {
            state.counts.insert(name.into(), count);
        }
        state.numbers.insert("sum".into(), self.sum);
        // NaN stands for no loss: one that is told is finite.
        state.numbers.insert("held_out".into(), self.held_out.unwrap_or(f64::NAN));
        let of_history =
            |f: fn(&Report) -> f64| self.history.iter().chain(best.map(|(best, _)| best)).map(f).collect();
        state.arrays.insert("epochs".into(), of_history(|report| report.epoch as f64));
        state.arrays.insert("epoch_steps".into(), of_history(|report| report.steps as f64));
        state.arrays.insert("losses".into(), of_history(|report| report.loss));
        state.arrays.insert("held_out_losses".into(), of_history(|report| report.held_out.unwrap_or(f64::NAN)));
        let weights = best.map_or(Vec::new(), |(_, params)| params.data().iter().map(|x| x.to_f64()).collect());
        state.arrays.insert("best".into(), weights);
        state
    }

    /// Goes on from a state of a fit of these parameters.
    ///
    /// # Errors
    /// If the state is of something else or of other parameters, or not whole. Then nothing has changed.
    pub fn restore(&mut self, params: &Params<T>, state: &State<f64>) -> Result<(), StateError> {
        state.expect_kind(KIND)?;
        let [number, open, steps, all_steps, best_epoch, fingerprint] =
            ["epoch", "open", "steps", "all_steps", "best_epoch", "fingerprint"].map(|name| state.count(name));
        let (best_epoch, fingerprint) = (best_epoch?, fingerprint?);
        let (sum, held_out) = (state.number("sum")?, told(state.number("held_out")?));
        let [epochs, epoch_steps, losses, held_out_losses] =
            ["epochs", "epoch_steps", "losses", "held_out_losses"].map(|name| state.array(name));
        let (epochs, epoch_steps, losses, held_out_losses) = (epochs?, epoch_steps?, losses?, held_out_losses?);
        let weights = state.array("best")?;
        state.expect_sizes(KIND, [2, 6, 5])?;
        let length = |name: &str, array: &[f64], expected: usize| {
            let (expected, found) = (expected as u64, array.len() as u64);
            let wrong = || StateError::Length { name: name.into(), expected, found };
            if expected == found { Ok(()) } else { Err(wrong()) }
        };
        length("epoch_steps", epoch_steps, epochs.len())?;
        length("losses", losses, epochs.len())?;
        length("held_out_losses", held_out_losses, epochs.len())?;
        let mut history: Vec<Report> = (0..epochs.len())
            .map(|i| Report {
                epoch: epochs[i] as u64,
                steps: epoch_steps[i] as u64,
                loss: losses[i],
                held_out: told(held_out_losses[i]),
            })
            .collect();
        let best = if best_epoch == NONE {
            None
        } else {
            let of = params.signature();
            if fingerprint != of.fingerprint {
                let expected = weights.len() as u64;
                return Err(StateError::OtherParameters { expected, found: of.elements });
            }
            length("best", weights, params.len())?;
            let report = history.pop().filter(|report| report.epoch == best_epoch && report.held_out.is_some());
            let message = "the last of the losses are not those of the best epoch".to_owned();
            let report = report.ok_or(StateError::Value { message })?;
            let mut kept = params.clone();
            kept.data_mut().iter_mut().zip(weights).for_each(|(to, &x)| *to = T::from_f64(x));
            Some((report, kept))
        };
        (self.number, self.open, self.steps, self.all_steps) = (number?, open? == 1, steps?, all_steps?);
        (self.sum, self.held_out, self.history, self.best) = (sum, held_out, history, best);
        (self.resumed, self.fault, self.clock) = (true, None, None);
        Ok(())
    }

    /// Ends the open epoch.
    fn close(&mut self) -> Result<(), FitError> {
        let epoch = self.number;
        if self.steps == 0 {
            return Err(FitError::NoStep { epoch });
        }
        if self.patience.is_some() && self.held_out.is_none() {
            return Err(FitError::NoHeldOut { epoch });
        }
        let report = self.report();
        self.history.push(report);
        (self.open, self.number) = (false, epoch + 1);
        self.observers.iter_mut().for_each(|observer| observer(&report));
        Ok(())
    }

    /// Whether as many epochs ended after the best one as patience lasts.
    fn is_out_of_patience(&self) -> bool {
        let Some((patience, (best, _))) = self.patience.zip(self.best.as_ref()) else { return false };
        self.number.saturating_sub(best.epoch + 1) >= patience
    }

    fn report(&self) -> Report {
        Report { epoch: self.number, steps: self.steps, loss: self.mean(), held_out: self.held_out }
    }

    fn mean(&self) -> f64 {
        self.sum / self.steps as f64
    }

    /// The steps of all epochs, by those of the first; `None` before its end.
    fn steps_of_all(&self) -> Option<u64> {
        self.history.first().map(|report| report.steps.saturating_mul(self.epochs))
    }
}

/// The number of no epoch.
const NONE: u64 = u64::MAX;

fn told(loss: f64) -> Option<f64> {
    (!loss.is_nan()).then_some(loss)
}

impl<T> fmt::Debug for Fit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Fit { epochs, patience, number, open, steps, history, .. } = self;
        f.debug_struct("Fit")
            .field("epochs", epochs)
            .field("patience", patience)
            .field("epoch", number)
            .field("open", open)
            .field("steps", steps)
            .field("history", history)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for FitError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            FitError::NoStep { epoch } => write!(f, "epoch {epoch} ended without a step: are there any batches?"),
            FitError::NotFinite { epoch, step: Some(step), loss } => {
                write!(f, "the loss of step {step} of epoch {epoch} is {loss}")
            }
            FitError::NotFinite { epoch, step: None, loss } => {
                write!(f, "the held-out loss of epoch {epoch} is {loss}")
            }
            FitError::NoHeldOut { epoch } => {
                write!(f, "there is patience, but no held-out loss was told in epoch {epoch}")
            }
        }
    }
}

impl std::error::Error for FitError {}
