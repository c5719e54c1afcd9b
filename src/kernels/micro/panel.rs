//! Packing of one panel, once for every instruction set.

use super::{MAX_LANES, Vector};

/// See [`Microkernel::pack`].
#[inline(always)]
pub(super) unsafe fn pack<V: Vector>(
    panel: usize,
    width: usize,
    k: usize,
    from: *const V::Element,
    step_w: usize,
    step_p: usize,
    to: *mut V::Element,
) {
    // SAFETY: the caller vouches for the instruction set, for `from` and for `to` with its margin.
    unsafe {
        if step_w == 1 {
            pack_columns::<V>(panel, width, k, from, step_p, to);
        } else if step_p == 1 && k >= 4 {
            pack_transposed::<V>(panel, width, k, from, step_w, to);
        } else {
            for p in 0..k {
                for w in 0..width {
                    *to.add(p * panel + w) = *from.add(w * step_w + p * step_p);
                }
            }
        }
    }
}

/// Packs columns that are contiguous already.
#[inline(always)]
unsafe fn pack_columns<V: Vector>(
    panel: usize,
    width: usize,
    k: usize,
    from: *const V::Element,
    step_p: usize,
    to: *mut V::Element,
) {
    // SAFETY: as in `pack`. A store of the partial vector's zeros may reach over the end of a column of the
    // panel, into the next one, which is written later, or, after the last, into the margin.
    unsafe {
        let whole = width / V::LANES * V::LANES;
        let head = V::head(width - whole);
        for p in 0..k {
            let (from, to) = (from.add(p * step_p), to.add(p * panel));
            for w in (0..whole).step_by(V::LANES) {
                V::load(from.add(w)).store(to.add(w));
            }
            if whole < width {
                V::load_head(from.add(whole), head).store(to.add(whole));
            }
        }
    }
}

/// Packs rows that are contiguous: square by square, transposed in registers.
#[inline(always)]
unsafe fn pack_transposed<V: Vector>(
    panel: usize,
    width: usize,
    k: usize,
    from: *const V::Element,
    step_w: usize,
    to: *mut V::Element,
) {
    // SAFETY: as in `pack`. A square is stored LANES wide even where fewer rows were left; what it writes too far
    // belongs to a column not yet written, or to the first rows of one, which the squares after it overwrite:
    // squares are visited from the last rows to the first. After the last column it is the margin.
    unsafe {
        for p in (0..k).step_by(V::LANES) {
            let depth = V::LANES.min(k - p);
            let head = V::head(depth);
            let squares = width.div_ceil(V::LANES);
            for w in (0..squares).rev().map(|square| square * V::LANES) {
                let rows = V::LANES.min(width - w);
                let from = from.add(w * step_w + p);
                let mut square = [V::zero(); MAX_LANES];
                if depth == V::LANES && rows == V::LANES {
                    for l in 0..V::LANES {
                        square[l] = V::load(from.add(l * step_w));
                    }
                } else {
                    for l in 0..V::LANES {
                        if l < rows {
                            square[l] = V::load_head(from.add(l * step_w), head);
                        }
                    }
                }
                V::transpose(&mut square);
                let to = to.add(p * panel + w);
                if depth == V::LANES {
                    for l in 0..V::LANES {
                        square[l].store(to.add(l * panel));
                    }
                } else {
                    for l in 0..V::LANES {
                        if l < depth {
                            square[l].store(to.add(l * panel));
                        }
                    }
                }
            }
        }
    }
}
