//! Where the elements of a matrix are not zero.
//!
//! A [`Support`] says which elements of a matrix are not zero. It is found once, where the values were made, and every
//! product that reads them, or their cotangent, then visits those elements alone.

use super::size::check_exact;

/// The elements of a matrix that are not zero, its *entries*.
///
/// Columns are grouped in panels of [`width`](Support::width), so that what a kernel needs of a panel's columns fits a
/// cache. Entries are numbered column by column, and by row within a column; the values of entries stand in this order.
/// They are listed a second time panel by panel and, within a panel, row by row. For example, in one panel of 3 columns:
///
/// ```text
/// 0 5 0    numbers      . 1 .    by row       . 0 .
/// 7 0 8                 0 . 3                 1 . 2
/// 0 6 0                 . 2 .                 . 3 .
///
/// values     7 5 6 8       by_row     5 7 8 6
/// row_of     1 0 2 1       column_of  1 0 2 1
/// col_starts 0 1 3 4       row_starts 0 1 3 4
/// ```
///
/// To find the number of an entry on the way through the rows, count for each column how many of its entries have
/// passed: the first entry of column j has the number `col_starts[j]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Support {
    /// Rows of the matrix.
    pub(crate) rows: usize,
    /// Columns of the matrix.
    pub(crate) cols: usize,
    /// Columns of a panel; the last may have fewer.
    pub(crate) width: usize,
    /// The entries of column j are `col_starts[j]..col_starts[j + 1]`.
    pub(crate) col_starts: Vec<u32>,
    /// The row of each entry.
    pub(crate) row_of: Vec<u32>,
    /// In the order by row, `row_starts[p * rows + i]..row_starts[p * rows + i + 1]` are the entries of row i in panel p.
    pub(crate) row_starts: Vec<u32>,
    /// The column of each entry, in the order by row, counted from the panel's first.
    pub(crate) column_of: Vec<u16>,
}

impl Support {
    /// The rows of a matrix of `len` elements and `cols` columns, all of which a support can number.
    pub(crate) fn rows_of(len: usize, cols: usize) -> usize {
        let rows = len / cols.max(1);
        check_exact("find: x", len, [rows, cols]);
        let most = u32::MAX as usize;
        assert!(len <= most && cols < most, "find: a support of {rows} x {cols} elements is too large");
        rows
    }

    /// Rows of the matrix.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of the matrix.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Columns of a panel.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many elements the matrix has.
    pub(crate) fn elements(&self) -> usize {
        self.rows * self.cols
    }

    /// How many elements are not zero.
    pub fn entries(&self) -> usize {
        self.row_of.len()
    }

    /// The part of the elements that is not zero; NaN if there are none.
    pub fn density(&self) -> f64 {
        self.entries() as f64 / self.elements() as f64
    }

    /// Row and column of each entry, in the order of their numbers.
    pub fn positions(&self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.cols).flat_map(|j| self.row_of[self.column(j)].iter().map(move |&i| (i as usize, j)))
    }

    /// The number of panels: at least one, though it may have no columns.
    pub(crate) fn panels(&self) -> usize {
        self.cols.div_ceil(self.width.max(1)).max(1)
    }

    /// The columns of a panel.
    pub(crate) fn columns_of(&self, panel: usize) -> std::ops::Range<usize> {
        (panel * self.width).min(self.cols)..((panel + 1) * self.width).min(self.cols)
    }

    /// The entries of row i in a panel, in the order by row.
    pub(crate) fn row_in(&self, panel: usize, i: usize) -> std::ops::Range<usize> {
        let at = panel * self.rows + i;
        self.row_starts[at] as usize..self.row_starts[at + 1] as usize
    }

    /// The numbers of the entries of column j.
    pub(crate) fn column(&self, j: usize) -> std::ops::Range<usize> {
        self.col_starts[j] as usize..self.col_starts[j + 1] as usize
    }
}

/// A matrix by its entries: where they are, and their values in that order. Elsewhere it is zero.
#[derive(Clone, Copy, Debug)]
pub struct Sparse<'a, T> {
    /// Where the entries are.
    pub support: &'a Support,
    /// Their values.
    pub values: &'a [T],
    /// The values once more, panel by panel and row by row; empty if they have not been brought into this order.
    pub by_row: &'a [T],
}

impl<'a, T> Sparse<'a, T> {
    /// The matrix with these values at the entries of a support.
    pub fn new(support: &'a Support, values: &'a [T]) -> Self {
        Sparse { support, values, by_row: &[] }
    }
}
