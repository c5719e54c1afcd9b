//! `map = finish(weights · columns)`

use super::frames::gather;
use super::plan::Plan;
use super::{BUFFERS, Operands, parts};
use crate::kernels::matmul::blocked::{Float, macro_kernel};
use crate::kernels::matmul::pack::with_kept;
use crate::kernels::micro::conv::ConvKernel;
use crate::kernels::micro::{Finish, Product};
use crate::kernels::threads::{parallel, share};
use crate::matrix::conv::ConvSize;

/// Whether the columns are the image as it stands: a kernel of one pixel that visits each.
pub(super) fn is_pointwise(s: &ConvSize) -> bool {
    s.taps() == 1 && s.stride == [1, 1] && s.before == [0, 0] && s.image == s.map
}

/// One block of pixels of a group of an image after the other.
pub(super) unsafe fn forward<K: ConvKernel<Element: Float>>(p: &Operands<K::Element>) {
    let s = p.size;
    let plan = Plan::of_pixels::<K>(s);
    let (depth, all_pixels) = (s.depth(), s.pixels());
    let tasks = s.batch * s.groups * plan.blocks;
    let parts = parts::<K::Element>(s, tasks);
    parallel(parts, &|part| {
        with_kept(&BUFFERS, |[frame, columns, _]| {
            for task in share(tasks, part, parts) {
                let (image, pixels) = (task / plan.blocks, plan.pixels(task % plan.blocks));
                let group = image % s.groups;
                // SAFETY: the pixels stand within the map, each block in its own, and the columns have room.
                unsafe {
                    let x = p.image.get().add(image * s.channels * s.area());
                    let (mut columns, mut pitch) = (columns.room(plan.columns(s)), plan.pitch);
                    if is_pointwise(s) {
                        (columns, pitch) = (x.add(pixels.start), all_pixels);
                    } else {
                        gather::<K>(s, &pixels, (x, s.channels), (columns, pitch), frame);
                    }
                    let bias = p.bias.map(|bias| bias[group * s.maps..].as_ptr());
                    let product = Product {
                        m: pixels.len(),
                        k: depth,
                        n: s.maps,
                        a: columns.cast_const(),
                        a_row: 1,
                        a_col: pitch,
                        b: p.weights.get().add(group * s.maps * depth),
                        b_row: 1,
                        b_col: depth,
                        c: p.map.get().add(image * s.maps * all_pixels + pixels.start),
                        c_row: 1,
                        c_col: all_pixels,
                        finish: Finish { add: p.add, bias, bias_step: 0, bias_across: 1, relu: p.relu },
                    };
                    macro_kernel::<K>(&product, false, false);
                }
            }
        });
    });
}
