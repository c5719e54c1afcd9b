//! What the tables are made into: a type for every line, an enum of all of them, and the functions of their slopes.

use super::{
    Element, GELU_CUBE, GELU_SCALE, SELU_ALPHA, SELU_SCALE, binary_table, gelu_inner, hold, is_large, select,
    share, sign, slopes, unary_table, zero_or_nan,
};
use crate::kernels::Each;

/// Where an op's vjp reads the cotangent of its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// At every element.
    Everywhere,
    /// Only where the output is not zero: elsewhere the derivative is zero whatever the cotangent.
    Support,
}

/// One line of the unary table.
pub trait UnaryRule: Copy {
    /// Where the derivative needs the cotangent of the output.
    const DEMAND: Demand;
    /// Whether the derivative is written in terms of y.
    const USES_VALUE: bool;
    /// f(x)
    fn f<T: Element>(self, x: T) -> T;
    /// f'(x), with y = f(x) at hand; from y alone if that is where the derivative needs the cotangent of the output.
    fn df<T: Element>(self, x: T, y: T) -> T;
    /// gy f'(x): what a cotangent of the output becomes.
    fn pull<T: Element>(self, x: T, y: T, gy: T) -> T;
}

/// One line of the binary table.
pub trait BinaryRule: Copy {
    /// Whether the derivatives are written in terms of y.
    const USES_VALUE: bool;
    /// f(a, b)
    fn f<T: Element>(self, a: T, b: T) -> T;
    /// ∂f/∂a, with y = f(a, b) at hand.
    fn da<T: Element>(self, a: T, b: T, y: T) -> T;
    /// ∂f/∂b, with y = f(a, b) at hand.
    fn db<T: Element>(self, a: T, b: T, y: T) -> T;
    /// gy ∂f/∂a
    fn pull_a<T: Element>(self, a: T, b: T, y: T, gy: T) -> T;
    /// gy ∂f/∂b
    fn pull_b<T: Element>(self, a: T, b: T, y: T, gy: T) -> T;
}

/// Something to be done with a line of the unary table, compiled once for each line.
pub trait UnaryVisitor {
    /// What comes back.
    type Output;
    /// Does it.
    fn visit<R: UnaryRule>(self, rule: R) -> Self::Output;
}

/// Something to be done with a line of the binary table, compiled once for each line.
pub trait BinaryVisitor {
    /// What comes back.
    type Output;
    /// Does it.
    fn visit<R: BinaryRule>(self, rule: R) -> Self::Output;
}

/// Whether a line gives y a name.
macro_rules! is_named {
    (_) => {
        false
    };
    ($y:ident) => {
        true
    };
}

/// A cotangent times a slope, unless the line says how else the two are joined.
macro_rules! pulled {
    ($gy:ident, $slope:expr) => {
        $gy * $slope
    };
    ($gy:ident, $slope:expr, $g:ident, $pull:expr) => {{
        let $g = $gy;
        $pull
    }};
}

macro_rules! unary_rules {
    ($($(#[$doc:meta])* $name:ident $Rule:ident($($arg:ident = $sample:expr),*) on ($lo:expr, $hi:expr),
        kinks [$($kink:expr),*], $demand:ident: |$x:ident, $y:tt| $f:expr => $df:expr $(, |$g:ident| $pull:expr)?;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $Rule {
                $(#[allow(missing_docs)] pub $arg: f64,)*
            }

            /// By the bits of its constants: 0 and −0 are two, and NaN is itself.
            impl PartialEq for $Rule {
                #[inline]
                #[allow(unused_variables)]
                fn eq(&self, other: &Self) -> bool {
                    true $(&& self.$arg.to_bits() == other.$arg.to_bits())*
                }
            }

            impl UnaryRule for $Rule {
                const DEMAND: Demand = Demand::$demand;
                const USES_VALUE: bool = is_named!($y);
                #[inline(always)]
                fn f<T: Element>(self, $x: T) -> T {
                    $(let $arg = T::from_f64(self.$arg);)*
                    $f
                }
                #[inline(always)]
                #[allow(unused_variables)]
                fn df<T: Element>(self, $x: T, $y: T) -> T {
                    $(let $arg = T::from_f64(self.$arg);)*
                    $df
                }
                #[inline(always)]
                #[allow(unused_variables)]
                fn pull<T: Element>(self, $x: T, $y: T, gy: T) -> T {
                    $(let $arg = T::from_f64(self.$arg);)*
                    pulled!(gy, $df $(, $g, $pull)?)
                }
            }
        )*

        /// An elementwise function of one argument: a line of the table, as data.
        #[derive(Clone, Copy, PartialEq, Debug)]
        pub enum Unary {
            $($(#[$doc])* $Rule($Rule),)*
        }

        impl Unary {
            /// Every line, with the parameters to test it with.
            pub fn all() -> Vec<Unary> {
                vec![$(Unary::$Rule($Rule { $($arg: $sample),* }),)*]
            }

            /// The function's name, as its method is called.
            pub fn name(self) -> &'static str {
                match self { $(Unary::$Rule(_) => stringify!($name),)* }
            }

            /// Its constants, separated by spaces.
            pub fn arguments(self) -> String {
                let constants: Vec<String> = match self {
                    $(Unary::$Rule($Rule { $($arg),* }) => vec![$($arg.to_string()),*],)*
                };
                constants.join(" ")
            }

            /// An interval inside its domain.
            pub fn range(self) -> (f64, f64) {
                match self { $(Unary::$Rule(_) => ($lo, $hi),)* }
            }

            /// Where the derivative jumps.
            #[allow(unused_variables)]
            pub fn kinks(self) -> Vec<f64> {
                match self { $(Unary::$Rule($Rule { $($arg),* }) => vec![$($kink),*],)* }
            }

            /// Where the derivative needs the cotangent of the output.
            pub fn demand(self) -> Demand {
                match self { $(Unary::$Rule(_) => $Rule::DEMAND,)* }
            }

            /// f(0)
            pub fn at_zero(self) -> f64 {
                match self { $(Unary::$Rule(rule) => rule.f(0.0),)* }
            }

            /// Hands the line to a visitor.
            #[inline]
            pub fn accept<V: UnaryVisitor>(self, visitor: V) -> V::Output {
                match self { $(Unary::$Rule(rule) => visitor.visit(rule),)* }
            }
        }
    };
}
unary_table!(unary_rules);

macro_rules! binary_rules {
    ($($(#[$doc:meta])* $name:ident $Rule:ident($($arg:ident = $sample:expr),*) on $range_a:tt $range_b:tt,
        kink $kink:tt: |$a:ident, $b:ident, $y:tt| $f:expr => $da:expr, $db:expr
        $(, |$g:ident| $pull_a:expr, $pull_b:expr)?;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $Rule {
                $(#[allow(missing_docs)] pub $arg: f64,)*
            }

            /// By the bits of its constants: 0 and −0 are two, and NaN is itself.
            impl PartialEq for $Rule {
                #[inline]
                #[allow(unused_variables)]
                fn eq(&self, other: &Self) -> bool {
                    true $(&& self.$arg.to_bits() == other.$arg.to_bits())*
                }
            }

            #[allow(unused_variables)]
            impl BinaryRule for $Rule {
                const USES_VALUE: bool = is_named!($y);
                #[inline(always)]
                fn f<T: Element>(self, $a: T, $b: T) -> T {
                    $(let $arg = T::from_f64(self.$arg);)*
                    $f
                }
                #[inline(always)]
                fn da<T: Element>(self, $a: T, $b: T, $y: T) -> T {
                    $(let $arg = T::from_f64(self.$arg);)*
                    $da
                }
                #[inline(always)]
                fn db<T: Element>(self, $a: T, $b: T, $y: T) -> T {
                    $(let $arg = T::from_f64(self.$arg);)*
                    $db
                }
                #[inline(always)]
                fn pull_a<T: Element>(self, $a: T, $b: T, $y: T, gy: T) -> T {
                    $(let $arg = T::from_f64(self.$arg);)*
                    pulled!(gy, $da $(, $g, $pull_a)?)
                }
                #[inline(always)]
                fn pull_b<T: Element>(self, $a: T, $b: T, $y: T, gy: T) -> T {
                    $(let $arg = T::from_f64(self.$arg);)*
                    pulled!(gy, $db $(, $g, $pull_b)?)
                }
            }
        )*

        /// An elementwise function of two arguments: a line of the table, as data.
        #[derive(Clone, Copy, PartialEq, Debug)]
        pub enum Binary {
            $($(#[$doc])* $Rule($Rule),)*
        }

        impl Binary {
            /// Every line, with the parameters to test it with.
            pub fn all() -> Vec<Binary> {
                vec![$(Binary::$Rule($Rule { $($arg: $sample),* }),)*]
            }

            /// The function's name, as its method is called.
            pub fn name(self) -> &'static str {
                match self { $(Binary::$Rule(_) => stringify!($name),)* }
            }

            /// Its constants, separated by spaces.
            pub fn arguments(self) -> String {
                let constants: Vec<String> = match self {
                    $(Binary::$Rule($Rule { $($arg),* }) => vec![$($arg.to_string()),*],)*
                };
                constants.join(" ")
            }

            /// An interval for each argument inside its domain.
            pub fn ranges(self) -> [(f64, f64); 2] {
                match self { $(Binary::$Rule(_) => [$range_a, $range_b],)* }
            }

            /// An expression that changes sign where the derivative jumps.
            #[allow(unused_variables)]
            pub fn kink(self, a: f64, b: f64) -> f64 {
                /// The table's formulas are written for any element.
                type T = f64;
                match self { $(Binary::$Rule($Rule { $($arg),* }) => { let ($a, $b) = (a, b); $kink })* }
            }

            /// Hands the line to a visitor.
            #[inline]
            pub fn accept<V: BinaryVisitor>(self, visitor: V) -> V::Output {
                match self { $(Binary::$Rule(rule) => visitor.visit(rule),)* }
            }
        }
    };
}
binary_table!(binary_rules);

/// `[x] -> f(x)`
#[derive(Clone, Copy)]
pub(crate) struct Value<R>(pub R);

impl<T: Element, R: UnaryRule> Each<T, 1> for Value<R> {
    #[inline(always)]
    fn at(self, [x]: [T; 1]) -> T {
        self.0.f(x)
    }
}

impl<T: Element, R: BinaryRule> Each<T, 2> for Value<R> {
    #[inline(always)]
    fn at(self, [a, b]: [T; 2]) -> T {
        self.0.f(a, b)
    }
}

/// `[x, y, gy] -> gy f'(x, y)`; a function that demands its support *selects*, because gy is unspecified off it.
#[derive(Clone, Copy)]
pub(crate) struct Slope<R>(pub R);

impl<T: Element, R: UnaryRule> Each<T, 3> for Slope<R> {
    #[inline(always)]
    fn at(self, [x, y, gy]: [T; 3]) -> T {
        if R::DEMAND == Demand::Support && y == T::ZERO { T::ZERO } else { self.0.pull(x, y, gy) }
    }
}

/// `[a, b, y, gy] -> gy ∂f/∂a`
#[derive(Clone, Copy)]
pub(crate) struct SlopeA<R>(pub R);

impl<T: Element, R: BinaryRule> Each<T, 4> for SlopeA<R> {
    #[inline(always)]
    fn at(self, [a, b, y, gy]: [T; 4]) -> T {
        self.0.pull_a(a, b, y, gy)
    }
}

/// `[a, b, y, gy] -> gy ∂f/∂b`
#[derive(Clone, Copy)]
pub(crate) struct SlopeB<R>(pub R);

impl<T: Element, R: BinaryRule> Each<T, 4> for SlopeB<R> {
    #[inline(always)]
    fn at(self, [a, b, y, gy]: [T; 4]) -> T {
        self.0.pull_b(a, b, y, gy)
    }
}

/// `[x] -> g f'(x)`, for one cotangent g of all elements.
#[derive(Clone, Copy)]
pub(crate) struct Pull<R, T>(pub R, pub T);

impl<T: Element, R: UnaryRule> Each<T, 1> for Pull<R, T> {
    #[inline(always)]
    fn at(self, [x]: [T; 1]) -> T {
        let Pull(rule, g) = self;
        Slope(rule).at([x, if R::USES_VALUE { rule.f(x) } else { T::ONE }, g])
    }
}

/// `[a, b] -> g ∂f/∂a`
#[derive(Clone, Copy)]
pub(crate) struct PullA<R, T>(pub R, pub T);

impl<T: Element, R: BinaryRule> Each<T, 2> for PullA<R, T> {
    #[inline(always)]
    fn at(self, [a, b]: [T; 2]) -> T {
        let PullA(rule, g) = self;
        SlopeA(rule).at([a, b, if R::USES_VALUE { rule.f(a, b) } else { T::ONE }, g])
    }
}

/// `[a, b] -> g ∂f/∂b`
#[derive(Clone, Copy)]
pub(crate) struct PullB<R, T>(pub R, pub T);

impl<T: Element, R: BinaryRule> Each<T, 2> for PullB<R, T> {
    #[inline(always)]
    fn at(self, [a, b]: [T; 2]) -> T {
        let PullB(rule, g) = self;
        SlopeB(rule).at([a, b, if R::USES_VALUE { rule.f(a, b) } else { T::ONE }, g])
    }
}
