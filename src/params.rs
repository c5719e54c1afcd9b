//! Parameters and their gradients: one flat block each, with named entries.
//!
//! A tape borrows the block and never copies it; an optimizer, a norm or a copy is one loop over it.

use std::ops::Range;

use crate::element::Element;
use crate::kernels;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// A parameter of a [`Params`]: where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParamId(u32);

/// A parameter's name, shape and place.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    name: String,
    shape: Shape,
    range: Range<usize>,
}

/// Everything a model learns, in one flat block.
///
/// ```
/// use quietgrad::{Params, Tensor};
///
/// let mut params = Params::new();
/// let w = params.add("w", Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
/// let b = params.add("b", Tensor::from([0.5, 0.5]));
/// assert_eq!(params.get(b), [0.5, 0.5]);
/// assert_eq!(params.data(), [1.0, 2.0, 3.0, 4.0, 0.5, 0.5]);
/// assert_eq!(params.find("w"), Some(w));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Params<T> {
    data: Vec<T>,
    entries: Vec<Entry>,
}

/// A gradient for every parameter, laid out like the [`Params`] it was made from by [`Params::zeros`].
#[derive(Clone, Debug, PartialEq)]
pub struct Grads<T>(Params<T>);

impl<T: Element> Params<T> {
    /// No parameters yet.
    pub fn new() -> Self {
        Params { data: Vec::new(), entries: Vec::new() }
    }

    /// Adds a parameter with its initial value.
    ///
    /// # Panics
    /// If there is one of this name already.
    #[track_caller]
    pub fn add(&mut self, name: impl Into<String>, value: Tensor<T>) -> ParamId {
        let name = name.into();
        assert!(self.find(&name).is_none(), "there is a parameter named {name:?} already");
        let shape = value.shape().clone();
        let start = self.data.len();
        self.data.extend(value.into_data());
        self.entries.push(Entry { name, shape, range: start..self.data.len() });
        ParamId(self.entries.len() as u32 - 1)
    }

    /// The parameter of this name.
    pub fn find(&self, name: &str) -> Option<ParamId> {
        self.entries.iter().position(|entry| entry.name == name).map(|i| ParamId(i as u32))
    }

    /// All parameters, in the order in which they were added.
    pub fn ids(&self) -> impl Iterator<Item = ParamId> + use<T> {
        (0..self.entries.len() as u32).map(ParamId)
    }

    /// A parameter's name.
    #[track_caller]
    pub fn name(&self, id: ParamId) -> &str {
        &self.entry(id).name
    }

    /// A parameter's shape.
    #[track_caller]
    pub fn shape(&self, id: ParamId) -> &Shape {
        &self.entry(id).shape
    }

    /// A parameter's elements, in row-major order.
    #[track_caller]
    pub fn get(&self, id: ParamId) -> &[T] {
        &self.data[self.range(id)]
    }

    /// A parameter's elements, to be changed in place.
    #[track_caller]
    pub fn get_mut(&mut self, id: ParamId) -> &mut [T] {
        let range = self.range(id);
        &mut self.data[range]
    }

    /// A copy of a parameter, with its shape.
    ///
    /// # Panics
    /// If there is no such parameter.
    #[track_caller]
    pub fn tensor(&self, id: ParamId) -> Tensor<T> {
        Tensor::new(self.shape(id).clone(), self.get(id).to_vec())
            .expect("an entry's range has its shape's size")
    }

    /// The number of elements of all parameters.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// All elements, one parameter after the other.
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// All elements, to be changed in place.
    pub fn data_mut(&mut self) -> &mut [T] {
        &mut self.data
    }

    /// The same parameters as another kind of number: for example lifted to dual numbers.
    pub fn map<U: Element>(&self, f: impl FnMut(T) -> U) -> Params<U> {
        Params { data: self.data.iter().copied().map(f).collect(), entries: self.entries.clone() }
    }

    /// Gradients for these parameters, all zero.
    pub fn zeros(&self) -> Grads<T> {
        Grads(self.map(|_| T::ZERO))
    }

    #[track_caller]
    pub(crate) fn range(&self, id: ParamId) -> Range<usize> {
        self.entry(id).range.clone()
    }

    #[track_caller]
    fn entry(&self, id: ParamId) -> &Entry {
        match self.entries.get(id.0 as usize) {
            Some(entry) => entry,
            None => {
                panic!("no parameter {}: there are {}; is it of another model?", id.0, self.entries.len())
            }
        }
    }
}

impl<T: Element> Default for Params<T> {
    fn default() -> Self {
        Params::new()
    }
}

impl ParamId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

impl<T: Element> Grads<T> {
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

    /// All gradients, one parameter after the other.
    pub fn data(&self) -> &[T] {
        self.0.data()
    }

    /// All gradients, to be changed in place.
    pub fn data_mut(&mut self) -> &mut [T] {
        self.0.data_mut()
    }

    /// The Euclidean norm of all gradients together, without overflow or underflow of their squares.
    pub fn norm(&self) -> f64 {
        kernels::norm(self.data())
    }

    /// Shrinks all gradients by one factor so that their norm is at most `max`; gives the norm they had.
    ///
    /// Source: R. Pascanu, T. Mikolov and Y. Bengio, On the Difficulty of Training Recurrent Neural Networks, 2013.
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
    pub fn clip_norm(&mut self, max: f64) -> f64 {
        let norm = self.norm();
        if norm > max {
            let factor = T::from_f64(max / norm);
            for g in self.data_mut() {
                *g = *g * factor;
            }
        }
        norm
    }

    /// Holds every element of the gradients between −`max` and `max`.
    pub fn clip_value(&mut self, max: f64) {
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
}
