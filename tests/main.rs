//! All integration tests, as modules of one binary, which links once.

use std::sync::{Mutex, PoisonError};

use quietgrad::kernels::isa::Isa;

mod architecture;
mod derivatives;
mod golden;
mod gradcheck;
mod kernels;
mod math;
mod operands;
mod ops;
mod optimizers;
mod penalties;
mod random;
mod scalar;
mod screen;
mod seeing;
mod softmax;
mod sparse;
mod stale;
mod sums;
mod update;
mod vanishing;
mod zeros;

/// Runs `test` under each instruction set of this machine, the best last. The choice is process-wide, so such tests
/// take turns.
fn on_every_isa(mut test: impl FnMut(Isa)) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for isa in Isa::available() {
        Isa::force(isa);
        test(isa);
    }
}
