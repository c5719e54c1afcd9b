//! A fully connected layer.

use crate::nn::Init;
use crate::ops::Real;
use crate::params::{ParamId, Params};
use crate::random::Random;
use crate::tape::Var;
use crate::tensor::Tensor;

/// y = x w + b, with w of shape [inputs, outputs].
///
/// ```
/// use quietgrad::{Params, Random, Tape, Tensor, nn::{Dense, Init}};
///
/// let mut params = Params::<f32>::new();
/// let layer = Dense::new(&mut params, "encoder", [3, 8], Init::HeNormal, &mut Random::new(1));
///
/// let mut tape = Tape::new();
/// let r = tape.record(&params);
/// let h = layer.forward(r.constant(&Tensor::zeros([5, 3]))).relu();
/// assert_eq!(h.shape()[..], [5, 8]);
/// ```
#[doc(alias = "Linear")]
#[doc(alias = "linear")]
#[doc(alias = "Layer")]
#[derive(Clone, Copy, Debug)]
pub struct Dense {
    /// The weights, [inputs, outputs].
    pub w: ParamId,
    /// The bias, \[outputs\].
    pub b: ParamId,
}

impl Dense {
    /// Adds `name.w`, drawn by `init`, and `name.b`, all zero, to the parameters.
    ///
    /// # Panics
    /// If there are parameters of these names already.
    #[track_caller]
    pub fn new<T: Real>(
        params: &mut Params<T>,
        name: &str,
        [inputs, outputs]: [usize; 2],
        init: Init,
        random: &mut Random,
    ) -> Self {
        let w = init.tensor([inputs, outputs], inputs, outputs, random);
        Dense {
            w: params.add(format!("{name}.w"), w),
            b: params.add(format!("{name}.b"), Tensor::zeros([outputs])),
        }
    }

    /// x w + b, for x of shape [.., inputs].
    ///
    /// # Panics
    /// If x has another number of inputs: the message names the layer.
    ///
    /// ```should_panic
    /// # use quietgrad::{Params, Random, Tape, Tensor, nn::{Dense, Init}};
    /// # let mut params = Params::<f32>::new();
    /// let layer = Dense::new(&mut params, "encoder", [3, 8], Init::HeNormal, &mut Random::new(1));
    /// # let mut tape = Tape::new();
    /// # let r = tape.record(&params);
    /// layer.forward(r.constant(&Tensor::zeros([5, 4]))); // layer `encoder` takes inputs of shape [.., 3], not [5, 4]
    /// ```
    #[track_caller]
    pub fn forward<'r, T: Real>(&self, x: Var<'r, T>) -> Var<'r, T> {
        self.expect_inputs(x);
        let r = x.recording();
        x.linear(r.param(self.w), r.param(self.b))
    }

    /// max(x w + b, 0), for x of shape [.., inputs]: the bits of `forward(x).relu()`, in one pass over the layer.
    ///
    /// # Panics
    /// If x has another number of inputs.
    #[track_caller]
    pub fn forward_relu<'r, T: Real>(&self, x: Var<'r, T>) -> Var<'r, T> {
        self.expect_inputs(x);
        let r = x.recording();
        x.linear_relu(r.param(self.w), r.param(self.b))
    }

    /// Panics in the layer's name if x has another number of inputs than the layer.
    #[track_caller]
    fn expect_inputs<T: Real>(&self, x: Var<T>) {
        let (shape, params) = (x.shape(), x.recording().params());
        let Some(inputs) = params.shape(self.w).first() else { return };
        if shape.last() != Some(inputs) {
            let name = params.name(self.w);
            let name = name.strip_suffix(".w").unwrap_or(name);
            panic!("layer `{name}` takes inputs of shape [.., {inputs}], not {shape}");
        }
    }
}
