//! Where values are not zero, and where cotangents are asked for.
//!
//! A [`Support`] says which elements of a matrix are not zero. It is found once, where the values were made, and every
//! product that reads them, or their cotangent, then visits those elements alone.

use std::sync::OnceLock;

/// Where an op's vjp reads the cotangent of its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// At every element.
    Everywhere,
    /// Only where the output is not zero: elsewhere the derivative is zero whatever the cotangent.
    Support,
}

/// When a tape looks for zeros, to skip them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipZeros {
    /// Where that is faster.
    WherePays,
    /// Never: every product is dense.
    Never,
    /// Wherever it can: for tests, and for measurements.
    Always,
}

/// Where it pays, unless `QUIETGRAD_ZEROS` (`never`, `always`) says otherwise: for tests and benchmarks.
impl Default for SkipZeros {
    fn default() -> Self {
        static DEFAULT: OnceLock<SkipZeros> = OnceLock::new();
        *DEFAULT.get_or_init(|| match std::env::var("QUIETGRAD_ZEROS").as_deref() {
            Ok("never") => SkipZeros::Never,
            Ok("always") => SkipZeros::Always,
            _ => SkipZeros::WherePays,
        })
    }
}

/// What an op makes of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entries {
    /// Nothing: it is handed all elements.
    Unseen,
    /// What it does at an element depends on that element alone, so that its vjp can be run on the entries as if they
    /// were all.
    Elementwise,
    /// The same for each summand of a sum that is its output.
    Sum,
    /// It is a matrix product of its first two inputs, and looks for them in the views of the first and of its
    /// cotangent.
    Product,
    /// Its vjp looks for them in the view of its cotangent, and hands the same entries on to the inputs that have the
    /// output's shape.
    Linear,
}

/// The elements of a matrix that are not zero, its *entries*.
///
/// Columns are grouped in panels of [`width`](Support::width), so that what a kernel needs of a panel's columns fits a
/// cache. Entries are numbered by column, and by row within a column; values of the entries, *packed*, stand in this
/// order. Each panel's entries are listed a second time by row: panel by panel, row by row, an entry has a *place*. What
/// number it has follows from the columns of the places before it.
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
    /// Places `row_starts[p * rows + i]..row_starts[p * rows + i + 1]` are the entries of row i in panel p. A panel's
    /// places are the numbers of its entries, in another order.
    pub(crate) row_starts: Vec<u32>,
    /// The column of the entry at each place, counted from the panel's first.
    pub(crate) column_of: Vec<u16>,
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

    /// The columns of a panel.
    pub(crate) fn columns_of(&self, panel: usize) -> std::ops::Range<usize> {
        (panel * self.width).min(self.cols)..((panel + 1) * self.width).min(self.cols)
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
    /// The same values by place: panel by panel, row by row. Empty if nobody has brought them into this order.
    pub by_place: &'a [T],
}

impl<'a, T> Sparse<'a, T> {
    /// The matrix with these values at the entries of a support.
    pub fn new(support: &'a Support, values: &'a [T]) -> Self {
        Sparse { support, values, by_place: &[] }
    }
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

/// Whether a product is so small that what its sparse forms read again and again stays in the first two caches: the k x n
/// operand, and a panel of the one with m rows.
fn is_near([m, k, n]: [usize; 3]) -> bool {
    m <= 160 && k.saturating_mul(n) <= 1 << 16
}

/// What a product with a sparse a of m x k and n columns takes, in units of the dense product's time: `density * slowness +
/// edge / m`. A multiply-add of an entry costs `slowness` dense ones, since it waits for a cache, and every element of the
/// k x n operand `edge` of them, whatever the density.
///
/// The constants are the rounded results of `cargo bench --bench sparse` with AVX2, and err on the side of the dense form.
fn cost(form: Form, size: [usize; 3], density: f64) -> f64 {
    let (slowness, edge) = match (form, is_near(size)) {
        (Form::Rows, true) => (1.6, 4.0),
        (Form::Columns, true) => (1.5, 6.0),
        (Form::ColumnsTurned, true) => (1.7, 14.0),
        (Form::Sampled, true) => (2.0, 6.0),
        (Form::Both, true) => (1.4, 6.0),
        (Form::Rows | Form::Both, false) => (1.8, 30.0),
        (Form::Columns, false) => (2.3, 16.0),
        (Form::ColumnsTurned, false) => (2.5, 50.0),
        (Form::Sampled, false) => (2.9, 24.0),
    };
    density * slowness + edge / size[0] as f64
}

/// What it takes to find the support of a, in the same units: so many multiply-adds an element, however few are entries.
fn cost_of_finding(size: [usize; 3]) -> f64 {
    let each = if is_near(size) { 28.0 } else { 55.0 };
    each / size[2] as f64
}

/// Whether a product with an a of m x k and n columns takes less time in its sparse form than in its dense one. The
/// support may be `found` already.
pub fn pays(form: Form, size: [usize; 3], density: f64, found: bool) -> bool {
    let finding = if found { 0.0 } else { cost_of_finding(size) };
    // NaN, the density of nothing, does not pay.
    cost(form, size, density) + finding < 1.0
}

/// Whether to find the entries of a layer's output, m x k, that the next layer multiplies by a k x n matrix: if they save
/// time in the four products of a training step that they serve, of which [`Form::Both`] is two.
pub(crate) fn finding_pays(size: [usize; 3], density: f64) -> bool {
    let forms = [(Form::Rows, 1.0), (Form::Both, 2.0), (Form::ColumnsTurned, 1.0)];
    let products: f64 = forms.iter().map(|&(form, count)| count * cost(form, size, density)).sum();
    products + cost_of_finding(size) < 4.0
}

/// Whether an a of m x k, multiplied by a k x n matrix, has so many elements that its density may be looked at, and so many
/// columns beside it that zeros could pay.
pub(crate) fn worth_a_look([m, k, n]: [usize; 3]) -> bool {
    m * k >= 1 << 13 && n >= 16
}
