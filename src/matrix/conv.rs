//! The sizes of a convolution, and its three products as slow, obviously right loops.

use super::{Accum, size};
use crate::element::Element;

/// A convolution of images [batch, groups · channels, height, width] with weights [groups · maps, channels, kernel…], which
/// gives maps [batch, groups · maps, height, width]:
///
/// `map[n, o, i] = Σ over c, k of image[n, c, i · stride + k · dilation − before] weights[o, c, k]`
///
/// where pixels beside the image count as 0. For example, with one channel, a kernel of 2 x 2, and stride and dilation 1:
///
/// ```text
/// image   1 2 3    weights  1 0    map   1 + 5  2 + 6
///         4 5 6             0 1          4 + 8  5 + 9
///         7 8 9
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct ConvSize {
    pub batch: usize,
    pub groups: usize,
    /// Channels of the image in a group.
    pub channels: usize,
    /// Channels of the map in a group.
    pub maps: usize,
    /// Height and width of the image.
    pub image: [usize; 2],
    /// Height and width of the map.
    pub map: [usize; 2],
    /// Height and width of the kernel, in weights.
    pub kernel: [usize; 2],
    /// By how many pixels the kernel moves from one element of the map to the next, down and right.
    pub stride: [usize; 2],
    /// Rows of zeros above the image, columns of zeros left of it.
    pub before: [usize; 2],
    /// How many pixels neighbouring weights of the kernel are apart, down and right.
    pub dilation: [usize; 2],
}

impl ConvSize {
    /// Elements of one channel of the image.
    pub fn area(&self) -> usize {
        size::product(&self.image)
    }

    /// Elements of one channel of the map.
    pub fn pixels(&self) -> usize {
        size::product(&self.map)
    }

    /// Weights of one channel: the kernel's height times its width.
    pub fn taps(&self) -> usize {
        size::product(&self.kernel)
    }

    /// The number of products whose sum is one element of the map.
    pub fn depth(&self) -> usize {
        size::product(&[self.channels, self.taps()])
    }

    /// Multiply-adds of each of the three products; `usize::MAX` if they are more.
    pub fn work(&self) -> usize {
        size::product(&[self.batch, self.groups, self.maps, self.pixels(), self.depth()])
    }

    /// Height and width of what is read of the padded image.
    pub fn frame(&self) -> [usize; 2] {
        [0, 1].map(|axis| match self.map[axis] {
            0 => 0,
            n => (n - 1) * self.stride[axis] + self.reach()[axis],
        })
    }

    /// Height and width of the part of the image that the kernel covers at once.
    pub fn reach(&self) -> [usize; 2] {
        [0, 1].map(|axis| match self.kernel[axis] {
            0 => 0,
            n => (n - 1) * self.dilation[axis] + 1,
        })
    }

    /// Panics unless the operands are as long as the sizes say.
    pub(crate) fn check(&self, image: usize, weights: usize, map: usize) {
        let channels = size::product(&[self.batch, self.groups, self.channels, self.area()]);
        let maps = size::product(&[self.batch, self.groups, self.maps, self.pixels()]);
        let all = size::product(&[self.groups, self.maps, self.depth()]);
        assert!(
            image == channels && weights == all && map == maps,
            "a convolution of {self:?} with an image of {image}, {weights} weights and a map of {map} elements"
        );
    }

    /// Calls `each` with the indices in the image, the weights and the map of every product, for one element of the map
    /// after the other.
    fn for_each_product(&self, mut each: impl FnMut(usize, usize, usize)) {
        let [[height, width], [rows, cols], [taps_y, taps_x]] = [self.image, self.map, self.kernel];
        for of_map in 0..self.batch * self.groups * self.maps * rows * cols {
            let (o, y, x) = (of_map / (rows * cols), of_map / cols % rows, of_map % cols);
            let (group, o) = (o / self.maps, o % (self.groups * self.maps));
            for of_kernel in 0..self.depth() {
                let (c, ky, kx) =
                    (of_kernel / (taps_y * taps_x), of_kernel / taps_x % taps_y, of_kernel % taps_x);
                let y = (y * self.stride[0] + ky * self.dilation[0]).checked_sub(self.before[0]);
                let x = (x * self.stride[1] + kx * self.dilation[1]).checked_sub(self.before[1]);
                if let (Some(y), Some(x)) = (y, x)
                    && y < height
                    && x < width
                {
                    let channel = group * self.channels + c;
                    each((channel * height + y) * width + x, o * self.depth() + of_kernel, of_map);
                }
            }
        }
    }
}

/// What happens to the elements of a convolution before they are stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConvFinish<'a, T> {
    /// What is added to each channel.
    pub bias: Option<&'a [T]>,
    /// Whether max(·, 0) is taken.
    pub relu: bool,
    /// Whether the result replaces what stands there.
    pub accum: Accum,
}

/// `map = finish(weights * image)`: y from w and x, shaped as `s` says.
pub(crate) fn conv<T: Element>(s: &ConvSize, x: &[T], w: &[T], finish: ConvFinish<T>, y: &mut [T]) {
    s.check(x.len(), w.len(), y.len());
    if finish.accum == Accum::Replace {
        y.fill(T::ZERO);
    }
    s.for_each_product(|image, weights, map| y[map] += x[image] * w[weights]);
    add_bias(finish.bias, s.pixels(), y);
    if finish.relu {
        y.iter_mut().for_each(|y| *y = y.maximum(T::ZERO));
    }
}

/// `image (=, +=) weightsᵀ * map + bias`: gx from w and gy, shaped as `s` says; the bias has a number for each channel of gx.
pub(crate) fn conv_transpose<T: Element>(
    s: &ConvSize,
    w: &[T],
    gy: &[T],
    bias: Option<&[T]>,
    (gx, accum): (&mut [T], Accum),
) {
    s.check(gx.len(), w.len(), gy.len());
    if accum == Accum::Replace {
        gx.fill(T::ZERO);
    }
    s.for_each_product(|image, weights, map| gx[image] += gy[map] * w[weights]);
    add_bias(bias, s.area(), gx);
}

/// `weights (=, +=) map * image`: for each weight, the sum over all products that it is part of
pub(crate) fn conv_weights<T: Element>(s: &ConvSize, x: &[T], gy: &[T], (gw, accum): (&mut [T], Accum)) {
    s.check(x.len(), gw.len(), gy.len());
    if accum == Accum::Replace {
        gw.fill(T::ZERO);
    }
    s.for_each_product(|image, weights, map| gw[weights] += gy[map] * x[image]);
}

/// Adds a number to each channel of `area` elements.
pub(crate) fn add_bias<T: Element>(bias: Option<&[T]>, area: usize, y: &mut [T]) {
    let Some(bias) = bias.filter(|_| area > 0) else { return };
    for (y, &bias) in y.chunks_exact_mut(area).zip(bias.iter().cycle()) {
        y.iter_mut().for_each(|y| *y += bias);
    }
}
