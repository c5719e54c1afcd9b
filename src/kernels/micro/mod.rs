//! Micro-kernels: the innermost loop of a matrix product, and what else needs registers.
//!
//! A [`Vector`] is a register of one instruction set; the code in this file is written once, over any vector. A
//! [`Microkernel`] is that code compiled for one instruction set and one tile shape. The files beside this one,
//! one an instruction set, are the only ones with intrinsics: they implement `Vector` and say
//! `microkernel!(…)`.
//!
//! The tile stands in the registers as NR columns of MR elements. Each step of the k loop loads a column of `a`
//! (MR elements, a few vectors) and adds its products with NR single elements of a row of `b`, each spread over
//! a register: MR + NR loaded elements for MR · NR multiply-adds, which is why the tile is large and about
//! square in units of loads.

// The loops over the registers of a tile read like their formulas, indices and all.
#![allow(clippy::needless_range_loop)]

mod dots;
mod panel;
pub(super) mod portable;
mod tile;

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
#[cfg(target_arch = "aarch64")]
pub(super) mod neon;

pub(super) use tile::store_one;

use crate::element::Element;

/// The largest [`Vector::LANES`]: 16 `f32` in 512 bits.
pub(super) const MAX_LANES: usize = 16;

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
    /// Transposes the square that the first `LANES` registers hold.
    unsafe fn transpose(square: &mut [Self; MAX_LANES]);
    /// Asks for the cache line of `at`; any address will do.
    unsafe fn prefetch(at: *const Self::Element);
}

/// What happens to a finished tile on its way to memory: `c = relu(c? + ab + bias?)?`.
#[derive(Clone, Copy)]
pub(super) struct Finish<T> {
    /// Add what stands in `c`; if not, `c` is never read.
    pub add: bool,
    /// What to add to each row.
    pub bias: Option<*const T>,
    /// 1, or 0 to add the same number to every row.
    pub bias_step: usize,
    /// Take the maximum with 0.
    pub relu: bool,
}

impl<T> Finish<T> {
    pub const REPLACE: Self = Finish { add: false, bias: None, bias_step: 1, relu: false };

    /// The same for the tile that begins `rows` further down.
    pub fn below(self, rows: usize) -> Self {
        Finish { bias: self.bias.map(|bias| bias.wrapping_add(rows * self.bias_step)), ..self }
    }
}

/// One tile of work: `c (+)= a b`, a product of `rows x k` and `k x cols`.
pub(super) struct Tile<T> {
    pub rows: usize,
    pub k: usize,
    pub cols: usize,
    /// Element (i, p) stands at `a[i + p * a_col]`.
    pub a: *const T,
    pub a_col: usize,
    /// Element (p, j) stands at `b[p * b_row + j * b_col]`.
    pub b: *const T,
    pub b_row: usize,
    pub b_col: usize,
    /// Element (i, j) stands at `c[i + j * c_col]`.
    pub c: *mut T,
    pub c_col: usize,
    pub finish: Finish<T>,
}

/// The dense inner loops of one instruction set.
///
/// # Safety
/// Callable only where the instruction set is available; pointers must be valid for what the sizes and strides
/// describe.
pub(super) trait Microkernel {
    type Element: Element;
    /// Rows of the tile, which the registers hold as vectors.
    const MR: usize;
    /// Columns of the tile.
    const NR: usize;

    /// Computes a tile of at most MR x NR with both operands where the caller has them.
    unsafe fn direct(tile: &Tile<Self::Element>);

    /// The same with packed operands: `a_col` is MR, `b_row` is NR, `b_col` is 1, and every column of `a` has MR
    /// elements in memory, whatever `rows` says.
    unsafe fn packed(tile: &Tile<Self::Element>);

    /// Copies a block in panels: element (w, p) of `width x k`, at `from[w * step_w + p * step_p]`, goes to
    /// `to[w / panel * panel * k + p * panel + w % panel]`. May scribble over unused rows of the last panel, and
    /// over [`MAX_LANES`] elements after it.
    unsafe fn pack(
        panel: usize,
        width_k: [usize; 2],
        from: *const Self::Element,
        steps: [usize; 2],
        to: *mut Self::Element,
    );

    /// `c[i] (+)= Σ a[i * a_row + p] b[p]` over `p < k` for `i < rows`: a matrix of contiguous rows times a
    /// contiguous vector.
    unsafe fn dots(
        rows: usize,
        k: usize,
        a: *const Self::Element,
        a_row: usize,
        b: *const Self::Element,
        c: *mut Self::Element,
        finish: Finish<Self::Element>,
    );
}

/// Makes a unit struct a [`Microkernel`]: the generic code above, compiled with the instruction set's features
/// for tiles of `$vecs` vectors by as many columns as `$cols` lists.
macro_rules! microkernel {
    (
        $(#[$meta:meta])* $name:ident: $vector:ty, $(features $features:literal,)?
        vecs [$($vecs:literal)*], cols [$($cols:literal)*]
    ) => {
        $(#[$meta])*
        pub(in crate::kernels) struct $name;

        const _: () = {
            use super::{Finish, Tile, Vector};
            type E = <$vector as Vector>::Element;
            const LANES: usize = <$vector as Vector>::LANES;

            $(#[target_feature(enable = $features)])?
            unsafe fn tile<const VECS: usize, const COLS: usize, const PACKED: bool>(t: &Tile<E>) {
                // SAFETY: the features are enabled here; the rest is the caller's.
                unsafe { super::tile::tile::<$vector, VECS, COLS, PACKED>(t) }
            }

            #[inline(always)]
            unsafe fn choose<const PACKED: bool>(t: &Tile<E>) {
                $crate::kernels::micro::tile_table!(t, LANES, PACKED, [$($vecs)*] [$($cols)*]);
            }

            impl super::Microkernel for $name {
                type Element = E;
                const MR: usize = LANES * $crate::kernels::micro::last!($($vecs)*);
                const NR: usize = $crate::kernels::micro::last!($($cols)*);

                unsafe fn direct(t: &Tile<E>) {
                    // SAFETY: the caller's.
                    unsafe { choose::<false>(t) }
                }

                unsafe fn packed(t: &Tile<E>) {
                    // SAFETY: the caller's.
                    unsafe { choose::<true>(t) }
                }

                $(#[target_feature(enable = $features)])?
                unsafe fn pack(
                    panel: usize, width_k: [usize; 2], from: *const E, steps: [usize; 2], to: *mut E,
                ) {
                    // SAFETY: the features are enabled here; the rest is the caller's.
                    unsafe { super::panel::pack::<$vector>(panel, width_k, from, steps, to) }
                }

                $(#[target_feature(enable = $features)])?
                unsafe fn dots(
                    rows: usize, k: usize, a: *const E, a_row: usize, b: *const E, c: *mut E, finish: Finish<E>,
                ) {
                    // SAFETY: the features are enabled here; the rest is the caller's.
                    unsafe { super::dots::dots::<$vector>(rows, k, a, a_row, b, c, finish) }
                }
            }
        };
    };
}
pub(super) use microkernel;

/// The last of a list of literals.
macro_rules! last {
    ($last:literal) => { $last };
    ($first:literal $($rest:literal)+) => { $crate::kernels::micro::last!($($rest)+) };
}
pub(super) use last;

/// Calls the copy of `tile` made for a tile's number of vectors and columns.
macro_rules! tile_table {
    ($t:ident, $lanes:ident, $packed:ident, [$($vecs:literal)*] $cols:tt) => {
        match $t.rows.div_ceil($lanes) {
            $($vecs => $crate::kernels::micro::tile_table!(@ $t, $packed, $vecs, $cols),)*
            _ => unreachable!("a tile has 1 to MR rows"),
        }
    };
    (@ $t:ident, $packed:ident, $vecs:literal, [$($cols:literal)*]) => {
        match $t.cols {
            // SAFETY: the caller's.
            $($cols => unsafe { tile::<$vecs, $cols, $packed>($t) },)*
            _ => unreachable!("a tile has 1 to NR columns"),
        }
    };
}
pub(super) use tile_table;
