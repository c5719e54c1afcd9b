//! Convolutions as matrix products with columns that are made block by block, straight from the image.
//!
//! With the kernel's pixels at each pixel of the map as the columns of a matrix, of depth channels · kernel height · kernel
//! width, a convolution is three products:
//!
//! | | product | the columns are |
//! | --- | --- | --- |
//! | map | weights · columns | [gathered](micro::conv::ConvKernel::gather) from the image |
//! | image's cotangent | weightsᵀ · map's cotangent | the result, [scattered](micro::conv::ConvKernel::scatter) to the image |
//! | weights' cotangent | map's cotangent · columnsᵀ | gathered |
//!
//! The whole matrix has as many elements as the image for each weight of a channel. It is never made: a block of some hundred
//! pixels stands in a buffer that fits the second cache, and is used at once.
//!
//! Which block, image and channel a sum runs over, and in which order, follows from the sizes alone; threads share out
//! what is to be computed.

mod channels;
mod forward;
mod frames;
mod plan;
mod transpose;
mod weights;

use super::isa::Isa;
use super::matmul::blocked::{Float, on_current_isa};
use super::matmul::pack::{Kept, kept};
use super::micro;
use super::threads::{Shared, threads};
use crate::matrix::conv::{ConvFinish, ConvSize, add_bias};
use crate::matrix::{Accum, size};

pub(crate) use channels::{pull_relu, sum_channels};

thread_local! {
    /// A frame, columns, and a packed map.
    static BUFFERS: Kept<3> = const { kept() };
}

/// A convolution's operands, shaped as [`ConvSize`] says: which of them is written depends on the product.
pub(in crate::kernels) struct Operands<'a, T> {
    size: &'a ConvSize,
    image: Shared<T>,
    weights: Shared<T>,
    map: Shared<T>,
    /// What is added to each channel of the result.
    bias: Option<&'a [T]>,
    relu: bool,
    /// Whether the result is added to what stands there.
    add: bool,
}

/// A float with convolutions.
pub(in crate::kernels) trait ConvFloat: Float {
    /// # Safety
    /// The operands are valid for their size, and nothing else reads or writes the one that is written.
    unsafe fn forward(operands: &Operands<Self>);
    /// # Safety
    /// As `forward`.
    unsafe fn transpose(operands: &Operands<Self>);
    /// # Safety
    /// As `forward`.
    unsafe fn weights(operands: &Operands<Self>);
}

macro_rules! conv_float {
    ($t:ty, $kernel:ident) => {
        impl ConvFloat for $t {
            unsafe fn forward(operands: &Operands<Self>) {
                // SAFETY: the operands are the caller's, and `current` names only what this machine has.
                unsafe { on_current_isa!($kernel, forward::forward(operands)) }
            }
            unsafe fn transpose(operands: &Operands<Self>) {
                // SAFETY: as above.
                unsafe { on_current_isa!($kernel, transpose::transpose(operands)) }
            }
            unsafe fn weights(operands: &Operands<Self>) {
                // SAFETY: as above.
                unsafe { on_current_isa!($kernel, weights::weights(operands)) }
            }
        }
    };
}
conv_float!(f32, F32);
conv_float!(f64, F64);

/// An operand that is only read.
fn read<T>(x: &[T]) -> Shared<T> {
    Shared(x.as_ptr().cast_mut())
}

/// `y = finish(w * x)`: [`Products::conv`](crate::matrix::Products::conv), with the operands checked.
pub(in crate::kernels) fn forward<T: ConvFloat>(
    size: &ConvSize,
    x: &[T],
    w: &[T],
    finish: ConvFinish<T>,
    y: &mut [T],
) {
    size.check(x.len(), w.len(), y.len());
    let ConvFinish { bias, relu, accum } = finish;
    check_bias(bias, size.groups, size.maps);
    if y.is_empty() {
        return;
    }
    let (image, weights, map) = (read(x), read(w), Shared(y.as_mut_ptr()));
    // SAFETY: the operands have the elements that the sizes say, and y is borrowed mutably.
    unsafe { T::forward(&Operands { size, image, weights, map, bias, relu, add: accum == Accum::Add }) }
}

/// `x (=, +=) wᵀ * y + bias`: [`Products::conv_transpose`](crate::matrix::Products::conv_transpose), with the operands checked.
pub(in crate::kernels) fn transpose<T: ConvFloat>(
    size: &ConvSize,
    w: &[T],
    y: &[T],
    bias: Option<&[T]>,
    (x, accum): (&mut [T], Accum),
) {
    size.check(x.len(), w.len(), y.len());
    check_bias(bias, size.groups, size.channels);
    if x.is_empty() {
        return;
    }
    if y.is_empty() || w.is_empty() {
        if accum == Accum::Replace {
            x.fill(T::ZERO);
        }
        return add_bias(bias, size.area(), x);
    }
    let (image, weights, map) = (Shared(x.as_mut_ptr()), read(w), read(y));
    let add = accum == Accum::Add;
    // SAFETY: the operands have the elements that the sizes say, and x is borrowed mutably.
    unsafe { T::transpose(&Operands { size, image, weights, map, bias, relu: false, add }) }
}

/// `gw (=, +=) gy * x`: [`Products::conv_weights`](crate::matrix::Products::conv_weights), with the operands checked.
pub(in crate::kernels) fn weights<T: ConvFloat>(
    size: &ConvSize,
    x: &[T],
    gy: &[T],
    (gw, accum): (&mut [T], Accum),
) {
    size.check(x.len(), gw.len(), gy.len());
    if gw.is_empty() {
        return;
    }
    if gy.is_empty() || x.is_empty() {
        if accum == Accum::Replace {
            gw.fill(T::ZERO);
        }
        return;
    }
    let (image, weights, map) = (read(x), Shared(gw.as_mut_ptr()), read(gy));
    let add = accum == Accum::Add;
    // SAFETY: the operands have the elements that the sizes say, and gw is borrowed mutably.
    unsafe { T::weights(&Operands { size, image, weights, map, bias: None, relu: false, add }) }
}

fn check_bias<T>(bias: Option<&[T]>, groups: usize, channels: usize) {
    let wanted = size::product(&[groups, channels]);
    assert!(bias.is_none_or(|bias| bias.len() == wanted), "a convolution's bias has {wanted} elements");
}

/// What an element that is gathered, scattered or written costs, in multiply-adds of a product.
const MOVED: usize = 16;

/// Over how many threads to spread so many tasks.
fn parts<T: Float>(s: &ConvSize, tasks: usize) -> usize {
    let columns_and_map = size::product(&[s.batch, s.groups, s.pixels(), s.depth() + s.maps]);
    let work = s.work().saturating_add(columns_and_map.saturating_mul(MOVED));
    if work < 2 * T::PART { 1 } else { threads().min(work / T::PART).min(tasks).max(1) }
}
