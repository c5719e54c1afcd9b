//! The loops of the sparse products over registers, once for every instruction set.
//!
//! A panel of at most [`VECS`] vectors of columns is summed in registers over the entries of a row or of a column.

use super::{Finish, MAX_LANES, Vector};
use crate::element::Element;

/// Vectors of a panel. That many chains of multiply-adds keep two units of four cycles' latency busy, and leave half of
/// AVX2's sixteen registers for what streams through.
pub(in crate::kernels) const VECS: usize = 8;

/// An entry of a row: its value, and the row of b that it multiplies.
#[derive(Clone, Copy)]
#[repr(C)]
pub(in crate::kernels) struct Pair<T> {
    pub value: T,
    pub unit: u32,
}

/// Rows of `c = finish(a b)` in one panel of columns, from one tile of b.
pub(in crate::kernels) struct Rows<T> {
    pub rows: usize,
    /// Columns of the panel.
    pub cols: usize,
    /// `pairs[starts[i]..starts[i + 1]]` are the entries of row i.
    pub starts: *const u32,
    pub pairs: *const Pair<T>,
    /// Rows of whole vectors.
    pub b: *const T,
    pub b_row: usize,
    pub c: *mut T,
    pub c_row: usize,
    pub finish: Finish<T>,
}

/// Columns of `c (=, +=) aᵀ g` in one panel of columns of g, and `values (=, +=) g bᵀ` summed over that panel.
pub(in crate::kernels) struct Columns<T> {
    pub units: usize,
    /// Columns of the panel.
    pub cols: usize,
    /// Entries `starts[j]..starts[j + 1]` are those of unit j, in the rows `row_of`.
    pub starts: *const u32,
    pub row_of: *const u32,
    /// The values of a.
    pub a: *const T,
    /// Rows of whole vectors, with zeros after the last column.
    pub g: *const T,
    pub g_row: usize,
    pub c: *mut T,
    pub c_row: usize,
    pub c_add: bool,
    pub b: *const T,
    pub b_row: usize,
    pub values: *mut T,
    pub values_add: bool,
    /// Values from this number on are not to be touched.
    pub values_end: usize,
}

/// The sparse inner loops of one instruction set, for panels of `vecs` vectors.
///
/// # Safety
/// As [`Microkernel`](super::Microkernel).
pub(in crate::kernels) trait SparseKernel: super::Microkernel {
    const LANES: usize;

    unsafe fn rows(vecs: usize, p: &Rows<Self::Element>);
    /// c alone.
    unsafe fn sums(vecs: usize, p: &Columns<Self::Element>);
    /// The values alone.
    unsafe fn dots_at(vecs: usize, p: &Columns<Self::Element>);
    /// Both.
    unsafe fn sums_and_dots(vecs: usize, p: &Columns<Self::Element>);
    /// `c (=, +=) tileᵀ`: rows of a tile, `size[0]` of them, a multiple of LANES apart, become columns of c, whose own
    /// columns are contiguous.
    unsafe fn turn(
        size: [usize; 2],
        tile: (*const Self::Element, usize),
        c: (*mut Self::Element, usize),
        add: bool,
    );
}

/// `c = finish(a b)`: a row of c stays in registers while its entries pass.
#[inline(always)]
pub(super) unsafe fn rows<V: Vector, const VECS: usize>(p: &Rows<V::Element>) {
    // SAFETY: the caller vouches for the instruction set and for the memory that the panel describes.
    unsafe {
        let last = p.cols - (VECS - 1) * V::LANES;
        let (whole, head) = (last == V::LANES, V::head(last));
        let load = |from: *const V::Element, v: usize| {
            let from = from.add(v * V::LANES);
            if v + 1 < VECS || whole { V::load(from) } else { V::load_head(from, head) }
        };
        for i in 0..p.rows {
            let c = p.c.add(i * p.c_row);
            for v in (0..VECS).step_by(LINE / size_of::<V>()) {
                V::prefetch(c.wrapping_add(PREFETCH_ROWS * p.c_row + v * V::LANES));
            }
            let mut sums = [V::zero(); VECS];
            if p.finish.add {
                for v in 0..VECS {
                    sums[v] = load(c, v);
                }
            }
            for e in *p.starts.add(i)..*p.starts.add(i + 1) {
                let Pair { value, unit } = *p.pairs.add(e as usize);
                let (x, b) = (V::splat(value), p.b.add(unit as usize * p.b_row));
                for v in 0..VECS {
                    sums[v] = V::load(b.add(v * V::LANES)).mul_add(x, sums[v]);
                }
            }
            if let Some(bias) = p.finish.bias {
                for v in 0..VECS {
                    sums[v] = sums[v].add(load(bias, v));
                }
            }
            if p.finish.relu {
                for v in 0..VECS {
                    sums[v] = sums[v].relu();
                }
            }
            store::<V, VECS>(&sums, c, whole, head);
        }
    }
}

/// Bytes of a cache line.
const LINE: usize = 64;

/// How many rows ahead `rows` asks for c.
const PREFETCH_ROWS: usize = 2;

/// How many units ahead `columns` asks for b and c.
const PREFETCH_UNITS: usize = 4;

#[inline(always)]
unsafe fn store<V: Vector, const VECS: usize>(
    sums: &[V; VECS],
    to: *mut V::Element,
    whole: bool,
    head: V::Head,
) {
    // SAFETY: the caller vouches for VECS vectors at `to`, of the last one for `head` or, if `whole`, all lanes.
    unsafe {
        for v in 0..VECS - 1 {
            sums[v].store(to.add(v * V::LANES));
        }
        let (last, to) = (sums[VECS - 1], to.add((VECS - 1) * V::LANES));
        if whole { last.store(to) } else { last.store_head(to, head) }
    }
}

/// `c (=, +=) aᵀ g` if `SUM`, `values (=, +=) g bᵀ` at the entries if `DOT`: a row of c stays in registers while its
/// column of a passes, and a row of g, once loaded, serves both.
#[inline(always)]
pub(super) unsafe fn columns<V: Vector, const VECS: usize, const SUM: bool, const DOT: bool>(
    p: &Columns<V::Element>,
) {
    // SAFETY: the caller vouches for the instruction set and for the memory that the panel describes.
    unsafe {
        let last = p.cols - (VECS - 1) * V::LANES;
        let (whole, head) = (last == V::LANES, V::head(last));
        let mut end = *p.starts as usize;
        let mut dots = [V::zero(); DOTS];
        for unit in 0..p.units {
            let mut e = end;
            end = *p.starts.add(unit + 1) as usize;
            for v in (0..VECS).step_by(LINE / size_of::<V>()) {
                let ahead = |row| (unit + PREFETCH_UNITS) * row + v * V::LANES;
                if DOT {
                    V::prefetch(p.b.wrapping_add(ahead(p.b_row)));
                }
                if SUM {
                    V::prefetch(p.c.wrapping_add(ahead(p.c_row)));
                }
            }
            let mut sums = [V::zero(); VECS];
            if DOT {
                let mut row = [V::zero(); VECS];
                let mut b = p.b.add(unit * p.b_row);
                if !whole {
                    // Zeros after the last column, as in g.
                    for v in 0..VECS - 1 {
                        row[v] = V::load(b.add(v * V::LANES));
                    }
                    row[VECS - 1] = V::load_head(b.add((VECS - 1) * V::LANES), head);
                    b = row.as_ptr().cast();
                }
                while e < end {
                    let count = DOTS.min(end - e);
                    dots_of::<V, VECS, SUM>(p, e, count, b, &mut sums, &mut dots);
                    for l in (0..count).step_by(V::LANES) {
                        put(p, e + l, V::LANES.min(count - l), &dots[l..]);
                    }
                    e += count;
                }
            } else {
                while e < end {
                    let x = V::splat(*p.a.add(e));
                    let g = p.g.add(*p.row_of.add(e) as usize * p.g_row);
                    for v in 0..VECS {
                        sums[v] = V::load(g.add(v * V::LANES)).mul_add(x, sums[v]);
                    }
                    e += 1;
                }
            }
            if SUM {
                let c = p.c.add(unit * p.c_row);
                if p.c_add {
                    for v in 0..VECS - 1 {
                        sums[v] = V::load(c.add(v * V::LANES)).add(sums[v]);
                    }
                    let from = c.add((VECS - 1) * V::LANES);
                    let old = if whole { V::load(from) } else { V::load_head(from, head) };
                    sums[VECS - 1] = old.add(sums[VECS - 1]);
                }
                store::<V, VECS>(&sums, c, whole, head);
            }
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
    dots: &mut [V; DOTS],
) {
    // SAFETY: as in `columns`.
    unsafe {
        let row = |e: usize| p.g.add(*p.row_of.add(e) as usize * p.g_row);
        let splat = |e: usize| if SUM { V::splat(*p.a.add(e)) } else { V::zero() };
        let mut l = 0;
        while l + 2 <= count {
            let (g, x) = ([row(e + l), row(e + l + 1)], [splat(e + l), splat(e + l + 1)]);
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
            for i in 0..2 {
                *dots.get_unchecked_mut(l + i) = dot[i];
            }
            l += 2;
        }
        if l < count {
            let (g, x) = (row(e + l), splat(e + l));
            let mut dot = V::zero();
            for v in 0..VECS {
                let g = V::load(g.add(v * V::LANES));
                dot = g.mul_add(V::load(b.add(v * V::LANES)), dot);
                if SUM {
                    sums[v] = g.mul_add(x, sums[v]);
                }
            }
            *dots.get_unchecked_mut(l) = dot;
        }
    }
}

/// `values (=, +=)` the sums of the strands, for `count` values from e on. Where there is room a whole vector is stored:
/// what is replaced after them is replaced again when its own column comes, and what is added to it is −0, which changes
/// nothing.
#[inline(always)]
unsafe fn put<V: Vector>(p: &Columns<V::Element>, e: usize, count: usize, strands: &[V]) {
    // SAFETY: as in `columns`; no lane beyond `values_end` is touched.
    unsafe {
        let mut square = [V::splat(-V::Element::ZERO); MAX_LANES];
        for l in 0..V::LANES {
            if l < count {
                square[l] = *strands.get_unchecked(l);
            }
        }
        let (dots, to) = (V::sums(&mut square), p.values.add(e));
        if e + V::LANES <= p.values_end {
            if p.values_add { V::load(to).add(dots).store(to) } else { dots.store(to) }
        } else {
            let head = V::head(count);
            let dots = if p.values_add { V::load_head(to, head).add(dots) } else { dots };
            dots.store_head(to, head);
        }
    }
}

/// See [`SparseKernel::turn`].
#[inline(always)]
pub(super) unsafe fn turn<V: Vector>(
    [units, cols]: [usize; 2],
    (tile, tile_row): (*const V::Element, usize),
    (c, c_col): (*mut V::Element, usize),
    add: bool,
) {
    // SAFETY: the caller vouches for the instruction set, for whole vectors of the tile and for `c`.
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
                let head = V::head(height);
                for l in 0..V::LANES {
                    if l < width {
                        let to = c.add((col + l) * c_col + unit);
                        let mut x = square[l];
                        if height == V::LANES {
                            if add {
                                x = V::load(to).add(x);
                            }
                            x.store(to);
                        } else {
                            if add {
                                x = V::load_head(to, head).add(x);
                            }
                            x.store_head(to, head);
                        }
                    }
                }
            }
        }
    }
}

/// Makes a [`Microkernel`](super::Microkernel) a [`SparseKernel`]: the generic code, compiled with the instruction set's
/// features for each number of vectors.
macro_rules! sparse_kernel {
    ($name:ident: $vector:ty $(, features $features:literal)?) => {
        impl $crate::kernels::micro::sparse::SparseKernel for $name {
            const LANES: usize = <$vector as $crate::kernels::micro::Vector>::LANES;

            unsafe fn rows(vecs: usize, p: &$crate::kernels::micro::sparse::Rows<Self::Element>) {
                $(#[target_feature(enable = $features)])?
                unsafe fn run<const VECS: usize>(
                    p: &$crate::kernels::micro::sparse::Rows<<$vector as $crate::kernels::micro::Vector>::Element>,
                ) {
                    // SAFETY: the features are enabled here; the rest is the caller's.
                    unsafe { $crate::kernels::micro::sparse::rows::<$vector, VECS>(p) }
                }
                $crate::kernels::micro::sparse::of_width!(run(vecs, p))
            }
            $crate::kernels::micro::sparse::sparse_kernel!(@ sums, $vector, true, false $(, $features)?);
            $crate::kernels::micro::sparse::sparse_kernel!(@ dots_at, $vector, false, true $(, $features)?);
            $crate::kernels::micro::sparse::sparse_kernel!(@ sums_and_dots, $vector, true, true $(, $features)?);

            $(#[target_feature(enable = $features)])?
            unsafe fn turn(
                size: [usize; 2],
                tile: (*const Self::Element, usize),
                c: (*mut Self::Element, usize),
                add: bool,
            ) {
                // SAFETY: the features are enabled here; the rest is the caller's.
                unsafe { $crate::kernels::micro::sparse::turn::<$vector>(size, tile, c, add) }
            }
        }
    };
    (@ $method:ident, $vector:ty, $sum:literal, $dot:literal $(, $features:literal)?) => {
        unsafe fn $method(vecs: usize, p: &$crate::kernels::micro::sparse::Columns<Self::Element>) {
            $(#[target_feature(enable = $features)])?
            unsafe fn run<const VECS: usize>(
                p: &$crate::kernels::micro::sparse::Columns<<$vector as $crate::kernels::micro::Vector>::Element>,
            ) {
                // SAFETY: the features are enabled here; the rest is the caller's.
                unsafe { $crate::kernels::micro::sparse::columns::<$vector, VECS, $sum, $dot>(p) }
            }
            $crate::kernels::micro::sparse::of_width!(run(vecs, p))
        }
    };
}
pub(super) use sparse_kernel;

/// Calls the copy of a function made for a number of vectors.
macro_rules! of_width {
    ($run:ident($vecs:expr, $p:expr)) => {
        // SAFETY: the caller's.
        unsafe {
            match $vecs {
                1 => $run::<1>($p),
                2 => $run::<2>($p),
                3 => $run::<3>($p),
                4 => $run::<4>($p),
                5 => $run::<5>($p),
                6 => $run::<6>($p),
                7 => $run::<7>($p),
                8 => $run::<8>($p),
                _ => unreachable!("no panel has that many vectors"),
            }
        }
    };
}
pub(super) use of_width;
