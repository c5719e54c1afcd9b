//! All integration tests, as modules of one binary, which links once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use quietgrad::kernels::isa::Isa;

mod architecture;
mod book;
mod chains;
mod checkpoint;
mod conv;
mod derivatives;
mod edges;
mod golden;
mod gradcheck;
mod graphs;
mod hostile;
mod kernels;
mod layers;
mod layouts;
mod math;
mod obligations;
mod operands;
mod ops;
mod optimizers;
mod penalties;
mod random;
mod recurrent;
mod resume;
mod scalar;
mod screen;
mod seeing;
mod settings;
mod softmax;
mod sparse;
mod stale;
mod sums;
mod tails;
mod tiny;
mod update;
mod vanishing;
mod zeros;

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
