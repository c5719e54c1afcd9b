//! Parameters and their gradients: one flat block each, with named entries.
//!
//! A tape borrows the block and never copies it; an optimizer, a norm or a copy is one loop over it.

use std::ops::Range;
use std::sync::Arc;

use crate::element::Element;
use crate::kernels::{self, length};
use crate::tensor::{Shape, Tensor};

/// A parameter of a [`Params`]: where it stands. It serves its model, and all that have the same parameters up to it.
// The lower half is its number. The upper half is part of a hash of its name and shape and those of all before it: another
// model's parameter has another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParamId(u64);

/// A parameter's name, shape and place.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    id: ParamId,
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
#[doc(alias = "parameters")]
#[doc(alias = "state_dict")]
#[doc(alias = "VarMap")]
#[derive(Clone, Debug, PartialEq)]
pub struct Params<T> {
    data: Vec<T>,
    entries: Arc<Vec<Entry>>,
    signature: Signature,
}

/// What names and shapes some parameters have, and in what order: equal for clones and averages of one model, and for
/// models built by the same program, in another process or on another machine as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The number of elements of all parameters.
    pub elements: u64,
    /// A hash of names and shapes.
    pub fingerprint: u64,
}

impl Signature {
    /// Of no parameters. The number is FNV-1a's first hash (G. Fowler, L. C. Noll and K.-P. Vo, 1991).
    const EMPTY: Signature = Signature { elements: 0, fingerprint: 0xcbf2_9ce4_8422_2325 };

    /// One more parameter. Lengths are hashed first, so that no two lists of names and shapes read alike.
    fn with(self, name: &str, shape: &[usize], elements: usize) -> Signature {
        let sizes = [name.len(), shape.len()].into_iter().chain(shape.iter().copied());
        let sizes = sizes.flat_map(|size| (size as u64).to_le_bytes());
        let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Signature {
            elements: self.elements + elements as u64,
            fingerprint: sizes.chain(name.bytes()).fold(self.fingerprint, hash),
        }
    }
}

/// A gradient for every parameter, laid out like the [`Params`] it was made from by [`Params::zeros`].
#[derive(Clone, Debug, PartialEq)]
pub struct Grads<T>(Params<T>);

impl<T: Element> Params<T> {
    /// No parameters yet.
    pub fn new() -> Self {
        Params { data: Vec::new(), entries: Arc::default(), signature: Signature::EMPTY }
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
        self.signature = self.signature.with(&name, &shape, self.data.len() - start);
        let id = ParamId(self.signature.fingerprint & !u64::from(u32::MAX) | self.entries.len() as u64);
        let range = start..self.data.len();
        Arc::make_mut(&mut self.entries).push(Entry { id, name, shape, range });
        id
    }

    /// The parameter of this name.
    pub fn find(&self, name: &str) -> Option<ParamId> {
        self.entries.iter().find(|entry| entry.name == name).map(|entry| entry.id)
    }

    /// All parameters, in the order in which they were added.
    pub fn ids(&self) -> impl Iterator<Item = ParamId> + use<T> {
        let entries = Arc::clone(&self.entries);
        (0..entries.len()).map(move |i| entries[i].id)
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

    /// The parameters as another kind of number: for example lifted to dual numbers.
    pub fn map<U: Element>(&self, f: impl FnMut(T) -> U) -> Params<U> {
        Params {
            data: self.data.iter().copied().map(f).collect(),
            entries: self.entries.clone(),
            signature: self.signature,
        }
    }

    /// Names and shapes as one small value, to tell these parameters from others.
    pub fn signature(&self) -> Signature {
        self.signature
    }

    /// Gradients for these parameters, all zero.
    #[doc(alias = "zero_grad")]
    pub fn zeros(&self) -> Grads<T> {
        Grads(self.map(|_| T::ZERO))
    }

    /// All parameters, each with its place.
    pub(crate) fn places(&self) -> impl Iterator<Item = (ParamId, &Range<usize>)> {
        self.entries.iter().map(|entry| (entry.id, &entry.range))
    }

    /// A parameter's place and shape.
    #[track_caller]
    #[inline]
    pub(crate) fn place(&self, id: ParamId) -> (Range<usize>, &Shape) {
        let Entry { range, shape, .. } = self.entry(id);
        (range.clone(), shape)
    }

    #[track_caller]
    fn range(&self, id: ParamId) -> Range<usize> {
        self.entry(id).range.clone()
    }

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
        let differ = |a: &Entry, b: &Entry| a.name != b.name || a.shape != b.shape;
        let count = self.entries.len().min(grads.entries.len());
        let first = (0..count).find(|&i| differ(&self.entries[i], &grads.entries[i])).unwrap_or(count);
        let says = |entry: Option<&Entry>| match entry {
            Some(Entry { name, shape, .. }) => format!("{name:?} of shape {shape}"),
            None => "missing".to_owned(),
        };
        let [here, there] = [self, grads].map(|params| says(params.entries.get(first)));
        panic!(
            "{what}: {given} gradients do not fit {expected} parameters: they are of another model, whose parameter \
             {first} is {there}, and here it is {here}"
        )
    }

    #[track_caller]
    #[inline]
    fn entry(&self, id: ParamId) -> &Entry {
        match self.entries.get(id.index()) {
            Some(entry) if entry.id == id => entry,
            other => refuse_id(id, other, self.entries.len()),
        }
    }
}

#[cold]
#[track_caller]
fn refuse_id(id: ParamId, entry: Option<&Entry>, count: usize) -> ! {
    let number = id.index();
    match entry {
        Some(Entry { name, shape, .. }) => panic!(
            "parameter {number} is of another model: here parameter {number} is {name:?} of shape {shape}, and was added \
             after other ones or with another name or shape"
        ),
        None => panic!("no parameter {number}: there are {count}; is it of another model?"),
    }
}

impl<T: Element> Default for Params<T> {
    fn default() -> Self {
        Params::new()
    }
}

impl ParamId {
    pub(crate) fn index(self) -> usize {
        self.0 as u32 as usize
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
