//! All integration tests, as modules of one binary, which links once. They are named as what they test: `tests/ops/` is beside
//! `src/ops/`, `tests/scalar.rs` beside `src/scalar.rs`; `golden`, `hostile`, `architecture` and `book` look at everything.

use std::sync::{Mutex, MutexGuard, PoisonError};

use quietgrad::kernels::isa::Isa;

mod architecture;
mod book;
mod derivatives;
mod golden;
mod hostile;
mod inspect;
mod kernels;
mod nn;
mod ops;
mod optim;
mod random;
mod reg;
mod scalar;
mod tape;

/// The choice of an instruction set is process-wide: tests that change it, or compare bits, take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `test` under each instruction set of this machine, the best last.
fn on_every_isa(mut test: impl FnMut(Isa)) {
    let _turn = turn();
    for isa in Isa::available() {
        Isa::force(isa);
        test(isa);
    }
}
