//! Sums in a fixed order: the same bits on every machine and for any number of threads.
//!
//! A function that is summed is first mapped, a block at a time, into a buffer that stays in the nearest cache: the
//! elementwise loops are compiled once, and summing needs no copies of them. The few that penalties sum over whole layers
//! have a loop of their own ([`sum_each`]), which saves that buffer and gives the same bits.

use std::mem::MaybeUninit;

use super::isa::vectorize;
use super::map::{BLOCK, Each, Row, Strided, collapse, for_each_row, gather_all, map};
use crate::element::Element;
use crate::matrix::Accum;

/// Partial sums carried side by side: wide enough for two of the widest vectors, and part of the result's definition.
const LANES: usize = 32;

vectorize! {
    /// lanes[l] += Σᵢ f(x[LANES i + l]), for a whole number of rounds.
    fn add_to_lanes [T: Element, F: Each<T, 1>] (lanes: &mut [T; LANES], x: &[[T; LANES]], f: F) {
        let mut sums = *lanes;
        for round in x {
            for lane in 0..LANES {
                sums[lane] += f.at([round[lane]]);
            }
        }
        *lanes = sums;
    }
}

/// A sum under way: element i went to partial sum i mod [`LANES`].
struct Lanes<T>([T; LANES]);

impl<T: Element> Lanes<T> {
    fn new() -> Self {
        Lanes([T::ZERO; LANES])
    }

    /// Adds f of some elements; all calls but the last bring a whole number of rounds.
    fn add(&mut self, x: &[T], f: impl Each<T, 1>) {
        let (rounds, rest) = x.as_chunks::<LANES>();
        if !rounds.is_empty() {
            add_to_lanes(&mut self.0, rounds, f);
        }
        for (lane, &x) in self.0.iter_mut().zip(rest) {
            *lane += f.at([x]);
        }
    }

    /// The partial sums' sum, by halves.
    fn total(mut self) -> T {
        let mut width = LANES / 2;
        while width > 0 {
            for lane in 0..width {
                let other = self.0[lane + width];
                self.0[lane] += other;
            }
            width /= 2;
        }
        self.0[0]
    }
}

/// Elements that go to one set of partial sums.
const PAIRWISE: usize = 16 * BLOCK;

/// The sum of elements `from..from + len`, of which `part` sums so many that they go to one set of partial sums. Longer
/// sums are halved and added pairwise, so that rounding grows with the logarithm of the length.
fn pairwise<T: Element>(from: usize, len: usize, part: &mut impl FnMut(usize, usize) -> T) -> T {
    if len <= PAIRWISE {
        return part(from, len);
    }
    let half = (len / 2).next_multiple_of(PAIRWISE);
    pairwise(from, half, part) + pairwise(from + half, len - half, part)
}

/// Σ x over a slice.
pub fn sum<T: Element>(x: &[T]) -> T {
    sum_each(x, |[x]: [T; 1]| x)
}

/// Σ f(x) over a slice, with a loop that is compiled for f.
pub fn sum_each<T: Element, F: Each<T, 1>>(x: &[T], f: F) -> T {
    pairwise(0, x.len(), &mut |from, len| {
        let mut lanes = Lanes::new();
        lanes.add(&x[from..from + len], f);
        lanes.total()
    })
}

/// Σᵢ f(xᵢ…) over slices of one length.
pub fn sum_map<T: Element, const N: usize>(x: [&[T]; N], f: Row<T, N>) -> T {
    pairwise(0, x[0].len(), &mut |from, len| {
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

    /// Calls `each` with the place and the values f(xᵢ…) of one block after the other.
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
        pairwise(0, len, &mut |from, len| {
            let start = std::array::from_fn(|i| self.start[i] + from * self.strides[i]);
            let mut lanes = Lanes::new();
            Span { start, ..*self }.for_each_block(len, f, |_, values| lanes.add(values, |[x]: [T; 1]| x));
            lanes.total()
        })
    }
}

/// The beginning of a buffer, as much as `len` elements need, filled with zeros.
pub(super) fn zeroed<T: Element>(buffer: &mut [MaybeUninit<T>; BLOCK], len: usize) -> &mut [T] {
    let part = &mut buffer[..len.min(BLOCK)];
    part.fill(MaybeUninit::new(T::ZERO));
    // SAFETY: every element of it was just written.
    unsafe { &mut *(std::ptr::from_mut(part) as *mut [T]) }
}

/// Operands that a reduction can take.
const MAX_OPERANDS: usize = 4;

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
    // y's strides first, then the operands'; the places left over repeat y's, which changes nothing.
    let mut joined = [y_strides; 1 + MAX_OPERANDS];
    for (slot, x) in joined[1..].iter_mut().zip(&x) {
        *slot = x.strides;
    }
    let axes = collapse(shape, joined);
    let (&(width, inner), outer) = axes.split_last().unwrap_or((&(1, [1; 1 + MAX_OPERANDS]), &[]));
    let (data, strides) = (x.map(|x| x.data), std::array::from_fn(|i| inner[i + 1]));
    for_each_row(outer, |at| {
        let span = Span { data, start: std::array::from_fn(|i| at[i + 1]), strides };
        match inner[0] {
            0 => y[at[0]] += span.sum(width, f),
            1 if strides == [1; N] => {
                let row = std::array::from_fn(|i| &data[i][span.start[i]..span.start[i] + width]);
                f(row, &mut y[at[0]..at[0] + width], Accum::Add);
            }
            step => span.for_each_block(width, f, |from, values| {
                let place = at[0] + from * step;
                for (i, &value) in values.iter().enumerate() {
                    y[place + i * step] += value;
                }
            }),
        }
    });
}

/// `y (=, +=) Σ x` over the rows of a row-major matrix: a sum of each column.
pub fn sum_rows<T: Element>(x: &[T], y: &mut [T], accum: Accum) {
    let (mut accum, width) = (accum, y.len().max(1));
    if x.is_empty() && accum == Accum::Replace {
        y.fill(T::ZERO);
    }
    // Four rows at a time: y is read and written once for them.
    let fours = x.chunks_exact(4 * width);
    let rest = fours.remainder();
    for four in fours {
        let [a, b, c, d] = std::array::from_fn(|i| &four[i * width..(i + 1) * width]);
        map([a, b, c, d], y, accum, |[a, b, c, d]: [T; 4]| (a + b) + (c + d));
        accum = Accum::Add;
    }
    for row in rest.chunks_exact(width) {
        super::copy([row], y, accum);
        accum = Accum::Add;
    }
}
