//! `weights = map · columnsᵀ`

use super::forward::is_pointwise;
use super::frames::gather;
use super::plan::Plan;
use super::{BUFFERS, Operands, parts};
use crate::kernels::matmul::blocked::{Float, macro_kernel};
use crate::kernels::matmul::pack::{packed_len, with_kept, with_scratch};
use crate::kernels::micro::conv::ConvKernel;
use crate::kernels::micro::{Block, Finish, Product};
use crate::kernels::threads::{Shared, parallel, share};

/// As few maps take part in dot products along the pixels; more of them stand side by side in a vector.
const FEW: usize = 3;

/// Sums of the batch that are made each for itself, where channels alone are too few tasks.
const MOST_SUMS: usize = 8;

/// One block of channels of a group after the other, and of these a few sums of several images each, added at the end.
pub(super) unsafe fn weights<K: ConvKernel<Element: Float>>(p: &Operands<K::Element>) {
    let s = p.size;
    let plan = Plan::of_channels::<K>(s);
    let (taps, depth, all_pixels) = (s.taps(), s.depth(), s.pixels());
    let blocks = s.groups * plan.channel_blocks;
    let sums = (MOST_SUMS / blocks).clamp(1, s.batch);
    let tasks = blocks * sums;
    let parts = parts::<K::Element>(s, tasks);
    let few = s.maps <= FEW;
    let [row, col] = if few { [plan.channels * taps, 1] } else { [1, s.maps] };
    let of_task = s.maps * plan.channels * taps;
    with_scratch(tasks * of_task, |partial: *mut K::Element| {
        let partial = Shared(partial);
        parallel(parts, &|part| {
            with_kept(&BUFFERS, |[frame, columns, packed]| {
                for task in share(tasks, part, parts) {
                    let (block, sum) = (task / sums, task % sums);
                    let (group, channels) =
                        (block / plan.channel_blocks, plan.channels(block % plan.channel_blocks));
                    let mut add = false;
                    for n in share(s.batch, sum, sums) {
                        let image = n * s.groups + group;
                        for pixels in (0..plan.blocks).map(|block| plan.pixels(block)) {
                            let count = pixels.len();
                            // SAFETY: channels and pixels stand within their operands, the buffers have room, and each
                            // task has its own sums.
                            unsafe {
                                let x = p.image.get().add((image * s.channels + channels.start) * s.area());
                                let mut columns = (columns.room(plan.columns(s)), plan.pitch);
                                if is_pointwise(s) {
                                    columns = (x.add(pixels.start), all_pixels);
                                } else {
                                    gather::<K>(s, &pixels, (x, channels.len()), columns, frame);
                                }
                                let map = p.map.get().add(image * s.maps * all_pixels + pixels.start);
                                let product = Product {
                                    m: s.maps,
                                    k: count,
                                    n: channels.len() * taps,
                                    a: map.cast_const(),
                                    a_row: all_pixels,
                                    a_col: 1,
                                    b: columns.0.cast_const(),
                                    b_row: 1,
                                    b_col: columns.1,
                                    c: partial.get().add(task * of_task),
                                    c_row: row,
                                    c_col: col,
                                    finish: Finish { add, ..Finish::REPLACE },
                                };
                                if few {
                                    dots::<K>(&product);
                                } else {
                                    let to = packed.room(packed_len(K::MR, s.maps, count));
                                    let (width, from) = (s.maps, map.cast_const());
                                    let map = Block { width, k: count, from, step_w: all_pixels, step_p: 1 };
                                    K::pack_a(&map, to, count);
                                    let a = to.cast_const();
                                    let packed = Product { a, a_row: count, a_col: K::MR, ..product };
                                    macro_kernel::<K>(&packed, true, false);
                                }
                            }
                            add = true;
                        }
                    }
                }
            });
        });
        for block in 0..blocks {
            let (group, channels) = (block / plan.channel_blocks, plan.channels(block % plan.channel_blocks));
            for o in 0..s.maps {
                for k in 0..channels.len() * taps {
                    let at = (group * s.maps + o) * depth + channels.start * taps + k;
                    // SAFETY: the weight is one of the block's, of which every task has written its sum.
                    unsafe {
                        let of_sum =
                            |sum| *partial.get().add((block * sums + sum) * of_task + o * row + k * col);
                        let total = (1..sums).fold(of_sum(0), |total, sum| total + of_sum(sum));
                        let weight = p.weights.get().add(at);
                        *weight = if p.add { *weight + total } else { total };
                    }
                }
            }
        }
    });
}

/// A product with few rows, whose operands both have contiguous rows: dot products of each row of `a` with the columns.
unsafe fn dots<K: ConvKernel>(p: &Product<K::Element>) {
    for i in 0..p.m {
        // SAFETY: the caller vouches for the product.
        unsafe {
            K::dots(&Product {
                m: p.n,
                n: 1,
                a: p.b,
                a_row: p.b_col,
                a_col: 1,
                b: p.a.add(i * p.a_row),
                b_row: 1,
                b_col: 1,
                c: p.c.add(i * p.c_row),
                c_row: 1,
                c_col: 1,
                ..*p
            });
        }
    }
}
