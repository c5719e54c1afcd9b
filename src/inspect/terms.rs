//! A loss taken apart: how much of it, and of each parameter's gradient, comes from each of its terms.

use std::fmt;

use crate::matrix::Accum;
use crate::ops::Real;
use crate::params::Grads;
use crate::tape::Var;

/// One term of a loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// What the caller named it.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// The Euclidean norm of its gradient, for each parameter in the order of the parameters.
    pub norms: Vec<f64>,
}

/// The terms of a loss; printed, it is a table with a column a term and a row a parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// The terms, in the order given.
    pub terms: Vec<Term>,
    parameters: Vec<String>,
}

/// The gradient of a sum of terms, as [`Var::backward`] would give it for their sum, and each term's own part in it.
/// One sweep for each term. Overwrites `grads`, by zeros if there are no terms.
///
/// Terms may be of several recordings with the same parameters.
///
/// # Panics
/// If a term is not a scalar or depends on nothing that is differentiated, `grads` are of other parameters than a term's, or
/// a penalty of a term's recording is part of none of them.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, loss, reg, terms};
///
/// let mut params = Params::new();
/// let w = params.add("w", Tensor::from([[3.0, 4.0]]));
/// let mut grads = params.zeros();
/// let mut tape = Tape::<f64>::new();
///
/// let r = tape.record(&params);
/// let h = r.param(w).relu();
/// let fit = h.square().sum();
/// let penalty = reg::l1(h).summed() * 0.5;
/// let shares = terms::backward(&[("fit", fit), ("l1", penalty)], &mut grads);
/// assert_eq!(grads.data(), [6.5, 8.5]);
/// assert_eq!(shares.terms[0].norms, [10.0]);
/// assert_eq!(shares.terms[1].norms, [0.5f64.sqrt()]);
/// println!("{shares}");
/// ```
#[track_caller]
pub fn backward<T: Real>(terms: &[(&str, Var<'_, T>)], grads: &mut Grads<T>) -> Terms {
    grads.data_mut().fill(T::ZERO);
    let mut part = grads.clone();
    let mut parts = Vec::with_capacity(terms.len());
    for &(name, term) in terms {
        term.sweep_scalar("terms::backward", &mut part, Accum::Replace);
        for (sum, &part) in grads.data_mut().iter_mut().zip(part.data()) {
            *sum += part;
        }
        let norms = grads.ids().map(|id| norm(part.get(id))).collect();
        parts.push(Term { name: name.into(), value: term.item().to_f64(), norms });
    }
    // Terms of several recordings, with the same parameters: each recording's penalties are looked for among its own.
    for &(_, term) in terms {
        let here =
            |&&(_, other): &&(&str, Var<'_, T>)| std::ptr::eq(other.recording.tape, term.recording.tape);
        term.recording.check_obligations(terms.iter().filter(here).map(|(_, other)| other.id));
    }
    Terms { terms: parts, parameters: grads.ids().map(|id| grads.name(id).into()).collect() }
}

fn norm<T: Real>(x: &[T]) -> f64 {
    x.iter().map(|x| x.to_f64() * x.to_f64()).sum::<f64>().sqrt()
}

impl fmt::Display for Terms {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let total: f64 = self.terms.iter().map(|term| term.value).sum();
        let width = self.parameters.iter().map(String::len).max().unwrap_or(0).max("gradient norm".len());
        write!(f, "{:width$}", "")?;
        self.terms.iter().try_for_each(|term| write!(f, "  {:>18}", term.name))?;
        write!(f, "\n{:width$}", "value")?;
        for Term { value, .. } in &self.terms {
            write!(f, "  {value:10.3e} {:5.1} %", 100.0 * value / total)?;
        }
        write!(f, "\ngradient norm")?;
        for (i, name) in self.parameters.iter().enumerate() {
            let all: f64 = self.terms.iter().map(|term| term.norms[i]).sum();
            write!(f, "\n{name:width$}")?;
            for Term { norms, .. } in &self.terms {
                let share = if all > 0.0 { 100.0 * norms[i] / all } else { 0.0 };
                write!(f, "  {:10.3e} {share:5.1} %", norms[i])?;
            }
        }
        Ok(())
    }
}
