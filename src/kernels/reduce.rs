//! Sums of slices, of rows, and over any axes, all by the rule of [`sum`](super::sum).
//!
//! A function that is summed is first mapped, a block at a time, into a buffer that stays in the nearest cache: the
//! elementwise loops are compiled once, and summing needs no copies of them. The few that penalties sum over whole layers
//! have a loop of their own ([`sum_each`](super::sum_each)), which saves that buffer and gives the same bits.

use std::mem::MaybeUninit;

use smallvec::SmallVec;

use super::isa::vectorize;
use super::map::{Axis, BLOCK, Row, Strided, collapse, for_each_row, gather_all};
use super::rows::put;
use super::sum::{Lanes, ROW_RUN, STEPS, half, pairwise};
use crate::element::Element;
use crate::matrix::Accum;

/// Σᵢ f(xᵢ…) over slices of one length.
pub fn sum_map<T: Element, const N: usize>(x: [&[T]; N], f: Row<T, N>) -> T {
    pairwise(x[0].len(), |from, len| {
        let mut values = [const { MaybeUninit::uninit() }; BLOCK];
        let values = zeroed(&mut values, len);
        let mut lanes = Lanes::new();
        for at in (from..from + len).step_by(BLOCK) {
            let values = &mut values[..BLOCK.min(from + len - at)];
            f(x.map(|x| &x[at..at + values.len()]), values, Accum::Replace);
            lanes.add(values, |[x]: [T; 1]| x);
        }
        lanes.total()
    })
}

/// A row of operands: where each begins, and how far apart its elements stand.
#[derive(Clone, Copy)]
struct Span<'a, T, const N: usize> {
    data: [&'a [T]; N],
    start: [usize; N],
    strides: [usize; N],
}

impl<'a, T: Element, const N: usize> Span<'a, T, N> {
    /// Elements `from..from + count` of every operand.
    fn block<'b>(&self, from: usize, count: usize, buffers: &'b mut [[T; BLOCK]; N]) -> [&'b [T]; N]
    where
        'a: 'b,
    {
        gather_all(self.data, self.start, self.strides, from, count, buffers)
    }

    /// Calls `each` with the number of the first element and the values f(xᵢ…) of one block after the other.
    fn for_each_block(&self, len: usize, f: Row<T, N>, mut each: impl FnMut(usize, &[T])) {
        let mut values = [const { MaybeUninit::uninit() }; BLOCK];
        let values = zeroed(&mut values, len);
        let mut visit = |from: usize, count: usize, block: [&[T]; N]| {
            f(block, &mut values[..count], Accum::Replace);
            each(from, &values[..count]);
        };
        let blocks = (0..len).step_by(BLOCK).map(|from| (from, BLOCK.min(len - from)));
        if self.strides == [1; N] {
            for (from, count) in blocks {
                visit(from, count, std::array::from_fn(|i| &self.data[i][self.start[i] + from..][..count]));
            }
        } else {
            let mut buffers = [[T::ZERO; BLOCK]; N];
            for (from, count) in blocks {
                visit(from, count, self.block(from, count, &mut buffers));
            }
        }
    }

    /// Σᵢ f(xᵢ…)
    fn sum(&self, len: usize, f: Row<T, N>) -> T {
        pairwise(len, |from, len| {
            let start = std::array::from_fn(|i| self.start[i] + from * self.strides[i]);
            let mut lanes = Lanes::new();
            Span { start, ..*self }.for_each_block(len, f, |_, values| lanes.add(values, |[x]: [T; 1]| x));
            lanes.total()
        })
    }
}

/// The beginning of a buffer, as much as `len` elements need, filled with zeros.
pub(super) fn zeroed<T: Element>(buffer: &mut [MaybeUninit<T>], len: usize) -> &mut [T] {
    let len = len.min(buffer.len());
    let part = &mut buffer[..len];
    part.fill(MaybeUninit::new(T::ZERO));
    // SAFETY: every element of it was just written.
    unsafe { &mut *(std::ptr::from_mut(part) as *mut [T]) }
}

/// Operands that a reduction can take.
const MAX_OPERANDS: usize = 4;

/// Axes of y and of all operands: y's stride first. If operands are fewer, y's stride stands for those that are missing, which
/// changes nothing.
type Axes = [Axis<{ 1 + MAX_OPERANDS }>];

/// `y (=, +=) Σ f(x…)`, summed over the axes of `shape` where y's stride is 0.
pub fn sum_strided<T: Element, const N: usize>(
    shape: &[usize],
    x: [Strided<T>; N],
    y: &mut [T],
    y_strides: &[usize],
    accum: Accum,
    f: Row<T, N>,
) {
    if accum == Accum::Replace {
        y.fill(T::ZERO);
    }
    if shape.contains(&0) {
        return;
    }
    let mut joined = [y_strides; 1 + MAX_OPERANDS];
    for i in 0..N {
        joined[1 + i] = x[i].strides;
    }
    let axes = collapse(shape, joined);
    let data = x.map(|x| x.data);
    if rows_summed(&axes) <= STEPS {
        add_rows(&axes, [0; 1 + MAX_OPERANDS], data, y, f);
    } else {
        add_by_block(&axes, data, y, f);
    }
}

/// How many rows of the innermost axis are added to each element of y.
fn rows_summed(axes: &Axes) -> usize {
    let outer = axes.split_last().map_or(&[][..], |(_, outer)| outer);
    outer.iter().filter(|(_, strides)| strides[0] == 0).map(|(size, _)| size).product()
}

/// `y += Σ f(x…)`, one row of the innermost axis after the other, from the offsets `begin` on.
fn add_rows<T: Element, const N: usize>(
    axes: &Axes,
    begin: [usize; 1 + MAX_OPERANDS],
    data: [&[T]; N],
    y: &mut [T],
    f: Row<T, N>,
) {
    let (&(width, inner), outer) = axes.split_last().unwrap_or((&(1, [1; 1 + MAX_OPERANDS]), &[]));
    let strides = std::array::from_fn(|i| inner[i + 1]);
    for_each_row(outer, |at| {
        let place = begin[0] + at[0];
        let span = Span { data, start: std::array::from_fn(|i| begin[i + 1] + at[i + 1]), strides };
        match inner[0] {
            0 => y[place] += span.sum(width, f),
            1 if strides == [1; N] => {
                let row = std::array::from_fn(|i| &data[i][span.start[i]..span.start[i] + width]);
                f(row, &mut y[place..place + width], Accum::Add);
            }
            step => span.for_each_block(width, f, |from, values| {
                let place = place + from * step;
                for (i, &value) in values.iter().enumerate() {
                    y[place + i * step] += value;
                }
            }),
        }
    });
}

/// `y += Σ f(x…)` of many rows: for a block of y's elements at a time, their sums are made on their own, pairwise, and
/// then added to y.
fn add_by_block<T: Element, const N: usize>(axes: &Axes, data: [&[T]; N], y: &mut [T], f: Row<T, N>) {
    // The innermost axes that y keeps make up a block, as many as it has room for, the last of them in pieces.
    let mut block: SmallVec<[Axis<{ 1 + MAX_OPERANDS }>; 6]> = SmallVec::from_slice(axes);
    let mut outer: SmallVec<[Axis<{ 1 + MAX_OPERANDS }>; 6]> = SmallVec::new();
    let (mut room, mut pieces) = (BLOCK, None);
    for i in (0..axes.len()).rev().filter(|&i| axes[i].1[0] != 0) {
        let (size, strides) = axes[i];
        if pieces.is_none() && size <= room {
            room /= size;
        } else if pieces.is_none() {
            pieces = Some((i, room));
        } else {
            block[i].0 = 1;
            outer.push((size, strides));
        }
    }
    outer.reverse();
    let (axis, piece) = pieces.unwrap_or((0, 0));
    let whole = if piece == 0 { 0 } else { axes[axis].0 };
    for_each_row(&outer, |at| {
        let mut from = 0;
        loop {
            let mut begin = at;
            if piece > 0 {
                block[axis].0 = piece.min(whole - from);
                for (begin, stride) in begin.iter_mut().zip(axes[axis].1) {
                    *begin += from * stride;
                }
            }
            add_block(&block, begin, data, y, f);
            from += piece;
            if from >= whole {
                break;
            }
        }
    });
}

/// `y += Σ f(x…)` for one block of y's elements: [`add_by_block`] says which.
fn add_block<T: Element, const N: usize>(
    axes: &Axes,
    begin: [usize; 1 + MAX_OPERANDS],
    data: [&[T]; N],
    y: &mut [T],
    f: Row<T, N>,
) {
    // The sums of a block stand row-major, without the axes that go.
    let mut own: SmallVec<[Axis<{ 1 + MAX_OPERANDS }>; 6]> = SmallVec::from_slice(axes);
    let mut len = 1;
    for (size, strides) in own.iter_mut().rev().filter(|(_, strides)| strides[0] != 0) {
        strides[0] = len;
        len *= *size;
    }
    let mut sums = [T::ZERO; BLOCK];
    let mut from = begin;
    from[0] = 0;
    sum_pairwise(&mut own, from, data, &mut sums[..len], f);
    let kept = axes.iter().zip(&own).filter(|(axis, _)| axis.1[0] != 0);
    let places: SmallVec<[Axis<2>; 6]> = kept.map(|(to, own)| (to.0, [to.1[0], own.1[0]])).collect();
    for_each_row(&places, |[to, own]| y[begin[0] + to] += sums[own]);
}

/// `sums = Σ f(x…)`; at most [`STEPS`] rows one after the other, and pairwise beyond. The axes are as before on return.
fn sum_pairwise<T: Element, const N: usize>(
    axes: &mut Axes,
    begin: [usize; 1 + MAX_OPERANDS],
    data: [&[T]; N],
    sums: &mut [T],
    f: Row<T, N>,
) {
    let rows = rows_summed(axes);
    if rows <= STEPS {
        sums.fill(T::ZERO);
        return add_rows(axes, begin, data, sums, f);
    }
    let last = axes.len() - 1;
    let goes = |(size, strides): &Axis<{ 1 + MAX_OPERANDS }>| *size > 1 && strides[0] == 0;
    let axis = axes[..last].iter().position(goes).expect("more than one row is summed");
    let (size, strides) = axes[axis];
    let first = half(size, 1);
    axes[axis].0 = first;
    sum_pairwise(axes, begin, data, sums, f);
    axes[axis].0 = size - first;
    let mut others = [T::ZERO; BLOCK];
    let others = &mut others[..sums.len()];
    sum_pairwise(axes, std::array::from_fn(|i| begin[i] + first * strides[i]), data, others, f);
    axes[axis].0 = size;
    super::copy([others], sums, Accum::Add);
}

/// Columns that are summed together where there are many rows: so many that rows are read in long pieces.
const COLUMNS: usize = 2048;

/// `y (=, +=) Σ x` over the rows of a row-major matrix: a sum of each column.
pub fn sum_rows<T: Element>(x: &[T], y: &mut [T], accum: Accum) {
    let width = y.len().max(1);
    if x.is_empty() && accum == Accum::Replace {
        y.fill(T::ZERO);
    }
    if x.len() / width <= ROW_RUN {
        return sum_row_run(x, width, y, accum);
    }
    for (block, y) in y.chunks_mut(COLUMNS).enumerate() {
        let x = &x[block * COLUMNS..];
        if accum == Accum::Replace {
            sum_rows_pairwise(x, width, y);
        } else {
            add_rows_pairwise(x, width, y);
        }
    }
}

/// `y = Σ x` of some columns of a matrix whose rows begin `step` apart; the last may end early.
fn sum_rows_pairwise<T: Element>(x: &[T], step: usize, y: &mut [T]) {
    let rows = x.len().div_ceil(step);
    if rows <= ROW_RUN {
        return sum_row_run(x, step, y, Accum::Replace);
    }
    let (first, second) = x.split_at(half(rows, ROW_RUN) * step);
    sum_rows_pairwise(first, step, y);
    add_rows_pairwise(second, step, y);
}

/// `y += Σ x`, the sum being made first.
fn add_rows_pairwise<T: Element>(x: &[T], step: usize, y: &mut [T]) {
    let mut sums = [const { MaybeUninit::uninit() }; COLUMNS];
    let sums = zeroed(&mut sums, y.len());
    sum_rows_pairwise(x, step, sums);
    super::copy([sums], y, Accum::Add);
}

vectorize! {
    /// [`sum_rows`] of one run of the first columns, as many as y has, of rows that begin `step` apart.
    fn sum_row_run [T: Element] (x: &[T], step: usize, y: &mut [T], accum: Accum) {
        let (width, mut accum, mut rest) = (y.len(), accum, x);
        // Eight rows at a time: y is read and written once for them.
        while width > 0 && rest.len() >= 7 * step + width {
            let [a, b, c, d, e, f, g, h] = rows_of(rest, step, width);
            let sum = |i: usize| ((a[i] + b[i]) + (c[i] + d[i])) + ((e[i] + f[i]) + (g[i] + h[i]));
            if accum == Accum::Replace {
                for (i, y) in y.iter_mut().enumerate() {
                    *y = sum(i);
                }
            } else {
                for (i, y) in y.iter_mut().enumerate() {
                    *y += sum(i);
                }
            }
            accum = Accum::Add;
            rest = &rest[rest.len().min(8 * step)..];
        }
        if width > 0 && rest.len() >= 3 * step + width {
            let [a, b, c, d] = rows_of(rest, step, width);
            put(&mut *y, (0..width).map(|i| (a[i] + b[i]) + (c[i] + d[i])), accum);
            accum = Accum::Add;
            rest = &rest[rest.len().min(4 * step)..];
        }
        for row in rest.chunks(step).filter(|row| row.len() >= width) {
            put(&mut *y, row[..width].iter().copied(), accum);
            accum = Accum::Add;
        }
    }
}

/// The beginnings of the first R rows.
#[inline(always)]
fn rows_of<T, const R: usize>(x: &[T], step: usize, width: usize) -> [&[T]; R] {
    let mut rows: [&[T]; R] = [&[]; R];
    for i in 0..R {
        rows[i] = &x[i * step..i * step + width];
    }
    rows
}
