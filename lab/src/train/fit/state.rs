//! What a fit knows, as names and numbers.

use quietgrad::{Element, Params, State, StateError};

use super::{Fit, Report};

/// The name that a fit's state bears.
const KIND: &str = "Fit";

/// More than any program counts to: 2⁵³, up to which every whole number is an `f64`.
const MOST: u64 = 1 << 53;

/// The number of no epoch.
const NONE: u64 = u64::MAX;

fn told(loss: f64) -> Option<f64> {
    (!loss.is_nan()).then_some(loss)
}

impl<T: Element> Fit<'_, T> {
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
        state
            .arrays
            .insert("held_out_losses".into(), of_history(|report| report.held_out.unwrap_or(f64::NAN)));
        let weights =
            best.map_or(Vec::new(), |(_, params)| params.data().iter().map(|x| x.to_f64()).collect());
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
            ["epoch", "open", "steps", "all_steps", "best_epoch", "fingerprint"]
                .map(|name| state.count(name));
        let (best_epoch, fingerprint) = (best_epoch?, fingerprint?);
        let (sum, held_out) = (state.number("sum")?, told(state.number("held_out")?));
        let [epochs, epoch_steps, losses, held_out_losses] =
            ["epochs", "epoch_steps", "losses", "held_out_losses"].map(|name| state.array(name));
        let (epochs, epoch_steps, losses, held_out_losses) =
            (epochs?, epoch_steps?, losses?, held_out_losses?);
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
        let [number, open, steps, all_steps] = [number?, open?, steps?, all_steps?];
        if let Some(count) = [number, steps, all_steps].into_iter().find(|&count| count > MOST) {
            return Err(StateError::Value { message: format!("{count} epochs or steps were never made") });
        }
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
            let report =
                history.pop().filter(|report| report.epoch == best_epoch && report.held_out.is_some());
            let message = "the last of the losses are not those of the best epoch".to_owned();
            let report = report.ok_or(StateError::Value { message })?;
            let mut kept = params.clone();
            kept.data_mut().iter_mut().zip(weights).for_each(|(to, &x)| *to = T::from_f64(x));
            Some((report, kept))
        };
        (self.number, self.open, self.steps, self.all_steps) = (number, open == 1, steps, all_steps);
        (self.sum, self.held_out, self.history, self.best) = (sum, held_out, history, best);
        (self.resumed, self.fault, self.clock) = (true, None, None);
        Ok(())
    }
}
