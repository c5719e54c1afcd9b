//! The door to the pull-back of a relu layer with few inputs: checks operands once, so that the kernels behind it may
//! trust their pointers.

use super::blocked::on_current_isa;
use crate::element::Element;
use crate::kernels::copy;
use crate::kernels::isa::Isa;
use crate::kernels::micro::{self, Microkernel, THIN, ThinLayer};
use crate::kernels::sum::{STEPS, half};
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

/// `gw (=, +=) xᵀ g`, `gb (=, +=) Σ g`: [`Products::relu_layer_vjp`](crate::matrix::Products::relu_layer_vjp).
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
        cols: n,
        x: x.data.as_ptr(),
        x_row: x.row_stride,
        x_col: x.col_stride,
        y: y.as_ptr(),
        gy: gy.as_ptr(),
        plus,
        gw: gw.as_mut_ptr(),
        gw_row: n,
        gw_add: gw_accum == Accum::Add,
        gb: gb.as_mut_ptr(),
        gb_add: gb_accum == Accum::Add,
    };
    // SAFETY: every operand has been checked, and `gw` and `gb` are borrowed mutably.
    unsafe {
        if m <= STEPS {
            return T::thin_vjp(&layer);
        }
        for from in (0..n).step_by(COLUMNS) {
            let block = ThinLayer {
                cols: COLUMNS.min(n - from),
                y: layer.y.add(from),
                gy: layer.gy.add(from),
                gw: layer.gw.add(from),
                gb: layer.gb.add(from),
                ..layer
            };
            pairwise(&block);
        }
    }
}

/// Columns that are summed together where there are many rows.
const COLUMNS: usize = 128;

/// The sums over the rows of at most [`COLUMNS`] columns, in runs of [`STEPS`] rows that are added pairwise.
///
/// # Safety
/// As [`ThinFloat::thin_vjp`].
unsafe fn pairwise<T: ThinFloat>(layer: &ThinLayer<T>) {
    // SAFETY: the caller's; the second part begins at a row within the layer.
    unsafe {
        if layer.m <= STEPS {
            return T::thin_vjp(layer);
        }
        let first = half(layer.m, STEPS);
        pairwise(&ThinLayer { m: first, ..*layer });
        let (mut gw, mut gb) = ([T::ZERO; THIN * COLUMNS], [T::ZERO; COLUMNS]);
        pairwise(&ThinLayer {
            m: layer.m - first,
            x: layer.x.add(first * layer.x_row),
            y: layer.y.add(first * layer.n),
            gy: layer.gy.add(first * layer.n),
            gw: gw.as_mut_ptr(),
            gw_row: COLUMNS,
            gw_add: false,
            gb: gb.as_mut_ptr(),
            gb_add: false,
            ..*layer
        });
        let add = |from: &[T], to: *mut T| {
            copy([&from[..layer.cols]], std::slice::from_raw_parts_mut(to, layer.cols), Accum::Add);
        };
        add(&gb, layer.gb);
        for (p, gw) in gw.chunks_exact(COLUMNS).take(layer.k).enumerate() {
            add(gw, layer.gw.add(p * layer.gw_row));
        }
    }
}
