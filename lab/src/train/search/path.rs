//! A path of coefficients on which each run begins where the one before it ended.

use std::path::PathBuf;

use quietgrad::{Element, Params};

use super::{Outcome, Search};
use crate::data::Value;
use crate::params::{Description, load, save};
use crate::{Error, Place, Result};

/// The settings of the file of a path: its last coefficient, and what came of it.
const SETTINGS: [&str; 3] = ["lambda", "loss", "density"];

impl Search {
    /// Tries these coefficients one after the other; each run begins with the parameters that the one before it left.
    ///
    /// From small coefficients to large ones that is faster than a beginning from scratch each time, and a curve without the
    /// jumps of separate runs; but what is found depends on the path, and units that die on it stay dead. `params` are the
    /// beginning, and afterwards the end.
    ///
    /// Where the search has a file, the parameters are kept beside it, in a file of that name with `.path` at its end, from
    /// which a program that was stopped goes on with the bits of an undisturbed one. To walk a path again, remove both files.
    ///
    /// Source: J. Friedman, T. Hastie and R. Tibshirani, Regularization paths for generalized linear models via coordinate
    /// descent, 2010, section 2.5.
    ///
    /// ```
    /// use quietgrad::{Params, Tensor};
    /// use quietgrad_lab::train::{Outcome, Search};
    ///
    /// let mut params = Params::<f32>::new();
    /// let w = params.add("w", Tensor::from([8.0]));
    /// let mut search = Search::new();
    /// search.path(&[0.25, 0.5], &mut params, |lambda, params| {
    ///     params.get_mut(w)[0] *= 1.0 - lambda as f32; // stands for a training run
    ///     Outcome { loss: lambda, density: 1.0 }
    /// })?;
    /// assert_eq!(params.get(w), [3.0]);
    /// # Ok::<(), quietgrad_lab::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a file cannot be read or written, or its parameters are not these, or its last coefficient is none of these.
    ///
    /// # Panics
    /// If a coefficient stands there twice, or was tried before by another way than this path; and as [`run`](Self::run).
    #[track_caller]
    pub fn path<T: Element + Value>(
        &mut self,
        lambdas: &[f64],
        params: &mut Params<T>,
        mut run: impl FnMut(f64, &mut Params<T>) -> Outcome,
    ) -> Result<()> {
        let file = self.path_file();
        let done = match &file {
            Some(file) if file.exists() => self.go_on(file, lambdas, params)?,
            _ => 0,
        };
        let left = &lambdas[done..];
        assert!(self.untried(left) == left, "path: a coefficient was tried before, or stands there twice");
        for &lambda in left {
            let outcome = run(lambda, params);
            // The parameters first: they bring their outcome along, and a stop in between loses nothing.
            if let Some(file) = &file {
                let values = [lambda, outcome.loss, outcome.density];
                let named = SETTINGS.iter().zip(values);
                let description =
                    named.fold(Description::new("path"), |all, (name, value)| all.with(*name, value));
                save(file, params, &description)?;
            }
            self.record(lambda, outcome)?;
        }
        Ok(())
    }

    fn path_file(&self) -> Option<PathBuf> {
        self.keep.as_ref().map(|keep| {
            let mut name = keep.path.clone().into_os_string();
            name.push(".path");
            name.into()
        })
    }

    /// Loads the parameters of a path's file; says how many of the coefficients are done.
    fn go_on<T: Element + Value>(
        &mut self,
        file: &PathBuf,
        lambdas: &[f64],
        params: &mut Params<T>,
    ) -> Result<usize> {
        let fail = |text: &str| Error::new(file, Place::File, text);
        let description = load(file, params)?.ok_or_else(|| fail("expected a description"))?;
        let number = |name: &str| description.settings.get(name).and_then(|text| text.parse::<f64>().ok());
        let [Some(lambda), Some(loss), Some(density)] = SETTINGS.map(number) else {
            return Err(fail("expected the last coefficient of a path, its loss and its density"));
        };
        let place = lambdas.iter().position(|&one| one == lambda);
        let place = place.ok_or_else(|| fail("its last coefficient is none of this path"))?;
        if loss.is_finite() && !(0.0..=1.0).contains(&density) {
            return Err(fail("expected a density from 0 to 1"));
        }
        self.record(lambda, Outcome { loss, density })?;
        Ok(place + 1)
    }
}
