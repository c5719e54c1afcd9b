//! The tile product, once for every instruction set.

use super::part::load;
use super::{Finish, Product, Vector};
use crate::element::Element;

/// Bytes of a cache line.
const LINE: usize = 64;

/// How many steps of k ahead `sum` prefetches a packed panel of a: a hundred cycles, some latencies of L2.
const PREFETCH_STEPS: usize = 16;

/// The tile product. `VECS` vectors make a column, the last one partial unless the operands are `PACKED`.
#[inline(always)]
pub(super) unsafe fn tile<V: Vector, const VECS: usize, const COLS: usize, const PACKED: bool>(
    t: &Product<V::Element>,
) {
    // SAFETY: the caller guarantees the instruction set and for the memory that the tile describes.
    unsafe {
        let lanes = t.m - (VECS - 1) * V::LANES;
        let head = V::head(lanes);
        if PACKED {
            // C is needed in some thousand cycles.
            for j in 0..COLS {
                for v in 0..VECS {
                    V::prefetch(t.c.wrapping_add(j * t.c_col + v * V::LANES));
                }
            }
        }
        let mut ab = if PACKED || lanes == V::LANES {
            sum::<V, VECS, COLS, PACKED, true>(t, head)
        } else {
            sum::<V, VECS, COLS, PACKED, false>(t, head)
        };
        finish::<V, VECS, COLS>(&mut ab, t, head);
        if lanes == V::LANES {
            for j in 0..COLS {
                for v in 0..VECS {
                    ab[j][v].store(t.c.add(j * t.c_col + v * V::LANES));
                }
            }
        } else {
            for j in 0..COLS {
                for v in 0..VECS - 1 {
                    ab[j][v].store(t.c.add(j * t.c_col + v * V::LANES));
                }
                ab[j][VECS - 1].store_head(t.c.add(j * t.c_col + (VECS - 1) * V::LANES), head);
            }
        }
    }
}

/// The products summed over k. `WHOLE` says that every vector of a column of `a` may be loaded whole.
#[inline(always)]
unsafe fn sum<V: Vector, const VECS: usize, const COLS: usize, const PACKED: bool, const WHOLE: bool>(
    t: &Product<V::Element>,
    head: V::Head,
) -> [[V; VECS]; COLS] {
    // SAFETY: as in `tile`. `a` and `b` step past their ends after the last round only, without being read there,
    // hence `wrapping_add`.
    unsafe {
        let mut ab = [[V::zero(); VECS]; COLS];
        let mut a = t.a;
        let b_col = if PACKED { 1 } else { t.b_col };
        // One pointer for every four columns: addresses then need no chain of additions.
        let mut b = [t.b; COLS];
        for j in 0..COLS {
            b[j] = t.b.wrapping_add(j / 4 * 4 * b_col);
        }
        for _ in 0..t.k {
            if PACKED {
                // A panel of a comes from L2, once a tile: too fast for the processor to fetch all of it in time.
                for v in (0..VECS).step_by((LINE / size_of::<V>()).max(1)) {
                    V::prefetch(a.wrapping_add(PREFETCH_STEPS * t.a_col + v * V::LANES));
                }
            }
            let mut column = [V::zero(); VECS];
            for v in 0..VECS {
                let from = a.wrapping_add(v * V::LANES);
                column[v] = load(from, WHOLE || v + 1 < VECS, head);
            }
            for j in 0..COLS {
                let x = V::splat(*b[j].wrapping_add(j % 4 * b_col));
                for v in 0..VECS {
                    ab[j][v] = column[v].mul_add(x, ab[j][v]);
                }
            }
            a = a.wrapping_add(t.a_col);
            for j in 0..COLS {
                b[j] = b[j].wrapping_add(t.b_row);
            }
        }
        ab
    }
}

/// Applies the tile's [`Finish`], in registers.
#[inline(always)]
pub(super) unsafe fn finish<V: Vector, const VECS: usize, const COLS: usize>(
    ab: &mut [[V; VECS]; COLS],
    t: &Product<V::Element>,
    head: V::Head,
) {
    // SAFETY: as in `tile`; `c` has the tile's rows and columns, and so has the bias unless it is one number.
    unsafe {
        if t.finish.add {
            for j in 0..COLS {
                for v in 0..VECS {
                    ab[j][v] = ab[j][v].add(load(t.c.add(j * t.c_col + v * V::LANES), v + 1 < VECS, head));
                }
            }
        }
        if let Some(bias) = t.finish.bias {
            for v in 0..VECS {
                for j in 0..COLS {
                    let bias = if t.finish.bias_step == 0 {
                        V::splat(*bias.add(j * t.finish.bias_across))
                    } else {
                        load(bias.add(v * V::LANES), v + 1 < VECS, head)
                    };
                    ab[j][v] = ab[j][v].add(bias);
                }
            }
        }
        if t.finish.relu {
            for j in 0..COLS {
                for v in 0..VECS {
                    ab[j][v] = ab[j][v].relu();
                }
            }
        }
    }
}

/// One element's way to memory, in the same order as a tile's.
#[inline(always)]
pub(in crate::kernels) unsafe fn store_one<T: Element>(c: *mut T, mut sum: T, finish: Finish<T>) {
    // SAFETY: the caller guarantees `c` and the bias.
    unsafe {
        if finish.add {
            sum += *c;
        }
        if let Some(bias) = finish.bias {
            sum += *bias;
        }
        if finish.relu {
            sum = sum.maximum(T::ZERO);
        }
        *c = sum;
    }
}
