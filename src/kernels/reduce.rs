//! Sums of slices, of rows, and over any axes, all by the rule of [`sum`](super::sum).
//!
//! A function that is summed is first mapped, a block at a time, into a buffer that stays in the nearest cache: the
//! elementwise loops are compiled once, and summing needs no copies of them. The few that penalties sum over whole layers
//! have a loop of their own ([`sum_each`](super::sum_each)), which saves that buffer and gives the same bits.

use std::mem::MaybeUninit;

use smallvec::SmallVec;

use super::isa::vectorize;
use super::map::{BLOCK, Row};
use super::rows::put;
use super::strided::{AnyRow, Axis, MOST, Span, Strided, any_row, collapse, for_each_row, spread};
use super::sum::{Lanes, ROW_RUN, STEPS, half, pairwise};
use crate::element::Element;
use crate::matrix::Accum;

/// Σᵢ f(xᵢ…) over slices of one length.
pub fn sum_map<T: Element, const N: usize>(x: [&[T]; N], f: Row<T, N>) -> T {
    const { assert!(0 < N && N <= MOST, "so many operands") };
    let mut data = [x[0]; MOST];
    data[..N].copy_from_slice(&x);
    let span = Span { data, operands: N, start: [0; MOST], strides: [1; MOST] };
    sum_span(&span, x[0].len(), &any_row(f))
}

/// Σᵢ f(xᵢ…) over a row.
fn sum_span<T: Element>(span: &Span<T>, len: usize, f: AnyRow<T>) -> T {
    pairwise(len, |from, len| {
        let mut span = *span;
        for i in 0..MOST {
            span.start[i] += from * span.strides[i];
        }
        let mut lanes = Lanes::new();
        for_each_block(&span, len, f, |_, values| lanes.add(values, |[x]: [T; 1]| x));
        lanes.total()
    })
}

/// Calls `each` with the number of the first element and the values f(xᵢ…) of one block after the other.
#[inline]
fn for_each_block<T: Element>(span: &Span<T>, len: usize, f: AnyRow<T>, mut each: impl FnMut(usize, &[T])) {
    let mut values = [const { MaybeUninit::uninit() }; BLOCK];
    let values = zeroed(&mut values, len);
    span.for_each_block(len, |from, count, x| {
        f(x, &mut values[..count], Accum::Replace);
        each(from, &values[..count]);
    });
}

/// The beginning of a buffer, as much as `len` elements need, filled with zeros.
pub(super) fn zeroed<T: Element>(buffer: &mut [MaybeUninit<T>], len: usize) -> &mut [T] {
    let len = len.min(buffer.len());
    let part = &mut buffer[..len];
    part.fill(MaybeUninit::new(T::ZERO));
    // SAFETY: every element of it was just written.
    unsafe { &mut *(std::ptr::from_mut(part) as *mut [T]) }
}

/// Axes of all operands and of y, whose stride is the last.
type Axes = [Axis<{ MOST + 1 }>];

/// What is summed: operands, how many there are, and a function of them.
#[derive(Clone, Copy)]
struct Terms<'a, T> {
    data: [&'a [T]; MOST],
    operands: usize,
    f: AnyRow<'a, T>,
}

/// `y (=, +=) Σ f(x…)`, summed over the axes of `shape` where y's stride is 0.
pub fn sum_strided<T: Element, const N: usize>(
    shape: &[usize],
    x: [Strided<T>; N],
    y: &mut [T],
    y_strides: &[usize],
    accum: Accum,
    f: Row<T, N>,
) {
    let (data, strides) = spread(&x);
    let [a, b, c, d] = strides;
    let axes = collapse(shape, [a, b, c, d, y_strides]);
    if accum == Accum::Replace {
        y.fill(T::ZERO);
    }
    if !shape.contains(&0) {
        add_any(&axes, Terms { data, operands: N, f: &any_row(f) }, y);
    }
}

/// `y += Σ f(x…)`
fn add_any<T: Element>(axes: &Axes, terms: Terms<T>, y: &mut [T]) {
    if rows_summed(axes) <= STEPS {
        add_rows(axes, [0; MOST + 1], terms, y);
    } else {
        add_by_block(axes, terms, y);
    }
}

/// How many rows of the innermost axis are added to each element of y.
fn rows_summed(axes: &Axes) -> usize {
    let outer = axes.split_last().map_or(&[][..], |(_, outer)| outer);
    outer.iter().filter(|(_, strides)| strides[MOST] == 0).map(|(size, _)| size).product()
}

/// `y += Σ f(x…)`, one row of the innermost axis after the other, from the offsets `begin` on.
fn add_rows<T: Element>(axes: &Axes, begin: [usize; MOST + 1], terms: Terms<T>, y: &mut [T]) {
    let Terms { data, operands, f } = terms;
    let (&(width, inner), outer) = axes.split_last().unwrap_or((&(1, [1; MOST + 1]), &[]));
    let [strides @ .., step] = inner;
    for_each_row(outer, &mut |mut at| {
        for i in 0..=MOST {
            at[i] += begin[i];
        }
        let [start @ .., place] = at;
        let span = Span { data, operands, start, strides };
        match step {
            0 => y[place] += sum_span(&span, width, f),
            1 if span.is_side_by_side() => f(span.slices(0, width), &mut y[place..place + width], Accum::Add),
            step => for_each_block(&span, width, f, |from, values| {
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
fn add_by_block<T: Element>(axes: &Axes, terms: Terms<T>, y: &mut [T]) {
    // The innermost axes that y keeps make up a block, as many as it has room for, the last of them in pieces.
    let mut block: SmallVec<[Axis<{ MOST + 1 }>; 6]> = SmallVec::from_slice(axes);
    let mut outer: SmallVec<[Axis<{ MOST + 1 }>; 6]> = SmallVec::new();
    let (mut room, mut pieces) = (BLOCK, None);
    for i in (0..axes.len()).rev().filter(|&i| axes[i].1[MOST] != 0) {
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
    for_each_row(&outer, &mut |at| {
        let mut from = 0;
        loop {
            let mut begin = at;
            if piece > 0 {
                block[axis].0 = piece.min(whole - from);
                for (begin, stride) in begin.iter_mut().zip(axes[axis].1) {
                    *begin += from * stride;
                }
            }
            add_block(&block, begin, terms, y);
            from += piece;
            if from >= whole {
                break;
            }
        }
    });
}

/// `y += Σ f(x…)` for one block of y's elements: [`add_by_block`] says which.
fn add_block<T: Element>(axes: &Axes, begin: [usize; MOST + 1], terms: Terms<T>, y: &mut [T]) {
    // The sums of a block stand row-major, without the axes that go.
    let mut own: SmallVec<[Axis<{ MOST + 1 }>; 6]> = SmallVec::from_slice(axes);
    let mut len = 1;
    for (size, strides) in own.iter_mut().rev().filter(|(_, strides)| strides[MOST] != 0) {
        strides[MOST] = len;
        len *= *size;
    }
    let mut sums = [T::ZERO; BLOCK];
    let mut from = begin;
    from[MOST] = 0;
    sum_pairwise(&mut own, from, terms, &mut sums[..len]);
    let kept = axes.iter().zip(&own).filter(|(axis, _)| axis.1[MOST] != 0);
    let places: SmallVec<[Axis<2>; 6]> = kept.map(|(to, own)| (to.0, [to.1[MOST], own.1[MOST]])).collect();
    for_each_row(&places, &mut |[to, own]| y[begin[MOST] + to] += sums[own]);
}

/// `sums = Σ f(x…)`; at most [`STEPS`] rows one after the other, and pairwise beyond. The axes are as before on return.
fn sum_pairwise<T: Element>(axes: &mut Axes, begin: [usize; MOST + 1], terms: Terms<T>, sums: &mut [T]) {
    let rows = rows_summed(axes);
    if rows <= STEPS {
        sums.fill(T::ZERO);
        return add_rows(axes, begin, terms, sums);
    }
    let last = axes.len() - 1;
    let goes = |(size, strides): &Axis<{ MOST + 1 }>| *size > 1 && strides[MOST] == 0;
    let axis = axes[..last].iter().position(goes).expect("more than one row is summed");
    let (size, strides) = axes[axis];
    let first = half(size, 1);
    axes[axis].0 = first;
    sum_pairwise(axes, begin, terms, sums);
    axes[axis].0 = size - first;
    let mut others = [T::ZERO; BLOCK];
    let others = &mut others[..sums.len()];
    let mut second = begin;
    for i in 0..=MOST {
        second[i] += first * strides[i];
    }
    sum_pairwise(axes, second, terms, others);
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
            put_each(y, |i| ((a[i] + b[i]) + (c[i] + d[i])) + ((e[i] + f[i]) + (g[i] + h[i])), accum);
            accum = Accum::Add;
            rest = &rest[rest.len().min(8 * step)..];
        }
        if width > 0 && rest.len() >= 3 * step + width {
            let [a, b, c, d] = rows_of(rest, step, width);
            put_each(y, |i| (a[i] + b[i]) + (c[i] + d[i]), accum);
            accum = Accum::Add;
            rest = &rest[rest.len().min(4 * step)..];
        }
        for row in rest.chunks(step).filter(|row| row.len() >= width) {
            put(&mut *y, row[..width].iter().copied(), accum);
            accum = Accum::Add;
        }
    }
}

/// `y[i] (=, +=) sum(i)`
#[inline(always)]
fn put_each<T: Element>(y: &mut [T], sum: impl Fn(usize) -> T, accum: Accum) {
    if accum == Accum::Replace {
        for (i, y) in y.iter_mut().enumerate() {
            *y = sum(i);
        }
    } else {
        for (i, y) in y.iter_mut().enumerate() {
            *y += sum(i);
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
