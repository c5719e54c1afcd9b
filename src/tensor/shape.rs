//! Shapes, broadcasting, and the error that both speak of.

use std::fmt;
use std::ops::Deref;

use smallvec::SmallVec;

use super::AxisList;
use crate::matrix::size;

/// The sizes of a tensor's axes, outermost first; up to eight stand inline. Rank 0 is a scalar.
///
/// Any sizes may be written down. That memory can hold so many elements, and that there are at most 32 axes, is asked
/// where a tensor of the shape is made, which is refused otherwise.
///
/// ```
/// use quietgrad::Shape;
///
/// let shape = Shape::from([2, 3]);
/// assert_eq!(shape.rank(), 2);
/// assert_eq!(shape.elements(), 6);
/// assert_eq!(shape.to_string(), "[2, 3]");
/// assert_eq!(shape, [2, 3]);
/// assert_eq!(shape, Shape::from(vec![2, 3]));
/// ```
#[derive(PartialEq, Eq, Hash, Default)]
pub struct Shape(SmallVec<[usize; INLINE]>);

/// The most axes that a tensor may have: [`Axes`] has a bit for each.
pub(super) const MOST_AXES: usize = 32;

/// Distances between neighbours along each axis, in elements.
pub(crate) type Strides = SmallVec<[usize; INLINE]>;

/// As many axes as are described without allocating.
pub(crate) const INLINE: usize = 8;

impl Shape {
    /// The shape of a scalar: no axes, one element.
    pub fn scalar() -> Self {
        Shape(SmallVec::new())
    }

    /// Number of axes.
    #[inline]
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// Number of elements: the product of the sizes, 1 for a scalar; `usize::MAX`, which no tensor has, if it is larger.
    pub fn elements(&self) -> usize {
        size::product(&self.0)
    }

    /// Number of elements of a tensor of numbers `T`, if there can be one: with it the product of any of its sizes fits,
    /// and so does every stride. (Axes of size 0 count as 1.)
    pub(crate) fn elements_of<T>(&self) -> Result<usize, ShapeError> {
        if self.rank() > MOST_AXES {
            return Err(ShapeError::new(format!("shape {self} has more than {MOST_AXES} axes")));
        }
        size::elements::<T>(&self.0)
            .ok_or_else(|| ShapeError::new(format!("shape {self} has more elements than memory can hold")))
    }

    /// Whether the sizes are these: `==`, but inlined, since shapes are short and compared at every turn.
    #[inline]
    pub(crate) fn is(&self, other: &[usize]) -> bool {
        let own: &[usize] = self;
        own.len() == other.len() && (0..own.len()).all(|axis| own[axis] == other[axis])
    }

    /// The shape that both operands stretch to, by NumPy's rule: axes are matched from the last; sizes must be equal
    /// or one of them 1; missing axes count as 1.
    ///
    /// # Errors
    /// If two sizes differ and neither is 1.
    ///
    /// ```
    /// use quietgrad::Shape;
    ///
    /// assert_eq!(Shape::broadcast(&[3, 1], &[4]).unwrap(), Shape::from([3, 4]));
    /// assert!(Shape::broadcast(&[3, 2], &[4]).is_err());
    /// ```
    pub fn broadcast(a: &[usize], b: &[usize]) -> Result<Shape, ShapeError> {
        let rank = a.len().max(b.len());
        let size = |s: &[usize], axis: usize| (axis + s.len()).checked_sub(rank).map_or(1, |i| s[i]);
        let mut shape = SmallVec::with_capacity(rank);
        for axis in 0..rank {
            shape.push(match (size(a, axis), size(b, axis)) {
                (m, n) if m == n => m,
                (1, n) => n,
                (m, 1) => m,
                (m, n) => {
                    return Err(ShapeError::new(format!(
                        "{} and {}: axis {axis} of the result would be {m} and {n}",
                        Show(a),
                        Show(b)
                    )));
                }
            });
        }
        Ok(Shape(shape))
    }
}

/// A set of axes.
///
/// ```
/// use quietgrad::{Axes, Shape};
///
/// let axes = Axes::new(&[0, 2]);
/// assert_eq!(axes.drop(&[3, 4, 5]), Shape::from([4]));
/// assert_eq!(axes.count(&[3, 4, 5]), 15);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Axes(u32);

impl Axes {
    /// The set of these axes.
    ///
    /// # Panics
    /// If one is 32 or more.
    #[track_caller]
    pub fn new(axes: &[usize]) -> Self {
        for axis in axes {
            assert!(*axis < MOST_AXES, "axes: no axis {axis}, as a tensor has at most 32 axes");
        }
        Axes(axes.iter().fold(0, |set, axis| set | 1 << axis))
    }

    /// The set of the axes in a list, each of which must be an axis of this shape and stand there once. A panic names the
    /// method.
    #[track_caller]
    pub(crate) fn listed(method: &str, axes: impl AxisList, shape: &Shape) -> Self {
        let axes = axes.axes(shape.rank());
        for (i, axis) in axes.iter().enumerate() {
            assert!(*axis < shape.rank(), "{method}: no axis {axis} in a tensor of shape {shape}");
            assert!(!axes[..i].contains(axis), "{method}: axis {axis} is named twice in {}", Show(&axes));
        }
        Axes::new(&axes)
    }

    /// All axes of a tensor of this rank.
    ///
    /// # Panics
    /// If the rank is more than 32.
    #[track_caller]
    pub fn all(rank: usize) -> Self {
        assert!(rank <= MOST_AXES, "rank {rank}: a tensor has at most 32 axes");
        Axes(u32::MAX.checked_shr((MOST_AXES - rank) as u32).unwrap_or(0))
    }

    /// All axes of a tensor of this rank but one.
    ///
    /// # Panics
    /// If the rank is more than 32.
    ///
    /// ```
    /// use quietgrad::Axes;
    ///
    /// assert_eq!(Axes::all_but(1, 3), Axes::new(&[0, 2]));
    /// ```
    #[track_caller]
    pub fn all_but(axis: usize, rank: usize) -> Self {
        Axes(Axes::all(rank).0 & !1u32.checked_shl(axis as u32).filter(|_| axis < MOST_AXES).unwrap_or(0))
    }

    /// Whether this axis is one of them.
    pub fn contains(self, axis: usize) -> bool {
        axis < MOST_AXES && self.0 >> axis & 1 == 1
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// An error if one of them is not an axis of this shape.
    pub(crate) fn expect_in(self, shape: &[usize]) -> Result<(), ShapeError> {
        match self.0.checked_ilog2() {
            Some(last) => size_of(shape, last as usize).map(|_| ()),
            None => Ok(()),
        }
    }

    /// How many elements stand along them; `usize::MAX` if they are more.
    pub fn count(self, shape: &[usize]) -> usize {
        let along = shape.iter().enumerate().filter(|(axis, _)| self.contains(*axis));
        along.fold(1, |count, (_, &size)| count.saturating_mul(size))
    }

    /// The shape without them.
    pub fn drop(self, shape: &[usize]) -> Shape {
        shape.iter().enumerate().filter(|(axis, _)| !self.contains(*axis)).map(|(_, &size)| size).collect()
    }

    /// The shape with size 1 along them.
    pub(crate) fn keep(self, shape: &[usize]) -> Shape {
        shape.iter().enumerate().map(|(axis, &size)| if self.contains(axis) { 1 } else { size }).collect()
    }

    /// Strides by which one walks a tensor of this shape without these axes, row-major, along with the whole one: where an
    /// element of the whole is added in a sum over these axes. They are 0 along these axes.
    pub(crate) fn reduced_strides(self, shape: &[usize]) -> Strides {
        let kept = self.keep(shape);
        broadcast_strides(&kept, &row_major(&kept), shape)
    }

    /// All axes of a tensor of this rank in a new order: those of the set come last.
    pub(crate) fn inside(self, rank: usize) -> Strides {
        let (inside, outside): (Strides, Strides) = (0..rank).partition(|&axis| self.contains(axis));
        outside.into_iter().chain(inside).collect()
    }
}

impl fmt::Debug for Axes {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_list().entries((0..32).filter(|&axis| self.contains(axis))).finish()
    }
}

/// Row-major strides of a contiguous tensor. (No product here and below overflows: the shape is one that a tensor has.)
pub(crate) fn row_major(shape: &[usize]) -> Strides {
    let mut strides = Strides::from_elem(1, shape.len());
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// Whether these are a contiguous tensor's strides; along an axis of size 1 any stride is.
pub(crate) fn is_row_major(shape: &[usize], strides: &[usize]) -> bool {
    shape.contains(&0)
        || shape.iter().zip(strides.iter().zip(&row_major(shape))).all(|(&size, (a, b))| size == 1 || a == b)
}

/// Numbers of elements before, along and after an axis: a row-major tensor is `[before][along][after]`.
pub(crate) fn around(shape: &[usize], axis: usize) -> [usize; 3] {
    [shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product()]
}

/// The size along an axis.
pub(crate) fn size_of(shape: &[usize], axis: usize) -> Result<usize, ShapeError> {
    let missing = || ShapeError::new(format!("no axis {axis} in a tensor of shape {}", Show(shape)));
    shape.get(axis).copied().ok_or_else(missing)
}

/// The shape with another size along an axis.
pub(crate) fn with_size(shape: &[usize], axis: usize, size: usize) -> Shape {
    shape.iter().enumerate().map(|(i, &old)| if i == axis { size } else { old }).collect()
}

/// Strides that make a tensor of `shape` look like one of shape `to`: 0 along every stretched axis.
pub(crate) fn broadcast_strides(shape: &[usize], strides: &[usize], to: &[usize]) -> Strides {
    let missing = to.len() - shape.len();
    let mut own = Strides::from_elem(0, to.len());
    for axis in (0..shape.len()).filter(|&axis| shape[axis] != 1) {
        own[missing + axis] = strides[axis];
    }
    own
}

/// A copy of the sizes at once: a list clones its elements one by one.
impl Clone for Shape {
    #[inline]
    fn clone(&self) -> Self {
        Shape(SmallVec::from_slice(&self.0))
    }
}

impl Deref for Shape {
    type Target = [usize];
    #[inline]
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl From<&[usize]> for Shape {
    fn from(sizes: &[usize]) -> Self {
        Shape(SmallVec::from_slice(sizes))
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(sizes: [usize; N]) -> Self {
        Shape(SmallVec::from_slice(&sizes))
    }
}

impl From<Vec<usize>> for Shape {
    fn from(sizes: Vec<usize>) -> Self {
        Shape(SmallVec::from_vec(sizes))
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Self {
        shape.clone()
    }
}

/// Compares with an array, a slice or a list of sizes, on either side.
macro_rules! compare {
    ($(($($generics:tt)*) $Sizes:ty),*) => {
        $(
            impl<$($generics)*> PartialEq<$Sizes> for Shape {
                fn eq(&self, sizes: &$Sizes) -> bool {
                    self.0[..] == sizes[..]
                }
            }

            impl<$($generics)*> PartialEq<Shape> for $Sizes {
                fn eq(&self, shape: &Shape) -> bool {
                    shape.0[..] == self[..]
                }
            }
        )*
    };
}
compare!((const N: usize) [usize; N], (const N: usize) &[usize; N], () [usize], () &[usize], () Vec<usize>);

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(sizes: I) -> Self {
        let mut shape = SmallVec::new();
        for size in sizes {
            shape.push(size);
        }
        Shape(shape)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(&Show(self), f)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(&Show(self), f)
    }
}

/// Prints a slice of sizes as a shape.
pub(crate) struct Show<'a>(pub &'a [usize]);

impl fmt::Display for Show<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

/// Shapes that do not fit an op. Its text is what the panic says, after the op's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError(String);

impl ShapeError {
    /// An error with this text.
    #[cold]
    pub fn new(text: impl Into<String>) -> Self {
        ShapeError(text.into())
    }
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ShapeError {}
