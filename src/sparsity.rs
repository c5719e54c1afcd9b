//! Where values are not zero, and where cotangents are asked for.
//!
//! A [`Support`] says which elements of a matrix are not zero. It is found once, where the values were made, and every
//! product that reads them, or their cotangent, then visits those elements alone.

/// Where an op's vjp reads the cotangent of its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// At every element.
    Everywhere,
    /// Only where the output is not zero: elsewhere the derivative is zero whatever the cotangent.
    Support,
}

/// The elements of a matrix that are not zero, its *entries*.
///
/// Columns are grouped in panels of [`width`](Support::width), so that what a kernel needs of a panel's columns fits a
/// cache. Entries are numbered by column, and by row within a column; values of the entries, *packed*, stand in this
/// order. Each panel's entries are listed a second time by row.
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
    /// Places `row_starts[p * rows + i]..row_starts[p * rows + i + 1]` of the two lists below are the entries of row i
    /// in panel p. A panel has the same places in either order.
    pub(crate) row_starts: Vec<u32>,
    /// Panel by panel, row by row: the column of an entry, counted from the panel's first.
    pub(crate) column_of: Vec<u16>,
    /// Panel by panel, row by row: the number of an entry.
    pub(crate) entry_of: Vec<u32>,
}

impl Support {
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

    /// How many elements are not zero.
    pub fn entries(&self) -> usize {
        self.row_of.len()
    }

    /// The part of the elements that is not zero; NaN if there are none.
    pub fn density(&self) -> f64 {
        self.entries() as f64 / (self.rows * self.cols) as f64
    }

    /// Row and column of each entry, by its number.
    pub fn places(&self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.cols).flat_map(|j| self.row_of[self.column(j)].iter().map(move |&i| (i as usize, j)))
    }

    /// The number of panels: at least one, though it may have no columns.
    pub(crate) fn panels(&self) -> usize {
        self.cols.div_ceil(self.width.max(1)).max(1)
    }

    /// The places of the entries of row i in a panel.
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
}

/// A product with a sparse matrix, as one kernel computes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `c = a b`
    Rows,
    /// `c = aᵀ g`
    Columns,
    /// `c = aᵀ g` into a c whose columns are contiguous.
    ColumnsTurned,
    /// `values = g bᵀ` at the entries of a.
    Sampled,
    /// Columns and sampled, from one load of g.
    Both,
}

/// Whether a product with an a of m x k and n columns takes less time in its sparse form than in its dense one.
///
/// In units of the dense product's time the sparse form takes `density * slowness + edge / m`: a multiply-add of an
/// entry costs `slowness` dense ones, since it waits for a cache, and every element of the k x n operand `edge` of them,
/// whatever the density. Rows first bring their entries into order, at the price of 64 multiply-adds each. If the support
/// is yet to be `found`, each element of a costs 18 more, and each entry 270.
///
/// The constants are the rounded results of `cargo bench --bench sparse` with AVX2, and err on the side of the dense form.
pub fn pays(form: Form, [m, _, n]: [usize; 3], density: f64, found: bool) -> bool {
    let (slowness, edge) = match form {
        Form::Rows => (1.7 + 64.0 / n as f64, 28.0),
        Form::Columns => (2.4, 12.0),
        Form::ColumnsTurned => (2.5, 32.0),
        Form::Sampled => (2.9, 24.0),
        Form::Both => (1.8, 32.0),
    };
    let find = if found { 0.0 } else { (18.0 + 270.0 * density) / n as f64 };
    // NaN, the density of nothing, does not pay.
    density * slowness + edge / m as f64 + find < 1.0
}
