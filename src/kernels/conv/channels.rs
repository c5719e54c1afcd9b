//! Passes over the channels of a map: a relu's vjp, and the sums that are a bias's cotangent.

use crate::element::Element;
use crate::kernels::keep_where_positive;
use crate::kernels::threads::{Shared, parallel, share, threads};
use crate::matrix::{Accum, size};

/// Elements that a thread must find to be worth waking.
const PART: usize = 1 << 16;

/// `sums (=, +=)` the sum of each channel, of `area` elements in each image of the batch.
pub(crate) fn sum_channels<T: Element>(x: &[T], area: usize, sums: &mut [T], accum: Accum) {
    let channels = sums.len();
    let sums = Shared(sums.as_mut_ptr());
    for_channels(x.len(), [channels, area], &|o| {
        let total = planes(x.len(), [channels, area], o)
            .fold(T::ZERO, |total, at| total + crate::kernels::sum(&x[at..at + area]));
        // SAFETY: there is a sum for each channel, and one thread sees a channel.
        unsafe { put(sums.get().add(o), total, accum) }
    });
}

/// `gy = gy + plus` where y > 0, 0 elsewhere; and the [sums](sum_channels) of that, in the same pass.
pub(crate) fn pull_relu<T: Element>(
    y: &[T],
    gy: &mut [T],
    plus: T,
    area: usize,
    (sums, accum): (&mut [T], Accum),
) {
    assert_eq!(y.len(), gy.len(), "a value and its cotangent are of one size");
    let (channels, len) = (sums.len(), gy.len());
    let (gy, sums) = (Shared(gy.as_mut_ptr()), Shared(sums.as_mut_ptr()));
    for_channels(len, [channels, area], &|o| {
        let total = planes(len, [channels, area], o).fold(T::ZERO, |total, at| {
            // SAFETY: the plane stands within gy, which is as long as y, and one thread sees a channel.
            let gy = unsafe { std::slice::from_raw_parts_mut(gy.get().add(at), area) };
            keep_where_positive(&y[at..at + area], gy, plus);
            total + crate::kernels::sum(gy)
        });
        // SAFETY: there is a sum for each channel, and one thread sees a channel.
        unsafe { put(sums.get().add(o), total, accum) }
    });
}

/// Calls `each` for every channel, on several threads if there is much to do.
fn for_channels(len: usize, [channels, area]: [usize; 2], each: &(dyn Fn(usize) + Sync)) {
    assert!(len.is_multiple_of(size::product(&[channels, area]).max(1)), "elements are of whole images");
    let parts = threads().min(len / PART).min(channels).max(1);
    parallel(parts, &|part| share(channels, part, parts).for_each(each));
}

/// Where the elements of a channel begin in each image.
fn planes(len: usize, [channels, area]: [usize; 2], o: usize) -> impl Iterator<Item = usize> {
    let image = channels * area;
    (0..len / image.max(1)).map(move |n| n * image + o * area)
}

/// # Safety
/// `to` may be read and written.
unsafe fn put<T: Element>(to: *mut T, total: T, accum: Accum) {
    // SAFETY: the caller's.
    unsafe { *to = if accum == Accum::Add { *to + total } else { total } }
}
