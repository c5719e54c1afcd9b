//! The tile product, once for every instruction set.

use super::part::{load, store};
use super::{Finish, GROUP, MAX_LANES, Microkernel, Product, Vector};
use crate::element::Element;

/// Bytes of a cache line.
const LINE: usize = 64;

/// How many steps of k ahead `sum` prefetches a packed panel of a: a hundred cycles, some latencies of L2.
const PREFETCH_STEPS: usize = 16;

/// The tile product. `VECS` vectors make a column, the last one partial unless the operands are `PACKED`. Of the `COLS`
/// columns the tile may have fewer, so long as it ends in the last group of them.
#[inline(always)]
pub(super) unsafe fn tile<V: Vector, const VECS: usize, const COLS: usize, const PACKED: bool>(
    t: &Product<V::Element>,
) {
    debug_assert!((COLS - 1) / GROUP * GROUP < t.n && t.n <= COLS);
    // SAFETY: the caller guarantees the instruction set and for the memory that the tile describes.
    unsafe {
        let lanes = t.m - (VECS - 1) * V::LANES;
        let (whole, head) = (lanes == V::LANES, V::head(lanes));
        if PACKED {
            // C is needed in some thousand cycles.
            for j in 0..COLS {
                for v in 0..VECS {
                    V::prefetch(t.c.wrapping_add(j * t.c_col + v * V::LANES));
                }
            }
        }
        let mut ab = if PACKED {
            sum::<V, VECS, COLS, PACKED, true>(t, head)
        } else if V::MASKS {
            sum::<V, VECS, COLS, PACKED, false>(t, head)
        } else if whole {
            sum::<V, VECS, COLS, PACKED, true>(t, head)
        } else {
            sum::<V, VECS, COLS, PACKED, false>(t, head)
        };
        finish::<V, VECS, COLS>(&mut ab, t, head);
        for j in 0..COLS {
            if j < t.n {
                let c = t.c.add(j * t.c_col);
                for v in 0..VECS {
                    store(ab[j][v], c.add(v * V::LANES), whole || v + 1 < VECS, head);
                }
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
        // One pointer for every group of columns: addresses then need no chain of additions.
        let mut b = [t.b; COLS];
        for j in (0..COLS).step_by(GROUP) {
            b[j] = t.b.wrapping_add(j * b_col);
        }
        // Columns that the tile lacks are summed as the last one is, once more: nothing is read that is not there.
        let last_group = (COLS - 1) / GROUP * GROUP;
        let (mut step, mut last_step) = ([0; GROUP], [0; GROUP]);
        for j in 0..GROUP {
            step[j] = j * b_col;
            last_step[j] = j.min(t.n - 1 - last_group) * b_col;
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
                let step = if j < last_group { step[j % GROUP] } else { last_step[j % GROUP] };
                let x = V::splat(*b[j / GROUP * GROUP].wrapping_add(step));
                for v in 0..VECS {
                    ab[j][v] = column[v].mul_add(x, ab[j][v]);
                }
            }
            a = a.wrapping_add(t.a_col);
            for j in (0..COLS).step_by(GROUP) {
                b[j] = b[j].wrapping_add(t.b_row);
            }
        }
        ab
    }
}

/// Applies the tile's [`Finish`], in registers.
#[inline(always)]
unsafe fn finish<V: Vector, const VECS: usize, const COLS: usize>(
    ab: &mut [[V; VECS]; COLS],
    t: &Product<V::Element>,
    head: V::Head,
) {
    // SAFETY: as in `tile`; `c` has the tile's rows and columns, and so has the bias unless it is one number.
    unsafe {
        if t.finish.add {
            for j in 0..COLS {
                if j < t.n {
                    let c = t.c.add(j * t.c_col);
                    for v in 0..VECS {
                        ab[j][v] = ab[j][v].add(load(c.add(v * V::LANES), v + 1 < VECS, head));
                    }
                }
            }
        }
        if let Some(bias) = t.finish.bias {
            for v in 0..VECS {
                for j in 0..COLS {
                    let bias = if t.finish.bias_step == 0 {
                        V::splat(*bias.add(j.min(t.n - 1) * t.finish.bias_across))
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

/// Stores a column of a tile as its [`Finish`] says.
#[inline(always)]
pub(super) unsafe fn finish_column<V: Vector>(
    sums: &[V],
    t: &Product<V::Element>,
    j: usize,
    whole: bool,
    head: V::Head,
) {
    // SAFETY: as in `finish`.
    unsafe {
        let c = t.c.add(j * t.c_col);
        for v in 0..sums.len() {
            let (at, whole) = (v * V::LANES, whole || v + 1 < sums.len());
            let mut sum = sums[v];
            if t.finish.add {
                sum = sum.add(load(c.add(at), whole, head));
            }
            if let Some(bias) = t.finish.bias {
                sum = sum.add(if t.finish.bias_step == 0 {
                    V::splat(*bias.add(j * t.finish.bias_across))
                } else {
                    load(bias.add(at), whole, head)
                });
            }
            if t.finish.relu {
                sum = sum.relu();
            }
            store(sum, c.add(at), whole, head);
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

/// Runs a tile of a `c` without contiguous columns: through a tile on the stack.
#[cold]
pub(in crate::kernels) unsafe fn scattered<K: Microkernel>(tile: &Product<K::Element>) {
    const MOST: usize = 24 * MAX_LANES;
    const {
        assert!(K::MR * K::NR <= MOST && K::FLAT[0] * K::FLAT[1] <= MOST && K::TALL[0] * K::TALL[1] <= MOST);
    }
    let mut ab = [K::Element::ZERO; MOST];
    let Product { m, n, c, c_row, c_col, finish, .. } = *tile;
    // SAFETY: the tile is the caller's, and the array holds any tile.
    unsafe {
        K::direct(&Product { c: ab.as_mut_ptr(), c_row: 1, c_col: m, finish: Finish::REPLACE, ..*tile });
        for j in 0..n {
            for i in 0..m {
                store_one(c.add(i * c_row + j * c_col), ab[i + j * m], finish.below(i));
            }
        }
    }
}
