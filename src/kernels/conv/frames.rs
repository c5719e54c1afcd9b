//! Frames: what the kernel covers at some pixels of the map, with the zeros around the image.

use std::ops::Range;

use crate::element::Element;
use crate::kernels::matmul::pack::Buffer;
use crate::kernels::micro::conv::{ConvKernel, Rows, Taps};
use crate::matrix::conv::ConvSize;

/// Whether the kernel never leaves the image, so that this can serve as its own frame.
pub(super) fn stays_inside(s: &ConvSize) -> bool {
    let frame = s.frame();
    s.before == [0, 0] && frame[0] <= s.image[0] && frame[1] <= s.image[1]
}

/// The taps of some pixels, on a frame of `channels` channels whose rows are those from the map's row `top` on.
fn taps<T>(
    s: &ConvSize,
    pixels: &Range<usize>,
    (frame, channels): (*mut T, usize),
    [channel, row]: [usize; 2],
    (columns, pitch): (*mut T, usize),
) -> Taps<T> {
    Taps {
        frame,
        channels,
        channel,
        row,
        kernel: s.kernel,
        stride: s.stride,
        dilation: s.dilation,
        width: s.map[1],
        first: pixels.start % s.map[1],
        pixels: pixels.len(),
        columns,
        pitch,
    }
}

/// The taps of some pixels on the image itself, which [`stays_inside`] allows.
///
/// # Safety
/// `image` has so many channels.
pub(super) unsafe fn taps_of_image<T>(
    s: &ConvSize,
    pixels: &Range<usize>,
    image: (*mut T, usize),
    columns: (*mut T, usize),
) -> Taps<T> {
    let row = pixels.start / s.map[1] * s.stride[0];
    // SAFETY: the row is one of the image.
    let from = unsafe { image.0.add(row * s.image[1]) };
    taps(s, pixels, (from, image.1), [s.area(), s.image[1]], columns)
}

/// Gathers the columns of some pixels, from a frame that is made in `buffer` if there is need for one.
///
/// # Safety
/// `image` has so many channels, and the columns have room.
pub(super) unsafe fn gather<K: ConvKernel>(
    s: &ConvSize,
    pixels: &Range<usize>,
    image: (*mut K::Element, usize),
    columns: (*mut K::Element, usize),
    buffer: &mut Buffer,
) {
    // SAFETY: the frame has the rows that the pixels' kernels cover; the rest is the caller's.
    unsafe {
        if stays_inside(s) {
            return K::gather(&taps_of_image(s, pixels, image, columns));
        }
        let [top, bottom] = [pixels.start, pixels.end - 1].map(|pixel| pixel / s.map[1]);
        let rows = (bottom - top) * s.stride[0] + s.reach()[0];
        let (width, first) = (s.frame()[1], top * s.stride[0]);
        let frame = buffer.room::<K::Element>(image.1 * rows * width);
        for channel in 0..image.1 {
            let from = image.0.add(channel * s.area());
            surround::<K>(s, from, first..first + rows, frame.add(channel * rows * width));
        }
        K::gather(&taps(s, pixels, (frame, image.1), [rows * width, width], columns));
    }
}

/// Copies some rows of the padded image.
unsafe fn surround<K: ConvKernel>(
    s: &ConvSize,
    from: *const K::Element,
    rows: Range<usize>,
    to: *mut K::Element,
) {
    let width = s.frame()[1];
    let inside = inside(s, 0, &rows);
    let columns = self::inside(s, 1, &(0..width));
    // SAFETY: the caller vouches for the image and has room for the rows.
    unsafe {
        fill(to, (inside.start - rows.start) * width);
        fill(to.add((inside.end - rows.start) * width), (rows.end - inside.end) * width);
        if inside.is_empty() {
            return;
        }
        let (top, left) = (inside.start - s.before[0], columns.start.saturating_sub(s.before[1]));
        K::surround(&Rows {
            count: inside.len(),
            length: columns.len(),
            from: from.wrapping_add(top * s.image[1] + left),
            from_row: s.image[1],
            to: to.add((inside.start - rows.start) * width),
            to_row: width,
            zeros: [columns.start, width - columns.end],
        });
    }
}

/// Which of some rows (or columns) of the padded image belong to the image; an empty range within them if none does.
fn inside(s: &ConvSize, axis: usize, padded: &Range<usize>) -> Range<usize> {
    let before = s.before[axis];
    let start = before.clamp(padded.start, padded.end);
    let end = (before + s.image[axis]).clamp(start, padded.end);
    start..end
}

unsafe fn fill<T: Element>(to: *mut T, count: usize) {
    // SAFETY: the caller has room for so many.
    unsafe {
        for at in 0..count {
            to.add(at).write(T::ZERO);
        }
    }
}

/// A frame of the whole map, of zeros, in `buffer`; and the taps of any of its pixels.
pub(super) struct Whole<T> {
    pub frame: *mut T,
    pub channels: usize,
}

impl<T: Element> Whole<T> {
    /// # Safety
    /// It is used no longer than the buffer stays as it is.
    pub unsafe fn zeros(s: &ConvSize, channels: usize, buffer: &mut Buffer) -> Self {
        let [height, width] = s.frame();
        let frame = buffer.room::<T>(channels * height * width);
        // SAFETY: there is room.
        unsafe { fill(frame, channels * height * width) };
        Whole { frame, channels }
    }

    /// # Safety
    /// The columns have room for the pixels.
    pub unsafe fn taps(&self, s: &ConvSize, pixels: &Range<usize>, columns: (*mut T, usize)) -> Taps<T> {
        let [height, width] = s.frame();
        let first = pixels.start / s.map[1] * s.stride[0];
        // SAFETY: the row is one of the frame.
        let from = unsafe { self.frame.add(first * width) };
        taps(s, pixels, (from, self.channels), [height * width, width], columns)
    }

    /// `image (=, +=)` what of the frame lies on it, and a number for each channel.
    ///
    /// # Safety
    /// `image` has the frame's channels.
    pub unsafe fn take(&self, s: &ConvSize, image: *mut T, bias: Option<&[T]>, add: bool) {
        let [height, width] = s.frame();
        let (rows, columns) = (inside(s, 0, &(0..height)), inside(s, 1, &(0..width)));
        for channel in 0..self.channels {
            let bias = bias.map_or(T::ZERO, |bias| bias[channel]);
            for y in 0..s.image[0] {
                // SAFETY: the row is one of the image's, and what is read stands within the frame.
                unsafe {
                    let to = image.add((channel * s.image[0] + y) * s.image[1]);
                    let to = std::slice::from_raw_parts_mut(to, s.image[1]);
                    let covered = if rows.contains(&(y + s.before[0])) { columns.len() } else { 0 };
                    let at = (channel * height + y + s.before[0]) * width + columns.start;
                    let from = std::slice::from_raw_parts(self.frame.wrapping_add(at), covered);
                    // The frame's first columns may lie beside the image, and the image's first ones beside the frame never.
                    let (on_frame, beside) = to.split_at_mut(covered);
                    for (to, &from) in on_frame.iter_mut().zip(from) {
                        *to = from + bias + if add { *to } else { T::ZERO };
                    }
                    for to in beside {
                        *to = bias + if add { *to } else { T::ZERO };
                    }
                }
            }
        }
    }
}
