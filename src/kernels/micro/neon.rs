//! 128-bit vectors of AArch64: 32 registers, of which a tile of 3 x 8 keeps 24 for its sums.

// Every method is a few intrinsics, whose contract is the trait's: that the instruction set is available and
// that pointers are valid.
#![allow(unsafe_op_in_unsafe_fn)]

use std::arch::aarch64::*;

use super::{MAX_LANES, Vector, microkernel};

impl Vector for float32x4_t {
    type Element = f32;
    type Head = usize;
    const LANES: usize = 4;
    const MASKS: bool = false;

    #[inline(always)]
    unsafe fn zero() -> Self {
        vdupq_n_f32(0.0)
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        vdupq_n_f32(x)
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        vld1q_f32(from)
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        vst1q_f32(to, self)
    }
    #[inline(always)]
    unsafe fn head(lanes: usize) -> usize {
        lanes
    }
    #[inline(always)]
    unsafe fn load_head(from: *const f32, head: usize) -> Self {
        let mut lanes = [0.0; 4];
        from.copy_to_nonoverlapping(lanes.as_mut_ptr(), head);
        Self::load(lanes.as_ptr())
    }
    #[inline(always)]
    unsafe fn store_head(self, to: *mut f32, head: usize) {
        let mut lanes = [0.0; 4];
        self.store(lanes.as_mut_ptr());
        to.copy_from_nonoverlapping(lanes.as_ptr(), head);
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        vaddq_f32(self, other)
    }
    #[inline(always)]
    unsafe fn mul_add(self, x: Self, sum: Self) -> Self {
        vfmaq_f32(sum, self, x)
    }
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        // The instruction propagates NaN.
        vmaxq_f32(self, vdupq_n_f32(0.0))
    }
    #[inline(always)]
    unsafe fn where_positive(self, y: Self) -> Self {
        vbslq_f32(vcgtq_f32(y, vdupq_n_f32(0.0)), self, vdupq_n_f32(0.0))
    }
    #[inline(always)]
    unsafe fn transpose(s: &mut [Self; MAX_LANES]) {
        let wide = |x| vreinterpretq_f64_f32(x);
        let (even, odd) = (vtrn1q_f32(s[0], s[1]), vtrn2q_f32(s[0], s[1]));
        let (even2, odd2) = (vtrn1q_f32(s[2], s[3]), vtrn2q_f32(s[2], s[3]));
        s[0] = vreinterpretq_f32_f64(vtrn1q_f64(wide(even), wide(even2)));
        s[1] = vreinterpretq_f32_f64(vtrn1q_f64(wide(odd), wide(odd2)));
        s[2] = vreinterpretq_f32_f64(vtrn2q_f64(wide(even), wide(even2)));
        s[3] = vreinterpretq_f32_f64(vtrn2q_f64(wide(odd), wide(odd2)));
    }
    #[inline(always)]
    unsafe fn prefetch(_: *const f32) {}
}

impl Vector for float64x2_t {
    type Element = f64;
    type Head = usize;
    const LANES: usize = 2;
    const MASKS: bool = false;

    #[inline(always)]
    unsafe fn zero() -> Self {
        vdupq_n_f64(0.0)
    }
    #[inline(always)]
    unsafe fn splat(x: f64) -> Self {
        vdupq_n_f64(x)
    }
    #[inline(always)]
    unsafe fn load(from: *const f64) -> Self {
        vld1q_f64(from)
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        vst1q_f64(to, self)
    }
    #[inline(always)]
    unsafe fn head(lanes: usize) -> usize {
        lanes
    }
    #[inline(always)]
    unsafe fn load_head(from: *const f64, head: usize) -> Self {
        let mut lanes = [0.0; 2];
        from.copy_to_nonoverlapping(lanes.as_mut_ptr(), head);
        Self::load(lanes.as_ptr())
    }
    #[inline(always)]
    unsafe fn store_head(self, to: *mut f64, head: usize) {
        let mut lanes = [0.0; 2];
        self.store(lanes.as_mut_ptr());
        to.copy_from_nonoverlapping(lanes.as_ptr(), head);
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        vaddq_f64(self, other)
    }
    #[inline(always)]
    unsafe fn mul_add(self, x: Self, sum: Self) -> Self {
        vfmaq_f64(sum, self, x)
    }
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        // The instruction propagates NaN.
        vmaxq_f64(self, vdupq_n_f64(0.0))
    }
    #[inline(always)]
    unsafe fn where_positive(self, y: Self) -> Self {
        vbslq_f64(vcgtq_f64(y, vdupq_n_f64(0.0)), self, vdupq_n_f64(0.0))
    }
    #[inline(always)]
    unsafe fn transpose(s: &mut [Self; MAX_LANES]) {
        (s[0], s[1]) = (vtrn1q_f64(s[0], s[1]), vtrn2q_f64(s[0], s[1]));
    }
    #[inline(always)]
    unsafe fn prefetch(_: *const f64) {}
}

microkernel!(
    /// 12 x 8 `f32`.
    F32: std::arch::aarch64::float32x4_t, features "neon",
    tile [3, 8], flat [1, 16], tall [4, 6],
    direct [1: [4, 8, 12, 16], 2: [4, 8], 3: [2, 4, 6, 8], 4: [2, 4, 6]],
    packed [1: [4, 8], 2: [4, 8], 3: [4, 8]],
    panels [8, 7, 6, 5, 4, 3, 2, 1]
);
microkernel!(
    /// 6 x 8 `f64`.
    F64: std::arch::aarch64::float64x2_t, features "neon",
    tile [3, 8], flat [1, 16], tall [4, 6],
    direct [1: [4, 8, 12, 16], 2: [4, 8], 3: [2, 4, 6, 8], 4: [2, 4, 6]],
    packed [1: [4, 8], 2: [4, 8], 3: [4, 8]],
    panels [8, 7, 6, 5, 4, 3, 2, 1]
);
