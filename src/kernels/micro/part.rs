//! A vector in memory that may end before its last lane.

use super::Vector;

/// A vector, `whole` or as far as `head` goes. A function, because a closure is not inlined for certain.
#[inline(always)]
pub(super) unsafe fn load<V: Vector>(from: *const V::Element, whole: bool, head: V::Head) -> V {
    // SAFETY: the caller vouches for the instruction set and for the elements.
    unsafe { if whole { V::load(from) } else { V::load_head(from, head) } }
}

/// Stores a vector, `whole` or as far as `head` goes.
#[inline(always)]
pub(super) unsafe fn store<V: Vector>(x: V, to: *mut V::Element, whole: bool, head: V::Head) {
    // SAFETY: as in `load`.
    unsafe { if whole { x.store(to) } else { x.store_head(to, head) } }
}
