//! Elementary functions of [`f32`](single) and [`f64`](double), written so that a loop over them becomes vector
//! instructions.
//!
//! Every function is straight-line code of additions, multiplications, a division at most, comparisons that select,
//! and integer work on the bits: no branch, no table, no call. A loop compiled for wide registers
//! ([`isa`](super::isa)) then works on as many elements at once as fit. (Exceptions: [`double::sin`] and
//! [`double::cos`] branch to a library beyond 2²⁰, and [`double::powf`] is a library's.)
//!
//! There is no fused multiply-add either, though it would be faster where the machine has one: where it has none it
//! is a slow call. So a function gives the same bits on every instruction set, operating system and
//! architecture, NaN's payload apart.
//!
//! The largest errors, in units of the last place:
//!
//! | | `f32`, all 2³² arguments | `f64`, some eight million |
//! | --- | --- | --- |
//! | `exp` | 0.89 | 0.88 |
//! | `exp_m1` | 1.20 | 1.21 |
//! | `ln` | 0.86 | 0.80 |
//! | `ln_1p` | 0.89 | 0.80 |
//! | `tanh` | 1.33 | 1.29 |
//! | `sigmoid` | 1.66 | 1.67 |
//! | `softplus` | 1.64 | 1.62 |
//! | `erf` | 1.35 | 1.29 |
//! | `sin` | 0.51 | 0.80 |
//! | `cos` | 0.51 | 0.79 |
//! | `powf` | 0.51 (sample) | a library's |
//! | `gauss`, e^(−x²) | 1.9 (sample) | |
//! | `erfcx`, e^(x²) erfc x | 7.6 (sample) | |
//!
//! `docs/numerics.md` says how they were measured.
//!
//! Limits are those of IEEE 754: NaN gives NaN, −0 stays −0 in odd functions, overflow gives ∞, and underflow goes
//! through the subnormal numbers to 0; but in `exp`, and what is made of it (`sigmoid`, `softplus`, `gauss`), a result
//! below the smallest normal number is 0.

pub mod double;
pub mod single;
mod trigonometric;
