//! Max pooling by two: windows of two rows by two columns that lie side by side on the image.
//!
//! A row of few windows fills few registers. So the upper rows of many windows' rows stand one after the other in one buffer,
//! and the lower ones in another: one long loop runs over the windows of all of them, which stand so in y already.

// An index runs through all operands at once.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use super::{PoolSize, is_it, larger};
use crate::element::Element;
use crate::kernels::isa::vectorize;

/// Elements of a buffer.
const BLOCK: usize = 512;

/// With more windows, a row is worked on where it stands.
const MOST_WINDOWS: usize = BLOCK / 8;

/// Elements that are copied at a time: one or two registers of the widest kind.
const CHUNK: usize = 16;

/// Where the upper rows of some rows of windows begin, counted through all planes; the lower ones begin a row of the image
/// later.
#[inline(always)]
fn starts(s: &PoolSize, rows: Range<usize>) -> impl Iterator<Item = usize> {
    let (area, step, last) = (s.area(), 2 * s.image[1], s.map[0] - 1);
    let (plane, mut row) = (rows.start / s.map[0], rows.start % s.map[0]);
    let mut at = plane * area + row * step;
    rows.map(move |_| {
        let start = at;
        (row, at) = if row == last { (0, at + area - last * step) } else { (row + 1, at + step) };
        start
    })
}

/// Copies the first `len` elements, and what follows them up to the end of a chunk if both slices have so many.
#[inline(always)]
fn copy_row<T: Element>(from: &[T], to: &mut [T], len: usize) {
    let whole = len.next_multiple_of(CHUNK);
    if let (Some(from), Some(to)) = (from.get(..whole), to.get_mut(..whole)) {
        let ((from, _), (to, _)) = (from.as_chunks::<CHUNK>(), to.as_chunks_mut::<CHUNK>());
        for (to, from) in to.iter_mut().zip(from) {
            *to = *from;
        }
    } else {
        to[..len].copy_from_slice(&from[..len]);
    }
}

/// Puts the upper and the lower rows of some rows of windows into the buffers.
#[inline(always)]
fn stack<T: Element>(s: &PoolSize, rows: Range<usize>, x: &[T], [above, below]: [&mut [T]; 2]) {
    let len = 2 * s.map[1];
    for (i, start) in starts(s, rows).enumerate() {
        copy_row(&x[start..], &mut above[i * len..], len);
        copy_row(&x[start + s.image[1]..], &mut below[i * len..], len);
    }
}

/// The first `count` pairs.
#[inline(always)]
fn pairs<T>(x: &[T], count: usize) -> &[[T; 2]] {
    &x.as_chunks().0[..count]
}

#[inline(always)]
fn pairs_mut<T>(x: &mut [T], count: usize) -> &mut [[T; 2]] {
    &mut x.as_chunks_mut().0[..count]
}

vectorize! {
    /// The largest element of each window.
    fn largest [T: Element] (above: &[T], below: &[T], y: &mut [T]) {
        let n = y.len();
        let (above, below) = (pairs(above, n), pairs(below, n));
        for j in 0..n {
            let ([a, b], [c, d]) = (above[j], below[j]);
            y[j] = larger(larger(larger(a, b), c), d);
        }
    }
}

vectorize! {
    /// gy at the first element of each window, in row order, that is y; 0 at the others.
    fn pull [T: Element] (above: &[T], below: &[T], y: &[T], gy: &[T], g_above: &mut [T], g_below: &mut [T]) {
        let n = y.len();
        let (above, below, gy) = (pairs(above, n), pairs(below, n), &gy[..n]);
        let (g_above, g_below) = (pairs_mut(g_above, n), pairs_mut(g_below, n));
        for j in 0..n {
            let ([a, b], [c, _], y) = (above[j], below[j], y[j]);
            // What is left for those after it: each takes all or nothing, without a branch.
            let (first, left) = if is_it(a, y) { (gy[j], T::ZERO) } else { (T::ZERO, gy[j]) };
            let (second, left) = if is_it(b, y) { (left, T::ZERO) } else { (T::ZERO, left) };
            let (third, left) = if is_it(c, y) { (left, T::ZERO) } else { (T::ZERO, left) };
            g_above[j] = [first, second];
            g_below[j] = [third, left];
        }
    }
}

pub(super) fn max<T: Element>(s: &PoolSize, x: &[T], y: &mut [T]) {
    let (width, cols) = (s.image[1], s.map[1]);
    if cols > MOST_WINDOWS {
        for (start, y) in starts(s, 0..y.len() / cols).zip(y.chunks_exact_mut(cols)) {
            largest(&x[start..], &x[start + width..], y);
        }
        return;
    }
    let [mut above, mut below] = [[T::ZERO; BLOCK]; 2];
    let at_once = BLOCK / (2 * cols);
    for (block, y) in y.chunks_mut(at_once * cols).enumerate() {
        let first = block * at_once;
        stack(s, first..first + y.len() / cols, x, [&mut above, &mut below]);
        largest(&above, &below, y);
    }
}

/// `gx = gy` at the first of each window, in row order, that is y; 0 elsewhere.
pub(super) fn max_vjp<T: Element>(s: &PoolSize, operands: [&[T]; 3], gx: &mut [T]) {
    let ([x, y, gy], width, cols) = (operands, s.image[1], s.map[1]);
    let (len, rows) = (2 * cols, y.len() / cols);
    // The last row of an odd number lies in no window, and so does the last column.
    let beyond = s.area() - 2 * width * s.map[0];
    let is_last = |row: usize| (row + 1).is_multiple_of(s.map[0]);
    if cols > MOST_WINDOWS {
        for (row, start) in starts(s, 0..rows).enumerate() {
            let at = row * cols..(row + 1) * cols;
            let (g_above, g_below) = gx[start..start + 2 * width].split_at_mut(width);
            if len < width {
                (g_above[len], g_below[len]) = (T::ZERO, T::ZERO);
            }
            pull(&x[start..], &x[start + width..], &y[at.clone()], &gy[at], g_above, g_below);
            if is_last(row) {
                gx[start + 2 * width..][..beyond].fill(T::ZERO);
            }
        }
        return;
    }
    let [mut above, mut below, mut g_above, mut g_below] = [[T::ZERO; BLOCK]; 4];
    let at_once = BLOCK / len;
    for (block, (y, gy)) in y.chunks(at_once * cols).zip(gy.chunks(at_once * cols)).enumerate() {
        let rows = block * at_once..block * at_once + y.len() / cols;
        stack(s, rows.clone(), x, [&mut above, &mut below]);
        pull(&above, &below, y, gy, &mut g_above, &mut g_below);
        // In order: what is copied too far is written again.
        for (i, start) in starts(s, rows.clone()).enumerate() {
            for (from, start) in [(&g_above, start), (&g_below, start + width)] {
                copy_row(&from[i * len..], &mut gx[start..], len);
                if len < width {
                    gx[start + len] = T::ZERO;
                }
            }
            if is_last(rows.start + i) {
                gx[start + 2 * width..][..beyond].fill(T::ZERO);
            }
        }
    }
}
