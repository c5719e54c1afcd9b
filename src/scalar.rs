//! Reverse mode on plain numbers: the whole idea in one file. Read it first; `docs/scalar.md` draws it.
//!
//! A program that has computed a number has taken a list of small steps: a sum here, a product there. The *tape*
//! (or Wengert list) writes them down; one *sweep* over it, backwards, then finds the derivative of the result by
//! everything before it. Of a step with inputs a and b it needs only the *partials*. So a line of the tape is
//!
//! `node = (∂node/∂a, ∂node/∂b, where a stands, where b stands)`
//!
//! The *adjoint* of a node is the derivative of the result with respect to it. The result's own is 1, the *seed*.
//! Every node hands its adjoint to its inputs, times the partials: the chain rule; and an input that was used
//! several times adds up what it is handed. Inputs stand before outputs, so, walking from the end, an adjoint is
//! complete when its turn comes to be handed on: no sorting, no recursion, no marks.
//!
//! ```
//! use quietgrad::scalar::{Tape, Var};
//! /// Σ 100 (xᵢ₊₁ − xᵢ²)² + (1 − xᵢ)²
//! fn rosenbrock<'t>(x: &[Var<'t>]) -> Var<'t> {
//!     let term = |w: &[Var<'t>]| 100.0 * (w[1] - w[0] * w[0]).square() + (1.0 - w[0]).square();
//!     x.windows(2).map(term).reduce(|sum, term| sum + term).expect("two variables or more")
//! }
//!
//! let tape = Tape::new();
//! let x = [2.0, 3.0, 5.0].map(|x| tape.var(x));
//! let gradient = rosenbrock(&x).gradient();
//! assert_eq!(x.map(|x| gradient[x]), [802.0, 4604.0, -800.0]);
//! ```

use std::cell::RefCell;
use std::ops::{Add, AddAssign, Div, DivAssign, Index, Mul, MulAssign, Neg, Sub, SubAssign};

use crate::pointwise::{self, BinaryRule, UnaryRule, binary_table, unary_table};

/// A line of the tape. Where an input is missing (a sine has one, a variable none), it names itself.
#[derive(Clone, Copy)]
struct Node {
    partials: [f64; 2],
    inputs: [u32; 2],
}

/// The list of all that was computed from its variables, in the order of computation.
#[derive(Default)]
pub struct Tape {
    nodes: RefCell<Vec<Node>>,
}

impl Tape {
    /// An empty tape.
    pub fn new() -> Self {
        Self::default()
    }

    /// A variable: a number to differentiate with respect to.
    ///
    /// # Panics
    /// Like every operation, if the tape is full: it holds 2³² nodes.
    #[inline]
    pub fn var(&self, value: f64) -> Var<'_> {
        self.push(value, [0.0, 0.0], [None, None])
    }

    /// Forgets every node and keeps the memory for the next recording. Because it takes the tape by `&mut`, a
    /// variable of the old recording that is used afterwards does not compile.
    pub fn clear(&mut self) {
        self.nodes.get_mut().clear();
    }

    #[inline]
    fn push(&self, value: f64, partials: [f64; 2], inputs: [Option<u32>; 2]) -> Var<'_> {
        let mut nodes = self.nodes.borrow_mut();
        let id = next_id(nodes.len());
        nodes.push(Node { partials, inputs: inputs.map(|input| input.unwrap_or(id)) });
        Var { tape: self, id, value }
    }
}

/// Half a `usize`, so that a node is 24 bytes and not 32: a tape is as fast as memory.
#[inline]
fn next_id(len: usize) -> u32 {
    u32::try_from(len).expect("scalar::Tape: full, with 2³² nodes")
}

/// A number on a tape. It computes like an `f64`, is as freely copied, and cannot outlive its recording.
#[derive(Clone, Copy)]
pub struct Var<'t> {
    tape: &'t Tape,
    id: u32,
    value: f64,
}

impl Var<'_> {
    /// The number itself.
    pub fn value(self) -> f64 {
        self.value
    }

    /// The derivatives of this number with respect to every number on its tape.
    ///
    /// ```
    /// let tape = quietgrad::scalar::Tape::new();
    /// let a = tape.var(1.0);
    /// let b = a + a;
    /// let c = b + b; // c = 4 a, but a recursive backward that visits b twice may well answer 6
    /// assert_eq!(c.gradient()[a], 4.0);
    /// ```
    pub fn gradient(self) -> Gradient {
        let mut gradient = Gradient::default();
        self.gradient_into(&mut gradient);
        gradient
    }

    /// Finds the [`gradient`](Var::gradient) and puts it into the memory of an earlier one.
    pub fn gradient_into(self, Gradient(adjoints): &mut Gradient) {
        adjoints.clear();
        adjoints.resize(self.id as usize, 0.0);
        adjoints.push(1.0); // the seed
        let adjoints = adjoints.as_mut_slice();
        for (i, node) in self.tape.nodes.borrow()[..adjoints.len()].iter().enumerate().rev() {
            let Node { partials: [da, db], inputs: [a, b] } = *node;
            let (earlier, rest) = adjoints.split_at_mut(i);
            let adjoint = rest[0];
            // Nothing arrived here. Partials may be infinite, and 0 · ∞ is not 0.
            if adjoint == 0.0 {
                continue;
            }
            // A missing input, which names the node itself, is not among the earlier ones.
            if let Some(sum) = earlier.get_mut(a as usize) {
                *sum += adjoint * da;
            }
            if let Some(sum) = earlier.get_mut(b as usize) {
                *sum += adjoint * db;
            }
        }
    }

    #[inline]
    fn unary(self, rule: impl UnaryRule) -> Self {
        let y = rule.f(self.value);
        self.tape.push(y, [rule.df(self.value, y), 0.0], [Some(self.id), None])
    }
}

/// The derivatives of a result: `gradient[x]`, with x a variable or a step on the way; 0 if x came later.
#[derive(Clone, Debug, Default)]
pub struct Gradient(Vec<f64>);

impl Index<Var<'_>> for Gradient {
    type Output = f64;
    fn index(&self, x: Var) -> &f64 {
        self.0.get(x.id as usize).unwrap_or(&0.0)
    }
}

/// What an operation takes: a [`Var`], or a constant `f64`, which leaves no trace on the tape.
pub trait Operand: Copy {
    /// The number, and its node on `tape` unless it is a constant.
    ///
    /// # Panics
    /// If it is on another tape.
    #[track_caller]
    fn on(self, tape: &Tape) -> (f64, Option<u32>);
}

impl Operand for f64 {
    fn on(self, _: &Tape) -> (f64, Option<u32>) {
        (self, None)
    }
}

impl Operand for Var<'_> {
    #[inline]
    #[track_caller]
    fn on(self, tape: &Tape) -> (f64, Option<u32>) {
        assert!(std::ptr::eq(self.tape, tape), "scalar::Var: the operands are on different tapes");
        (self.value, Some(self.id))
    }
}

/// y = a + b
impl<B: Operand> Add<B> for Var<'_> {
    type Output = Self;
    /// ∂y/∂a = 1, ∂y/∂b = 1
    #[inline]
    #[track_caller]
    fn add(self, b: B) -> Self {
        let (a, (b, b_id)) = (self.value, b.on(self.tape));
        self.tape.push(a + b, [1.0, 1.0], [Some(self.id), b_id])
    }
}

/// y = a b
impl<B: Operand> Mul<B> for Var<'_> {
    type Output = Self;
    /// ∂y/∂a = b, ∂y/∂b = a
    #[inline]
    #[track_caller]
    fn mul(self, b: B) -> Self {
        let (a, (b, b_id)) = (self.value, b.on(self.tape));
        self.tape.push(a * b, [b, a], [Some(self.id), b_id])
    }
}

// All other functions are lines of the tables in `pointwise`.
#[inline]
#[track_caller]
fn binary(tape: &Tape, rule: impl BinaryRule, a: impl Operand, b: impl Operand) -> Var<'_> {
    let ((a, a_id), (b, b_id)) = (a.on(tape), b.on(tape));
    let y = rule.f(a, b);
    let partials = [a_id.map_or(0.0, |_| rule.da(a, b, y)), b_id.map_or(0.0, |_| rule.db(a, b, y))];
    tape.push(y, partials, [a_id, b_id])
}

macro_rules! unary_methods {
    ($($(#[$doc:meta])* $name:ident $Rule:ident($($arg:ident = $sample:expr),*) on $range:tt,
        kinks $kinks:tt, $demand:ident: |$x:ident, $y:tt| $f:expr => $df:expr $(, |$g:ident| $pull:expr)?;)*) => {
        /// Functions of one number: a method for every line of their [table](crate::pointwise).
        #[allow(clippy::should_implement_trait)]
        impl Var<'_> {$(
            $(#[$doc])*
            #[inline]
            pub fn $name(self, $($arg: f64),*) -> Self {
                self.unary(pointwise::$Rule { $($arg),* })
            }
        )*}
    };
}
unary_table!(unary_methods);

macro_rules! binary_methods {
    ($($(#[$doc:meta])* $name:ident $Rule:ident($($arg:ident = $sample:expr),*) on $range_a:tt $range_b:tt,
        kink $kink:tt: |$a:ident, $b:ident, $y:tt| $f:expr => $da:expr, $db:expr
        $(, |$g:ident| $pull_a:expr, $pull_b:expr)?;)*) => {
        /// Functions of two numbers, of which the first is `self`. They panic if the two are on different tapes.
        #[allow(clippy::should_implement_trait)]
        impl Var<'_> {$(
            $(#[$doc])*
            #[inline]
            #[track_caller]
            pub fn $name(self, $b: impl Operand, $($arg: f64),*) -> Self {
                binary(self.tape, pointwise::$Rule { $($arg),* }, self, $b)
            }
        )*}
    };
}
binary_table!(binary_methods);

/// `−` and `/`, from their lines of the table.
macro_rules! operators {
    ($($Op:ident $op:ident),*) => {$(
        impl<B: Operand> $Op<B> for Var<'_> {
            type Output = Self;
            #[inline]
            #[track_caller]
            fn $op(self, b: B) -> Self {
                binary(self.tape, pointwise::$Op {}, self, b)
            }
        }
    )*};
}
operators!(Sub sub, Div div);

/// Operators with a number first, `2.0 * a`, and those that assign, `a += b`.
macro_rules! more_operators {
    ($($Op:ident $op:ident $OpAssign:ident $op_assign:ident;)*) => {$(
        impl<'t> $Op<Var<'t>> for f64 {
            type Output = Var<'t>;
            #[inline]
            #[track_caller]
            fn $op(self, b: Var<'t>) -> Var<'t> {
                binary(b.tape, pointwise::$Op {}, self, b)
            }
        }
        impl<B: Operand> $OpAssign<B> for Var<'_> {
            #[inline]
            #[track_caller]
            fn $op_assign(&mut self, b: B) {
                *self = $Op::$op(*self, b);
            }
        }
    )*};
}
more_operators! { Add add AddAssign add_assign; Sub sub SubAssign sub_assign; }
more_operators! { Mul mul MulAssign mul_assign; Div div DivAssign div_assign; }

impl Neg for Var<'_> {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        self.unary(pointwise::Neg {})
    }
}
