//! 256-bit vectors with fused multiply-add: 16 registers, of which a tile of 2 x 6 keeps 12 for its sums.

// Every method is a few intrinsics, whose contract is the trait's: that the instruction set is available and
// that pointers are valid.
#![allow(unsafe_op_in_unsafe_fn)]

use std::arch::x86_64::*;

use super::list::BITS;
use super::screen::{Quads, screener};
use super::{MAX_LANES, Vector, microkernel};

/// The first lanes: as a mask for loads, and as a number for stores, since AMD's masked stores take dozens of
/// cycles.
#[derive(Clone, Copy)]
pub struct Head {
    mask: __m256i,
    lanes: usize,
}

impl Vector for __m256 {
    type Element = f32;
    type Head = Head;
    const LANES: usize = 8;
    const MASKS: bool = true;

    #[inline(always)]
    unsafe fn zero() -> Self {
        _mm256_setzero_ps()
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        _mm256_set1_ps(x)
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        _mm256_loadu_ps(from)
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        _mm256_storeu_ps(to, self)
    }
    #[inline(always)]
    unsafe fn head(lanes: usize) -> Head {
        let index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        Head { mask: _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes as i32), index), lanes }
    }
    #[inline(always)]
    unsafe fn load_head(from: *const f32, head: Head) -> Self {
        _mm256_maskload_ps(from, head.mask)
    }
    #[inline(always)]
    unsafe fn store_head(self, to: *mut f32, head: Head) {
        let mut lanes = [0.0; 8];
        self.store(lanes.as_mut_ptr());
        for l in 0..head.lanes {
            *to.add(l) = lanes[l];
        }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        _mm256_add_ps(self, other)
    }
    #[inline(always)]
    unsafe fn mul_add(self, x: Self, sum: Self) -> Self {
        _mm256_fmadd_ps(self, x, sum)
    }
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        // The instruction returns its second operand when either is NaN.
        _mm256_max_ps(_mm256_setzero_ps(), self)
    }
    #[inline(always)]
    unsafe fn where_positive(self, y: Self) -> Self {
        _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(y, _mm256_setzero_ps()), self)
    }
    #[inline(always)]
    unsafe fn transpose(s: &mut [Self; MAX_LANES]) {
        // Within 128-bit halves: pairs of rows, then pairs of pairs.
        for i in (0..8).step_by(2) {
            (s[i], s[i + 1]) = (_mm256_unpacklo_ps(s[i], s[i + 1]), _mm256_unpackhi_ps(s[i], s[i + 1]));
        }
        let mut t = [_mm256_setzero_ps(); 8];
        for i in (0..8).step_by(4) {
            t[i] = _mm256_shuffle_ps::<0x44>(s[i], s[i + 2]);
            t[i + 1] = _mm256_shuffle_ps::<0xee>(s[i], s[i + 2]);
            t[i + 2] = _mm256_shuffle_ps::<0x44>(s[i + 1], s[i + 3]);
            t[i + 3] = _mm256_shuffle_ps::<0xee>(s[i + 1], s[i + 3]);
        }
        // Then the halves.
        for j in 0..4 {
            s[j] = _mm256_permute2f128_ps::<0x20>(t[j], t[4 + j]);
            s[4 + j] = _mm256_permute2f128_ps::<0x31>(t[j], t[4 + j]);
        }
    }
    #[inline(always)]
    unsafe fn sums(s: &mut [Self; MAX_LANES]) -> Self {
        // Each step adds two registers' halves and joins the sums in one.
        let mut t = [_mm256_setzero_ps(); 4];
        for i in 0..4 {
            let (lo, hi) = (
                _mm256_permute2f128_ps::<0x20>(s[i], s[i + 4]),
                _mm256_permute2f128_ps::<0x31>(s[i], s[i + 4]),
            );
            t[i] = _mm256_add_ps(lo, hi);
        }
        for i in 0..2 {
            let (x, y) = (t[2 * i], t[2 * i + 1]);
            t[i] = _mm256_add_ps(_mm256_shuffle_ps::<0x44>(x, y), _mm256_shuffle_ps::<0xee>(x, y));
        }
        _mm256_add_ps(_mm256_shuffle_ps::<0x88>(t[0], t[1]), _mm256_shuffle_ps::<0xdd>(t[0], t[1]))
    }
    #[inline(always)]
    unsafe fn nonzero(self) -> u32 {
        _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NEQ_UQ>(self, _mm256_setzero_ps())) as u32
    }
    #[inline(always)]
    unsafe fn compress(self, mask: u32, to: *mut f32) {
        let bits = _mm_loadu_si128(BITS[mask as usize].as_ptr().cast());
        _mm256_storeu_ps(to, _mm256_permutevar8x32_ps(self, _mm256_cvtepu16_epi32(bits)))
    }
    #[inline(always)]
    unsafe fn prefetch(at: *const f32) {
        _mm_prefetch::<_MM_HINT_T0>(at.cast())
    }
}

impl Vector for __m256d {
    type Element = f64;
    type Head = Head;
    const LANES: usize = 4;
    const MASKS: bool = true;

    #[inline(always)]
    unsafe fn zero() -> Self {
        _mm256_setzero_pd()
    }
    #[inline(always)]
    unsafe fn splat(x: f64) -> Self {
        _mm256_set1_pd(x)
    }
    #[inline(always)]
    unsafe fn load(from: *const f64) -> Self {
        _mm256_loadu_pd(from)
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        _mm256_storeu_pd(to, self)
    }
    #[inline(always)]
    unsafe fn head(lanes: usize) -> Head {
        let index = _mm256_setr_epi64x(0, 1, 2, 3);
        Head { mask: _mm256_cmpgt_epi64(_mm256_set1_epi64x(lanes as i64), index), lanes }
    }
    #[inline(always)]
    unsafe fn load_head(from: *const f64, head: Head) -> Self {
        _mm256_maskload_pd(from, head.mask)
    }
    #[inline(always)]
    unsafe fn store_head(self, to: *mut f64, head: Head) {
        let mut lanes = [0.0; 4];
        self.store(lanes.as_mut_ptr());
        for l in 0..head.lanes {
            *to.add(l) = lanes[l];
        }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        _mm256_add_pd(self, other)
    }
    #[inline(always)]
    unsafe fn mul_add(self, x: Self, sum: Self) -> Self {
        _mm256_fmadd_pd(self, x, sum)
    }
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        // The instruction returns its second operand when either is NaN.
        _mm256_max_pd(_mm256_setzero_pd(), self)
    }
    #[inline(always)]
    unsafe fn where_positive(self, y: Self) -> Self {
        _mm256_and_pd(_mm256_cmp_pd::<_CMP_GT_OQ>(y, _mm256_setzero_pd()), self)
    }
    #[inline(always)]
    unsafe fn transpose(s: &mut [Self; MAX_LANES]) {
        for i in (0..4).step_by(2) {
            (s[i], s[i + 1]) = (_mm256_unpacklo_pd(s[i], s[i + 1]), _mm256_unpackhi_pd(s[i], s[i + 1]));
        }
        for j in 0..2 {
            let (lo, hi) = (s[j], s[2 + j]);
            s[j] = _mm256_permute2f128_pd::<0x20>(lo, hi);
            s[2 + j] = _mm256_permute2f128_pd::<0x31>(lo, hi);
        }
    }
    #[inline(always)]
    unsafe fn nonzero(self) -> u32 {
        _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_NEQ_UQ>(self, _mm256_setzero_pd())) as u32
    }
    #[inline(always)]
    unsafe fn compress(self, mask: u32, to: *mut f64) {
        // Lane l as its halves, 2 l and 2 l + 1.
        let bits = _mm256_cvtepu16_epi64(_mm_loadl_epi64(BITS[mask as usize].as_ptr().cast()));
        let low = _mm256_add_epi64(bits, bits);
        let high = _mm256_slli_epi64::<32>(_mm256_add_epi64(low, _mm256_set1_epi64x(1)));
        let lanes = _mm256_permutevar8x32_epi32(_mm256_castpd_si256(self), _mm256_or_si256(low, high));
        _mm256_storeu_pd(to, _mm256_castsi256_pd(lanes))
    }
    #[inline(always)]
    unsafe fn prefetch(at: *const f64) {
        _mm_prefetch::<_MM_HINT_T0>(at.cast())
    }
}

microkernel!(
    /// 16 x 6 `f32`.
    F32: std::arch::x86_64::__m256, features "avx2,fma,bmi1,popcnt",
    tile [2, 6], flat [1, 12], tall [4, 3],
    direct [
        1: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
        2: [1, 2, 3, 4, 5, 6],
        3: [1, 2, 3],
        4: [1, 2, 3]
    ],
    packed [1: [4, 6], 2: [2, 4, 6]],
    panels [8, 7, 6, 5, 4, 3, 2, 1]
);
microkernel!(
    /// 8 x 6 `f64`.
    F64: std::arch::x86_64::__m256d, features "avx2,fma,bmi1,popcnt",
    tile [2, 6], flat [1, 12], tall [4, 3],
    direct [
        1: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
        2: [1, 2, 3, 4, 5, 6],
        3: [1, 2, 3],
        4: [1, 2, 3]
    ],
    packed [1: [4, 6], 2: [2, 4, 6]],
    panels [8, 7, 6, 5, 4, 3, 2, 1]
);

impl Quads for __m256 {
    // Twice the largest byte, 180, times the largest integer fits 16 bits, for the products are added by two.
    const LARGEST: u8 = 90;
    // A run is added in 16 bits: its sums are at most the product of two norms, below 2¹⁵.
    const LARGEST_NORM: f32 = 181.0;
    type Quads = __m256i;

    #[inline(always)]
    fn correction(sums: [i32; 2]) -> i32 {
        // Two numbers of 16 bits, modulo 2¹⁶ as is what they correct.
        let [low, high] = sums.map(|sum| (-sum * i32::from(Self::LARGEST)) as u16 as u32);
        (high << 16 | low) as i32
    }
    #[inline(always)]
    unsafe fn no_sums() -> __m256i {
        _mm256_setzero_si256()
    }
    #[inline(always)]
    unsafe fn load_quads(from: *const i32) -> __m256i {
        _mm256_loadu_si256(from.cast())
    }
    #[inline(always)]
    unsafe fn splat_quad(quad: i32) -> __m256i {
        _mm256_set1_epi32(quad)
    }
    #[inline(always)]
    unsafe fn begin(_: __m256i, correction: __m256i) -> __m256i {
        correction
    }
    #[inline(always)]
    unsafe fn add_products(run: __m256i, a: __m256i, b: __m256i) -> __m256i {
        _mm256_add_epi16(run, _mm256_maddubs_epi16(a, b))
    }
    #[inline(always)]
    unsafe fn end(sums: __m256i, run: __m256i) -> __m256i {
        _mm256_add_epi32(sums, _mm256_madd_epi16(run, _mm256_set1_epi16(1)))
    }
    #[inline(always)]
    unsafe fn from_sums(sums: __m256i) -> Self {
        _mm256_cvtepi32_ps(sums)
    }
    #[inline(always)]
    unsafe fn not_at_most(self, other: Self) -> u32 {
        _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NLE_UQ>(self, other)) as u32
    }
}

screener!(
    /// 16 x 6.
    Screen: std::arch::x86_64::__m256, features "avx2,fma", tile [2, 6]
);
