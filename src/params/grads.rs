//! The gradients of parameters.

use super::{Param, ParamId, Params, Signature};
use crate::element::Element;
use crate::kernels::{self, length};
use crate::tensor::Tensor;

/// A gradient for every parameter, laid out like the [`Params`] it was made from by [`Params::zeros`].
#[derive(Clone, Debug, PartialEq)]
pub struct Grads<T>(pub(super) Params<T>);

impl<T: Element> Params<T> {
    /// Panics, in the name of `what`, unless these gradients are laid out like these parameters: names and shapes are the
    /// same, in the same order.
    ///
    /// ```should_panic
    /// use quietgrad::{Params, Tensor};
    ///
    /// let (mut p, mut q) = (Params::<f32>::new(), Params::<f32>::new());
    /// p.add("w", Tensor::from([1.0, 2.0]));
    /// q.add("scale", Tensor::from([[1.0, 2.0]])); // of another model, but as many elements
    /// p.expect_gradients("step", &q.zeros()); // panics
    /// ```
    #[track_caller]
    #[inline]
    pub fn expect_gradients(&self, what: &str, grads: &Grads<T>) {
        if self.signature != grads.0.signature {
            self.refuse_gradients(what, &grads.0);
        }
    }

    #[cold]
    #[track_caller]
    fn refuse_gradients(&self, what: &str, grads: &Params<T>) -> ! {
        let (expected, given) = (self.len(), grads.len());
        let differ = |a: &Param, b: &Param| a.name != b.name || a.shape != b.shape;
        let count = self.list.len().min(grads.list.len());
        let first = (0..count).find(|&i| differ(&self.list[i], &grads.list[i])).unwrap_or(count);
        let says = |param: Option<&Param>| match param {
            Some(Param { name, shape, .. }) => format!("{name:?} of shape {shape}"),
            None => "missing".to_owned(),
        };
        let [here, there] = [self, grads].map(|params| says(params.list.get(first)));
        panic!(
            "{what}: {given} gradients do not fit {expected} parameters: they are of another model, whose parameter \
             {first} is {there}, and here it is {here}"
        )
    }
}

impl<T: Element> Grads<T> {
    /// All parameters, in the order in which they were added.
    pub fn ids(&self) -> impl Iterator<Item = ParamId> + use<T> {
        self.0.ids()
    }

    /// The name of the parameter that a gradient is of.
    #[track_caller]
    pub fn name(&self, id: ParamId) -> &str {
        self.0.name(id)
    }

    /// A parameter's gradient, in row-major order.
    #[track_caller]
    pub fn get(&self, id: ParamId) -> &[T] {
        self.0.get(id)
    }

    /// A copy of a parameter's gradient, with its shape.
    #[track_caller]
    pub fn tensor(&self, id: ParamId) -> Tensor<T> {
        self.0.tensor(id)
    }

    /// Names and shapes of the parameters that these are gradients of.
    pub fn signature(&self) -> Signature {
        self.0.signature()
    }

    /// All gradients, one parameter after the other.
    pub fn data(&self) -> &[T] {
        self.0.data()
    }

    /// All gradients, to be changed in place.
    pub fn data_mut(&mut self) -> &mut [T] {
        self.0.data_mut()
    }

    /// The Euclidean norm of all gradients together, without overflow or underflow on the way: NaN or infinite only if an
    /// element is, or if no `f64` is as large.
    pub fn norm(&self) -> f64 {
        length(self.data()).value()
    }

    /// Shrinks all gradients by one factor so that their norm is at most `max`; gives the norm they had.
    ///
    /// If an element is NaN or infinite, so is the norm, and the gradients are left as they are: look at the norm, and leave
    /// the step out or stop.
    ///
    /// Source: R. Pascanu, T. Mikolov and Y. Bengio, On the Difficulty of Training Recurrent Neural Networks, 2013.
    ///
    /// # Panics
    /// If `max` is negative or NaN.
    ///
    /// ```
    /// use quietgrad::{Params, Tensor};
    ///
    /// let mut params = Params::new();
    /// params.add("w", Tensor::from([0.0, 0.0]));
    /// let mut grads = params.zeros();
    /// grads.data_mut().copy_from_slice(&[3.0, 4.0]);
    /// assert_eq!(grads.clip_norm(2.5), 5.0);
    /// assert_eq!(grads.data(), [1.5, 2.0]);
    /// ```
    #[doc(alias = "clip_grad_norm_")]
    #[track_caller]
    pub fn clip_norm(&mut self, max: f64) -> f64 {
        assert!(max >= 0.0, "clip_norm: a norm of at most {max} makes no sense");
        let length = length(self.data());
        let norm = length.value();
        if length.is_finite() && norm > max {
            let [first, second] = length.factors_to(max).map(T::from_f64);
            for g in self.data_mut() {
                *g = *g * first * second;
            }
        }
        norm
    }

    /// Holds every element of the gradients between −`max` and `max`; gives the largest absolute value they had.
    ///
    /// If an element is NaN or infinite, so is the largest, and the gradients are left as they are.
    ///
    /// # Panics
    /// If `max` is negative or NaN.
    ///
    /// ```
    /// use quietgrad::{Params, Tensor};
    ///
    /// let mut params = Params::new();
    /// params.add("w", Tensor::from([0.0, 0.0]));
    /// let mut grads = params.zeros();
    /// grads.data_mut().copy_from_slice(&[3.0, -4.0]);
    /// assert_eq!(grads.clip_value(3.5), 4.0);
    /// assert_eq!(grads.data(), [3.0, -3.5]);
    /// ```
    #[doc(alias = "clip_grad_value_")]
    #[track_caller]
    pub fn clip_value(&mut self, max: f64) -> f64 {
        assert!(max >= 0.0, "clip_value: a value of at most {max} makes no sense");
        let largest = kernels::largest(self.data());
        if largest.is_finite() && largest > max {
            let max = T::from_f64(max);
            for g in self.data_mut() {
                *g = if *g > max {
                    max
                } else if *g < -max {
                    -max
                } else {
                    *g
                };
            }
        }
        largest
    }
}
