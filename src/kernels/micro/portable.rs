//! Plain Rust over small arrays, which the compiler turns into whatever vectors the target's baseline has.

use super::{MAX_LANES, Vector, microkernel};
use crate::element::Element;

/// 16 bytes of lanes: what every 64-bit baseline holds in one register.
#[derive(Clone, Copy)]
pub struct Lanes<T, const N: usize>([T; N]);

impl<T: Element, const N: usize> Lanes<T, N> {
    /// The vector whose lane l is f(l). A loop, because `array::from_fn` leaves a closure to be inlined.
    #[inline(always)]
    fn of(f: impl Fn(usize) -> T) -> Self {
        let mut lanes = [T::ZERO; N];
        for l in 0..N {
            lanes[l] = f(l);
        }
        Lanes(lanes)
    }
}

impl<T: Element, const N: usize> Vector for Lanes<T, N> {
    type Element = T;
    type Head = usize;
    const LANES: usize = N;
    const MASKS: bool = false;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Lanes([T::ZERO; N])
    }
    #[inline(always)]
    unsafe fn splat(x: T) -> Self {
        Lanes([x; N])
    }
    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: the caller guarantees N elements; the read needs no alignment beyond T's.
        Lanes(unsafe { from.cast::<[T; N]>().read() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: as in `load`.
        unsafe { to.cast::<[T; N]>().write(self.0) }
    }
    #[inline(always)]
    unsafe fn head(lanes: usize) -> usize {
        lanes
    }
    #[inline(always)]
    unsafe fn load_head(from: *const T, head: usize) -> Self {
        // SAFETY: the caller guarantees the first `head` elements.
        Lanes::of(|l| if l < head { unsafe { *from.add(l) } } else { T::ZERO })
    }
    #[inline(always)]
    unsafe fn store_head(self, to: *mut T, head: usize) {
        for (l, &x) in self.0.iter().enumerate() {
            if l < head {
                // SAFETY: the caller guarantees the first `head` elements.
                unsafe { *to.add(l) = x }
            }
        }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Lanes::of(|l| self.0[l] + other.0[l])
    }
    #[inline(always)]
    unsafe fn mul_add(self, x: Self, sum: Self) -> Self {
        Lanes::of(|l| self.0[l] * x.0[l] + sum.0[l])
    }
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        Lanes::of(|l| if self.0[l] < T::ZERO { T::ZERO } else { self.0[l] })
    }
    #[inline(always)]
    unsafe fn where_positive(self, y: Self) -> Self {
        Lanes::of(|l| if y.0[l] > T::ZERO { self.0[l] } else { T::ZERO })
    }
    #[inline(always)]
    unsafe fn transpose(square: &mut [Self; MAX_LANES]) {
        for i in 0..N {
            for j in 0..i {
                let (x, y) = (square[i].0[j], square[j].0[i]);
                (square[i].0[j], square[j].0[i]) = (y, x);
            }
        }
    }
    #[inline(always)]
    unsafe fn prefetch(_: *const T) {}
}

microkernel!(
    /// 8 x 4 `f32`.
    F32: super::portable::Lanes<f32, 4>,
    tile [2, 4], flat [1, 8], tall [2, 4],
    direct [1: [4, 8], 2: [4]],
    packed [1: [4], 2: [4]],
    panels [4, 2, 1]
);
microkernel!(
    /// 4 x 4 `f64`.
    F64: super::portable::Lanes<f64, 2>,
    tile [2, 4], flat [1, 8], tall [2, 4],
    direct [1: [4, 8], 2: [4]],
    packed [1: [4], 2: [4]],
    panels [4, 2, 1]
);
