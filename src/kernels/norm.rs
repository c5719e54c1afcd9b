//! Euclidean norms, √Σx², that neither overflow nor underflow where the norm itself does not.
//!
//! Σx² is computed as it stands. Only if it comes out so small or so large that squares may have been lost, which costs
//! one comparison a sum to find out, it is computed again from x times a power of two.

use smallvec::SmallVec;

use super::map::Row;
use super::reduce::sum_strided;
use super::row;
use super::strided::{Strided, for_each_offset};
use crate::element::Element;
use crate::matrix::Accum;

/// Whether a sum of `count` squares is right as it stands: it is finite, and what squares lose that become subnormal
/// (half of the smallest number each) is rounded away beside it.
#[inline(always)]
pub(super) fn is_safe<T: Element>(squares: T, count: T) -> bool {
    squares >= T::MIN_POSITIVE * count && squares.to_f64().is_finite()
}

/// The power of two that brings numbers, the largest of which has the magnitude `max`, near 1; held where it and its
/// reciprocal are normal numbers.
#[inline(always)]
pub(super) fn scale_for<T: Element>(max: T) -> T {
    let exponent = |x: T| ((x.to_f64().to_bits() >> 52) & 0x7ff) as i64 - 1023;
    let most = -exponent(T::MIN_POSITIVE) - 6;
    let power = (-exponent(max)).clamp(-most, most);
    T::from_f64(f64::from_bits(((1023 + power) as u64) << 52))
}

/// `y = √Σ x²`, summed over the axes of `shape` where y's stride is 0.
///
/// Of a zero vector the tangent is 0, or, if `along`, the norm of the tangents: the derivative in their direction.
pub fn norm_strided<T: Element>(
    shape: &[usize],
    x: Strided<T>,
    y: &mut [T],
    y_strides: &[usize],
    along: bool,
) {
    let square = |[x]: [T; 1]| x * x;
    sum_strided(shape, [x], y, y_strides, Accum::Replace, &row(square));
    let goes = |axis: usize| y_strides[axis] == 0;
    let sizes = |summed: bool| {
        let sizes = shape.iter().enumerate().map(|(axis, &size)| if goes(axis) == summed { size } else { 1 });
        sizes.collect::<SmallVec<[usize; 6]>>()
    };
    let (inner, outer) = (sizes(true), sizes(false));
    let count = T::from_f64(inner.iter().map(|&size| size as f64).product::<f64>().max(1.0));
    if y.iter().all(|&squares| is_safe(squares, count)) {
        for y in y {
            *y = y.sqrt();
        }
        return;
    }
    for_each_offset(&outer, [y_strides, x.strides], |[to, from]| {
        y[to] = if is_safe(y[to], count) {
            y[to].sqrt()
        } else {
            let x = Strided { data: x.data.get(from..).unwrap_or(&[]), ..x };
            scaled_norm(&inner, x, along)
        };
    });
}

/// √Σ x² of what may overflow or underflow when it is squared.
fn scaled_norm<T: Element>(shape: &[usize], x: Strided<T>, along: bool) -> T {
    let mut max = T::ZERO;
    for_each_offset(shape, [x.strides], |[at]| max = max.maximum(x.data[at].abs()));
    // NaN and infinity are what they are.
    if !max.to_f64().is_finite() {
        return max;
    }
    let sum = |f: Row<T, 1>| {
        let mut sum = [T::ZERO];
        let to: SmallVec<[usize; 6]> = SmallVec::from_elem(0, shape.len());
        sum_strided(shape, [x], &mut sum, &to, Accum::Replace, f);
        sum[0]
    };
    if max == T::ZERO {
        if !along {
            return T::ZERO;
        }
        let squares = sum(&row(|[x]: [T; 1]| x.tangent() * x.tangent()));
        return if squares == T::ZERO { T::ZERO } else { squares.sqrt().times_epsilon() };
    }
    let scale = scale_for(max);
    sum(&row(move |[x]: [T; 1]| (x * scale) * (x * scale))).sqrt() / scale
}
