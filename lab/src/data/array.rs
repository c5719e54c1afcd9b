//! An array as files hold it, and the reading of its numbers.

use std::io::{self, Read};

use quietgrad::{Element, Tensor};

use super::dtype::{Dtype, Order, Value};

/// The most axes an array may have.
const MOST_AXES: usize = 32;

/// Bytes read at once.
const CHUNK: usize = 1 << 16;

/// An array read from a file or about to be written to one: sizes of the axes, and numbers in row-major order.
///
/// ```
/// use quietgrad::Tensor;
/// use quietgrad_lab::data::Array;
///
/// let array = Array::new([2, 2], vec![1.0, 2.0, 3.0, 4.0]);
/// assert_eq!(array.into_tensor(), Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Array<T> {
    shape: Vec<usize>,
    data: Vec<T>,
}

impl<T> Array<T> {
    /// An array of this shape with these numbers in row-major order.
    ///
    /// # Panics
    /// If their number is not the shape's.
    #[track_caller]
    pub fn new(shape: impl Into<Vec<usize>>, data: Vec<T>) -> Self {
        let shape = shape.into();
        assert!(
            elements(&shape) == Ok(data.len()),
            "an array of shape {shape:?} does not have {} elements",
            data.len()
        );
        Array { shape, data }
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The numbers in row-major order.
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// The numbers in row-major order, without the shape.
    pub fn into_data(self) -> Vec<T> {
        self.data
    }

    /// The array as a tensor, without a copy.
    #[expect(clippy::missing_panics_doc, reason = "an array has as many numbers as its shape says")]
    pub fn into_tensor(self) -> Tensor<T>
    where
        T: Element,
    {
        Tensor::new(&self.shape[..], self.data).expect("the shape's number of elements")
    }
}

impl<T: Element> From<&Tensor<T>> for Array<T> {
    fn from(tensor: &Tensor<T>) -> Self {
        Array { shape: tensor.shape().to_vec(), data: tensor.data().to_vec() }
    }
}

/// The number of elements of this shape, unless it is too large to be a number, or there are too many axes.
pub(crate) fn elements(shape: &[usize]) -> Result<usize, String> {
    if shape.len() > MOST_AXES {
        return Err(format!("expected at most {MOST_AXES} axes, found {}", shape.len()));
    }
    // Zeros last: [0, huge, huge] has no elements, and an array of its rows would still be beyond any memory.
    let product = shape.iter().filter(|&&n| n != 0).try_fold(1usize, |all, &n| all.checked_mul(n));
    match product {
        Some(product) if product <= isize::MAX as usize / 8 => {
            Ok(if shape.contains(&0) { 0 } else { product })
        }
        _ => Err(format!("the sizes {shape:?} multiply to more than any memory holds")),
    }
}

/// Appends `count` numbers. Memory grows with what arrives, unless the caller has reserved it.
pub(crate) fn read_numbers<T: Value>(
    mut from: impl Read,
    dtype: Dtype,
    order: Order,
    count: usize,
    to: &mut Vec<T>,
) -> Result<(), String> {
    let start = to.len();
    let mut buffer = vec![0; CHUNK.min(count.saturating_mul(dtype.size()))];
    while to.len() - start < count {
        let step = (CHUNK / dtype.size()).min(count - (to.len() - start));
        let bytes = &mut buffer[..step * dtype.size()];
        from.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                format!("expected {count} numbers of {} bytes, the file ends before", dtype.size())
            }
            _ => error.to_string(),
        })?;
        dtype.decode(order, bytes, to).map_err(|text| format!("element {}: {text}", to.len() - start))?;
    }
    Ok(())
}

/// Writes numbers, little end first, a piece at a time.
pub(crate) fn write_numbers<T: Value>(to: &mut dyn io::Write, data: &[T]) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(CHUNK);
    for piece in data.chunks(CHUNK / size_of::<T>()) {
        bytes.clear();
        piece.iter().for_each(|x| x.write(&mut bytes));
        to.write_all(&bytes)?;
    }
    Ok(())
}
