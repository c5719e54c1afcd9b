//! h' = tanh(z + h wh), or max(z + h wh, 0): a plain recurrent layer.

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

/// A plain recurrent layer's steps over a batch of sequences: of z = x wx + b, wh, then h to begin with, then a mask.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rnn {
    /// Whether the function is relu; else it is tanh.
    pub relu: bool,
    /// How it goes through the sequences.
    pub course: Course,
}

impl Rnn {
    fn cell(self) -> Cell {
        Cell { gates: 1, biases: 0, states: 1, course: self.course }
    }
}

impl Rule for Rnn {
    fn name(&self) -> &'static str {
        "rnn"
    }

    fn arguments(&self) -> String {
        let function = if self.relu { "relu" } else { "tanh" };
        if self.course.reverse { format!("{function} reversed") } else { function.into() }
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        self.cell().shape(x)
    }

    fn indices(&self, _: &[&[usize]]) -> Option<(usize, usize)> {
        self.cell().mask().map(|mask| (mask, 2))
    }

    /// Kept: h after each step and before the first. Scratch: the cotangents of what went into the function.
    fn room(&self, x: &[&[usize]]) -> Room {
        self.cell().room(x, 0, 1)
    }

    fn takes_strides(&self, k: usize) -> bool {
        k == 0
    }

    fn flops(&self, x: &[&[usize]], _: &[usize]) -> u64 {
        self.cell().flops(x)
    }

    fn forward<T: Real>(&self, x: &[View<T>], y: ViewMut<T>) {
        let (of, wh) = (self.cell().sequences(x), x[1].data);
        let (b, t, n) = (of.batch, of.time, of.units);
        let strides = strides_of(&x[0]);
        let [y, h] = parts(y.data, [y.shape.elements(), (t + 1) * b * n]);
        self.cell().begin(x, 0, &mut h[..b * n]);
        for s in 0..t {
            let (h, h_next) = h[s * b * n..(s + 2) * b * n].split_at_mut(b * n);
            of.read(s, (x[0].data, strides), [0, 0, n], (h_next, n));
            if s > 0 || self.course.initial {
                let z = MatMut::row_major(h_next, n);
                T::gemm(
                    [b, n, n],
                    Mat::row_major(h, n),
                    Mat::row_major(wh, n),
                    z,
                    Accum::Add,
                    Epilogue::None,
                );
            }
            recurrent::simple(of, s, h, h_next, self.relu);
            of.write(s, h_next, y);
        }
        y[b * t * n..].copy_from_slice(&h[t * b * n..]);
    }

    /// Forward, h' = f(z + h wh), with f = tanh or relu.
    ///
    /// Step by step back, with gz = gh f': gh = gz whᵀ for the step before; then for all steps at once gwh = hᵀ gz, with
    /// the h that each step began with.
    fn vjp_in_place<T: Real>(
        &self,
        x: &[View<T>],
        y: View<T>,
        gy: &mut Cotangent<T>,
        gx: &mut Cotangents<T>,
    ) -> bool {
        let (of, wh) = (self.cell().sequences(x), x[1].data);
        let (b, t, n) = (of.batch, of.time, of.units);
        let (gy, h, scratch) = taken_apart(y, gy);
        let [h] = parts_of(h, [(t + 1) * b * n]);
        // gz [t, b, n]; gh [b, n]: of the state between two steps
        let [gz, gh] = parts(scratch, [b * t * n, b * n]);
        gh.copy_from_slice(&gy[b * t * n..]);
        for s in (0..t).rev() {
            let gz = &mut gz[s * b * n..(s + 1) * b * n];
            of.add_output(s, gy, gh);
            let (masked, before) = (self.course.masked, s > 0 || self.course.initial);
            let h_next = &h[(s + 1) * b * n..(s + 2) * b * n];
            recurrent::simple_vjp(of, s, h_next, gh, gz, self.relu, masked && before);
            if before {
                let (gz, wh) = (Mat::row_major(gz, n), Mat::row_major(wh, n).t());
                let accum = if masked { Accum::Add } else { Accum::Replace };
                T::gemm([b, n, n], gz, wh, MatMut::row_major(gh, n), accum, Epilogue::None);
            }
        }
        gx.add(0, |g, accum| of.hand_back((gz, n), [0, 0, n], (g.data, n), accum));
        gx.add(1, |g, accum| {
            let (h, gz) = (Mat::row_major(&h[..t * b * n], n).t(), Mat::row_major(gz, n));
            T::gemm([n, t * b, n], h, gz, MatMut::row_major(g.data, n), accum, Epilogue::None);
        });
        if self.course.initial {
            gx.add(2, |g, accum| copy([gh], g.data, accum));
        }
        true
    }

    fn vjp<T: Element>(&self, _: &[View<T>], _: View<T>, _: View<T>, _: &mut Cotangents<T>) {
        unreachable!("it works in the room behind the cotangent");
    }

    /// Which units fire, at each step.
    fn pieces(&self, x: &[View<f64>]) -> Vec<i64> {
        if !self.relu {
            return Vec::new();
        }
        let shapes: SmallVec<[&[usize]; 4]> = x.iter().map(|x| &x.shape[..]).collect();
        let shape = self.cell().shape(&shapes).expect("the shapes were checked when the op was recorded");
        let mut y = vec![0.0; shape.elements() + self.room(&shapes).kept];
        self.forward(x, ViewMut::new(&mut y, &shape));
        y.into_iter().map(|h| i64::from(h > 0.0)).collect()
    }

    fn samples() -> Vec<Sample> {
        let mut samples = Vec::new();
        for course in courses() {
            for &relu in &[false, true] {
                let rnn = Rnn { relu, course };
                for inputs in rnn.cell().samples() {
                    samples.push(Sample { op: rnn.into(), inputs });
                }
            }
        }
        samples
    }
}

/// # Recurrent layers
impl<'r, T: Real> Var<'r, T> {
    /// The steps of a plain recurrent layer over `self` = x wx + b, \[batch, time, units\], with recurrent weights wh
    /// \[units, units\]: h' = tanh(z + h wh), or relu instead of tanh. Gives h of all steps, \[batch, time, units\], and the
    /// final one, \[batch, units\]. `initial` is h to begin with, 0 if none.
    ///
    /// [`nn::Rnn`](crate::nn::Rnn) is the layer. Source: J. L. Elman, Finding Structure in Time, 1990.
    ///
    /// # Panics
    /// If the shapes do not fit, or the mask holds anything but 0 and 1.
    ///
    /// ```
    /// use quietgrad::{Params, Tape, Tensor, nn::Steps};
    ///
    /// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
    /// let r = tape.record(&params);
    /// let z = r.constant(&Tensor::from([[[1.0], [1.0], [-3.0]]])); // three steps of one unit
    /// let wh = r.constant(&Tensor::from([[1.0]]));
    /// let (h, last) = z.rnn(true, wh, None, Steps::all());
    /// assert_eq!(h.value(), Tensor::from([[[1.0], [2.0], [0.0]]]));
    /// assert_eq!(last.value(), Tensor::from([[0.0]]));
    /// ```
    #[track_caller]
    pub fn rnn(self, relu: bool, wh: Self, initial: Option<Self>, steps: Steps<'r, T>) -> (Self, Self) {
        let mut inputs = SmallVec::from_slice(&[self, wh]);
        let course = with_course("rnn", &mut inputs, initial.map(|h| [h]), steps);
        let y = self.apply(Rnn { relu, course }, &inputs);
        let (h, [last]) = outputs(y, sizes(&[&self.shape(), &wh.shape()]));
        (h, last)
    }
}
