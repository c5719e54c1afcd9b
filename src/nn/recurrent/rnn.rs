//! The plain recurrent layer.

use super::layouts;
use super::{Input, Recurrent, Steps, Unrolled, Weights};
use crate::ops::Real;
use crate::params::{ParamId, Params};
use crate::random::Random;
use crate::tape::Var;
use crate::tensor::{ShapeError, Tensor};

/// A plain recurrent layer, with one bias: h' = tanh(x wx + h wh + b), or relu instead of tanh. Source: as of [`Var::rnn`].
///
/// ```
/// use quietgrad::nn::{Recurrent, Rnn};
/// use quietgrad::{Params, Random, Tape, Tensor};
///
/// let mut params = Params::<f32>::new();
/// let rnn = Rnn::relu(&mut params, "rnn", [3, 8], &mut Random::new(1));
///
/// let mut tape = Tape::new();
/// let r = tape.record(&params);
/// let out = rnn.forward(r.constant(&Tensor::zeros([4, 7, 3])));
/// assert_eq!(out.h.shape()[..], [4, 7, 8]);
/// ```
#[doc(alias = "SimpleRNN")]
#[derive(Clone, Copy, Debug)]
pub struct Rnn {
    /// The weights of the input, [inputs, units].
    pub wx: ParamId,
    /// The recurrent weights, [units, units].
    pub wh: ParamId,
    /// The bias, \[units\].
    pub b: ParamId,
    /// Whether the function is relu; else it is tanh.
    pub relu: bool,
}

impl Rnn {
    /// Adds `name.wx`, Glorot-uniform, `name.wh`, orthogonal, and `name.b`, all zero, of a layer with tanh.
    ///
    /// # Panics
    /// Here and below: if there are parameters of these names already.
    #[track_caller]
    pub fn tanh<T: Real>(params: &mut Params<T>, name: &str, sizes: [usize; 2], random: &mut Random) -> Self {
        Rnn::of(Weights::drawn(params, name, sizes, 1, random), false)
    }

    /// Adds the parameters of a layer with relu, drawn as those of [`tanh`](Rnn::tanh).
    #[track_caller]
    pub fn relu<T: Real>(params: &mut Params<T>, name: &str, sizes: [usize; 2], random: &mut Random) -> Self {
        Rnn::of(Weights::drawn(params, name, sizes, 1, random), true)
    }

    /// Adds the parameters of a layer that PyTorch trained: `weight_ih` (h, in), `weight_hh` (h, h), `bias_ih` (h) and
    /// `bias_hh` (h). The two biases are added up. Set `relu` for one with `nonlinearity="relu"`.
    ///
    /// # Errors
    /// If the arrays' shapes are others.
    #[track_caller]
    pub fn from_pytorch<T: Real>(
        params: &mut Params<T>,
        name: &str,
        arrays: [&Tensor<T>; 4],
    ) -> Result<Self, ShapeError> {
        let [wx, wh, b, b_of_h] = layouts::pytorch(arrays, 1)?;
        Ok(Rnn::of(Weights::add(params, name, [wx, wh, layouts::sum(&b, &b_of_h)]), false))
    }

    /// Adds the parameters of a layer that Keras trained (`SimpleRNN`): `kernel` (in, h), `recurrent_kernel` (h, h) and
    /// `bias` (h). Set `relu` for one with `activation="relu"`.
    ///
    /// # Errors
    /// If the arrays' shapes are others.
    #[track_caller]
    pub fn from_keras<T: Real>(
        params: &mut Params<T>,
        name: &str,
        arrays: [&Tensor<T>; 3],
    ) -> Result<Self, ShapeError> {
        layouts::check_keras(arrays, 1)?;
        Ok(Rnn::of(Weights::add(params, name, arrays.map(Clone::clone)), false))
    }

    fn of(Weights { wx, wh, b }: Weights, relu: bool) -> Self {
        Rnn { wx, wh, b, relu }
    }

    fn weights(self) -> Weights {
        Weights { wx: self.wx, wh: self.wh, b: self.b }
    }
}

impl Recurrent for Rnn {
    type State<'r, T: Real> = Var<'r, T>;

    #[track_caller]
    fn unroll<'r, T: Real>(
        &self,
        input: Input<'r, T>,
        steps: Steps<'r, T>,
        initial: Option<Var<'r, T>>,
    ) -> Unrolled<'r, T, Var<'r, T>> {
        let [z, wh] = self.weights().read(input);
        let (h, last) = z.rnn(self.relu, wh, initial, steps);
        Unrolled { h, last }
    }
}
