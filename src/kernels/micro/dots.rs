//! Dot products of many rows with one vector, once for every instruction set.

use super::tile::{finish_column, store_one};
use super::{MAX_LANES, Product, Vector};
use crate::element::Element;

/// See [`Microkernel::dots`].
///
/// A row's sum runs in LANES strands that are then added by halves, whichever group of rows it is taken in.
#[inline(always)]
pub(super) unsafe fn dots<V: Vector>(p: &Product<V::Element>) {
    let Product { m: rows, k, a, a_row, b, c, finish, .. } = *p;
    // SAFETY: the caller guarantees the instruction set and the memory.
    unsafe {
        let mut i = 0;
        while i + V::LANES <= rows {
            // The strands of LANES rows.
            let mut strands = [V::zero(); MAX_LANES];
            strands_of::<V, MAX_LANES>(&mut strands, V::LANES, k, a.add(i * a_row), a_row, b);
            let one = Product { c: c.add(i), finish: finish.below(i), ..*p };
            finish_column(&[V::sums(&mut strands)], &one, 0, true, V::head(V::LANES));
            i += V::LANES;
        }
        while i < rows {
            let group = 4.min(rows - i);
            let mut strands = [V::zero(); 4];
            if group == 4 {
                strands_of::<V, 4>(&mut strands, 4, k, a.add(i * a_row), a_row, b);
            } else {
                strands_of::<V, 4>(&mut strands, group, k, a.add(i * a_row), a_row, b);
            }
            for (l, strand) in strands.iter().take(group).enumerate() {
                let mut lanes = [V::Element::ZERO; MAX_LANES];
                strand.store(lanes.as_mut_ptr());
                let mut half = V::LANES / 2;
                while half > 0 {
                    for l in 0..half {
                        let other = lanes[l + half];
                        lanes[l] += other;
                    }
                    half /= 2;
                }
                store_one(c.add(i + l), lanes[0], finish.below(i + l));
            }
            i += group;
        }
    }
}

/// Adds the products of `rows` rows with `b` into one vector a row.
#[inline(always)]
unsafe fn strands_of<V: Vector, const ROWS: usize>(
    strands: &mut [V; ROWS],
    rows: usize,
    k: usize,
    a: *const V::Element,
    a_row: usize,
    b: *const V::Element,
) {
    // SAFETY: the caller guarantees the instruction set, `rows` rows of k elements, and k elements of `b`.
    unsafe {
        let whole = k / V::LANES * V::LANES;
        for p in (0..whole).step_by(V::LANES) {
            let x = V::load(b.add(p));
            for (l, strand) in strands.iter_mut().take(rows).enumerate() {
                *strand = V::load(a.add(l * a_row + p)).mul_add(x, *strand);
            }
        }
        if whole < k {
            let head = V::head(k - whole);
            let x = V::load_head(b.add(whole), head);
            for (l, strand) in strands.iter_mut().take(rows).enumerate() {
                *strand = V::load_head(a.add(l * a_row + whole), head).mul_add(x, *strand);
            }
        }
    }
}
