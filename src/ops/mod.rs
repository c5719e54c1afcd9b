//! Operations: one file each, with its shape rule, its value and its vector-Jacobian product side by side.
//!
//! The list at the end of this file makes the enum [`Op`] of them. An op is data, so a graph of ops can be printed,
//! compared, and run again on other numbers; it is also local: to add one, write its file and put a word in the list.
//! The gradient checks walk that list. No loop over elements stands here that a kernel could do, no `unsafe`, and nothing
//! that an op would remember from one step to the next.

// In the order in which the page of `Var` shows their methods.

pub mod affine;
pub mod compare;
pub mod map;
pub mod where_cond;
pub mod zip;

pub mod cumsum;
pub mod extremum;
pub mod log_sum_exp;
pub mod mean_square;
pub mod norm;
pub mod normalize;
mod reduction;
pub mod sum;
pub mod variance;

pub mod matmul;

pub mod conv;
pub mod pool;
pub mod recurrent;
pub mod upsample;

pub mod cross_entropy;
pub mod map_sum;
pub mod masked_softmax;
pub mod softmax;
pub mod zip_sum;

pub mod broadcast;
pub mod concat;
pub mod flip;
pub mod pad;
pub mod permute;
pub mod reshape;
pub mod slice;

pub mod gather;
pub mod index_select;
pub mod one_hot;

pub mod detach;
pub mod dropout;
pub mod top_k;

pub mod checkpoint;
pub mod custom;
mod rule;
mod zero_rule;

pub use custom::{Custom, CustomRule};
pub use matmul::linear;
pub use recurrent::{gru, lstm, rnn};
pub use reduction::Reduction;
pub(crate) use reduction::no_mean;
pub use rule::{Alias, Layout, Room, Rule, Sample, SampleInput};
pub use zero_rule::{OnEntries, Output, ZeroRule};

use crate::element::{Dual, Element};
use crate::matrix::Products;
use crate::pointwise::{BinaryRule, UnaryRule};
use crate::tape::Cotangents;
use crate::tensor::{Cotangent, Shape, ShapeError, View, ViewMut};

/// A whole number that is stored as an element.
pub(crate) fn index<T: Element>(x: T) -> usize {
    x.to_f64() as usize
}

/// Makes the enum of all ops and hands each call on to the op's own rule.
macro_rules! ops {
    ($($module:ident::$Rule:ident),* $(,)?) => {
        /// An operation, as data: one variant for each file of this folder.
        #[derive(Clone, PartialEq, Debug)]
        #[allow(missing_docs)]
        pub enum Op {
            $($Rule($module::$Rule),)*
        }

        $(impl From<$module::$Rule> for Op {
            #[inline]
            fn from(rule: $module::$Rule) -> Op {
                Op::$Rule(rule)
            }
        })*

        impl Op {
            /// The samples of every op.
            pub fn samples() -> Vec<Sample> {
                let mut samples = Vec::new();
                $(samples.append(&mut $module::$Rule::samples());)*
                samples
            }
        }

        /// Makes an expression once for the rule of each op, and computes that of the op at hand.
        macro_rules! each {
            ($op:expr, $rule:ident => $body:expr) => {
                match $op { $(Op::$Rule($rule) => $body,)* }
            };
        }
    };
}

ops! {
    map::Map,
    zip::Zip,
    map_sum::MapSum,
    zip_sum::ZipSum,
    cross_entropy::CrossEntropy,
    matmul::MatMul,
    linear::Linear,
    conv::Conv,
    conv::ConvTranspose,
    pool::MaxPool,
    pool::AvgPool,
    upsample::Upsample,
    lstm::Lstm,
    gru::Gru,
    rnn::Rnn,
    sum::Sum,
    extremum::Extremum,
    norm::Norm,
    variance::Variance,
    mean_square::MeanSquare,
    normalize::Normalize,
    affine::Affine,
    softmax::Softmax,
    masked_softmax::MaskedSoftmax,
    log_sum_exp::LogSumExp,
    cumsum::CumSum,
    top_k::TopK,
    dropout::Dropout,
    compare::Compare,
    where_cond::WhereCond,
    reshape::Reshape,
    permute::Permute,
    broadcast::BroadcastTo,
    slice::Slice,
    concat::Concat,
    pad::Pad,
    flip::Flip,
    gather::Gather,
    index_select::IndexSelect,
    one_hot::OneHot,
    detach::Detach,
    checkpoint::Checkpoint,
    custom::Custom,
}

impl Op {
    /// The name, as the method is called.
    pub fn name(&self) -> &'static str {
        each!(self, rule => rule.name())
    }

    /// What it was made with besides its inputs: the axes of a sum, a factor.
    pub fn arguments(&self) -> String {
        each!(self, rule => rule.arguments())
    }

    /// Floating-point operations for the output, from dense inputs of these shapes.
    pub fn flops(&self, x: &[&[usize]], y: &[usize]) -> u64 {
        each!(self, rule => rule.flops(x, y))
    }

    /// Floating-point operations for the cotangent of input `k`.
    pub fn vjp_flops(&self, k: usize, x: &[&[usize]], y: &[usize]) -> u64 {
        each!(self, rule => rule.vjp_flops(k, x, y))
    }

    // What the op's rule says: [`Rule`] describes each method.

    pub(crate) fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        each!(self, rule => rule.shape(x))
    }

    pub(crate) fn indices(&self, x: &[&[usize]]) -> Option<(usize, usize)> {
        each!(self, rule => rule.indices(x)).filter(|(k, _)| *k < x.len())
    }

    pub(crate) fn alias(&self, x: Layout, y: &[usize]) -> Option<Alias> {
        each!(self, rule => rule.alias(x, y))
    }

    pub(crate) fn waits(&self) -> bool {
        each!(self, rule => rule.waits())
    }

    pub(crate) fn joined(&self, next: &Op) -> Option<Op> {
        each!(self, rule => rule.joined(next))
    }

    pub(crate) fn takes_strides(&self, k: usize) -> bool {
        each!(self, rule => rule.takes_strides(k))
    }

    pub(crate) fn room(&self, x: &[&[usize]]) -> Room {
        each!(self, rule => rule.room(x))
    }

    pub(crate) fn differentiable(&self) -> bool {
        each!(self, rule => rule.differentiable())
    }

    pub(crate) fn zeros(&self, x: &[&[usize]]) -> ZeroRule {
        each!(self, rule => rule.zeros(x))
    }

    pub(crate) fn along_direction(&self) -> Op {
        each!(self, rule => rule.along_direction().into())
    }

    pub(crate) fn pieces(&self, x: &[View<f64>]) -> Vec<i64> {
        each!(self, rule => rule.pieces(x))
    }

    /// The op that copies a tensor of this shape to row-major order.
    pub(crate) fn contiguous(shape: Shape) -> Op {
        reshape::Reshape { to: shape }.into()
    }

    /// The op that copies a value out of a segment whose values are not kept.
    pub(crate) fn kept() -> Op {
        checkpoint::Checkpoint.into()
    }

    /// Whether it is an elementwise function. On single numbers, such as the terms of a loss, it needs no views and no
    /// kernels: the two functions below serve.
    #[inline]
    pub(crate) fn is_elementwise(&self) -> bool {
        matches!(self, Op::Map(_) | Op::Zip(_))
    }

    /// y = f(a), or f(a, b); b may be anything for a function of one number.
    #[inline]
    pub(crate) fn of_numbers<T: Element>(&self, [a, b]: [T; 2]) -> T {
        match self {
            Op::Map(map::Map(f)) => f.f(a),
            Op::Zip(zip::Zip(f)) => f.f(a, b),
            _ => unreachable!("elementwise ops alone take numbers"),
        }
    }

    /// The cotangents of a, and of b.
    #[inline]
    pub(crate) fn vjp_of_numbers<T: Element>(&self, [a, b]: [T; 2], y: T, gy: T) -> [T; 2] {
        match self {
            Op::Map(map::Map(f)) => [f.pull(a, y, gy), T::ZERO],
            Op::Zip(zip::Zip(f)) => [f.pull_a(a, b, y, gy), f.pull_b(a, b, y, gy)],
            _ => unreachable!("elementwise ops alone take numbers"),
        }
    }
}

/// A number that tapes compute with: `f32`, `f64`, and [`Dual`] over `f64`.
///
/// The trait is implemented here and nowhere else: every op is compiled for `f32` and `f64` once, in this crate, so that a
/// program that uses them builds in a second instead of compiling every op again. For dual numbers the ops are compiled in
/// those programs that differentiate twice or check gradients (the methods are `#[inline]`): few do, and all others would wait.
pub trait Real: Products {
    #[doc(hidden)]
    fn forward(op: &Op, x: &[View<Self>], y: ViewMut<Self>);
    #[doc(hidden)]
    fn forward_screened(op: &Op, x: &[View<Self>], y: ViewMut<Self>, always: bool) -> Option<f32>;
    #[doc(hidden)]
    fn vjp(op: &Op, x: &[View<Self>], y: View<Self>, gy: Cotangent<Self>, gx: &mut Cotangents<Self>);
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn custom(op: &Custom) -> &dyn custom::RuleFor<Self>;
}

macro_rules! real {
    ($($(#[$compiled:meta])? $t:ty),*) => {
        $(impl Real for $t {
            $(#[$compiled])?
            fn forward(op: &Op, x: &[View<Self>], y: ViewMut<Self>) {
                each!(op, rule => rule.forward(x, y))
            }

            $(#[$compiled])?
            fn forward_screened(op: &Op, x: &[View<Self>], y: ViewMut<Self>, always: bool) -> Option<f32> {
                each!(op, rule => rule.screen(x, y, always))
            }

            $(#[$compiled])?
            fn vjp(op: &Op, x: &[View<Self>], y: View<Self>, mut gy: Cotangent<Self>, gx: &mut Cotangents<Self>) {
                if !each!(op, rule => rule.vjp_in_place(x, y, &mut gy, gx)) {
                    gy.read(y, |gy| each!(op, rule => rule.vjp(x, y, gy, gx)));
                }
            }

            $(#[$compiled])?
            #[allow(private_interfaces)]
            fn custom(op: &Custom) -> &dyn custom::RuleFor<Self> {
                op.rule()
            }
        })*
    };
}

real!(f32, f64, #[inline] Dual<f64>);
