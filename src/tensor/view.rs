//! Tensors as ops see them: views of values that stand in the tape's memory, and the cotangents that a vjp reads.

use super::shape::{Strides, broadcast_strides, row_major};
use super::{Shape, room};
use crate::element::Element;
use crate::kernels::{Strided, add_signs, for_each_offset};
use crate::matrix::{Sparse, Support};

/// A tensor as an op sees it: a shape, elements that stand somewhere else, and how to walk them.
#[derive(Clone, Copy, Debug)]
pub struct View<'a, T> {
    pub(crate) data: &'a [T],
    pub(crate) shape: &'a Shape,
    /// `None` for row-major without gaps.
    pub(crate) strides: Option<&'a Strides>,
    /// The elements that are not zero, where they have been found. A cotangent with a support has no others: `data` are
    /// their values then.
    pub(crate) sparse: Option<&'a Sparse<'a, T>>,
}

impl<'a, T> View<'a, T> {
    /// Elements in row-major order, of which nothing else is known.
    pub(crate) fn dense(data: &'a [T], shape: &'a Shape) -> Self {
        View { data, shape, strides: None, sparse: None }
    }

    /// The values of its entries as a dense view; the view as it is if no entries have been found.
    pub(crate) fn entries(self) -> Self {
        match self.sparse {
            Some(sparse) => View::dense(sparse.values, self.shape),
            None => self,
        }
    }
}

impl<'a, T: Element> View<'a, T> {
    /// The sizes of the axes.
    pub fn shape(&self) -> &'a Shape {
        self.shape
    }

    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.shape.elements()
    }

    /// The elements as they stand in memory: in row-major order, except for an op that
    /// [takes strides](crate::ops::Rule::takes_strides).
    pub fn data(&self) -> &'a [T] {
        self.data
    }

    /// The elements in row-major order, if they stand in memory that way.
    pub fn as_slice(&self) -> Option<&'a [T]> {
        match self.strides {
            None => Some(self.data),
            Some(_) => None,
        }
    }

    /// Distances between neighbours along each axis.
    pub(crate) fn strides(&self) -> Strides {
        self.strides.map_or_else(|| row_major(self.shape), |strides| Strides::from_slice(strides))
    }

    /// Strides that make this look like a tensor of shape `to`.
    pub(crate) fn strides_to(&self, to: &[usize]) -> Strides {
        broadcast_strides(self.shape, &self.strides(), to)
    }

    /// Its elements, walked with these strides.
    pub(crate) fn strided<'s>(&self, strides: &'s [usize]) -> Strided<'s, T>
    where
        'a: 's,
    {
        Strided { data: self.data, strides }
    }

    /// A copy of the elements in row-major order.
    ///
    /// # Panics
    /// If there is no memory for it, for example of a view stretched by broadcasting.
    #[track_caller]
    pub fn to_vec(&self) -> Vec<T> {
        self.to_vec_as("to_vec", self.shape)
    }

    /// A copy of the elements in row-major order, broadcast to a shape. A panic names the method.
    #[track_caller]
    pub(crate) fn to_vec_as(self, method: &str, shape: &Shape) -> Vec<T> {
        let mut data = room(method, shape);
        for_each_offset(shape, [&self.strides_to(shape)], |[i]| data.push(self.data[i]));
        data
    }
}

/// The memory that an op writes to: always row-major without gaps.
#[derive(Debug)]
pub struct ViewMut<'a, T> {
    /// The elements.
    pub data: &'a mut [T],
    /// The sizes of the axes.
    pub shape: &'a Shape,
}

impl<'a, T> ViewMut<'a, T> {
    pub(crate) fn new(data: &'a mut [T], shape: &'a Shape) -> Self {
        ViewMut { data, shape }
    }
}

/// The cotangent of an output y, which a vjp reads, and may first turn back in place: `data + signs · sign(y)`.
pub struct Cotangent<'a, T> {
    /// The elements, or the values of the entries alone; y is then given at the same entries.
    pub(crate) data: &'a mut [T],
    pub(crate) shape: &'a Shape,
    /// Where the entries are, if those are all that is given.
    pub(crate) support: Option<&'a Support>,
    /// What an l1 penalty left to be added: this number where y is above 0, and minus it where y is below 0. To be set to 0
    /// by a rule that adds it to `data`.
    pub(crate) signs: &'a mut T,
}

impl<T: Element> Cotangent<'_, T> {
    /// Adds what is left to be added, for an output with the value `y`, and calls `f` with the result.
    #[inline]
    pub(crate) fn read<R>(&mut self, y: View<T>, f: impl FnOnce(View<T>) -> R) -> R {
        if !self.signs.adds_nothing() {
            add_signs(y.data, self.data, std::mem::replace(self.signs, T::ZERO));
        }
        let sparse = self.support.map(|support| Sparse::new(support, self.data));
        f(View { sparse: sparse.as_ref(), ..View::dense(self.data, self.shape) })
    }
}
