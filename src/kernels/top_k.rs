//! The k largest elements of each row.

use std::cmp::Ordering;

use super::isa::vectorize;
use crate::element::Element;

/// Elements of which only the largest is looked at first, and that are passed over together.
const BLOCK: usize = 16;

/// The k-th largest of some keys, which change places.
fn select<T: Element>(keys: &mut [T], k: usize) -> T {
    let descending = |a: &T, b: &T| b.partial_cmp(a).unwrap_or(Ordering::Equal);
    *keys.select_nth_unstable_by(k - 1, descending).1
}

/// The k-th largest of `key(x)`, how many are larger, and how many equal; with scratch as long as x.
///
/// The k-th largest of the maxima of disjoint sets is a bound that at least k elements reach. Few reach it beyond
/// those, and only they are sorted out.
#[inline(always)]
fn kth_largest<T: Element>(x: &[T], scratch: &mut [T], k: usize, key: impl Fn(T) -> T) -> (T, usize, usize) {
    let lowest = T::from_f64(f64::NEG_INFINITY);
    let sets = x.len() / BLOCK;
    let mut bound = lowest;
    if k <= sets {
        let maxima = &mut scratch[..sets];
        maxima.fill(lowest);
        for x in x.chunks(sets) {
            for (max, &x) in maxima.iter_mut().zip(x) {
                *max = if key(x) > *max { key(x) } else { *max };
            }
        }
        bound = select(maxima, k);
    }
    let mut count = 0;
    for block in x.chunks(BLOCK) {
        if block.iter().fold(false, |any, &x| any | (key(x) >= bound)) {
            for &x in block {
                scratch[count] = key(x);
                count += usize::from(key(x) >= bound);
            }
        }
    }
    let reaching = &mut scratch[..count];
    let least = select(reaching, k);
    let number = |holds: fn(T, T) -> bool| reaching.iter().filter(|&&key| holds(key, least)).count();
    (least, number(|key, least| key > least), number(|key, least| key == least))
}

vectorize! {
    /// `y = x` at the k elements of each row of `cols` whose `key` is largest, 0 elsewhere. Of equal ones the first
    /// are kept; a NaN counts as infinite.
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
        let infinity = T::from_f64(f64::INFINITY);
        let key = |x: T| if x.is_nan() { infinity } else { key(x) };
        for (x, y) in x.chunks_exact(cols).zip(y.chunks_exact_mut(cols)) {
            // The row of y is the scratch, before it is written.
            let (least, larger, equal) = kth_largest(x, y, k, key);
            for (y, &x) in y.iter_mut().zip(x) {
                *y = if key(x) >= least { x } else { T::ZERO };
            }
            let surplus = larger + equal - k;
            for (y, _) in y.iter_mut().zip(x).rev().filter(|(_, x)| key(**x) == least).take(surplus) {
                *y = T::ZERO;
            }
        }
    }
}
