//! The door to the pull-back of a relu layer with few inputs: checks operands once, so that the kernels behind it may
//! trust their pointers.

use super::copy;
use super::gemm::on_current_isa;
use super::isa::Isa;
use super::micro::{self, Microkernel, THIN, ThinLayer};
use super::product::check_operand;
use super::sum::{STEPS, half};
use crate::element::{Accum, Element, ReluLayer, reference};

/// A float with micro-kernels for it.
pub(super) trait ThinFloat: Element {
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

/// See [`Element::relu_layer_vjp`].
pub(super) fn relu_layer_vjp<T: ThinFloat>(
    layer: ReluLayer<T>,
    (gw, gw_accum): (&mut [T], Accum),
    (gb, gb_accum): (&mut [T], Accum),
) {
    let ReluLayer { size: [m, k, n], x, y, gy, uniform } = layer;
    if !(1..=THIN).contains(&k) {
        return reference::relu_layer_vjp(layer, (gw, gw_accum), (gb, gb_accum));
    }
    check_operand("relu_layer_vjp: x", x.data.len(), [m, k], [x.row_stride, x.col_stride]);
    check_operand("relu_layer_vjp: y", y.len(), [m, n], [n, 1]);
    check_operand("relu_layer_vjp: gy", gy.len(), [m, n], [n, 1]);
    assert!(gw.len() == k * n && gb.len() == n, "relu_layer_vjp: the weights are {k} x {n}");
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
        uniform,
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
