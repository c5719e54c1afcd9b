//! Products with few steps of k, once for every instruction set: they do little with each element of c, so they are
//! bound by the stores, and c is written a column at a time, in a straight line.

use super::tile;
use super::{Product, Vector};

/// See [`Microkernel::thin`](super::Microkernel::thin), with `K` for `k`.
#[inline(always)]
pub(super) unsafe fn thin<V: Vector, const K: usize>(p: &Product<V::Element>) {
    let whole = p.m / V::LANES * V::LANES;
    // SAFETY: the caller vouches for the instruction set and for the memory that the product describes.
    unsafe {
        let (all, head) = (V::head(V::LANES), V::head(p.m - whole));
        for j in 0..p.n {
            let b: [V; K] = std::array::from_fn(|s| V::splat(*p.b.add(s * p.b_row + j * p.b_col)));
            let c = p.c.add(j * p.c_col);
            for i in (0..whole).step_by(V::LANES) {
                let a = |s: usize| V::load(p.a.add(i + s * p.a_col));
                let part = Product { c: c.add(i), finish: p.finish.below(i), ..*p };
                combine(a, &b, &part, all).store(part.c);
            }
            if whole < p.m {
                let a = |s: usize| V::load_head(p.a.add(whole + s * p.a_col), head);
                let part = Product { c: c.add(whole), finish: p.finish.below(whole), ..*p };
                combine(a, &b, &part, head).store_head(part.c, head);
            }
        }
    }
}

/// One vector of c: the sum of the columns of a, each times its element of b.
#[inline(always)]
unsafe fn combine<V: Vector, const K: usize>(
    a: impl Fn(usize) -> V,
    b: &[V; K],
    part: &Product<V::Element>,
    head: V::Head,
) -> V {
    // SAFETY: as in `thin`.
    unsafe {
        let mut sum = V::zero();
        for s in 0..K {
            sum = a(s).mul_add(b[s], sum);
        }
        let mut ab = [[sum]];
        tile::finish::<V, 1, 1>(&mut ab, part, head);
        ab[0][0]
    }
}
