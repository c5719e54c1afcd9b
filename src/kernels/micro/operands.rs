//! What a dense micro-kernel works on: sizes, pointers and strides.

/// What happens to a finished tile on its way to memory: `c = relu(c? + ab + bias?)?`.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Finish<T> {
    /// Add what stands in `c`; if not, `c` is never read.
    pub add: bool,
    /// What to add to each row.
    pub bias: Option<*const T>,
    /// 1, or 0 to add the same number to every row.
    pub bias_step: usize,
    /// From a column's number to the next one's, where all rows are added the same.
    pub bias_across: usize,
    /// Take the maximum with 0.
    pub relu: bool,
}

impl<T> Finish<T> {
    pub const REPLACE: Self = Finish { add: false, bias: None, bias_step: 1, bias_across: 0, relu: false };

    /// What is to be done with the tile that begins `rows` further down.
    pub fn below(self, rows: usize) -> Self {
        self.at(rows, 0)
    }

    /// What is to be done with the tile that begins `rows` further down and `cols` further right.
    pub fn at(self, rows: usize, cols: usize) -> Self {
        let from = rows * self.bias_step + cols * self.bias_across;
        Finish { bias: self.bias.map(|bias| bias.wrapping_add(from)), ..self }
    }
}

/// A product of matrices, `c = finish(a b)`: the whole of it, a block, or one tile.
///
/// Element (i, p) of `a` stands at `a[i * a_row + p * a_col]`; so do (p, j) of `b` and (i, j) of `c`.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Product<T> {
    pub m: usize,
    pub k: usize,
    pub n: usize,
    pub a: *const T,
    pub a_row: usize,
    pub a_col: usize,
    pub b: *const T,
    pub b_row: usize,
    pub b_col: usize,
    pub c: *mut T,
    pub c_row: usize,
    pub c_col: usize,
    pub finish: Finish<T>,
}

impl<T> Product<T> {
    /// `cᵀ = bᵀ aᵀ`
    #[inline(always)]
    pub fn transposed(self) -> Self {
        Product {
            m: self.n,
            k: self.k,
            n: self.m,
            a: self.b,
            a_row: self.b_col,
            a_col: self.b_row,
            b: self.a,
            b_row: self.a_col,
            b_col: self.a_row,
            c: self.c,
            c_row: self.c_col,
            c_col: self.c_row,
            finish: self.finish,
        }
    }
}

/// The pull-back of a relu layer with few inputs, in pointers: `gw (=, +=) xᵀ g` and `gb (=, +=) Σ g`, with g = gy + plus where
/// y is above 0. x is [m, k], y and gy are [m, cols], gw is [k, cols] and gb \[cols\].
#[derive(Clone, Copy)]
pub(in crate::kernels) struct ThinLayer<T> {
    pub m: usize,
    pub k: usize,
    /// How far apart the rows of y and gy stand.
    pub n: usize,
    /// How many columns are summed.
    pub cols: usize,
    pub x: *const T,
    pub x_row: usize,
    pub x_col: usize,
    pub y: *const T,
    pub gy: *const T,
    pub plus: T,
    pub gw: *mut T,
    pub gw_row: usize,
    /// Whether to add to what stands in `gw`.
    pub gw_add: bool,
    pub gb: *mut T,
    pub gb_add: bool,
}

/// A block of an operand to be packed: rows of `a`, or columns of `b`, `width` of them, of `k` elements.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Block<T> {
    pub width: usize,
    pub k: usize,
    pub from: *const T,
    pub step_w: usize,
    pub step_p: usize,
}
