//! Metrics: their formulas, and what they say of nothing, of constants and of ties.

use std::panic::catch_unwind;

use quietgrad::{Random, Tensor};
use quietgrad_lab::train::metrics::{
    Code, Confusion, ExplainedVariance, accuracy, auc, gini, hoyer, mse, r2, treves_rolls,
};

fn close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
}

/// The area by its meaning: all pairs of a positive and a negative.
fn auc_by_pairs(scores: &[f64], positive: &[bool]) -> f64 {
    let (mut right, mut pairs) = (0.0, 0.0);
    for (x, _) in scores.iter().zip(positive).filter(|(_, p)| **p) {
        for (y, _) in scores.iter().zip(positive).filter(|(_, p)| !**p) {
            pairs += 1.0;
            right += if x > y { 1.0 } else { 0.5 * f64::from(x == y) };
        }
    }
    right / pairs
}

#[test]
fn the_area_counts_pairs_and_ties_as_half() {
    let mut random = Random::new(1);
    for levels in [2, 3, 10, 1000] {
        let scores: Vec<f64> = (0..60).map(|_| random.below(levels) as f64 - 1.0).collect();
        let positive: Vec<bool> = scores.iter().map(|x| random.unit() < 0.3 + 0.1 * x.signum()).collect();
        assert_eq!(auc(&scores, &positive), auc_by_pairs(&scores, &positive), "{levels} levels");
    }
    assert_eq!(auc(&[0.0, -0.0], &[true, false]), 0.5, "−0 is 0");
    assert_eq!(auc(&[f64::INFINITY, f64::NEG_INFINITY], &[true, false]), 1.0);
    assert!(auc(&[f64::NAN, 1.0], &[true, false]).is_nan());
    assert!(auc::<f32>(&[], &[]).is_nan());
    assert!(catch_unwind(|| auc(&[1.0], &[true, false])).is_err());
}

#[test]
fn the_confusion_of_batches_is_that_of_the_whole() {
    let mut random = Random::new(2);
    let mut draw = |count| (0..count).map(|_| random.below(4)).collect::<Vec<usize>>();
    let (found, truth) = (draw(100), draw(100));
    let (mut whole, mut pieces) = (Confusion::new(4), Confusion::new(4));
    whole.add(&found, &truth);
    found.chunks(33).zip(truth.chunks(33)).for_each(|(found, truth)| pieces.add(found, truth));
    assert_eq!(whole, pieces);
    assert_eq!(whole.accuracy(), accuracy(&found, &truth));
    let table = whole.to_string();
    assert_eq!(table.lines().count(), 4);
    assert_eq!(table.split_whitespace().map(|count| count.parse::<u64>().unwrap()).sum::<u64>(), 100);
    assert!(catch_unwind(|| Confusion::new(2).add(&[2], &[0])).is_err());
    assert!(catch_unwind(|| Confusion::new(2).count(0, 2)).is_err());
}

#[test]
fn classes_that_do_not_occur_have_no_recall() {
    let mut confusion = Confusion::new(3);
    assert!(confusion.accuracy().is_nan() && confusion.balanced_accuracy().is_nan());
    confusion.add(&[0, 0, 1], &[0, 0, 0]);
    assert!(confusion.recall(2).is_nan() && confusion.precision(2).is_nan());
    assert_eq!(confusion.precision(1), 0.0);
    assert_eq!(confusion.balanced_accuracy(), confusion.recall(0));
}

#[test]
fn errors_of_numbers_at_their_edges() {
    assert!(mse::<f32>(&[], &[]).is_nan() && r2::<f32>(&[], &[]).is_nan());
    assert_eq!(r2(&[0.1f64; 10], &[0.1; 10]), 1.0);
    assert_eq!(r2(&[0.2f64; 10], &[0.1; 10]), f64::NEG_INFINITY);
    // What single precision would cancel: a variance of 1 around 10 000, a thousand times.
    let truth: Vec<f32> = (0..2000).map(|i| 1e4 + (i % 2) as f32 * 2.0).collect();
    assert_eq!(r2(&vec![10001.0f32; 2000], &truth), 0.0);
    close(r2(&truth.iter().map(|x| x + 0.5).collect::<Vec<f32>>(), &truth), 0.75, 1e-12);
}

#[test]
fn variance_is_explained_by_the_mean_of_the_whole_set() {
    let mut random = Random::new(3);
    let shift = |x: &Tensor<f64>, by: f64| x.map(|x| x + by);
    let parts: Vec<Tensor<f64>> =
        (0..5).map(|i| shift(&Tensor::randn([7, 3], &mut random), f64::from(i) + 1e6)).collect();
    let rebuilt: Vec<Tensor<f64>> = parts.iter().map(|x| x.map(|x| x + 0.1 * (x * 3.0).sin())).collect();
    let mut pieces = ExplainedVariance::new(3);
    parts.iter().zip(&rebuilt).for_each(|(x, y)| pieces.add(x, y));
    // Two passes over all of it.
    let all: Vec<&[f64]> = parts.iter().flat_map(|x| x.data().chunks(3)).collect();
    let mean = [0, 1, 2].map(|j| all.iter().map(|row| row[j]).sum::<f64>() / 35.0);
    let total: f64 = all.iter().map(|row| (0..3).map(|j| (row[j] - mean[j]).powi(2)).sum::<f64>()).sum();
    let numbers = |all: &[Tensor<f64>]| all.iter().flat_map(|x| x.data().to_vec()).collect::<Vec<f64>>();
    let left: f64 = numbers(&parts).iter().zip(numbers(&rebuilt)).map(|(x, y)| (x - y).powi(2)).sum();
    close(pieces.share(), 1.0 - left / total, 1e-9);
    assert_eq!(pieces.unexplained(), 1.0 - pieces.share());

    // Around their own means, two constant batches would have no variance at all.
    let mut jump = ExplainedVariance::new(1);
    jump.add(&Tensor::from([[0.0], [0.0]]), &Tensor::from([[1.0], [1.0]]));
    jump.add(&Tensor::from([[2.0], [2.0]]), &Tensor::from([[1.0], [1.0]]));
    assert_eq!(jump.share(), 0.0);
}

#[test]
fn variance_of_nothing_and_of_constants() {
    assert!(ExplainedVariance::new(2).share().is_nan());
    let constant = Tensor::<f64>::full([4, 2], 0.1);
    let mut explained = ExplainedVariance::new(2);
    explained.add(&constant, &constant);
    assert_eq!(explained.share(), 1.0);
    explained.add(&constant, &constant.map(|x| x + 1.0));
    assert_eq!(explained.share(), f64::NEG_INFINITY);
    let other = || ExplainedVariance::new(3).add(&Tensor::<f64>::zeros([1, 2]), &Tensor::zeros([1, 2]));
    assert!(catch_unwind(other).is_err());
}

#[test]
fn measures_of_sparseness_do_not_depend_on_scale_order_or_sign() {
    let x = [0.3, -1.2, 0.0, 2.5, 0.01, 0.0];
    for scale in [1.0, -3.0, 1e-200, 1e200] {
        let mut scaled = x.map(|x| x * scale);
        scaled.reverse();
        for measure in [hoyer::<f64>, treves_rolls, gini] {
            close(measure(&scaled), measure(&x), 1e-14);
        }
    }
    // By hand, with n = 4 and 1, 2, 3, 4: ‖x‖₁ = 10, ‖x‖₂² = 30.
    let x = [1.0, 2.0, 3.0, 4.0];
    close(hoyer(&x), 2.0 - 10.0 / 30f64.sqrt(), 1e-15);
    close(treves_rolls(&x), (1.0 - 2.5 * 2.5 / 7.5) / 0.75, 1e-15);
    close(gini(&x), 0.25, 1e-15);
}

#[test]
fn sparseness_of_zeros_and_of_nothing_is_nan() {
    for x in [&[][..], &[0.0, 0.0], &[1.0, f64::NAN], &[1.0, f64::INFINITY]] {
        for measure in [hoyer::<f64>, treves_rolls, gini] {
            assert!(measure(x).is_nan(), "of {x:?}");
        }
    }
    assert!(hoyer(&[3.0]).is_nan() && treves_rolls(&[3.0]).is_nan());
    assert_eq!(gini(&[3.0]), 0.0);
}

#[test]
fn a_code_in_batches_is_the_code_at_once() {
    let mut random = Random::new(4);
    let codes = Tensor::<f32>::randn([60, 9], &mut random).map(|x| (x - 0.5).max(0.0));
    let (mut whole, mut pieces) = (Code::new(9), Code::new(9));
    whole.add(&codes);
    for rows in (0..60).collect::<Vec<usize>>().chunks(7) {
        pieces.add(&codes.select_rows(rows));
    }
    assert_eq!(whole, pieces, "rows are added one after the other, whatever the batches");
    let rows: Vec<&[f32]> = codes.data().chunks(9).collect();
    let fired = codes.data().iter().filter(|x| **x != 0.0).count() as f64;
    close(whole.l0(), fired / 60.0, 1e-12);
    close(whole.zeros(), 1.0 - fired / 540.0, 1e-12);
    let of_rows = |measure: fn(&[f32]) -> f64| {
        let each: Vec<f64> = rows.iter().map(|row| measure(row)).filter(|x| !x.is_nan()).collect();
        each.iter().sum::<f64>() / each.len() as f64
    };
    close(whole.hoyer(), of_rows(hoyer), 1e-12);
    close(whole.population_sparseness(), of_rows(treves_rolls), 1e-12);
    close(whole.gini(), of_rows(gini), 1e-12);
    let units: Vec<Vec<f32>> = (0..9).map(|unit| rows.iter().map(|row| row[unit]).collect()).collect();
    let lifetime = units.iter().map(|unit| treves_rolls(unit)).sum::<f64>() / 9.0;
    close(whole.lifetime_sparseness(), lifetime, 1e-12);
    assert_eq!(whole.density_histogram(10).iter().sum::<u64>(), 9);
    assert!(whole.to_string().starts_with("L0 "));
}

#[test]
fn negative_activations_are_active_and_lower_the_mean() {
    let mut code = Code::new(2);
    code.add(&Tensor::from([[-1.0, 0.0], [-0.0, 3.0]]));
    assert_eq!((code.l0(), code.mean_activation()), (1.0, 0.5));
    assert!(code.dead().is_empty());
}

#[test]
fn a_code_of_nothing_and_a_dead_code() {
    let empty = Code::new(3);
    assert!(empty.l0().is_nan() && empty.zeros().is_nan() && empty.hoyer().is_nan());
    assert_eq!((empty.dead(), empty.density_histogram(2)), (vec![0, 1, 2], vec![3, 0]));
    let mut dead = Code::new(3);
    dead.add(&Tensor::<f32>::zeros([5, 3]));
    assert_eq!((dead.l0(), dead.zeros(), dead.dead().len()), (0.0, 1.0, 3));
    assert!(dead.gini().is_nan() && dead.lifetime_sparseness().is_nan());
    assert_eq!(dead.log_density_histogram(2), [3, 0, 0]);
    assert!(catch_unwind(|| Code::new(3).add(&Tensor::<f32>::zeros([5, 4]))).is_err());
}

#[test]
fn densities_fall_into_their_bins() {
    // Unit k fires for k of 10 samples.
    let mut code = Code::new(11);
    code.add(&Tensor::<f32>::from_fn([10, 11], |i| if i / 11 < i % 11 { 1.0 } else { 0.0 }));
    assert_eq!(code.density_histogram(10), [1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
    assert_eq!(code.density_histogram(1), [11]);
    assert_eq!(code.log_density_histogram(1), [1, 10]);
    assert_eq!(code.log_density_histogram(2), [1, 0, 10], "a tenth belongs to what is above it");
    assert_eq!(code.rarer_than(0.2), [0, 1]);
}
