//! Shapes, owned tensors, and the views of them that ops work on. No graph stands here, and no op.

mod axis_list;
mod compute;
pub(crate) mod shape;
mod view;

use std::fmt;
use std::ops::{Index, IndexMut};

use shape::Show;

use crate::element::Element;
use crate::matrix::size;
use crate::random::Random;

pub use axis_list::AxisList;
pub use shape::{Axes, Shape, ShapeError};
pub(crate) use view::Cotangent;
pub use view::{View, ViewMut};

/// An owned, row-major tensor: data that goes into a tape or comes out of it.
///
/// ```
/// use quietgrad::Tensor;
///
/// let x = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
/// assert_eq!(x.shape()[..], [2, 3]);
/// assert_eq!(x[[1, 2]], 6.0);
/// ```
#[doc(alias = "NdArray")]
#[doc(alias = "array")]
#[derive(Clone, PartialEq)]
pub struct Tensor<T> {
    data: Vec<T>,
    shape: Shape,
}

impl<T: Element> Tensor<T> {
    /// A tensor of this shape with these elements in row-major order.
    ///
    /// # Errors
    /// If the number of elements is not the shape's, or there can be no tensor of the shape: with more elements than memory
    /// can hold (axes of size 0 count as 1 here), or more than 32 axes.
    pub fn new(shape: impl Into<Shape>, data: Vec<T>) -> Result<Self, ShapeError> {
        let shape = shape.into();
        let elements = shape.elements_of::<T>()?;
        if data.len() != elements {
            let text = format!("a tensor of shape {shape} has {elements} elements, not {}", data.len());
            return Err(ShapeError::new(text));
        }
        Ok(Tensor { data, shape })
    }

    /// The tensor whose element number i, in row-major order, is `f(i)`.
    ///
    /// # Panics
    /// Here and below: if there is no memory for a tensor of this shape, or it has more than 32 axes.
    #[track_caller]
    pub fn from_fn(shape: impl Into<Shape>, f: impl FnMut(usize) -> T) -> Self {
        let shape = shape.into();
        let mut data = room("a tensor", &shape);
        data.extend((0..shape.elements()).map(f));
        Tensor { data, shape }
    }

    /// All elements equal to `value`.
    #[doc(alias = "fill")]
    #[track_caller]
    pub fn full(shape: impl Into<Shape>, value: T) -> Self {
        Tensor::from_fn(shape, |_| value)
    }

    /// All elements 0.
    #[track_caller]
    pub fn zeros(shape: impl Into<Shape>) -> Self {
        Tensor::full(shape, T::ZERO)
    }

    /// All elements 1.
    #[track_caller]
    pub fn ones(shape: impl Into<Shape>) -> Self {
        Tensor::full(shape, T::ONE)
    }

    /// Normal numbers of mean 0 and standard deviation 1.
    ///
    /// ```
    /// use quietgrad::{Random, Tensor};
    ///
    /// let noise = Tensor::<f32>::randn([100, 3], &mut Random::new(1));
    /// assert!(noise.mean().abs() < 0.2);
    /// ```
    #[doc(alias = "normal")]
    #[track_caller]
    pub fn randn(shape: impl Into<Shape>, random: &mut Random) -> Self {
        Tensor::from_fn(shape, |_| T::from_f64(random.normal()))
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The elements in row-major order.
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// The elements in row-major order, to be changed in place.
    pub fn data_mut(&mut self) -> &mut [T] {
        &mut self.data
    }

    /// The elements in row-major order, without the shape.
    pub fn into_data(self) -> Vec<T> {
        self.data
    }

    /// The only element of a tensor that has one.
    ///
    /// # Panics
    /// If there are none or several.
    #[track_caller]
    pub fn item(&self) -> T {
        assert_eq!(self.data.len(), 1, "item: a tensor of shape {} has not one element", self.shape);
        self.data[0]
    }

    /// The tensors `self[i]` along the first axis, as slices, one after the other.
    ///
    /// # Panics
    /// If the tensor is a scalar, or its rows have no elements.
    #[track_caller]
    pub fn rows(&self) -> std::slice::ChunksExact<'_, T> {
        assert!(self.shape.rank() > 0, "rows: a scalar has no rows");
        self.data.chunks_exact(size::product(&self.shape[1..]))
    }

    /// The rows with these numbers, in this order: a mini-batch.
    ///
    /// # Panics
    /// If the tensor is a scalar, there is no such row, or no memory for so many.
    ///
    /// ```
    /// use quietgrad::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    /// assert_eq!(x.select_rows(&[2, 0]), Tensor::from([[5.0, 6.0], [1.0, 2.0]]));
    /// ```
    #[doc(alias = "DataLoader")]
    #[doc(alias = "index_select")]
    #[track_caller]
    pub fn select_rows(&self, rows: &[usize]) -> Self {
        assert!(self.shape.rank() > 0, "select_rows: a scalar has no rows");
        let (count, width) = (self.shape[0], size::product(&self.shape[1..]));
        let shape = std::iter::once(rows.len()).chain(self.shape[1..].iter().copied()).collect();
        let mut data = room("select_rows", &shape);
        for &row in rows {
            assert!(row < count, "select_rows: no row {row} in a tensor of shape {}", self.shape);
            data.extend_from_slice(&self.data[row * width..(row + 1) * width]);
        }
        Tensor { data, shape }
    }

    /// Each element through `f`, possibly to another type.
    pub fn map<U: Element>(&self, f: impl FnMut(T) -> U) -> Tensor<U> {
        Tensor { data: self.data.iter().copied().map(f).collect(), shape: self.shape.clone() }
    }
}

/// An empty list with room for the elements of a tensor of this shape. A panic names the method.
#[track_caller]
pub(crate) fn room<T>(method: &str, shape: &Shape) -> Vec<T> {
    let mut data = Vec::new();
    match shape.elements_of::<T>() {
        Ok(elements) if data.try_reserve_exact(elements).is_ok() => data,
        Ok(_) => panic!("{method}: no memory for a tensor of shape {shape}"),
        Err(error) => panic!("{method}: {error}"),
    }
}

impl<T: Element> From<T> for Tensor<T> {
    fn from(value: T) -> Self {
        Tensor { data: vec![value], shape: Shape::scalar() }
    }
}

/// A vector.
impl<T: Element> From<Vec<T>> for Tensor<T> {
    fn from(values: Vec<T>) -> Self {
        Tensor { shape: Shape::from([values.len()]), data: values }
    }
}

impl<T: Element, const N: usize> From<[T; N]> for Tensor<T> {
    fn from(values: [T; N]) -> Self {
        Tensor { data: values.to_vec(), shape: Shape::from([N]) }
    }
}

impl<T: Element, const M: usize, const N: usize> From<[[T; N]; M]> for Tensor<T> {
    fn from(rows: [[T; N]; M]) -> Self {
        Tensor { data: rows.as_flattened().to_vec(), shape: Shape::from([M, N]) }
    }
}

impl<T: Element, const L: usize, const M: usize, const N: usize> From<[[[T; N]; M]; L]> for Tensor<T> {
    fn from(matrices: [[[T; N]; M]; L]) -> Self {
        Tensor { data: matrices.as_flattened().as_flattened().to_vec(), shape: Shape::from([L, M, N]) }
    }
}

/// Images, [batch, channels, height, width].
impl<T: Element, const K: usize, const L: usize, const M: usize, const N: usize> From<[[[[T; N]; M]; L]; K]>
    for Tensor<T>
{
    fn from(images: [[[[T; N]; M]; L]; K]) -> Self {
        let data = images.as_flattened().as_flattened().as_flattened().to_vec();
        Tensor { data, shape: Shape::from([K, L, M, N]) }
    }
}

impl<T: Element, const N: usize> Index<[usize; N]> for Tensor<T> {
    type Output = T;
    #[track_caller]
    fn index(&self, at: [usize; N]) -> &T {
        &self.data[offset(&self.shape, &at)]
    }
}

impl<T: Element, const N: usize> IndexMut<[usize; N]> for Tensor<T> {
    #[track_caller]
    fn index_mut(&mut self, at: [usize; N]) -> &mut T {
        &mut self.data[offset(&self.shape, &at)]
    }
}

#[track_caller]
fn offset(shape: &[usize], at: &[usize]) -> usize {
    let inside = shape.len() == at.len() && shape.iter().zip(at).all(|(size, i)| i < size);
    assert!(inside, "no element {at:?} in a tensor of shape {}", Show(shape));
    shape.iter().zip(at).fold(0, |offset, (size, i)| offset * size + i)
}

/// Nested brackets, one row a line, as NumPy prints.
impl<T: Element> fmt::Display for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fn nested<T: Element>(
            f: &mut fmt::Formatter,
            shape: &[usize],
            data: &[T],
            depth: usize,
        ) -> fmt::Result {
            let Some((&size, inner)) = shape.split_first() else { return fmt::Display::fmt(&data[0], f) };
            let width = size::product(inner);
            f.write_str("[")?;
            for i in 0..size {
                if i > 0 && inner.is_empty() {
                    f.write_str(", ")?;
                } else if i > 0 {
                    write!(f, ",\n{:depth$}", "", depth = depth + 1)?;
                }
                nested(f, inner, &data[i * width..(i + 1) * width], depth + 1)?;
            }
            f.write_str("]")
        }
        nested(f, &self.shape, &self.data, 0)
    }
}

impl<T: Element> fmt::Debug for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Tensor {} {:?}", self.shape, self.data)
    }
}
