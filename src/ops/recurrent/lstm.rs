//! c' = f c + i g, h' = o tanh(c'): a layer of long short-term memory.

use smallvec::SmallVec;

use super::{
    Cell, Course, Steps, courses, outputs, parts, parts_of, sizes, strides_of, taken_apart, with_course,
};
use crate::element::Element;
use crate::kernels::{copy, recurrent};
use crate::matrix::{Accum, Epilogue, Mat, MatMut};
use crate::ops::{Real, Room, Rule, Sample};
use crate::tape::{Cotangents, Var};
use crate::tensor::{Cotangent, Shape, ShapeError, View, ViewMut};

/// An LSTM's steps over a batch of sequences: of z = x wx + b, wh, then h and c to begin with, then a mask.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Lstm {
    /// How it goes through the sequences.
    pub course: Course,
}

impl Lstm {
    fn cell(self) -> Cell {
        Cell { gates: 4, biases: 0, states: 2, course: self.course }
    }
}

impl Rule for Lstm {
    fn name(&self) -> &'static str {
        "lstm"
    }

    fn arguments(&self) -> String {
        if self.course.reverse { "reversed".into() } else { String::new() }
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        self.cell().shape(x)
    }

    fn indices(&self, _: &[&[usize]]) -> Option<(usize, usize)> {
        self.cell().mask().map(|mask| (mask, 2))
    }

    /// Kept: the gates, and h and c after each step and before the first. Scratch: the cotangents of what went into the gates.
    fn room(&self, x: &[&[usize]]) -> Room {
        self.cell().room(x, 4, 4)
    }

    fn takes_strides(&self, k: usize) -> bool {
        k == 0
    }

    fn flops(&self, x: &[&[usize]], _: &[usize]) -> u64 {
        self.cell().flops(x)
    }

    fn forward<T: Real>(&self, x: &[View<T>], y: ViewMut<T>) {
        let (cell, of, wh) = (self.cell(), self.cell().sequences(x), x[1].data);
        let (b, t, n) = (of.batch, of.time, of.units);
        let (wide, strides) = (4 * n, strides_of(&x[0]));
        // gates [t, b, 4 n]: i, f, g and o of each step; h and c [t + 1, b, n]: the states
        let [y, gates, h, c] =
            parts(y.data, [y.shape.elements(), b * t * wide, (t + 1) * b * n, (t + 1) * b * n]);
        cell.begin(x, 0, &mut h[..b * n]);
        cell.begin(x, 1, &mut c[..b * n]);
        for s in 0..t {
            let gates = &mut gates[s * b * wide..(s + 1) * b * wide];
            let (h, h_next) = h[s * b * n..(s + 2) * b * n].split_at_mut(b * n);
            let (c, c_next) = c[s * b * n..(s + 2) * b * n].split_at_mut(b * n);
            of.read(s, (x[0].data, strides), [0, 0, wide], (gates, wide));
            if s > 0 || self.course.initial {
                let (h, wh) = (Mat::row_major(h, n), Mat::row_major(wh, wide));
                T::gemm([b, n, wide], h, wh, MatMut::row_major(gates, wide), Accum::Add, Epilogue::None);
            }
            recurrent::lstm(of, s, gates, c, h, c_next, h_next);
            of.write(s, h_next, y);
        }
        let (last_h, last_c) = y[b * t * n..].split_at_mut(b * n);
        last_h.copy_from_slice(&h[t * b * n..]);
        last_c.copy_from_slice(&c[t * b * n..]);
    }

    /// Forward, i, f, o = σ(z + h wh) and g = tanh(z + h wh); c' = f c + i g; h' = o tanh(c').
    ///
    /// Step by step back, with gz, the cotangents of the gates' arguments, by `recurrent::lstm_vjp`: gh = gz whᵀ for the step
    /// before; then for all steps at once gwh = hᵀ gz, with the h that each step began with.
    fn vjp_in_place<T: Real>(
        &self,
        x: &[View<T>],
        y: View<T>,
        gy: &mut Cotangent<T>,
        gx: &mut Cotangents<T>,
    ) -> bool {
        let (of, wh) = (self.cell().sequences(x), x[1].data);
        let (b, t, n) = (of.batch, of.time, of.units);
        let wide = 4 * n;
        let (gy, kept, scratch) = taken_apart(y, gy);
        let [gates, h, c] = parts_of(kept, [b * t * wide, (t + 1) * b * n, (t + 1) * b * n]);
        // gz [t, b, 4 n]; gh and gc [b, n]: of the states between two steps
        let [gz, gh, gc] = parts(scratch, [b * t * wide, b * n, b * n]);
        gh.copy_from_slice(&gy[b * t * n..(t + 1) * b * n]);
        gc.copy_from_slice(&gy[(t + 1) * b * n..]);
        for s in (0..t).rev() {
            let (gates, gz) =
                (&gates[s * b * wide..(s + 1) * b * wide], &mut gz[s * b * wide..(s + 1) * b * wide]);
            let (c, c_next) = c[s * b * n..(s + 2) * b * n].split_at(b * n);
            of.add_output(s, gy, gh);
            let (masked, before) = (self.course.masked, s > 0 || self.course.initial);
            recurrent::lstm_vjp(of, s, [gates, c, c_next], [gh, gc, &mut *gz], masked && before);
            if before {
                let (gz, wh) = (Mat::row_major(gz, wide), Mat::row_major(wh, wide).t());
                let accum = if masked { Accum::Add } else { Accum::Replace };
                T::gemm([b, wide, n], gz, wh, MatMut::row_major(gh, n), accum, Epilogue::None);
            }
        }
        gx.add(0, |g, accum| of.hand_back((gz, wide), [0, 0, wide], (g.data, wide), accum));
        gx.add(1, |g, accum| {
            let h = Mat::row_major(&h[..t * b * n], n).t();
            let (gz, gwh) = (Mat::row_major(gz, wide), MatMut::row_major(g.data, wide));
            T::gemm([n, t * b, wide], h, gz, gwh, accum, Epilogue::None);
        });
        if self.course.initial {
            gx.add(2, |g, accum| copy([gh], g.data, accum));
            gx.add(3, |g, accum| copy([gc], g.data, accum));
        }
        true
    }

    fn vjp<T: Element>(&self, _: &[View<T>], _: View<T>, _: View<T>, _: &mut Cotangents<T>) {
        unreachable!("it works in the room behind the cotangent");
    }

    fn samples() -> Vec<Sample> {
        let mut samples = Vec::new();
        for course in courses() {
            let lstm = Lstm { course };
            for inputs in lstm.cell().samples() {
                samples.push(Sample { op: lstm.into(), inputs });
            }
        }
        samples
    }
}

/// # Recurrent layers
impl<'r, T: Real> Var<'r, T> {
    /// The steps of an LSTM over `self` = x wx + b, \[batch, time, 4 units\], with recurrent weights wh \[units, 4 units\]; the
    /// gates stand in the order i, f, g, o. Gives h of all steps, \[batch, time, units\], and the final h and c, each
    /// \[batch, units\]. `initial` is h and c to begin with, 0 if none.
    ///
    /// i, f, o = σ(z + h wh) and g = tanh(z + h wh), each in its columns; c' = f c + i g; h' = o tanh(c').
    ///
    /// [`nn::Lstm`](crate::nn::Lstm) is the layer. Sources: S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, 1997;
    /// with the forget gate of F. A. Gers, J. Schmidhuber and F. Cummins, Learning to Forget, 2000.
    ///
    /// # Panics
    /// If the shapes do not fit, or the mask holds anything but 0 and 1.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor, nn::Steps};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let z = r.constant(&Tensor::from([[[0.0, 1.0, 0.5, -1.0]]])); // one step of one unit
    /// let wh = r.constant(&Tensor::zeros([1, 4]));
    /// let (h, c) = (r.constant(&Tensor::from([[0.0]])), r.constant(&Tensor::from([[1.0]])));
    /// let (_, [h, c]) = z.lstm(wh, Some([h, c]), Steps::all());
    /// approx::assert_relative_eq!(c.item(), 0.96211716, max_relative = 1e-7);
    /// approx::assert_relative_eq!(h.item(), 0.20042046, max_relative = 1e-7);
    /// ```
    #[track_caller]
    pub fn lstm(self, wh: Self, initial: Option<[Self; 2]>, steps: Steps<'r, T>) -> (Self, [Self; 2]) {
        let mut inputs = SmallVec::from_slice(&[self, wh]);
        let course = with_course("lstm", &mut inputs, initial, steps);
        let y = self.apply(Lstm { course }, &inputs);
        outputs(y, sizes(&[&self.shape(), &wh.shape()]))
    }
}
