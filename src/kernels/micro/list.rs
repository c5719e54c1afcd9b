//! Listing where a matrix is not zero, once for every instruction set.

use super::{Vector, prefetch};
use crate::element::Element;

/// Rows whose elements that are not zero are to be listed. For example, of the rows 0 5 0 and 7 0 8, from index 0 on: `starts`
/// becomes 1 3, `index_of` 1 0 2, and `values` 5 7 8.
pub(in crate::kernels) struct Listing<T, I> {
    /// Rows, and elements of a row.
    pub size: [usize; 2],
    pub x: *const T,
    /// From one row to the next.
    pub x_row: usize,
    /// The indices that are written to from the first on, and the end of those that may be.
    pub range: std::ops::Range<usize>,
    /// `starts[i]` becomes the first index after those of row i.
    pub starts: *mut u32,
    /// At each index: where in its row the element is, and its value.
    pub index_of: *mut I,
    pub values: *mut T,
}

/// A number that tells where in a row an element is.
pub(in crate::kernels) trait Index: Copy + Default {
    fn new(at: u32) -> Self;
}
impl Index for u16 {
    #[inline(always)]
    fn new(at: u32) -> u16 {
        at as u16
    }
}
impl Index for u32 {
    #[inline(always)]
    fn new(at: u32) -> u32 {
        at
    }
}

/// Lists the rows one after the other; returns the first index after the last that was written.
#[inline(always)]
pub(super) unsafe fn list<V: Vector, I: Index>(p: &Listing<V::Element, I>) -> usize {
    let Listing { size: [rows, cols], x, x_row, ref range, starts, index_of, values } = *p;
    let (mut at, end) = (range.start, range.end);
    // SAFETY: the caller guarantees the instruction set, for the rows, for a start after each, and for the range.
    unsafe {
        for i in 0..rows {
            let row = x.add(i * x_row);
            // The next rows are too far apart for the processor to guess.
            for j in (0..cols).step_by((64 / size_of::<V::Element>()).max(1)) {
                prefetch(row.wrapping_add(PREFETCH_ROWS * x_row + j));
            }
            // What follows the end of the range belongs to another part.
            let by_vectors = if end - at >= cols + V::LANES { cols / V::LANES * V::LANES } else { 0 };
            for j in (0..by_vectors).step_by(V::LANES) {
                let x = V::load(row.add(j));
                let mask = x.nonzero();
                x.compress(mask, values.add(at));
                list_bits::<V, I>(mask, j, index_of.add(at));
                at += mask.count_ones() as usize;
            }
            for j in by_vectors..cols {
                let x = *row.add(j);
                if x != V::Element::ZERO {
                    (*values.add(at), *index_of.add(at)) = (x, I::new(j as u32));
                    at += 1;
                }
            }
            *starts.add(i) = at as u32;
        }
    }
    at
}

/// How many rows ahead `list` prefetches.
const PREFETCH_ROWS: usize = 2;

/// Lists the bits of a mask of LANES bits, counted from `base`, and anything in the rest of LANES.
#[inline(always)]
unsafe fn list_bits<V: Vector, I: Index>(mask: u32, base: usize, mut to: *mut I) {
    for eight in (0..V::LANES).step_by(8) {
        let byte = (mask >> eight) as u8;
        let base = (base + eight) as u32;
        let indices = BITS[usize::from(byte)].map(|bit| I::new(base + u32::from(bit)));
        // SAFETY: the caller has room for LANES.
        unsafe {
            if V::LANES < 8 {
                to.copy_from_nonoverlapping(indices.as_ptr(), V::LANES);
            } else {
                to.cast::<[I; 8]>().write_unaligned(indices);
            }
            to = to.add(byte.count_ones() as usize);
        }
    }
}

/// The bits of each byte, lowest first; then zeros.
pub(super) static BITS: [[u16; 8]; 256] = {
    let mut bits = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut count) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                bits[byte][count] = bit as u16;
                count += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    bits
};
