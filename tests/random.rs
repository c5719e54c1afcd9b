//! The random numbers are what they were, and distributed as they should be.

use quietgrad::Random;

#[test]
fn the_stream_of_a_seed_never_changes() {
    let mut random = Random::new(1);
    let drawn = [random.unit(), random.unit(), random.normal()];
    let known = [0.8116121588818848, 0.7471047161582187, -0.01091916499162517];
    for (drawn, known) in drawn.iter().zip(known) {
        approx::assert_relative_eq!(*drawn, known, max_relative = 1e-12);
    }
    assert_eq!(Random::new(1).permutation(6), [1, 5, 2, 0, 3, 4]);
}

#[test]
fn below_is_uniform() {
    let mut random = Random::new(3);
    let mut counts = [0; 5];
    for _ in 0..50_000 {
        counts[random.below(5)] += 1;
    }
    assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
}

#[test]
fn normal_has_mean_0_and_deviation_1() {
    let mut random = Random::new(4);
    let x: Vec<f64> = (0..100_000).map(|_| random.normal()).collect();
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
    assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
}
