//! Between an image and the columns of a convolution's matrix, once for every instruction set.

use super::{Microkernel, Vector};
use crate::element::Element;

/// Pixels of a map, and what the kernel covers at each: row k of the columns, k = (channel, kernel row, kernel column),
/// has the pixel of the frame that weight k meets at each pixel of the map.
///
/// For example, one channel of 3 x 3, a kernel of 2 x 2, and all four pixels of the map:
///
/// ```text
/// frame  1 2 3    columns  1 2 4 5    weight (0, 0) meets
///        4 5 6             2 3 5 6           (0, 1)
///        7 8 9             4 5 7 8           (1, 0)
///                          5 6 8 9           (1, 1)
/// ```
pub(in crate::kernels) struct Taps<T> {
    /// The frame: the image with zeros around it, from the row on that the first pixel's kernel begins in.
    pub frame: *mut T,
    pub channels: usize,
    /// From a channel to the next, and from a row to the next.
    pub channel: usize,
    pub row: usize,
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Pixels of a row of the map.
    pub width: usize,
    /// The first pixel's place in its row, and how many pixels there are.
    pub first: usize,
    pub pixels: usize,
    pub columns: *mut T,
    /// From a row of the columns to the next: after its pixels there is room for LANES more.
    pub pitch: usize,
}

/// `columns = frame`, or `frame += columns`: piece by piece, a piece being what of a row of the columns belongs to one row of
/// the map.
#[inline(always)]
pub(super) unsafe fn walk<V: Vector, const BACK: bool>(t: &Taps<V::Element>) {
    let mut columns = t.columns;
    // SAFETY: the caller vouches for the instruction set, the frame and the columns.
    unsafe {
        for channel in 0..t.channels {
            for ky in 0..t.kernel[0] {
                for kx in 0..t.kernel[1] {
                    let start = channel * t.channel + ky * t.dilation[0] * t.row + kx * t.dilation[1];
                    let mut row = t.frame.add(start);
                    let (mut at, mut x) = (0, t.first);
                    while at < t.pixels {
                        let length = (t.width - x).min(t.pixels - at);
                        let (pixel, column) = (row.add(x * t.stride[1]), columns.add(at));
                        if BACK {
                            add_piece::<V>(pixel, t.stride[1], column, length);
                        } else {
                            copy_piece::<V>(pixel, t.stride[1], column, length);
                        }
                        (at, x) = (at + length, 0);
                        row = row.wrapping_add(t.stride[0] * t.row);
                    }
                    columns = columns.add(t.pitch);
                }
            }
        }
    }
}

/// `to = from`. What is written too far belongs to the next piece, or to the room after the row.
#[inline(always)]
unsafe fn copy_piece<V: Vector>(from: *const V::Element, stride: usize, to: *mut V::Element, length: usize) {
    // SAFETY: as in `walk`.
    unsafe {
        if stride != 1 {
            for at in 0..length {
                *to.add(at) = *from.add(at * stride);
            }
            return;
        }
        let mut at = 0;
        while at + V::LANES <= length {
            V::load(from.add(at)).store(to.add(at));
            at += V::LANES;
        }
        if at < length {
            V::load_head(from.add(at), V::head(length - at)).store(to.add(at));
        }
    }
}

/// `to += from`
#[inline(always)]
unsafe fn add_piece<V: Vector>(to: *mut V::Element, stride: usize, from: *const V::Element, length: usize) {
    // SAFETY: as in `walk`.
    unsafe {
        if stride != 1 {
            for at in 0..length {
                *to.add(at * stride) += *from.add(at);
            }
            return;
        }
        let mut at = 0;
        while at + V::LANES <= length {
            V::load(to.add(at)).add(V::load(from.add(at))).store(to.add(at));
            at += V::LANES;
        }
        if at < length {
            let head = V::head(length - at);
            let sum = V::load_head(to.add(at), head).add(V::load_head(from.add(at), head));
            sum.store_head(to.add(at), head);
        }
    }
}

/// Rows of an image on their way to a frame: `count` rows of `length`, `from_row` and `to_row` apart, each with zeros around
/// it.
pub(in crate::kernels) struct Rows<T> {
    pub count: usize,
    pub length: usize,
    pub from: *const T,
    pub from_row: usize,
    pub to: *mut T,
    pub to_row: usize,
    /// Zeros before and after each row.
    pub zeros: [usize; 2],
}

/// Copies rows.
#[inline(always)]
pub(super) unsafe fn surround<V: Vector>(r: &Rows<V::Element>) {
    // SAFETY: the caller vouches for the instruction set and for the rows.
    unsafe {
        for row in 0..r.count {
            let (from, to) = (r.from.add(row * r.from_row), r.to.add(row * r.to_row));
            for at in 0..r.zeros[0] {
                *to.add(at) = V::Element::ZERO;
            }
            let to = to.add(r.zeros[0]);
            let mut at = 0;
            while at + V::LANES <= r.length {
                V::load(from.add(at)).store(to.add(at));
                at += V::LANES;
            }
            if at < r.length {
                let head = V::head(r.length - at);
                V::load_head(from.add(at), head).store_head(to.add(at), head);
            }
            for at in 0..r.zeros[1] {
                *to.add(r.length + at) = V::Element::ZERO;
            }
        }
    }
}

/// The inner loops of convolutions for one instruction set.
///
/// # Safety
/// As of a [`Microkernel`].
pub(in crate::kernels) trait ConvKernel: Microkernel {
    const LANES: usize;
    /// `columns = frame`
    unsafe fn gather(taps: &Taps<Self::Element>);
    /// `frame += columns`
    unsafe fn scatter(taps: &Taps<Self::Element>);
    /// Copies rows.
    unsafe fn surround(rows: &Rows<Self::Element>);
}

/// Makes a micro-kernel a [`ConvKernel`].
macro_rules! conv_kernel {
    ($name:ident: $vector:ty $(, features $features:literal)?) => {
        impl $crate::kernels::micro::conv::ConvKernel for $name {
            const LANES: usize = <$vector as $crate::kernels::micro::Vector>::LANES;

            $(#[target_feature(enable = $features)])?
            unsafe fn gather(taps: &$crate::kernels::micro::conv::Taps<Self::Element>) {
                // SAFETY: the features are enabled here; the rest is the caller's.
                unsafe { $crate::kernels::micro::conv::walk::<$vector, false>(taps) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn scatter(taps: &$crate::kernels::micro::conv::Taps<Self::Element>) {
                // SAFETY: the features are enabled here; the rest is the caller's.
                unsafe { $crate::kernels::micro::conv::walk::<$vector, true>(taps) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn surround(rows: &$crate::kernels::micro::conv::Rows<Self::Element>) {
                // SAFETY: the features are enabled here; the rest is the caller's.
                unsafe { $crate::kernels::micro::conv::surround::<$vector>(rows) }
            }
        }
    };
}
pub(super) use conv_kernel;
