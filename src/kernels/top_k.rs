//! The k largest elements of each row.

use super::isa::vectorize;
use crate::element::Element;

/// Elements compared with the smallest one kept at a time.
const BLOCK: usize = 16;

/// Whether x belongs above a bar; a NaN does.
#[inline(always)]
fn above<T: Element>(x: T, bar: T) -> bool {
    x > bar || x.is_nan()
}

/// Restores a heap, smallest element first, below a place whose element has grown.
#[inline(always)]
fn sift_down<T: Element>(heap: &mut [T], mut place: usize) {
    loop {
        let mut child = 2 * place + 1;
        if child >= heap.len() {
            return;
        }
        if child + 1 < heap.len() && heap[child + 1] < heap[child] {
            child += 1;
        }
        if heap[place] <= heap[child] {
            return;
        }
        heap.swap(place, child);
        place = child;
    }
}

/// The k-th largest of `key(x)`, with k slots of scratch.
///
/// The scratch is a heap of the k largest so far; most blocks hold nothing above its smallest, and are passed over
/// with one comparison an element.
#[inline(always)]
fn kth_largest<T: Element>(x: &[T], heap: &mut [T], key: impl Fn(T) -> T) -> T {
    let (first, rest) = x.split_at(heap.len());
    for (slot, &x) in heap.iter_mut().zip(first) {
        *slot = key(x);
    }
    for place in (0..heap.len() / 2).rev() {
        sift_down(heap, place);
    }
    for block in rest.chunks(BLOCK) {
        let bar = heap[0];
        if !block.iter().fold(false, |any, &x| any | above(key(x), bar)) {
            continue;
        }
        for &x in block {
            if above(key(x), heap[0]) {
                heap[0] = key(x);
                sift_down(heap, 0);
            }
        }
    }
    heap[0]
}

vectorize! {
    /// `y = x` at the k elements of each row of `cols` whose `key` is largest, 0 elsewhere. Of equal ones the first
    /// are kept; a NaN always is.
    ///
    /// # Panics
    /// If `x` and `y` differ in length.
    pub fn top_k [T: Element, F: Fn(T) -> T + Copy] (x: &[T], cols: usize, k: usize, y: &mut [T], key: F) {
        assert_eq!(x.len(), y.len(), "input and output are of one size");
        if k == 0 {
            y.fill(T::ZERO);
            return;
        }
        if k >= cols {
            y.copy_from_slice(x);
            return;
        }
        for (x, y) in x.chunks_exact(cols).zip(y.chunks_exact_mut(cols)) {
            // The row of y is the scratch, before it is written.
            let least = kth_largest(x, &mut y[..k], key);
            let larger = x.iter().fold(0, |count, &x| count + usize::from(above(key(x), least)));
            let mut ties = k.saturating_sub(larger);
            for (y, &x) in y.iter_mut().zip(x) {
                let tie = ties > 0 && key(x) == least;
                ties -= usize::from(tie);
                *y = if tie || above(key(x), least) { x } else { T::ZERO };
            }
        }
    }
}
