//! 512-bit vectors: 32 registers, of which a tile of 2 x 12 keeps 24 for its sums. Partial vectors are masked.

// Every method is a few intrinsics, whose contract is the trait's: that the instruction set is available and
// that pointers are valid.
#![allow(unsafe_op_in_unsafe_fn)]

use std::arch::x86_64::*;

use super::screen::{Quads, screener};
use super::{MAX_LANES, Vector, microkernel};

impl Vector for __m512 {
    type Element = f32;
    type Head = __mmask16;
    const LANES: usize = 16;
    const MASKS: bool = true;

    #[inline(always)]
    unsafe fn zero() -> Self {
        _mm512_setzero_ps()
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        _mm512_set1_ps(x)
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        _mm512_loadu_ps(from)
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        _mm512_storeu_ps(to, self)
    }
    #[inline(always)]
    unsafe fn head(lanes: usize) -> __mmask16 {
        ((1u32 << lanes) - 1) as __mmask16
    }
    #[inline(always)]
    unsafe fn load_head(from: *const f32, head: __mmask16) -> Self {
        _mm512_maskz_loadu_ps(head, from)
    }
    #[inline(always)]
    unsafe fn store_head(self, to: *mut f32, head: __mmask16) {
        _mm512_mask_storeu_ps(to, head, self)
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        _mm512_add_ps(self, other)
    }
    #[inline(always)]
    unsafe fn mul_add(self, x: Self, sum: Self) -> Self {
        _mm512_fmadd_ps(self, x, sum)
    }
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        // The instruction returns its second operand when either is NaN.
        _mm512_max_ps(_mm512_setzero_ps(), self)
    }
    #[inline(always)]
    unsafe fn where_positive(self, y: Self) -> Self {
        _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(y, _mm512_setzero_ps()), self)
    }
    #[inline(always)]
    unsafe fn transpose(s: &mut [Self; MAX_LANES]) {
        // Within 128-bit quarters: pairs of rows, then pairs of pairs.
        for i in (0..16).step_by(2) {
            (s[i], s[i + 1]) = (_mm512_unpacklo_ps(s[i], s[i + 1]), _mm512_unpackhi_ps(s[i], s[i + 1]));
        }
        let d = |x| _mm512_castps_pd(x);
        for i in (0..16).step_by(4) {
            let [lo, hi] = [[d(s[i]), d(s[i + 2])], [d(s[i + 1]), d(s[i + 3])]];
            s[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(lo[0], lo[1]));
            s[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(lo[0], lo[1]));
            s[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(hi[0], hi[1]));
            s[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(hi[0], hi[1]));
        }
        // Then the quarters themselves: s[4 q + j] holds column 4 l + j of rows 4 q … in its quarter l.
        let t = *s;
        for j in 0..4 {
            let even = _mm512_shuffle_f32x4::<0x88>(t[j], t[4 + j]);
            let odd = _mm512_shuffle_f32x4::<0xdd>(t[j], t[4 + j]);
            let even2 = _mm512_shuffle_f32x4::<0x88>(t[8 + j], t[12 + j]);
            let odd2 = _mm512_shuffle_f32x4::<0xdd>(t[8 + j], t[12 + j]);
            s[j] = _mm512_shuffle_f32x4::<0x88>(even, even2);
            s[4 + j] = _mm512_shuffle_f32x4::<0x88>(odd, odd2);
            s[8 + j] = _mm512_shuffle_f32x4::<0xdd>(even, even2);
            s[12 + j] = _mm512_shuffle_f32x4::<0xdd>(odd, odd2);
        }
    }
    #[inline(always)]
    unsafe fn nonzero(self) -> u32 {
        u32::from(_mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(self, _mm512_setzero_ps()))
    }
    #[inline(always)]
    unsafe fn compress(self, mask: u32, to: *mut f32) {
        _mm512_storeu_ps(to, _mm512_maskz_compress_ps(mask as __mmask16, self))
    }
    #[inline(always)]
    unsafe fn prefetch(at: *const f32) {
        _mm_prefetch::<_MM_HINT_T0>(at.cast())
    }
}

impl Vector for __m512d {
    type Element = f64;
    type Head = __mmask8;
    const LANES: usize = 8;
    const MASKS: bool = true;

    #[inline(always)]
    unsafe fn zero() -> Self {
        _mm512_setzero_pd()
    }
    #[inline(always)]
    unsafe fn splat(x: f64) -> Self {
        _mm512_set1_pd(x)
    }
    #[inline(always)]
    unsafe fn load(from: *const f64) -> Self {
        _mm512_loadu_pd(from)
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        _mm512_storeu_pd(to, self)
    }
    #[inline(always)]
    unsafe fn head(lanes: usize) -> __mmask8 {
        ((1u32 << lanes) - 1) as __mmask8
    }
    #[inline(always)]
    unsafe fn load_head(from: *const f64, head: __mmask8) -> Self {
        _mm512_maskz_loadu_pd(head, from)
    }
    #[inline(always)]
    unsafe fn store_head(self, to: *mut f64, head: __mmask8) {
        _mm512_mask_storeu_pd(to, head, self)
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        _mm512_add_pd(self, other)
    }
    #[inline(always)]
    unsafe fn mul_add(self, x: Self, sum: Self) -> Self {
        _mm512_fmadd_pd(self, x, sum)
    }
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        // The instruction returns its second operand when either is NaN.
        _mm512_max_pd(_mm512_setzero_pd(), self)
    }
    #[inline(always)]
    unsafe fn where_positive(self, y: Self) -> Self {
        _mm512_maskz_mov_pd(_mm512_cmp_pd_mask::<_CMP_GT_OQ>(y, _mm512_setzero_pd()), self)
    }
    #[inline(always)]
    unsafe fn transpose(s: &mut [Self; MAX_LANES]) {
        for i in (0..8).step_by(2) {
            (s[i], s[i + 1]) = (_mm512_unpacklo_pd(s[i], s[i + 1]), _mm512_unpackhi_pd(s[i], s[i + 1]));
        }
        // s[2 q + j] holds column 2 l + j of rows 2 q and 2 q + 1 in its quarter l.
        let t = *s;
        for j in 0..2 {
            let even = _mm512_shuffle_f64x2::<0x88>(t[j], t[2 + j]);
            let odd = _mm512_shuffle_f64x2::<0xdd>(t[j], t[2 + j]);
            let even2 = _mm512_shuffle_f64x2::<0x88>(t[4 + j], t[6 + j]);
            let odd2 = _mm512_shuffle_f64x2::<0xdd>(t[4 + j], t[6 + j]);
            s[j] = _mm512_shuffle_f64x2::<0x88>(even, even2);
            s[2 + j] = _mm512_shuffle_f64x2::<0x88>(odd, odd2);
            s[4 + j] = _mm512_shuffle_f64x2::<0xdd>(even, even2);
            s[6 + j] = _mm512_shuffle_f64x2::<0xdd>(odd, odd2);
        }
    }
    #[inline(always)]
    unsafe fn nonzero(self) -> u32 {
        u32::from(_mm512_cmp_pd_mask::<_CMP_NEQ_UQ>(self, _mm512_setzero_pd()))
    }
    #[inline(always)]
    unsafe fn compress(self, mask: u32, to: *mut f64) {
        _mm512_storeu_pd(to, _mm512_maskz_compress_pd(mask as __mmask8, self))
    }
    #[inline(always)]
    unsafe fn prefetch(at: *const f64) {
        _mm_prefetch::<_MM_HINT_T0>(at.cast())
    }
}

microkernel!(
    /// 32 x 12 `f32`.
    F32: std::arch::x86_64::__m512, features "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi1,popcnt",
    tile [2, 12], flat [1, 24], tall [4, 6],
    direct [
        1: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 20, 24],
        2: [1, 2, 3, 4, 5, 6, 8, 10, 12],
        3: [1, 2, 3, 4, 6],
        4: [1, 2, 3, 4, 6]
    ],
    packed [1: [4, 8, 12], 2: [4, 8, 12]],
    panels [8, 7, 6, 5, 4, 3, 2, 1]
);
microkernel!(
    /// 16 x 12 `f64`.
    F64: std::arch::x86_64::__m512d, features "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi1,popcnt",
    tile [2, 12], flat [1, 24], tall [4, 6],
    direct [
        1: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 20, 24],
        2: [1, 2, 3, 4, 5, 6, 8, 10, 12],
        3: [1, 2, 3, 4, 6],
        4: [1, 2, 3, 4, 6]
    ],
    packed [1: [4, 8, 12], 2: [4, 8, 12]],
    panels [8, 7, 6, 5, 4, 3, 2, 1]
);

impl Quads for __m512 {
    const LARGEST: u8 = 127;
    // Sums have 32 bits throughout.
    const LARGEST_NORM: f32 = f32::INFINITY;
    type Quads = __m512i;

    #[inline(always)]
    fn correction(sums: [i32; 2]) -> i32 {
        -(sums[0] + sums[1]) * i32::from(Self::LARGEST)
    }
    #[inline(always)]
    unsafe fn no_sums() -> __m512i {
        _mm512_setzero_si512()
    }
    #[inline(always)]
    unsafe fn load_quads(from: *const i32) -> __m512i {
        _mm512_loadu_si512(from.cast())
    }
    #[inline(always)]
    unsafe fn splat_quad(quad: i32) -> __m512i {
        _mm512_set1_epi32(quad)
    }
    #[inline(always)]
    unsafe fn begin(sums: __m512i, correction: __m512i) -> __m512i {
        _mm512_add_epi32(sums, correction)
    }
    #[inline(always)]
    unsafe fn add_products(run: __m512i, a: __m512i, b: __m512i) -> __m512i {
        _mm512_dpbusd_epi32(run, a, b)
    }
    #[inline(always)]
    unsafe fn end(_: __m512i, run: __m512i) -> __m512i {
        run
    }
    #[inline(always)]
    unsafe fn from_sums(sums: __m512i) -> Self {
        _mm512_cvtepi32_ps(sums)
    }
    #[inline(always)]
    unsafe fn not_at_most(self, other: Self) -> u32 {
        _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(self, other) as u32
    }
}

screener!(
    /// 32 x 12, for machines that multiply and add quads in one instruction.
    Screen: std::arch::x86_64::__m512, features "avx512f,avx512dq,avx512bw,avx512vl,avx512vnni,avx2,fma",
    tile [2, 12]
);
