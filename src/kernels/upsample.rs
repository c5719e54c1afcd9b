//! Larger images: each pixel repeated, or pixels between those of the image.

use crate::element::Element;
use crate::matrix::{Accum, size};

/// `planes` images of one channel each, and the size that they get.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Upsampling {
    pub planes: usize,
    /// Height and width of an image.
    pub from: [usize; 2],
    /// Height and width of what is made of it.
    pub to: [usize; 2],
}

impl Upsampling {
    fn check(&self, image: usize, larger: usize) {
        let wanted = [self.from, self.to].map(|[rows, cols]| size::product(&[self.planes, rows, cols]));
        assert!([image, larger] == wanted, "{self:?} of an image of {image} into {larger} elements");
    }
}

/// `y[i, j] = x[i / a, j / b]`, for sizes that are a and b times as large.
pub(crate) fn nearest<T: Element>(s: &Upsampling, x: &[T], y: &mut [T]) {
    s.check(x.len(), y.len());
    if y.is_empty() {
        return;
    }
    let [a, b] = [s.to[0] / s.from[0], s.to[1] / s.from[1]];
    for (x, y) in x.chunks_exact(s.from[1]).zip(y.chunks_exact_mut(a * s.to[1])) {
        let (first, others) = y.split_at_mut(s.to[1]);
        for (y, &x) in first.chunks_exact_mut(b).zip(x) {
            y.fill(x);
        }
        for y in others.chunks_exact_mut(s.to[1]) {
            y.copy_from_slice(first);
        }
    }
}

/// `gx (=, +=)` the sum of gy over the pixels that repeat an element.
pub(crate) fn nearest_vjp<T: Element>(s: &Upsampling, gy: &[T], gx: &mut [T], accum: Accum) {
    s.check(gx.len(), gy.len());
    if gx.is_empty() || gy.is_empty() {
        if accum == Accum::Replace {
            gx.fill(T::ZERO);
        }
        return;
    }
    let [a, b] = [s.to[0] / s.from[0], s.to[1] / s.from[1]];
    for (gx, gy) in gx.chunks_exact_mut(s.from[1]).zip(gy.chunks_exact(a * s.to[1])) {
        for (j, gx) in gx.iter_mut().enumerate() {
            let mut sum = if accum == Accum::Add { *gx } else { T::ZERO };
            for gy in gy.chunks_exact(s.to[1]) {
                gy[j * b..(j + 1) * b].iter().for_each(|&gy| sum += gy);
            }
            *gx = sum;
        }
    }
}

/// Where pixel i of `to` pixels in a line lies among `from` pixels: between which two neighbours, and how far from the first.
#[inline(always)]
fn between(i: usize, from: usize, to: usize, corners: bool) -> ([usize; 2], f64) {
    let place = if corners {
        if to > 1 { i as f64 * ((from - 1) as f64 / (to - 1) as f64) } else { 0.0 }
    } else {
        ((i as f64 + 0.5) * (from as f64 / to as f64) - 0.5).max(0.0)
    };
    let low = (place as usize).min(from - 1);
    ([low, (low + 1).min(from - 1)], place - low as f64)
}

/// `y[i, j] =` the weighted mean of the four pixels of x around its position. With `corners` the centres of the corner pixels
/// coincide, else the outer edges of both images do.
pub(crate) fn bilinear<T: Element>(s: &Upsampling, corners: bool, x: &[T], y: &mut [T]) {
    s.check(x.len(), y.len());
    if y.is_empty() {
        return;
    }
    let planes = x.chunks_exact(s.from[0] * s.from[1]).zip(y.chunks_exact_mut(s.to[0] * s.to[1]));
    for (x, y) in planes {
        for (i, y) in y.chunks_exact_mut(s.to[1]).enumerate() {
            let (rows, down) = between(i, s.from[0], s.to[0], corners);
            let [above, below] = rows.map(|row| &x[row * s.from[1]..(row + 1) * s.from[1]]);
            let [of_above, of_below] = [T::from_f64(1.0 - down), T::from_f64(down)];
            for (j, y) in y.iter_mut().enumerate() {
                let ([left, right], across) = between(j, s.from[1], s.to[1], corners);
                let [of_left, of_right] = [T::from_f64(1.0 - across), T::from_f64(across)];
                *y = of_above * (of_left * above[left] + of_right * above[right])
                    + of_below * (of_left * below[left] + of_right * below[right]);
            }
        }
    }
}

/// `gx (=, +=) Σ weight · gy`
///
/// In the forward pass [`bilinear`] was y = Σ weight · x over four pixels of x, each of which gets gy times its weight.
pub(crate) fn bilinear_vjp<T: Element>(s: &Upsampling, corners: bool, gy: &[T], gx: &mut [T], accum: Accum) {
    s.check(gx.len(), gy.len());
    if accum == Accum::Replace {
        gx.fill(T::ZERO);
    }
    if gy.is_empty() {
        return;
    }
    let planes = gx.chunks_exact_mut(s.from[0] * s.from[1]).zip(gy.chunks_exact(s.to[0] * s.to[1]));
    for (gx, gy) in planes {
        for (i, gy) in gy.chunks_exact(s.to[1]).enumerate() {
            let (rows, down) = between(i, s.from[0], s.to[0], corners);
            let weights = [T::from_f64(1.0 - down), T::from_f64(down)];
            for (j, &gy) in gy.iter().enumerate() {
                let (cols, across) = between(j, s.from[1], s.to[1], corners);
                let [of_left, of_right] = [T::from_f64(1.0 - across), T::from_f64(across)];
                for (row, weight) in rows.into_iter().zip(weights) {
                    gx[row * s.from[1] + cols[0]] += weight * of_left * gy;
                    gx[row * s.from[1] + cols[1]] += weight * of_right * gy;
                }
            }
        }
    }
}
