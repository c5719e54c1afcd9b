//! Repeated runs, and what is said of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use quietgrad::Random;
use quietgrad_lab::train::statistics::{Bootstrap, bootstrap, deviation, mean, median, paired, summarize};
use quietgrad_lab::train::{in_parallel, repeat};

fn close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
}

fn normals(seed: u64, count: usize) -> Vec<f64> {
    let mut random = Random::new(seed);
    (0..count).map(|_| random.normal()).collect()
}

#[test]
fn runs_in_parallel_have_the_bits_of_serial_ones() {
    let run = |seed: u64| normals(seed, 1000).iter().sum::<f64>().to_bits();
    let serial = repeat(0..50, 1, run);
    for threads in [0, 2, 3, 64] {
        assert_eq!(repeat(0..50, threads, run), serial, "{threads} threads");
    }
    assert!(repeat(0..0, 4, run).is_empty());
}

#[test]
fn every_item_is_worked_on_once() {
    let calls = AtomicUsize::new(0);
    let doubled = in_parallel(&[1, 2, 3, 4, 5, 6, 7], 3, |x| {
        calls.fetch_add(1, Ordering::Relaxed);
        2 * x
    });
    assert_eq!(doubled, [2, 4, 6, 8, 10, 12, 14]);
    assert_eq!(calls.into_inner(), 7);
}

#[test]
fn a_run_that_panics_panics_at_the_caller_and_stops_the_rest() {
    let begun = AtomicUsize::new(0);
    let run = |seed| {
        begun.fetch_add(1, Ordering::Relaxed);
        assert!(seed != 0, "seed {seed} is unlucky");
        std::thread::sleep(std::time::Duration::from_millis(2));
    };
    let panic = catch_unwind(AssertUnwindSafe(|| repeat(0..1000, 2, run))).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "seed 0 is unlucky");
    assert!(begun.into_inner() < 1000, "the rest was not begun");
}

#[test]
fn failures_are_collected_by_the_caller() {
    let runs = repeat(0..10, 2, |seed| if seed % 4 == 3 { Err(seed) } else { Ok(seed) });
    assert_eq!(runs.into_iter().collect::<Result<Vec<_>, _>>(), Err(3));
}

#[test]
fn deviation_divides_by_one_less() {
    // NumPy: np.std([2, 4, 4, 4, 5, 5, 7, 9], ddof=1)
    let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
    close(deviation(&values), 2.138089935299395, 1e-15);
    assert_eq!((mean(&values), median(&values)), (5.0, 4.5));
    let summary = summarize(&values);
    assert_eq!((summary.least, summary.most, summary.count), (2.0, 9.0, 8));
}

#[test]
fn a_nan_and_nothing_are_refused() {
    for values in [&[][..], &[1.0, f64::NAN]] {
        assert!(catch_unwind(|| mean(values)).is_err());
        assert!(catch_unwind(|| summarize(values)).is_err());
        assert!(catch_unwind(|| bootstrap(values)).is_err());
        assert!(catch_unwind(|| paired(values, values)).is_err());
    }
    assert!(catch_unwind(|| paired(&[1.0, 2.0], &[1.0])).is_err());
}

#[test]
fn student_is_that_of_the_tables() {
    // The 97.5 % points of Student's distribution, from any table; differences of this t are built around their mean.
    for (freedom, point) in [
        (1, 12.706204736174698),
        (2, 4.302652729749464),
        (3, 3.182446305283708),
        (4, 2.776445105198654),
        (7, 2.364624251592784),
        (10, 2.228138851986274),
        (30, 2.042272456301238),
        (101, 1.983731),
    ] {
        let count = freedom + 1;
        let raw: Vec<f64> = (0..count).map(|i| f64::from(i * i % 7) + f64::from(i)).collect();
        let (middle, spread) = (mean(&raw), deviation(&raw));
        let wanted = point / f64::from(count).sqrt();
        let values: Vec<f64> = raw.iter().map(|x| (x - middle) / spread + wanted).collect();
        let test = paired(&values, &vec![0.0; values.len()]);
        close(test.t, point, 1e-9 * point);
        close(test.p_t, 0.05, 1e-7);
    }
}

#[test]
fn sign_flips_count_all_signs() {
    // |±1 ± 2 ± 3 ± 10| ≥ |1 + 2 − 3 + 10|: the sign of 10 may be either, and the others' sum must not have the other sign.
    let test = paired(&[1.0, 2.0, -3.0, 10.0], &[0.0; 4]);
    let sums = [6, 4, 2, 0, 0, -2, -4, -6];
    let far = 2 * sums.iter().filter(|&&sum| sum + 10 >= 10).count();
    assert_eq!(test.p_sign_flip, far as f64 / 16.0);
}

#[test]
fn sums_that_tie_but_for_rounding_count_as_ties() {
    // Exactly, 6 ± 1 ± 2 ± 3 is 6 or more for 5 of 8 signs; with tenths, rounding would lose some of them.
    let test = paired(&[0.1, 0.2, -0.3, 0.6], &[0.0; 4]);
    assert_eq!(test.p_sign_flip, 10.0 / 16.0);
}

#[test]
fn drawn_signs_agree_with_student_on_many_normal_pairs() {
    let (first, second) = (normals(1, 200), normals(2, 200));
    let shifted: Vec<f64> = first.iter().map(|x| x + 0.15).collect();
    let test = paired(&shifted, &second);
    assert!(test.p_t > 0.001 && test.p_t < 0.9, "{test}");
    close(test.p_sign_flip, test.p_t, 0.02);
}

#[test]
fn equal_methods_are_equal() {
    let test = paired(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0]);
    assert_eq!((test.p_sign_flip, test.p_t, test.mean), (1.0, 1.0, 0.0));
    assert_eq!((test.larger, test.smaller), (0, 0));
    let constant = paired(&[2.0, 3.0, 4.0], &[1.0, 2.0, 3.0]);
    assert_eq!((constant.p_t, constant.p_sign_flip), (0.0, 0.25));
    assert!(paired(&[1.0], &[0.0]).p_t.is_nan());
}

#[test]
fn p_is_uniform_where_nothing_differs() {
    // 400 comparisons of 12 pairs of noise: about a tenth has p below 0.1, by either test.
    let tests = repeat(0..400, 2, |seed| paired(&normals(2 * seed, 12), &normals(2 * seed + 1, 12)));
    let share = |p: fn(&quietgrad_lab::train::statistics::Paired) -> f64| {
        tests.iter().filter(|test| p(test) < 0.1).count() as f64 / 400.0
    };
    // Three standard deviations of a share of 0.1 among 400: 0.045.
    close(share(|test| test.p_t), 0.1, 0.045);
    close(share(|test| test.p_sign_flip), 0.1, 0.045);
}

#[test]
fn intervals_cover_the_mean_as_often_as_they_say() {
    let settings = Bootstrap { confidence: 0.9, resamples: 1000, seed: 3 };
    let covered = |interval: fn(&Bootstrap, &[f64]) -> bool| {
        let hits = repeat(0..400, 2, |seed| interval(&settings, &normals(seed, 40)));
        hits.iter().filter(|&&hit| hit).count() as f64 / 400.0
    };
    // Three standard deviations of a share of 0.9 among 400, and 0.015 that 40 values are too few.
    close(covered(|settings, x| settings.bca(x, mean).contains(0.0)), 0.9, 0.06);
    close(covered(|settings, x| settings.percentile(x, mean).contains(0.0)), 0.9, 0.06);
}

#[test]
fn bca_moves_towards_the_long_tail() {
    let skewed: Vec<f64> = normals(5, 30).iter().map(|x| x.exp()).collect();
    let settings = Bootstrap::default();
    let (plain, moved) = (settings.percentile(&skewed, mean), settings.bca(&skewed, mean));
    assert!(moved.low > plain.low && moved.high > plain.high, "{plain} and {moved}");
    assert_eq!(settings.bca(&skewed, mean), settings.bca(&skewed, mean), "a seed, one interval");
}

#[test]
fn a_statistic_without_spread_has_a_point_for_an_interval() {
    for interval in [bootstrap(&[4.0; 9]), Bootstrap::default().percentile(&[4.0; 9], median)] {
        assert_eq!((interval.low, interval.high), (4.0, 4.0));
    }
}
