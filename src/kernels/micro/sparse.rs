//! The loops of the sparse products over registers, once for every instruction set.
//!
//! A panel of at most [`VECS`] vectors of columns is summed in registers over the entries of a row or of a column.

use super::Finish;
use super::list::{Index, Listing};

/// Vectors of a panel. That many chains of multiply-adds keep two units of four cycles' latency busy, and leave half of
/// AVX2's sixteen registers for what streams through.
pub(in crate::kernels) const VECS: usize = 8;

/// Rows of `c = finish(a b)` in one panel of columns, from one tile of b: a is [count, rows of the tile] and sparse, the tile
/// [rows, cols], c [count, cols].
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Rows<T> {
    pub count: usize,
    /// Columns of the panel.
    pub cols: usize,
    /// Entries `starts[i]..starts[i + 1]`, counted by row, are those of row i.
    pub starts: *const u32,
    /// Of each entry, by row: the value, and the row of b that it multiplies.
    pub values: *const T,
    pub units: *const u16,
    /// The index of the last entry.
    pub last: usize,
    /// Rows of whole vectors.
    pub b: *const T,
    pub b_row: usize,
    /// Whether to prefetch rows of b.
    pub far: bool,
    pub c: *mut T,
    pub c_row: usize,
    pub finish: Finish<T>,
}

/// Columns of `c (=, +=) aᵀ g` in one panel of columns of g, and `values (=, +=) g bᵀ` summed over that panel: a is [rows,
/// units] and sparse, g [rows, cols], c and b [units, cols], and there is one of the values an entry of a.
#[derive(Clone, Copy)]
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
    /// The last entry of all.
    pub last: usize,
    /// Whether to prefetch rows of g.
    pub far: bool,
}

/// A panel, which may be summed in pieces, from left to right.
pub(super) trait Panel {
    /// The first columns, as many as `cols` at most.
    fn first(&self, cols: usize) -> Self;
    /// What is left after them.
    fn after(&self, cols: usize) -> Self;
}

impl<T: Copy> Panel for Rows<T> {
    fn first(&self, cols: usize) -> Self {
        Rows { cols: cols.min(self.cols), ..*self }
    }
    fn after(&self, cols: usize) -> Self {
        let (b, c) = (self.b.wrapping_add(cols), self.c.wrapping_add(cols));
        Rows { cols: self.cols - cols, b, c, finish: self.finish.below(cols), ..*self }
    }
}

impl<T: Copy> Panel for Columns<T> {
    fn first(&self, cols: usize) -> Self {
        Columns { cols: cols.min(self.cols), ..*self }
    }
    fn after(&self, cols: usize) -> Self {
        let (g, c, b) = (self.g.wrapping_add(cols), self.c.wrapping_add(cols), self.b.wrapping_add(cols));
        Columns { cols: self.cols - cols, g, c, b, values_add: true, ..*self }
    }
}

/// The sparse inner loops of one instruction set, for panels of `vecs` vectors.
///
/// # Safety
/// As [`Microkernel`](super::Microkernel).
pub(in crate::kernels) trait SparseKernel: super::Microkernel {
    const LANES: usize;

    unsafe fn list<I: Index>(p: &Listing<Self::Element, I>) -> usize;
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

/// Makes a [`Microkernel`](super::Microkernel) a [`SparseKernel`]: the generic code, compiled with the instruction set's
/// features for each of the numbers of vectors that panels are summed in.
macro_rules! sparse_kernel {
    ($name:ident: $vector:ty, panels $panels:tt $(, features $features:literal)?) => {
        impl $crate::kernels::micro::sparse::SparseKernel for $name {
            const LANES: usize = <$vector as $crate::kernels::micro::Vector>::LANES;

            $(#[target_feature(enable = $features)])?
            unsafe fn list<I: $crate::kernels::micro::list::Index>(
                p: &$crate::kernels::micro::list::Listing<Self::Element, I>,
            ) -> usize {
                // SAFETY: the features are enabled here; the rest is the caller's.
                unsafe { $crate::kernels::micro::list::list::<$vector, I>(p) }
            }
            unsafe fn rows(vecs: usize, p: &$crate::kernels::micro::sparse::Rows<Self::Element>) {
                $(#[target_feature(enable = $features)])?
                unsafe fn run<const VECS: usize>(
                    p: &$crate::kernels::micro::sparse::Rows<<$vector as $crate::kernels::micro::Vector>::Element>,
                ) {
                    // SAFETY: the features are enabled here; the rest is the caller's.
                    unsafe { $crate::kernels::micro::rows::rows::<$vector, VECS>(p) }
                }
                $crate::kernels::micro::sparse::by_pieces!(run(vecs, p), Self::LANES, $panels)
            }
            $crate::kernels::micro::sparse::sparse_kernel!(@ sums, $vector, $panels, true, false $(, $features)?);
            $crate::kernels::micro::sparse::sparse_kernel!(@ dots_at, $vector, $panels, false, true $(, $features)?);
            $crate::kernels::micro::sparse::sparse_kernel!(@ sums_and_dots, $vector, $panels, true, true $(, $features)?);

            $(#[target_feature(enable = $features)])?
            unsafe fn turn(
                size: [usize; 2],
                tile: (*const Self::Element, usize),
                c: (*mut Self::Element, usize),
                add: bool,
            ) {
                // SAFETY: the features are enabled here; the rest is the caller's.
                unsafe { $crate::kernels::micro::columns::turn::<$vector>(size, tile, c, add) }
            }
        }
    };
    (@ $method:ident, $vector:ty, $panels:tt, $sum:literal, $dot:literal $(, $features:literal)?) => {
        unsafe fn $method(vecs: usize, p: &$crate::kernels::micro::sparse::Columns<Self::Element>) {
            $(#[target_feature(enable = $features)])?
            unsafe fn run<const VECS: usize>(
                p: &$crate::kernels::micro::sparse::Columns<<$vector as $crate::kernels::micro::Vector>::Element>,
            ) {
                // SAFETY: the features are enabled here; the rest is the caller's.
                unsafe { $crate::kernels::micro::columns::columns::<$vector, VECS, $sum, $dot>(p) }
            }
            $crate::kernels::micro::sparse::by_pieces!(run(vecs, p), Self::LANES, $panels)
        }
    };
}
pub(super) use sparse_kernel;

/// Calls the copies of a function for a panel's number of vectors: one, if there is one for it, else for piece after piece
/// the widest that fits.
macro_rules! by_pieces {
    ($run:ident($vecs:expr, $p:expr), $lanes:expr, [$($width:literal),*]) => {{
        use $crate::kernels::micro::sparse::Panel;
        let (mut vecs, mut panel) = ($vecs, *$p);
        while vecs > 0 {
            let width = match vecs {
                $($width.. => {
                    // SAFETY: the caller's; a piece lies within the panel.
                    unsafe { $run::<$width>(&panel.first($width * $lanes)) }
                    $width
                })*
                0 => unreachable!("some vectors are left"),
            };
            vecs -= width;
            if vecs > 0 {
                panel = panel.after(width * $lanes);
            }
        }
    }};
}
pub(super) use by_pieces;
