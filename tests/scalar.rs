//! The scalar engine at its limits. What it computes is tested in its page of the book.

use quietgrad::scalar::Tape;

#[test]
fn ten_million_nodes_in_a_row_do_not_overflow_the_stack() {
    let tape = Tape::new();
    let x = tape.var(1.0);
    let y = (0..10_000_000).fold(x, |y, _| -y);
    assert_eq!(y.gradient()[x], 1.0);
}
