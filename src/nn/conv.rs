//! Convolutional layers.

use crate::nn::Init;
use crate::ops::Real;
use crate::ops::conv::{Convolution, EachAxis, Transposed};
use crate::params::{ParamId, Params};
use crate::random::Random;
use crate::tape::Var;
use crate::tensor::{Shape, Tensor};

/// The product of some sizes; `usize::MAX` if it is larger.
fn product(sizes: &[usize]) -> usize {
    Shape::from(sizes).elements()
}

/// How many inputs and outputs a unit has, for [`Init`]: channels of a group times pixels of the kernel.
fn fans(channels: [usize; 2], groups: usize, kernel: &[usize]) -> [usize; 2] {
    channels.map(|channels| (channels / groups.max(1)).saturating_mul(product(kernel)).max(1))
}

/// The parameters of a layer: the weights, of a shape that begins with these channels, and a bias for each output.
#[track_caller]
fn add<T: Real>(
    params: &mut Params<T>,
    name: &str,
    (first, kernel): ([usize; 2], &[usize]),
    [fan_in, fan_out]: [usize; 2],
    outputs: usize,
    (init, random): (Init, &mut Random),
) -> [ParamId; 2] {
    let shape: Shape = first.iter().chain(kernel).copied().collect();
    let w = init.tensor(shape, fan_in, fan_out, random);
    [params.add(format!("{name}.w"), w), params.add(format!("{name}.b"), Tensor::zeros([outputs]))]
}

/// Panics in the layer's name unless so many channels fall into the groups.
#[track_caller]
fn expect_groups(name: &str, [inputs, outputs]: [usize; 2], groups: usize) {
    assert!(
        groups > 0 && inputs.is_multiple_of(groups) && outputs.is_multiple_of(groups),
        "layer `{name}`: {inputs} and {outputs} channels do not fall into {groups} groups"
    );
}

/// Panics in the layer's name unless x has so many channels and axes.
#[track_caller]
fn expect_inputs<T: Real>(x: Var<T>, w: ParamId, channels: usize, axes: usize) {
    let shape = x.shape();
    if shape.rank() != axes + 2 || shape[1] != channels {
        let name = x.recording().params().name(w).to_string();
        let name = name.strip_suffix(".w").unwrap_or(&name);
        let axes = if axes == 1 { "width" } else { "height, width" };
        panic!("layer `{name}` takes inputs of shape [batch, {channels}, {axes}], not {shape}");
    }
}

macro_rules! conv_layer {
    ($(#[$meta:meta])* $name:ident: $axes:literal, $method:ident, $method_relu:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name {
            /// The weights, [outputs, inputs / groups, kernel ..].
            pub w: ParamId,
            /// The bias, \[outputs\].
            pub b: ParamId,
            /// How the kernel moves.
            pub of: Convolution<$axes>,
        }

        impl $name {
            /// Adds `name.w`, drawn by `init`, and `name.b`, all zero, to the parameters.
            ///
            /// # Panics
            /// If the channels do not fall into the groups, or there are parameters of these names already.
            #[track_caller]
            pub fn new<T: Real>(
                params: &mut Params<T>,
                name: &str,
                [inputs, outputs]: [usize; 2],
                kernel: impl EachAxis<$axes>,
                of: Convolution<$axes>,
                init: Init,
                random: &mut Random,
            ) -> Self {
                expect_groups(name, [inputs, outputs], of.groups);
                let kernel = kernel.each_axis();
                let fans = fans([inputs, outputs], of.groups, &kernel);
                let weights = ([outputs, inputs / of.groups], &kernel[..]);
                let [w, b] = add(params, name, weights, fans, outputs, (init, random));
                $name { w, b, of }
            }

            /// w * x + b, for x of shape [batch, inputs, ..].
            ///
            /// # Panics
            /// If x has another number of channels or axes: the message names the layer. If the kernel is larger than the
            /// padded input.
            #[track_caller]
            pub fn forward<'r, T: Real>(&self, x: Var<'r, T>) -> Var<'r, T> {
                self.expect_inputs(x);
                let r = x.recording();
                x.$method(r.param(self.w), r.param(self.b), self.of)
            }

            /// max(w * x + b, 0): the bits of `forward(x).relu()`, sooner.
            ///
            /// # Panics
            /// As [`forward`](Self::forward).
            #[track_caller]
            pub fn forward_relu<'r, T: Real>(&self, x: Var<'r, T>) -> Var<'r, T> {
                self.expect_inputs(x);
                let r = x.recording();
                x.$method_relu(r.param(self.w), r.param(self.b), self.of)
            }

            #[track_caller]
            fn expect_inputs<T: Real>(&self, x: Var<T>) {
                let inputs = x.recording().params().shape(self.w)[1] * self.of.groups;
                expect_inputs(x, self.w, inputs, $axes);
            }
        }
    };
}

conv_layer! {
    /// y = w * x + b, a convolution along one axis, of x [batch, inputs, width].
    ///
    /// ```
    /// use quietgrad::nn::{Conv1d, Init};
    /// use quietgrad::ops::conv::Convolution;
    /// use quietgrad::{Params, Random, Tape, Tensor};
    ///
    /// let mut params = Params::<f32>::new();
    /// let of = Convolution::new().padding([[4, 0]]).dilation(2); // sees no later sample
    /// let layer = Conv1d::new(&mut params, "conv", [2, 8], 3, of, Init::HeNormal, &mut Random::new(1));
    ///
    /// let mut tape = Tape::new();
    /// let r = tape.record(&params);
    /// let h = layer.forward_relu(r.constant(&Tensor::zeros([5, 2, 100])));
    /// assert_eq!(h.shape()[..], [5, 8, 100]);
    /// ```
    Conv1d: 1, conv1d, conv1d_relu
}

conv_layer! {
    /// y = w * x + b, a convolution of images x [batch, inputs, height, width].
    ///
    /// ```
    /// use quietgrad::nn::{Conv2d, Init};
    /// use quietgrad::ops::conv::{Convolution, Padding};
    /// use quietgrad::{Params, Random, Tape, Tensor};
    ///
    /// let mut params = Params::<f32>::new();
    /// let of = Convolution::new().padding(Padding::SameBothSides);
    /// let layer = Conv2d::new(&mut params, "conv", [3, 8], 3, of, Init::HeNormal, &mut Random::new(1));
    ///
    /// let mut tape = Tape::new();
    /// let r = tape.record(&params);
    /// let h = layer.forward_relu(r.constant(&Tensor::zeros([5, 3, 12, 10])));
    /// assert_eq!(h.shape()[..], [5, 8, 12, 10]);
    /// ```
    ///
    /// ```should_panic
    /// # use quietgrad::{Params, Random, Tape, Tensor, nn::{Conv2d, Init}, ops::conv::Convolution};
    /// # let (mut params, mut random) = (Params::<f32>::new(), Random::new(1));
    /// let layer = Conv2d::new(&mut params, "conv", [3, 8], 3, Convolution::new(), Init::HeNormal, &mut random);
    /// # let mut tape = Tape::new();
    /// # let r = tape.record(&params);
    /// layer.forward(r.constant(&Tensor::zeros([5, 1, 9, 9]))); // layer `conv` takes inputs of shape [batch, 3, height, width], …
    /// ```
    Conv2d: 2, conv2d, conv2d_relu
}

macro_rules! conv_transpose_layer {
    ($(#[$meta:meta])* $name:ident: $axes:literal, $method:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name {
            /// The weights, [inputs, outputs / groups, kernel ..].
            pub w: ParamId,
            /// The bias, \[outputs\].
            pub b: ParamId,
            /// How pixels are spread.
            pub of: Transposed<$axes>,
        }

        impl $name {
            /// Adds `name.w`, drawn by `init`, and `name.b`, all zero, to the parameters. With a stride of s, an output meets
            /// one of s weights along an axis, and its fan_in is as much smaller.
            ///
            /// # Panics
            /// If the channels do not fall into the groups, or there are parameters of these names already.
            #[track_caller]
            pub fn new<T: Real>(
                params: &mut Params<T>,
                name: &str,
                [inputs, outputs]: [usize; 2],
                kernel: impl EachAxis<$axes>,
                of: Transposed<$axes>,
                init: Init,
                random: &mut Random,
            ) -> Self {
                expect_groups(name, [inputs, outputs], of.groups);
                let kernel = kernel.each_axis();
                let [fan_in, fan_out] = fans([inputs, outputs], of.groups, &kernel);
                let fan_in = (fan_in / product(&of.stride).max(1)).max(1);
                let weights = ([inputs, outputs / of.groups], &kernel[..]);
                let [w, b] = add(params, name, weights, [fan_in, fan_out], outputs, (init, random));
                $name { w, b, of }
            }

            /// wᵀ * x + b, for x of shape [batch, inputs, ..].
            ///
            /// # Panics
            /// If x has another number of channels or axes: the message names the layer.
            #[track_caller]
            pub fn forward<'r, T: Real>(&self, x: Var<'r, T>) -> Var<'r, T> {
                let r = x.recording();
                expect_inputs(x, self.w, r.params().shape(self.w)[0], $axes);
                x.$method(r.param(self.w), r.param(self.b), self.of)
            }
        }
    };
}

conv_transpose_layer! {
    /// y = wᵀ * x + b, the transpose of a convolution along one axis, of x [batch, inputs, width].
    ConvTranspose1d: 1, conv_transpose1d
}

conv_transpose_layer! {
    /// y = wᵀ * x + b, the transpose of a convolution, of images x [batch, inputs, height, width].
    ///
    /// ```
    /// use quietgrad::nn::{ConvTranspose2d, Init};
    /// use quietgrad::ops::conv::Transposed;
    /// use quietgrad::{Params, Random, Tape, Tensor};
    ///
    /// let mut params = Params::<f32>::new();
    /// let of = Transposed::new().stride(2).padding(1).output_padding(1);
    /// let layer = ConvTranspose2d::new(&mut params, "up", [8, 3], 3, of, Init::HeNormal, &mut Random::new(1));
    ///
    /// let mut tape = Tape::new();
    /// let r = tape.record(&params);
    /// assert_eq!(layer.forward(r.constant(&Tensor::zeros([5, 8, 6, 7]))).shape()[..], [5, 3, 12, 14]);
    /// ```
    ConvTranspose2d: 2, conv_transpose2d
}
