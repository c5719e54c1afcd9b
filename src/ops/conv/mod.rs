//! Convolutions, and their transposes: how a kernel moves over an image.

mod forward;
mod transpose;

pub use forward::Conv;
pub use transpose::{ConvTranspose, Transposed};

use crate::matrix::conv::ConvSize;
use crate::tensor::ShapeError;
use crate::tensor::shape::Show;

/// A number for each of D axes: an array, or one number for all.
pub trait EachAxis<const D: usize> {
    /// The numbers.
    fn each_axis(self) -> [usize; D];
}

impl<const D: usize> EachAxis<D> for usize {
    fn each_axis(self) -> [usize; D] {
        [self; D]
    }
}

impl<const D: usize> EachAxis<D> for [usize; D] {
    fn each_axis(self) -> [usize; D] {
        self
    }
}

/// Zeros around an image of D axes. A number, or one for each axis, is as much on both sides; `[before, after]` for each axis
/// is what it says.
///
/// "Same" padding, by which an image of n pixels gives ⌈n / stride⌉, has two names here, because two conventions differ where
/// the zeros cannot be shared evenly, and with a stride in where the first window begins: in TensorFlow the sum of 3 of
/// `[1, 2, 3, 4]` with stride 2 is `[6, 7]`, with as many zeros on both sides it is `[3, 9]`.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Padding<const D: usize> {
    /// None: the kernel stays on the image. `valid` in Keras.
    #[default]
    None,
    /// So many before and after each axis.
    Zeros([[usize; 2]; D]),
    /// As few as ⌈n / stride⌉ pixels need, the odd one at the end: `same` in TensorFlow, Keras and JAX.
    SameAtEnd,
    /// As many as a stride of 1 would need, the odd one at the end: `same` in PyTorch, and `padding = (kernel - 1) / 2` for an
    /// odd kernel and any stride.
    SameBothSides,
}

impl<const D: usize> From<usize> for Padding<D> {
    fn from(each: usize) -> Self {
        Padding::Zeros([[each; 2]; D])
    }
}

impl<const D: usize> From<[usize; D]> for Padding<D> {
    fn from(each: [usize; D]) -> Self {
        Padding::Zeros(each.map(|each| [each; 2]))
    }
}

impl<const D: usize> From<[[usize; 2]; D]> for Padding<D> {
    fn from(each: [[usize; 2]; D]) -> Self {
        Padding::Zeros(each)
    }
}

impl<const D: usize> Padding<D> {
    /// Zeros before and after each axis, for an image and a kernel of these sizes, moved by this stride and dilation. Sizes
    /// that are missing count as 0.
    pub(in crate::ops) fn resolve(
        self,
        [image, kernel]: [&[usize]; 2],
        [stride, dilation]: [[usize; D]; 2],
    ) -> [[usize; 2]; D] {
        std::array::from_fn(|axis| {
            let size = |sizes: &[usize]| sizes.get(axis).copied().unwrap_or(0);
            let (n, k, stride) = (size(image), size(kernel), stride[axis].max(1));
            let more = k.saturating_sub(1).saturating_mul(dilation[axis]);
            let all = match self {
                Padding::None => 0,
                Padding::Zeros(zeros) => return zeros[axis],
                Padding::SameAtEnd => {
                    let last = (n.div_ceil(stride).max(1) - 1).saturating_mul(stride);
                    last.saturating_add(more).saturating_add(1).saturating_sub(n)
                }
                Padding::SameBothSides => more,
            };
            [all / 2, all - all / 2]
        })
    }
}

/// How a kernel moves over an image of D axes: its stride, the zeros around the image, how far apart the pixels are that it
/// covers, and into how many groups the channels fall.
///
/// ```
/// use quietgrad::ops::conv::{Convolution, Padding};
///
/// let of_images = Convolution::<2>::new().stride(2).padding(Padding::SameAtEnd);
/// let of_series = Convolution::<1>::new().padding([[2, 0]]).dilation(2); // each output sees what came before alone
/// assert_eq!(of_images.stride, [2, 2]);
/// assert_eq!(of_series.groups, 1);
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Convolution<const D: usize> {
    /// From one position of the kernel to the next, in pixels.
    pub stride: [usize; D],
    /// Zeros around the image.
    pub padding: Padding<D>,
    /// From one pixel that the kernel covers to the next: 1 if they are neighbours.
    pub dilation: [usize; D],
    /// Groups of channels, each of which makes its share of the output's channels alone.
    pub groups: usize,
}

impl<const D: usize> Default for Convolution<D> {
    fn default() -> Self {
        Convolution { stride: [1; D], padding: Padding::None, dilation: [1; D], groups: 1 }
    }
}

impl<const D: usize> Convolution<D> {
    /// From pixel to pixel, without padding, over all channels.
    pub fn new() -> Self {
        Convolution::default()
    }

    /// With this stride.
    #[must_use]
    pub fn stride(self, stride: impl EachAxis<D>) -> Self {
        Convolution { stride: stride.each_axis(), ..self }
    }

    /// With zeros around the image.
    #[must_use]
    pub fn padding(self, padding: impl Into<Padding<D>>) -> Self {
        Convolution { padding: padding.into(), ..self }
    }

    /// With so many pixels from one that the kernel covers to the next.
    #[must_use]
    pub fn dilation(self, dilation: impl EachAxis<D>) -> Self {
        Convolution { dilation: dilation.each_axis(), ..self }
    }

    /// With so many groups of channels. As many groups as channels is a depthwise convolution.
    #[must_use]
    pub fn groups(self, groups: usize) -> Self {
        Convolution { groups, ..self }
    }
}

/// A number for each of the two axes of an image, from one for each of one or two axes. One axis is that of the width: a line
/// is an image of height 1, and its number for the height is `of_height`.
pub(in crate::ops) fn of_two<const D: usize, N: Copy>(each: [N; D], of_height: N) -> [N; 2] {
    match each[..] {
        [width] => [of_height, width],
        [height, width] => [height, width],
        _ => unreachable!("an image has one or two axes"),
    }
}

/// The sizes of the axes of an image, of a tensor [batch, channels, ..].
pub(in crate::ops) fn image_of(shape: &[usize]) -> [usize; 2] {
    match shape {
        [_, _, width] => [1, *width],
        [_, _, height, width] => [*height, *width],
        _ => unreachable!("the rank has been checked"),
    }
}

/// The most pixels that an image may have along an axis, padding included.
pub(in crate::ops) const LONGEST: usize = 1 << 31;

/// How a kernel moves over an image: what the ops of convolutions and of their transposes have in common. Of one axis, the
/// second of each pair counts.
#[derive(Clone, Copy)]
struct Moves {
    axes: usize,
    stride: [usize; 2],
    padding: [[usize; 2]; 2],
    dilation: [usize; 2],
    groups: usize,
}

impl Moves {
    /// The errors that have nothing to do with the sizes of the image: of ranks, and of sizes that may not be 0.
    fn check(&self, x: &[usize], w: &[usize]) -> Result<(), ShapeError> {
        let axes = if self.axes == 1 { "width" } else { "height, width" };
        let error = |text: String| Err(ShapeError::new(text));
        if x.len() != self.axes + 2 || w.len() != self.axes + 2 {
            return error(format!(
                "the input {} and the weights {} must be [batch, channels, {axes}] and [.., .., {axes}]",
                Show(x),
                Show(w)
            ));
        }
        let kernel = image_of(w);
        if kernel.contains(&0) {
            return error(format!("a kernel of weights {} covers no pixel", Show(w)));
        }
        if self.stride.contains(&0) || self.dilation.contains(&0) || self.groups == 0 {
            let (stride, dilation) = (self.listed(&self.stride), self.listed(&self.dilation));
            let groups = self.groups;
            return error(format!(
                "a stride of {stride}, a dilation of {dilation} and {groups} groups: none may be 0"
            ));
        }
        Ok(())
    }

    /// How many pixels lie under a kernel along each axis, with the gaps of its dilation.
    fn reach(&self, kernel: [usize; 2]) -> [usize; 2] {
        [0, 1].map(|axis| (kernel[axis] - 1).saturating_mul(self.dilation[axis]).saturating_add(1))
    }

    /// The sizes of a convolution, but for those of the image and the map.
    fn size(&self, batch: usize, [maps, channels]: [usize; 2], kernel: [usize; 2]) -> ConvSize {
        ConvSize {
            batch,
            groups: self.groups,
            channels,
            maps,
            image: [0; 2],
            map: [0; 2],
            kernel,
            stride: self.stride,
            before: self.padding.map(|[before, _]| before),
            dilation: self.dilation,
        }
    }

    fn listed<N: PartialEq + std::fmt::Debug>(&self, each: &[N; 2]) -> String {
        listed(self.axes, each)
    }

    /// For a printed graph: what is not as usual.
    fn arguments(&self) -> String {
        let mut parts = Vec::new();
        if self.stride != [1, 1] {
            parts.push(format!("stride {}", self.listed(&self.stride)));
        }
        if self.padding != [[0, 0]; 2] {
            parts.push(format!("padding {}", self.listed(&self.padding)));
        }
        if self.dilation != [1, 1] {
            parts.push(format!("dilation {}", self.listed(&self.dilation)));
        }
        if self.groups != 1 {
            parts.push(format!("groups {}", self.groups));
        }
        parts.join(", ")
    }
}

/// The numbers of one or two axes; one number if they are equal.
pub(in crate::ops) fn listed<N: PartialEq + std::fmt::Debug>(axes: usize, each: &[N; 2]) -> String {
    let each = &each[2 - axes..];
    if each.iter().all(|n| *n == each[0]) { format!("{:?}", each[0]) } else { format!("{each:?}") }
}
