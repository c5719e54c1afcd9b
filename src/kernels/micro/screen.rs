//! The micro-kernel of screening: a product of 8-bit integers, compared with its bound before it leaves the registers.
//!
//! Four neighbours along k share a 32-bit lane, a *quad*: one instruction multiplies all quads of two registers and adds
//! the products of each quad, all four or two by two. It takes the bytes of one operand, the rows of x, as unsigned: they
//! are the integers plus [`Quads::LARGEST`]. What that adds to a sum is a number for each column, which stands in its
//! panel, as a *correction* before every [`RUN`] quads. A panel has the quads of all its vectors side by side. Of two columns a
//! and b of w it is, with the numbers along k that make up a quad in brackets:
//!
//! ```text
//! correction of a, correction of b, a[0..4], b[0..4], a[4..8], b[4..8], … a[60..64], b[60..64], correction of a, …
//! ```
//!
//! See [`screen`](crate::kernels::screen) for what the tile decides, and `docs/screening.md` for why it may.

use super::Vector;

/// Quads between two corrections.
pub(in crate::kernels) const RUN: usize = 16;

/// The most rows that a tile may have: bits of a number.
pub(in crate::kernels) const MOST_ROWS: usize = 32;

/// A register of floats that has a companion of as many quads of 8-bit integers.
///
/// # Safety
/// As [`Vector`].
pub(super) trait Quads: Vector<Element = f32> {
    /// The largest integer, either sign.
    const LARGEST: u8;
    /// The largest norm of the integers in one half of the quads of a run.
    const LARGEST_NORM: f32;
    /// As many quads, or sums of 32 bits, as the vector has floats.
    type Quads: Copy;

    /// The correction for integers of a column whose sums over the first and the second halves of a run's quads are
    /// these.
    fn correction(sums: [i32; 2]) -> i32;
    unsafe fn no_sums() -> Self::Quads;
    unsafe fn load_quads(from: *const i32) -> Self::Quads;
    unsafe fn splat_quad(quad: i32) -> Self::Quads;
    /// Begins a run.
    unsafe fn begin(sums: Self::Quads, correction: Self::Quads) -> Self::Quads;
    /// Adds, in each lane, a0 b0 + a1 b1 + a2 b2 + a3 b3 to the run, with unsigned `a`.
    unsafe fn add_products(run: Self::Quads, a: Self::Quads, b: Self::Quads) -> Self::Quads;
    /// The sums after a run.
    unsafe fn end(sums: Self::Quads, run: Self::Quads) -> Self::Quads;
    /// Each sum as a float, rounded to nearest.
    unsafe fn from_sums(sums: Self::Quads) -> Self;
    /// The lanes where `self <= other` does not hold, a bit each; NaN in either is such a lane.
    unsafe fn not_at_most(self, other: Self) -> u32;
}

/// What is known of a quantized vector v besides its integers: `v = scale * integers + residual`.
///
/// For a panel these are three arrays of the panel's width, one after the other.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Bounds {
    pub scale: f32,
    /// At least the norm of v. NaN if nothing is known.
    pub norm: f32,
    /// At least the norm of the residual, with some room for rounding. NaN if nothing is known.
    pub error: f32,
}

/// A panel of rows of x by a panel of columns of w.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Tile {
    /// Runs along k.
    pub runs: usize,
    /// `runs` times RUN times ROWS quads, aligned.
    pub x: *const i32,
    /// The rows' scales, norms and errors: three times ROWS.
    pub x_bounds: *const f32,
    /// `runs` times RUN + 1 times COLS quads, of which the first of a run is its correction.
    pub w: *const i32,
    /// The columns' scales, norms and errors: three times COLS.
    pub w_bounds: *const f32,
    /// Of each column.
    pub bias: *const f32,
}

/// The loops of screening for one instruction set.
///
/// # Safety
/// Callable only where the instruction set is available; pointers must be valid for what the sizes describe.
pub(in crate::kernels) trait Screener {
    /// Rows of a tile, at most [`MOST_ROWS`].
    const ROWS: usize;
    /// Columns of a tile.
    const COLS: usize;

    /// Quantizes a row of x: to RUN quads for every run that it begins.
    unsafe fn quantize_row(from: &[f32], to: &mut [u8]) -> Bounds;
    /// Quantizes a column of w, with its corrections: to RUN + 1 quads.
    unsafe fn quantize_column(from: &[f32], to: &mut [u8]) -> Bounds;

    /// For each column of the tile, the rows whose sum with the bias is not certainly at most zero, a bit each.
    unsafe fn tile(tile: &Tile, candidates: &mut [u32]);

    /// The dot products of a vector of length k with one other, or with two, each in the same order of summation.
    unsafe fn dot(k: usize, a: *const f32, b: *const f32) -> f32;
    unsafe fn two_dots(k: usize, a: *const f32, b: [*const f32; 2]) -> [f32; 2];
}

/// Makes a unit struct a [`Screener`]: the generic code, compiled with the instruction set's features.
macro_rules! screener {
    ($(#[$meta:meta])* $name:ident: $vector:ty, features $features:literal, tile [$vecs:literal, $cols:literal]) => {
        $(#[$meta])*
        pub(in crate::kernels) struct $name;

        impl super::screen::Screener for $name {
            const ROWS: usize = $vecs * <$vector as super::Vector>::LANES;
            const COLS: usize = $cols;

            #[target_feature(enable = $features)]
            unsafe fn quantize_row(from: &[f32], to: &mut [u8]) -> super::screen::Bounds {
                super::screen::quantize::<$vector, false>(from, to)
            }

            #[target_feature(enable = $features)]
            unsafe fn quantize_column(from: &[f32], to: &mut [u8]) -> super::screen::Bounds {
                super::screen::quantize::<$vector, true>(from, to)
            }

            #[target_feature(enable = $features)]
            unsafe fn tile(tile: &super::screen::Tile, candidates: &mut [u32]) {
                // SAFETY: the features are enabled here, and below; the rest is the caller's.
                unsafe { super::screen::tile::<$vector, $vecs, $cols>(tile, candidates) }
            }

            #[target_feature(enable = $features)]
            unsafe fn dot(k: usize, a: *const f32, b: *const f32) -> f32 {
                // SAFETY: as above.
                unsafe { super::screen::dots::<$vector, 1>(k, a, [b])[0] }
            }

            #[target_feature(enable = $features)]
            unsafe fn two_dots(k: usize, a: *const f32, b: [*const f32; 2]) -> [f32; 2] {
                // SAFETY: as above.
                unsafe { super::screen::dots::<$vector, 2>(k, a, b) }
            }
        }
    };
}
pub(super) use screener;

/// See [`Screener::tile`].
#[inline(always)]
pub(super) unsafe fn tile<V: Quads, const VECS: usize, const COLS: usize>(t: &Tile, candidates: &mut [u32]) {
    let rows = VECS * V::LANES;
    let candidates = &mut candidates[..COLS];
    // SAFETY: the caller guarantees the instruction set and for the memory that the tile describes.
    unsafe {
        let mut sums = [[V::no_sums(); VECS]; COLS];
        let (mut x, mut w) = (t.x, t.w);
        for _ in 0..t.runs {
            let mut run = sums;
            for j in 0..COLS {
                let correction = V::splat_quad(*w.add(j));
                for v in 0..VECS {
                    run[j][v] = V::begin(sums[j][v], correction);
                }
            }
            w = w.add(COLS);
            for _ in 0..RUN {
                for j in 0..COLS {
                    let quad = V::splat_quad(*w.add(j));
                    for v in 0..VECS {
                        run[j][v] = V::add_products(run[j][v], V::load_quads(x.add(v * V::LANES)), quad);
                    }
                }
                x = x.add(rows);
                w = w.add(COLS);
            }
            for j in 0..COLS {
                for v in 0..VECS {
                    sums[j][v] = V::end(sums[j][v], run[j][v]);
                }
            }
        }
        // -bound = -(x.norm w.error + x.error (w.norm + w.error))
        for j in 0..COLS {
            let w_bound = |of: usize| *t.w_bounds.add(of * COLS + j);
            let (scale, norm, error) = (w_bound(0), w_bound(1), w_bound(2));
            let [scale, whole, error] = [V::splat(scale), V::splat(-(norm + error)), V::splat(-error)];
            let bias = V::splat(*t.bias.add(j));
            candidates[j] = 0;
            for v in 0..VECS {
                let row = |of: usize| V::load(t.x_bounds.add(of * rows + v * V::LANES));
                let below = row(1).mul_add(error, row(2).mul_add(whole, V::zero()));
                let scaled = V::from_sums(sums[j][v]).mul_add(scale, V::zero());
                let sum = scaled.mul_add(row(0), bias);
                candidates[j] |= sum.not_at_most(below) << (v * V::LANES);
            }
        }
    }
}

/// Strands that a dot product's sum runs in, vectors each: as many as keep the adders busy.
const STRANDS: usize = 4;

/// See [`Screener::dot`].
#[inline(always)]
pub(super) unsafe fn dots<V: Vector<Element = f32>, const COUNT: usize>(
    k: usize,
    a: *const f32,
    b: [*const f32; COUNT],
) -> [f32; COUNT] {
    let mut sums = [[0.0; super::MAX_LANES]; COUNT];
    // SAFETY: the caller guarantees the instruction set and for k elements of each vector.
    unsafe {
        let mut strands = [[V::zero(); STRANDS]; COUNT];
        let step = STRANDS * V::LANES;
        let whole = k / step * step;
        for p in (0..whole).step_by(step) {
            for s in 0..STRANDS {
                let x = V::load(a.add(p + s * V::LANES));
                for r in 0..COUNT {
                    strands[r][s] = x.mul_add(V::load(b[r].add(p + s * V::LANES)), strands[r][s]);
                }
            }
        }
        for p in (whole..k).step_by(V::LANES) {
            let head = V::head(V::LANES.min(k - p));
            let x = V::load_head(a.add(p), head);
            for r in 0..COUNT {
                strands[r][0] = x.mul_add(V::load_head(b[r].add(p), head), strands[r][0]);
            }
        }
        for r in 0..COUNT {
            let [s0, s1, s2, s3] = strands[r];
            s0.add(s1).add(s2.add(s3)).store(sums[r].as_mut_ptr());
        }
    }
    sums.map(|mut lanes| {
        let mut half = V::LANES / 2;
        while half > 0 {
            for l in 0..half {
                lanes[l] += lanes[l + half];
            }
            half /= 2;
        }
        lanes[0]
    })
}

/// Numbers of a run.
const CHUNK: usize = 4 * RUN;

/// The largest norm that is quantized, and the inverse of the least: no scale then over- or underflows, nor does a
/// product of two.
const MOST: f32 = (1u64 << 40) as f32;

/// Added to a float below 2²² in size, rounds it: the integer is then in the last bits of the sum.
const ROUNDER: f32 = 12582912.0; // 1.5 * 2²³

/// Quantizes a row of x, or a `COLUMN` of w, with its corrections.
#[inline(always)]
pub(super) fn quantize<V: Quads, const COLUMN: bool>(from: &[f32], to: &mut [u8]) -> Bounds {
    let (lead, offset) = if COLUMN { (4, 0) } else { (0, V::LARGEST) };
    let [largest, half, square] = sizes(from);
    // Sums of k squares, and what is computed of them, are off by less than this.
    let room = 1.0 + (from.len() + 16) as f32 / (1 << 24) as f32;
    let norm = square.sqrt() * room;
    if !(MOST.recip()..=MOST).contains(&norm) {
        to.fill(offset);
        if COLUMN {
            to.fill(0);
        }
        let unknown = if from.iter().all(|&x| x == 0.0) { 0.0 } else { f32::NAN };
        return Bounds { scale: 1.0, norm: unknown, error: unknown };
    }
    // Rounding may add a half to each of the 2 RUN integers of a half.
    let half_norm = V::LARGEST_NORM - (2.0 * RUN as f32).sqrt() / 2.0;
    let scale = (largest / (f32::from(V::LARGEST) + 0.4)).max(half.sqrt() * room / half_norm);
    let inverse = scale.recip();
    let mut squares = [0.0f32; 16];
    let mut chunk = [0.0f32; CHUNK];
    for (from, to) in from.chunks(CHUNK).zip(to.chunks_exact_mut(lead + CHUNK)) {
        let from = if from.len() == CHUNK {
            from
        } else {
            chunk[..from.len()].copy_from_slice(from);
            chunk[from.len()..].fill(0.0);
            &chunk
        };
        let (correction, to) = to.split_at_mut(lead);
        for (from, to) in from.chunks_exact(16).zip(to.chunks_exact_mut(16)) {
            for l in 0..16 {
                let sum = from[l] * inverse + ROUNDER;
                let residual = from[l] - (sum - ROUNDER) * scale;
                squares[l] += residual * residual;
                to[l] = (sum.to_bits() as u8).wrapping_add(offset);
            }
        }
        if COLUMN {
            let mut sums = [0i32; 4];
            for quad in to.chunks_exact(4) {
                for l in 0..4 {
                    sums[l] += i32::from(quad[l] as i8);
                }
            }
            let sums = V::correction([sums[0] + sums[1], sums[2] + sums[3]]);
            correction.copy_from_slice(&sums.to_le_bytes());
        }
    }
    let error = squares.iter().sum::<f32>().sqrt() * room + norm / (1 << 18) as f32;
    Bounds { scale, norm, error }
}

/// The largest number, the largest sum of squares in one half of the quads of a run, and the sum of all squares.
#[inline(always)]
fn sizes(x: &[f32]) -> [f32; 3] {
    let (mut largest, mut half, mut square) = ([0.0f32; 8], 0.0f32, 0.0f32);
    let mut chunk = [0.0f32; CHUNK];
    for x in x.chunks(CHUNK) {
        let x = if x.len() == CHUNK {
            x
        } else {
            chunk[..x.len()].copy_from_slice(x);
            chunk[x.len()..].fill(0.0);
            &chunk
        };
        let mut squares = [0.0f32; 8];
        for x in x.chunks_exact(8) {
            for l in 0..8 {
                largest[l] = if x[l].abs() > largest[l] { x[l].abs() } else { largest[l] };
                squares[l] += x[l] * x[l];
            }
        }
        let [a, b, c, d, e, f, g, h] = squares;
        let halves = [(a + b) + (e + f), (c + d) + (g + h)];
        half = half.max(halves[0]).max(halves[1]);
        square += halves[0] + halves[1];
    }
    [largest.into_iter().fold(0.0, f32::max), half, square]
}
