//! h' = (1 − u) n + u h: a layer of gated recurrent units, with the reset gate before or after the product.

use smallvec::SmallVec;

use super::{
    Cell, Course, Steps, columns, courses, outputs, parts, parts_of, sizes, strides_of, taken_apart,
    with_course,
};
use crate::element::Element;
use crate::kernels::{copy, recurrent, sum_rows};
use crate::matrix::{Accum, Epilogue, Mat, MatMut};
use crate::ops::{Real, Room, Rule, Sample};
use crate::tape::{Cotangents, Var};
use crate::tensor::{Cotangent, Shape, ShapeError, View, ViewMut};

/// What the reset gate r of a GRU multiplies, on the way to the new value n.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reset {
    /// The state, before its product with the weights: n = tanh(z + (r h) w). The paper's form (Cho et al. 2014); Keras'
    /// with `reset_after=False`.
    BeforeProduct,
    /// The product, with a bias of its own: n = tanh(z + r (h w + b)). The form of cuDNN and PyTorch, and Keras' default.
    AfterProduct,
}

/// A GRU's steps over a batch of sequences: of z = x wx + b, wh, the product's bias if the reset gate comes after it, then h
/// to begin with, then a mask.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Gru {
    /// What the reset gate multiplies.
    pub reset: Reset,
    /// How it goes through the sequences.
    pub course: Course,
}

impl Gru {
    fn after(self) -> bool {
        self.reset == Reset::AfterProduct
    }

    fn cell(self) -> Cell {
        Cell { gates: 3, biases: usize::from(self.after()), states: 1, course: self.course }
    }
}

impl Rule for Gru {
    fn name(&self) -> &'static str {
        "gru"
    }

    fn arguments(&self) -> String {
        let reset = if self.after() { "reset after product" } else { "reset before product" };
        if self.course.reverse { format!("{reset} reversed") } else { reset.into() }
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        self.cell().shape(x)
    }

    fn indices(&self, _: &[&[usize]]) -> Option<(usize, usize)> {
        self.cell().mask().map(|mask| (mask, 2))
    }

    /// Kept: r, u, n and q, where q is what r multiplies (the product h wh + bias), or r h if the gate comes before the
    /// product; and h after each step and before the first. Scratch: the cotangents of what went into the gates, and the sums
    /// of those.
    fn room(&self, x: &[&[usize]]) -> Room {
        let room = self.cell().room(x, 4, 4);
        let [batch, _, units] = sizes(x);
        Room { scratch: room.scratch.saturating_add((batch.saturating_add(3)).saturating_mul(units)), ..room }
    }

    fn takes_strides(&self, k: usize) -> bool {
        k == 0
    }

    fn flops(&self, x: &[&[usize]], _: &[usize]) -> u64 {
        self.cell().flops(x)
    }

    fn forward<T: Real>(&self, x: &[View<T>], y: ViewMut<T>) {
        let (of, wh, after) = (self.cell().sequences(x), x[1].data, self.after());
        let (b, t, n) = (of.batch, of.time, of.units);
        let strides = strides_of(&x[0]);
        // rows [t, b, 3 n]: r, u and n of each step; beside [t, b, n]: q; h [t + 1, b, n]: the states
        let sizes = [y.shape.elements(), b * t * 3 * n, b * t * n, (t + 1) * b * n];
        let [y, rows, beside, h] = parts(y.data, sizes);
        self.cell().begin(x, 0, &mut h[..b * n]);
        for s in 0..t {
            let rows = &mut rows[s * b * 3 * n..(s + 1) * b * 3 * n];
            let beside = &mut beside[s * b * n..(s + 1) * b * n];
            let (h, h_next) = h[s * b * n..(s + 2) * b * n].split_at_mut(b * n);
            let product = |a: &[T], from: usize, count: usize, rows: &mut [T]| {
                let y = MatMut {
                    data: rows.get_mut(from..).unwrap_or(&mut []),
                    row_stride: 3 * n,
                    col_stride: 1,
                };
                let (a, w) = (Mat::row_major(a, n), columns(wh, from, 3 * n));
                T::gemm([b, n, count], a, w, y, Accum::Add, Epilogue::None);
            };
            let z = (x[0].data, strides);
            if after {
                of.read(s, z, [0, 0, 2 * n], (rows, 3 * n));
                of.read(s, z, [2 * n, 0, n], (beside, n));
                for row in rows.chunks_exact_mut((3 * n).max(1)) {
                    row[2 * n..].copy_from_slice(x[2].data);
                }
                product(h, 0, 3 * n, rows);
                recurrent::gru_gates(of, s, rows, h, None);
            } else {
                of.read(s, z, [0, 0, 3 * n], (rows, 3 * n));
                product(h, 0, 2 * n, rows);
                recurrent::gru_gates(of, s, rows, h, Some(beside));
                product(beside, 2 * n, n, rows);
            }
            recurrent::gru(of, s, rows, beside, h, h_next, after);
            of.write(s, h_next, y);
        }
        y[b * t * n..].copy_from_slice(&h[t * b * n..]);
    }

    /// Forward, r, u = σ(z + h wh); n = tanh(z + r (h wh + bias)), or tanh(z + (r h) wh); h' = (1 − u) n + u h.
    ///
    /// Step by step back, with the cotangents of the gates' arguments by `recurrent::gru_vjp`: the state before gets gh u,
    /// and what comes through the products; then for all steps at once gwh = hᵀ gz, with the h, or r h, that was multiplied.
    fn vjp_in_place<T: Real>(
        &self,
        x: &[View<T>],
        y: View<T>,
        gy: &mut Cotangent<T>,
        gx: &mut Cotangents<T>,
    ) -> bool {
        let (of, wh, after) = (self.cell().sequences(x), x[1].data, self.after());
        let (b, t, n) = (of.batch, of.time, of.units);
        let (gy, kept, scratch) = taken_apart(y, gy);
        let [rows, beside, h] = parts_of(kept, [b * t * 3 * n, b * t * n, (t + 1) * b * n]);
        // gz [t, b, 3 n]: of what went into r, u and n; gn [t, b, n]: of z's columns of n; gq, gh [b, n]; sums [3 n]
        let [gz, gn, gq, gh, sums] = parts(scratch, [b * t * 3 * n, b * t * n, b * n, b * n, 3 * n]);
        gh.copy_from_slice(&gy[b * t * n..]);
        for s in (0..t).rev() {
            let (wide, narrow) = (s * b * 3 * n..(s + 1) * b * 3 * n, s * b * n..(s + 1) * b * n);
            let values = [&rows[wide.clone()], &beside[narrow.clone()], &h[narrow.clone()]];
            let gz = &mut gz[wide];
            let product = |gz: &[T], from: usize, count: usize, to: &mut [T], accum| {
                let (gz, w) = (columns(gz, from, 3 * n), columns(wh, from, 3 * n).t());
                T::gemm([b, count, n], gz, w, MatMut::row_major(to, n), accum, Epilogue::None);
            };
            of.add_output(s, gy, gh);
            if after {
                recurrent::gru_vjp(of, s, values, [gh, gz, &mut gn[narrow]], after);
                product(gz, 0, 3 * n, gh, Accum::Add);
            } else {
                recurrent::gru_vjp(of, s, values, [gh, gz, gq], after);
                product(gz, 2 * n, n, gq, Accum::Replace);
                recurrent::gru_reset_vjp(of, s, [values[0], values[2], gq], [gh, gz]);
                product(gz, 0, 2 * n, gh, Accum::Add);
            }
        }
        gx.add(0, |g, accum| {
            of.hand_back((gz, 3 * n), [0, 0, if after { 2 * n } else { 3 * n }], (g.data, 3 * n), accum);
            if after {
                of.hand_back((gn, n), [0, 2 * n, n], (g.data, 3 * n), accum);
            }
        });
        gx.add(1, |g, accum| {
            let mut product = |a: &[T], from: usize, count: usize| {
                let data = g.data.get_mut(from..).unwrap_or(&mut []);
                let gwh = MatMut { data, row_stride: 3 * n, col_stride: 1 };
                let (a, gz) = (Mat::row_major(a, n).t(), columns(gz, from, 3 * n));
                T::gemm([n, t * b, count], a, gz, gwh, accum, Epilogue::None);
            };
            product(&h[..t * b * n], 0, if after { 3 * n } else { 2 * n });
            if !after {
                product(beside, 2 * n, n);
            }
        });
        if after {
            sum_rows(gz, sums, Accum::Replace);
            gx.add(2, |g, accum| copy([&sums[2 * n..]], g.data, accum));
        }
        if self.course.initial {
            gx.add(self.cell().first_state(), |g, accum| copy([gh], g.data, accum));
        }
        true
    }

    fn vjp<T: Element>(&self, _: &[View<T>], _: View<T>, _: View<T>, _: &mut Cotangents<T>) {
        unreachable!("it works in the room behind the cotangent");
    }

    fn samples() -> Vec<Sample> {
        let mut samples = Vec::new();
        for course in courses() {
            for &reset in &[Reset::BeforeProduct, Reset::AfterProduct] {
                let gru = Gru { reset, course };
                for inputs in gru.cell().samples() {
                    samples.push(Sample { op: gru.into(), inputs });
                }
            }
        }
        samples
    }
}

/// # Recurrent layers
impl<'r, T: Real> Var<'r, T> {
    /// The steps of a GRU over `self` = x wx + b, \[batch, time, 3 units\], with recurrent weights wh \[units, 3 units\]; the
    /// gates stand in the order r, u, n, for reset, update and new. If there is a `bias` \[units\], the reset gate comes after
    /// the product, and it is added there ([`Reset::AfterProduct`]); else the gate comes before. Gives h of all steps,
    /// \[batch, time, units\], and the final one, \[batch, units\]. `initial` is h to begin with, 0 if none.
    ///
    /// r, u = σ(z + h wh); n = tanh(z + r (h wh + bias)), or tanh(z + (r h) wh); h' = (1 − u) n + u h.
    ///
    /// [`nn::Gru`](crate::nn::Gru) is the layer. Source: K. Cho et al., Learning Phrase Representations using RNN
    /// Encoder-Decoder for Statistical Machine Translation, 2014, where u and 1 − u are as here.
    ///
    /// # Panics
    /// If the shapes do not fit, or the mask holds anything but 0 and 1.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor, nn::Steps};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let z = r.constant(&Tensor::from([[[0.0, 0.0, 1.0]]])); // one step of one unit: r = u = ½
    /// let wh = r.constant(&Tensor::zeros([1, 3]));
    /// let h = r.constant(&Tensor::from([[2.0]]));
    /// let (_, before) = z.gru(wh, None, Some(h), Steps::all());
    /// assert_eq!(before.item(), 0.5 * 1f64.tanh() + 0.5 * 2.0);
    /// let (_, after) = z.gru(wh, Some(r.constant(&Tensor::from([4.0]))), Some(h), Steps::all());
    /// assert_eq!(after.item(), 0.5 * 3f64.tanh() + 0.5 * 2.0);
    /// ```
    #[track_caller]
    pub fn gru(
        self,
        wh: Self,
        bias: Option<Self>,
        initial: Option<Self>,
        steps: Steps<'r, T>,
    ) -> (Self, Self) {
        let reset = if bias.is_some() { Reset::AfterProduct } else { Reset::BeforeProduct };
        let mut inputs = SmallVec::from_slice(&[self, wh]);
        inputs.extend(bias);
        let course = with_course("gru", &mut inputs, initial.map(|h| [h]), steps);
        let y = self.apply(Gru { reset, course }, &inputs);
        let (h, [last]) = outputs(y, sizes(&[&self.shape(), &wh.shape()]));
        (h, last)
    }
}
