//! The micro-kernel of screening: a product of 16-bit integers, compared with its bound before it leaves the registers.
//!
//! Two neighbours along k share a 32-bit lane, a *pair*: one instruction multiplies all pairs of two registers and adds
//! the two products of each. See [`screen`](crate::kernels::screen) for what the tile decides, and why it may.

use super::Vector;

/// A register of floats that has a companion of as many pairs of 16-bit integers.
///
/// # Safety
/// As [`Vector`].
pub(super) trait Pairs: Vector<Element = f32> {
    /// As many pairs, or sums of 32 bits, as the vector has floats.
    type Pairs: Copy;

    unsafe fn no_sums() -> Self::Pairs;
    unsafe fn load_pairs(from: *const i32) -> Self::Pairs;
    unsafe fn splat_pair(pair: i32) -> Self::Pairs;
    /// In each lane, `sum + a0 b0 + a1 b1`.
    unsafe fn add_products(sum: Self::Pairs, a: Self::Pairs, b: Self::Pairs) -> Self::Pairs;
    /// Each sum as a float, rounded to nearest.
    unsafe fn from_sums(sums: Self::Pairs) -> Self;
    /// The lanes where `self <= other` does not hold, a bit each; NaN in either is such a lane.
    unsafe fn not_at_most(self, other: Self) -> u32;
}

/// What is known of a quantized vector v besides its integers: `v = scale * integers + residual`.
///
/// For a panel these stand as three arrays of the panel's width, one after the other.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Bounds {
    /// A power of two.
    pub scale: f32,
    /// At least the norm of v and that of `scale * integers`. NaN if nothing is known.
    pub norm: f32,
    /// At least the norm of the residual, with some room for rounding. NaN if nothing is known.
    pub error: f32,
}

/// A panel of rows of x by a panel of columns of w.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Tile {
    /// Pairs along k.
    pub pairs: usize,
    /// `pairs` times ROWS pairs, aligned.
    pub x: *const i32,
    /// The rows' scales, norms and errors: three times ROWS.
    pub x_bounds: *const f32,
    /// `pairs` times COLS pairs.
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
    /// Rows of a tile, at most 32.
    const ROWS: usize;
    /// Columns of a tile.
    const COLS: usize;

    /// Quantizes a vector; `to` is as long, or longer by one integer that becomes zero.
    unsafe fn quantize(from: &[f32], to: &mut [i16]) -> Bounds;

    /// For each column of the tile, the rows whose sum with the bias is not certainly at most zero, a bit each.
    unsafe fn tile(tile: &Tile, candidates: &mut [u32]);

    /// The dot products of one vector of length k with one, or two, of others, each in the same order of summation.
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
            unsafe fn quantize(from: &[f32], to: &mut [i16]) -> super::screen::Bounds {
                super::screen::quantize(from, to)
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
pub(super) unsafe fn tile<V: Pairs, const VECS: usize, const COLS: usize>(t: &Tile, candidates: &mut [u32]) {
    let rows = VECS * V::LANES;
    let candidates = &mut candidates[..COLS];
    // SAFETY: the caller vouches for the instruction set and for the memory that the tile describes.
    unsafe {
        let mut sums = [[V::no_sums(); VECS]; COLS];
        let (mut x, mut w) = (t.x, t.w);
        for _ in 0..t.pairs {
            let column: [_; VECS] = std::array::from_fn(|v| V::load_pairs(x.add(v * V::LANES)));
            for j in 0..COLS {
                let pair = V::splat_pair(*w.add(j));
                for v in 0..VECS {
                    sums[j][v] = V::add_products(sums[j][v], column[v], pair);
                }
            }
            x = x.add(rows);
            w = w.add(COLS);
        }
        for j in 0..COLS {
            let splat = |of: usize| *t.w_bounds.add(of * COLS + j);
            let [scale, norm, error] = [V::splat(splat(0)), V::splat(-splat(1)), V::splat(-splat(2))];
            let bias = V::splat(*t.bias.add(j));
            candidates[j] = 0;
            for v in 0..VECS {
                let row = |of: usize| V::load(t.x_bounds.add(of * rows + v * V::LANES));
                let below = row(1).mul_add(error, row(2).mul_add(norm, V::zero()));
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
pub(super) unsafe fn dots<V: Vector<Element = f32>, const ROWS: usize>(
    k: usize,
    a: *const f32,
    b: [*const f32; ROWS],
) -> [f32; ROWS] {
    let mut sums = [[0.0; super::MAX_LANES]; ROWS];
    // SAFETY: the caller vouches for the instruction set and for k elements of each vector.
    unsafe {
        let mut strands = [[V::zero(); STRANDS]; ROWS];
        let step = STRANDS * V::LANES;
        let whole = k / step * step;
        for p in (0..whole).step_by(step) {
            for s in 0..STRANDS {
                let x = V::load(a.add(p + s * V::LANES));
                for r in 0..ROWS {
                    strands[r][s] = x.mul_add(V::load(b[r].add(p + s * V::LANES)), strands[r][s]);
                }
            }
        }
        for p in (whole..k).step_by(V::LANES) {
            let head = V::head(V::LANES.min(k - p));
            let x = V::load_head(a.add(p), head);
            for r in 0..ROWS {
                strands[r][0] = x.mul_add(V::load_head(b[r].add(p), head), strands[r][0]);
            }
        }
        for r in 0..ROWS {
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

/// Adds to a float below 2²² in size to round it: its integer then stands in the last bits of the sum.
const ROUNDER: f32 = 12582912.0; // 1.5 * 2²³

/// See [`Screener::quantize`]. The page on screening derives each number in here.
#[inline(always)]
pub(super) fn quantize(from: &[f32], to: &mut [i16]) -> Bounds {
    let (to, rest) = to.split_at_mut(from.len());
    rest.fill(0);
    let norm = 1.03125 * sum_squares(from, |x| x).sqrt();
    if !(MOST.recip()..=MOST).contains(&norm) {
        to.fill(0);
        let unknown = if from.iter().all(|&x| x == 0.0) { 0.0 } else { f32::NAN };
        return Bounds { scale: 1.0, norm: unknown, error: unknown };
    }
    // 2¹⁴ <= norm / scale < 2¹⁵
    let scale = f32::from_bits((norm.to_bits() & 0x7f80_0000) - (14 << 23));
    let inverse = scale.recip();
    for (to, &x) in to.iter_mut().zip(from) {
        *to = (x * inverse + ROUNDER).to_bits() as i16;
    }
    let residual = sum_squares(from, |x| {
        let x = x * inverse;
        x - (x + ROUNDER - ROUNDER)
    });
    let error = 1.015625 * residual.sqrt() * scale + norm / (1 << 20) as f32;
    Bounds { scale, norm, error }
}

/// The largest norm that is quantized, and the inverse of the least: no scale then over- or underflows, nor does a
/// product of two.
const MOST: f32 = (1u64 << 40) as f32;

/// Σ f(x)²
#[inline(always)]
fn sum_squares(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut strands = [0.0f32; 32];
    let chunks = x.chunks_exact(strands.len());
    let rest = chunks.remainder();
    for chunk in chunks {
        for (sum, &x) in strands.iter_mut().zip(chunk) {
            *sum += f(x) * f(x);
        }
    }
    strands.iter().sum::<f32>() + rest.iter().map(|&x| f(x) * f(x)).sum::<f32>()
}
