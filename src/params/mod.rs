//! Parameters and their gradients: one flat block each, of which every parameter has a name, a shape and a range.
//!
//! A tape borrows the block and never copies it; an optimizer, a norm or a copy is one loop over it. No graph stands here,
//! and nothing that learns.

use std::ops::Range;
use std::sync::Arc;

mod frozen;
mod grads;
mod signature;
mod ties;

pub use grads::Grads;
pub use signature::Signature;

use crate::element::Element;
use crate::tensor::{Shape, Tensor};

/// A parameter of a [`Params`]: where it stands. It serves its model, and all that have the same parameters up to it.
// The lower half is its number. The upper half is part of a hash of its name and shape and those of all before it: another
// model's parameter has another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParamId(u64);

/// What there is to know of a parameter but its elements.
#[derive(Clone, Debug, PartialEq)]
struct Param {
    id: ParamId,
    name: String,
    shape: Shape,
    /// Where its elements stand in the block.
    range: Range<usize>,
    frozen: bool,
    /// Other names that it is known by.
    ties: Vec<String>,
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
    list: Arc<Vec<Param>>,
    signature: Signature,
}

impl<T: Element> Params<T> {
    /// No parameters yet.
    pub fn new() -> Self {
        Params { data: Vec::new(), list: Arc::default(), signature: Signature::EMPTY }
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
        let id = ParamId(self.signature.fingerprint & !u64::from(u32::MAX) | self.list.len() as u64);
        let range = start..self.data.len();
        Arc::make_mut(&mut self.list).push(Param { id, name, shape, range, frozen: false, ties: Vec::new() });
        id
    }

    /// The parameter of this name, be it one that was [tied](Params::tie) to it.
    pub fn find(&self, name: &str) -> Option<ParamId> {
        let named = |param: &&Param| param.name == name || param.ties.iter().any(|tie| tie == name);
        self.list.iter().find(named).map(|param| param.id)
    }

    /// All parameters, in the order in which they were added.
    pub fn ids(&self) -> impl Iterator<Item = ParamId> + use<T> {
        let list = Arc::clone(&self.list);
        (0..list.len()).map(move |i| list[i].id)
    }

    /// A parameter's name.
    #[track_caller]
    pub fn name(&self, id: ParamId) -> &str {
        &self.param(id).name
    }

    /// A parameter's shape.
    #[track_caller]
    pub fn shape(&self, id: ParamId) -> &Shape {
        &self.param(id).shape
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
            .expect("a parameter's range has its shape's size")
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
            list: self.list.clone(),
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

    /// All parameters, each with its range of the block.
    pub(crate) fn places(&self) -> impl Iterator<Item = (ParamId, &Range<usize>)> {
        self.list.iter().map(|param| (param.id, &param.range))
    }

    /// A parameter's range of the block, its shape, and whether it is frozen.
    #[track_caller]
    #[inline]
    pub(crate) fn place(&self, id: ParamId) -> (Range<usize>, &Shape, bool) {
        let Param { range, shape, frozen, .. } = self.param(id);
        (range.clone(), shape, *frozen)
    }

    #[track_caller]
    fn range(&self, id: ParamId) -> Range<usize> {
        self.param(id).range.clone()
    }

    #[track_caller]
    fn param_mut(&mut self, id: ParamId) -> &mut Param {
        self.param(id);
        &mut Arc::make_mut(&mut self.list)[id.index()]
    }

    #[track_caller]
    #[inline]
    fn param(&self, id: ParamId) -> &Param {
        match self.list.get(id.index()) {
            Some(param) if param.id == id => param,
            other => refuse_id(id, other, self.list.len()),
        }
    }
}

#[cold]
#[track_caller]
fn refuse_id(id: ParamId, param: Option<&Param>, count: usize) -> ! {
    let number = id.index();
    match param {
        Some(Param { name, shape, .. }) => panic!(
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
