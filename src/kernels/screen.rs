//! `y = max(x w + b, 0)` where most of y is zero, without computing most of it in floating point.
//!
//! Rows of x and columns of w are rounded to 16-bit integers, each with a scale. A product of integers is exact and
//! costs half of one of floats. What it differs from `x w` by is bounded, row by column: where it lies below zero by
//! more than that bound, y is zero for certain. The other places, *candidates*, become dot products of floats.
//! `docs/screening.md` has the proof.
//!
//! The work is split by groups of columns, whose integers and floats fit the L2 cache together with those of a block of
//! rows. Every candidate's sum runs in the same order, wherever and by whom it is computed.

use std::cell::RefCell;
use std::slice;

use super::isa::Isa;
use super::micro::Microkernel;
use super::micro::screen::{Bounds, Screener, Tile};
use super::pack::Buffer;
use super::threads::parallel;
use crate::element::Mat;

/// The longest sums that the proof covers: their rounding stays below a part in 2⁸.
const LONGEST: usize = 1 << 16;

/// Rows that are quantized at a time, so that scratch memory stays small.
const CHUNK: usize = 2048;

/// Rows of a block, a multiple of any tile's.
const BLOCK: usize = 96;

/// Columns of a group, a multiple of any tile's.
const GROUP: usize = 48;

/// `y = max(x w + bias, 0)` for x of `size[0]` x `size[1]`, w of `size[1]` x `size[2]` and a row-major y; NaN stays NaN.
///
/// Returns false, and does nothing, where that is not possible: it takes AVX2 or AVX-512 with VNNI, contiguous rows of x,
/// contiguous rows or columns of w, and 1 to 65536 of the latter's elements.
///
/// Active values differ from those of [`Element::gemm`](crate::Element::gemm) by rounding. So may whether a value that is
/// zero but for rounding is active.
///
/// # Panics
/// If an operand is too short for its size and strides.
pub fn linear_relu(size: [usize; 3], x: Mat<f32>, w: Mat<f32>, bias: &[f32], y: &mut [f32]) -> bool {
    let [m, k, n] = size;
    let contiguous = x.col_stride == 1 && (w.col_stride == 1 || w.row_stride == 1);
    if !contiguous || k == 0 || k > LONGEST {
        return false;
    }
    if m == 0 || n == 0 {
        return matches!(Isa::current(), Isa::Avx2 | Isa::Avx512);
    }
    assert!(x.data.len() >= (m - 1) * x.row_stride + k, "screen: x is too short");
    assert!(w.data.len() > (k - 1) * w.row_stride + (n - 1) * w.col_stride, "screen: w is too short");
    assert!(bias.len() >= n && y.len() >= m * n, "screen: bias or y is too short");
    let (bias, y) = (bias.as_ptr(), y.as_mut_ptr());
    let product = Product { m, k, n, x: x.data.as_ptr(), x_row: x.row_stride, w, bias, y };
    match Isa::current() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: operands are checked above, and `current` names only what this machine has.
        Isa::Avx2 => unsafe { run::<avx2::Screen, avx2::F32>(&product) },
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 if is_x86_feature_detected!("avx512vnni") => {
            // SAFETY: as above.
            unsafe { run::<avx512::Screen, avx512::F32>(&product) }
        }
        _ => return false,
    }
    true
}

#[cfg(target_arch = "x86_64")]
use super::micro::{avx2, avx512};

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
    static ROWS: RefCell<[Buffer; 2]> = const { RefCell::new([Buffer::new(), Buffer::new()]) };
    /// Of a group of columns: the floats column by column, the integers, their bounds; a panel before it is packed.
    static COLUMNS: RefCell<[Buffer; 4]> =
        const { RefCell::new([Buffer::new(), Buffer::new(), Buffer::new(), Buffer::new()]) };
}

/// Panels of quantized vectors.
#[derive(Clone, Copy)]
struct Panels {
    /// Vectors of a panel.
    width: usize,
    /// Length of a vector, in pairs.
    pairs: usize,
    /// `width * pairs` a panel.
    integers: *mut i32,
    /// `3 * width` a panel.
    bounds: *mut f32,
}

// SAFETY: threads write disjoint panels, and read only when all are written.
unsafe impl Sync for Panels {}

impl Panels {
    /// Quantizes the vectors `first..first + width` of `count`, of length k and `step` elements apart.
    ///
    /// # Safety
    /// The instruction set is available; there is room for the panel, and in `scratch` for its integers.
    unsafe fn quantize<S: Screener, K: Microkernel<Element = f32>>(
        &self,
        first: usize,
        count: usize,
        (from, step, k): (*const f32, usize, usize),
        scratch: *mut i16,
    ) {
        let Panels { width, pairs, .. } = *self;
        // SAFETY: the caller's. Packing may scribble over the panel after this one, unless `width` is a multiple of
        // a register's lanes.
        unsafe {
            let bounds = self.bounds.add(first * 3);
            for i in 0..width {
                let to = slice::from_raw_parts_mut(scratch.add(i * 2 * pairs), 2 * pairs);
                let bound = if first + i < count {
                    S::quantize(slice::from_raw_parts(from.add((first + i) * step), k), to)
                } else {
                    to.fill(0);
                    Bounds { scale: 1.0, norm: 0.0, error: 0.0 }
                };
                for (at, x) in [bound.scale, bound.norm, bound.error].into_iter().enumerate() {
                    *bounds.add(at * width + i) = x;
                }
            }
            // A pair has the bits of a float, as far as packing is concerned.
            let to = self.integers.add(first * pairs);
            K::pack(width, [width, pairs], scratch.cast(), [pairs, 1], to.cast());
        }
    }
}

/// # Safety
/// The instruction set is available, and the pointers are valid.
unsafe fn run<S: Screener, K: Microkernel<Element = f32>>(product: &Product) {
    let Product { m, k, n, x, x_row, .. } = *product;
    const { assert!(BLOCK.is_multiple_of(S::ROWS) && GROUP.is_multiple_of(S::COLS)) };
    let (width, pairs) = (S::ROWS, k.div_ceil(2));
    let rows = m.next_multiple_of(width).min(CHUNK);
    ROWS.with_borrow_mut(|[integers, bounds]| {
        let panels =
            Panels { width, pairs, integers: integers.room(rows * pairs), bounds: bounds.room(rows * 3) };
        for start in (0..m).step_by(CHUNK) {
            let rows = CHUNK.min(m - start);
            parallel(rows.div_ceil(BLOCK), &|block| {
                COLUMNS.with_borrow_mut(|[.., scratch]| {
                    let scratch = scratch.room(width * 2 * pairs);
                    for first in (block * BLOCK..rows.min((block + 1) * BLOCK)).step_by(width) {
                        // SAFETY: the caller's; the buffers have room for every panel.
                        unsafe {
                            let from = product_row(product, start);
                            panels.quantize::<S, K>(first, rows, (from, x_row, k), scratch);
                        }
                    }
                });
            });
            parallel(n.div_ceil(GROUP), &|group| {
                // SAFETY: the caller's, and every group has columns of its own.
                unsafe { columns::<S, K>(product, start..start + rows, &panels, group * GROUP) }
            });
        }
    });
    let _ = x;
}

/// # Safety
/// There is such a row.
unsafe fn product_row(product: &Product, i: usize) -> *const f32 {
    // SAFETY: the caller's.
    unsafe { product.x.add(i * product.x_row) }
}

/// Computes some rows of a group of columns.
///
/// # Safety
/// As [`run`]; `x` holds the rows, and nobody else writes to these columns.
unsafe fn columns<S: Screener, K: Microkernel<Element = f32>>(
    product: &Product,
    rows: std::ops::Range<usize>,
    x: &Panels,
    first: usize,
) {
    let Product { k, n, w, .. } = *product;
    let (cols, pairs, width) = (GROUP.min(n - first), x.pairs, S::COLS);
    COLUMNS.with_borrow_mut(|[floats, integers, bounds, scratch]| {
        let panels =
            Panels { width, pairs, integers: integers.room(GROUP * pairs), bounds: bounds.room(GROUP * 3) };
        let mut bias = [0.0; GROUP];
        // SAFETY: the caller's; the buffers have room for the group.
        unsafe {
            let start = w.data.as_ptr().add(first * w.col_stride);
            let (floats, step) = if w.row_stride == 1 {
                (start, w.col_stride)
            } else {
                let floats = floats.room(cols * k);
                K::pack(k, [k, cols], start, [w.row_stride, 1], floats);
                (floats.cast_const(), k)
            };
            let scratch = scratch.room(width * 2 * pairs);
            for panel in (0..cols).step_by(width) {
                panels.quantize::<S, K>(panel, cols, (floats, step, k), scratch);
            }
            bias[..cols].copy_from_slice(slice::from_raw_parts(product.bias.add(first), cols));
            let mut i = rows.start;
            while i < rows.end {
                let block = BLOCK.min(rows.end - i);
                screen_block::<S>(product, [i, rows.start, block], x, [first, cols], &panels, &bias, (floats, step));
                i += block;
            }
        }
    });
}

#[allow(clippy::too_many_arguments)]
unsafe fn screen_block<S: Screener>(
    product: &Product,
    [i, chunk, rows]: [usize; 3],
    x: &Panels,
    [first, cols]: [usize; 2],
    w: &Panels,
    bias: &[f32; GROUP],
    (floats, step): (*const f32, usize),
) {
    let mut masks = [[0u32; GROUP]; BLOCK / 16];
    let Product { k, n, y, .. } = *product;
    unsafe {
        for r in 0..rows {
            slice::from_raw_parts_mut(y.add((i + r) * n + first), cols).fill(0.0);
        }
        for jr in (0..cols).step_by(S::COLS) {
            for (ir, masks) in (0..rows).step_by(S::ROWS).zip(&mut masks) {
                let at = i - chunk + ir;
                let tile = Tile {
                    pairs: x.pairs,
                    x: x.integers.add(at * x.pairs),
                    x_bounds: x.bounds.add(at * 3),
                    w: w.integers.add(jr * x.pairs),
                    w_bounds: w.bounds.add(jr * 3),
                    bias: bias.as_ptr().add(jr),
                };
                S::tile(&tile, &mut masks[jr..]);
            }
        }
        let mut list = [0usize; BLOCK + 2];
        for j in 0..cols {
            let mut count = 0;
            for (ir, masks) in (0..rows).step_by(S::ROWS).zip(&masks) {
                let mut bits = masks[j];
                if rows - ir < S::ROWS {
                    bits &= (1 << (rows - ir)) - 1;
                }
                while bits != 0 {
                    list[count] = i + ir + bits.trailing_zeros() as usize;
                    count += 1;
                    bits &= bits - 1;
                }
            }
            let column = floats.add(j * step);
            let put = |i: usize, dot: f32| {
                let sum = dot + bias[j];
                *y.add(i * n + first + j) = if sum > 0.0 || sum.is_nan() { sum } else { 0.0 };
            };
            for pair in list[..count].chunks(2) {
                if let &[p, q] = pair {
                    let [a, b] = S::two_dots(k, column, [product_row(product, p), product_row(product, q)]);
                    put(p, a);
                    put(q, b);
                } else {
                    put(pair[0], S::dot(k, column, product_row(product, pair[0])));
                }
            }
        }
    }
}
