//! Products with a sparse matrix, and products of which only the entries of a support are wanted.
//!
//! They are bound by how fast rows of the dense operand come out of a cache, so the loops are ordered for that: a panel
//! of columns is outermost, and of this panel only what fits the L2 cache is visited at a time, laid out contiguously
//! (rows of a panel far apart would compete for few cache sets, each on a page of its own).
//!
//! | product | in L2 | in registers |
//! | --- | --- | --- |
//! | `c = a b` | a panel of units (columns of a) by a panel of columns of b | a row of c |
//! | `c = aᵀ g` | a panel of columns of g | a row of c: written once |
//! | `values = g bᵀ` | a panel of columns of g | dot products, added to the values panel by panel |
//!
//! Every sum runs over entries, or over columns, in one order, however the work is split.

mod columns;
pub mod convert;
pub mod cost;
mod find;
mod rows;

pub(super) use columns::columns;
pub(super) use find::find;
pub(super) use rows::spmm;

use std::ops::Range;

use self::columns::{ColumnProduct, column_product};
use self::find::{Lists, list_panel};
use self::rows::{RowProduct, row_product};
use super::isa::Isa;
use super::micro::sparse::{SparseKernel, VECS};
use super::micro::{self, Block};
use super::threads::threads;
use crate::kernels::matmul::blocked::{Float, on_current_isa};
use crate::matrix::Mat;
use crate::matrix::size::product;

/// An operand of at most this many bytes is read where it is: packing costs more than it saves.
const SMALL: usize = 128 << 10;

/// A float with sparse kernels.
pub(super) trait SparseFloat: Float {
    /// # Safety
    /// What the product names is there, and nothing else reads or writes its `c`.
    unsafe fn run_rows(product: &RowProduct<Self>);
    /// # Safety
    /// As `run_rows`.
    unsafe fn run_columns(product: &ColumnProduct<Self>);
    /// # Safety
    /// The lists have this range, and nothing else reads or writes it.
    unsafe fn list_panel(lists: &Lists<Self>, panel: usize, range: Range<usize>) -> usize;
}

macro_rules! sparse_float {
    ($t:ty, $kernel:ident) => {
        impl SparseFloat for $t {
            unsafe fn run_rows(product: &RowProduct<Self>) {
                // SAFETY: the product is the caller's, and `current` names only what this machine has.
                unsafe { on_current_isa!($kernel, row_product(product)) }
            }
            unsafe fn run_columns(product: &ColumnProduct<Self>) {
                // SAFETY: as above.
                unsafe { on_current_isa!($kernel, column_product(product)) }
            }
            unsafe fn list_panel(lists: &Lists<Self>, panel: usize, range: Range<usize>) -> usize {
                // SAFETY: as above.
                unsafe { on_current_isa!($kernel, list_panel(lists, panel, range)) }
            }
        }
    };
}
sparse_float!(f32, F32);
sparse_float!(f64, F64);

/// A dense operand that is only read.
#[derive(Clone, Copy)]
struct Dense<T> {
    at: *const T,
    row: usize,
    col: usize,
}

impl<T> Dense<T> {
    /// An operand that was checked. (The stride of a single row or column may be anything, and is cut down to what can be
    /// multiplied by a number of registers.)
    fn of(mat: &Mat<T>) -> Self {
        let most = mat.data.len();
        Dense { at: mat.data.as_ptr(), row: mat.row_stride.min(most), col: mat.col_stride.min(most) }
    }

    /// Whether panels of its rows may be read where they are.
    fn is_small<K: SparseKernel>(&self, rows: usize, n: usize) -> bool {
        self.col == 1 && n.is_multiple_of(K::LANES) && product(&[rows, self.row, size_of::<T>()]) <= SMALL
    }

    /// Packs columns `from..from + cols` of `rows` rows from row `above` on, as rows of whole vectors with zeros after the
    /// last column.
    unsafe fn pack<K: SparseKernel<Element = T>>(
        &self,
        (above, rows): (usize, usize),
        (from, cols): (usize, usize),
        to: *mut T,
    ) {
        let width = cols.next_multiple_of(K::LANES);
        // Of no rows, columns may begin anywhere.
        let at = self.at.wrapping_add(above * self.row + from * self.col);
        // SAFETY: the caller guarantees the rows, the columns and room for them.
        unsafe {
            let block = Block { width: cols, k: rows, from: at, step_w: self.col, step_p: self.row };
            K::pack_panel(&block, to, width);
            if cols < width {
                for i in 0..rows {
                    to.add(i * width + cols).write_bytes(0, width - cols);
                }
            }
        }
    }
}

/// The panels that n columns are cut into: as few as possible, as equal as possible. Of 20 vectors, for example, with 8 at the
/// most: 7, 7 and 6.
#[derive(Clone, Copy)]
struct Panels {
    n: usize,
    /// Columns of a panel, but perhaps the last.
    width: usize,
    count: usize,
}

impl Panels {
    fn of<K: SparseKernel>(n: usize) -> Self {
        let vectors = n.div_ceil(K::LANES);
        let width = vectors.div_ceil(vectors.div_ceil(VECS)) * K::LANES;
        Panels { n, width, count: n.div_ceil(width) }
    }

    /// The first column of a panel, and how many there are.
    fn get(self, panel: usize) -> (usize, usize) {
        let from = panel * self.width;
        (from, self.width.min(self.n - from))
    }
}

/// Over how many threads to spread so many multiply-adds.
fn parts<T: Float>(work: usize) -> usize {
    if work < 2 * T::PART { 1 } else { threads().min(work / T::PART) }
}
