//! A user's own op: [`CustomRule`] says what it computes, [`Op::custom`] makes it an op like any other.

use std::fmt::Debug;
use std::sync::Arc;

use crate::element::Dual;
use crate::ops::{Op, Real, Rule, Sample, ZeroRule};
use crate::tape::Cotangents;
use crate::tensor::{Shape, ShapeError, View, ViewMut};

/// What a user's own op must say of itself.
///
/// It is written once, for every element type: `f32`, `f64`, and dual numbers, which is how
/// [`gradcheck`](crate::gradcheck) finds out whether the vjp is right. Inputs are row-major.
///
/// ```
/// use quietgrad::ops::{CustomRule, Op};
/// use quietgrad::{Cotangents, Element, Params, Shape, ShapeError, Tape, Tensor, View, ViewMut};
/// use quietgrad::{gradcheck, kernels};
///
/// /// y = x³
/// #[derive(Debug)]
/// struct Cube;
///
/// impl CustomRule for Cube {
///     fn name(&self) -> &'static str {
///         "cube"
///     }
///     fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
///         Ok(x[0].into())
///     }
///     fn forward<T: Element>(&self, x: &[View<T>], y: ViewMut<T>) {
///         for (y, &x) in y.data.iter_mut().zip(x[0].data()) {
///             *y = x * x * x;
///         }
///     }
///     /// gx = 3 x² gy
///     fn vjp<T: Element>(&self, x: &[View<T>], _: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
///         gx.add(0, |gx, accum| {
///             kernels::map([x[0].data(), gy.data()], gx.data, accum, |[x, g]: [T; 2]| T::from_f64(3.0) * x * x * g)
///         });
///     }
/// }
///
/// let cube = Op::custom(Cube);
/// let mut params = Params::new();
/// let w = params.add("w", Tensor::from([1.0, -2.0]));
/// let report = gradcheck::check(&params, |r| r.apply(cube.clone(), &[r.param(w)]))?;
/// assert!(report.worst_dual < 1e-12);
/// # Ok::<(), gradcheck::Mismatch>(())
/// ```
pub trait CustomRule: Debug + Send + Sync + 'static {
    /// The name, for printed graphs and messages.
    fn name(&self) -> &'static str;

    /// The output's shape.
    ///
    /// # Errors
    /// If the inputs' shapes do not fit the op, or each other; the text is what the panic says.
    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError>;

    /// What it makes of zeros, for inputs of these shapes. [`ZeroRule::RELU`] for an activation function of one input that,
    /// as relu does, makes many zeros, and lets nothing through where it has made one: then products skip them, forward
    /// and backward. The vjp is run on the entries of y alone then, as if they were all, and its x is y.
    fn zeros(&self, _x: &[&[usize]]) -> ZeroRule {
        ZeroRule::DENSE
    }

    /// y = f(x); must write every element of y, whose memory holds anything.
    fn forward<T: Real>(&self, x: &[View<T>], y: ViewMut<T>);

    /// gx (=, +=) Jᵀ gy for each input that wants it, by [`Cotangents::add`].
    fn vjp<T: Real>(&self, x: &[View<T>], y: View<T>, gy: View<T>, gx: &mut Cotangents<T>);
}

/// A [`CustomRule`] as an op. Two are equal if they are clones of one.
#[derive(Clone, Debug)]
pub struct Custom(Arc<dyn AnyRule>);

impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Op {
    /// An op that follows a user's rule: recorded by [`Recording::apply`](crate::Recording::apply).
    pub fn custom(rule: impl CustomRule) -> Op {
        Op::Custom(Custom(Arc::new(rule)))
    }
}

/// A [`CustomRule`] whose generic methods are written out for each [`Real`], so that it fits behind a pointer.
pub(super) trait AnyRule:
    Debug + Send + Sync + RuleFor<f32> + RuleFor<f64> + RuleFor<Dual<f64>>
{
    fn name(&self) -> &'static str;
    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError>;
    fn zeros(&self, x: &[&[usize]]) -> ZeroRule;
}

/// What a [`CustomRule`] computes with numbers of one type.
pub(super) trait RuleFor<T> {
    fn forward(&self, x: &[View<T>], y: ViewMut<T>);
    fn vjp(&self, x: &[View<T>], y: View<T>, gy: View<T>, gx: &mut Cotangents<T>);
}

impl<R: CustomRule> AnyRule for R {
    fn name(&self) -> &'static str {
        CustomRule::name(self)
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        CustomRule::shape(self, x)
    }

    fn zeros(&self, x: &[&[usize]]) -> ZeroRule {
        CustomRule::zeros(self, x)
    }
}

impl<R: CustomRule, T: Real> RuleFor<T> for R {
    fn forward(&self, x: &[View<T>], y: ViewMut<T>) {
        CustomRule::forward(self, x, y);
    }

    fn vjp(&self, x: &[View<T>], y: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        CustomRule::vjp(self, x, y, gy, gx);
    }
}

impl Custom {
    /// The rule's face for one element type.
    pub(super) fn rule(&self) -> &dyn AnyRule {
        &*self.0
    }
}

impl Rule for Custom {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape, ShapeError> {
        self.0.shape(x)
    }

    fn zeros(&self, x: &[&[usize]]) -> ZeroRule {
        self.0.zeros(x)
    }

    fn forward<T: Real>(&self, x: &[View<T>], y: ViewMut<T>) {
        T::custom(self).forward(x, y);
    }

    fn vjp<T: Real>(&self, x: &[View<T>], y: View<T>, gy: View<T>, gx: &mut Cotangents<T>) {
        T::custom(self).vjp(x, y, gy, gx);
    }

    /// Its rules are not known here; their authors check them.
    fn samples() -> Vec<Sample> {
        Vec::new()
    }
}
