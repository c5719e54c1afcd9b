//! Operations: one file each, with its shape rule, its value and its vector-Jacobian product side by side.
//!
//! The list at the end of this file makes the enum [`Op`] of them. An op is data, so a graph of ops can be printed,
//! compared, and run again on other numbers; it is also local: to add one, write its file and put a word in the list.
//! The gradient checks walk the same list.

pub mod binary;
pub mod broadcast;
pub mod compare;
pub mod concat;
pub mod cross_entropy;
pub mod cumsum;
pub mod custom;
pub mod detach;
pub mod dropout;
pub mod extremum;
pub mod flip;
pub mod gather;
pub mod index_select;
pub mod linear;
pub mod log_sum_exp;
pub mod map_sum;
pub mod matmul;
pub mod norm;
mod number;
pub mod one_hot;
pub mod pad;
pub mod pair_sum;
pub mod permute;
mod product;
mod reduction;
pub mod reshape;
pub mod slice;
pub mod softmax;
pub mod sum;
pub mod top_k;
pub mod unary;
pub mod variance;
pub mod where_cond;

pub use custom::{Custom, CustomRule};
pub use reduction::Reduction;
pub(crate) use reduction::no_mean;

use std::fmt::Debug;

use crate::cotangents::Cotangents;
use crate::dual::Dual;
use crate::element::Element;
use crate::shape::{Shape, ShapeError, Strides};
use crate::sparsity::{Demand, Entries};
use crate::tensor::{Cotangent, View, ViewMut};

/// What an operation must say of itself.
///
/// Its kernels take views: a shape, and elements that may be broadcast or permuted. They write every element of the
/// output, allocate nothing, and never ask about density.
pub trait Rule: Clone + PartialEq + Debug + Into<Op> {
    /// The name, as the method is called.
    fn name(&self) -> &'static str;

    /// What it was made with besides its inputs, for printed graphs: the axes of a sum, a factor.
    fn arguments(&self) -> String {
        String::new()
    }

    /// The output's shape.
    ///
    /// # Errors
    /// If the inputs' shapes do not fit the op, or each other.
    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError>;

    /// y = f(x); overwrites y.
    fn forward<T: Real>(&self, x: &[View<T>], y: ViewMut<T>);

    /// gx += Jᵀ gy, for each input that wants it.
    fn vjp<T: Real>(&self, x: &[View<T>], y: View<T>, gy: View<T>, gx: &mut Cotangents<T>);

    /// The same, handed the cotangent to do with as it likes, since nothing else reads it: for an op y = f(z) that ends
    /// with an elementwise function, and can turn it into that of z in place.
    fn vjp_in_place<T: Real>(&self, x: &[View<T>], y: View<T>, gy: Cotangent<T>, gx: &mut Cotangents<T>) {
        gy.read(|gy| self.vjp(x, y, gy, gx));
    }

    /// Whether the output is nowhere below 0, its cotangent is read where it is above 0 alone, and
    /// [`vjp_in_place`](Rule::vjp_in_place) adds there what is the same at every element (`docs/adr/0014`).
    fn takes_uniform(&self) -> bool {
        false
    }

    /// Where the output's cotangent is read by `vjp`.
    fn demand(&self) -> Demand {
        Demand::Everywhere
    }

    /// What it makes of entries, for inputs of these shapes.
    fn entries(&self, _x: &[&[usize]]) -> Entries {
        Entries::Unseen
    }

    /// Whether the output is 0 wherever the first input is, an input of its shape; or, if the output is one number,
    /// whether zeros add nothing to it.
    fn keeps_zeros(&self) -> bool {
        false
    }

    /// How the output can share the first input's memory, if it can: then `forward` is not called.
    fn alias(&self, _x: Layout, _y: &[usize]) -> Option<Alias> {
        None
    }

    /// Whether input `k` may be a permuted or broadcast view. If not, the tape hands over a row-major copy of one.
    fn takes_strides(&self, _k: usize) -> bool {
        false
    }

    /// Whether anything flows back through it.
    fn differentiable(&self) -> bool {
        true
    }

    /// The op as a second derivative needs it. Where a function has a tip, as ‖x‖ at 0, forward mode's tangent is 0, to
    /// agree with the gradient chosen there; but the derivative along the direction is not 0, and ‖x‖² has a curvature of
    /// it. This is the op that gives that tangent instead, if there is a difference.
    #[must_use]
    fn along_direction(&self) -> Self {
        self.clone()
    }

    /// Floating-point operations of `forward` for dense inputs of these shapes. A function of an element counts as one.
    fn flops(&self, x: &[&[usize]], y: &[usize]) -> u64 {
        let elements = |shape: &[usize]| shape.iter().product::<usize>() as u64;
        elements(y).max(x.first().map_or(0, |x| elements(x)))
    }

    /// Floating-point operations of `vjp` for the cotangent of input `k`.
    fn vjp_flops(&self, _k: usize, x: &[&[usize]], y: &[usize]) -> u64 {
        self.flops(x, y)
    }

    /// Which smooth piece of the function each element is on; empty for a smooth function. Gradient checks compare
    /// the pieces on both sides of a point and skip it if they differ.
    fn pieces(&self, _x: &[View<f64>]) -> Vec<i64> {
        Vec::new()
    }

    /// Inputs to check the gradient at: at least an ordinary shape, and size-1, rank-0 and empty ones where the op
    /// takes them.
    fn samples() -> Vec<Sample>;
}

/// A whole number that is stored as an element.
pub(crate) fn index<T: Element>(x: T) -> usize {
    x.to_f64() as usize
}

/// How a tensor stands in memory: its shape, and its strides unless it is row-major without gaps.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'a> {
    /// The sizes of the axes.
    pub shape: &'a [usize],
    /// Distances between neighbours; `None` for row-major without gaps.
    pub strides: Option<&'a [usize]>,
}

/// A second way to walk memory that another tensor owns.
#[derive(Clone, Debug)]
pub struct Alias {
    /// Distance of the first element from the owner's first.
    pub(crate) offset: usize,
    /// Strides of the alias; `None` for row-major without gaps.
    pub(crate) strides: Option<Strides>,
}

/// An op and inputs to check its gradient with.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The op.
    pub op: Op,
    /// What to draw for each input.
    pub inputs: Vec<SampleInput>,
}

/// What to draw for an input of a [`Sample`].
#[derive(Clone, Debug, PartialEq)]
pub enum SampleInput {
    /// Numbers in an interval, differentiated.
    Real(Shape, (f64, f64)),
    /// Whole numbers below a bound, not differentiated.
    Index(Shape, usize),
}

impl Sample {
    /// An op with real inputs of these shapes, drawn from (−2, 2).
    pub fn new<const N: usize>(op: impl Into<Op>, shapes: [&[usize]; N]) -> Self {
        Sample::within(op, shapes.map(|shape| (shape, (-2.0, 2.0))))
    }

    /// An op with real inputs of these shapes, each drawn from its interval.
    pub fn within<const N: usize>(op: impl Into<Op>, inputs: [(&[usize], (f64, f64)); N]) -> Self {
        let inputs = inputs.map(|(shape, range)| SampleInput::Real(shape.into(), range)).to_vec();
        Sample { op: op.into(), inputs }
    }
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
                [$($module::$Rule::samples()),*].concat()
            }
        }

        /// Does the same for whichever rule the op is.
        macro_rules! each {
            ($op:expr, $rule:ident => $body:expr) => {
                match $op { $(Op::$Rule($rule) => $body,)* }
            };
        }
    };
}

ops! {
    unary::Elementwise,
    binary::Pairwise,
    map_sum::MapSum,
    pair_sum::PairSum,
    cross_entropy::CrossEntropy,
    matmul::MatMul,
    linear::Linear,
    sum::Sum,
    extremum::Extremum,
    norm::Norm,
    variance::Variance,
    softmax::Softmax,
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

    pub(crate) fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        each!(self, rule => rule.shape(x))
    }

    pub(crate) fn alias(&self, x: Layout, y: &[usize]) -> Option<Alias> {
        each!(self, rule => rule.alias(x, y))
    }

    pub(crate) fn takes_strides(&self, k: usize) -> bool {
        each!(self, rule => rule.takes_strides(k))
    }

    pub(crate) fn differentiable(&self) -> bool {
        each!(self, rule => rule.differentiable())
    }

    pub(crate) fn demand(&self) -> Demand {
        each!(self, rule => rule.demand())
    }

    pub(crate) fn takes_uniform(&self) -> bool {
        each!(self, rule => rule.takes_uniform())
    }

    pub(crate) fn entries(&self, x: &[&[usize]]) -> Entries {
        each!(self, rule => rule.entries(x))
    }

    /// m, k and n, for inputs of these shapes, if it is a product that makes something of its first input's entries.
    pub(crate) fn product(&self, x: &[&[usize]]) -> Option<[usize; 3]> {
        let known = matches!(self, Op::MatMul(_) | Op::Linear(_)) && self.entries(x) == Entries::Product;
        known.then(|| {
            let k = x[0].last().copied().unwrap_or(1);
            [x[0].iter().product::<usize>() / k.max(1), k, x[1][1]]
        })
    }

    pub(crate) fn keeps_zeros(&self) -> bool {
        each!(self, rule => rule.keeps_zeros())
    }

    pub(crate) fn along_direction(&self) -> Op {
        each!(self, rule => rule.along_direction().into())
    }

    pub(crate) fn pieces(&self, x: &[View<f64>]) -> Vec<i64> {
        each!(self, rule => rule.pieces(x))
    }
}

/// A number that tapes compute with: `f32`, `f64`, and [`Dual`] over `f64`.
///
/// The trait is implemented here and nowhere else: every op is compiled for these types once, in this crate, so that a
/// program that uses them builds in a second instead of compiling every op again.
pub trait Real: Element {
    #[doc(hidden)]
    fn forward(op: &Op, x: &[View<Self>], y: ViewMut<Self>);
    #[doc(hidden)]
    fn vjp(op: &Op, x: &[View<Self>], y: View<Self>, gy: Cotangent<Self>, gx: &mut Cotangents<Self>);
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn custom(op: &Custom) -> &dyn custom::RuleFor<Self>;
}

macro_rules! real {
    ($($t:ty),*) => {
        $(impl Real for $t {
            fn forward(op: &Op, x: &[View<Self>], y: ViewMut<Self>) {
                each!(op, rule => rule.forward(x, y))
            }

            fn vjp(op: &Op, x: &[View<Self>], y: View<Self>, gy: Cotangent<Self>, gx: &mut Cotangents<Self>) {
                each!(op, rule => rule.vjp_in_place(x, y, gy, gx))
            }

            #[allow(private_interfaces)]
            fn custom(op: &Custom) -> &dyn custom::RuleFor<Self> {
                op.rule()
            }
        })*
    };
}

real!(f32, f64, Dual<f64>);
