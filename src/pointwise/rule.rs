//! What the tables are made into: a type for every line, an enum of all of them, and a `match` over it.

use super::{
    Element, GELU_CUBE, GELU_SCALE, SELU_ALPHA, SELU_SCALE, binary_table, gelu_inner, hold, is_large, select,
    share, sign, slopes, unary_table, zero_or_nan,
};

/// Where an op's vjp reads the cotangent of its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// At every element.
    Everywhere,
    /// Only where the output is not zero: elsewhere the derivative is zero whatever the cotangent.
    Support,
}

/// A line of the unary table: a type of its own, or [`Unary`], which is any of them.
pub trait UnaryRule: Copy {
    /// f(x)
    fn f<T: Element>(self, x: T) -> T;
    /// f'(x), with y = f(x) at hand; from y alone if that is where the derivative needs the cotangent of the output.
    fn df<T: Element>(self, x: T, y: T) -> T;
    /// gy f'(x): what a cotangent of the output becomes. A function that demands its support *selects*, because gy is
    /// unspecified off it.
    fn pull<T: Element>(self, x: T, y: T, gy: T) -> T;
}

/// A line of the binary table: a type of its own, or [`Binary`], which is any of them.
pub trait BinaryRule: Copy {
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

/// Whether a line gives y a name.
macro_rules! is_named {
    (_) => {
        false
    };
    ($y:ident) => {
        true
    };
}

/// Whether y is 0, if the line gives it a name.
macro_rules! is_zero {
    (_) => {
        false
    };
    ($y:ident) => {
        $y == T::ZERO
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
                    if Demand::$demand == Demand::Support && is_zero!($y) {
                        return T::ZERO;
                    }
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
                match self { $(Unary::$Rule(_) => Demand::$demand,)* }
            }

            /// Whether the derivative is written in terms of y.
            pub(crate) fn uses_value(self) -> bool {
                match self { $(Unary::$Rule(_) => is_named!($y),)* }
            }
        }

        /// Makes an expression once for each line of the unary table, and computes that of the line at hand.
        macro_rules! each_unary {
            ($line:expr, $rule:ident => $body:expr) => {
                match $line { $(Unary::$Rule($rule) => $body,)* }
            };
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

            /// Whether the derivatives are written in terms of y.
            pub(crate) fn uses_value(self) -> bool {
                match self { $(Binary::$Rule(_) => is_named!($y),)* }
            }
        }

        /// Makes an expression once for each line of the binary table, and computes that of the line at hand.
        macro_rules! each_binary {
            ($line:expr, $rule:ident => $body:expr) => {
                match $line { $(Binary::$Rule($rule) => $body,)* }
            };
        }
    };
}
binary_table!(binary_rules);

pub(super) use {each_binary, each_unary};

/// Compiled once for all lines, not inlined: each of these functions holds all of the unary table.
impl UnaryRule for Unary {
    fn f<T: Element>(self, x: T) -> T {
        each_unary!(self, rule => rule.f(x))
    }
    fn df<T: Element>(self, x: T, y: T) -> T {
        each_unary!(self, rule => rule.df(x, y))
    }
    fn pull<T: Element>(self, x: T, y: T, gy: T) -> T {
        each_unary!(self, rule => rule.pull(x, y, gy))
    }
}

/// Compiled once for all lines, not inlined: each of these functions holds all of the binary table.
impl BinaryRule for Binary {
    fn f<T: Element>(self, a: T, b: T) -> T {
        each_binary!(self, rule => rule.f(a, b))
    }
    fn da<T: Element>(self, a: T, b: T, y: T) -> T {
        each_binary!(self, rule => rule.da(a, b, y))
    }
    fn db<T: Element>(self, a: T, b: T, y: T) -> T {
        each_binary!(self, rule => rule.db(a, b, y))
    }
    fn pull_a<T: Element>(self, a: T, b: T, y: T, gy: T) -> T {
        each_binary!(self, rule => rule.pull_a(a, b, y, gy))
    }
    fn pull_b<T: Element>(self, a: T, b: T, y: T, gy: T) -> T {
        each_binary!(self, rule => rule.pull_b(a, b, y, gy))
    }
}
