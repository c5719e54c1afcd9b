//! `image = weightsᵀ · map`, its columns scattered

use super::forward::is_pointwise;
use super::frames::{Whole, stays_inside, taps_of_image};
use super::plan::Plan;
use super::{BUFFERS, Operands, parts};
use crate::element::Element;
use crate::kernels::matmul::blocked::{Float, macro_kernel};
use crate::kernels::matmul::pack::with_kept;
use crate::kernels::micro::conv::ConvKernel;
use crate::kernels::micro::{Finish, Product};
use crate::kernels::threads::{parallel, share};

/// One block of channels of a group of an image after the other: all pixels of the map add to it, block by block.
pub(super) unsafe fn transpose<K: ConvKernel<Element: Float>>(p: &Operands<K::Element>) {
    let s = p.size;
    let plan = Plan::of_channels::<K>(s);
    let (taps, depth, all_pixels) = (s.taps(), s.depth(), s.pixels());
    let tasks = s.batch * s.groups * plan.channel_blocks;
    let parts = parts::<K::Element>(s, tasks);
    let (pointwise, in_place) = (is_pointwise(s), stays_inside(s));
    parallel(parts, &|part| {
        with_kept(&BUFFERS, |[frame, columns, _]| {
            for task in share(tasks, part, parts) {
                let (image, channels) =
                    (task / plan.channel_blocks, plan.channels(task % plan.channel_blocks));
                let group = image % s.groups;
                let bias = p.bias.map(|bias| &bias[group * s.channels..][channels.clone()]);
                // SAFETY: the channels stand within the image, each block in its own, and the columns have room.
                unsafe {
                    let x = p.image.get().add((image * s.channels + channels.start) * s.area());
                    let columns = columns.room::<K::Element>(plan.columns(s));
                    let weights = p.weights.get().add(group * s.maps * depth + channels.start * taps);
                    let whole = if pointwise || in_place {
                        let area = channels.len() * s.area();
                        begin(std::slice::from_raw_parts_mut(x, area), s.area(), bias, p.add, pointwise);
                        None
                    } else {
                        Some(Whole::zeros(s, channels.len(), frame))
                    };
                    for pixels in (0..plan.blocks).map(|block| plan.pixels(block)) {
                        let mut product = Product {
                            m: pixels.len(),
                            k: s.maps,
                            n: channels.len() * taps,
                            a: p.map.get().add(image * s.maps * all_pixels + pixels.start).cast_const(),
                            a_row: 1,
                            a_col: all_pixels,
                            b: weights.cast_const(),
                            b_row: depth,
                            b_col: 1,
                            c: columns,
                            c_row: 1,
                            c_col: plan.pitch,
                            finish: Finish::REPLACE,
                        };
                        if pointwise {
                            (product.c, product.c_col) = (x.add(pixels.start), all_pixels);
                            product.finish.add = p.add || bias.is_some();
                        }
                        macro_kernel::<K>(&product, false, false);
                        let columns = (columns, plan.pitch);
                        match &whole {
                            Some(whole) => K::scatter(&whole.taps(s, &pixels, columns)),
                            None if pointwise => {}
                            None => K::scatter(&taps_of_image(s, &pixels, (x, channels.len()), columns)),
                        }
                    }
                    if let Some(whole) = whole {
                        whole.take(s, x, bias, p.add);
                    }
                }
            }
        });
    });
}

/// What stands in the image before anything is scattered to it.
fn begin<T: Element>(x: &mut [T], area: usize, bias: Option<&[T]>, add: bool, replaced: bool) {
    match bias {
        None if add || replaced => {}
        None => x.fill(T::ZERO),
        Some(bias) => {
            for (x, &bias) in x.chunks_exact_mut(area).zip(bias) {
                if add {
                    x.iter_mut().for_each(|x| *x += bias);
                } else {
                    x.fill(bias);
                }
            }
        }
    }
}
