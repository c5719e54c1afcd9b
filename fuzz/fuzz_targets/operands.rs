//! Operands of any size for the public products: see `tests/hostile/operands.rs`.
//!
//! `cargo fuzz run operands` from the repository's root; with a stable compiler, `RUSTC_BOOTSTRAP=1` before it.
#![no_main]

#[path = "../../tests/hostile/operands.rs"]
mod operands;

use std::panic::{AssertUnwindSafe, catch_unwind};

use libfuzzer_sys::fuzz_target;

fuzz_target!(
    init: {
        // A refusal is a panic that is caught, and no crash: libFuzzer's hook would abort.
        std::panic::set_hook(Box::new(|_| {}));
    },
    |bytes: &[u8]| {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| operands::call(bytes))) {
            eprintln!("{}", panic.downcast_ref::<String>().map_or("a panic", String::as_str));
            std::process::abort();
        }
    }
);
