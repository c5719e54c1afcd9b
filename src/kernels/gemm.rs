//! The matrix product: `c (=, +=) epilogue(a b)` for any strides.
//!
//! [`gemm`] checks the operands once, turns the product so that a column of the result is contiguous, and picks
//! the instruction set. [`five_loops`] then is the algorithm of Goto and van de Geijn ("Anatomy of
//! high-performance matrix multiplication", 2008) as the BLIS project lays it out (Van Zee and van de Geijn,
//! "BLIS: a framework for rapidly instantiating BLAS functionality", 2015), whose names it keeps:
//!
//! | loop | over | in steps of | and then |
//! | --- | --- | --- | --- |
//! | 5 `jc` | columns of c | NC | |
//! | 4 `pc` | the summed index | KC | packs KC x NC of b, for the L3 cache |
//! | 3 `ic` | rows of c | MC | packs MC x KC of a, for the L2 cache |
//! | 2 `jr` | columns of the block | NR | reuses KC x NR of b in the L1 cache |
//! | 1 `ir` | rows of the block | MR | runs the micro-kernel, whose own loop is over KC |
//!
//! Small operands are not packed: the same loops then read them where they are.
//!
//! Every element's sum runs over k in the same order and in the same blocks, whatever tile it is in, so the
//! result does not depend on how the work is split.

use super::isa::Isa;
use super::micro::{self, Finish, MAX_LANES, Microkernel, Tile};
use super::pack::{pack, packed_len, with_buffers};
use crate::element::{Accum, Element, Epilogue, Mat, MatMut};

/// Bytes of the caches that the blocks are made for. They are what most machines have at least; a machine with
/// more loses little, since the loops around a block cost little.
const L1: usize = 32 << 10;
const L2: usize = 1 << 20;
const L3: usize = 8 << 20;

/// The sizes of the blocks and of the tile, in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Rows of a tile.
    pub mr: usize,
    /// Columns of a tile.
    pub nr: usize,
    /// Rows of a block of a.
    pub mc: usize,
    /// Depth of a block of a or b.
    pub kc: usize,
    /// Columns of a block of b.
    pub nc: usize,
}

impl Blocks {
    const fn of<K: Microkernel>() -> Blocks {
        let element = size_of::<K::Element>();
        // A panel of b (KC x NR) fills less than half of L1, beside the panel of a that streams through.
        let kc = L1 / 2 / (16 * element);
        // A block of a (MC x KC) fills half of L2.
        let mc = L2 / 2 / (kc * element) / K::MR * K::MR;
        // A block of b (KC x NC) fills half of L3.
        let nc = L3 / 2 / (kc * element) / K::NR * K::NR;
        Blocks { mr: K::MR, nr: K::NR, mc, kc, nc }
    }

    /// The blocks of the kernel in use for `f32`.
    pub fn of_f32() -> Blocks {
        f32::blocks()
    }

    /// The blocks of the kernel in use for `f64`.
    pub fn of_f64() -> Blocks {
        f64::blocks()
    }
}

/// A product with checked operands: pointers to the first elements, and steps between neighbours.
///
/// Element (i, p) of `a` stands at `a[i * a_row + p * a_col]`, and so on for `b`, (p, j), and `c`, (i, j).
pub(super) struct Product<T> {
    m: usize,
    k: usize,
    n: usize,
    a: *const T,
    a_row: usize,
    a_col: usize,
    b: *const T,
    b_row: usize,
    b_col: usize,
    c: *mut T,
    c_row: usize,
    c_col: usize,
    finish: Finish<T>,
}

/// Calls a function generic over the micro-kernel with the one of the current instruction set.
macro_rules! on_current_isa {
    ($kernel:ident, $($function:ident)::+ ($($arg:expr)?)) => {
        match Isa::current() {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => $($function)::+::<micro::avx512::$kernel>($($arg)?),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => $($function)::+::<micro::avx2::$kernel>($($arg)?),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => $($function)::+::<micro::neon::$kernel>($($arg)?),
            _ => $($function)::+::<micro::portable::$kernel>($($arg)?),
        }
    };
}

/// A float with micro-kernels.
pub(super) trait Float: Element {
    /// Runs `product` on the current instruction set.
    ///
    /// # Safety
    /// As [`run`].
    unsafe fn run(product: &Product<Self>);
    /// The sizes that the current instruction set works in.
    fn blocks() -> Blocks;
}

macro_rules! float {
    ($t:ty, $kernel:ident) => {
        impl Float for $t {
            unsafe fn run(product: &Product<Self>) {
                // SAFETY: the product is the caller's, and `current` names only what this machine has.
                unsafe { on_current_isa!($kernel, run(product)) }
            }
            fn blocks() -> Blocks {
                on_current_isa!($kernel, Blocks::of())
            }
        }
    };
}
float!(f32, F32);
float!(f64, F64);

/// See [`Element::gemm`].
pub(super) fn gemm<T: Float>(
    [m, k, n]: [usize; 3],
    a: Mat<T>,
    b: Mat<T>,
    c: MatMut<T>,
    accum: Accum,
    epilogue: Epilogue<T>,
) {
    check_operand("a", a.data.len(), [m, k], [a.row_stride, a.col_stride]);
    check_operand("b", b.data.len(), [k, n], [b.row_stride, b.col_stride]);
    check_operand("c", c.data.len(), [m, n], [c.row_stride, c.col_stride]);
    let add = accum == Accum::Add;
    let (bias, relu) = match epilogue {
        Epilogue::None => (None, false),
        Epilogue::Bias(bias) => (Some(bias), false),
        Epilogue::BiasRelu(bias) => (Some(bias), true),
    };
    assert!(!(add && bias.is_some()), "gemm: an epilogue goes with Accum::Replace");
    assert!(bias.is_none_or(|bias| bias.len() >= n), "gemm: the bias is shorter than {n}");
    if m == 0 || n == 0 {
        return;
    }
    check_no_overlap([m, n], [c.row_stride, c.col_stride]);

    // The kernels want contiguous columns of c. The columns of a row-major c are the rows of its transpose:
    // cᵀ = bᵀ aᵀ. A single column is one already, and its bias is one number.
    let bias_step = usize::from(n > 1);
    let finish = Finish { add, bias: bias.map(|bias| bias.as_ptr()), bias_step, relu };
    let upright = Product {
        m,
        k,
        n,
        a: a.data.as_ptr(),
        a_row: a.row_stride,
        a_col: a.col_stride,
        b: b.data.as_ptr(),
        b_row: b.row_stride,
        b_col: b.col_stride,
        c: c.data.as_mut_ptr(),
        c_row: c.row_stride,
        c_col: c.col_stride,
        finish,
    };
    let stands = n == 1 || (m > 1 && c.row_stride == 1 && bias.is_none());
    let product = if stands { upright } else { upright.transposed() };
    // SAFETY: the checks above cover every element that the product names.
    unsafe { T::run(&product) }
}

/// Panics unless the last element of a `rows x cols` operand stands within `len`.
fn check_operand(name: &str, len: usize, [rows, cols]: [usize; 2], [row_stride, col_stride]: [usize; 2]) {
    if rows == 0 || cols == 0 {
        return;
    }
    let down = (rows - 1).checked_mul(row_stride);
    let right = (cols - 1).checked_mul(col_stride);
    let last = down.zip(right).and_then(|(down, right)| down.checked_add(right));
    assert!(
        last.is_some_and(|last| last < len),
        "gemm: {name} of {len} elements is too short for {rows} x {cols} with strides {row_stride}, {col_stride}"
    );
}

/// Panics if two elements of the output might share a place.
fn check_no_overlap([rows, cols]: [usize; 2], [row_stride, col_stride]: [usize; 2]) {
    if rows == 0 || cols == 0 {
        return;
    }
    let apart = |outer: usize, outer_stride: usize, inner: usize, inner_stride: usize| {
        outer <= 1 || inner == 0 || outer_stride > (inner - 1) * inner_stride
    };
    let within = |len: usize, stride: usize| len <= 1 || stride > 0;
    assert!(
        within(rows, row_stride)
            && within(cols, col_stride)
            && (apart(rows, row_stride, cols, col_stride) || apart(cols, col_stride, rows, row_stride)),
        "gemm: elements of c share places: {rows} x {cols} with strides {row_stride}, {col_stride}"
    );
}

impl<T> Product<T> {
    /// `cᵀ = bᵀ aᵀ`
    fn transposed(self) -> Self {
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

/// Runs a product on the calling thread, by the path that fits its shape.
///
/// # Safety
/// The instruction set of `K` is available; the product's pointers are valid for its sizes and steps, and nothing
/// else reads or writes its `c`.
unsafe fn run<K: Microkernel>(p: &Product<K::Element>) {
    let rows_contiguous = p.a_col == 1 || p.k == 1;
    let lone_column = p.n == 1 && p.a_row != 1 && p.m > 1;
    // SAFETY: the caller's.
    unsafe {
        if lone_column && rows_contiguous && p.c_row == 1 { matvec::<K>(p) } else { five_loops::<K>(p) }
    }
}

/// A matrix of contiguous rows times one column: a dot product a row, with nothing to pack.
unsafe fn matvec<K: Microkernel>(p: &Product<K::Element>) {
    let gather = p.b_row != 1;
    let len = if gather { p.k } else { 0 };
    with_buffers([0, len], |[_, column]| {
        // SAFETY: the caller vouches for the product, the buffer has k elements.
        unsafe {
            if gather {
                K::pack(1, 1, p.k, p.b, 0, p.b_row, column);
            }
            let b = if gather { column } else { p.b };
            K::dots(p.m, p.k, p.a, p.a_row, b, p.c, p.finish);
        }
    });
}

/// The product as five loops around the micro-kernel.
unsafe fn five_loops<K: Microkernel>(p: &Product<K::Element>) {
    let blocks = const { Blocks::of::<K>() };
    let pack_a =
        p.m > 1 && (p.a_row != 1 || (p.n > 4 * K::NR && p.m * p.k * size_of::<K::Element>() > L2 / 4));
    let pack_b = pack_a && p.n * p.k * size_of::<K::Element>() > L2 / 4 && p.m > 4 * K::MR;
    // k splits evenly, so that no short block is left over.
    let kc = p.k.div_ceil(p.k.div_ceil(blocks.kc).max(1));
    let mc = blocks.mc.min(p.m.next_multiple_of(K::MR));
    let nc = blocks.nc.min(p.n.next_multiple_of(K::NR));
    let a_len = if pack_a { packed_len(K::MR, mc, kc) } else { 0 };
    let b_len = if pack_b { packed_len(K::NR, nc, kc) } else { 0 };
    with_buffers([a_len, b_len], |[a_packed, b_packed]| {
        for jc in (0..p.n).step_by(nc) {
            let n = nc.min(p.n - jc);
            let mut pc = 0;
            loop {
                let k = kc.min(p.k - pc);
                let last = pc + k == p.k;
                // SAFETY: each block stands within its operand, and the buffers have room for one block each.
                unsafe {
                    let mut b = p.b.add(pc * p.b_row + jc * p.b_col);
                    let [mut b_row, mut b_col] = [p.b_row, p.b_col];
                    if pack_b {
                        pack::<K>(K::NR, [n, k], b, [b_col, b_row], b_packed);
                        (b, b_row, b_col) = (b_packed, K::NR, k);
                    }
                    for ic in (0..p.m).step_by(mc) {
                        let m = mc.min(p.m - ic);
                        let mut a = p.a.add(ic * p.a_row + pc * p.a_col);
                        let [mut a_row, mut a_col] = [p.a_row, p.a_col];
                        if pack_a {
                            pack::<K>(K::MR, [m, k], a, [a_row, a_col], a_packed);
                            (a, a_row, a_col) = (a_packed, k, K::MR);
                        }
                        let finish = if last { p.finish.below(ic) } else { Finish::REPLACE };
                        let block = Product {
                            m,
                            k,
                            n,
                            a,
                            a_row,
                            a_col,
                            b,
                            b_row,
                            b_col,
                            c: p.c.add(ic * p.c_row + jc * p.c_col),
                            c_row: p.c_row,
                            c_col: p.c_col,
                            finish: Finish { add: p.finish.add || pc > 0, ..finish },
                        };
                        macro_kernel::<K>(&block, pack_a, pack_b);
                    }
                }
                pc += k;
                if last {
                    break;
                }
            }
        }
    });
}

/// The two loops around the micro-kernel. A packed operand's step between panels is `a_row`, `b_col` a row or
/// column: a panel of MR rows begins at `a + ir * a_row` either way.
unsafe fn macro_kernel<K: Microkernel>(p: &Product<K::Element>, pack_a: bool, pack_b: bool) {
    for jr in (0..p.n).step_by(K::NR) {
        let cols = K::NR.min(p.n - jr);
        for ir in (0..p.m).step_by(K::MR) {
            let rows = K::MR.min(p.m - ir);
            // SAFETY: the tile stands within the block.
            unsafe {
                let tile = Tile {
                    rows,
                    k: p.k,
                    cols,
                    a: p.a.add(ir * p.a_row),
                    a_col: p.a_col,
                    b: p.b.add(jr * p.b_col),
                    b_row: p.b_row,
                    b_col: if pack_b { 1 } else { p.b_col },
                    c: p.c.add(ir * p.c_row + jr * p.c_col),
                    c_col: p.c_col,
                    finish: p.finish.below(ir),
                };
                if p.c_row != 1 && rows > 1 {
                    scattered::<K>(tile, p.c_row);
                } else if pack_a && pack_b {
                    K::packed(&tile);
                } else {
                    K::direct(&tile);
                }
            }
        }
    }
}

/// Runs a tile of a `c` without contiguous columns: through a tile on the stack.
#[cold]
unsafe fn scattered<K: Microkernel>(tile: Tile<K::Element>, c_row: usize) {
    const MAX_MR: usize = 2 * MAX_LANES;
    const MAX_NR: usize = 12;
    const { assert!(K::MR <= MAX_MR && K::NR <= MAX_NR) };
    let mut ab = [K::Element::ZERO; MAX_MR * MAX_NR];
    let Tile { rows, cols, c, c_col, finish, .. } = tile;
    // SAFETY: the tile is the caller's, and the array holds any tile.
    unsafe {
        K::direct(&Tile { c: ab.as_mut_ptr(), c_col: K::MR, finish: Finish::REPLACE, ..tile });
        for j in 0..cols {
            for i in 0..rows {
                micro::store_one(c.add(i * c_row + j * c_col), ab[i + j * K::MR], finish.below(i));
            }
        }
    }
}
