//! Functions that cost much, of every element of a slice, in place: one compiled loop each for all kernels that need one.

use super::isa::vectorize_wide;
use crate::element::Element;

vectorize_wide! {
    /// `x = eˣ`
    pub fn exp [T: Element] (x: &mut [T]) {
        for x in x {
            *x = x.exp();
        }
    }
}

vectorize_wide! {
    /// `x = ln x`
    pub fn ln [T: Element] (x: &mut [T]) {
        for x in x {
            *x = x.ln();
        }
    }
}

vectorize_wide! {
    /// `x = σ(x)`
    pub fn sigmoid [T: Element] (x: &mut [T]) {
        for x in x {
            *x = x.sigmoid();
        }
    }
}

vectorize_wide! {
    /// `x = tanh x`
    pub fn tanh [T: Element] (x: &mut [T]) {
        for x in x {
            *x = x.tanh();
        }
    }
}
