//! The book-keeping of a training loop that stays the user's own.

mod report;
mod state;

use std::fmt;
use std::time::{Duration, Instant};

use quietgrad::{Element, Params};

use super::progress::Bar;

pub use report::{FitError, Report};

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
    observers: Vec<Observer<'a>>,
    bar: Bar,
    /// When this process began, and with which step.
    clock: Option<(Instant, u64)>,
}

/// What is called at the end of each epoch.
type Observer<'a> = Box<dyn FnMut(&Report) + 'a>;

/// An epoch that begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Its number, from 0: the order of its batches comes from that.
    pub number: u64,
    /// How many of its batches are done: 0 but in a run that was resumed in the middle of an epoch.
    pub done: usize,
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
    /// Counted are the epochs since the least loss, not rises in a row, which noise interrupts. On such criteria: L. Prechelt,
    /// Early stopping — but when?, 1998.
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
    pub fn steps(&self) -> usize {
        self.all_steps as usize
    }

    /// How long it will take at most, by the steps that this process has made; `None` before the end of the first epoch.
    ///
    /// With patience it may be over sooner.
    pub fn remaining(&self) -> Option<Duration> {
        let (began, first) = self.clock?;
        let (made, left) = (self.all_steps - first, self.steps_of_all()?.saturating_sub(self.all_steps));
        (made > 0).then(|| began.elapsed().mul_f64(left as f64 / made as f64))
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
