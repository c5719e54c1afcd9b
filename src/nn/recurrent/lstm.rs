//! The layer of long short-term memory.

use super::layouts;
use super::{Input, Recurrent, Steps, Unrolled, Weights};
use crate::ops::Real;
use crate::params::{ParamId, Params};
use crate::random::Random;
use crate::tape::Var;
use crate::tensor::{ShapeError, Tensor};

/// A layer of long short-term memory: for an input x and the states h and c
///
/// i, f, o = σ(x wx + h wh + b), g = tanh(x wx + h wh + b), c' = f c + i g, h' = o tanh(c')
///
/// with the gates' columns in the order i, f, g, o, and one bias. Sources: as of [`Var::lstm`].
///
/// ```
/// use quietgrad::nn::{Lstm, Recurrent};
/// use quietgrad::{Params, Random, Tape, Tensor};
///
/// let mut params = Params::<f32>::new();
/// let lstm = Lstm::new(&mut params, "lstm", [3, 2], &mut Random::new(1));
/// assert_eq!(params.get(lstm.b), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]); // the forget gates begin open
///
/// let mut tape = Tape::new();
/// let r = tape.record(&params);
/// let last = lstm.forward(r.constant(&Tensor::zeros([4, 7, 3]))).last;
/// assert_eq!(last.h.shape()[..], [4, 2]);
/// ```
#[doc(alias = "LSTM")]
#[derive(Clone, Copy, Debug)]
pub struct Lstm {
    /// The weights of the input, [inputs, 4 units].
    pub wx: ParamId,
    /// The recurrent weights, [units, 4 units].
    pub wh: ParamId,
    /// The bias, \[4 units\].
    pub b: ParamId,
}

/// What an LSTM remembers.
#[derive(Clone, Copy)]
pub struct LstmState<'r, T> {
    /// The outputs, [batch, units].
    pub h: Var<'r, T>,
    /// The cells, [batch, units].
    pub c: Var<'r, T>,
}

impl Lstm {
    /// Adds `name.wx`, Glorot-uniform for each gate, `name.wh`, orthogonal for each gate, and `name.b`, 1 for the forget
    /// gates and 0 for the others: a layer that forgets nothing to begin with learns long memories sooner (R. Jozefowicz, W.
    /// Zaremba and I. Sutskever, An Empirical Exploration of Recurrent Network Architectures, 2015).
    ///
    /// # Panics
    /// If there are parameters of these names already.
    #[track_caller]
    pub fn new<T: Real>(
        params: &mut Params<T>,
        name: &str,
        [inputs, units]: [usize; 2],
        random: &mut Random,
    ) -> Self {
        let lstm = Lstm::of(Weights::drawn(params, name, [inputs, units], 4, random));
        params.get_mut(lstm.b)[units..2 * units].fill(T::ONE);
        lstm
    }

    /// Adds the parameters of a layer that PyTorch trained: `weight_ih` (4h, in), `weight_hh` (4h, h), `bias_ih` (4h) and
    /// `bias_hh` (4h), with gates in the order i, f, g, o. The two biases are added up.
    ///
    /// # Errors
    /// If the arrays' shapes are others.
    ///
    /// # Panics
    /// If there are parameters of these names already.
    #[track_caller]
    pub fn from_pytorch<T: Real>(
        params: &mut Params<T>,
        name: &str,
        arrays: [&Tensor<T>; 4],
    ) -> Result<Self, ShapeError> {
        let [wx, wh, b, b_of_h] = layouts::pytorch(arrays, 4)?;
        Ok(Lstm::of(Weights::add(params, name, [wx, wh, layouts::sum(&b, &b_of_h)])))
    }

    /// Adds the parameters of a layer that Keras trained: `kernel` (in, 4h), `recurrent_kernel` (h, 4h) and `bias` (4h), with
    /// gates in the order i, f, c, o, which is this one's.
    ///
    /// # Errors
    /// If the arrays' shapes are others.
    ///
    /// # Panics
    /// If there are parameters of these names already.
    #[track_caller]
    pub fn from_keras<T: Real>(
        params: &mut Params<T>,
        name: &str,
        arrays: [&Tensor<T>; 3],
    ) -> Result<Self, ShapeError> {
        layouts::check_keras(arrays, 4)?;
        Ok(Lstm::of(Weights::add(params, name, arrays.map(Clone::clone))))
    }

    fn of(Weights { wx, wh, b }: Weights) -> Self {
        Lstm { wx, wh, b }
    }

    fn weights(self) -> Weights {
        Weights { wx: self.wx, wh: self.wh, b: self.b }
    }
}

impl Recurrent for Lstm {
    type State<'r, T: Real> = LstmState<'r, T>;

    #[track_caller]
    fn unroll<'r, T: Real>(
        &self,
        input: Input<'r, T>,
        steps: Steps<'r, T>,
        initial: Option<LstmState<'r, T>>,
    ) -> Unrolled<'r, T, LstmState<'r, T>> {
        let [z, wh] = self.weights().read(input);
        let (h, [last_h, last_c]) = z.lstm(wh, initial.map(|state| [state.h, state.c]), steps);
        Unrolled { h, last: LstmState { h: last_h, c: last_c } }
    }
}
