//! y = x, a constant from here on: nothing flows back.

use crate::element::Element;
use crate::ops::{Alias, Layout, Real, Rule, Sample};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::Strides;
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// The input's values, cut off from the gradient; shares their memory.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Detach;

impl Rule for Detach {
    fn name(&self) -> &'static str {
        "detach"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        Ok(x[0].into())
    }

    fn takes_strides(&self, _: usize) -> bool {
        true
    }

    fn alias(&self, x: Layout, _: &[usize]) -> Option<Alias> {
        Some(Alias { offset: 0, strides: x.strides.map(Strides::from_slice) })
    }

    fn differentiable(&self) -> bool {
        false
    }

    fn forward<T: Element>(&self, _: &[View<T>], _: ViewMut<T>) {
        unreachable!("detach always shares its input's memory");
    }

    fn vjp<T: Element>(&self, _: &[View<T>], _: View<T>, _: View<T>, _: &mut Cotangents<T>) {
        unreachable!("nothing flows back through detach");
    }

    fn samples() -> Vec<Sample> {
        vec![Sample::new(Detach, [&[3, 4]]), Sample::new(Detach, [&[]]), Sample::new(Detach, [&[0, 2]])]
    }
}

/// # Stopping the gradient
impl<T: Real> Var<'_, T> {
    /// The values as a constant: `x.detach() * x` has the gradient x, not 2x.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.input(&Tensor::from(3.0));
    /// (x.detach() * x).backward(&mut params.zeros());
    /// assert_eq!(x.gradient().unwrap().item(), 3.0);
    /// ```
    #[doc(alias = "no_grad")]
    #[doc(alias = "stop_gradient")]
    #[track_caller]
    pub fn detach(self) -> Self {
        self.apply(Detach, &[self])
    }
}
