//! Recurrent layers, one step of all sequences of a batch at a time: what happens between a step's matrix products.
//!
//! What the user sees is batch-first: element (b, t, j) of `[batch, time, width]`. What a layer keeps is in the order of its
//! steps, since then the states that all steps began with are one matrix, and so are the cotangents that belong to them:
//! the gradient of the recurrent weights is one product. Step s is at time s, or at time `time − 1 − s` of a layer that
//! goes backwards.
//!
//! Gates are kept after their function: σ' = y (1 − y) and tanh' = 1 − y² need no more. A product of slopes may become
//! subnormal, and would make all steps before it slow: it ends at 0 instead.

// An index runs through all parts of a row at once.
#![allow(clippy::needless_range_loop)]

mod gru;

pub(crate) use gru::{gru, gru_gates, gru_reset_vjp, gru_vjp};

use super::in_place;
use super::isa::vectorize;
use crate::element::Element;
use crate::matrix::Accum;

/// The sequences of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sequences<'a, T> {
    pub batch: usize,
    pub time: usize,
    /// Units of a state.
    pub units: usize,
    /// Whether the steps run from the end to the beginning.
    pub reverse: bool,
    /// 0 at the steps that do not count, [batch, time].
    pub mask: Option<&'a [T]>,
}

impl<T: Element> Sequences<'_, T> {
    /// The time of step s.
    #[inline(always)]
    fn time_of(&self, s: usize) -> usize {
        if self.reverse { self.time - 1 - s } else { s }
    }

    /// Whether step s of sequence b counts. If not, the state stays as it was.
    #[inline(always)]
    fn counts(&self, b: usize, s: usize) -> bool {
        self.mask.is_none_or(|mask| mask[b * self.time + self.time_of(s)] != T::ZERO)
    }

    /// Copies columns `from..from + count` of x \[batch, time, _\], which stands with these strides, at step s, to columns
    /// `to..` of a matrix \[batch, width\].
    pub fn read(
        &self,
        s: usize,
        (x, strides): (&[T], [usize; 3]),
        [from, to, count]: [usize; 3],
        (y, width): (&mut [T], usize),
    ) {
        for (b, y) in y.chunks_exact_mut(width.max(1)).enumerate().take(self.batch) {
            let start = b * strides[0] + self.time_of(s) * strides[1] + from * strides[2];
            let y = &mut y[to..to + count];
            if strides[2] == 1 {
                y.copy_from_slice(&x[start..start + count]);
            } else {
                for (j, y) in y.iter_mut().enumerate() {
                    *y = x[start + j * strides[2]];
                }
            }
        }
    }

    /// Puts the states after step s into y \[batch, time, units\]; 0 at a step that does not count.
    pub fn write(&self, s: usize, h: &[T], y: &mut [T]) {
        let n = self.units;
        for (b, h) in h.chunks_exact(n.max(1)).enumerate() {
            let y = &mut y[(b * self.time + self.time_of(s)) * n..][..n];
            if self.counts(b, s) {
                y.copy_from_slice(h);
            } else {
                y.fill(T::ZERO);
            }
        }
    }

    /// Adds the cotangents of the outputs of step s, gy \[batch, time, units\], to those of the states, gh \[batch, units\].
    pub fn add_output(&self, s: usize, gy: &[T], gh: &mut [T]) {
        let n = self.units;
        for (b, gh) in gh.chunks_exact_mut(n.max(1)).enumerate() {
            if self.counts(b, s) {
                super::copy([&gy[(b * self.time + self.time_of(s)) * n..][..n]], gh, Accum::Add);
            }
        }
    }

    /// gx (=, +=) what was computed step by step, `[time, batch, width]`, for columns `from..from + count` of both:
    /// `[batch, time, columns]` with `to` as the first column.
    pub fn hand_back(
        &self,
        (steps, width): (&[T], usize),
        [from, to, count]: [usize; 3],
        (gx, columns): (&mut [T], usize),
        accum: Accum,
    ) {
        for s in 0..self.time {
            for b in 0..self.batch {
                let from = (s * self.batch + b) * width + from;
                let to = (b * self.time + self.time_of(s)) * columns + to;
                super::copy([&steps[from..from + count]], &mut gx[to..to + count], accum);
            }
        }
    }
}

/// `y (1 − y)`, the slope of y = σ(z), and `1 − y²`, that of y = tanh z: as a product, so that no square is rounded near 1.
#[inline(always)]
fn slope_of_sigmoid<T: Element>(y: T) -> T {
    y * (T::ONE - y)
}

#[inline(always)]
fn slope_of_tanh<T: Element>(y: T) -> T {
    (T::ONE - y) * (T::ONE + y)
}

/// Parts of n numbers each, one after the other.
#[inline(always)]
fn three<T>(x: &[T], n: usize) -> [&[T]; 3] {
    let (a, rest) = x.split_at(n);
    let (b, c) = rest.split_at(n);
    [a, b, &c[..n]]
}

#[inline(always)]
fn three_mut<T>(x: &mut [T], n: usize) -> [&mut [T]; 3] {
    let (a, rest) = x.split_at_mut(n);
    let (b, c) = rest.split_at_mut(n);
    [a, b, &mut c[..n]]
}

#[inline(always)]
fn four<T>(x: &[T], n: usize) -> [&[T]; 4] {
    let (a, rest) = x.split_at(n);
    let [b, c, d] = three(rest, n);
    [a, b, c, d]
}

#[inline(always)]
fn four_mut<T>(x: &mut [T], n: usize) -> [&mut [T]; 4] {
    let (a, rest) = x.split_at_mut(n);
    let [b, c, d] = three_mut(rest, n);
    [a, b, c, d]
}

/// Row b of a matrix with n columns: so many that the compiler sees that they are.
#[inline(always)]
fn row<T>(x: &[T], b: usize, n: usize) -> &[T] {
    &x[b * n..][..n]
}

#[inline(always)]
fn row_mut<T>(x: &mut [T], b: usize, n: usize) -> &mut [T] {
    &mut x[b * n..][..n]
}

// The loops below write one row each and read few: of more, the compiler would not find out that none overlaps another, and
// compute one number at a time.

vectorize! {
    /// `c' = f c + i g` and `h' = o tanh(c')`, with i, f, o = σ(z) and g = tanh(z) in the order i, f, g, o.
    ///
    /// `gates` \[batch, 4 units\] holds z before and the gates after; states are \[batch, units\].
    pub(crate) fn lstm [T: Element] (
        of: Sequences<T>, s: usize, gates: &mut [T], c: &[T], h: &[T], c_next: &mut [T], h_next: &mut [T]
    ) {
        let n = of.units;
        for b in 0..of.batch {
            let (c, c_next, h_next) = (row(c, b, n), row_mut(c_next, b, n), row_mut(h_next, b, n));
            if !of.counts(b, s) {
                c_next.copy_from_slice(c);
                h_next.copy_from_slice(row(h, b, n));
                continue;
            }
            let gates = row_mut(gates, b, 4 * n);
            in_place::sigmoid(&mut gates[..2 * n]);
            in_place::tanh(&mut gates[2 * n..3 * n]);
            in_place::sigmoid(&mut gates[3 * n..]);
            let [i, f, g, o] = four(gates, n);
            for j in 0..n {
                c_next[j] = f[j] * c[j] + i[j] * g[j];
            }
            h_next.copy_from_slice(c_next);
            in_place::tanh(h_next);
            for j in 0..n {
                h_next[j] = o[j] * h_next[j];
            }
        }
    }
}

vectorize! {
    /// From the cotangents of h' and c' those of z and, in `gc`, of c:
    /// `q = gc + gh o (1 − tanh²c')`, `gz = (q g i', q c f', q i g', gh tanh(c') o')`, `gc = q f`.
    ///
    /// In the forward pass [`lstm`] was c' = f c + i g, h' = o tanh(c'). Where a step does not count, gz is 0 and gc stays;
    /// where it does, and `clear`, gh becomes 0, ready to be added to. `values` are the gates \[batch, 4 units\], c and c'
    /// \[batch, units\]; `cotangents` are gh and gc \[batch, units\], and gz \[batch, 4 units\].
    pub(crate) fn lstm_vjp [T: Element] (
        of: Sequences<T>, s: usize, values: [&[T]; 3], cotangents: [&mut [T]; 3], clear: bool
    ) {
        let ([gates, c, c_next], [gh, gc, gz]) = (values, cotangents);
        let n = of.units;
        for b in 0..of.batch {
            let gz = row_mut(gz, b, 4 * n);
            if !of.counts(b, s) {
                gz.fill(T::ZERO);
                continue;
            }
            let [i, f, g, o] = four(row(gates, b, 4 * n), n);
            let [gi, gf, gg, go] = four_mut(gz, n);
            let (c, c_next) = (row(c, b, n), row(c_next, b, n));
            let (gh, gc) = (row_mut(gh, b, n), row_mut(gc, b, n));
            go.copy_from_slice(c_next);
            in_place::tanh(go);
            for j in 0..n {
                gc[j] += gh[j] * o[j] * slope_of_tanh(go[j]);
            }
            for j in 0..n {
                go[j] = (gh[j] * go[j] * slope_of_sigmoid(o[j])).normal_or_zero();
            }
            for j in 0..n {
                gi[j] = (gc[j] * g[j] * slope_of_sigmoid(i[j])).normal_or_zero();
            }
            for j in 0..n {
                gf[j] = (gc[j] * c[j] * slope_of_sigmoid(f[j])).normal_or_zero();
            }
            for j in 0..n {
                gg[j] = (gc[j] * i[j] * slope_of_tanh(g[j])).normal_or_zero();
            }
            for j in 0..n {
                gc[j] = (gc[j] * f[j]).normal_or_zero();
            }
            if clear {
                gh.fill(T::ZERO);
            }
        }
    }
}

vectorize! {
    /// `h' = tanh(z)` or `max(z, 0)`, where z stands in h'.
    pub(crate) fn simple [T: Element] (of: Sequences<T>, s: usize, h: &[T], h_next: &mut [T], relu: bool) {
        let n = of.units;
        for b in 0..of.batch {
            let (h, h_next) = (row(h, b, n), row_mut(h_next, b, n));
            if !of.counts(b, s) {
                h_next.copy_from_slice(h);
            } else if relu {
                for h in h_next {
                    *h = if *h <= T::ZERO { T::ZERO } else { *h };
                }
            } else {
                in_place::tanh(h_next);
            }
        }
    }
}

vectorize! {
    /// `gz = gh f'(z)` from the state h' that was f(z): 1 − h'², or 1 where h' is above 0. All are \[batch, units\].
    ///
    /// Where a step does not count, gz is 0 and gh stays; where it does, and `clear`, gh becomes 0, ready to be added to.
    pub(crate) fn simple_vjp [T: Element] (
        of: Sequences<T>, s: usize, h_next: &[T], gh: &mut [T], gz: &mut [T], relu: bool, clear: bool
    ) {
        let n = of.units;
        for b in 0..of.batch {
            let (h, gh, gz) = (row(h_next, b, n), row_mut(gh, b, n), row_mut(gz, b, n));
            if !of.counts(b, s) {
                gz.fill(T::ZERO);
                continue;
            }
            if relu {
                for j in 0..n {
                    gz[j] = if h[j] > T::ZERO { gh[j] } else { T::ZERO };
                }
            } else {
                for j in 0..n {
                    gz[j] = (gh[j] * slope_of_tanh(h[j])).normal_or_zero();
                }
            }
            if clear {
                gh.fill(T::ZERO);
            }
        }
    }
}
