//! Elementwise ops on single numbers: the terms of a loss, weighted and added. They need no views and no kernels.

use crate::element::Element;
use crate::kernels::Each;
use crate::ops::Op;
use crate::ops::binary::Pairwise;
use crate::ops::unary::Elementwise;
use crate::pointwise::{BinaryRule, BinaryVisitor, Slope, SlopeA, SlopeB, UnaryRule, UnaryVisitor};

/// y = f(a), or f(a, b)
struct Value<T> {
    a: T,
    b: T,
}

impl<T: Element> UnaryVisitor for Value<T> {
    type Output = T;
    #[inline(always)]
    fn visit<R: UnaryRule>(self, rule: R) -> T {
        rule.f(self.a)
    }
}

impl<T: Element> BinaryVisitor for Value<T> {
    type Output = T;
    #[inline(always)]
    fn visit<R: BinaryRule>(self, rule: R) -> T {
        rule.f(self.a, self.b)
    }
}

/// The cotangents of a, and of b.
struct Vjp<T> {
    a: T,
    b: T,
    y: T,
    gy: T,
}

impl<T: Element> UnaryVisitor for Vjp<T> {
    type Output = [T; 2];
    #[inline(always)]
    fn visit<R: UnaryRule>(self, rule: R) -> [T; 2] {
        [Slope(rule).at([self.a, self.y, self.gy]), T::ZERO]
    }
}

impl<T: Element> BinaryVisitor for Vjp<T> {
    type Output = [T; 2];
    #[inline(always)]
    fn visit<R: BinaryRule>(self, rule: R) -> [T; 2] {
        let x = [self.a, self.b, self.y, self.gy];
        [SlopeA(rule).at(x), SlopeB(rule).at(x)]
    }
}

impl Op {
    /// Whether it is an elementwise function.
    #[inline]
    pub(crate) fn is_elementwise(&self) -> bool {
        matches!(self, Op::Elementwise(_) | Op::Pairwise(_))
    }

    /// An elementwise function of numbers, the first and the last of its one or two. (Out of line: it holds all of the tables.)
    #[inline(never)]
    pub(crate) fn of_numbers<T: Element>(&self, [a, b]: [T; 2]) -> T {
        match self {
            Op::Elementwise(Elementwise(f)) => f.accept(Value { a, b }),
            Op::Pairwise(Pairwise(f)) => f.accept(Value { a, b }),
            _ => unreachable!("elementwise ops alone take numbers"),
        }
    }

    /// Their cotangents.
    #[inline(never)]
    pub(crate) fn vjp_of_numbers<T: Element>(&self, [a, b]: [T; 2], y: T, gy: T) -> [T; 2] {
        match self {
            Op::Elementwise(Elementwise(f)) => f.accept(Vjp { a, b, y, gy }),
            Op::Pairwise(Pairwise(f)) => f.accept(Vjp { a, b, y, gy }),
            _ => unreachable!("elementwise ops alone take numbers"),
        }
    }
}
