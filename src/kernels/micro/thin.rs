//! Products with few steps of k, once for every instruction set. They do little with each element of c, so they are
//! bound by the stores, and c is written a column at a time, in a straight line. On the way back through such a layer,
//! what takes time is to read it and its cotangent: that is done once for all that is wanted.

use super::part::{load, store};
use super::{Product, THIN, ThinLayer, Vector};

/// See [`Microkernel::thin`](super::Microkernel::thin), with `K` for `k`.
#[inline(always)]
pub(super) unsafe fn thin<V: Vector, const K: usize>(p: &Product<V::Element>) {
    // SAFETY: the caller's.
    unsafe {
        // What happens to a finished vector is settled out here: the loop down a column has no time to ask.
        match (p.finish.add, p.finish.bias.is_some(), p.finish.relu) {
            (false, false, _) => columns::<V, K, false, false, false>(p),
            (true, false, _) => columns::<V, K, true, false, false>(p),
            (_, true, false) => columns::<V, K, false, true, false>(p),
            (_, true, true) => columns::<V, K, false, true, true>(p),
        }
    }
}

/// The product, one column of c after the other: `c = relu(c? + a b + bias?)?`.
#[inline(always)]
unsafe fn columns<V: Vector, const K: usize, const ADD: bool, const BIAS: bool, const RELU: bool>(
    p: &Product<V::Element>,
) {
    let whole = p.m / V::LANES * V::LANES;
    // SAFETY: the caller guarantees the instruction set and for the memory that the product describes.
    unsafe {
        let head = V::head(p.m - whole);
        for j in 0..p.n {
            let mut b = [V::zero(); K];
            for s in 0..K {
                b[s] = V::splat(*p.b.add(s * p.b_row + j * p.b_col));
            }
            let c = p.c.add(j * p.c_col);
            for i in (0..whole).step_by(V::LANES) {
                vector::<V, K, ADD, BIAS, RELU, true>(p, &b, i, c, head).store(c.add(i));
            }
            if whole < p.m {
                vector::<V, K, ADD, BIAS, RELU, false>(p, &b, whole, c, head).store_head(c.add(whole), head);
            }
        }
    }
}

/// The vector of a column of c that begins in row i, `WHOLE` or as far as `head` says.
#[inline(always)]
unsafe fn vector<
    V: Vector,
    const K: usize,
    const ADD: bool,
    const BIAS: bool,
    const RELU: bool,
    const WHOLE: bool,
>(
    p: &Product<V::Element>,
    b: &[V; K],
    i: usize,
    c: *const V::Element,
    head: V::Head,
) -> V {
    // SAFETY: as in `columns`; the bias has m elements, or one if its step is 0.
    unsafe {
        let mut sum = V::zero();
        for s in 0..K {
            sum = load::<V>(p.a.add(i + s * p.a_col), WHOLE, head).mul_add(b[s], sum);
        }
        if ADD {
            sum = sum.add(load(c.add(i), WHOLE, head));
        }
        if let (true, Some(bias)) = (BIAS, p.finish.bias) {
            let bias = if p.finish.bias_step == 0 { V::splat(*bias) } else { load(bias.add(i), WHOLE, head) };
            sum = sum.add(bias);
        }
        if RELU { sum.relu() } else { sum }
    }
}

/// See [`Microkernel::thin_vjp`](super::Microkernel::thin_vjp), with at most `K` inputs and `VECS` vectors of columns at a
/// time.
#[inline(always)]
pub(super) unsafe fn vjp<V: Vector, const K: usize, const VECS: usize>(layer: &ThinLayer<V::Element>) {
    // SAFETY: the caller guarantees the instruction set and for the memory that the layer describes.
    unsafe {
        let mut j = 0;
        while j + VECS * V::LANES <= layer.cols {
            sums::<V, K, VECS, true>(layer, j, V::head(V::LANES));
            j += VECS * V::LANES;
        }
        while j < layer.cols {
            sums::<V, THIN, 1, false>(layer, j, V::head(V::LANES.min(layer.cols - j)));
            j += V::LANES;
        }
    }
}

/// The sums over the rows in the vectors of columns that begin at j, `WHOLE` or as far as `head` says. Inputs that the layer
/// lacks are summed as the last one is, once more, and not stored.
#[inline(always)]
unsafe fn sums<V: Vector, const K: usize, const VECS: usize, const WHOLE: bool>(
    layer: &ThinLayer<V::Element>,
    j: usize,
    head: V::Head,
) {
    let ThinLayer { m, k, n, x, x_row, x_col, y, gy, plus, gw, gw_row, gw_add, gb, gb_add, .. } = *layer;
    // SAFETY: as in `vjp`.
    unsafe {
        let plus = V::splat(plus);
        let (mut of_w, mut of_b) = ([[V::zero(); VECS]; K], [V::zero(); VECS]);
        let mut input = [x; K];
        for p in 0..K {
            input[p] = x.wrapping_add(p.min(k - 1) * x_col);
        }
        for i in 0..m {
            let mut inputs = [V::zero(); K];
            for p in 0..K {
                inputs[p] = V::splat(*input[p].add(i * x_row));
            }
            for v in 0..VECS {
                let at = i * n + j + v * V::LANES;
                let y = load::<V>(y.add(at), WHOLE, head);
                let g = load::<V>(gy.add(at), WHOLE, head).add(plus).where_positive(y);
                of_b[v] = of_b[v].add(g);
                for p in 0..K {
                    of_w[p][v] = g.mul_add(inputs[p], of_w[p][v]);
                }
            }
        }
        put::<V, VECS, WHOLE>(&of_b, gb.add(j), gb_add, head);
        for p in 0..K {
            if p < k {
                put::<V, VECS, WHOLE>(&of_w[p], gw.add(p * gw_row + j), gw_add, head);
            }
        }
    }
}

/// `to (=, +=) sums`
#[inline(always)]
unsafe fn put<V: Vector, const VECS: usize, const WHOLE: bool>(
    sums: &[V; VECS],
    to: *mut V::Element,
    add: bool,
    head: V::Head,
) {
    // SAFETY: as in `sums`.
    unsafe {
        for v in 0..VECS {
            let to = to.add(v * V::LANES);
            let sum = if add { sums[v].add(load(to, WHOLE, head)) } else { sums[v] };
            store(sum, to, WHOLE, head);
        }
    }
}
