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
    /// Rows that are orthogonal and of length `gain`, or columns where these are fewer, so that signals keep their length
    /// through a deep or recurrent network (Saxe et al. 2014): the Q of the QR decomposition of a normal matrix, with the
    /// signs that make it uniformly distributed (Mezzadri 2007). The last axis counts as columns, all others as rows.
    Orthogonal {
        /// The length of the shorter side's vectors: 1 for linear layers and tanh, √2 for relu.
        gain: f64,
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
            Init::Orthogonal { gain } => return orthogonal(&shape.into(), gain, random),
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

/// A matrix of `shape` whose shorter side's vectors are orthogonal, of length `gain`.
#[track_caller]
fn orthogonal<T: Element>(shape: &Shape, gain: f64, random: &mut Random) -> Tensor<T> {
    let columns = shape.last().copied().unwrap_or(1);
    let rows = shape.elements().checked_div(columns).unwrap_or(0);
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    for _ in 0..count {
        let drawn = (0..length).map(|_| random.normal()).collect();
        vectors.push(unit_beside(&vectors, drawn));
    }
    Tensor::from_fn(shape, |i| {
        let (row, column) = (i / columns, i % columns);
        T::from_f64(gain * if rows < columns { vectors[row][column] } else { vectors[column][row] })
    })
}

/// The part of v that is orthogonal to all units, brought to length 1. What lies along them is taken away twice: once leaves a
/// rest, where v lies nearly in their span (Giraud et al. 2005). That R's diagonal is positive makes Q unique.
fn unit_beside(units: &[Vec<f64>], mut v: Vec<f64>) -> Vec<f64> {
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for unit in units.iter().chain(units) {
        let along = product(unit, &v);
        v.iter_mut().zip(unit).for_each(|(v, unit)| *v -= along * unit);
    }
    let length = product(&v, &v).sqrt();
    v.iter_mut().for_each(|v| *v /= length);
    v
}
