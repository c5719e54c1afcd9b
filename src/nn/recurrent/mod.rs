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

/// A layer that goes through sequences step by step: [`Lstm`], [`Gru`], [`Rnn`], and what is built of them, [`Bidirectional`]
/// and [`Stack`].
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

    /// Goes through some steps of what it reads, from these states, or from 0.
    ///
    /// # Panics
    /// If the shapes do not fit, or a mask holds anything but 0 and 1.
    #[track_caller]
    fn unroll<'r, T: Real>(
        &self,
        input: Input<'r, T>,
        steps: Steps<'r, T>,
        initial: Option<Self::State<'r, T>>,
    ) -> Unrolled<'r, T, Self::State<'r, T>>;

    /// [`unroll`](Recurrent::unroll) on x, [batch, time, features].
    ///
    /// # Panics
    /// As `unroll`.
    #[track_caller]
    fn run<'r, T: Real>(
        &self,
        x: Var<'r, T>,
        steps: Steps<'r, T>,
        initial: Option<Self::State<'r, T>>,
    ) -> Unrolled<'r, T, Self::State<'r, T>> {
        self.unroll(Input::Steps(x), steps, initial)
    }

    /// [`unroll`](Recurrent::unroll) on x, [batch, features], given again at each of `time` steps, as to a decoder. The
    /// product of x with the first layer's weights is made once.
    ///
    /// # Panics
    /// As `unroll`.
    #[track_caller]
    fn run_repeated<'r, T: Real>(
        &self,
        x: Var<'r, T>,
        time: usize,
        steps: Steps<'r, T>,
        initial: Option<Self::State<'r, T>>,
    ) -> Unrolled<'r, T, Self::State<'r, T>> {
        self.unroll(Input::Repeated(x, time), steps, initial)
    }

    /// Goes through all steps of x, [batch, time, features], from 0.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    fn forward<'r, T: Real>(&self, x: Var<'r, T>) -> Unrolled<'r, T, Self::State<'r, T>> {
        self.run(x, Steps::all(), None)
    }
}

/// What a recurrent layer reads.
#[derive(Clone, Copy)]
pub enum Input<'r, T> {
    /// What each step has, [batch, time, features].
    Steps(Var<'r, T>),
    /// What all steps have, [batch, features], and how many they are.
    Repeated(Var<'r, T>, usize),
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
    fn unroll<'r, T: Real>(
        &self,
        input: Input<'r, T>,
        steps: Steps<'r, T>,
        initial: Option<Self::State<'r, T>>,
    ) -> Unrolled<'r, T, Self::State<'r, T>> {
        let (first, second) = (initial.map(|[first, _]| first), initial.map(|[_, second]| second));
        let there = self.forward.unroll(input, steps, first);
        let back = self.backward.unroll(input, steps.reversed(), second);
        Unrolled { h: Var::concat(&[there.h, back.h], 2), last: [there.last, back.last] }
    }
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
    /// [`run`](Recurrent::run) with [dropout](Var::dropout) between the layers: of all outputs but the last layer's.
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
        self.through(Input::Steps(x), steps, initial, Some((rate, random)))
    }

    /// Through all layers, with dropout between them if there is a rate.
    #[track_caller]
    fn through<'r, T: Real>(
        &self,
        input: Input<'r, T>,
        steps: Steps<'r, T>,
        initial: Option<[L::State<'r, T>; N]>,
        mut dropout: Option<(f64, &mut Random)>,
    ) -> Unrolled<'r, T, [L::State<'r, T>; N]> {
        let (lowest, above) = self.0.split_first().expect("a stack has a layer");
        let Unrolled { mut h, last } = lowest.unroll(input, steps, initial.map(|states| states[0]));
        let mut all = [last; N];
        // A loop, since a closure would not know the caller's line.
        for (k, layer) in above.iter().enumerate() {
            if let Some((rate, random)) = &mut dropout {
                h = h.dropout(*rate, random);
            }
            let run = layer.run(h, steps, initial.map(|states| states[k + 1]));
            (h, all[k + 1]) = (run.h, run.last);
        }
        Unrolled { h, last: all }
    }
}

impl<L: Recurrent, const N: usize> Recurrent for Stack<L, N> {
    type State<'r, T: Real> = [L::State<'r, T>; N];

    #[track_caller]
    fn unroll<'r, T: Real>(
        &self,
        input: Input<'r, T>,
        steps: Steps<'r, T>,
        initial: Option<Self::State<'r, T>>,
    ) -> Unrolled<'r, T, Self::State<'r, T>> {
        self.through(input, steps, initial, None)
    }
}

/// The parameters that every kind of recurrent layer has: wx and b, for z = x wx + b, and the recurrent weights wh.
#[derive(Clone, Copy)]
struct Weights {
    wx: ParamId,
    wh: ParamId,
    b: ParamId,
}

impl Weights {
    /// Adds `name.wx` \[inputs, gates · units\], Glorot-uniform for each gate, `name.wh` \[units, gates · units\], orthogonal
    /// for each gate, and `name.b`, all zero.
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

    /// Adds `name.wx`, `name.wh` and `name.b` with these values.
    #[track_caller]
    fn add<T: Real>(params: &mut Params<T>, name: &str, [wx, wh, b]: [Tensor<T>; 3]) -> Weights {
        let wx = params.add(format!("{name}.wx"), wx);
        let wh = params.add(format!("{name}.wh"), wh);
        Weights { wx, wh, b: params.add(format!("{name}.b"), b) }
    }

    /// z = x wx + b of all steps, and wh.
    #[track_caller]
    fn read<T: Real>(self, input: Input<'_, T>) -> [Var<'_, T>; 2] {
        let (Input::Steps(x) | Input::Repeated(x, _)) = input;
        match input {
            Input::Steps(_) => self.expect_inputs(x, 3, "[batch, time, "),
            Input::Repeated(..) => self.expect_inputs(x, 2, "[batch, "),
        }
        let r = x.recording();
        let z = x.linear(r.param(self.wx), r.param(self.b));
        let z = match input {
            Input::Steps(_) => z,
            Input::Repeated(_, time) => z.unsqueeze(1).broadcast_to([z.shape()[0], time, z.shape()[1]]),
        };
        [z, r.param(self.wh)]
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
