//! The layer of gated recurrent units.

use super::layouts;
use super::{Input, Recurrent, Steps, Unrolled, Weights};
use crate::ops::Real;
use crate::ops::gru::Reset;
use crate::params::{ParamId, Params};
use crate::random::Random;
use crate::tape::Var;
use crate::tensor::{ShapeError, Tensor};

/// A layer of gated recurrent units: for an input x and the state h
///
/// r, u = σ(x wx + h wh + b), n = tanh(x wx + b + r (h wh + bn)) or tanh(x wx + b + (r h) wh), h' = (1 − u) n + u h
///
/// with the gates' columns in the order r, u, n (reset, update, new). Where the reset gate comes after the product
/// ([`Reset::AfterProduct`]) that has a bias of its own, `bn`; of the other gates' two biases only the sum counts, which is
/// `b`. Sources: as of [`Var::gru`].
///
/// ```
/// use quietgrad::nn::{Gru, Recurrent, Reset};
/// use quietgrad::{Params, Random, Tape, Tensor};
///
/// let mut params = Params::<f32>::new();
/// let gru = Gru::new(&mut params, "gru", [3, 8], Reset::BeforeProduct, &mut Random::new(1));
///
/// let mut tape = Tape::new();
/// let r = tape.record(&params);
/// let out = gru.forward(r.constant(&Tensor::zeros([4, 7, 3])));
/// assert_eq!((out.h.shape()[..].to_vec(), out.last.shape()[..].to_vec()), (vec![4, 7, 8], vec![4, 8]));
/// ```
#[doc(alias = "GRU")]
#[derive(Clone, Copy, Debug)]
pub struct Gru {
    /// The weights of the input, [inputs, 3 units].
    pub wx: ParamId,
    /// The recurrent weights, [units, 3 units].
    pub wh: ParamId,
    /// The bias, \[3 units\].
    pub b: ParamId,
    /// The bias inside the reset gate, \[units\], if that comes after the product.
    pub bn: Option<ParamId>,
}

impl Gru {
    /// Adds `name.wx`, Glorot-uniform for each gate, `name.wh`, orthogonal for each gate, and `name.b` and, if the reset gate
    /// comes after the product, `name.bn`, all zero.
    ///
    /// # Panics
    /// If there are parameters of these names already.
    #[track_caller]
    pub fn new<T: Real>(
        params: &mut Params<T>,
        name: &str,
        [inputs, units]: [usize; 2],
        reset: Reset,
        random: &mut Random,
    ) -> Self {
        let weights = Weights::drawn(params, name, [inputs, units], 3, random);
        let bn = (reset == Reset::AfterProduct).then(|| Tensor::zeros([units]));
        Gru::of(params, name, weights, bn)
    }

    /// Adds the parameters of a layer that PyTorch trained: `weight_ih` (3h, in), `weight_hh` (3h, h), `bias_ih` (3h) and
    /// `bias_hh` (3h), with gates in the order r, z, n, where z is the update gate. The reset gate comes after the product.
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
        let [wx, wh, b, b_of_h] = layouts::pytorch(arrays, 3)?;
        let (b, bn) = layouts::biases_of_gru(&b, &b_of_h);
        let weights = Weights::add(params, name, [wx, wh, b]);
        Ok(Gru::of(params, name, weights, Some(bn)))
    }

    /// Adds the parameters of a layer that Keras trained: `kernel` (in, 3h), `recurrent_kernel` (h, 3h) and `bias`, with gates
    /// in the order z, r, h, where z is the update gate. A bias (2, 3h) is that of a layer with `reset_after=True`, the first
    /// row the input's, the second the product's; a bias (3h) that of one with `reset_after=False`.
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
        [kernel, recurrent, bias]: [&Tensor<T>; 3],
    ) -> Result<Self, ShapeError> {
        let turned = |x: &Tensor<T>| layouts::first_two_swapped(x);
        if let &[2, wide] = &bias.shape()[..] {
            let row = |k: usize| Tensor::from_fn([wide], |i| bias.data()[k * wide + i]);
            layouts::check_keras([kernel, recurrent, &row(0)], 3)?;
            let (b, bn) = layouts::biases_of_gru(&turned(&row(0)), &turned(&row(1)));
            let weights = Weights::add(params, name, [turned(kernel), turned(recurrent), b]);
            return Ok(Gru::of(params, name, weights, Some(bn)));
        }
        layouts::check_keras([kernel, recurrent, bias], 3)?;
        let weights = Weights::add(params, name, [turned(kernel), turned(recurrent), turned(bias)]);
        Ok(Gru::of(params, name, weights, None))
    }

    #[track_caller]
    fn of<T: Real>(params: &mut Params<T>, name: &str, weights: Weights, bn: Option<Tensor<T>>) -> Self {
        let Weights { wx, wh, b } = weights;
        Gru { wx, wh, b, bn: bn.map(|bn| params.add(format!("{name}.bn"), bn)) }
    }

    fn weights(self) -> Weights {
        Weights { wx: self.wx, wh: self.wh, b: self.b }
    }
}

impl Recurrent for Gru {
    type State<'r, T: Real> = Var<'r, T>;

    #[track_caller]
    fn unroll<'r, T: Real>(
        &self,
        input: Input<'r, T>,
        steps: Steps<'r, T>,
        initial: Option<Var<'r, T>>,
    ) -> Unrolled<'r, T, Var<'r, T>> {
        let [z, wh] = self.weights().read(input);
        let bn = self.bn.map(|bn| z.recording().param(bn));
        let (h, last) = z.gru(wh, bn, initial, steps);
        Unrolled { h, last }
    }
}
