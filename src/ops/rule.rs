//! What an op must say of itself: the trait that each file of this folder implements, and the small types it speaks of.

use std::fmt::Debug;

use super::{Op, Real, ZeroRule};
use crate::matrix::size;
use crate::tape::Cotangents;
use crate::tensor::shape::Strides;
use crate::tensor::{Cotangent, Shape, ShapeError, View, ViewMut};

/// What an operation must say of itself.
///
/// Its kernels take views: a shape, and elements that may be broadcast or permuted. They write every element of the
/// output, allocate nothing, and look for no zeros: an op that can use zeros says so in [`zeros`](Rule::zeros), and is told
/// where they are.
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

    /// The input that holds indices, for inputs of these shapes, and what each must be below. They are looked at before
    /// the op is recorded.
    fn indices(&self, _x: &[&[usize]]) -> Option<(usize, usize)> {
        None
    }

    /// y = f(x); overwrites y.
    fn forward<T: Real>(&self, x: &[View<T>], y: ViewMut<T>);

    /// gx (=, +=) Jᵀ gy, for each input that wants it. y is what `forward` wrote. gy is given at every element, unless
    /// [`zeros`](Rule::zeros) says where less will do; outside of that its memory holds anything, NaN among it.
    fn vjp<T: Real>(&self, x: &[View<T>], y: View<T>, gy: View<T>, gx: &mut Cotangents<T>);

    /// The [`vjp`](Rule::vjp) of an op that may change the cotangent, since nothing else reads it: of y = f(z) that ends with
    /// an elementwise function, and can turn the cotangent of y into that of z in place. Says whether it has contributed to
    /// all of gx; if not, `vjp` comes next, and reads the cotangent as it is left here.
    fn vjp_in_place<T: Real>(
        &self,
        _x: &[View<T>],
        _y: View<T>,
        _gy: &mut Cotangent<T>,
        _gx: &mut Cotangents<T>,
    ) -> bool {
        false
    }

    /// What it makes of zeros, for inputs of these shapes.
    fn zeros(&self, _x: &[&[usize]]) -> ZeroRule {
        ZeroRule::DENSE
    }

    /// y = f(x) without computing most of it, for an op that can find out beforehand where y will be zero. Gives the part
    /// of y that was computed, or `None`, having done nothing, where that is not possible or, unless it is to be done
    /// `always`, not faster. The decision depends on shapes and on the values of x alone.
    fn screen<T: Real>(&self, _x: &[View<T>], _y: ViewMut<T>, _always: bool) -> Option<f32> {
        None
    }

    /// Whether y may be computed when it is first read, if it ever is: for an op whose vjp does not read y, and which some op
    /// after it can be [joined](Rule::joined) with.
    fn waits(&self) -> bool {
        false
    }

    /// The op that gives what `next` makes of y, if the two in one can be [screened](Rule::screen).
    fn joined(&self, _next: &Op) -> Option<Op> {
        None
    }

    /// How the output can share the first input's memory, if it can: then `forward` is not called.
    fn alias(&self, _x: Layout, _y: &[usize]) -> Option<Alias> {
        None
    }

    /// Whether input `k` may be a permuted or broadcast view. If not, the tape hands over a row-major copy of one.
    fn takes_strides(&self, _k: usize) -> bool {
        false
    }

    /// Memory that it needs beside its output and the output's cotangent, for inputs of these shapes. It stands behind the
    /// elements of y in `forward` and in `vjp_in_place`, and behind those of gy in `vjp_in_place`.
    fn room(&self, _x: &[&[usize]]) -> Room {
        Room::default()
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
        one_each(x, y)
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

/// One operation for each element of the output, or of the first input if it has more.
fn one_each(x: &[&[usize]], y: &[usize]) -> u64 {
    let elements = |shape: &[usize]| size::product(shape) as u64;
    elements(y).max(x.first().map_or(0, |x| elements(x)))
}

/// Memory of an op besides its output, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// What `forward` leaves behind the output for the vjp: the gates of a recurrent layer.
    pub kept: usize,
    /// What the vjp works in, behind the output's cotangent. It holds anything before, and nobody reads it after.
    pub scratch: usize,
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
        Sample { op: op.into(), inputs: SampleInput::of_shapes(&shapes) }
    }

    /// An op with one real input, drawn from (−2, 2), and one of whole numbers below a bound, of these shapes.
    pub(crate) fn indexed(op: impl Into<Op>, [x, indices]: [&[usize]; 2], below: usize) -> Self {
        let inputs =
            vec![SampleInput::Real(x.into(), (-2.0, 2.0)), SampleInput::Index(indices.into(), below)];
        Sample { op: op.into(), inputs }
    }

    /// An op with real inputs of these shapes, each drawn from its interval.
    pub fn within<const N: usize>(op: impl Into<Op>, inputs: [(&[usize], (f64, f64)); N]) -> Self {
        Sample { op: op.into(), inputs: SampleInput::within(&inputs) }
    }
}

impl SampleInput {
    fn of_shapes(shapes: &[&[usize]]) -> Vec<Self> {
        shapes.iter().map(|&shape| SampleInput::Real(shape.into(), (-2.0, 2.0))).collect()
    }

    fn within(inputs: &[(&[usize], (f64, f64))]) -> Vec<Self> {
        inputs.iter().map(|&(shape, range)| SampleInput::Real(shape.into(), range)).collect()
    }
}
