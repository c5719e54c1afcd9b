//! y = wᵀ * x + b: what a convolution's vjp makes of x, as an op of its own.

use super::{EachAxis, LONGEST, Moves, image_of, of_two};
use crate::kernels::conv::sum_channels;
use crate::matrix::conv::{ConvFinish, ConvSize};
use crate::matrix::size;
use crate::ops::{Real, Rule, Sample};
use crate::tape::{Cotangents, Var};
use crate::tensor::shape::Show;
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// How a transposed convolution spreads pixels over an image of D axes. All sizes but `output_padding` are those of the
/// convolution whose transpose it is.
///
/// ```
/// use quietgrad::ops::conv::Transposed;
///
/// let doubling = Transposed::<2>::new().stride(2).padding(1).output_padding(1); // for a kernel of 3 x 3
/// assert_eq!(doubling.output_padding, [1, 1]);
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Transposed<const D: usize> {
    /// From where one pixel's kernel is laid to where the next one's is.
    pub stride: [usize; D],
    /// What is cut off before and after each axis.
    pub padding: [[usize; 2]; D],
    /// How many pixels the result has beyond the last that a kernel covers: less than the stride, or the dilation. A
    /// convolution with a stride gives results of one size for inputs of several sizes; this says which of them is meant.
    pub output_padding: [usize; D],
    /// From one pixel that a kernel covers to the next.
    pub dilation: [usize; D],
    /// Groups of channels, each of which makes its share of the output's channels alone.
    pub groups: usize,
}

impl<const D: usize> Default for Transposed<D> {
    fn default() -> Self {
        let (stride, padding) = ([1; D], [[0; 2]; D]);
        Transposed { stride, padding, output_padding: [0; D], dilation: [1; D], groups: 1 }
    }
}

impl<const D: usize> Transposed<D> {
    /// From pixel to pixel, with nothing cut off, over all channels.
    pub fn new() -> Self {
        Transposed::default()
    }

    /// With this stride.
    #[must_use]
    pub fn stride(self, stride: impl EachAxis<D>) -> Self {
        Transposed { stride: stride.each_axis(), ..self }
    }

    /// With so many pixels cut off before and after each axis.
    #[must_use]
    pub fn padding(self, padding: impl EachAxis<D>) -> Self {
        Transposed { padding: padding.each_axis().map(|each| [each; 2]), ..self }
    }

    /// With so many pixels beyond the last that a kernel covers.
    #[must_use]
    pub fn output_padding(self, output_padding: impl EachAxis<D>) -> Self {
        Transposed { output_padding: output_padding.each_axis(), ..self }
    }

    /// With so many pixels from one that the kernel covers to the next.
    #[must_use]
    pub fn dilation(self, dilation: impl EachAxis<D>) -> Self {
        Transposed { dilation: dilation.each_axis(), ..self }
    }

    /// With so many groups of channels.
    #[must_use]
    pub fn groups(self, groups: usize) -> Self {
        Transposed { groups, ..self }
    }
}

/// A transposed convolution of x [batch, in, ..] with weights [in, out / groups, kernel ..] and perhaps a bias \[out\].
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ConvTranspose {
    /// Axes of the image: 1 or 2. Of one, the second of each pair below counts.
    pub axes: usize,
    /// From where one pixel's kernel is laid to where the next one's is.
    pub stride: [usize; 2],
    /// What is cut off before and after each axis.
    pub padding: [[usize; 2]; 2],
    /// Pixels beyond the last that a kernel covers.
    pub output_padding: [usize; 2],
    /// From one pixel that a kernel covers to the next.
    pub dilation: [usize; 2],
    /// Groups of channels.
    pub groups: usize,
}

impl ConvTranspose {
    fn new<const D: usize>(of: Transposed<D>) -> Self {
        ConvTranspose {
            axes: D,
            stride: of_two(of.stride, 1),
            padding: of_two(of.padding, [0, 0]),
            output_padding: of_two(of.output_padding, 0),
            dilation: of_two(of.dilation, 1),
            groups: of.groups,
        }
    }

    fn moves(&self) -> Moves {
        let ConvTranspose { axes, stride, padding, dilation, groups, .. } = *self;
        Moves { axes, stride, padding, dilation, groups }
    }

    /// The sizes of the convolution whose transpose this is: its map is x, its image the result.
    fn size(&self, x: &[usize], w: &[usize]) -> Result<ConvSize, ShapeError> {
        let moves = self.moves();
        moves.check(x, w)?;
        let error = |text: String| Err(ShapeError::new(text));
        if w[0] != x[1] || !w[0].is_multiple_of(self.groups) {
            return error(format!(
                "an input {} with {} channels and weights {} do not fit in {} group(s): weights are [in, out / groups, ..]",
                Show(x),
                x[1],
                Show(w),
                self.groups
            ));
        }
        let (map, kernel) = (image_of(x), image_of(w));
        let reach = moves.reach(kernel);
        let mut image = [0; 2];
        for axis in 0..2 {
            let more = self.output_padding[axis];
            if more > 0 && more >= self.stride[axis].max(self.dilation[axis]) {
                let text = "an output padding must be less than the stride, or the dilation";
                return error(format!("{text}: {}", moves.listed(&self.output_padding)));
            }
            let cut = self.padding[axis][0].saturating_add(self.padding[axis][1]);
            let covered = map[axis].checked_sub(1).map(|last| {
                last.saturating_mul(self.stride[axis]).saturating_add(reach[axis]).saturating_add(more)
            });
            match covered {
                Some(covered) if covered > cut && covered <= LONGEST => image[axis] = covered - cut,
                _ => {
                    let (covered, padding) = (covered.unwrap_or(0), moves.listed(&self.padding));
                    return error(format!(
                        "an input {} covers {covered} pixels along an axis, of which a padding of {padding} leaves none that memory holds",
                        Show(x)
                    ));
                }
            }
        }
        Ok(ConvSize { image, map, ..moves.size(x[0], [w[0] / self.groups, w[1]], kernel) })
    }

    /// The sizes of inputs that the shape rule has let pass.
    fn sizes<T>(&self, x: &[View<T>]) -> ConvSize {
        self.size(x[0].shape, x[1].shape).expect("shapes were checked by the shape rule")
    }
}

impl Rule for ConvTranspose {
    fn name(&self) -> &'static str {
        if self.axes == 1 { "conv_transpose1d" } else { "conv_transpose2d" }
    }

    fn arguments(&self) -> String {
        let mut arguments = self.moves().arguments();
        if self.output_padding != [0, 0] {
            let comma = if arguments.is_empty() { "" } else { ", " };
            arguments += &format!("{comma}output padding {}", self.moves().listed(&self.output_padding));
        }
        arguments
    }

    fn flops(&self, x: &[&[usize]], _: &[usize]) -> u64 {
        self.size(x[0], x[1]).map_or(u64::MAX, |size| size.work() as u64).saturating_mul(2)
    }

    fn vjp_flops(&self, k: usize, x: &[&[usize]], y: &[usize]) -> u64 {
        if k == 2 { size::product(y) as u64 } else { self.flops(x, y) }
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        let size = self.size(x[0], x[1])?;
        let out = x[1][1].saturating_mul(self.groups);
        if let Some(b) = x.get(2).filter(|b| **b != [out]) {
            let text =
                format!("weights {} make {out} channels, which a bias {} does not fit", Show(x[1]), Show(b));
            return Err(ShapeError::new(text));
        }
        Ok([x[0][0], out].into_iter().chain(size.image[2 - self.axes..].iter().copied()).collect())
    }

    fn forward<T: Real>(&self, x: &[View<T>], y: ViewMut<T>) {
        let (bias, y) = (x.get(2).map(|b| b.data), (y.data, crate::matrix::Accum::Replace));
        T::conv_transpose(&self.sizes(x), x[1].data, x[0].data, bias, y);
    }

    /// Forward, y = wᵀ * x + b: the pull-back of a convolution's image, so that a convolution pulls it back. So:
    ///
    /// gx = w * gy, gw = x * gy, gb = Σ gy of each channel
    fn vjp<T: Real>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        let size = self.sizes(x);
        gx.add(0, |g, accum| {
            let finish = ConvFinish { bias: None, relu: false, accum };
            T::conv(&size, gy.data, x[1].data, finish, g.data);
        });
        gx.add(1, |g, accum| T::conv_weights(&size, gy.data, x[0].data, (g.data, accum)));
        if x.len() > 2 {
            gx.add(2, |g, accum| sum_channels(gy.data, size.area(), g.data, accum));
        }
    }

    fn samples() -> Vec<Sample> {
        let (plain, line) = (Transposed::<2>::new(), Transposed::<1>::new());
        let of = |of: Transposed<2>, x: [usize; 4], w: [usize; 4]| {
            Sample::new(ConvTranspose::new(of), [&x, &w, &[w[1] * of.groups]])
        };
        let of_line = |of: Transposed<1>, x: [usize; 3], w: [usize; 3]| {
            Sample::new(ConvTranspose::new(of), [&x, &w, &[w[1] * of.groups]])
        };
        vec![
            of(plain, [2, 2, 3, 2], [2, 3, 3, 2]),
            Sample::new(ConvTranspose::new(plain), [&[1, 2, 2, 2], &[2, 3, 1, 1]]),
            of(plain.stride([3, 1]).padding([1, 0]).output_padding([2, 0]), [1, 2, 3, 3], [2, 2, 3, 2]),
            of(plain.groups(2).dilation(2).padding(1), [2, 4, 2, 3], [4, 1, 2, 2]),
            of(plain.groups(3), [2, 3, 2, 2], [3, 1, 2, 2]),
            of(plain, [0, 2, 3, 3], [2, 2, 2, 2]),
            of(plain, [1, 2, 2, 2], [2, 2, 1, 1]),
            of_line(line.stride(2).padding(1).output_padding(1), [2, 3, 4], [3, 2, 3]),
            of_line(line, [1, 1, 1], [1, 1, 1]),
        ]
    }
}

/// # Transposed convolutions
impl<T: Real> Var<'_, T> {
    /// The transpose of a convolution, of `self` [batch, in, width] with weights w [in, out / groups, kernel]: each pixel lays
    /// its multiple of the kernel on the result, where they add up. The result has
    /// (width − 1) · stride + (kernel − 1) · dilation + 1 + output padding − padding pixels.
    ///
    /// # Panics
    /// If the shapes do not fit, or a stride is 0.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor, ops::conv::Transposed};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let x = r.constant(&Tensor::from([[[1.0, 10.0]]]));
    /// let w = r.constant(&Tensor::from([[[1.0, 2.0, 3.0]]]));
    /// let y = x.conv_transpose1d(w, None, Transposed::new().stride(2));
    /// assert_eq!(y.value(), Tensor::from([[[1.0, 2.0, 13.0, 20.0, 30.0]]]));
    /// ```
    #[track_caller]
    pub fn conv_transpose1d(self, w: Self, b: impl Into<Option<Self>>, of: Transposed<1>) -> Self {
        self.conv_transpose(w, b.into(), of)
    }

    /// The transpose of a convolution, of `self` [batch, in, height, width] with weights w [in, out / groups, kernel height,
    /// kernel width]: see [`conv_transpose1d`](Self::conv_transpose1d).
    ///
    /// # Panics
    /// If the shapes do not fit, or a stride is 0.
    #[track_caller]
    pub fn conv_transpose2d(self, w: Self, b: impl Into<Option<Self>>, of: Transposed<2>) -> Self {
        self.conv_transpose(w, b.into(), of)
    }

    #[track_caller]
    fn conv_transpose<const D: usize>(self, w: Self, b: Option<Self>, of: Transposed<D>) -> Self {
        let op = ConvTranspose::new(of);
        match b {
            Some(b) => self.apply(op, &[self, w, b]),
            None => self.apply(op, &[self, w]),
        }
    }
}
