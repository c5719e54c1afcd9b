//! `y = max(x w + b, 0)` where most of y is zero, without computing most of it in floating point.
//!
//! Rows of x and columns of w are rounded to 8-bit integers, each with a scale. A product of integers is exact, and costs
//! less than half of one of floats. What it differs from `x w` by is bounded, row by column: where it lies below zero by
//! more than that bound, y is zero for certain. The other elements, *candidates*, become dot products of floats.
//! `docs/screening.md` has the proof.
//!
//! The work is split by groups of columns, whose integers and floats stay in the L2 cache while all rows pass by, a
//! panel at a time. Every candidate's sum runs in the same order, wherever and by whom it is computed.

mod pays;

pub(super) use pays::pays_here;
pub use pays::{estimate_density, pays};

use std::ops::Range;
use std::slice;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::kernels::isa::Isa;
use crate::kernels::matmul::pack::{Kept, kept, with_kept};
use crate::kernels::micro::screen::{Bounds, MOST_ROWS, RUN, Screener, Tile};
use crate::kernels::micro::{Block, Microkernel};
#[cfg(target_arch = "x86_64")]
use crate::kernels::micro::{avx2, avx512};
use crate::kernels::threads::parallel;
use crate::matrix::Mat;
use crate::matrix::size::check_operand;

/// The longest sums that the proof covers: their rounding stays below a part in 2⁸.
const LONGEST: usize = 1 << 16;

/// Rows that are quantized at a time, so that scratch memory stays small. A multiple of SHARE.
const CHUNK: usize = 2048;

/// Rows that a thread quantizes at a time, a multiple of any tile's.
const SHARE: usize = 64;

/// Columns of a group, a multiple of any tile's.
const GROUP: usize = 96;

/// Rows of the matrix that are copied to columns at a time. Their elements in one column fill a cache line, and they
/// are still in a cache when the next columns are copied, even if all of them compete for the same set of it.
const STRIP: usize = 16;

/// `y = max(x w + bias, 0)` for x of `size[0]` x `size[1]`, w of `size[1]` x `size[2]` and a row-major y; NaN stays NaN.
///
/// Returns how many candidates were computed. If they are more than a sixth of y, the dense product is hardly slower;
/// see [`pays`] for a guess beforehand.
///
/// Returns `None`, and does nothing, where screening is not possible: it takes AVX2 or AVX-512 with VNNI, contiguous rows
/// of x, contiguous rows or columns of w, and between 1 and 65536 numbers a row of x.
///
/// Active values differ from those of [`Products::gemm`](crate::matrix::Products::gemm) by rounding. So may whether a value
/// that is zero but for rounding is active.
///
/// # Panics
/// If an operand is too short for its size and strides.
pub fn linear_relu(size: [usize; 3], x: Mat<f32>, w: Mat<f32>, bias: &[f32], y: &mut [f32]) -> Option<usize> {
    let [m, k, n] = size;
    let contiguous = x.col_stride == 1 && (w.col_stride == 1 || w.row_stride == 1);
    if !contiguous || k == 0 || k > LONGEST {
        return None;
    }
    check_operand("screen: x", x.data.len(), [m, k], [x.row_stride, 1]);
    check_operand("screen: w", w.data.len(), [k, n], [w.row_stride, w.col_stride]);
    check_operand("screen: y", y.len(), [m, n], [n, 1]);
    assert!(bias.len() >= n, "screen: the bias is shorter than {n}");
    if m == 0 || n == 0 {
        return Some(0);
    }
    let (bias, y) = (bias.as_ptr(), y.as_mut_ptr());
    let product = Product { m, k, n, x: x.data.as_ptr(), x_row: x.row_stride, w, bias, y };
    match Isa::current() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: operands are checked above, and `current` names only what this machine has.
        Isa::Avx2 => Some(unsafe { run::<avx2::Screen, avx2::F32>(&product) }),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 if is_x86_feature_detected!("avx512vnni") => {
            // SAFETY: as above.
            Some(unsafe { run::<avx512::Screen, avx512::F32>(&product) })
        }
        _ => None,
    }
}

/// The operands, which threads look at together.
struct Product<'a> {
    m: usize,
    k: usize,
    n: usize,
    x: *const f32,
    x_row: usize,
    w: Mat<'a, f32>,
    bias: *const f32,
    y: *mut f32,
}

// SAFETY: what its pointers point to is only read, but for y, of which each thread writes its own columns.
unsafe impl Sync for Product<'_> {}

thread_local! {
    /// The integers of some rows of x, and their bounds.
    static ROWS: Kept<2> = const { kept() };
    /// Of a group of columns: the floats column by column, the integers, their bounds; a panel before it is packed.
    static COLUMNS: Kept<4> = const { kept() };
}

/// Vectors of floats, contiguous each.
#[derive(Clone, Copy)]
struct Vectors {
    data: *const f32,
    /// How many.
    count: usize,
    /// The length of each.
    len: usize,
    /// Elements between the beginnings of two.
    step: usize,
}

/// Quantized vectors, in panels.
#[derive(Clone, Copy)]
struct Panels {
    /// Vectors of a panel.
    width: usize,
    /// Quads of a vector, its corrections among them.
    quads: usize,
    /// `width * quads` a panel.
    integers: *mut i32,
    /// `3 * width` a panel.
    bounds: *mut f32,
}

// SAFETY: threads write disjoint panels, and read only when all are written.
unsafe impl Sync for Panels {}

impl Panels {
    /// Quantizes the panel that begins with vector `first`.
    ///
    /// # Safety
    /// The vectors are there and quantized by `quantize`; there is room for the panel, and in `scratch` for its
    /// integers.
    #[inline(always)]
    unsafe fn fill<K: Microkernel<Element = f32>>(
        &self,
        first: usize,
        from: Vectors,
        scratch: *mut i32,
        quantize: unsafe fn(&[f32], &mut [u8]) -> Bounds,
    ) {
        let Panels { width, quads, .. } = *self;
        // SAFETY: the caller's. Packing may overwrite the panel after this one, unless `width` is a multiple of
        // a register's lanes.
        unsafe {
            let bounds = self.bounds.add(first * 3);
            for i in 0..width {
                let to = slice::from_raw_parts_mut(scratch.add(i * quads).cast(), 4 * quads);
                // Beyond the last vector: anything that is finite.
                let vector = from.data.add((first + i).min(from.count - 1) * from.step);
                let bound = quantize(slice::from_raw_parts(vector, from.len), to);
                for (at, x) in [bound.scale, bound.norm, bound.error].into_iter().enumerate() {
                    *bounds.add(at * width + i) = x;
                }
            }
            // A quad has the bits of a float, as far as packing is concerned.
            let to = self.integers.add(first * quads);
            let block = Block { width, k: quads, from: scratch.cast(), step_w: quads, step_p: 1 };
            K::pack_panel(&block, to.cast(), width);
        }
    }
}

/// # Safety
/// The instruction set is available, and the pointers are valid.
unsafe fn run<S: Screener, K: Microkernel<Element = f32>>(p: &Product) -> usize {
    let candidates = AtomicUsize::new(0);
    const {
        assert!(CHUNK.is_multiple_of(SHARE) && SHARE.is_multiple_of(S::ROWS) && GROUP.is_multiple_of(S::COLS))
    };
    let (width, quads) = (S::ROWS, p.k.div_ceil(4 * RUN) * RUN);
    let rows = p.m.next_multiple_of(width).min(CHUNK);
    with_kept(&ROWS, |[integers, bounds]| {
        let x = Panels { width, quads, integers: integers.room(rows * quads), bounds: bounds.room(rows * 3) };
        for start in (0..p.m).step_by(CHUNK) {
            let rows = start..p.m.min(start + CHUNK);
            parallel(rows.len().div_ceil(SHARE), &|share| {
                // SAFETY: the rows are there; the buffers have room for their panels.
                unsafe {
                    let data = p.x.add(start * p.x_row);
                    let from = Vectors { data, count: rows.len(), len: p.k, step: p.x_row };
                    with_kept(&COLUMNS, |[.., scratch]| {
                        let scratch = scratch.room(width * quads);
                        let panels = share * SHARE..rows.len().min((share + 1) * SHARE);
                        for first in panels.step_by(width) {
                            x.fill::<K>(first, from, scratch, S::quantize_row);
                        }
                    });
                }
            });
            parallel(p.n.div_ceil(GROUP), &|group| {
                // SAFETY: the caller's, and every group has columns of its own.
                let found = unsafe { columns::<S, K>(p, rows.clone(), &x, group * GROUP) };
                candidates.fetch_add(found, Ordering::Relaxed);
            });
        }
    });
    candidates.into_inner()
}

/// Computes some rows of a group of columns; returns the number of candidates.
///
/// # Safety
/// As [`run`]; `x` holds the rows, and no other thread writes to these columns.
unsafe fn columns<S: Screener, K: Microkernel<Element = f32>>(
    p: &Product,
    rows: Range<usize>,
    x: &Panels,
    first: usize,
) -> usize {
    let (count, width, quads) = (GROUP.min(p.n - first), S::COLS, x.quads / RUN * (RUN + 1));
    with_kept(&COLUMNS, |[floats, integers, bounds, scratch]| {
        let integers =
            Panels { width, quads, integers: integers.room(GROUP * quads), bounds: bounds.room(GROUP * 3) };
        // SAFETY: the caller's; the buffers have room for the group.
        unsafe {
            let data = p.w.data.as_ptr().add(first * p.w.col_stride);
            let vectors = if p.w.row_stride == 1 {
                Vectors { data, count, len: p.k, step: p.w.col_stride }
            } else {
                let to: *mut f32 = floats.room(count * p.k);
                // From the last strip to the first: packing may overwrite what comes after a strip's columns.
                for strip in (0..p.k).step_by(STRIP).rev() {
                    let height = STRIP.min(p.k - strip);
                    let from = data.add(strip * p.w.row_stride);
                    let block = Block { width: height, k: count, from, step_w: p.w.row_stride, step_p: 1 };
                    K::pack_panel(&block, to.add(strip), p.k);
                }
                Vectors { data: to, count, len: p.k, step: p.k }
            };
            let scratch = scratch.room(width * quads);
            for panel in (0..count).step_by(width) {
                integers.fill::<K>(panel, vectors, scratch, S::quantize_column);
            }
            let mut bias = [0.0; GROUP];
            bias[..count].copy_from_slice(slice::from_raw_parts(p.bias.add(first), count));
            let group = Group { floats: vectors, integers, bias };
            let panels = (0..rows.len()).step_by(S::ROWS).map(|i| {
                let y = p.y.add((rows.start + i) * p.n + first);
                group.panel::<S>(p, x, i, [rows.start + i, S::ROWS.min(rows.len() - i)], y)
            });
            panels.sum()
        }
    })
}

/// A group of columns of w.
struct Group {
    floats: Vectors,
    integers: Panels,
    bias: [f32; GROUP],
}

impl Group {
    /// Computes the rows of y that the panel of x from row `at` on makes: `count` of them, the first of which is `first`
    /// and begins at `y`. Returns the number of candidates.
    ///
    /// # Safety
    /// As [`columns`].
    #[inline(always)]
    unsafe fn panel<S: Screener>(
        &self,
        p: &Product,
        x: &Panels,
        at: usize,
        [first, count]: [usize; 2],
        y: *mut f32,
    ) -> usize {
        let Group { floats, integers: w, ref bias } = *self;
        let mut rows = [0; GROUP];
        // Of each row, the columns where it has candidates.
        let mut candidates = [([0u8; GROUP], 0); MOST_ROWS];
        // SAFETY: the caller's.
        unsafe {
            for j in (0..floats.count).step_by(S::COLS) {
                let tile = Tile {
                    runs: x.quads / RUN,
                    x: x.integers.add(at * x.quads),
                    x_bounds: x.bounds.add(at * 3),
                    w: w.integers.add(j * w.quads),
                    w_bounds: w.bounds.add(j * 3),
                    bias: bias.as_ptr().add(j),
                };
                S::tile(&tile, &mut rows[j..]);
            }
            for (j, mut rows) in rows[..floats.count].iter().copied().enumerate() {
                while rows != 0 {
                    let (columns, count) = &mut candidates[rows.trailing_zeros() as usize];
                    columns[*count] = j as u8;
                    *count += 1;
                    rows &= rows - 1;
                }
            }
            for (i, (columns, found)) in candidates[..count].iter().enumerate() {
                let y = slice::from_raw_parts_mut(y.add(i * p.n), floats.count);
                y.fill(0.0);
                let row = p.x.add((first + i) * p.x_row);
                let column = |j: u8| floats.data.add(usize::from(j) * floats.step);
                let mut put = |j: u8, dot: f32| {
                    let sum = dot + bias[usize::from(j)];
                    // As the dense kernel's maximum, which keeps -0.
                    y[usize::from(j)] = if sum < 0.0 { 0.0 } else { sum };
                };
                for pair in columns[..*found].chunks(2) {
                    if let &[j, l] = pair {
                        let [a, b] = S::two_dots(p.k, row, [column(j), column(l)]);
                        put(j, a);
                        put(l, b);
                    } else {
                        put(pair[0], S::dot(p.k, row, column(pair[0])));
                    }
                }
            }
        }
        candidates[..count].iter().map(|(_, found)| found).sum()
    }
}
