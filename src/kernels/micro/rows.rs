//! Rows of a sparse product over registers, once for every instruction set.

use super::Vector;
use super::part::{load, store};
use super::sparse::Rows;

/// `c = finish(a b)`: a row of c stays in registers while its entries pass.
#[inline(always)]
pub(super) unsafe fn rows<V: Vector, const VECS: usize>(p: &Rows<V::Element>) {
    // SAFETY: the caller guarantees the instruction set and for the memory that the panel describes.
    unsafe {
        let last = p.cols - (VECS - 1) * V::LANES;
        let (whole, head) = (last == V::LANES, V::head(last));
        for i in 0..p.count {
            let c = p.c.add(i * p.c_row);
            prefetch::<V>(c.wrapping_add(PREFETCH_ROWS * p.c_row), VECS);
            let mut sums = [V::zero(); VECS];
            if p.finish.add {
                for v in 0..VECS {
                    sums[v] = load(c.add(v * V::LANES), v + 1 < VECS || whole, head);
                }
            }
            for e in *p.starts.add(i) as usize..*p.starts.add(i + 1) as usize {
                if p.far {
                    let ahead = *p.units.add((e + PREFETCH_ENTRIES).min(p.last));
                    prefetch::<V>(p.b.wrapping_add(ahead as usize * p.b_row), VECS);
                }
                let (x, b) = (V::splat(*p.values.add(e)), p.b.add(*p.units.add(e) as usize * p.b_row));
                for v in 0..VECS {
                    sums[v] = V::load(b.add(v * V::LANES)).mul_add(x, sums[v]);
                }
            }
            if let Some(bias) = p.finish.bias {
                for v in 0..VECS {
                    sums[v] = sums[v].add(load(bias.add(v * V::LANES), v + 1 < VECS || whole, head));
                }
            }
            if p.finish.relu {
                for v in 0..VECS {
                    sums[v] = sums[v].relu();
                }
            }
            store_row(&sums, c, whole, head);
        }
    }
}

/// Bytes of a cache line.
const LINE: usize = 64;

/// How many rows ahead `rows` prefetches c.
const PREFETCH_ROWS: usize = 8;

/// How many entries ahead rows of b or g are prefetched: what out-of-order execution sees by itself does not cover the
/// L2 cache's latency.
pub(super) const PREFETCH_ENTRIES: usize = 12;

/// Asks for so many vectors.
#[inline(always)]
pub(super) unsafe fn prefetch<V: Vector>(at: *const V::Element, vecs: usize) {
    for v in (0..vecs).step_by((LINE / size_of::<V>()).max(1)) {
        // SAFETY: the caller guarantees the instruction set; any address will do.
        unsafe { V::prefetch(at.wrapping_add(v * V::LANES)) }
    }
}

/// Stores the sums of a row, the last vector `whole` or as far as `head` goes.
#[inline(always)]
pub(super) unsafe fn store_row<V: Vector>(sums: &[V], to: *mut V::Element, whole: bool, head: V::Head) {
    // SAFETY: the caller guarantees room for the vectors at `to`, for the last one's `head` or, if `whole`, all lanes.
    unsafe {
        for v in 0..sums.len() {
            store(sums[v], to.add(v * V::LANES), v + 1 < sums.len() || whole, head);
        }
    }
}
