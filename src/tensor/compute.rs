//! What can be computed with a tensor without a tape: data prepared, predictions counted. Nothing here is differentiated.

use super::shape::{around, broadcast_strides, row_major, size_of};
use super::{Axes, AxisList, Shape, Tensor, room};
use crate::element::Element;
use crate::kernels::{self, Strided};
use crate::matrix::{Accum, size};

/// Rows and columns, statistics, and tensors put together, without a tape.
///
/// ```
/// use quietgrad::Tensor;
///
/// // Every column to mean 0 and standard deviation 1.
/// let x = Tensor::from([[1.0, 10.0], [3.0, 30.0]]);
/// let centred = x.map2(&x.mean_axes(0), |x, mean| x - mean);
/// let standardized = centred.map2(&x.std_axes(0, 0), |x, deviation| x / deviation);
/// assert_eq!(standardized, Tensor::from([[-1.0, -1.0], [1.0, 1.0]]));
/// ```
impl<T: Element> Tensor<T> {
    /// The tensor `self[i]` along the first axis, as a slice: of a matrix, its row.
    ///
    /// # Panics
    /// If the tensor is a scalar, or there is no such row.
    ///
    /// ```
    /// use quietgrad::Tensor;
    ///
    /// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.row(1), [3.0, 4.0]);
    /// assert_eq!(x.column(1), [2.0, 4.0]);
    /// ```
    #[track_caller]
    pub fn row(&self, row: usize) -> &[T] {
        let count = self.shape.first().copied().unwrap_or(0);
        assert!(row < count, "row: no row {row} in a tensor of shape {}", self.shape);
        let width = size::product(&self.shape[1..]);
        &self.data[row * width..(row + 1) * width]
    }

    /// A copy of a column of a matrix.
    ///
    /// # Panics
    /// If the tensor is not a matrix, or there is no such column.
    #[track_caller]
    pub fn column(&self, column: usize) -> Vec<T> {
        let &[_, columns] = &self.shape[..] else {
            panic!("column: a tensor of shape {} is not a matrix", self.shape)
        };
        assert!(column < columns, "column: no column {column} in a tensor of shape {}", self.shape);
        self.data.iter().skip(column).step_by(columns).copied().collect()
    }

    /// The elements in their order, in another shape.
    ///
    /// # Panics
    /// If the shape has another number of elements.
    ///
    /// ```
    /// use quietgrad::Tensor;
    ///
    /// let image = Tensor::from(vec![1.0, 2.0, 3.0, 4.0]).reshape([2, 2]);
    /// assert_eq!(image.t(), Tensor::from([[1.0, 3.0], [2.0, 4.0]]));
    /// ```
    #[doc(alias = "view")]
    #[track_caller]
    pub fn reshape(self, shape: impl Into<Shape>) -> Self {
        let (shape, own) = (shape.into(), &self.shape);
        // A closure would stand between the panic and the caller's line.
        let Ok(fitting) = Tensor::new(shape.clone(), self.data) else {
            panic!("reshape: a tensor of shape {own} does not fit shape {shape}")
        };
        fitting
    }

    /// A copy with two axes exchanged.
    ///
    /// # Panics
    /// If there is no such axis.
    ///
    /// ```
    /// use quietgrad::Tensor;
    ///
    /// let x = Tensor::<f64>::ones([2, 3, 4]);
    /// assert_eq!(*x.transpose(0, 2).shape(), [4, 3, 2]);
    /// ```
    #[track_caller]
    pub fn transpose(&self, axis: usize, other: usize) -> Self {
        for axis in [axis, other] {
            assert!(
                axis < self.shape.rank(),
                "transpose: no axis {axis} in a tensor of shape {}",
                self.shape
            );
        }
        let mut strides = row_major(&self.shape);
        strides.swap(axis, other);
        let mut order: Vec<usize> = self.shape.to_vec();
        order.swap(axis, other);
        let shape = Shape::from(order);
        let mut data = room("transpose", &shape);
        kernels::for_each_offset(&shape, [&strides], |[at]| data.push(self.data[at]));
        Tensor { data, shape }
    }

    /// A copy with the last two axes exchanged: of a matrix, its transpose.
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn t(&self) -> Self {
        let rank = self.shape.rank();
        assert!(rank >= 2, "t: a tensor of shape {} has no two axes to exchange", self.shape);
        self.transpose(rank - 2, rank - 1)
    }

    /// The sum of all elements.
    pub fn sum(&self) -> T {
        self.summed_over(Axes::all(self.shape.rank())).data[0]
    }

    /// The sum over these axes, or one, which go.
    ///
    /// # Panics
    /// If there is no such axis, or one is named twice. Here and below.
    #[track_caller]
    pub fn sum_axes(&self, axes: impl AxisList) -> Self {
        self.summed_over(Axes::listed("sum_axes", axes, &self.shape))
    }

    /// The mean of all elements.
    ///
    /// # Panics
    /// If there are none.
    #[track_caller]
    pub fn mean(&self) -> T {
        self.averaged_over("mean", Axes::all(self.shape.rank()), 0).data[0]
    }

    /// The mean over these axes, or one, which go: `mean_axes(0)` is that of each column.
    ///
    /// # Panics
    /// If there are no elements along the axes.
    #[track_caller]
    pub fn mean_axes(&self, axes: impl AxisList) -> Self {
        self.averaged_over("mean_axes", Axes::listed("mean_axes", axes, &self.shape), 0)
    }

    /// The standard deviation of all elements: the root of Σ (x − mean)² / (n − correction).
    ///
    /// # Panics
    /// If there are no more elements than the correction.
    ///
    /// ```
    /// use quietgrad::Tensor;
    ///
    /// assert_eq!(Tensor::from([1.0, 3.0, 5.0]).std(1), 2.0);
    /// ```
    #[track_caller]
    pub fn std(&self, correction: usize) -> T {
        self.deviation_over("std", Axes::all(self.shape.rank()), correction).data[0]
    }

    /// The standard deviation over these axes, or one, which go: `std_axes(0, 0)` is that of each column.
    ///
    /// # Panics
    /// If there are no more elements along the axes than the correction.
    #[track_caller]
    pub fn std_axes(&self, axes: impl AxisList, correction: usize) -> Self {
        self.deviation_over("std_axes", Axes::listed("std_axes", axes, &self.shape), correction)
    }

    /// At which index along an axis the largest element stands, for every index of the other axes in row-major order: of
    /// scores of shape [samples, classes], `argmax(1)` is the class of each sample. The first of equal ones; the first NaN if
    /// there is one.
    ///
    /// # Panics
    /// If there is no such axis, or it has size 0.
    ///
    /// ```
    /// use quietgrad::Tensor;
    ///
    /// let scores = Tensor::from([[0.1, 0.7, 0.2], [0.5, 0.1, 0.5]]);
    /// assert_eq!(scores.argmax(1), [1, 0]);
    /// ```
    #[track_caller]
    pub fn argmax(&self, axis: usize) -> Vec<usize> {
        let along = match size_of(&self.shape, axis) {
            Ok(along) => along,
            Err(error) => panic!("argmax: {error}"),
        };
        assert!(along > 0, "argmax: no elements along axis {axis} of a tensor of shape {}", self.shape);
        let [before, _, after] = around(&self.shape, axis);
        let of = |other: usize| {
            let at = |i: usize| self.data[(other / after * along + i) * after + other % after];
            let better = |best: usize, i: usize| !at(best).is_nan() && (at(i) > at(best) || at(i).is_nan());
            (1..along).fold(0, |best, i| if better(best, i) { i } else { best })
        };
        (0..before * after).map(of).collect()
    }

    /// Each pair of elements through `f`, broadcast against each other by NumPy's rule.
    ///
    /// # Panics
    /// If the shapes do not broadcast, or there is no memory for the result.
    ///
    /// ```
    /// use quietgrad::Tensor;
    ///
    /// let (a, b) = (Tensor::from([[1.0, 2.0], [3.0, 4.0]]), Tensor::from([10.0, 20.0]));
    /// assert_eq!(a.map2(&b, |a, b| a * b), Tensor::from([[10.0, 40.0], [30.0, 80.0]]));
    /// ```
    #[doc(alias = "zip_with")]
    #[doc(alias = "zip")]
    #[track_caller]
    pub fn map2<U: Element, V: Element>(&self, other: &Tensor<U>, mut f: impl FnMut(T, U) -> V) -> Tensor<V> {
        let shape = match Shape::broadcast(&self.shape, &other.shape) {
            Ok(shape) => shape,
            Err(error) => panic!("map2: {error}"),
        };
        let mut data = room("map2", &shape);
        let own = broadcast_strides(&self.shape, &row_major(&self.shape), &shape);
        let others = broadcast_strides(&other.shape, &row_major(&other.shape), &shape);
        kernels::for_each_offset(&shape, [&own, &others], |[a, b]| data.push(f(self.data[a], other.data[b])));
        Tensor { data, shape }
    }

    fn summed_over(&self, axes: Axes) -> Self {
        let shape = axes.drop(&self.shape);
        let mut data = vec![T::ZERO; shape.elements()];
        let to = axes.reduced_strides(&self.shape);
        let x = Strided { data: &self.data, strides: &row_major(&self.shape) };
        kernels::sum_strided(&self.shape, [x], &mut data, &to, Accum::Replace, &kernels::copy);
        Tensor { data, shape }
    }

    /// The sum over these axes divided by as many as were summed, less a correction.
    #[track_caller]
    fn averaged_over(&self, method: &str, axes: Axes, correction: usize) -> Self {
        let count = axes.count(&self.shape);
        assert!(
            count > correction,
            "{method}: {count} elements along {axes:?} of a tensor of shape {} are too few",
            self.shape
        );
        let factor = T::ONE / T::from_f64((count - correction) as f64);
        self.summed_over(axes).map(|sum| sum * factor)
    }

    #[track_caller]
    fn deviation_over(&self, method: &str, axes: Axes, correction: usize) -> Self {
        let mut mean = self.averaged_over(method, axes, 0);
        let shape = std::mem::replace(&mut mean.shape, axes.keep(&self.shape));
        let squares = self.map2(&mean, |x, mean| (x - mean) * (x - mean));
        let variance = squares.averaged_over(method, axes, correction);
        Tensor { shape, ..variance.map(Element::sqrt) }
    }
}
