//! Softmax, log-softmax and log-sum-exp of rows.

use quietgrad::Element;
use quietgrad::kernels::softmax as rows;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use crate::on_every_isa;

const SHAPES: [(usize, usize); 12] = [
    (0, 3),
    (1, 1),
    (3, 10),
    (700, 1),
    (600, 2),
    (7, 31),
    (5, 32),
    (20, 33),
    (2, 512),
    (3, 513),
    (2, 1024),
    (2, 2777),
];

fn random<T: Element>(len: usize, size: f64) -> Vec<T> {
    let mut random = SmallRng::seed_from_u64(len as u64);
    (0..len).map(|_| T::from_f64(random.random_range(-size..size))).collect()
}

fn softmax<T: Element>(x: &[T], cols: usize) -> Vec<T> {
    let mut y = vec![T::from_f64(f64::NAN); x.len()];
    rows::softmax(x, cols, &mut y);
    y
}

fn log_softmax<T: Element>(x: &[T], cols: usize) -> Vec<T> {
    let mut y = vec![T::from_f64(f64::NAN); x.len()];
    rows::log_softmax(x, cols, &mut y);
    y
}

fn log_sum_exp<T: Element>(x: &[T], cols: usize) -> Vec<T> {
    let mut y = vec![T::from_f64(f64::NAN); x.len() / cols];
    rows::log_sum_exp(x, cols, &mut y);
    y
}

#[test]
fn rows_agree_with_the_formulas() {
    for (rows, cols) in SHAPES {
        let x = random::<f64>(rows * cols, 10.0);
        let (soft, log_soft, log_sum) = (softmax(&x, cols), log_softmax(&x, cols), log_sum_exp(&x, cols));
        for row in 0..rows {
            let sum: f64 = x[row * cols..][..cols].iter().map(|x| x.exp()).sum();
            approx::assert_relative_eq!(log_sum[row], sum.ln(), epsilon = 1e-13, max_relative = 1e-13);
            for i in row * cols..(row + 1) * cols {
                approx::assert_relative_eq!(soft[i], x[i].exp() / sum, max_relative = 1e-13);
                approx::assert_relative_eq!(
                    log_soft[i],
                    x[i] - sum.ln(),
                    epsilon = 1e-13,
                    max_relative = 1e-13
                );
            }
        }
    }
}

/// All three of every shape, as bits.
fn bits<T: Element>() -> Vec<u64> {
    let results = SHAPES.into_iter().flat_map(|(rows, cols)| {
        let x = random::<T>(rows * cols, 30.0);
        [softmax(&x, cols), log_softmax(&x, cols), log_sum_exp(&x, cols)].concat()
    });
    results.map(|y| y.to_f64().to_bits()).collect()
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    let mut seen = Vec::new();
    on_every_isa(|_| seen.push((bits::<f32>(), bits::<f64>())));
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_row_does_not_depend_on_its_neighbours() {
    for (_, cols) in SHAPES {
        let x = random::<f32>(5 * cols, 4.0);
        let (soft, log_soft) = (softmax(&x, cols), log_softmax(&x, cols));
        for row in (0..5).map(|row| row * cols..(row + 1) * cols) {
            assert_eq!(soft[row.clone()], softmax(&x[row.clone()], cols));
            assert_eq!(log_soft[row.clone()], log_softmax(&x[row], cols));
        }
    }
}

#[test]
fn large_logits_do_not_overflow() {
    let x = [1000.0f32, 1000.0, -1000.0];
    assert_eq!(softmax(&x, 3), [0.5, 0.5, 0.0]);
    assert_eq!(log_softmax(&x, 3), [-2f32.ln(), -2f32.ln(), -2000.0 - 2f32.ln()]);
    assert_eq!(log_sum_exp(&x, 3), [1000.0 + 2f32.ln()]);
}

#[test]
fn infinite_logits_are_certain_or_impossible() {
    let inf = f64::INFINITY;
    assert_eq!(softmax(&[0.0, -inf, 0.0], 3), [0.5, 0.0, 0.5]);
    assert_eq!(log_softmax(&[0.0, -inf], 2), [0.0, -inf]);
    assert_eq!(log_sum_exp(&[-inf, -inf, inf, 0.0], 2), [-inf, inf]);
    assert!(softmax(&[-inf, -inf], 2).iter().all(|y| y.is_nan()));
}

#[test]
fn nan_spoils_its_own_row_only() {
    for place in [0, 1, 40] {
        let mut x = vec![1.0f32; 2 * 41];
        x[place] = f32::NAN;
        for y in [softmax(&x, 41), log_softmax(&x, 41)] {
            assert!(y[..41].iter().all(|y| y.is_nan()) && y[41..].iter().all(|y| y.is_finite()));
        }
        assert!(log_sum_exp(&x, 41)[0].is_nan());
    }
}

#[test]
fn an_empty_row_sums_to_minus_infinity() {
    let mut y = [0.0; 2];
    rows::log_sum_exp::<f64>(&[], 0, &mut y);
    assert_eq!(y, [f64::NEG_INFINITY; 2]);
}

#[test]
#[should_panic(expected = "7 elements are not rows of 3")]
fn a_broken_row_is_refused() {
    softmax(&[0.0; 7], 3);
}
