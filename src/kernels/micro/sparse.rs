//! The inner loops of sparse products, once for every instruction set.
//!
//! Both walk over the entries of a sparse matrix with a row of a dense panel for each: [`VECS`] registers wide, packed,
//! and zero behind its last column.

use super::{MAX_LANES, Vector};
use crate::element::Element;

/// Registers that hold a panel's row of the result. With them an instruction set that has 16 has some left for the row
/// that is read, the entry's value, and a dot product.
pub(in crate::kernels) const VECS: usize = 8;

/// Columns of the sparse matrix whose results are stored together where they stand side by side: they fill cache lines.
pub(in crate::kernels) const UNITS: usize = MAX_LANES;

/// Where the rows of a panel come from or go to.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Place<T> {
    pub start: *mut T,
    pub row: usize,
    pub col: usize,
}

/// Work on the columns `units` of a sparse matrix a, for one panel of g: `c (=, +=) aᵀ g`, `dots (=, +=) g bᵀ`.
pub(in crate::kernels) struct Columns<T> {
    /// The first and the last but one column.
    pub units: [usize; 2],
    /// For each column, the number of its first entry; one more at the end.
    pub col_starts: *const u32,
    /// The row of each entry.
    pub row_of: *const u32,
    pub values: *const T,
    /// The packed panel, a row for each row of a.
    pub g: *const T,
    /// Columns of the panel.
    pub width: usize,
    /// A row for each column of a, and whether to add.
    pub c: Option<(Place<T>, bool)>,
    /// Rows of b, with contiguous columns, and a place for each entry.
    pub dots: Option<(*const T, usize, *mut T, bool)>,
}

/// Work on the rows of a sparse matrix a, for one panel of its columns and one of b: `c (=, +=) a b`.
pub(in crate::kernels) struct Rows<T> {
    pub rows: [usize; 2],
    /// For each row, the place of its first entry in the two lists below; one more at the end.
    pub row_starts: *const u32,
    pub column_of: *const u32,
    pub entry_of: *const u32,
    pub values: *const T,
    /// The packed rows of b, beginning with that of this column.
    pub b: *const T,
    pub first_column: usize,
    /// Columns of the panel of b.
    pub width: usize,
    pub c: *mut T,
    pub c_row: usize,
    /// Whether to begin with what stands in c.
    pub add: bool,
    /// What to add in the end, and whether to take the maximum with 0.
    pub bias: Option<*const T>,
    pub relu: bool,
}

/// Reads a panel's row: whole vectors, then a head, then zeros.
#[inline(always)]
unsafe fn load_row<V: Vector, const FULL: bool>(from: *const V::Element, width: usize) -> [V; VECS] {
    // SAFETY: the caller vouches for `width` elements and for the instruction set.
    unsafe {
        let mut row = [V::zero(); VECS];
        for v in 0..VECS {
            if FULL || (v + 1) * V::LANES <= width {
                row[v] = V::load(from.add(v * V::LANES));
            } else if v * V::LANES < width {
                row[v] = V::load_head(from.add(v * V::LANES), V::head(width - v * V::LANES));
            }
        }
        row
    }
}

#[inline(always)]
unsafe fn store_row<V: Vector, const FULL: bool>(row: [V; VECS], to: *mut V::Element, width: usize) {
    // SAFETY: as in `load_row`.
    unsafe {
        for v in 0..VECS {
            if FULL || (v + 1) * V::LANES <= width {
                row[v].store(to.add(v * V::LANES));
            } else if v * V::LANES < width {
                row[v].store_head(to.add(v * V::LANES), V::head(width - v * V::LANES));
            }
        }
    }
}

/// See [`Rows`].
#[inline(always)]
pub(super) unsafe fn rows<V: Vector>(work: &Rows<V::Element>) {
    // SAFETY: the caller's.
    unsafe {
        if work.width == VECS * V::LANES { rows_of::<V, true>(work) } else { rows_of::<V, false>(work) }
    }
}

#[inline(always)]
unsafe fn rows_of<V: Vector, const FULL: bool>(work: &Rows<V::Element>) {
    let step = VECS * V::LANES;
    let width = work.width;
    // SAFETY: the caller vouches for the instruction set; for starts, entries and values of these rows; for a packed row
    // of b for each column; and for `width` elements of each row of c and of the bias.
    unsafe {
        for i in work.rows[0]..work.rows[1] {
            let c = work.c.add(i * work.c_row);
            let mut sums = if work.add { load_row::<V, FULL>(c, width) } else { [V::zero(); VECS] };
            for place in *work.row_starts.add(i)..*work.row_starts.add(i + 1) {
                let column = *work.column_of.add(place as usize) as usize - work.first_column;
                let x = V::splat(*work.values.add(*work.entry_of.add(place as usize) as usize));
                let row = work.b.add(column * step);
                for v in 0..VECS {
                    sums[v] = V::load(row.add(v * V::LANES)).mul_add(x, sums[v]);
                }
            }
            if let Some(bias) = work.bias {
                let bias = load_row::<V, FULL>(bias, width);
                for v in 0..VECS {
                    sums[v] = sums[v].add(bias[v]);
                }
            }
            if work.relu {
                sums = sums.map(|sum| sum.relu());
            }
            store_row::<V, FULL>(sums, c, width);
        }
    }
}

/// See [`Columns`].
#[inline(always)]
pub(super) unsafe fn columns<V: Vector>(work: &Columns<V::Element>) {
    // SAFETY: the caller's.
    unsafe {
        match (work.width == VECS * V::LANES, work.c.is_some(), work.dots.is_some()) {
            (true, true, true) => columns_of::<V, true, true, true>(work),
            (true, true, false) => columns_of::<V, true, true, false>(work),
            (true, false, true) => columns_of::<V, true, false, true>(work),
            (false, true, true) => columns_of::<V, false, true, true>(work),
            (false, true, false) => columns_of::<V, false, true, false>(work),
            (false, false, true) => columns_of::<V, false, false, true>(work),
            (_, false, false) => {}
        }
    }
}

#[inline(always)]
unsafe fn columns_of<V: Vector, const FULL: bool, const C: bool, const DOTS: bool>(
    work: &Columns<V::Element>,
) {
    let width = work.width;
    let [from, to] = work.units;
    let side_by_side = work.c.is_some_and(|(c, _)| c.col != 1);
    // SAFETY: the caller vouches for the instruction set; for starts, entries and values of these columns; for a packed
    // row of g for each row of a; and for `width` elements of each row of b and of c, wherever they stand.
    unsafe {
        if C && side_by_side {
            for first in (from..to).step_by(UNITS) {
                let mut sums = [[V::zero(); VECS]; UNITS];
                let count = UNITS.min(to - first);
                for (u, sums) in sums.iter_mut().enumerate().take(count) {
                    *sums = unit::<V, FULL, true, DOTS>(work, first + u, [V::zero(); VECS]);
                }
                store_side_by_side(work, first, count, &sums);
            }
            return;
        }
        for j in from..to {
            let mut sums = [V::zero(); VECS];
            let c = match work.c {
                Some((c, add)) if C => {
                    let at = c.start.add(j * c.row);
                    if add {
                        sums = load_row::<V, FULL>(at, width);
                    }
                    at
                }
                _ => std::ptr::null_mut(),
            };
            let sums = unit::<V, FULL, C, DOTS>(work, j, sums);
            if C {
                store_row::<V, FULL>(sums, c, width);
            }
        }
    }
}

/// The entries of one column: adds their rows of g to `sums`, and stores their dot products with the column's row of b.
///
/// A dot product runs in LANES strands; those of LANES entries are transposed and added up together.
#[inline(always)]
unsafe fn unit<V: Vector, const FULL: bool, const C: bool, const DOTS: bool>(
    work: &Columns<V::Element>,
    j: usize,
    mut sums: [V; VECS],
) -> [V; VECS] {
    let step = VECS * V::LANES;
    // SAFETY: as in `columns_of`.
    unsafe {
        let [mut entry, end] = [j, j + 1].map(|j| *work.col_starts.add(j) as usize);
        let mut b = [V::zero(); VECS];
        let (mut dots, mut add) = (std::ptr::null_mut(), false);
        if let Some((from, row, to, onto)) = work.dots
            && DOTS
        {
            b = load_row::<V, FULL>(from.add(j * row), work.width);
            (dots, add) = (to, onto);
        }
        if !DOTS {
            while entry < end {
                let row = work.g.add(*work.row_of.add(entry) as usize * step);
                let x = V::splat(*work.values.add(entry));
                for v in 0..VECS {
                    sums[v] = V::load(row.add(v * V::LANES)).mul_add(x, sums[v]);
                }
                entry += 1;
            }
            return sums;
        }
        while entry < end {
            let count = V::LANES.min(end - entry);
            let mut strands = [V::zero(); MAX_LANES];
            for (l, strand) in strands.iter_mut().enumerate().take(count) {
                let row = work.g.add(*work.row_of.add(entry + l) as usize * step);
                let x = if C { V::splat(*work.values.add(entry + l)) } else { V::zero() };
                let mut dot = V::zero();
                for v in 0..VECS {
                    let g = V::load(row.add(v * V::LANES));
                    if C {
                        sums[v] = g.mul_add(x, sums[v]);
                    }
                    dot = g.mul_add(b[v], dot);
                }
                *strand = dot;
            }
            V::transpose(&mut strands);
            let mut total = strands[0];
            for l in 1..V::LANES {
                total = total.add(strands[l]);
            }
            let at = dots.add(entry);
            if count == V::LANES {
                if add {
                    total = total.add(V::load(at));
                }
                total.store(at);
            } else {
                let head = V::head(count);
                if add {
                    total = total.add(V::load_head(at, head));
                }
                total.store_head(at, head);
            }
            entry += count;
        }
        sums
    }
}

/// Stores the results of up to [`UNITS`] columns that stand side by side: element v of unit u at `start + v col + u row`.
#[inline(always)]
unsafe fn store_side_by_side<V: Vector>(
    work: &Columns<V::Element>,
    first: usize,
    count: usize,
    sums: &[[V; VECS]; UNITS],
) {
    let Some((c, add)) = work.c else { return };
    // SAFETY: as in `columns_of`. A vector is stored only where that many units and columns are left.
    unsafe {
        for (v, u) in (0..VECS).flat_map(|v| (0..UNITS).step_by(V::LANES).map(move |u| (v, u))) {
            let columns = V::LANES.min(work.width.saturating_sub(v * V::LANES));
            let units = V::LANES.min(count.saturating_sub(u));
            let mut square = [V::zero(); MAX_LANES];
            for l in 0..V::LANES {
                square[l] = sums[u + l][v];
            }
            V::transpose(&mut square);
            for l in 0..columns {
                let to = c.start.add((v * V::LANES + l) * c.col + (first + u) * c.row);
                if units == V::LANES && c.row == 1 {
                    let sum = if add { square[l].add(V::load(to)) } else { square[l] };
                    sum.store(to);
                    continue;
                }
                let mut lanes = [V::Element::ZERO; MAX_LANES];
                square[l].store(lanes.as_mut_ptr());
                for (lane, &sum) in lanes.iter().enumerate().take(units) {
                    let to = to.add(lane * c.row);
                    *to = if add { *to + sum } else { sum };
                }
            }
        }
    }
}
