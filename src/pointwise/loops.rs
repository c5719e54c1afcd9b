//! The tables' functions as loops over arrays: all lines of a table are compiled together, a loop each.

use super::{Binary, BinaryRule, Unary, UnaryRule, each_binary, each_unary};
use crate::element::Element;
use crate::kernels::Loops;

/// `y = f(x)`, or `y = f(a, b)`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values<F>(pub F);

/// `gx = gy f'(x)`, of x, y and gy
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pulls(pub Unary);

/// `ga = gy ∂f/∂a`, of a, b, y and gy
#[derive(Clone, Copy, Debug)]
pub(crate) struct PullsA(pub Binary);

/// `gb = gy ∂f/∂b`, of a, b, y and gy
#[derive(Clone, Copy, Debug)]
pub(crate) struct PullsB(pub Binary);

impl<T: Element> Loops<T, 1> for Values<Unary> {
    #[inline(always)]
    fn run(self, [x]: [&[T]; 1], to: &mut [T]) {
        each_unary!(self.0, rule => for i in 0..to.len() {
            to[i] = rule.f(x[i]);
        })
    }
}

impl<T: Element> Loops<T, 2> for Values<Binary> {
    #[inline(always)]
    fn run(self, [a, b]: [&[T]; 2], to: &mut [T]) {
        each_binary!(self.0, rule => for i in 0..to.len() {
            to[i] = rule.f(a[i], b[i]);
        })
    }
}

impl<T: Element> Loops<T, 3> for Pulls {
    #[inline(always)]
    fn run(self, [x, y, gy]: [&[T]; 3], to: &mut [T]) {
        each_unary!(self.0, rule => for i in 0..to.len() {
            to[i] = rule.pull(x[i], y[i], gy[i]);
        })
    }
}

impl<T: Element> Loops<T, 4> for PullsA {
    #[inline(always)]
    fn run(self, [a, b, y, gy]: [&[T]; 4], to: &mut [T]) {
        each_binary!(self.0, rule => for i in 0..to.len() {
            to[i] = rule.pull_a(a[i], b[i], y[i], gy[i]);
        })
    }
}

impl<T: Element> Loops<T, 4> for PullsB {
    #[inline(always)]
    fn run(self, [a, b, y, gy]: [&[T]; 4], to: &mut [T]) {
        each_binary!(self.0, rule => for i in 0..to.len() {
            to[i] = rule.pull_b(a[i], b[i], y[i], gy[i]);
        })
    }
}
