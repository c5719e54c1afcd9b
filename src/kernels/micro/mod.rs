//! Micro-kernels: the innermost loop of a matrix product, and what else needs registers.
//!
//! A [`Vector`] is a register of one instruction set; the code in this file is written once, over any vector. A
//! [`Microkernel`] is that code compiled for one instruction set and one tile shape. The files beside this one,
//! one an instruction set, are the only ones with intrinsics: they implement `Vector` and say
//! `microkernel!(…)`.
//!
//! The tile is kept in the registers as NR columns of MR elements. Each step of the k loop loads a column of `a`
//! (MR elements, a few vectors) and adds its products with NR single elements of a row of `b`, each spread over
//! a register: MR + NR loaded elements for MR · NR multiply-adds, which is why the tile is large and about
//! square in units of loads.

// The loops over the registers of a tile read like their formulas, indices and all.
#![allow(clippy::needless_range_loop)]

mod columns;
pub(super) mod conv;
mod dots;
pub(super) mod list;
mod operands;
mod panel;
mod part;
pub(super) mod portable;
mod rows;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, unused_macros, unused_imports))]
pub(super) mod screen;
pub(super) mod sparse;
mod thin;
mod tile;

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
#[cfg(target_arch = "aarch64")]
pub(super) mod neon;

pub(super) use operands::{Block, Finish, Product, ThinLayer};
pub(super) use tile::{scattered, store_one};

use crate::element::Element;

/// The largest [`Vector::LANES`]: 16 `f32` in 512 bits.
pub(super) const MAX_LANES: usize = 16;

/// The most steps of k of a product that is computed a column of c at a time, and the most inputs of a relu layer that is
/// pulled back in one pass.
pub const THIN: usize = 4;

/// Columns that share a pointer into b in the micro-kernel. Which columns a copy of it may leave out goes by groups of so many.
pub(super) const GROUP: usize = 4;

/// Asks for the cache line of `at`, if every machine of the target can.
#[inline(always)]
pub(super) fn prefetch<T>(at: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: every x86-64 has the instruction, and any address will do.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = at;
}

/// A register of one instruction set.
///
/// # Safety
/// Every method may be called only where the instruction set is available, and is inlined into functions that
/// enable it. Pointers must be valid for the lanes read or written; they need not be aligned.
pub(super) trait Vector: Copy {
    type Element: Element;
    /// Which of the first lanes take part in a partial load or store.
    type Head: Copy;
    const LANES: usize;
    /// Whether a partial load takes no longer than a whole one.
    const MASKS: bool;

    unsafe fn zero() -> Self;
    unsafe fn splat(x: Self::Element) -> Self;
    unsafe fn load(from: *const Self::Element) -> Self;
    unsafe fn store(self, to: *mut Self::Element);
    /// The first `lanes` of the lanes, `lanes <= LANES`.
    unsafe fn head(lanes: usize) -> Self::Head;
    /// Loads the lanes of `head`, zero elsewhere; memory elsewhere is not touched.
    unsafe fn load_head(from: *const Self::Element, head: Self::Head) -> Self;
    unsafe fn store_head(self, to: *mut Self::Element, head: Self::Head);
    unsafe fn add(self, other: Self) -> Self;
    /// `self * x + sum`, rounded once where the instruction set can.
    unsafe fn mul_add(self, x: Self, sum: Self) -> Self;
    /// `max(self, 0)`; NaN stays NaN.
    unsafe fn relu(self) -> Self;
    /// The lanes where y is above 0; 0 where it is not.
    unsafe fn where_positive(self, y: Self) -> Self;
    /// Transposes the square that the first `LANES` registers hold.
    unsafe fn transpose(square: &mut [Self; MAX_LANES]);
    /// The sum of the lanes of each of the first `LANES` registers, by halves: lane l and lane l + LANES / 2 first.
    #[inline(always)]
    unsafe fn sums(square: &mut [Self; MAX_LANES]) -> Self {
        // SAFETY: the caller's. Transposed, one addition adds for all of them.
        unsafe {
            Self::transpose(square);
            let mut half = Self::LANES / 2;
            while half > 0 {
                for l in 0..half {
                    square[l] = square[l].add(square[l + half]);
                }
                half /= 2;
            }
        }
        square[0]
    }
    /// Bit l says whether lane l is not zero.
    #[inline(always)]
    unsafe fn nonzero(self) -> u32 {
        let mut lanes = [Self::Element::ZERO; MAX_LANES];
        // SAFETY: no vector has more lanes.
        unsafe { self.store(lanes.as_mut_ptr()) }
        (0..Self::LANES).fold(0, |mask, l| mask | u32::from(lanes[l] != Self::Element::ZERO) << l)
    }
    /// Stores the lanes of the mask's bits one after the other, and anything in the rest of LANES.
    #[inline(always)]
    unsafe fn compress(self, mask: u32, mut to: *mut Self::Element) {
        let mut lanes = [Self::Element::ZERO; MAX_LANES];
        // SAFETY: no vector has more lanes, and the caller has room for them.
        unsafe {
            self.store(lanes.as_mut_ptr());
            for l in 0..Self::LANES {
                to.write(lanes[l]);
                to = to.add((mask >> l & 1) as usize);
            }
        }
    }
    /// Asks for the cache line of `at`; any address will do.
    unsafe fn prefetch(at: *const Self::Element);
}

/// The dense inner loops of one instruction set.
///
/// # Safety
/// Callable only where the instruction set is available; pointers must be valid for what sizes and strides describe.
pub(super) trait Microkernel {
    type Element: Element;
    /// Rows of the tile, which the registers hold as vectors.
    const MR: usize;
    /// Columns of the tile.
    const NR: usize;
    /// A tile of as many registers for products with few rows: one vector by many columns.
    const FLAT: [usize; 2];
    /// A tile of as many registers for products with few columns: many vectors by few columns.
    const TALL: [usize; 2];

    /// Computes a tile within MR x NR, FLAT or TALL with both operands where the caller has them. The columns of `a` and
    /// `c` are contiguous: `a_row` and `c_row` count as 1.
    unsafe fn direct(tile: &Product<Self::Element>);

    /// Computes a tile within MR x NR from packed operands: `a_col` is MR, `b_row` is NR, `b_col` is 1, and every column of
    /// `a` has MR elements in memory, whatever `m` says.
    unsafe fn packed(tile: &Product<Self::Element>);

    /// Copies a block of `a` in panels of MR rows: element (w, p) of `width x k`, at `from[w * step_w + p * step_p]`, goes
    /// to `to[w / MR * MR * pitch + p * MR + w % MR]`. May overwrite unused rows of the last panel, and
    /// [`MAX_LANES`] elements after it.
    unsafe fn pack_a(block: &Block<Self::Element>, to: *mut Self::Element, pitch: usize);

    /// Copies a block of `b` in panels of NR columns, as [`pack_a`](Microkernel::pack_a) does with rows.
    unsafe fn pack_b(block: &Block<Self::Element>, to: *mut Self::Element, pitch: usize);

    /// Computes a product with k from 1 to [`THIN`]. Columns of `a` and `c` are contiguous: `a_row`, `c_row` count as 1.
    unsafe fn thin(product: &Product<Self::Element>);

    /// Pulls a relu layer back that has from 1 to [`THIN`] inputs.
    unsafe fn thin_vjp(layer: &ThinLayer<Self::Element>);

    /// Copies a block as one panel of any width: element (w, p) goes to `to[p * panel + w]`. May overwrite what follows
    /// the elements of one p, up to [`MAX_LANES`] of them, but not over those of a later one.
    unsafe fn pack_panel(block: &Block<Self::Element>, to: *mut Self::Element, panel: usize);

    /// Computes a product with n = 1: dot products of the rows of `a` with `b`. Rows of `a`, `b` and `c` are
    /// contiguous: `a_col`, `b_row` and `c_row` count as 1.
    unsafe fn dots(product: &Product<Self::Element>);
}

/// Makes a unit struct a [`Microkernel`]: the generic code, compiled with the instruction set's features for each
/// number of vectors and of columns that a tile may have.
macro_rules! microkernel {
    (
        $(#[$meta:meta])* $name:ident: $vector:ty, $(features $features:literal,)?
        tile $tile:tt, flat $flat:tt, tall $tall:tt,
        direct $direct:tt, packed $packed:tt,
        panels $panels:tt
    ) => {
        $(#[$meta])*
        pub(in crate::kernels) struct $name;

        const _: () = {
            use super::{Block, Product, ThinLayer, Vector};
            type E = <$vector as Vector>::Element;
            const LANES: usize = <$vector as Vector>::LANES;

            $(#[target_feature(enable = $features)])?
            unsafe fn tile<const VECS: usize, const COLS: usize, const PACKED: bool>(t: &Product<E>) {
                // SAFETY: the features are enabled here; the rest is the caller's.
                unsafe { super::tile::tile::<$vector, VECS, COLS, PACKED>(t) }
            }

            const fn shape([vecs, cols]: [usize; 2]) -> [usize; 2] {
                [vecs * LANES, cols]
            }

            impl super::Microkernel for $name {
                type Element = E;
                const MR: usize = shape($tile)[0];
                const NR: usize = shape($tile)[1];
                const FLAT: [usize; 2] = shape($flat);
                const TALL: [usize; 2] = shape($tall);

                #[inline]
                unsafe fn direct(t: &Product<E>) {
                    $crate::kernels::micro::tile_table!(t, LANES, false, [$tile, $flat, $tall], $direct);
                }

                #[inline]
                unsafe fn packed(t: &Product<E>) {
                    $crate::kernels::micro::tile_table!(t, LANES, true, [$tile], $packed);
                }

                $(#[target_feature(enable = $features)])?
                unsafe fn pack_a(block: &Block<E>, to: *mut E, pitch: usize) {
                    // SAFETY: the features are enabled here; the rest is the caller's.
                    unsafe { super::panel::pack::<$vector, { shape($tile)[0] }>(block, to, pitch) }
                }

                $(#[target_feature(enable = $features)])?
                unsafe fn pack_b(block: &Block<E>, to: *mut E, pitch: usize) {
                    // SAFETY: the features are enabled here; the rest is the caller's.
                    unsafe { super::panel::pack::<$vector, { shape($tile)[1] }>(block, to, pitch) }
                }

                $(#[target_feature(enable = $features)])?
                unsafe fn thin(p: &Product<E>) {
                    // SAFETY: the features are enabled here; the rest is the caller's.
                    unsafe {
                        match p.k {
                            1 => super::thin::thin::<$vector, 1>(p),
                            2 => super::thin::thin::<$vector, 2>(p),
                            3 => super::thin::thin::<$vector, 3>(p),
                            4 => super::thin::thin::<$vector, 4>(p),
                            _ => unreachable!("a thin product has few steps"),
                        }
                    }
                }

                $(#[target_feature(enable = $features)])?
                unsafe fn thin_vjp(layer: &ThinLayer<E>) {
                    // SAFETY: the features are enabled here; the rest is the caller's.
                    unsafe {
                        match layer.k {
                            1 | 2 => super::thin::vjp::<$vector, 2, 4>(layer),
                            3 | 4 => super::thin::vjp::<$vector, 4, 2>(layer),
                            _ => unreachable!("a thin layer has few inputs"),
                        }
                    }
                }

                $(#[target_feature(enable = $features)])?
                unsafe fn pack_panel(block: &Block<E>, to: *mut E, panel: usize) {
                    // SAFETY: the features are enabled here; the rest is the caller's.
                    unsafe { super::panel::pack_panel::<$vector>(block, to, panel) }
                }

                $(#[target_feature(enable = $features)])?
                unsafe fn dots(p: &Product<E>) {
                    // SAFETY: the features are enabled here; the rest is the caller's.
                    unsafe { super::dots::dots::<$vector>(p) }
                }
            }

            $crate::kernels::micro::sparse::sparse_kernel!($name: $vector, panels $panels $(, features $features)?);
            $crate::kernels::micro::conv::conv_kernel!($name: $vector $(, features $features)?);
        };
    };
}
pub(super) use microkernel;

/// Calls the copy of `tile` made for a tile's number of vectors and the least number of columns that will do.
macro_rules! tile_table {
    ($t:ident, $lanes:ident, $packed:literal, $shapes:tt, [$($vecs:literal: $cols:tt),*]) => {
        const _: () = assert!($crate::kernels::micro::covers(&$shapes, &[$(($vecs, &$cols)),*]));
        match $t.m.div_ceil($lanes) {
            $($vecs => $crate::kernels::micro::tile_table!(@ $t, $packed, $vecs, $cols),)*
            _ => unreachable!("no tile has that many rows"),
        }
    };
    (@ $t:ident, $packed:literal, $vecs:literal, [$($cols:literal),*]) => {
        match $t.n {
            // SAFETY: the caller's.
            $(..=$cols => unsafe { tile::<$vecs, $cols, $packed>($t) },)*
            _ => unreachable!("no tile has that many columns"),
        }
    };
}
pub(super) use tile_table;

/// Whether every tile within the shapes, of vectors by columns, has a copy in the table, which may leave out columns of its
/// last group only.
const fn covers(shapes: &[[usize; 2]], table: &[(usize, &[usize])]) -> bool {
    let mut s = 0;
    while s < shapes.len() {
        let [most_vecs, most_cols] = shapes[s];
        let mut vecs = 1;
        while vecs <= most_vecs {
            if vecs > table.len() || table[vecs - 1].0 != vecs {
                return false;
            }
            let widths = table[vecs - 1].1;
            let (mut i, mut covered) = (0, 0);
            while i < widths.len() {
                if widths[i] <= covered || (widths[i] - 1) / GROUP * GROUP > covered {
                    return false;
                }
                covered = widths[i];
                i += 1;
            }
            if covered < most_cols {
                return false;
            }
            vecs += 1;
        }
        s += 1;
    }
    true
}
