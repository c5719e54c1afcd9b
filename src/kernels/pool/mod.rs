//! Pooling: the largest element of each window of an image, or the mean.
//!
//! A window is cut down to what of it lies on the image. What lies beside it never wins, and counts in a mean only if that is
//! asked for.

mod by_two;

use std::ops::Range;

use super::isa::vectorize;
use super::threads::{Shared, parallel, share, threads};
use crate::element::Element;
use crate::matrix::{Accum, size};

/// Windows over `planes` images of one channel each.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct PoolSize {
    pub planes: usize,
    /// Height and width of an image.
    pub image: [usize; 2],
    /// Height and width of the result, which has one element a window.
    pub map: [usize; 2],
    /// Height and width of a window.
    pub window: [usize; 2],
    /// From one window to the next, down and right.
    pub stride: [usize; 2],
    /// Padding before the image, and after it.
    pub before: [usize; 2],
    pub after: [usize; 2],
}

/// Elements that a thread must find to be worth waking.
const PART: usize = 1 << 16;

impl PoolSize {
    fn check(&self, image: usize, map: usize) {
        let wanted = [self.image, self.map].map(|[rows, cols]| size::product(&[self.planes, rows, cols]));
        assert!([image, map] == wanted, "pooling by {self:?} of an image of {image} into {map} elements");
    }

    /// What of window `i` along an axis lies on the image.
    #[inline(always)]
    fn on_image(&self, axis: usize, i: usize) -> Range<usize> {
        let start = i * self.stride[axis];
        let end = (start + self.window[axis]).saturating_sub(self.before[axis]).min(self.image[axis]);
        start.saturating_sub(self.before[axis]).min(end)..end
    }

    /// How much of window `i` along an axis counts in a mean.
    #[inline(always)]
    fn counted(&self, axis: usize, i: usize, padding: bool) -> usize {
        if !padding {
            return self.on_image(axis, i).len();
        }
        let start = i * self.stride[axis];
        let padded = self.before[axis] + self.image[axis] + self.after[axis];
        (start + self.window[axis]).min(padded) - start.min(padded)
    }

    /// The windows along the rows whose column `kx` lies on the image.
    #[inline(always)]
    fn with_column(&self, kx: usize) -> Range<usize> {
        let (stride, before) = (self.stride[1], self.before[1]);
        let start = before.saturating_sub(kx).div_ceil(stride).min(self.map[1]);
        // The largest i with i · stride + kx − before < width, plus one.
        let end = (self.image[1] + before).saturating_sub(kx).div_ceil(stride).min(self.map[1]);
        start..end.max(start)
    }

    /// Whether windows are pairs of pairs that lie side by side on the image, and cover it but for an odd row or column.
    fn is_by_two(&self) -> bool {
        self.window == [2, 2]
            && self.stride == [2, 2]
            && self.before == [0, 0]
            && (0..2).all(|axis| self.map[axis] == self.image[axis] / 2)
    }

    /// Calls `each` with the numbers of some planes, and what is to be written for them.
    fn for_planes<T: Element>(&self, to: &mut [T], each: &(dyn Fn(Range<usize>, &mut [T]) + Sync)) {
        let each_plane = to.len() / self.planes.max(1);
        let parts = threads().min(self.planes * size::product(&self.image) / PART).min(self.planes).max(1);
        let to = Shared(to.as_mut_ptr());
        parallel(parts, &|part| {
            let planes = share(self.planes, part, parts);
            // SAFETY: the planes are as many as there are, and each belongs to one part.
            let to = unsafe {
                let start = to.get().add(planes.start * each_plane);
                std::slice::from_raw_parts_mut(start, planes.len() * each_plane)
            };
            each(planes, to);
        });
    }

    fn area(&self) -> usize {
        size::product(&self.image)
    }

    fn windows(&self) -> usize {
        size::product(&self.map)
    }
}

/// `y = max x` over each window; NaN if an element of it is.
pub(crate) fn max<T: Element>(s: &PoolSize, x: &[T], y: &mut [T]) {
    s.check(x.len(), y.len());
    if y.is_empty() {
        return;
    }
    s.for_planes(y, &|planes, y| {
        let x = &x[planes.start * s.area()..planes.end * s.area()];
        if s.is_by_two() { by_two::max(s, x, y) } else { max_of(s, x, y) }
    });
}

/// The larger; NaN if either is.
#[inline(always)]
fn larger<T: Element>(a: T, b: T) -> T {
    if b > a || b.is_nan() { b } else { a }
}

vectorize! {
    fn max_of [T: Element] (s: &PoolSize, x: &[T], y: &mut [T]) {
        y.fill(T::from_f64(f64::NEG_INFINITY));
        for (x, y) in x.chunks_exact(s.area()).zip(y.chunks_exact_mut(s.windows())) {
            for (i, y) in y.chunks_exact_mut(s.map[1]).enumerate() {
                for row in s.on_image(0, i) {
                    let x = &x[row * s.image[1]..(row + 1) * s.image[1]];
                    for kx in 0..s.window[1] {
                        let windows = s.with_column(kx);
                        if windows.is_empty() {
                            continue;
                        }
                        let x = &x[windows.start * s.stride[1] + kx - s.before[1]..];
                        let y = &mut y[windows];
                        if s.stride[1] == 1 {
                            for (y, &x) in y.iter_mut().zip(x) {
                                *y = larger(*y, x);
                            }
                        } else {
                            for (y, &x) in y.iter_mut().zip(x.iter().step_by(s.stride[1])) {
                                *y = larger(*y, x);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `gx (=, +=) gy` at the first of each window, in row order, that is y; 0 elsewhere. x and gx are [planes, image], y and gy
/// [planes, map].
pub(crate) fn max_vjp<T: Element>(s: &PoolSize, [x, y, gy]: [&[T]; 3], gx: &mut [T], accum: Accum) {
    s.check(x.len(), y.len());
    s.check(gx.len(), gy.len());
    if y.is_empty() {
        if accum == Accum::Replace {
            gx.fill(T::ZERO);
        }
        return;
    }
    s.for_planes(gx, &|planes, gx| {
        let x = &x[planes.start * s.area()..planes.end * s.area()];
        let [y, gy] = [y, gy].map(|y| &y[planes.start * s.windows()..planes.end * s.windows()]);
        match (s.is_by_two(), accum) {
            (true, Accum::Replace) => by_two::max_vjp(s, [x, y, gy], gx),
            (_, accum) => max_of_vjp(s, [x, y, gy], gx, accum),
        }
    });
}

fn max_of_vjp<T: Element>(s: &PoolSize, [x, y, gy]: [&[T]; 3], gx: &mut [T], accum: Accum) {
    if accum == Accum::Replace {
        gx.fill(T::ZERO);
    }
    for_each_largest(s, x, y, |window, index| gx[index] += gy[window]);
}

/// Calls `each` with the number of each window, and the index in x of the first element of it that is y.
pub(crate) fn for_each_largest<T: Element>(
    s: &PoolSize,
    x: &[T],
    y: &[T],
    mut each: impl FnMut(usize, usize),
) {
    for (window, &y) in y.iter().enumerate() {
        let (plane, at) = (window / s.windows(), window % s.windows());
        let (rows, cols) = (s.on_image(0, at / s.map[1]), s.on_image(1, at % s.map[1]));
        for row in rows {
            let start = plane * s.area() + row * s.image[1];
            let x = &x[start..][cols.clone()];
            if let Some(col) = x.iter().position(|&x| is_it(x, y)) {
                each(window, start + cols.start + col);
                break;
            }
        }
    }
}

/// Whether an element of a window is the largest of it.
#[inline(always)]
fn is_it<T: Element>(x: T, largest: T) -> bool {
    x == largest || x.is_nan()
}

/// `y = Σ x / n` over each window. n is how many elements of the window lie on the image or, with `padding`, on the image and
/// its padding.
pub(crate) fn mean<T: Element>(s: &PoolSize, padding: bool, x: &[T], y: &mut [T]) {
    s.check(x.len(), y.len());
    if y.is_empty() {
        return;
    }
    s.for_planes(y, &|planes, y| mean_of(s, padding, &x[planes.start * s.area()..planes.end * s.area()], y));
}

vectorize! {
    fn mean_of [T: Element] (s: &PoolSize, padding: bool, x: &[T], y: &mut [T]) {
        y.fill(T::ZERO);
        for (x, y) in x.chunks_exact(s.area()).zip(y.chunks_exact_mut(s.windows())) {
            for (i, y) in y.chunks_exact_mut(s.map[1]).enumerate() {
                for row in s.on_image(0, i) {
                    let x = &x[row * s.image[1]..(row + 1) * s.image[1]];
                    for kx in 0..s.window[1] {
                        let windows = s.with_column(kx);
                        if windows.is_empty() {
                            continue;
                        }
                        let x = &x[windows.start * s.stride[1] + kx - s.before[1]..];
                        for (y, &x) in y[windows].iter_mut().zip(x.iter().step_by(s.stride[1])) {
                            *y += x;
                        }
                    }
                }
                let rows = s.counted(0, i, padding);
                for (j, y) in y.iter_mut().enumerate() {
                    *y = *y / T::from_f64((rows * s.counted(1, j, padding)) as f64);
                }
            }
        }
    }
}

/// `gx (=, +=) gy / n`, summed over the windows that an element lies in.
pub(crate) fn mean_vjp<T: Element>(s: &PoolSize, padding: bool, gy: &[T], gx: &mut [T], accum: Accum) {
    s.check(gx.len(), gy.len());
    if accum == Accum::Replace {
        gx.fill(T::ZERO);
    }
    if gy.is_empty() {
        return;
    }
    s.for_planes(gx, &|planes, gx| {
        mean_of_vjp(s, padding, &gy[planes.start * s.windows()..planes.end * s.windows()], gx);
    });
}

vectorize! {
    fn mean_of_vjp [T: Element] (s: &PoolSize, padding: bool, gy: &[T], gx: &mut [T]) {
        for (gy, gx) in gy.chunks_exact(s.windows()).zip(gx.chunks_exact_mut(s.area())) {
            for (i, gy) in gy.chunks_exact(s.map[1]).enumerate() {
                let (rows, of_rows) = (s.on_image(0, i), s.counted(0, i, padding));
                for (j, &gy) in gy.iter().enumerate() {
                    let each = gy / T::from_f64((of_rows * s.counted(1, j, padding)) as f64);
                    let cols = s.on_image(1, j);
                    for row in rows.clone() {
                        for gx in &mut gx[row * s.image[1]..][cols.clone()] {
                            *gx += each;
                        }
                    }
                }
            }
        }
    }
}
