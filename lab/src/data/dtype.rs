//! The kinds of numbers that files hold, and the kinds that a program asks for.

use std::fmt;

use half::{bf16, f16};

/// A kind of number in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Dtype {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    BF16,
    F32,
    F64,
}

/// Which end of a number comes first in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
}

/// A kind of number that a program asks a file for: `f32`, `f64` or a whole number.
///
/// Floats are rounded to it. Whole numbers must fit without loss: a label or an index is never silently another one.
/// Only the types listed here implement it.
pub trait Value:
    Copy + Default + PartialEq + fmt::Debug + fmt::Display + Send + Sync + 'static + Sealed
{
    /// The kind that a file of these holds.
    const DTYPE: Dtype;
}

/// What the readers and writers need of a [`Value`].
pub trait Sealed: Sized {
    #[doc(hidden)]
    fn from_float(x: f64) -> Option<Self>;
    #[doc(hidden)]
    fn from_f32(x: f32) -> Option<Self> {
        Self::from_float(f64::from(x))
    }
    #[doc(hidden)]
    fn from_whole(x: i128) -> Option<Self>;
    #[doc(hidden)]
    fn parse(text: &str) -> Option<Self>;
    #[doc(hidden)]
    fn write(self, to: &mut Vec<u8>);
}

impl Dtype {
    /// The bytes of one number.
    pub fn size(self) -> usize {
        match self {
            Dtype::Bool | Dtype::I8 | Dtype::U8 => 1,
            Dtype::I16 | Dtype::U16 | Dtype::F16 | Dtype::BF16 => 2,
            Dtype::I32 | Dtype::U32 | Dtype::F32 => 4,
            Dtype::I64 | Dtype::U64 | Dtype::F64 => 8,
        }
    }

    /// The name: `f32`, `bool`, and so on.
    pub fn name(self) -> &'static str {
        match self {
            Dtype::Bool => "bool",
            Dtype::I8 => "i8",
            Dtype::I16 => "i16",
            Dtype::I32 => "i32",
            Dtype::I64 => "i64",
            Dtype::U8 => "u8",
            Dtype::U16 => "u16",
            Dtype::U32 => "u32",
            Dtype::U64 => "u64",
            Dtype::F16 => "f16",
            Dtype::BF16 => "bf16",
            Dtype::F32 => "f32",
            Dtype::F64 => "f64",
        }
    }

    /// Appends the numbers that these bytes hold; gives the text of the first that is no `T`.
    ///
    /// `bytes` holds whole numbers of this kind, one after the other.
    pub(crate) fn decode<T: Value>(self, order: Order, bytes: &[u8], to: &mut Vec<T>) -> Result<(), String> {
        // One loop for each kind, both orders and all `T`.
        macro_rules! each {
            ($t:ty, $x:ident => $value:expr) => {
                for chunk in bytes.chunks_exact(size_of::<$t>()) {
                    let mut raw = [0; size_of::<$t>()];
                    raw.copy_from_slice(chunk);
                    let $x = match order {
                        Order::Little => <$t>::from_le_bytes(raw),
                        Order::Big => <$t>::from_be_bytes(raw),
                    };
                    let value: Option<T> = $value;
                    to.push(value.ok_or_else(|| format!("{} is no {}", $x, T::DTYPE))?);
                }
            };
        }
        match self {
            Dtype::Bool => {
                each!(u8, x => if x < 2 { T::from_whole(i128::from(x)) } else { None });
            }
            Dtype::I8 => each!(i8, x => T::from_whole(i128::from(x))),
            Dtype::I16 => each!(i16, x => T::from_whole(i128::from(x))),
            Dtype::I32 => each!(i32, x => T::from_whole(i128::from(x))),
            Dtype::I64 => each!(i64, x => T::from_whole(i128::from(x))),
            Dtype::U8 => each!(u8, x => T::from_whole(i128::from(x))),
            Dtype::U16 => each!(u16, x => T::from_whole(i128::from(x))),
            Dtype::U32 => each!(u32, x => T::from_whole(i128::from(x))),
            Dtype::U64 => each!(u64, x => T::from_whole(i128::from(x))),
            Dtype::F16 => each!(f16, x => T::from_f32(x.to_f32())),
            Dtype::BF16 => each!(bf16, x => T::from_f32(x.to_f32())),
            Dtype::F32 => each!(f32, x => T::from_f32(x)),
            Dtype::F64 => each!(f64, x => T::from_float(x)),
        }
        Ok(())
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Value for f32 {
    const DTYPE: Dtype = Dtype::F32;
}

impl Sealed for f32 {
    /// A finite number too large for `f32` is refused: it would become infinite.
    fn from_float(x: f64) -> Option<Self> {
        let y = x as f32;
        (y.is_finite() || !x.is_finite()).then_some(y)
    }

    fn from_f32(x: f32) -> Option<Self> {
        Some(x)
    }

    fn from_whole(x: i128) -> Option<Self> {
        let y = x as f32;
        (y as i128 == x).then_some(y)
    }

    fn parse(text: &str) -> Option<Self> {
        finite(text, text.parse().ok()?, f32::is_infinite)
    }

    fn write(self, to: &mut Vec<u8>) {
        to.extend(self.to_le_bytes());
    }
}

/// The number, unless the text has digits and the number is infinite: it was too large.
fn finite<T>(text: &str, number: T, is_infinite: impl Fn(T) -> bool) -> Option<T>
where
    T: Copy,
{
    let too_large = is_infinite(number) && text.bytes().any(|byte| byte.is_ascii_digit());
    (!too_large).then_some(number)
}

impl Value for f64 {
    const DTYPE: Dtype = Dtype::F64;
}

impl Sealed for f64 {
    fn from_float(x: f64) -> Option<Self> {
        Some(x)
    }

    fn from_whole(x: i128) -> Option<Self> {
        let y = x as f64;
        (y as i128 == x).then_some(y)
    }

    fn parse(text: &str) -> Option<Self> {
        finite(text, text.parse().ok()?, f64::is_infinite)
    }

    fn write(self, to: &mut Vec<u8>) {
        to.extend(self.to_le_bytes());
    }
}

macro_rules! whole {
    ($($t:ty: $dtype:ident),*) => {
        $(impl Value for $t {
            const DTYPE: Dtype = Dtype::$dtype;
        }

        impl Sealed for $t {
            fn from_float(x: f64) -> Option<Self> {
                // Up to 2^64 every whole float is a whole i128.
                (x.fract() == 0.0 && x.abs() <= 2f64.powi(64)).then_some(x as i128).and_then(Self::from_whole)
            }

            fn from_whole(x: i128) -> Option<Self> {
                x.try_into().ok()
            }

            /// Also a whole number that is written as a float.
            fn parse(text: &str) -> Option<Self> {
                text.parse().ok().or_else(|| {
                    text.parse().ok().filter(|x: &f64| x.abs() < 2f64.powi(53)).and_then(Self::from_float)
                })
            }

            fn write(self, to: &mut Vec<u8>) {
                to.extend(self.to_le_bytes());
            }
        })*
    };
}

whole!(i8: I8, i16: I16, i32: I32, i64: I64, u8: U8, u16: U16, u32: U32, u64: U64);
