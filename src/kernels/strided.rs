//! Loops over operands that stand in any order, or are broadcast: rows of the innermost axis, one after the other.
//!
//! They are compiled once for all functions and any number of operands, and call a function for a row or a block of it.

// An index runs through all operands at once.
#![allow(clippy::needless_range_loop)]

use std::mem::MaybeUninit;

use smallvec::SmallVec;

use super::map::{BLOCK, Row};
use crate::element::Element;
use crate::matrix::Accum;

/// An operand of an elementwise kernel: data, and how far apart its elements stand along each axis of the *output's*
/// shape (0 where it is broadcast).
#[derive(Clone, Copy, Debug)]
pub struct Strided<'a, T> {
    /// The elements.
    pub data: &'a [T],
    /// One stride an axis.
    pub strides: &'a [usize],
}

/// As many axes as are walked without allocating.
const INLINE: usize = 8;

/// A loop nest's axis: its length and every operand's stride.
pub(super) type Axis<const N: usize> = (usize, [usize; N]);

/// Drops axes of size 1 and merges neighbours that every operand walks in one stride: fewer, longer loops.
pub(super) fn collapse<const N: usize>(
    shape: &[usize],
    strides: [&[usize]; N],
) -> SmallVec<[Axis<N>; INLINE]> {
    let mut axes: SmallVec<[Axis<N>; INLINE]> = SmallVec::new();
    for (axis, &size) in shape.iter().enumerate() {
        if size == 1 {
            continue;
        }
        let mut here = [0; N];
        for i in 0..N {
            here[i] = strides[i][axis];
        }
        if let Some((outer_size, outer)) = axes.last_mut()
            && (0..N).all(|i| outer[i] == here[i] * size)
        {
            *outer_size *= size;
            *outer = here;
        } else {
            axes.push((size, here));
        }
    }
    axes
}

/// Calls `each` with the operands' offsets at every element of `shape`, in row-major order.
pub fn for_each_offset<const N: usize>(
    shape: &[usize],
    strides: [&[usize]; N],
    mut each: impl FnMut([usize; N]),
) {
    if shape.contains(&0) {
        return;
    }
    let axes = collapse(shape, strides);
    let (&(width, inner), outer) = axes.split_last().unwrap_or((&(1, [0; N]), &[]));
    for_each_row(outer, &mut |mut at| {
        for _ in 0..width {
            each(at);
            for i in 0..N {
                at[i] += inner[i];
            }
        }
    });
}

/// Calls `row` with each operand's offset for every combination of the outer axes, in row-major order.
pub(super) fn for_each_row<const N: usize>(outer: &[Axis<N>], row: &mut dyn FnMut([usize; N])) {
    let mut count: SmallVec<[usize; INLINE]> = SmallVec::from_elem(0, outer.len());
    let mut at = [0; N];
    'rows: loop {
        row(at);
        for (axis, &(size, strides)) in outer.iter().enumerate().rev() {
            count[axis] += 1;
            for i in 0..N {
                at[i] += strides[i];
            }
            if count[axis] < size {
                continue 'rows;
            }
            count[axis] = 0;
            for i in 0..N {
                at[i] -= strides[i] * size;
            }
        }
        return;
    }
}

/// Operands that a loop can take.
pub(super) const MOST: usize = 4;

/// A function of up to [`MOST`] operands.
pub(super) type AnyRow<'f, T> = &'f dyn Fn([&[T]; MOST], &mut [T], Accum);

/// A function of N operands, as one of more that does not look at the others.
pub(super) fn any_row<T, const N: usize>(f: Row<T, N>) -> impl Fn([&[T]; MOST], &mut [T], Accum) {
    move |x, y, accum| f(*x.first_chunk().expect("N operands"), y, accum)
}

/// The data and strides of N operands. The places left over are empty and repeat the first's strides, which changes nothing.
pub(super) fn spread<'a, T, const N: usize>(
    x: &[Strided<'a, T>; N],
) -> ([&'a [T]; MOST], [&'a [usize]; MOST]) {
    const { assert!(0 < N && N <= MOST, "so many operands") };
    let empty: &[T] = &[];
    let (mut data, mut strides) = ([empty; MOST], [x[0].strides; MOST]);
    for i in 0..N {
        (data[i], strides[i]) = (x[i].data, x[i].strides);
    }
    (data, strides)
}

/// Room for a block of each operand.
type Buffers<T> = [[MaybeUninit<T>; BLOCK]; MOST];

/// A row of operands: where each begins, and how far apart its elements stand.
#[derive(Clone, Copy)]
pub(super) struct Span<'a, T> {
    pub data: [&'a [T]; MOST],
    /// How many there are.
    pub operands: usize,
    pub start: [usize; MOST],
    pub strides: [usize; MOST],
}

impl<'a, T: Element> Span<'a, T> {
    /// Whether all operands stand side by side.
    pub fn is_side_by_side(&self) -> bool {
        self.strides == [1; MOST]
    }

    /// Elements `from..from + count` of operands that stand side by side.
    pub fn slices(&self, from: usize, count: usize) -> [&'a [T]; MOST] {
        let mut slices = self.data;
        for i in 0..self.operands {
            slices[i] = &self.data[i][self.start[i] + from..][..count];
        }
        slices
    }

    /// Elements `from..from + count` of every operand.
    fn gathered<'b>(&self, from: usize, count: usize, buffers: &'b mut Buffers<T>) -> [&'b [T]; MOST]
    where
        'a: 'b,
    {
        let mut gathered: [&'b [T]; MOST] = self.data;
        for (i, buffer) in buffers.iter_mut().enumerate().take(self.operands) {
            let start = self.start[i] + from * self.strides[i];
            gathered[i] = gather(self.data[i], start, self.strides[i], &mut buffer[..count]);
        }
        gathered
    }

    /// Calls `each` with the place, the length and the operands of one block after the other.
    #[inline]
    pub fn for_each_block(&self, len: usize, mut each: impl FnMut(usize, usize, [&[T]; MOST])) {
        let mut buffers: Buffers<T> = [const { [const { MaybeUninit::uninit() }; BLOCK] }; MOST];
        let side_by_side = self.is_side_by_side();
        for from in (0..len).step_by(BLOCK) {
            let count = BLOCK.min(len - from);
            if side_by_side {
                each(from, count, self.slices(from, count));
            } else {
                each(from, count, self.gathered(from, count, &mut buffers));
            }
        }
    }
}

/// Elements a stride apart, gathered into a buffer so that the loop over them vectorizes.
fn gather<'b, T: Element>(
    x: &'b [T],
    start: usize,
    stride: usize,
    buffer: &'b mut [MaybeUninit<T>],
) -> &'b [T] {
    match stride {
        1 => return &x[start..start + buffer.len()],
        0 => buffer.fill(MaybeUninit::new(x[start])),
        _ => {
            for (i, slot) in buffer.iter_mut().enumerate() {
                slot.write(x[start + i * stride]);
            }
        }
    }
    // SAFETY: every element of it was just written.
    unsafe { &*(std::ptr::from_ref(buffer) as *const [T]) }
}

/// `y (=, +=) f(x…)` with y row-major of this shape and each operand broadcast or permuted by its strides.
///
/// # Panics
/// If y has fewer elements than the shape, or an operand ends before its strides do.
pub fn map_strided<T: Element, const N: usize>(
    shape: &[usize],
    x: [Strided<T>; N],
    y: &mut [T],
    accum: Accum,
    f: Row<T, N>,
) {
    let (data, strides) = spread(&x);
    map_any(&collapse(shape, strides), (data, N), y, accum, &any_row(f));
}

/// [`map_strided`], for any number of operands.
fn map_any<T: Element>(
    axes: &[Axis<MOST>],
    (data, operands): ([&[T]; MOST], usize),
    y: &mut [T],
    accum: Accum,
    f: AnyRow<T>,
) {
    if y.is_empty() {
        return;
    }
    let (&(width, strides), outer) = axes.split_last().unwrap_or((&(1, [1; MOST]), &[]));
    let mut rest = y;
    for_each_row(outer, &mut |start| {
        let row = rest.split_off_mut(..width).expect("y has the shape's elements");
        let span = Span { data, operands, start, strides };
        if span.is_side_by_side() {
            f(span.slices(0, width), row, accum);
        } else {
            span.for_each_block(width, |from, count, x| f(x, &mut row[from..from + count], accum));
        }
    });
}
