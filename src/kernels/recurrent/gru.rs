//! The steps of gated recurrent units.

// An index runs through all parts of a row at once.
#![allow(clippy::needless_range_loop)]

use super::{Sequences, row, row_mut, slope_of_sigmoid, slope_of_tanh, three, three_mut};
use crate::element::Element;
use crate::kernels::in_place;
use crate::kernels::isa::vectorize;

vectorize! {
    /// `r = σ(z)` and `u = σ(z)` in rows \[r, u, _\], and, if it is asked for, `q = r h`, or 0 where a step does not count.
    pub(crate) fn gru_gates [T: Element] (
        of: Sequences<T>, s: usize, rows: &mut [T], h: &[T], q: Option<&mut [T]>
    ) {
        let n = of.units;
        let mut q = q;
        for b in 0..of.batch {
            let counts = of.counts(b, s);
            let rows = row_mut(rows, b, 3 * n);
            if counts {
                in_place::sigmoid(&mut rows[..2 * n]);
            }
            if let Some(q) = &mut q {
                let (r, h, q) = (&rows[..n], row(h, b, n), row_mut(q, b, n));
                if !counts {
                    q.fill(T::ZERO);
                    continue;
                }
                for j in 0..n {
                    q[j] = r[j] * h[j];
                }
            }
        }
    }
}

vectorize! {
    /// `n = tanh(z)`, where z stands in n, and `h' = (1 − u) n + u h`.
    ///
    /// If the reset gate comes `after` the product q, `n = tanh(z + r q)`: rows are \[r, u, q\] then, and n stands beside
    /// them; else rows are \[r, u, n\], and q beside them. Rows are \[batch, 3 units\], all others \[batch, units\].
    pub(crate) fn gru [T: Element] (
        of: Sequences<T>, s: usize, rows: &mut [T], beside: &mut [T], h: &[T], h_next: &mut [T], after: bool
    ) {
        let n = of.units;
        for b in 0..of.batch {
            let (h, h_next) = (row(h, b, n), row_mut(h_next, b, n));
            if !of.counts(b, s) {
                h_next.copy_from_slice(h);
                continue;
            }
            let [r, u, last] = three_mut(row_mut(rows, b, 3 * n), n);
            let beside = row_mut(beside, b, n);
            let (new, q) = if after { (beside, last) } else { (last, beside) };
            if after {
                for j in 0..n {
                    new[j] += r[j] * q[j];
                }
            }
            in_place::tanh(new);
            for j in 0..n {
                h_next[j] = (T::ONE - u[j]) * new[j] + u[j] * h[j];
            }
        }
    }
}

vectorize! {
    /// From the cotangent of h' those of the arguments of n and u, `gn = gh (1 − u) n'` and `gu = gh (h − n) u'`, and
    /// `gh = gh u`. If the reset gate comes `after` the product also `gr = gn q r'` and `gq = gn r`.
    ///
    /// In the forward pass [`gru`] was h' = (1 − u) n + u h; cotangents stand as the values do. Where a step does not count,
    /// all are 0 and gh stays. `values` are the rows \[batch, 3 units\], what stands beside them and h \[batch, units\];
    /// `cotangents` are gh \[batch, units\], those of the rows, and those of what stands beside them.
    pub(crate) fn gru_vjp [T: Element] (
        of: Sequences<T>, s: usize, values: [&[T]; 3], cotangents: [&mut [T]; 3], after: bool
    ) {
        let ([rows, beside, h], [gh, gz, g_beside]) = (values, cotangents);
        let n = of.units;
        for b in 0..of.batch {
            let (gz, g_beside) = (row_mut(gz, b, 3 * n), row_mut(g_beside, b, n));
            if !of.counts(b, s) {
                gz.fill(T::ZERO);
                g_beside.fill(T::ZERO);
                continue;
            }
            let [r, u, last] = three(row(rows, b, 3 * n), n);
            let [gr, gu, g_last] = three_mut(gz, n);
            let beside = row(beside, b, n);
            let (new, q) = if after { (beside, last) } else { (last, beside) };
            let (gn, gq) = if after { (g_beside, g_last) } else { (g_last, g_beside) };
            let (h, gh) = (row(h, b, n), row_mut(gh, b, n));
            for j in 0..n {
                gn[j] = (gh[j] * (T::ONE - u[j]) * slope_of_tanh(new[j])).normal_or_zero();
            }
            for j in 0..n {
                gu[j] = (gh[j] * (h[j] - new[j]) * slope_of_sigmoid(u[j])).normal_or_zero();
            }
            for j in 0..n {
                gh[j] = (gh[j] * u[j]).normal_or_zero();
            }
            if after {
                for j in 0..n {
                    gr[j] = (gn[j] * q[j] * slope_of_sigmoid(r[j])).normal_or_zero();
                }
                for j in 0..n {
                    gq[j] = (gn[j] * r[j]).normal_or_zero();
                }
            }
        }
    }
}

vectorize! {
    /// From the cotangent of q = r h: `gr = gq h r'` and `gh += gq r`, in rows \[r, u, n\].
    pub(crate) fn gru_reset_vjp [T: Element] (
        of: Sequences<T>, s: usize, values: [&[T]; 3], cotangents: [&mut [T]; 2]
    ) {
        let ([rows, h, gq], [gh, gz]) = (values, cotangents);
        let n = of.units;
        for b in 0..of.batch {
            if !of.counts(b, s) {
                continue;
            }
            let (r, gr) = (&row(rows, b, 3 * n)[..n], &mut row_mut(gz, b, 3 * n)[..n]);
            let (h, gq, gh) = (row(h, b, n), row(gq, b, n), row_mut(gh, b, n));
            for j in 0..n {
                gr[j] = (gq[j] * h[j] * slope_of_sigmoid(r[j])).normal_or_zero();
            }
            for j in 0..n {
                gh[j] += gq[j] * r[j];
            }
        }
    }
}
