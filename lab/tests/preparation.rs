//! Data made ready: scaled, split, put into batches.

use quietgrad::{Random, Tensor};
use quietgrad_lab::data::scale::{Scaler, Statistics, Unfit};
use quietgrad_lab::data::split::{
    Batches, Fold, Split, k_folds, split, stratified_k_folds, stratified_split,
};
use tempfile::tempdir;

/// Rows whose columns are mixtures of three normal numbers, around means far from 0.
fn mixed(rows: usize, seed: u64) -> Tensor<f64> {
    let mut random = Random::new(seed);
    let mut data = Vec::new();
    for _ in 0..rows {
        let [a, b, c] = [random.normal(), random.normal(), random.normal()];
        data.extend([1000.0 + a, 3.0 * a + b - 5.0, 0.01 * c, 7.0]);
    }
    Tensor::new([rows, 4], data).unwrap()
}

fn column(x: &Tensor<f64>, column: usize) -> Vec<f64> {
    x.rows().map(|row| row[column]).collect()
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

fn covariance(a: &[f64], b: &[f64]) -> f64 {
    let (ma, mb) = (mean(a), mean(b));
    mean(&a.iter().zip(b).map(|(a, b)| (a - ma) * (b - mb)).collect::<Vec<_>>())
}

fn close(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance, "{a} and {b} differ by more than {tolerance}");
}

#[test]
fn standardized_columns_have_mean_0_and_variance_1() {
    let train = mixed(400, 1);
    let scaler = Scaler::standardize(&train).unwrap();
    let scaled = scaler.apply(&train);
    for i in 0..3 {
        let x = column(&scaled, i);
        close(mean(&x), 0.0, 1e-12);
        close(covariance(&x, &x), 1.0, 1e-12);
    }
    assert!(column(&scaled, 3).iter().all(|&x| x == 0.0));
    assert_eq!(scaler.constant(), [3]);
    let names = ["a", "b", "c", "always 7"].map(String::from);
    assert_eq!(scaler.constant_among(&names), ["always 7"]);
}

#[test]
fn a_constant_column_is_not_magnified_in_other_rows() {
    // 0.1 three times: the mean in floating point is not 0.1, and the variance not 0.
    let train = Tensor::from([[0.1], [0.1], [0.1]]);
    for scaler in [
        Scaler::standardize(&train).unwrap(),
        Scaler::standardize_globally(&train).unwrap(),
        Scaler::min_max(&train).unwrap(),
        Scaler::whiten(&train, 0.0).unwrap(),
    ] {
        assert_eq!(scaler.apply(&train), Tensor::zeros([3, 1]));
        close(scaler.apply(&Tensor::from([[0.6]])).item(), 0.5, 1e-15);
        assert_eq!(scaler.constant(), [0]);
    }
}

#[test]
fn one_global_scale_keeps_how_the_columns_vary_beside_each_other() {
    let train = mixed(400, 1);
    let scaled = Scaler::standardize_globally(&train).unwrap().apply(&train);
    let variance = |x: &Tensor<f64>, i| covariance(&column(x, i), &column(x, i));
    close((0..4).map(|i| variance(&scaled, i)).sum::<f64>() / 4.0, 1.0, 1e-12);
    close(variance(&scaled, 1) / variance(&scaled, 0), variance(&train, 1) / variance(&train, 0), 1e-8);
    close(mean(&column(&scaled, 0)), 0.0, 1e-12);
}

#[test]
fn min_max_reaches_from_0_to_1() {
    let train = mixed(400, 1);
    let scaled = Scaler::min_max(&train).unwrap().apply(&train);
    for i in 0..3 {
        let x = column(&scaled, i);
        assert_eq!(x.iter().copied().fold(f64::INFINITY, f64::min), 0.0);
        close(x.iter().copied().fold(f64::NEG_INFINITY, f64::max), 1.0, 1e-15);
    }
}

#[test]
fn one_global_min_max_reaches_from_0_to_1_over_all_columns() {
    let train = mixed(400, 1);
    let scaler = Scaler::min_max_globally(&train).unwrap();
    let scaled = scaler.apply(&train);
    let extremes = |x: &Tensor<f64>| {
        x.data().iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &x| (a.min(x), b.max(x)))
    };
    let (low, high) = extremes(&train);
    assert_eq!(extremes(&scaled).0, 0.0);
    close(extremes(&scaled).1, 1.0, 1e-15);
    close(column(&scaled, 1)[7], (column(&train, 1)[7] - low) / (high - low), 1e-15);
    assert_eq!(scaler.constant(), [3], "constant columns are named all the same");
    let constant = Scaler::min_max_globally(&Tensor::<f64>::full([2, 2], 3.0)).unwrap();
    assert_eq!(constant.apply(&Tensor::full([1, 2], 3.5)), Tensor::full([1, 2], 0.5));
}

#[test]
fn whitened_columns_are_uncorrelated_and_of_variance_1() {
    let train = mixed(400, 1);
    let scaled = Scaler::whiten(&train, 0.0).unwrap().apply(&train);
    for i in 0..3 {
        for j in 0..3 {
            close(covariance(&column(&scaled, i), &column(&scaled, j)), f64::from(u8::from(i == j)), 1e-9);
        }
    }
    assert!(column(&scaled, 3).iter().all(|&x| x.abs() < 1e-9));
    // With epsilon, what varies little stays small.
    let scaled = Scaler::whiten(&train, 0.1).unwrap().apply(&train);
    let x = column(&scaled, 2);
    let variance = covariance(&column(&train, 2), &column(&train, 2));
    close(covariance(&x, &x), variance / (variance + 0.1), 1e-4);
}

#[test]
fn scaling_is_undone() {
    let (train, test) = (mixed(100, 1), mixed(50, 2));
    for scaler in [
        Scaler::standardize(&train).unwrap(),
        Scaler::standardize_globally(&train).unwrap(),
        Scaler::min_max(&train).unwrap(),
        Scaler::min_max_globally(&train).unwrap(),
        Scaler::whiten(&train, 0.01).unwrap(),
    ] {
        let back = scaler.undo(&scaler.apply(&test));
        back.data().iter().zip(test.data()).for_each(|(a, b)| close(*a, *b, 1e-9));
    }
}

#[test]
fn statistics_gathered_in_pieces_are_those_of_the_whole() {
    let train = mixed(100, 1);
    let mut pieces = Statistics::with_covariance(4);
    for rows in (0..100).collect::<Vec<_>>().chunks(7) {
        pieces.add(&train.select_rows(rows)).unwrap();
    }
    assert_eq!(pieces.standardize(), Scaler::standardize(&train).unwrap());
    assert_eq!(pieces.whiten(0.1), Scaler::whiten(&train, 0.1).unwrap());
    for (i, variance) in pieces.variance().into_iter().enumerate() {
        let x = column(&train, i);
        close(variance, covariance(&x, &x), 1e-12);
    }
}

#[test]
fn saved_statistics_scale_to_equal_bits() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("scaler.safetensors");
    let train = mixed(100, 1);
    for scaler in [Scaler::min_max(&train).unwrap(), Scaler::whiten(&train, 0.01).unwrap()] {
        scaler.save(&path).unwrap();
        assert_eq!(Scaler::load(&path).unwrap(), scaler);
    }
    std::fs::write(&path, "no scaler").unwrap();
    assert!(Scaler::load(&path).is_err());
}

#[test]
fn data_that_no_statistics_can_be_made_of_are_refused() {
    assert_eq!(Scaler::standardize(&Tensor::<f32>::zeros([0, 2])), Err(Unfit::Empty));
    for bad in [f32::NAN, f32::INFINITY] {
        let train = Tensor::from([[1.0, 2.0], [3.0, bad]]);
        assert_eq!(Scaler::min_max(&train), Err(Unfit::NotFinite { row: 1, column: 1 }));
    }
}

fn assert_parts(parts: &Split, rows: usize) {
    let mut all = [&parts.train[..], &parts.validation, &parts.test].concat();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..rows));
}

#[test]
fn every_row_is_in_one_part_and_parts_have_their_shares() {
    for (rows, validation, test) in [(100, 0.1, 0.2), (10, 0.0, 0.25), (3, 0.3, 0.3), (1797, 0.15, 0.15)] {
        let classes: Vec<usize> = (0..rows).map(|row| row % 3).collect();
        for parts in [split(rows, validation, test, 5), stratified_split(&classes, validation, test, 5)] {
            assert_parts(&parts, rows);
            let wanted = [validation, test].map(|share: f64| (share * rows as f64).round() as usize);
            assert_eq!([parts.validation.len(), parts.test.len()], wanted);
        }
    }
    assert_eq!(split(50, 0.1, 0.1, 5), split(50, 0.1, 0.1, 5));
    assert_ne!(split(50, 0.1, 0.1, 5), split(50, 0.1, 0.1, 6));
}

#[test]
fn stratified_parts_have_each_class_in_its_share() {
    // 900 of class 0, 90 of class 1, 10 of class 2, in disorder.
    let mut classes: Vec<usize> = (0..1000).map(|i| usize::from(i < 100) + usize::from(i < 10)).collect();
    Random::new(4).shuffle(&mut classes);
    let parts = stratified_split(&classes, 0.1, 0.2, 5);
    let count = |rows: &[usize], class| rows.iter().filter(|&&row| classes[row] == class).count() as f64;
    for (class, size) in [(0, 900.0), (1, 90.0), (2, 10.0)] {
        for (part, share) in [(&parts.train, 0.7), (&parts.validation, 0.1), (&parts.test, 0.2)] {
            close(count(part, class), share * size, 1.0);
        }
    }
}

#[test]
fn each_row_is_held_out_once_and_classes_are_spread_evenly() {
    let classes: Vec<usize> = (0..103).map(|row| usize::from(row < 12)).collect();
    let check = |folds: &[Fold]| {
        let mut held_out: Vec<usize> = folds.iter().flat_map(|fold| fold.held_out.clone()).collect();
        held_out.sort_unstable();
        assert!(held_out.into_iter().eq(0..103));
        for fold in folds {
            assert_eq!(fold.train.len() + fold.held_out.len(), 103);
            assert!(fold.held_out.iter().all(|row| !fold.train.contains(row)));
            assert!([20, 21].contains(&fold.held_out.len()));
        }
    };
    check(&k_folds(103, 5, 1));
    let folds = stratified_k_folds(&classes, 5, 1);
    check(&folds);
    for fold in &folds {
        let rare = fold.held_out.iter().filter(|&&row| classes[row] == 1).count();
        assert!([2, 3].contains(&rare));
    }
}

#[test]
fn every_row_comes_once_an_epoch() {
    let batches = Batches::new(103, 20, 1);
    assert_eq!(batches.count(), 6);
    for number in 0..3 {
        let epoch = batches.epoch(number);
        assert_eq!(epoch.batches().map(<[usize]>::len).collect::<Vec<_>>(), [20, 20, 20, 20, 20, 3]);
        let mut all: Vec<usize> = epoch.batches().flatten().copied().collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..103));
    }
    assert_ne!(batches.epoch(0), Batches::new(103, 20, 2).epoch(0));
}

#[test]
#[should_panic(expected = "an epoch without a step")]
fn an_epoch_without_a_step_is_an_error() {
    Batches::new(0, 20, 1);
}

#[test]
#[should_panic(expected = "nothing is left of 3 rows for training")]
fn a_split_that_leaves_nothing_for_training_is_an_error() {
    split(3, 0.45, 0.5, 1);
}
