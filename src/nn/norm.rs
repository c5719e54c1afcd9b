//! Normalization of each sample by itself: of its features, or of groups of its channels.

use crate::nn::expect_size;
use crate::ops::Real;
use crate::params::{ParamId, Params};
use crate::tape::Var;
use crate::tensor::{Shape, Tensor};

/// y = (x − mean) / √(variance + ε) · s + b along the last axis, with a learned scale and shift of each feature.
///
/// The variance is the mean square (biased), and ε stands inside of the root. A sample's result depends on no other sample:
/// training and evaluation are one.
///
/// Source: J. L. Ba, J. R. Kiros and G. E. Hinton, Layer Normalization, 2016.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, nn::LayerNorm};
///
/// let mut params = Params::<f64>::new();
/// let norm = LayerNorm::new(&mut params, "norm", 2);
/// let mut tape = Tape::new();
/// let r = tape.record(&params);
/// let y = norm.forward(r.constant(&Tensor::from([[1.0, 3.0], [5.0, 5.0]])));
/// assert!((y.value()[[0, 1]] - 1.0).abs() < 1e-5);
/// assert_eq!(y.value().row(1), [0.0, 0.0]); // what does not vary
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LayerNorm {
    /// \[features\], at first 1.
    pub scale: ParamId,
    /// \[features\], at first 0.
    pub shift: ParamId,
    /// What is added to the variance: at first 1e-5.
    pub eps: f64,
}

impl LayerNorm {
    /// Adds `name.scale` and `name.shift` to the parameters.
    ///
    /// # Panics
    /// If there are parameters of these names already.
    #[track_caller]
    pub fn new<T: Real>(params: &mut Params<T>, name: &str, features: usize) -> Self {
        let [scale, shift] = scale_and_shift(params, name, features);
        LayerNorm { scale, shift, eps: 1e-5 }
    }

    /// Normalizes x of shape [.., features].
    ///
    /// # Panics
    /// If x has another number of features, or ε is negative, infinite or NaN.
    #[track_caller]
    pub fn forward<'r, T: Real>(&self, x: Var<'r, T>) -> Var<'r, T> {
        let last = x.shape().rank().saturating_sub(1);
        expect_size(x, last, self.scale, ".scale");
        let r = x.recording();
        x.normalize(last, self.eps).affine(last, r.param(self.scale), r.param(self.shift))
    }
}

/// y = x / √(mean of x² + ε) · s along the last axis, with a learned scale of each feature: layer normalization without the
/// mean.
///
/// Source: B. Zhang and R. Sennrich, Root Mean Square Layer Normalization, 2019.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, nn::RmsNorm};
///
/// let mut params = Params::<f64>::new();
/// let norm = RmsNorm { eps: 0.0, ..RmsNorm::new(&mut params, "norm", 4) };
/// let mut tape = Tape::new();
/// let r = tape.record(&params);
/// let y = norm.forward(r.constant(&Tensor::from([[4.0, 0.0, 0.0, 0.0]])));
/// assert_eq!(y.value(), Tensor::from([[2.0, 0.0, 0.0, 0.0]]));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RmsNorm {
    /// \[features\], at first 1.
    pub scale: ParamId,
    /// What is added to the mean square: at first 1e-6.
    pub eps: f64,
}

impl RmsNorm {
    /// Adds `name.scale` to the parameters.
    ///
    /// # Panics
    /// If there is a parameter of this name already.
    #[track_caller]
    pub fn new<T: Real>(params: &mut Params<T>, name: &str, features: usize) -> Self {
        RmsNorm { scale: params.add(format!("{name}.scale"), Tensor::ones([features])), eps: 1e-6 }
    }

    /// Normalizes x of shape [.., features].
    ///
    /// # Panics
    /// If x has another number of features, or ε is negative, infinite or NaN.
    #[track_caller]
    pub fn forward<'r, T: Real>(&self, x: Var<'r, T>) -> Var<'r, T> {
        let last = x.shape().rank().saturating_sub(1);
        expect_size(x, last, self.scale, ".scale");
        x.normalize_rms(last, self.eps) * x.recording().param(self.scale)
    }
}

/// y = (x − mean) / √(variance + ε) · s + b, with mean and variance of each group of a sample's channels, and a learned scale
/// and shift of each channel. One group is layer normalization of whole images, a group for each channel instance
/// normalization.
///
/// Source: Y. Wu and K. He, Group Normalization, 2018.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, nn::GroupNorm};
///
/// let mut params = Params::<f64>::new();
/// let norm = GroupNorm { eps: 0.0, ..GroupNorm::new(&mut params, "norm", 4, 2) };
/// let mut tape = Tape::new();
/// let r = tape.record(&params);
/// let y = norm.forward(r.constant(&Tensor::from([[1.0, 3.0, 10.0, 30.0]])));
/// assert_eq!(y.value(), Tensor::from([[-1.0, 1.0, -1.0, 1.0]]));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct GroupNorm {
    /// \[channels\], at first 1.
    pub scale: ParamId,
    /// \[channels\], at first 0.
    pub shift: ParamId,
    /// How many groups the channels make up.
    pub groups: usize,
    /// What is added to the variance: at first 1e-5.
    pub eps: f64,
}

impl GroupNorm {
    /// Adds `name.scale` and `name.shift` to the parameters.
    ///
    /// # Panics
    /// If the channels do not make up so many groups of equal size, or there are parameters of these names already.
    #[track_caller]
    pub fn new<T: Real>(params: &mut Params<T>, name: &str, channels: usize, groups: usize) -> Self {
        let fits = groups > 0 && channels.is_multiple_of(groups);
        assert!(fits, "GroupNorm::new: {channels} channels are not {groups} groups of equal size");
        let [scale, shift] = scale_and_shift(params, name, channels);
        GroupNorm { scale, shift, groups, eps: 1e-5 }
    }

    /// Normalizes x of shape [samples, channels, ..].
    ///
    /// # Panics
    /// If x has another number of channels, or ε is negative, infinite or NaN.
    #[track_caller]
    pub fn forward<'r, T: Real>(&self, x: Var<'r, T>) -> Var<'r, T> {
        let shape = x.shape();
        expect_size(x, 1, self.scale, ".scale");
        let rest = shape[1..].iter().product::<usize>() / self.groups;
        let rows = x.reshape(Shape::from([shape[0], self.groups, rest]));
        let r = x.recording();
        rows.normalize(2, self.eps).reshape(shape).affine(1, r.param(self.scale), r.param(self.shift))
    }
}

/// The parameters of a normalization layer: it begins as the normalization alone.
#[track_caller]
pub(super) fn scale_and_shift<T: Real>(params: &mut Params<T>, name: &str, size: usize) -> [ParamId; 2] {
    [
        params.add(format!("{name}.scale"), Tensor::ones([size])),
        params.add(format!("{name}.shift"), Tensor::zeros([size])),
    ]
}
