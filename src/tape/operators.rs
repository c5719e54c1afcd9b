//! `+ - * /` and the minus sign, between values and with numbers.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::handles::Var;
use crate::ops::Real;

macro_rules! operator {
    ($Trait:ident, $method:ident, ($x:ident, $c:ident) $number:expr, $number_first:expr) => {
        impl<'r, T: Real> $Trait for Var<'r, T> {
            type Output = Self;
            #[track_caller]
            #[inline]
            fn $method(self, other: Self) -> Self {
                Var::$method(self, other)
            }
        }

        impl<'r, T: Real> $Trait<f64> for Var<'r, T> {
            type Output = Self;
            #[track_caller]
            #[inline]
            fn $method(self, $c: f64) -> Self {
                let $x = self;
                $number
            }
        }

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

// Expressions, not closures: a closure would stand between the op and the caller's line.
operator!(Add, add, (x, c) x.shift(c), x.shift(c));
operator!(Sub, sub, (x, c) x.shift(-c), Var::neg(x).shift(c));
operator!(Mul, mul, (x, c) x.scale(c), x.scale(c));
operator!(Div, div, (x, c) if has_exact_inverse(c) { x.scale(1.0 / c) } else { x.div_by(c) }, x.div_into(c));

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
