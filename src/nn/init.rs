//! Initial weights.

use crate::element::Element;
use crate::random::Random;
use crate::tensor::{Shape, Tensor};

/// How the weights of a layer are drawn. `fan_in` and `fan_out` are the numbers of inputs and outputs of a unit.
///
/// ```
/// use quietgrad::{Random, nn::Init};
///
/// let w = Init::HeNormal.tensor::<f32>([64, 256], 64, 256, &mut Random::new(1));
/// let variance = w.data().iter().map(|w| w * w).sum::<f32>() / w.data().len() as f32;
/// assert!((variance - 2.0 / 64.0).abs() < 0.002);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Normal, variance 2 / fan_in: for relu (He et al. 2015).
    HeNormal,
    /// Uniform, variance 2 / fan_in.
    HeUniform,
    /// Normal, variance 2 / (fan_in + fan_out): for tanh and sigmoid (Glorot and Bengio 2010).
    GlorotNormal,
    /// Uniform, variance 2 / (fan_in + fan_out); Keras' default.
    GlorotUniform,
    /// Normal, variance 1 / fan_in: for linear layers and selu (LeCun et al. 1998).
    LeCunNormal,
    /// Uniform, variance 1 / fan_in.
    LeCunUniform,
    /// Uniform between −bound and bound.
    Uniform {
        /// The largest magnitude.
        bound: f64,
    },
    /// All zero.
    Zeros,
}

impl Init {
    /// A tensor of this shape, drawn for a layer of these sizes.
    #[track_caller]
    pub fn tensor<T: Element>(
        self,
        shape: impl Into<Shape>,
        fan_in: usize,
        fan_out: usize,
        random: &mut Random,
    ) -> Tensor<T> {
        let (fan_in, fan_out) = (fan_in as f64, fan_out as f64);
        let normal = |variance: f64| (Some(variance.sqrt()), 0.0);
        // A uniform distribution on (−b, b) has the variance b² / 3.
        let uniform = |variance: f64| (None, (3.0 * variance).sqrt());
        let (deviation, bound) = match self {
            Init::HeNormal => normal(2.0 / fan_in),
            Init::HeUniform => uniform(2.0 / fan_in),
            Init::GlorotNormal => normal(2.0 / (fan_in + fan_out)),
            Init::GlorotUniform => uniform(2.0 / (fan_in + fan_out)),
            Init::LeCunNormal => normal(1.0 / fan_in),
            Init::LeCunUniform => uniform(1.0 / fan_in),
            Init::Uniform { bound } => (None, bound),
            Init::Zeros => return Tensor::zeros(shape),
        };
        Tensor::from_fn(shape, |_| {
            T::from_f64(match deviation {
                Some(deviation) => deviation * random.normal(),
                None => random.uniform(-bound, bound),
            })
        })
    }
}
