//! The rule by which this crate sums. It is part of a result's definition: equal inputs give equal bits, on every
//! instruction set and for any number of threads.
//!
//! A sum of n numbers is cut into *runs*. Within a run no number passes through more than [`STEPS`] additions one after
//! the other; the sums of runs are then added pairwise, in the order of a binary counter. What is a run depends on how
//! the numbers stand:
//!
//! - *Side by side*: a run is [`RUN`] elements. Element i goes to lane i mod [`LANES`]; the lanes are added by halves.
//!   What is left over, fewer than `LANES` elements, is summed one by one and added last.
//! - *A sum of each column*: a run is [`ROW_RUN`] rows, taken eight at a time, ((a + b) + (c + d)) + ((e + f) + (g + h)).
//! - *One after the other*, as from a loop over rows that are reduced themselves: a run is `STEPS` numbers.
//!
//! With u the unit roundoff (2⁻²⁴ in `f32`, 2⁻⁵³ in `f64`), the error of a sum is, to first order,
//!
//! ```text
//! |computed − Σ x| ≤ (STEPS + 34 + log₂ n) u Σ|x|
//! ```
//!
//! since no x passes through more additions than that; a sum over inner and outer axes at once passes through both kinds
//! of runs, and has 2 `STEPS` in place of `STEPS`. Source: N. J. Higham, The Accuracy of Floating Point Summation, 1993.

// An index runs through the lanes and through every operand at once.
#![allow(clippy::needless_range_loop)]

use std::mem::MaybeUninit;

use super::isa::vectorize;
use super::map::{Each, part, pick};
use crate::element::Element;

/// Most additions in a row before sums are added pairwise.
pub(super) const STEPS: usize = 128;
/// Partial sums carried side by side: two of the widest vectors of `f32`.
pub(super) const LANES: usize = 32;
/// Elements of a run, where they stand side by side.
pub(super) const RUN: usize = STEPS * LANES;
/// Rows of a run, where each column is summed.
pub(super) const ROW_RUN: usize = 8 * STEPS;

/// The sums of runs, added pairwise: after r runs there stands one sum for each bit of r that is 1, of as many runs as
/// that bit is worth. (After 6 runs: the sum of four, and of two.)
pub(super) struct Runs<T> {
    sums: [MaybeUninit<T>; usize::BITS as usize],
    count: usize,
}

impl<T: Element> Runs<T> {
    #[inline(always)]
    pub fn new() -> Self {
        Runs { sums: [const { MaybeUninit::uninit() }; usize::BITS as usize], count: 0 }
    }

    /// Takes in the sum of the next run.
    #[inline(always)]
    pub fn push(&mut self, mut sum: T) {
        let mut standing = self.count.count_ones() as usize;
        for _ in 0..self.count.trailing_ones() {
            standing -= 1;
            sum = self.standing(standing) + sum;
        }
        self.sums[standing].write(sum);
        self.count += 1;
    }

    /// The sum of all runs; 0 of none.
    #[inline(always)]
    pub fn total(self) -> T {
        let standing = self.count.count_ones() as usize;
        if standing == 0 {
            return T::ZERO;
        }
        let mut total = self.standing(standing - 1);
        for i in (0..standing - 1).rev() {
            total = self.standing(i) + total;
        }
        total
    }

    /// One of the sums that stand.
    #[inline(always)]
    fn standing(&self, i: usize) -> T {
        assert!(i < self.count.count_ones() as usize);
        // SAFETY: after r runs, `push` has written the first ones, as many as r has bits that are 1.
        unsafe { self.sums[i].assume_init() }
    }
}

/// How many of `len` parts, which are more than `run`, come before the last addition of the pairwise order.
pub(super) fn half(len: usize, run: usize) -> usize {
    run << ((len - 1) / run).ilog2()
}

/// A sum whose numbers come one after the other.
pub struct OneByOne<T> {
    run: T,
    count: usize,
    runs: Runs<T>,
}

impl<T: Element> Default for OneByOne<T> {
    fn default() -> Self {
        OneByOne { run: T::ZERO, count: 0, runs: Runs::new() }
    }
}

impl<T: Element> OneByOne<T> {
    /// Adds a number.
    #[inline]
    pub fn add(&mut self, x: T) {
        if self.count == STEPS {
            self.runs.push(self.run);
            (self.run, self.count) = (T::ZERO, 0);
        }
        self.run += x;
        self.count += 1;
    }

    /// The sum of all; 0 of none.
    pub fn total(mut self) -> T {
        self.runs.push(self.run);
        self.runs.total()
    }
}

/// The lanes' sum, by halves.
#[inline(always)]
pub(super) fn by_halves<T: Element>(mut lanes: [T; LANES]) -> T {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            let other = lanes[lane + width];
            lanes[lane] += other;
        }
        width /= 2;
    }
    lanes[0]
}

/// The sum of `len` elements that stand side by side, of which `run` sums those of one run, given where it begins and
/// how long it is.
#[inline]
pub(super) fn pairwise<T: Element>(len: usize, mut run: impl FnMut(usize, usize) -> T) -> T {
    if len <= RUN { run(0, len) } else { pairwise_of_runs(len, &mut run) }
}

/// [`pairwise`], of more than one run.
fn pairwise_of_runs<T: Element>(len: usize, run: &mut dyn FnMut(usize, usize) -> T) -> T {
    let mut runs = Runs::new();
    for from in (0..len).step_by(RUN) {
        runs.push(run(from, RUN.min(len - from)));
    }
    runs.total()
}

vectorize! {
    /// lanes[l] += Σᵢ f(x[LANES i + l]), for a whole number of rounds.
    fn add_to_lanes [T: Element, F: Each<T, 1>] (lanes: &mut [T; LANES], x: &[[T; LANES]], f: F) {
        let mut sums = *lanes;
        for round in x {
            for lane in 0..LANES {
                sums[lane] += f.at([round[lane]]);
            }
        }
        *lanes = sums;
    }
}

/// A run under way, of elements that come in parts.
pub(super) struct Lanes<T> {
    lanes: [T; LANES],
    /// The sum of what was left over.
    rest: T,
}

impl<T: Element> Lanes<T> {
    pub fn new() -> Self {
        Lanes { lanes: [T::ZERO; LANES], rest: T::ZERO }
    }

    /// Adds f of some elements; all calls but the last bring a whole number of rounds.
    pub fn add(&mut self, x: &[T], f: impl Each<T, 1>) {
        let (rounds, rest) = x.as_chunks::<LANES>();
        if !rounds.is_empty() {
            add_to_lanes(&mut self.lanes, rounds, f);
        }
        for &x in rest {
            self.rest += f.at([x]);
        }
    }

    pub fn total(self) -> T {
        by_halves(self.lanes) + self.rest
    }
}

/// Σ f(x) over a slice, with a loop that is compiled for f.
pub fn sum_each<T: Element, F: Each<T, 1>>(x: &[T], f: F) -> T {
    pairwise(x.len(), |from, len| {
        let mut lanes = Lanes::new();
        lanes.add(&x[from..from + len], f);
        lanes.total()
    })
}

/// Σ x over a slice.
pub fn sum<T: Element>(x: &[T]) -> T {
    sum_each(x, |[x]: [T; 1]| x)
}

vectorize! {
    /// Σᵢ f(aᵢ, bᵢ) over two slices of one length, with a loop that is compiled for f.
    pub fn sum_pairs [T: Element, F: Each<T, 2>] (a: &[T], b: &[T], f: F) -> T {
        sum_inline([a, b], f)
    }
}

/// Σᵢ f(xᵢ…) over slices of one length, to be inlined into a loop over rows.
#[inline(always)]
pub(super) fn sum_inline<T: Element, const N: usize>(x: [&[T]; N], f: impl Each<T, N>) -> T {
    let len = x[0].len();
    let (mut runs, mut from) = (Runs::new(), 0);
    // One call, so that there is one copy of what it is inlined to.
    loop {
        let sum = sum_run(part(&x, from, RUN.min(len - from)), f);
        if len <= RUN {
            return sum;
        }
        runs.push(sum);
        from += RUN;
        if from >= len {
            return runs.total();
        }
    }
}

/// [`sum_inline`] of one run.
#[inline(always)]
fn sum_run<T: Element, const N: usize>(x: [&[T]; N], f: impl Each<T, N>) -> T {
    let len = x[0].len();
    let whole = len - len % LANES;
    let mut rest = T::ZERO;
    for i in whole..len {
        rest += f.at(pick(&x, i));
    }
    if whole == 0 {
        return rest;
    }
    let mut lanes = [T::ZERO; LANES];
    // One operand is read by whole rounds; of several, copies would not stay in registers.
    if N == 1 {
        for &round in x[0].as_chunks::<LANES>().0 {
            for lane in 0..LANES {
                lanes[lane] += f.at([round[lane]; N]);
            }
        }
    } else {
        for start in (0..whole).step_by(LANES) {
            let x = part(&x, start, LANES);
            for lane in 0..LANES {
                lanes[lane] += f.at(pick(&x, lane));
            }
        }
    }
    by_halves(lanes) + rest
}
