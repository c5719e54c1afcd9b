//! Pooling: one number for each window of an image.

mod avg;
mod max;

pub use avg::AvgPool;
pub use max::MaxPool;

use super::conv::{EachAxis, LONGEST, Padding, image_of, listed, of_two};
use crate::kernels::pool::PoolSize;
use crate::tensor::shape::Show;
use crate::tensor::{Shape, ShapeError};

/// How windows move over an image of D axes. Unless it is said otherwise they lie side by side: the stride is the window.
///
/// ```
/// use quietgrad::ops::pool::Pooling;
///
/// let halving = Pooling::<2>::new(2);
/// assert_eq!(halving.stride, [2, 2]);
/// let overlapping = Pooling::<2>::new([3, 3]).stride(2).padding(1);
/// assert_eq!(overlapping.window, [3, 3]);
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Pooling<const D: usize> {
    /// Pixels of a window along each axis.
    pub window: [usize; D],
    /// From one window to the next.
    pub stride: [usize; D],
    /// What the image is surrounded with, less than a window: it never wins, and counts in a mean only if
    /// [`count_padding`](Pooling::count_padding()) says so.
    pub padding: Padding<D>,
    /// Whether a last window, or the only one, may hang over the end of the padded image by less than a stride: `ceil_mode`.
    /// It must begin before the padding at the end, and what hangs over does not count.
    pub overhang: bool,
    /// Whether the padding counts in a mean, as zeros: `count_include_pad`.
    pub count_padding: bool,
}

impl<const D: usize> Pooling<D> {
    /// Windows of this size, side by side.
    pub fn new(window: impl EachAxis<D>) -> Self {
        let window = window.each_axis();
        let (overhang, count_padding) = (false, false);
        Pooling { window, stride: window, padding: Padding::None, overhang, count_padding }
    }

    /// With this stride.
    #[must_use]
    pub fn stride(self, stride: impl EachAxis<D>) -> Self {
        Pooling { stride: stride.each_axis(), ..self }
    }

    /// With padding around the image.
    #[must_use]
    pub fn padding(self, padding: impl Into<Padding<D>>) -> Self {
        Pooling { padding: padding.into(), ..self }
    }

    /// With a last window that may hang over the end.
    #[must_use]
    pub fn overhang(self) -> Self {
        Pooling { overhang: true, ..self }
    }

    /// With padding that counts in a mean.
    #[must_use]
    pub fn count_padding(self) -> Self {
        Pooling { count_padding: true, ..self }
    }
}

/// Windows over an image, as ops have them. Of one axis, the second of each pair counts.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Windows {
    /// Axes of the image: 1 or 2.
    pub axes: usize,
    /// Pixels of a window.
    pub window: [usize; 2],
    /// From one window to the next.
    pub stride: [usize; 2],
    /// Padding before and after each axis.
    pub padding: [[usize; 2]; 2],
    /// Whether a last window may hang over the end.
    pub overhang: bool,
}

impl Windows {
    fn new<const D: usize>(of: Pooling<D>, x: &[usize]) -> Self {
        let image = x.get(2..).unwrap_or(&[]);
        let padding = of.padding.resolve([image, &of.window], [of.stride, [1; D]]);
        Windows {
            axes: D,
            window: of_two(of.window, 1),
            stride: of_two(of.stride, 1),
            padding: of_two(padding, [0, 0]),
            overhang: of.overhang,
        }
    }

    /// The sizes of image and result, for an input of shape `x`, if the windows fit.
    fn size(&self, x: &[usize]) -> Result<PoolSize, ShapeError> {
        let error = |text: String| Err(ShapeError::new(text));
        if x.len() != self.axes + 2 {
            let axes = if self.axes == 1 { "width" } else { "height, width" };
            return error(format!("the input {} must be [batch, channels, {axes}]", Show(x)));
        }
        if self.window.contains(&0) || self.stride.contains(&0) {
            let (window, stride) = (listed(self.axes, &self.window), listed(self.axes, &self.stride));
            return error(format!("a window of {window} and a stride of {stride}: none may be 0"));
        }
        let image = image_of(x);
        let mut map = [0; 2];
        for axis in 0..2 {
            let ([before, after], window, stride) =
                (self.padding[axis], self.window[axis], self.stride[axis]);
            let padded = image[axis].saturating_add(before).saturating_add(after);
            // Less than a stride may hang over: with a whole one there would be no window before the end.
            let room = if self.overhang { padded.saturating_add(stride - 1) } else { padded };
            if window > room || padded > LONGEST || before >= window || after >= window || image[axis] == 0 {
                return error(format!(
                    "windows of {} do not fit an input {} with padding {}: a window is larger than its padding, and not larger \
                     than the padded image (with overhang, by less than a stride)",
                    listed(self.axes, &self.window),
                    Show(x),
                    listed(self.axes, &self.padding)
                ));
            }
            map[axis] = if self.overhang {
                let last = padded.saturating_sub(window).div_ceil(stride);
                // It begins on the image, or before it.
                last.min((image[axis] + before - 1) / stride) + 1
            } else {
                (padded - window) / stride + 1
            };
        }
        let [before, after] = [0, 1].map(|side| self.padding.map(|padding| padding[side]));
        let planes = x[0].saturating_mul(x[1]);
        Ok(PoolSize { planes, image, map, window: self.window, stride: self.stride, before, after })
    }

    /// The size for an input that the shape rule has let pass.
    fn checked_size(&self, x: &[usize]) -> PoolSize {
        self.size(x).expect("the shape was checked by the shape rule")
    }

    fn shape(&self, x: &[usize]) -> Result<Shape, ShapeError> {
        let map = self.size(x)?.map;
        Ok(x[..2].iter().chain(&map[2 - self.axes..]).copied().collect())
    }

    /// An operation for each element of each window.
    fn flops(&self, y: &[usize]) -> u64 {
        let window = crate::matrix::size::product(&self.window) as u64;
        window.saturating_mul(crate::matrix::size::product(y) as u64)
    }

    fn arguments(&self) -> String {
        let mut arguments = format!("window {}", listed(self.axes, &self.window));
        if self.stride != self.window {
            arguments += &format!(", stride {}", listed(self.axes, &self.stride));
        }
        if self.padding != [[0, 0]; 2] {
            arguments += &format!(", padding {}", listed(self.axes, &self.padding));
        }
        if self.overhang {
            arguments += ", overhang";
        }
        arguments
    }

    /// Windows to check gradients with, and the inputs they go over.
    fn samples() -> Vec<(Windows, Vec<usize>, bool)> {
        let of = |of: Pooling<2>, x: [usize; 4]| (Windows::new(of, &x), x.to_vec(), of.count_padding);
        let of_line = |of: Pooling<1>, x: [usize; 3]| (Windows::new(of, &x), x.to_vec(), of.count_padding);
        vec![
            of(Pooling::new(2), [2, 2, 4, 4]),
            of(Pooling::new(2), [1, 2, 5, 7]),
            of(Pooling::new([2, 3]).stride([1, 2]), [1, 2, 4, 5]),
            of(Pooling::new(3).stride(2).padding(1), [1, 2, 5, 4]),
            of(Pooling::new(3).stride(2).padding(1).overhang().count_padding(), [1, 1, 6, 4]),
            of(Pooling::new(2).overhang(), [1, 1, 5, 3]),
            of(Pooling::new(3).overhang(), [1, 2, 2, 1]),
            of(Pooling::new(2).stride(3), [1, 1, 6, 5]),
            of(Pooling::new(3).padding(Padding::SameAtEnd), [1, 1, 4, 5]),
            of(Pooling::new(2), [0, 2, 4, 4]),
            of(Pooling::new(1), [1, 1, 1, 1]),
            of_line(Pooling::new(2), [2, 2, 6]),
            of_line(Pooling::new(3).stride(1).padding(1).count_padding(), [1, 2, 4]),
        ]
    }
}
