//! The gradient of the Rosenbrock function of 1000 variables, recorded and swept anew each time: with this crate's
//! scalar engine, with the crate `reverse`, and written out by hand.
//!
//! `cargo bench --bench scalar` reports the time of a whole gradient. The function takes eight operations a term
//! and has 999 terms: divide by 7992 for the time of an operation. Both tapes keep their memory from one gradient
//! to the next; `reverse` allocates its adjoints each time, because it has no other way.

use std::hint::black_box;
use std::ops::{Add, Mul, Sub};

use criterion::{Criterion, criterion_group, criterion_main};
use quietgrad::scalar;
use reverse::Gradient as _;

const N: usize = 1000;

/// f = Σ 100 (xᵢ₊₁ − xᵢ²)² + (1 − xᵢ)², for the numbers of either engine.
fn rosenbrock<V>(x: &[V]) -> V
where
    V: Copy + Add<Output = V> + Sub<Output = V> + Mul<Output = V>,
    f64: Add<V, Output = V> + Sub<V, Output = V> + Mul<V, Output = V>,
{
    let term = |a: V, b: V| {
        let (bend, offset) = (b - a * a, 1.0 - a);
        100.0 * (bend * bend) + offset * offset
    };
    let first = 0.0 + term(x[0], x[1]);
    x[1..].windows(2).fold(first, |sum, w| sum + term(w[0], w[1]))
}

/// ∂f/∂xᵢ = −400 xᵢ (xᵢ₊₁ − xᵢ²) − 2 (1 − xᵢ) + 200 (xᵢ − xᵢ₋₁²)
fn by_hand(x: &[f64], gradient: &mut [f64]) {
    gradient.fill(0.0);
    for i in 0..x.len() - 1 {
        let bend = x[i + 1] - x[i] * x[i];
        gradient[i] -= 400.0 * x[i] * bend + 2.0 * (1.0 - x[i]);
        gradient[i + 1] += 200.0 * bend;
    }
}

fn gradients(c: &mut Criterion) {
    let x: Vec<f64> = (0..N).map(|i| 1.0 + 0.1 * (0.7 * i as f64).sin()).collect();
    let mut expected = vec![0.0; N];
    by_hand(&x, &mut expected);
    let check = |gradient: &[f64]| {
        let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-12 * (1.0 + b.abs());
        assert!(gradient.iter().zip(&expected).all(close), "a wrong gradient is fast for nothing");
    };
    let mut group = c.benchmark_group("rosenbrock_1000_gradient");

    let mut tape = scalar::Tape::new();
    let mut adjoints = scalar::Gradient::default();
    let mut gradient = vec![0.0; N];
    let mut quietgrad = |gradient: &mut [f64]| {
        tape.clear();
        let vars: Vec<_> = x.iter().map(|&x| tape.var(x)).collect();
        rosenbrock(&vars).gradient_into(&mut adjoints);
        gradient.iter_mut().zip(vars).for_each(|(g, x)| *g = adjoints[x]);
    };
    quietgrad(&mut gradient);
    check(&gradient);
    group.bench_function("quietgrad", |b| b.iter(|| quietgrad(black_box(&mut gradient))));

    let tape = reverse::Tape::new();
    let reverse = || {
        tape.clear();
        let vars = tape.add_vars(&x);
        rosenbrock(&vars).grad().wrt(&vars)
    };
    check(&reverse());
    group.bench_function("reverse", |b| b.iter(|| black_box(reverse())));

    group.bench_function("by_hand", |b| b.iter(|| by_hand(black_box(&x), black_box(&mut gradient))));
    group.finish();
}

criterion_group!(benches, gradients);
criterion_main!(benches);
