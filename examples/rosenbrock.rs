//! Walks down the Rosenbrock valley: a narrow, bent gorge with its lowest point at (1, 1, …, 1), on which the
//! steepest descent alone would zigzag for many thousand steps.
//!
//! `cargo run --release --example rosenbrock`

use std::collections::VecDeque;

use quietgrad::scalar::{Gradient, Tape, Var};

const DIMENSIONS: usize = 10;
const REMEMBERED_STEPS: usize = 6;

/// Σ 100 (xᵢ₊₁ − xᵢ²)² + (1 − xᵢ)²
fn rosenbrock<'t>(x: &[Var<'t>]) -> Var<'t> {
    let term = |w: &[Var<'t>]| 100.0 * (w[1] - w[0].square()).square() + (1.0 - w[0]).square();
    x.windows(2).map(term).reduce(|sum, term| sum + term).expect("two variables or more")
}

fn main() {
    let mut tape = Tape::new();
    let mut memory = Gradient::default();
    let mut height_and_slope = |x: &[f64]| {
        tape.clear();
        let vars: Vec<_> = x.iter().map(|&x| tape.var(x)).collect();
        let height = rosenbrock(&vars);
        height.gradient_into(&mut memory);
        (height.value(), vars.iter().map(|&x| memory[x]).collect::<Vec<f64>>())
    };

    let mut x: Vec<f64> = (0..DIMENSIONS).map(|i| if i % 2 == 0 { -1.2 } else { 1.0 }).collect();
    let (mut height, mut slope) = height_and_slope(&x);
    let mut steps = VecDeque::new();
    println!("{:>4} {:>10} {:>10}   x", "step", "f(x)", "|gradient|");

    for step in 0.. {
        if step % 5 == 0 || norm(&slope) < 1e-9 {
            println!(
                "{step:4} {height:10.1e} {:10.1e}   {:.3} … {:.3}",
                norm(&slope),
                x[0],
                x[DIMENSIONS - 1]
            );
        }
        if norm(&slope) < 1e-9 {
            break;
        }
        let direction = quasi_newton(&slope, &steps);
        // Halve the step until it descends at least a little of what the slope promises (Armijo's rule).
        let promise = dot(&slope, &direction);
        let mut stride = 1.0;
        let (next, next_height, next_slope) = loop {
            let next: Vec<f64> = x.iter().zip(&direction).map(|(x, d)| x + stride * d).collect();
            let (next_height, next_slope) = height_and_slope(&next);
            if next_height <= height + 1e-4 * stride * promise {
                break (next, next_height, next_slope);
            }
            stride /= 2.0;
        };
        let (moved, turned) = (difference(&next, &x), difference(&next_slope, &slope));
        if dot(&moved, &turned) > 0.0 {
            steps.push_front((moved, turned));
            steps.truncate(REMEMBERED_STEPS);
        }
        (x, height, slope) = (next, next_height, next_slope);
    }
}

/// Downhill, corrected by the curvature that the remembered steps reveal: the two-loop recursion of L-BFGS
/// (Nocedal and Wright, Numerical Optimization, algorithm 7.4).
fn quasi_newton(slope: &[f64], steps: &VecDeque<(Vec<f64>, Vec<f64>)>) -> Vec<f64> {
    let mut direction: Vec<f64> = slope.iter().map(|g| -g).collect();
    let mut shares = Vec::new();
    for (moved, turned) in steps {
        let share = dot(moved, &direction) / dot(moved, turned);
        add(&mut direction, -share, turned);
        shares.push(share);
    }
    let scale =
        steps.front().map_or(1.0 / norm(slope), |(moved, turned)| dot(moved, turned) / dot(turned, turned));
    direction.iter_mut().for_each(|d| *d *= scale);
    for ((moved, turned), share) in steps.iter().zip(shares).rev() {
        let correction = share - dot(turned, &direction) / dot(moved, turned);
        add(&mut direction, correction, moved);
    }
    direction
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn add(to: &mut [f64], factor: f64, a: &[f64]) {
    to.iter_mut().zip(a).for_each(|(to, a)| *to += factor * a);
}
