//! Columns of a sparse product over registers, once for every instruction set.

use super::part::{load, store};
use super::rows::{PREFETCH_ENTRIES, prefetch, store_row};
use super::sparse::Columns;
use super::{MAX_LANES, Vector};

/// `c (=, +=) aᵀ g` if `SUM`, `values (=, +=) g bᵀ` at the entries if `DOT`: a row of c stays in registers while its
/// column of a passes, and a row of g, once loaded, serves both.
#[inline(always)]
pub(super) unsafe fn columns<V: Vector, const VECS: usize, const SUM: bool, const DOT: bool>(
    p: &Columns<V::Element>,
) {
    // SAFETY: the caller guarantees the instruction set and for the memory that the panel describes.
    unsafe {
        let last = p.cols - (VECS - 1) * V::LANES;
        let (whole, head) = (last == V::LANES, V::head(last));
        let mut end = *p.starts as usize;
        // Dot products wait until there are enough to be reduced together, whatever their units.
        let (mut dots, mut filled) = ([V::zero(); DOTS], 0);
        for unit in 0..p.units {
            let mut e = end;
            end = *p.starts.add(unit + 1) as usize;
            if DOT {
                prefetch::<V>(p.b.wrapping_add((unit + PREFETCH_UNITS).wrapping_mul(p.b_row)), VECS);
            }
            if SUM {
                prefetch::<V>(p.c.wrapping_add((unit + PREFETCH_UNITS).wrapping_mul(p.c_row)), VECS);
            }
            let mut sums = [V::zero(); VECS];
            if DOT {
                let mut row = [V::zero(); VECS];
                let mut b = p.b.add(unit * p.b_row);
                if !whole {
                    // Zeros after the last column, as in g.
                    for v in 0..VECS {
                        row[v] = load(b.add(v * V::LANES), v + 1 < VECS, head);
                    }
                    b = row.as_ptr().cast();
                }
                while e < end {
                    let count = (DOTS - filled).min(end - e);
                    dots_of::<V, VECS, SUM>(p, e, count, b, &mut sums, dots.as_mut_ptr().add(filled));
                    (e, filled) = (e + count, filled + count);
                    if filled == DOTS {
                        put(p, e - DOTS, DOTS, &dots);
                        filled = 0;
                    }
                }
            } else {
                while e < end {
                    if p.far {
                        prefetch::<V>(row_ahead(p, e), VECS);
                    }
                    let x = V::splat(*p.a.add(e));
                    let g = row(p, e);
                    for v in 0..VECS {
                        sums[v] = V::load(g.add(v * V::LANES)).mul_add(x, sums[v]);
                    }
                    e += 1;
                }
            }
            if SUM {
                let c = p.c.add(unit * p.c_row);
                if p.c_add {
                    for v in 0..VECS {
                        sums[v] = load::<V>(c.add(v * V::LANES), whole || v + 1 < VECS, head).add(sums[v]);
                    }
                }
                store_row(&sums, c, whole, head);
            }
        }
        if DOT {
            put(p, end - filled, filled, &dots);
        }
    }
}

/// Dot products in LANES strands at a time: so many that the loop over them stays a loop, with b in memory and the sums in
/// registers.
const DOTS: usize = 4 * MAX_LANES;

/// The dot products, in strands, of `count` rows of g with b: those of the entries from e on. Two rows at a time share each
/// load of b.
#[inline(always)]
unsafe fn dots_of<V: Vector, const VECS: usize, const SUM: bool>(
    p: &Columns<V::Element>,
    e: usize,
    count: usize,
    b: *const V::Element,
    sums: &mut [V; VECS],
    dots: *mut V,
) {
    // SAFETY: as in `columns`.
    unsafe {
        let mut l = 0;
        while l + 2 <= count {
            if p.far {
                prefetch::<V>(row_ahead(p, e + l), VECS);
                prefetch::<V>(row_ahead(p, e + l + 1), VECS);
            }
            let g = [row(p, e + l), row(p, e + l + 1)];
            let x = [value::<V, SUM>(p, e + l), value::<V, SUM>(p, e + l + 1)];
            let mut dot = [V::zero(); 2];
            for v in 0..VECS {
                let b = V::load(b.add(v * V::LANES));
                for i in 0..2 {
                    let g = V::load(g[i].add(v * V::LANES));
                    dot[i] = g.mul_add(b, dot[i]);
                    if SUM {
                        sums[v] = g.mul_add(x[i], sums[v]);
                    }
                }
            }
            dots.add(l).write(dot[0]);
            dots.add(l + 1).write(dot[1]);
            l += 2;
        }
        if l < count {
            let (g, x) = (row(p, e + l), value::<V, SUM>(p, e + l));
            let mut dot = V::zero();
            for v in 0..VECS {
                let g = V::load(g.add(v * V::LANES));
                dot = g.mul_add(V::load(b.add(v * V::LANES)), dot);
                if SUM {
                    sums[v] = g.mul_add(x, sums[v]);
                }
            }
            dots.add(l).write(dot);
        }
    }
}

/// `values (=, +=)` the sums of the strands, for `count` values from e on.
#[inline(always)]
unsafe fn put<V: Vector>(p: &Columns<V::Element>, e: usize, count: usize, strands: &[V; DOTS]) {
    // SAFETY: as in `columns`.
    unsafe {
        for l in (0..count).step_by(V::LANES) {
            let mut square = [V::zero(); MAX_LANES];
            square[..V::LANES].copy_from_slice(&strands[l..l + V::LANES]);
            let (dots, to) = (V::sums(&mut square), p.values.add(e + l));
            let (whole, head) = (count - l >= V::LANES, V::head(V::LANES.min(count - l)));
            let dots = if p.values_add { load::<V>(to, whole, head).add(dots) } else { dots };
            store(dots, to, whole, head);
        }
    }
}

/// See [`SparseKernel::turn`](super::sparse::SparseKernel::turn).
#[inline(always)]
pub(super) unsafe fn turn<V: Vector>(
    [units, cols]: [usize; 2],
    (tile, tile_row): (*const V::Element, usize),
    (c, c_col): (*mut V::Element, usize),
    add: bool,
) {
    // SAFETY: the caller guarantees the instruction set, for whole vectors of the tile and for `c`.
    unsafe {
        for col in (0..cols).step_by(V::LANES) {
            for unit in (0..units).step_by(V::LANES) {
                let (width, height) = (V::LANES.min(cols - col), V::LANES.min(units - unit));
                let mut square = [V::zero(); MAX_LANES];
                for l in 0..V::LANES {
                    if l < height {
                        square[l] = V::load(tile.add((unit + l) * tile_row + col));
                    }
                }
                V::transpose(&mut square);
                let (whole, head) = (height == V::LANES, V::head(height));
                for l in 0..V::LANES {
                    if l < width {
                        let to = c.add((col + l) * c_col + unit);
                        let x = if add { load::<V>(to, whole, head).add(square[l]) } else { square[l] };
                        store(x, to, whole, head);
                    }
                }
            }
        }
    }
}

/// How many units ahead `columns` prefetches b and c.
const PREFETCH_UNITS: usize = 8;

/// The row of g of an entry.
#[inline(always)]
unsafe fn row<T>(p: &Columns<T>, e: usize) -> *const T {
    // SAFETY: the caller guarantees the entry.
    unsafe { p.g.add(*p.row_of.add(e) as usize * p.g_row) }
}

/// The row of g of a later entry.
#[inline(always)]
unsafe fn row_ahead<T>(p: &Columns<T>, e: usize) -> *const T {
    // SAFETY: the caller guarantees the entries up to the last.
    unsafe { row(p, (e + PREFETCH_ENTRIES).min(p.last)) }
}

/// The value of an entry, if it is needed.
#[inline(always)]
unsafe fn value<V: Vector, const NEEDED: bool>(p: &Columns<V::Element>, e: usize) -> V {
    // SAFETY: as in `row`.
    unsafe { if NEEDED { V::splat(*p.a.add(e)) } else { V::zero() } }
}
