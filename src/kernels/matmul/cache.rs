//! The caches that blocks are made for.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of the first level: what most machines have at least.
pub(in crate::kernels) const L1: usize = 32 << 10;

/// Bytes of the third level, of which a thread may count on some megabytes only, for others share it.
pub(in crate::kernels) const L3: usize = 8 << 20;

/// Bytes of the second level, which differs most: this machine's on x86-64, if the processor says, else 512 KiB.
#[inline]
pub(in crate::kernels) fn l2() -> usize {
    static L2: AtomicUsize = AtomicUsize::new(0);
    match L2.load(Ordering::Relaxed) {
        0 => {
            let bytes = ask().unwrap_or(512 << 10);
            L2.store(bytes, Ordering::Relaxed);
            bytes
        }
        bytes => bytes,
    }
}

/// The processor's own answer. (Slow: a virtual machine may have to interrupt the program for it.)
#[cold]
#[allow(unused_unsafe)] // later compilers know that the instruction is safe
fn ask() -> Option<usize> {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{__cpuid, __get_cpuid_max};
        const CACHES: u32 = 0x8000_0006;
        // SAFETY: every x86-64 processor has the instruction.
        let kilobytes = unsafe {
            if __get_cpuid_max(0x8000_0000).0 < CACHES {
                return None;
            }
            __cpuid(CACHES).ecx >> 16
        };
        // A virtual machine may hide the truth.
        Some((kilobytes as usize) << 10).filter(|bytes| (128 << 10..=16 << 20).contains(bytes))
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    None
}
