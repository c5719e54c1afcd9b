//! `+ - * /` and the minus sign, between values and with numbers; `+=` and its like; the sum of an iterator of values.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use super::handles::Var;
use crate::ops::Real;
use crate::pointwise::{self, Binary};

mod sealed {
    pub trait Sealed {}
}

/// A value or a number: what is on the right of `+ - * /`, or is handed to [`maximum`](Var::maximum) and the other
/// elementwise functions of two arguments.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor};
///
/// let (mut tape, params) = (Tape::<f32>::new(), Params::new());
/// let r = tape.record(&params);
/// let h = r.constant(&Tensor::from([-1.0, 2.0]));
/// let rate = 0.5_f32;
/// assert_eq!((h * rate).value(), (h * 0.5).value());
/// assert_eq!(h.maximum(0.0).value(), Tensor::from([0.0, 2.0]));
/// assert_eq!((1.0 - h).value(), Tensor::from([2.0, -1.0])); // on the left a number is an `f64`, or a literal
/// ```
///
/// A penalty is not one before it was said what its sum is divided by:
///
/// ```compile_fail,E0277
/// use quietgrad::{Params, Tape, Tensor, reg};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let h = r.constant(&Tensor::from([-1.0, 2.0]));
/// let loss = h.square().sum() + reg::l1(h); // error: say `.per_sample()` or `.summed()`
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a value on the tape nor a number of type `f64` or `f32`",
    label = "not a `Var`, `f64` or `f32`",
    note = "a penalty needs its reduction: `reg::l1(h).per_sample()` or `reg::l1(h).summed()`",
    note = "a whole number needs a decimal point, as in `2.0`, or a cast, as in `n as f64`",
    note = "a tensor comes onto the tape by the recording, as in `r.constant(&tensor)`"
)]
pub trait Operand<'r, T>: sealed::Sealed {
    #[doc(hidden)]
    fn operand(self) -> ValueOrNumber<'r, T>;
}

#[doc(hidden)]
pub enum ValueOrNumber<'r, T> {
    Value(Var<'r, T>),
    Number(f64),
}

impl<T> sealed::Sealed for Var<'_, T> {}
impl sealed::Sealed for f64 {}
impl sealed::Sealed for f32 {}

impl<'r, T> Operand<'r, T> for Var<'r, T> {
    #[inline(always)]
    fn operand(self) -> ValueOrNumber<'r, T> {
        ValueOrNumber::Value(self)
    }
}

impl<'r, T> Operand<'r, T> for f64 {
    #[inline(always)]
    fn operand(self) -> ValueOrNumber<'r, T> {
        ValueOrNumber::Number(self)
    }
}

impl<'r, T> Operand<'r, T> for f32 {
    #[inline(always)]
    fn operand(self) -> ValueOrNumber<'r, T> {
        ValueOrNumber::Number(f64::from(self))
    }
}

impl<'r, T: Real> Var<'r, T> {
    /// The operand as a value of this recording: a number becomes a constant.
    #[track_caller]
    #[inline]
    pub(crate) fn beside(self, other: impl Operand<'r, T>) -> Self {
        match other.operand() {
            ValueOrNumber::Value(value) => value,
            ValueOrNumber::Number(number) => self.recording.scalar(number),
        }
    }
}

macro_rules! operator {
    ($Trait:ident, $method:ident, $Assign:ident, $assign:ident, ($x:ident, $c:ident) $number:expr, $number_first:expr) => {
        // One implementation for every operand: so the type of `h * 0.5` is known before that of 0.5 is.
        impl<'r, T: Real, B: Operand<'r, T>> $Trait<B> for Var<'r, T> {
            type Output = Self;
            #[track_caller]
            #[inline]
            fn $method(self, other: B) -> Self {
                match other.operand() {
                    ValueOrNumber::Value(other) => {
                        self.apply(Binary::$Trait(pointwise::$Trait {}), &[self, other])
                    }
                    ValueOrNumber::Number($c) => {
                        let $x = self;
                        $number
                    }
                }
            }
        }

        impl<'r, T: Real, B: Operand<'r, T>> $Assign<B> for Var<'r, T> {
            #[track_caller]
            #[inline]
            fn $assign(&mut self, other: B) {
                *self = $Trait::$method(*self, other);
            }
        }

        // For `f64` alone: were `f32` here as well, the type of `2.0 * h` would not be known before that of 2.0 is.
        impl<'r, T: Real> $Trait<Var<'r, T>> for f64 {
            type Output = Var<'r, T>;
            #[track_caller]
            #[inline]
            fn $method(self, $x: Var<'r, T>) -> Var<'r, T> {
                let $c = self;
                $number_first
            }
        }
    };
}

// Expressions, not closures: a closure would come between the op and the caller's line.
operator!(Add, add, AddAssign, add_assign, (x, c) x.shift(c), x.shift(c));
operator!(Sub, sub, SubAssign, sub_assign, (x, c) x.shift(-c), Var::neg(x).shift(c));
operator!(Mul, mul, MulAssign, mul_assign, (x, c) x.scale(c), x.scale(c));
operator!(Div, div, DivAssign, div_assign,
    (x, c) if has_exact_inverse(c) { x.scale(1.0 / c) } else { x.div_by(c) }, x.div_into(c));

/// Whether c is a power of 2 whose inverse is a normal number in every type: multiplying by that is dividing, and faster.
fn has_exact_inverse(c: f64) -> bool {
    c.to_bits() & ((1 << 52) - 1) == 0 && (1e-37..1e37).contains(&c.abs())
}

impl<T: Real> Neg for Var<'_, T> {
    type Output = Self;
    #[track_caller]
    #[inline]
    fn neg(self) -> Self {
        Var::neg(self)
    }
}

/// The sum of values of one recording: of the penalties of all layers, for example. An addition is recorded as of the line
/// that made its second operand, since the iterator does not say which line asked for it.
///
/// # Panics
/// If there are none: the sum would have no recording. Begin with `r.scalar(0.0)` and `+=` where that may be.
///
/// ```
/// use quietgrad::{Params, Tape, Tensor, Var, reg};
///
/// let (mut tape, params) = (Tape::<f64>::new(), Params::new());
/// let r = tape.record(&params);
/// let layers = [1.0, 2.0, 3.0].map(|x| r.scalar(x));
/// let penalty: Var<f64> = layers.iter().map(|&h| reg::l2(h).summed()).sum();
/// assert_eq!(penalty.item(), 14.0);
/// ```
impl<T: Real> Sum for Var<'_, T> {
    #[track_caller]
    fn sum<I: Iterator<Item = Self>>(mut values: I) -> Self {
        let Some(mut total) = values.next() else { panic!("sum: an iterator over no values has no sum") };
        for value in values {
            let at = value.recording.tape.record.borrow().nodes()[value.id.index()].location();
            let add = Binary::Add(pointwise::Add {});
            total = total.recording.run(&add.into(), &[total, value], at);
        }
        total
    }
}

impl<'a, 'r: 'a, T: Real> Sum<&'a Var<'r, T>> for Var<'r, T> {
    #[track_caller]
    fn sum<I: Iterator<Item = &'a Var<'r, T>>>(values: I) -> Self {
        values.copied().sum()
    }
}
