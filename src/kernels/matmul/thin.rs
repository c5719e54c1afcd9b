//! The door to the pull-back of a relu layer with few inputs: checks operands once, so that the kernels behind it may
//! trust their pointers.

use super::blocked::on_current_isa;
use crate::element::Element;
use crate::kernels::isa::Isa;
use crate::kernels::micro::{self, Microkernel, THIN, ThinLayer};
use crate::matrix::reference::{self, check_relu_layer};
use crate::matrix::{Accum, ReluLayer};

/// A float with micro-kernels for it.
pub(in crate::kernels) trait ThinFloat: Element {
    /// # Safety
    /// The layer's pointers are valid for its sizes, and nothing else reads or writes `gw` and `gb`.
    unsafe fn thin_vjp(layer: &ThinLayer<Self>);
}

macro_rules! thin_float {
    ($t:ty, $kernel:ident) => {
        impl ThinFloat for $t {
            unsafe fn thin_vjp(layer: &ThinLayer<Self>) {
                // SAFETY: the layer is the caller's, and `current` names only what this machine has.
                unsafe { on_current_isa!($kernel, vjp(layer)) }
            }
        }
    };
}
thin_float!(f32, F32);
thin_float!(f64, F64);

unsafe fn vjp<K: Microkernel>(layer: &ThinLayer<K::Element>) {
    // SAFETY: the caller's.
    unsafe { K::thin_vjp(layer) }
}

/// See [`Products::relu_layer_vjp`](crate::matrix::Products::relu_layer_vjp).
pub(in crate::kernels) fn relu_layer_vjp<T: ThinFloat>(
    layer: ReluLayer<T>,
    (gw, gw_accum): (&mut [T], Accum),
    (gb, gb_accum): (&mut [T], Accum),
) {
    let ReluLayer { size: [m, k, n], x, y, gy, plus } = layer;
    if !(1..=THIN).contains(&k) {
        return reference::relu_layer_vjp(layer, (gw, gw_accum), (gb, gb_accum));
    }
    check_relu_layer(&layer, gw, gb);
    let layer = ThinLayer {
        m,
        k,
        n,
        x: x.data.as_ptr(),
        x_row: x.row_stride,
        x_col: x.col_stride,
        y: y.as_ptr(),
        gy: gy.as_ptr(),
        plus,
        gw: gw.as_mut_ptr(),
        gw_add: gw_accum == Accum::Add,
        gb: gb.as_mut_ptr(),
        gb_add: gb_accum == Accum::Add,
    };
    // SAFETY: every operand has been checked, and `gw` and `gb` are borrowed mutably.
    unsafe { T::thin_vjp(&layer) }
}
