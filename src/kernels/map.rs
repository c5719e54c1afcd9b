//! Elementwise maps over slices.

// An index runs through y and through every x at once.
#![allow(clippy::needless_range_loop)]

use std::mem::MaybeUninit;

use super::isa::{vectorize, vectorize_wide};
use super::reduce::zeroed;
use crate::element::Element;
use crate::matrix::Accum;

/// A function of N numbers, to be applied to every element.
///
/// Closures are functions of this kind. A formula of some length implements the trait on a type of its own instead:
/// only a method can be `#[inline(always)]`, and a formula that is not inlined is not vectorized.
pub trait Each<T, const N: usize>: Copy {
    /// The function's value.
    fn at(self, x: [T; N]) -> T;
}

impl<T, const N: usize, F: Fn([T; N]) -> T + Copy> Each<T, N> for F {
    #[inline(always)]
    fn at(self, x: [T; N]) -> T {
        self(x)
    }
}

/// Element i of every operand.
#[inline(always)]
pub(super) fn pick<T: Element, const N: usize>(x: &[&[T]; N], i: usize) -> [T; N] {
    let mut picked = [T::ZERO; N];
    for k in 0..N {
        picked[k] = x[k][i];
    }
    picked
}

/// Elements `from..from + count` of every operand.
#[inline(always)]
pub(super) fn part<'a, T, const N: usize>(x: &[&'a [T]; N], from: usize, count: usize) -> [&'a [T]; N] {
    let mut parts = *x;
    for part in &mut parts {
        *part = &part[from..from + count];
    }
    parts
}

vectorize! {
    /// `y (=, +=) f(x…)` on slices of one length.
    pub fn map [T: Element, F: Each<T, N>, const N: usize] (x: [&[T]; N], y: &mut [T], accum: Accum, f: F) {
        let x = part(&x, 0, y.len());
        match accum {
            Accum::Replace => {
                for i in 0..y.len() {
                    y[i] = f.at(pick(&x, i));
                }
            }
            Accum::Add => {
                for i in 0..y.len() {
                    y[i] += f.at(pick(&x, i));
                }
            }
        }
    }
}

/// One of several functions of N numbers, which is known when the program runs: each has a loop of its own.
///
/// All these loops make one function for each instruction set, so that the many functions of a table cost a compiler
/// little; and they only replace. What is added takes a detour through a block of memory ([`looped`]), where it costs a
/// store and a load.
pub trait Loops<T, const N: usize>: Copy {
    /// `y = f(x…)` on slices of one length. It must be `#[inline(always)]`, as what it calls.
    fn run(self, x: [&[T]; N], y: &mut [T]);
}

vectorize_wide! {
    fn replace [T: Element, F: Loops<T, N>, const N: usize] (x: [&[T]; N], y: &mut [T], f: F) {
        f.run(part(&x, 0, y.len()), y);
    }
}

/// A function chosen from several, as a [`Row`].
pub fn looped<T: Element, const N: usize>(f: impl Loops<T, N>) -> impl Fn([&[T]; N], &mut [T], Accum) {
    move |x, y, accum| match accum {
        Accum::Replace => replace(x, y, f),
        Accum::Add => add_in_blocks(x, y, &|x, y| replace(x, y, f)),
    }
}

/// `y = f(x…)`
type Replacing<'a, T, const N: usize> = &'a dyn Fn([&[T]; N], &mut [T]);

/// `y += f(x…)` by a function that only replaces.
fn add_in_blocks<T: Element, const N: usize>(x: [&[T]; N], y: &mut [T], f: Replacing<T, N>) {
    let mut values = [const { MaybeUninit::uninit() }; BLOCK];
    let values = zeroed(&mut values, y.len());
    for (number, y) in y.chunks_mut(BLOCK).enumerate() {
        let values = &mut values[..y.len()];
        f(part(&x, number * BLOCK, y.len()), values);
        super::copy([values], y, Accum::Add);
    }
}

/// `y (=, +=) f(x…, v, g)` with v = value(x…) and one number g for all elements; g stands for v if there is no `value`.
pub fn map_with<T: Element, const N: usize, const M: usize>(
    x: [&[T]; N],
    value: Option<Row<T, N>>,
    g: T,
    y: &mut [T],
    accum: Accum,
    f: Row<T, M>,
) {
    const { assert!(M == N + 2, "f takes two numbers besides x") };
    let mut gs = [const { MaybeUninit::uninit() }; BLOCK];
    let gs = zeroed(&mut gs, y.len());
    gs.fill(g);
    let mut values = [const { MaybeUninit::uninit() }; BLOCK];
    let values = zeroed(&mut values, if value.is_some() { y.len() } else { 0 });
    for (number, y) in y.chunks_mut(BLOCK).enumerate() {
        let x = part(&x, number * BLOCK, y.len());
        let mut all = [&gs[..y.len()]; M];
        all[..N].copy_from_slice(&x);
        if let Some(value) = value {
            value(x, &mut values[..y.len()], Accum::Replace);
            all[N] = &values[..y.len()];
        }
        f(all, y, accum);
    }
}

/// `[y, g] -> g + plus` where y is above 0, and 0 elsewhere. It selects: whatever stood there is gone, be it NaN.
#[derive(Clone, Copy, Debug)]
pub struct WherePositive<T> {
    /// To be added.
    pub plus: T,
}

impl<T: Element> Each<T, 2> for WherePositive<T> {
    #[inline(always)]
    fn at(self, [y, g]: [T; 2]) -> T {
        if y > T::ZERO { g + self.plus } else { T::ZERO }
    }
}

vectorize! {
    /// [`WherePositive`], in place.
    pub fn keep_where_positive [T: Element] (y: &[T], g: &mut [T], plus: T) {
        let y = &y[..g.len()];
        for i in 0..g.len() {
            g[i] = WherePositive { plus }.at([y[i], g[i]]);
        }
    }
}

/// `[y] -> plus · sign(y)`: what an l1 penalty on y adds to the cotangent of y.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signs<T> {
    pub plus: T,
}

impl<T: Element> Each<T, 1> for Signs<T> {
    #[inline(always)]
    fn at(self, [y]: [T; 1]) -> T {
        // Of 0 it is 0, of NaN it is NaN.
        let not_above = if y < T::ZERO { -self.plus } else { self.plus * y };
        if y > T::ZERO { self.plus } else { not_above }
    }
}

/// `g += plus · sign(y)`
pub(crate) fn add_signs<T: Element>(y: &[T], g: &mut [T], plus: T) {
    map([y], g, Accum::Add, Signs { plus });
}

/// Elements of a block that a loop works on at a time: it stays in the nearest cache.
pub(super) const BLOCK: usize = 256;

/// An elementwise function, compiled for slices of one length: `y (=, +=) f(x…)`.
///
/// The loops in `strided.rs` and `reduce.rs` walk any strides and call one of these for each row. They are compiled once for
/// all functions, and a function once for all loops.
pub type Row<'f, T, const N: usize> = &'f dyn Fn([&[T]; N], &mut [T], Accum);
