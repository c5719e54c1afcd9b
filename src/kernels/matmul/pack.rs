//! Packing: copying a block of an operand into the order in which the micro-kernel reads it.
//!
//! A block becomes panels, MR rows (of `a`) or NR columns (of `b`) wide; in a panel the numbers of one k step
//! are side by side. The micro-kernel then walks through memory in a straight line, whatever the strides of
//! the operand were, touching few pages, and no two of its streams compete for the same cache set.
//!
//! For example, a block of a of three rows and k = 2, in panels of MR = 2 rows:
//!
//! ```text
//! 1 2    first panel   1 3 2 4
//! 3 4    second panel  5 . 6 .    beside the last row stands anything
//! 5 6
//! ```

use std::cell::Cell;
use std::thread::LocalKey;

use crate::kernels::micro::MAX_LANES;

/// A cache line, for its alignment.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[allow(dead_code)] [u8; 64]);

/// Memory that is kept from call to call, aligned to cache lines.
pub(in crate::kernels) struct Buffer(Vec<Line>);

impl Buffer {
    pub const fn new() -> Buffer {
        Buffer(Vec::new())
    }

    /// Room for `len` numbers, and for what packing may write after them. Its contents are arbitrary.
    pub fn room<T>(&mut self, len: usize) -> *mut T {
        let lines = lines::<T>(len.saturating_add(MAX_LANES));
        if self.0.len() < lines {
            reserve(&mut self.0, lines);
            self.0.resize(lines, Line([0; 64]));
        }
        self.0.as_mut_ptr().cast()
    }
}

/// The lines that so many numbers take; `usize::MAX`, more than there can be, if that overflows.
fn lines<T>(len: usize) -> usize {
    len.checked_mul(size_of::<T>()).map_or(usize::MAX, |bytes| bytes.div_ceil(size_of::<Line>()))
}

/// Makes room for so many lines in all.
///
/// # Panics
/// If there is no memory for them.
fn reserve(buffer: &mut Vec<Line>, lines: usize) {
    let reserved = buffer.try_reserve_exact(lines.saturating_sub(buffer.len()));
    assert!(
        reserved.is_ok(),
        "no memory for {lines} cache lines: a product's operands are too large to be copied"
    );
}

thread_local! {
    /// The packed blocks of `a` and `b`.
    static BUFFERS: Kept<2> = const { kept() };

    /// What a call lays out for all of its threads.
    static SCRATCH: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

/// Buffers of a thread, kept from call to call.
pub(in crate::kernels) type Kept<const N: usize> = Cell<[Buffer; N]>;

/// Buffers without memory yet.
pub(in crate::kernels) const fn kept<const N: usize>() -> Kept<N> {
    Cell::new([const { Buffer::new() }; N])
}

/// Hands `f` buffers of this thread: taken, not borrowed, so that whatever this thread may be given to do meanwhile finds
/// none and makes its own.
pub(in crate::kernels) fn with_kept<const N: usize, R>(
    buffers: &'static LocalKey<Kept<N>>,
    f: impl FnOnce(&mut [Buffer; N]) -> R,
) -> R {
    let mut taken = buffers.replace([const { Buffer::new() }; N]);
    let result = f(&mut taken);
    buffers.set(taken);
    result
}

/// Hands `f` room for `len` elements, not initialized, that outlives the buffers of [`with_buffers`].
pub(in crate::kernels) fn with_scratch<T, R>(len: usize, f: impl FnOnce(*mut T) -> R) -> R {
    const { assert!(align_of::<T>() <= align_of::<Line>()) };
    // Taken, not borrowed, as in `with_kept`.
    let mut scratch = SCRATCH.take();
    reserve(&mut scratch, lines::<T>(len));
    let result = f(scratch.as_mut_ptr().cast());
    SCRATCH.set(scratch);
    result
}

/// Hands `f` this thread's buffers for `lens` packed elements, with room for what packing may write.
pub(in crate::kernels) fn with_buffers<T, R>(lens: [usize; 2], f: impl FnOnce([*mut T; 2]) -> R) -> R {
    if lens == [0, 0] {
        return f([std::ptr::null_mut(); 2]);
    }
    with_kept(&BUFFERS, |[a, b]| f([a.room(lens[0]), b.room(lens[1])]))
}

/// The number of elements that a block packed in panels takes.
pub(in crate::kernels) fn packed_len(panel: usize, width: usize, k: usize) -> usize {
    width.next_multiple_of(panel) * k
}
