//! Recurrent layers, and how they are put together.

mod gru;
mod layouts;
mod lstm;
mod rnn;

pub use gru::Gru;
pub use lstm::{Lstm, LstmState};
pub use rnn::Rnn;

pub use crate::ops::recurrent::Steps;

use crate::nn::Init;
use crate::ops::Real;
use crate::params::{ParamId, Params};
use crate::random::Random;
use crate::tape::Var;
use crate::tensor::Tensor;

/// A layer that goes through sequences step by step: [`Lstm`], [`Gru`], [`Rnn`], and what is built of them, [`Bidirectional`] and
/// [`Stack`].
///
/// ```
/// use quietgrad::nn::{Lstm, Recurrent, Steps, Unrolled};
/// use quietgrad::{Params, Random, Tape, Tensor};
///
/// let mut params = Params::<f32>::new();
/// let lstm = Lstm::new(&mut params, "lstm", [3, 8], &mut Random::new(1));
///
/// let mut tape = Tape::new();
/// let r = tape.record(&params);
/// let x = r.constant(&Tensor::zeros([2, 5, 3])); // two sequences of five steps of three features
/// let Unrolled { h, last } = lstm.forward(x);
/// assert_eq!(h.shape()[..], [2, 5, 8]);
/// assert_eq!(last.c.shape()[..], [2, 8]);
///
/// let of_lengths = lstm.run(x, Steps::masked(r.mask(&[5, 2], 5)), Some(last)); // and from other states than 0
/// assert_eq!(of_lengths.last.h.shape()[..], [2, 8]);
/// ```
pub trait Recurrent {
    /// What it remembers from one step to the next, of all sequences: [batch, units] for each of its parts.
    type State<'r, T: Real>: Copy;

    /// Goes through some steps of x, [batch, time, features], from these states, or from 0.
    ///
    /// # Panics
    /// If the shapes do not fit, or a mask holds anything but 0 and 1.
    #[track_caller]
    fn run<'r, T: Real>(
        &self,
        x: Var<'r, T>,
        steps: Steps<'r, T>,
        initial: Option<Self::State<'r, T>>,
    ) -> Unrolled<'r, T, Self::State<'r, T>>;

    /// As [`run`](Recurrent::run) on x, [batch, features], given again at each of `time` steps, as to a decoder. The
    /// product of x with the first layer's weights is made once.
    ///
    /// # Panics
    /// As `run`.
    #[track_caller]
    fn run_repeated<'r, T: Real>(
        &self,
        x: Var<'r, T>,
        time: usize,
        steps: Steps<'r, T>,
        initial: Option<Self::State<'r, T>>,
    ) -> Unrolled<'r, T, Self::State<'r, T>>;

    /// Goes through all steps of x, [batch, time, features], from 0.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    fn forward<'r, T: Real>(&self, x: Var<'r, T>) -> Unrolled<'r, T, Self::State<'r, T>> {
        self.run(x, Steps::all(), None)
    }
}

/// What a recurrent layer made of its sequences.
#[derive(Clone, Copy)]
pub struct Unrolled<'r, T, S> {
    /// The outputs of all steps, [batch, time, units]; 0 at steps that a mask leaves out.
    pub h: Var<'r, T>,
    /// The states after the last step of each sequence.
    pub last: S,
}

/// Two layers over the same sequences, of which the second goes backwards; their outputs side by side, [batch, time,
/// units of both].
///
/// Source: M. Schuster and K. K. Paliwal, Bidirectional Recurrent Neural Networks, 1997.
///
/// ```
/// use quietgrad::nn::{Bidirectional, Gru, Recurrent, Reset};
/// use quietgrad::{Params, Random, Tape, Tensor};
///
/// let (mut params, mut random) = (Params::<f32>::new(), Random::new(1));
/// let mut gru = |name| Gru::new(&mut params, name, [3, 4], Reset::AfterProduct, &mut random);
/// let both = Bidirectional { forward: gru("there"), backward: gru("back") };
///
/// let mut tape = Tape::new();
/// let r = tape.record(&params);
/// let out = both.forward(r.constant(&Tensor::zeros([2, 5, 3])));
/// assert_eq!(out.h.shape()[..], [2, 5, 8]);
/// let [there, back] = out.last; // after the last step, and after the first
/// assert_eq!(back.shape()[..], [2, 4]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Bidirectional<L> {
    /// Goes from the first step to the last.
    pub forward: L,
    /// Goes from the last step to the first.
    pub backward: L,
}

impl<L: Recurrent> Recurrent for Bidirectional<L> {
    type State<'r, T: Real> = [L::State<'r, T>; 2];

    #[track_caller]
    fn run<'r, T: Real>(
        &self,
        x: Var<'r, T>,
        steps: Steps<'r, T>,
        initial: Option<Self::State<'r, T>>,
    ) -> Unrolled<'r, T, Self::State<'r, T>> {
        let [first, second] = each_of(initial);
        beside(self.forward.run(x, steps, first), self.backward.run(x, steps.reversed(), second))
    }

    #[track_caller]
    fn run_repeated<'r, T: Real>(
        &self,
        x: Var<'r, T>,
        time: usize,
        steps: Steps<'r, T>,
        initial: Option<Self::State<'r, T>>,
    ) -> Unrolled<'r, T, Self::State<'r, T>> {
        let [first, second] = each_of(initial);
        let there = self.forward.run_repeated(x, time, steps, first);
        beside(there, self.backward.run_repeated(x, time, steps.reversed(), second))
    }
}

/// The states of several layers, apart.
fn each_of<S: Copy, const N: usize>(states: Option<[S; N]>) -> [Option<S>; N] {
    states.map_or([None; N], |states| states.map(Some))
}

/// Two runs over the same steps, side by side.
#[track_caller]
fn beside<'r, T: Real, S>(one: Unrolled<'r, T, S>, other: Unrolled<'r, T, S>) -> Unrolled<'r, T, [S; 2]> {
    Unrolled { h: Var::concat(&[one.h, other.h], 2), last: [one.last, other.last] }
}

/// Layers one upon the other: each takes the outputs of the one below for its input.
///
/// ```
/// use quietgrad::nn::{Lstm, Recurrent, Stack, Steps};
/// use quietgrad::{Params, Random, Tape, Tensor};
///
/// let (mut params, mut random) = (Params::<f32>::new(), Random::new(1));
/// let layers = [("lower", [3, 8]), ("upper", [8, 8])];
/// let stack = Stack(layers.map(|(name, sizes)| Lstm::new(&mut params, name, sizes, &mut random)));
///
/// let mut tape = Tape::new();
/// let r = tape.record(&params);
/// let x = r.constant(&Tensor::zeros([2, 5, 3]));
/// let training = stack.run_dropout(x, Steps::all(), None, 0.2, &mut random); // between the layers
/// let [lower, upper] = stack.forward(x).last; // and without, for inference
/// assert_eq!(training.h.shape(), stack.forward(x).h.shape());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Stack<L, const N: usize>(
    /// The layers, the lowest first.
    pub [L; N],
);

impl<L: Recurrent, const N: usize> Stack<L, N> {
    /// As [`run`](Recurrent::run), with [dropout](Var::dropout) between the layers: of all outputs but the last layer's.
    ///
    /// # Panics
    /// As `run`, or if the rate is not in [0, 1).
    #[track_caller]
    pub fn run_dropout<'r, T: Real>(
        &self,
        x: Var<'r, T>,
        steps: Steps<'r, T>,
        initial: Option<[L::State<'r, T>; N]>,
        rate: f64,
        random: &mut Random,
    ) -> Unrolled<'r, T, [L::State<'r, T>; N]> {
        let first = self.lowest().run(x, steps, initial.map(|states| states[0]));
        self.above(first, steps, initial, Some((rate, random)))
    }

    #[track_caller]
    fn lowest(&self) -> &L {
        self.0.first().expect("a stack has a layer")
    }

    /// The layers above the first, on its outputs.
    #[track_caller]
    fn above<'r, T: Real>(
        &self,
        first: Unrolled<'r, T, L::State<'r, T>>,
        steps: Steps<'r, T>,
        initial: Option<[L::State<'r, T>; N]>,
        mut dropout: Option<(f64, &mut Random)>,
    ) -> Unrolled<'r, T, [L::State<'r, T>; N]> {
        let Unrolled { mut h, last } = first;
        let mut all = [last; N];
        // A loop, since a closure would not know the caller's line.
        for (k, layer) in self.0.iter().enumerate().skip(1) {
            if let Some((rate, random)) = &mut dropout {
                h = h.dropout(*rate, random);
            }
            let run = layer.run(h, steps, initial.map(|states| states[k]));
            (h, all[k]) = (run.h, run.last);
        }
        Unrolled { h, last: all }
    }
}

impl<L: Recurrent, const N: usize> Recurrent for Stack<L, N> {
    type State<'r, T: Real> = [L::State<'r, T>; N];

    #[track_caller]
    fn run<'r, T: Real>(
        &self,
        x: Var<'r, T>,
        steps: Steps<'r, T>,
        initial: Option<Self::State<'r, T>>,
    ) -> Unrolled<'r, T, Self::State<'r, T>> {
        let first = self.lowest().run(x, steps, initial.map(|states| states[0]));
        self.above(first, steps, initial, None)
    }

    #[track_caller]
    fn run_repeated<'r, T: Real>(
        &self,
        x: Var<'r, T>,
        time: usize,
        steps: Steps<'r, T>,
        initial: Option<Self::State<'r, T>>,
    ) -> Unrolled<'r, T, Self::State<'r, T>> {
        let first = self.lowest().run_repeated(x, time, steps, initial.map(|states| states[0]));
        self.above(first, steps, initial, None)
    }
}

/// What of a layer does not depend on its kind: z = x wx + b, and wh.
#[derive(Clone, Copy)]
struct Weights {
    wx: ParamId,
    wh: ParamId,
    b: ParamId,
}

impl Weights {
    /// Adds `name.wx` \[inputs, gates · units\], Glorot-uniform for each gate, `name.wh` \[units, gates · units\], orthogonal for
    /// each gate, and `name.b`, all zero.
    #[track_caller]
    fn drawn<T: Real>(
        params: &mut Params<T>,
        name: &str,
        [inputs, units]: [usize; 2],
        gates: usize,
        random: &mut Random,
    ) -> Weights {
        let wide = units.saturating_mul(gates);
        let wx = Init::GlorotUniform.tensor([inputs, wide], inputs, units, random);
        let each: Vec<Tensor<T>> = (0..gates)
            .map(|_| Init::Orthogonal { gain: 1.0 }.tensor([units, units], units, units, random))
            .collect();
        let wh = Tensor::from_fn([units, wide], |i| {
            let (row, column) = (i / wide, i % wide);
            each[column / units].data()[row * units + column % units]
        });
        Weights::add(params, name, [wx, wh, Tensor::zeros([wide])])
    }

    #[track_caller]
    fn add<T: Real>(params: &mut Params<T>, name: &str, [wx, wh, b]: [Tensor<T>; 3]) -> Weights {
        let wx = params.add(format!("{name}.wx"), wx);
        let wh = params.add(format!("{name}.wh"), wh);
        Weights { wx, wh, b: params.add(format!("{name}.b"), b) }
    }

    /// z = x wx + b of all steps, and wh.
    #[track_caller]
    fn of_steps<T: Real>(self, x: Var<'_, T>) -> [Var<'_, T>; 2] {
        self.expect_inputs(x, 3, "[batch, time, ");
        let r = x.recording();
        [x.linear(r.param(self.wx), r.param(self.b)), r.param(self.wh)]
    }

    /// z = x wx + b, the same at each of `time` steps, and wh.
    #[track_caller]
    fn repeated<T: Real>(self, x: Var<'_, T>, time: usize) -> [Var<'_, T>; 2] {
        self.expect_inputs(x, 2, "[batch, ");
        let r = x.recording();
        let z = x.linear(r.param(self.wx), r.param(self.b));
        let (batch, wide) = (z.shape()[0], z.shape()[1]);
        [z.unsqueeze(1).broadcast_to([batch, time, wide]), r.param(self.wh)]
    }

    /// Panics in the layer's name if x has another rank, or another number of inputs than the layer.
    #[track_caller]
    fn expect_inputs<T: Real>(self, x: Var<T>, rank: usize, axes: &str) {
        let (shape, params) = (x.shape(), x.recording().params());
        let Some(inputs) = params.shape(self.wx).first() else { return };
        if shape.rank() != rank || shape.last() != Some(inputs) {
            let name = params.name(self.wx);
            let name = name.strip_suffix(".wx").unwrap_or(name);
            panic!("layer `{name}` takes inputs of shape {axes}{inputs}], not {shape}");
        }
    }
}
