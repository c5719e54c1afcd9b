//! Sums in a fixed order: the same bits on every machine and for any number of threads.

use super::isa::vectorize;
use super::map::{BLOCK, Each, Strided, collapse, for_each_row, gather, map};
use crate::element::{Accum, Element};

/// Partial sums carried side by side: wide enough for two of the widest vectors, and part of the result's definition.
const LANES: usize = 32;

vectorize! {
    /// Σᵢ f(xᵢ…) over slices of one length.
    fn sum_block [T: Element, F: Each<T, N>, const N: usize] (x: [&[T]; N], len: usize, f: F) -> T {
        let x = x.map(|x| &x[..len]);
        let whole = len - len % LANES;
        let mut total = T::ZERO;
        if whole > 0 {
            let mut lanes = [T::ZERO; LANES];
            for start in (0..whole).step_by(LANES) {
                let x = x.map(|x| &x[start..start + LANES]);
                for lane in 0..LANES {
                    lanes[lane] += f.at(x.map(|x| x[lane]));
                }
            }
            let mut width = LANES / 2;
            while width > 0 {
                for lane in 0..width {
                    let other = lanes[lane + width];
                    lanes[lane] += other;
                }
                width /= 2;
            }
            total = lanes[0];
        }
        for i in whole..len {
            total += f.at(x.map(|x| x[i]));
        }
        total
    }
}

/// Operands that a reduction can take.
const MAX_OPERANDS: usize = 4;

/// Elements summed in one go; blocks are then added up pairwise, so that rounding grows with the logarithm.
const PAIRWISE_BLOCK: usize = 4096;

/// Σᵢ f(xᵢ…) over slices of one length, pairwise above a few thousand elements.
pub fn sum_map<T: Element, const N: usize>(x: [&[T]; N], len: usize, f: impl Each<T, N>) -> T {
    if len <= PAIRWISE_BLOCK {
        return sum_block(x, len, f);
    }
    let half = (len / 2).next_multiple_of(PAIRWISE_BLOCK);
    sum_map(x.map(|x| &x[..half]), half, f) + sum_map(x.map(|x| &x[half..]), len - half, f)
}

/// `y (=, +=) Σ f(x…)`, summed over the axes of `shape` where y's stride is 0.
pub fn sum_strided<T: Element, const N: usize>(
    shape: &[usize],
    x: [Strided<T>; N],
    y: &mut [T],
    y_strides: &[usize],
    accum: Accum,
    f: impl Each<T, N>,
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
    let contiguous = inner[1..=N].iter().all(|&stride| stride == 1);
    let mut buffers = [[T::ZERO; BLOCK]; N];
    for_each_row(outer, |at| {
        let mut reduce = |from: usize, count: usize| {
            let place = at[0] + from * inner[0];
            let mut buffer = buffers.iter_mut();
            let block: [&[T]; N] = std::array::from_fn(|i| {
                let buffer = buffer.next().expect("one buffer an operand");
                let start = at[i + 1] + from * inner[i + 1];
                if contiguous { &x[i].data[start..] } else { gather(x[i].data, start, inner[i + 1], buffer, count) }
            });
            match inner[0] {
                0 => y[place] += sum_map(block, count, f),
                1 => map(block, &mut y[place..place + count], Accum::Add, f),
                stride => {
                    for i in 0..count {
                        y[place + i * stride] += f.at(block.map(|x| x[i]));
                    }
                }
            }
        };
        if contiguous {
            reduce(0, width);
        } else {
            for from in (0..width).step_by(BLOCK) {
                reduce(from, BLOCK.min(width - from));
            }
        }
    });
}
