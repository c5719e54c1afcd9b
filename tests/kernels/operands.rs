//! Operands for the tests of kernels: small integers, whose sums are exact in any order, and ways to stand in memory.

use quietgrad::Element;

/// A stream of reproducible numbers (xorshift).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound
    }

    pub fn integers<T: Element>(&mut self, len: usize) -> Vec<T> {
        (0..len).map(|_| T::from_f64(self.below(17) as f64 - 8.0)).collect()
    }
}

/// Where the elements of an operand stand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Layout {
    RowMajor,
    /// Columns are contiguous.
    Transposed,
    /// Rows are contiguous, with unused elements after each.
    Padded,
    /// Neither rows nor columns are contiguous.
    Spread,
    /// The same row again and again.
    OneRow,
    /// The same column again and again.
    OneColumn,
}

impl Layout {
    pub fn strides(self, rows: usize, cols: usize) -> [usize; 2] {
        match self {
            Layout::RowMajor => [cols.max(1), 1],
            Layout::Transposed => [1, rows.max(1)],
            Layout::Padded => [cols + 3, 1],
            Layout::Spread => [2 * cols + 5, 2],
            Layout::OneRow => [0, 1],
            Layout::OneColumn => [1, 0],
        }
    }

    /// The least length that holds the last element.
    pub fn len(self, rows: usize, cols: usize) -> usize {
        let [row_stride, col_stride] = self.strides(rows, cols);
        if rows == 0 || cols == 0 { 0 } else { (rows - 1) * row_stride + (cols - 1) * col_stride + 1 }
    }
}
