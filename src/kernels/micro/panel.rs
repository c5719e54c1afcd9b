//! Packing, once for every instruction set.

use super::{Block, MAX_LANES, Vector};

/// See [`Microkernel::pack_a`](super::Microkernel::pack_a).
#[inline(always)]
pub(super) unsafe fn pack<V: Vector, const PANEL: usize>(
    block: &Block<V::Element>,
    to: *mut V::Element,
    pitch: usize,
) {
    let Block { width, k, from, step_w, step_p } = *block;
    // SAFETY: the caller guarantees the instruction set, for `from` and for `to` with its margin.
    unsafe {
        if step_w == 1 {
            return pack_columns::<V>([width, k], from, step_p, to, [PANEL, pitch]);
        }
        for w in (0..width).step_by(PANEL) {
            let panel = Block { width: PANEL.min(width - w), from: from.add(w * step_w), ..*block };
            pack_panel::<V>(&panel, to.add(w * pitch), PANEL);
        }
    }
}

/// See [`Microkernel::pack_panel`](super::Microkernel::pack_panel).
#[inline(always)]
pub(super) unsafe fn pack_panel<V: Vector>(block: &Block<V::Element>, to: *mut V::Element, panel: usize) {
    let Block { width, k, from, step_w, step_p } = *block;
    // SAFETY: as in `pack`.
    unsafe {
        if step_w == 1 {
            return pack_columns::<V>([width, k], from, step_p, to, [panel, 0]);
        }
        if step_p == 1 && k >= 4 {
            return pack_transposed::<V>([width, k], from, step_w, to, panel);
        }
        for p in 0..k {
            for w in 0..width {
                *to.add(p * panel + w) = *from.add(w * step_w + p * step_p);
            }
        }
    }
}

/// Packs columns that are contiguous already. A column is read to its end, over all panels, since it is seldom
/// long enough for the processor to guess the next one.
#[inline(always)]
unsafe fn pack_columns<V: Vector>(
    [width, k]: [usize; 2],
    from: *const V::Element,
    step_p: usize,
    to: *mut V::Element,
    [panel, pitch]: [usize; 2],
) {
    // SAFETY: as in `pack`. Where a panel's width is no multiple of LANES, the last vector of a column is read whole, if
    // the block goes on there, and stored whole; what it writes too far belongs to the panel's next column, which is
    // written later. The last column is stored exactly, for after it comes another panel.
    unsafe {
        for p in 0..k {
            let (from, to) = (from.add(p * step_p), to.add(p * panel));
            for w in (0..width).step_by(panel) {
                let (from, to, left) = (from.add(w), to.add(w * pitch), width - w);
                let width = panel.min(left);
                for v in (0..width).step_by(V::LANES) {
                    let (from, to) = (from.add(v), to.add(v));
                    V::prefetch(from.wrapping_add(PREFETCH_COLUMNS * step_p));
                    let lanes = V::LANES.min(width - v);
                    let column =
                        if v + V::LANES <= left { V::load(from) } else { V::load_head(from, V::head(lanes)) };
                    if lanes == V::LANES || p + 1 < k {
                        column.store(to);
                    } else {
                        column.store_head(to, V::head(lanes));
                    }
                }
            }
        }
    }
}

/// How many columns ahead `pack_columns` prefetches.
const PREFETCH_COLUMNS: usize = 4;

/// How many squares ahead `pack_transposed` prefetches.
const PREFETCH_SQUARES: usize = 4;

/// Packs a panel whose rows are contiguous: square by square, transposed in registers.
#[inline(always)]
unsafe fn pack_transposed<V: Vector>(
    [width, k]: [usize; 2],
    from: *const V::Element,
    step_w: usize,
    to: *mut V::Element,
    panel: usize,
) {
    // SAFETY: as in `pack`. A square is stored LANES wide even where fewer rows were left; what it writes too far
    // belongs to a column not yet written, or to the first rows of one, which the squares after it overwrite:
    // squares are visited from the last rows to the first. After the last column it is the next panel, which is
    // packed later, or the margin.
    unsafe {
        for p in (0..k).step_by(V::LANES) {
            let depth = V::LANES.min(k - p);
            let head = V::head(depth);
            let squares = width.div_ceil(V::LANES);
            for w in (0..squares).rev().map(|square| square * V::LANES) {
                let rows = V::LANES.min(width - w);
                let from = from.add(w * step_w + p);
                let to = to.add(p * panel + w);
                let mut square = [V::zero(); MAX_LANES];
                for l in 0..V::LANES {
                    if l < rows {
                        let from = from.add(l * step_w);
                        V::prefetch(from.wrapping_add(PREFETCH_SQUARES * V::LANES));
                        square[l] = if depth == V::LANES { V::load(from) } else { V::load_head(from, head) };
                    }
                }
                V::transpose(&mut square);
                for l in 0..V::LANES {
                    if l < depth {
                        square[l].store(to.add(l * panel));
                    }
                }
            }
        }
    }
}
