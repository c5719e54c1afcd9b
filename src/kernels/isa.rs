//! Which instruction set the kernels run on: found once, at run time, never baked into the binary.

use std::sync::atomic::{AtomicU8, Ordering};

/// An instruction set with kernels of its own, slowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Isa {
    /// Plain Rust, vectorized by the compiler for the target's baseline.
    Portable = 1,
    /// x86-64 with 256-bit vectors and fused multiply-add.
    Avx2 = 2,
    /// x86-64 with 512-bit vectors.
    Avx512 = 3,
    /// AArch64 with 128-bit vectors.
    Neon = 4,
}

static CURRENT: AtomicU8 = AtomicU8::new(0);

impl Isa {
    /// Every instruction set of this machine, slowest first.
    pub fn available() -> impl Iterator<Item = Isa> {
        [Isa::Portable, Isa::Avx2, Isa::Avx512, Isa::Neon].into_iter().filter(|isa| isa.is_available())
    }

    fn is_available(self) -> bool {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        return match self {
            Isa::Portable => true,
            Isa::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("bmi1")
                    && is_x86_feature_detected!("popcnt")
            }
            Isa::Avx512 => {
                Isa::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
            }
            Isa::Neon => false,
        };
        #[cfg(all(target_arch = "aarch64", not(miri)))]
        return match self {
            Isa::Portable => true,
            Isa::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            Isa::Avx2 | Isa::Avx512 => false,
        };
        #[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
        return self == Isa::Portable;
    }

    /// The one in use: the best available, unless `QUIETGRAD_ISA` (`portable`, `avx2`, `avx512`) or
    /// [`Isa::force`] says otherwise.
    #[inline]
    pub fn current() -> Isa {
        Isa::known().unwrap_or_else(Isa::detect)
    }

    /// The instruction set in use, if it has been found out already.
    #[inline]
    pub(super) fn known() -> Option<Isa> {
        match CURRENT.load(Ordering::Relaxed) {
            1 => Some(Isa::Portable),
            2 => Some(Isa::Avx2),
            3 => Some(Isa::Avx512),
            4 => Some(Isa::Neon),
            _ => None,
        }
    }

    #[cold]
    fn detect() -> Isa {
        let best = Isa::available().last().unwrap_or(Isa::Portable);
        let isa = match std::env::var("QUIETGRAD_ISA").as_deref() {
            Ok("portable") => Isa::Portable,
            Ok("avx2") if Isa::Avx2.is_available() => Isa::Avx2,
            _ => best,
        };
        CURRENT.store(isa as u8, Ordering::Relaxed);
        isa
    }

    /// Uses `isa` from now on, in the whole process: for tests and benchmarks.
    ///
    /// # Panics
    /// If this machine does not have it.
    pub fn force(isa: Isa) {
        assert!(isa.is_available(), "this machine has no {isa:?}");
        CURRENT.store(isa as u8, Ordering::Relaxed);
    }
}

/// Compiles a function once for AVX2 and once for the target's baseline, and calls the copy that fits the machine.
///
/// The body is plain Rust that the compiler vectorizes; generics stand in square brackets. Whatever the body calls
/// must be `#[inline(always)]`, or it would be compiled for the baseline only. One of the generics is the element type
/// and is called `T`.
///
/// A machine with AVX-512 runs the copy for AVX2: most loops wait for memory, or run seldom, and a third copy would be code
/// to compile and to carry that nobody notices. What computes much for each element is made by [`vectorize_wide`].
macro_rules! vectorize {
    ($($function:tt)*) => {
        $crate::kernels::isa::compile_copies! { [false] $($function)* }
    };
}
pub(crate) use vectorize;

/// [`vectorize`], with a copy for vectors of 512 bits besides: for exponentials and their like.
macro_rules! vectorize_wide {
    ($($function:tt)*) => {
        $crate::kernels::isa::compile_copies! { [target_arch = "x86_64"] $($function)* }
    };
}
pub(crate) use vectorize_wide;

/// What the two above expand to. In front stands the condition under which there is a copy for AVX-512.
macro_rules! compile_copies {
    (
        [$($wide:tt)*]
        $(#[$meta:meta])* $vis:vis fn $name:ident [$($generics:tt)*] ($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block
    ) => {
        $(#[$meta])*
        $vis fn $name<$($generics)*>($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body<$($generics)*>($($arg: $ty),*) $(-> $ret)? $body

            #[cfg($($wide)*)]
            #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi1,popcnt")]
            fn avx512<$($generics)*>($($arg: $ty),*) $(-> $ret)? {
                body($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,bmi1,popcnt")]
            fn avx2<$($generics)*>($($arg: $ty),*) $(-> $ret)? {
                body($($arg),*)
            }

            /// Not inlined, so that the choice below ends in a jump and needs no stack frame.
            #[inline(never)]
            fn otherwise<$($generics)*>($($arg: $ty),*) $(-> $ret)? {
                if $crate::kernels::isa::Isa::known().is_none() {
                    $crate::kernels::isa::Isa::current();
                    return $name($($arg),*);
                }
                body($($arg),*)
            }

            if !T::VECTORIZED {
                return body($($arg),*);
            }
            match $crate::kernels::isa::Isa::known() {
                #[cfg($($wide)*)]
                // SAFETY: `known` names only what this machine has.
                Some($crate::kernels::isa::Isa::Avx512) => unsafe { avx512($($arg),*) },
                #[cfg(target_arch = "x86_64")]
                #[allow(unreachable_patterns)] // of what has a copy for AVX-512
                // SAFETY: as above; where there is AVX-512, there is AVX2.
                Some($crate::kernels::isa::Isa::Avx512 | $crate::kernels::isa::Isa::Avx2) => unsafe { avx2($($arg),*) },
                _ => otherwise($($arg),*),
            }
        }
    };
}
pub(crate) use compile_copies;
