//! The matrix product: `c (=, +=) epilogue(a b)` for any strides.
//!
//! The operands are checked by now, and the product is turned so that the columns of c are contiguous if possible.
//! [`five_loops`] is the algorithm of Goto and van de Geijn ("Anatomy of high-performance matrix multiplication", 2008) as
//! BLIS lays it out (Van Zee and van de Geijn, "BLIS: a framework for rapidly instantiating BLAS functionality", 2015):
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
//! Every element's sum runs over k in one order and one set of blocks, whatever tile it is in: the split changes no result.

use super::cache::{L1, L3, l2};
use super::pack::{packed_len, with_buffers};
use crate::element::Element;
use crate::kernels::isa::Isa;
use crate::kernels::micro::{self, Block, Finish, GROUP, Microkernel, Product, THIN};
use crate::kernels::threads::{parallel, threads};
use crate::matrix::size::product;

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
    #[inline]
    fn of<K: Microkernel>() -> Blocks {
        let element = size_of::<K::Element>();
        // A panel of b (KC x NR) fills three quarters of L1. But c is not to be read and written again too often: a
        // wide panel of f64 streams from L2, which costs less than shallower blocks would.
        let kc = (3 * L1 / 4 / (K::NR * element)).max(512);
        // A block of a (MC x KC) fills half of L2.
        let mc = (l2() / 2 / (kc * element)).next_multiple_of(K::MR);
        // A block of b (KC x NC) fills half of L3, rounded up: a power of two of columns is one block then, and
        // a is packed once for them.
        let nc = (L3 / 2 / (kc * element)).next_multiple_of(K::NR);
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

/// Calls a function generic over the micro-kernel with the one of the current instruction set.
macro_rules! on_current_isa {
    ($kernel:ident, $($function:ident)::+ ($($arg:expr),*)) => {
        match Isa::current() {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => $($function)::+::<micro::avx512::$kernel>($($arg),*),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => $($function)::+::<micro::avx2::$kernel>($($arg),*),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => $($function)::+::<micro::neon::$kernel>($($arg),*),
            _ => $($function)::+::<micro::portable::$kernel>($($arg),*),
        }
    };
}
pub(in crate::kernels) use on_current_isa;

/// A float with micro-kernels.
pub(in crate::kernels) trait Float: Element {
    /// Runs `product` on the current instruction set.
    ///
    /// # Safety
    /// As [`run`].
    unsafe fn run(product: &Product<Self>);
    /// The multiply-adds that a thread must find to be worth waking: some 70 microseconds.
    const PART: usize = 3 << 20;
    /// The sizes that the current instruction set works in.
    fn blocks() -> Blocks;
}

macro_rules! float {
    ($t:ty, $kernel:ident) => {
        impl Float for $t {
            #[inline(always)]
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

/// How a product is computed. All parts of a split product take one path, since paths add in different orders.
#[derive(Clone, Copy)]
enum Path {
    /// Tiles over operands where they are.
    Direct,
    /// Columns of c, each in one go: k is small.
    Thin,
    /// A dot product a row.
    Matvec,
    /// The five loops, with `a` packed or not.
    Blocked { pack_a: bool },
}

/// Runs a product.
///
/// # Safety
/// The instruction set of `K` is available; the product's pointers are valid for its sizes and steps, and nothing
/// else reads or writes its `c`.
#[inline(always)]
unsafe fn run<K: Microkernel<Element: Float>>(p: &Product<K::Element>) {
    let blocks = Blocks::of::<K>();
    let bytes = size_of::<K::Element>();
    // Each panel of a is read once for every NR columns. Reading it where it is, if that is possible, costs a
    // little each time, and more if b is read across its rows as well, or if columns a power of two apart meet in a few
    // sets of L1; copying it costs more, once.
    let a_bytes = product(&[p.m, p.k, bytes]);
    let panels = if p.b_row == 1 { 20 } else { 12 };
    let packing_pays = (p.n > panels * K::NR && a_bytes > L1) || (p.n > 4 * K::NR && a_bytes > l2() / 4);
    let pack_a = p.m > 1 && (p.a_row != 1 || packing_pays);
    let columns_of_c = p.c_row == 1 || p.m == 1;
    let path = if !pack_a && columns_of_c && p.k <= blocks.kc {
        let [mr, nr] = tile_shape::<K>(p);
        if p.m <= mr && p.n <= nr {
            // SAFETY: the caller's.
            return unsafe { K::direct(p) };
        }
        if (1..=THIN).contains(&p.k) && p.m >= K::MR { Path::Thin } else { Path::Direct }
    } else if p.n == 1 && p.a_col == 1 && columns_of_c {
        Path::Matvec
    } else {
        Path::Blocked { pack_a }
    };
    // SAFETY: the caller's.
    unsafe {
        if product(&[p.m, p.n, p.k]) < 2 * K::Element::PART {
            run_on_one::<K>(p, path)
        } else {
            run_on_many::<K>(p, path)
        }
    }
}

/// Runs a product on the calling thread.
unsafe fn run_on_one<K: Microkernel>(p: &Product<K::Element>, path: Path) {
    // SAFETY: the caller's.
    unsafe {
        match path {
            Path::Thin => K::thin(p),
            Path::Direct => macro_kernel::<K>(p, false, false),
            Path::Matvec => matvec::<K>(p),
            Path::Blocked { pack_a } => five_loops::<K>(p, pack_a),
        }
    }
}

/// Runs a product as a grid of parts, a thread each, if there are threads.
#[cold]
unsafe fn run_on_many<K: Microkernel<Element: Float>>(p: &Product<K::Element>, path: Path) {
    let parts = threads().min(product(&[p.m, p.n, p.k]) / K::Element::PART);
    // Of the grids with that many parts, the one whose parts are nearest to squares packs the least twice.
    let rows = (1..=parts).filter(|&rows| parts.is_multiple_of(rows));
    let rows = rows.min_by_key(|rows| p.m / rows + p.n * rows / parts).unwrap_or(1);
    let cols = parts / rows;
    // Parts begin at the edges of tiles.
    let height = p.m.div_ceil(rows).next_multiple_of(K::MR);
    let width = p.n.div_ceil(cols).next_multiple_of(K::NR);
    let p = Shared(*p);
    parallel(parts, &|part| {
        let Product { m, n, a, a_row, b, b_col, c, c_row, c_col, finish, .. } = *p.get();
        let (i, j) = (part % rows * height, part / rows * width);
        if i < m && j < n {
            // SAFETY: the part lies within the product, and no two parts share an element of c.
            unsafe {
                let part = Product {
                    m: height.min(m - i),
                    n: width.min(n - j),
                    a: a.add(i * a_row),
                    b: b.add(j * b_col),
                    c: c.add(i * c_row + j * c_col),
                    finish: finish.below(i),
                    ..*p.get()
                };
                run_on_one::<K>(&part, path);
            }
        }
    });
}

/// A product that threads look at together.
struct Shared<T>(Product<T>);

// SAFETY: what its pointers point to is only read, but for c, of which each thread writes its own elements.
unsafe impl<T: Sync> Sync for Shared<T> {}

impl<T> Shared<T> {
    fn get(&self) -> &Product<T> {
        &self.0
    }
}

/// The shape of the tiles for a product whose operands stay where they are.
#[inline(always)]
fn tile_shape<K: Microkernel>(p: &Product<K::Element>) -> [usize; 2] {
    if p.m <= K::FLAT[0] {
        K::FLAT
    } else if p.n <= K::TALL[1] {
        K::TALL
    } else {
        [K::MR, K::NR]
    }
}

/// A matrix of contiguous rows times one column: a dot product a row, with nothing to pack.
unsafe fn matvec<K: Microkernel>(p: &Product<K::Element>) {
    let gather = p.b_row != 1;
    let len = if gather { p.k } else { 0 };
    with_buffers([0, len], |[_, column]: [*mut K::Element; 2]| {
        // SAFETY: the caller guarantees the product, the buffer has k elements.
        unsafe {
            if gather {
                for i in 0..p.k {
                    *column.add(i) = *p.b.add(i * p.b_row);
                }
            }
            K::dots(&Product { b: if gather { column } else { p.b }, ..*p });
        }
    });
}

/// The product as five loops around the micro-kernel: loops 5, 4 and 3 here, 2 and 1 in [`macro_kernel`]. a is [m, k], b is
/// [k, n], c is [m, n]; `docs/matmul.md` draws the loops.
unsafe fn five_loops<K: Microkernel>(p: &Product<K::Element>, pack_a: bool) {
    let blocks = Blocks::of::<K>();
    // Columns of b that are contiguous can be read where they are, unless there are too many of them. Others make the
    // micro-kernel jump at each step of k, often by a power of two, so that few sets of L1 must hold all it reads.
    let b_streams = p.b_row == 1 && product(&[p.n, p.k, size_of::<K::Element>()]) <= L3 / 8;
    let pack_b = pack_a && !b_streams && p.m > 4 * K::MR;
    // Everything splits evenly, so that no short block is left over; shallow blocks are longer.
    let kc = even_step(p.k, blocks.kc);
    let [mc, nc] = [blocks.mc, blocks.nc].map(|len| len * blocks.kc / kc.max(1));
    let mc = even_step(p.m, mc).next_multiple_of(K::MR);
    let nc = even_step(p.n, nc).next_multiple_of(K::NR);
    // Panels are an odd number of columns apart, so that they do not all begin in the same set of a cache.
    let pitch = kc | 1;
    let a_len = if pack_a { packed_len(K::MR, mc, pitch) } else { 0 };
    let b_len = if pack_b { packed_len(K::NR, nc, pitch) } else { 0 };
    with_buffers([a_len, b_len], |[a_packed, b_packed]| {
        // Loop 5: NC columns of b and c, from column jc on.
        for jc in (0..p.n).step_by(nc) {
            let n = nc.min(p.n - jc);
            // Loop 4: KC of the summed index, from pc on. At least one round, so that c is written for k = 0 as well.
            let mut pc = 0;
            loop {
                let k = kc.min(p.k - pc);
                let last = pc + k == p.k;
                // SAFETY: each block lies within its operand, and the buffers have room for one block each.
                unsafe {
                    // From here on b is its block [k, n]: where it is, or packed, for the L3 cache.
                    let mut b = p.b.add(pc * p.b_row + jc * p.b_col);
                    let [mut b_row, mut b_col] = [p.b_row, p.b_col];
                    if pack_b {
                        K::pack_b(
                            &Block { width: n, k, from: b, step_w: b_col, step_p: b_row },
                            b_packed,
                            pitch,
                        );
                        (b, b_row, b_col) = (b_packed, K::NR, pitch);
                    }
                    // Loop 3: MC rows of a and c, from row ic on.
                    for ic in (0..p.m).step_by(mc) {
                        let m = mc.min(p.m - ic);
                        // And a is its block [m, k]: where it is, or packed, for the L2 cache.
                        let mut a = p.a.add(ic * p.a_row + pc * p.a_col);
                        let [mut a_row, mut a_col] = [p.a_row, p.a_col];
                        if pack_a {
                            K::pack_a(
                                &Block { width: m, k, from: a, step_w: a_row, step_p: a_col },
                                a_packed,
                                pitch,
                            );
                            (a, a_row, a_col) = (a_packed, pitch, K::MR);
                        }
                        let finish = if last { p.finish.below(ic) } else { Finish::REPLACE }; // bias, relu: last
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

/// Loops 2 and 1 around the micro-kernel: block [m, k] of a times block [k, n] of b. A packed operand's step between panels is
/// `a_row`, `b_col` a row or column: a panel of MR rows begins at `a + ir * a_row` either way.
pub(in crate::kernels) unsafe fn macro_kernel<K: Microkernel>(
    p: &Product<K::Element>,
    pack_a: bool,
    pack_b: bool,
) {
    let [mr, nr] = if pack_a || pack_b { [K::MR, K::NR] } else { tile_shape::<K>(p) };
    // The columns split evenly, unless packing has fixed the panels: a narrow tile keeps the units less busy. Tiles that are
    // whole groups wide have copies for whole groups.
    let even = even_step(p.n, nr);
    let even = if nr.is_multiple_of(GROUP) { even.next_multiple_of(GROUP) } else { even };
    let step = if pack_b { nr } else { even };
    let mut jr = 0; // loop 2: NR columns, whose panel of b stays in L1
    while jr < p.n {
        let cols = step.min(p.n - jr);
        let mut ir = 0; // loop 1: MR rows, whose panel of a comes from L2
        while ir < p.m {
            let rows = mr.min(p.m - ir);
            // SAFETY: the tile lies within the block.
            unsafe {
                let tile = Product {
                    m: rows,
                    n: cols,
                    a: p.a.add(ir * p.a_row),
                    b: p.b.add(jr * p.b_col),
                    b_col: if pack_b { 1 } else { p.b_col },
                    c: p.c.add(ir * p.c_row + jr * p.c_col),
                    finish: p.finish.at(ir, jr),
                    ..*p
                };
                if p.c_row != 1 && rows > 1 {
                    micro::scattered::<K>(&tile);
                } else if pack_a && pack_b {
                    K::packed(&tile);
                } else {
                    K::direct(&tile);
                }
            }
            ir += rows;
        }
        jr += cols;
    }
}

/// The least step, at most `most`, that covers `len` in as few steps.
#[inline(always)]
fn even_step(len: usize, most: usize) -> usize {
    if len <= most { len } else { len.div_ceil(len.div_ceil(most)) }
}
