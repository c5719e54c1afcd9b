//! The scalar engine at its limits. What it computes is tested in its page of the book.

use quietgrad::scalar::Tape;

#[test]
fn ten_million_nodes_in_a_row_do_not_overflow_the_stack() {
    let tape = Tape::new();
    let x = tape.var(1.0);
    let y = (0..10_000_000).fold(x, |y, _| -y);
    assert_eq!(y.gradient()[x], 1.0);
}

#[test]
fn the_operators_written_by_hand_are_the_lines_of_the_table() {
    let tape = Tape::new();
    for (a, b) in [(2.0, -3.5), (0.0, 1e300), (f64::INFINITY, 0.25)] {
        let (a, b) = (tape.var(a), tape.var(b));
        for (by_hand, of_the_table) in
            [(a + b, a.add(b)), (a * b, a.mul(b)), (a + 2.0, a.add(2.0)), (a * 2.0, a.mul(2.0))]
        {
            assert_eq!(by_hand.value().to_bits(), of_the_table.value().to_bits());
            let [by_hand, of_the_table] = [by_hand, of_the_table].map(quietgrad::scalar::Var::gradient);
            assert_eq!([by_hand[a], by_hand[b]], [of_the_table[a], of_the_table[b]]);
        }
    }
}
