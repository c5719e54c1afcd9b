//! Optimizers' updates of flat parameters by their gradient: one pass over memory each.
//!
//! [`step`] is that pass for all of them. An optimizer says what becomes of one parameter and of the numbers that it
//! remembers of it; this file runs that over all parameters, on vectors and threads, and keeps the rule below.
//!
//! # What is tiny becomes 0
//!
//! A number that decays (a mean of gradients that are 0 by now, a velocity, a weight) would reach the subnormal numbers,
//! and stay there: 0.9 · 4·2⁻¹⁴⁹ rounds back to itself. On many processors each operation on such a number takes a hundred
//! cycles, so that a run would grow slower as its units fall silent. Hence the rule: **what a step keeps is 0 if it is below
//! [`TINY`](Element::TINY)** in absolute value, parameters as well as state, and a gradient below it counts as 0. A number
//! whose square is kept counts as 0 below [`TINY_ROOT`](Element::TINY_ROOT), the root of that.
//!
//! `TINY` is 2⁻¹⁰² (2·10⁻³¹) for `f32` and 2⁻⁹⁷⁰ (10⁻²⁹²) for `f64`: the smallest normal number, divided by the rounding
//! unit, to the next even power. So all that can still change a kept number, down to its last bit, is a normal number as
//! well, and so is its product with a decay's rest 1 − β or a rate of 10⁻⁷ and more: not only what is kept stays clear of
//! the subnormal numbers, what is computed on the way does. The rule is a comparison in the code, not a processor's
//! flag, so that the bits are equal on every machine.

use super::isa::vectorize;
use super::threads::{join, threads};
use crate::element::Element;

/// What becomes of a parameter and of its N remembered numbers, from these and the gradient: p, g, state.
pub trait Rule<T, const N: usize>: Fn(T, T, [T; N]) -> (T, [T; N]) + Copy + Send {}

impl<T, const N: usize, F: Fn(T, T, [T; N]) -> (T, [T; N]) + Copy + Send> Rule<T, N> for F {}

/// `p, state = rule(p, g, state)` for every parameter. At most three numbers are remembered of each.
///
/// # Panics
/// If the slices differ in length.
#[track_caller]
pub fn step<T: Element, const N: usize>(p: &mut [T], g: &[T], state: [&mut [T]; N], rule: impl Rule<T, N>) {
    const { assert!(N <= 3) };
    assert!(
        g.len() == p.len() && state.iter().all(|state| state.len() == p.len()),
        "parameters, gradient and state differ in length"
    );
    let parts = (p.len() * (N + 2) / PART).clamp(1, threads());
    let mut state = state.into_iter();
    let mut next = || state.next().unwrap_or_default();
    step_parts(p, g, (next(), next(), next()), rule, parts);
}

/// The numbers that a thread must find to be worth waking: some 50 microseconds.
const PART: usize = 1 << 18;

/// Halves the parameters until there are enough parts, and updates the parts at the same time. The state stands in slices of
/// their own, of which the last 3 − N are empty.
fn step_parts<T: Element, const N: usize>(
    p: &mut [T],
    g: &[T],
    (a, b, c): (&mut [T], &mut [T], &mut [T]),
    rule: impl Rule<T, N>,
    parts: usize,
) {
    if parts == 1 {
        return pass(p, g, a, b, c, rule);
    }
    let middle = p.len() / parts * (parts / 2);
    let (p, p_rest) = p.split_at_mut(middle);
    let (g, g_rest) = g.split_at(middle);
    let (a, a_rest) = a.split_at_mut(middle.min(a.len()));
    let (b, b_rest) = b.split_at_mut(middle.min(b.len()));
    let (c, c_rest) = c.split_at_mut(middle.min(c.len()));
    join(
        move || step_parts(p, g, (a, b, c), rule, parts / 2),
        move || step_parts(p_rest, g_rest, (a_rest, b_rest, c_rest), rule, parts - parts / 2),
    );
}

vectorize! {
    /// One thread's part. Of slices in an array the compiler would not know that they share no memory.
    fn pass [T: Element, R: Rule<T, N>, const N: usize] (
        p: &mut [T], g: &[T], a: &mut [T], b: &mut [T], c: &mut [T], rule: R
    ) {
        let n = p.len();
        let of = |k: usize| if N > k { n } else { 0 };
        let (g, a, b, c) = (&g[..n], &mut a[..of(0)], &mut b[..of(1)], &mut c[..of(2)]);
        for i in 0..n {
            let mut state = [T::ZERO; N];
            if N > 0 {
                state[0] = a[i];
            }
            if N > 1 {
                state[1] = b[i];
            }
            if N > 2 {
                state[2] = c[i];
            }
            let (next, state) = rule(p[i], kept(g[i]), state);
            p[i] = kept(next);
            if N > 0 {
                a[i] = kept(state[0]);
            }
            if N > 1 {
                b[i] = kept(state[1]);
            }
            if N > 2 {
                c[i] = kept(state[2]);
            }
        }
    }
}

/// x, or 0 if it is tiny; NaN stays NaN.
#[inline(always)]
pub fn kept<T: Element>(x: T) -> T {
    if x.abs() < T::TINY { T::ZERO } else { x }
}

/// x, or 0 if its square is tiny; NaN stays NaN.
#[inline(always)]
pub fn kept_squared<T: Element>(x: T) -> T {
    if x.abs() < T::TINY_ROOT { T::ZERO } else { x }
}

/// a / b, or 0 if b is 0: a parameter whose gradients have all been 0 does not move, without an ε as well.
#[inline(always)]
pub fn ratio<T: Element>(a: T, b: T) -> T {
    if b == T::ZERO { T::ZERO } else { a / b }
}

/// `x = sign(x) max(|x| − threshold, 0)`: the proximal map of threshold · |x|. NaN stays NaN.
///
/// # Panics
/// If the threshold is negative or NaN.
#[track_caller]
pub fn soft_threshold<T: Element>(x: &mut [T], threshold: T) {
    assert!(threshold >= T::ZERO, "a threshold of {threshold} makes no sense");
    soft_threshold_pass(x, threshold);
}

vectorize! {
    fn soft_threshold_pass [T: Element] (x: &mut [T], threshold: T) {
        for x in x {
            *x = kept(*x - if *x > threshold { threshold } else if *x < -threshold { -threshold } else { *x });
        }
    }
}
