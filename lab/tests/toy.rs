//! Made-up data: scikit-learn's and NumPy's to the last bit, and what the others promise.

use std::path::Path;

use quietgrad::Tensor;
use quietgrad_lab::data::safetensors::Reader;
use quietgrad_lab::data::toy::{
    Dictionary, Labelled, Mt19937, make_blobs, make_circles, make_moons, spirals, xor_clouds,
};

fn file(name: &str) -> Reader {
    Reader::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(name)).unwrap()
}

fn bits(x: &[f64]) -> Vec<u64> {
    x.iter().map(|x| x.to_bits()).collect()
}

fn assert_equals_file(made: &Labelled, file: &mut Reader, name: &str) {
    let (x, y) =
        (file.read::<f64>(&format!("{name}/x")).unwrap(), file.read::<u64>(&format!("{name}/y")).unwrap());
    assert_eq!(made.x.shape()[..], *x.shape(), "{name}");
    assert_eq!(bits(made.x.data()), bits(x.data()), "{name}");
    assert!(made.y.iter().map(|&y| y as u64).eq(y.into_data()), "{name}");
}

#[test]
fn circles_are_those_of_the_recorded_training_run_to_the_last_bit() {
    let mut file = file("train_circles_data.safetensors");
    let circles = make_circles(100, Some(0.1), 1);
    for (part, range) in [("train", 0..30), ("test", 30..100)] {
        let x = file.read::<f64>(&format!("circles/{part}_x")).unwrap();
        assert_eq!(bits(&circles.x.data()[2 * range.start..2 * range.end]), bits(x.data()));
        let y = file.read::<f64>(&format!("circles/{part}_y")).unwrap();
        assert!(circles.y[range].iter().map(|&y| y as f64).eq(y.into_data()));
    }
}

#[test]
fn circles_moons_and_blobs_are_those_of_scikit_learn_to_the_last_bit() {
    let mut golden = file("datasets.safetensors");
    for seed in [1, 2, 7] {
        for noise in [0.1, 0.2] {
            let name = format!("circles/noise{noise}/seed{seed}");
            assert_equals_file(&make_circles(100, Some(noise), seed), &mut golden, &name);
        }
        assert_equals_file(
            &make_moons(101, Some(0.15), seed),
            &mut golden,
            &format!("moons/noise0.15/seed{seed}"),
        );
        assert_equals_file(&make_blobs(60, 3, 2, seed), &mut golden, &format!("blobs/centers3/seed{seed}"));
    }
    let mut toys = file("toys.safetensors");
    for (noise, seed, n) in [(Some(0.1), 1, 100), (Some(0.2), 1, 100), (Some(0.05), 3, 7), (None, 5, 10)] {
        let name = |data| {
            format!("{data}/{}/{seed}/{n}", noise.map_or("None".into(), |noise: f64| noise.to_string()))
        };
        assert_equals_file(&make_circles(n, noise, seed), &mut toys, &name("circles"));
        assert_equals_file(&make_moons(n, noise, seed), &mut toys, &name("moons"));
        assert_equals_file(&make_blobs(n, 4, 3, seed), &mut toys, &name("blobs"));
    }
}

#[test]
fn the_generator_s_streams_are_numpy_s() {
    // Each file: one stream after the other from one generator.
    let mut golden = file("datasets.safetensors");
    for seed in [1, 2, 7] {
        let mut random = Mt19937::new(seed);
        let mut read =
            |what: &str| golden.read::<f64>(&format!("mt19937/seed{seed}/{what}")).unwrap().into_data();
        assert!(read("random_sample").into_iter().all(|x| x == random.unit()));
        assert!(read("standard_normal").into_iter().all(|x| x == random.normal()));
        assert!(read("shuffle20").into_iter().eq(random.permutation(20).iter().map(|&i| i as f64)));
    }
    // Past the end of the generator's state.
    let mut toys = file("toys.safetensors");
    for seed in [0, 1, u32::MAX] {
        let mut random = Mt19937::new(seed);
        let mut read = |what: &str| toys.read::<f64>(&format!("stream/{seed}/{what}")).unwrap().into_data();
        assert!(read("bits").into_iter().all(|x| x == f64::from(random.bits())));
        assert!(read("unit").into_iter().all(|x| x == random.unit()));
        assert!(read("normal").into_iter().all(|x| x == random.normal()));
        assert!(read("uniform").into_iter().all(|x| x == random.uniform(-10.0, 10.0)));
        assert!(read("permutation").into_iter().eq(random.permutation(1000).iter().map(|&i| i as f64)));
    }
}

#[test]
fn few_points_and_none_are_legal() {
    for n in 0..4 {
        assert_eq!(make_circles(n, Some(0.1), 1).y.len(), n);
        assert_eq!(make_moons(n, Some(0.1), 1).y.len(), n);
        assert_eq!(make_blobs(n, 2, 2, 1).y.len(), n);
        assert_eq!(spirals(n, 2, 1.0, 0.0, 1).y.len(), n);
        assert_eq!(xor_clouds(n, 0.1, 1).y.len(), n);
    }
}

#[test]
fn equal_seeds_give_equal_points_and_others_give_others() {
    assert_eq!(spirals(50, 3, 1.0, 0.1, 5), spirals(50, 3, 1.0, 0.1, 5));
    assert_ne!(spirals(50, 3, 1.0, 0.1, 5), spirals(50, 3, 1.0, 0.1, 6));
    assert_eq!(xor_clouds(50, 0.1, 5), xor_clouds(50, 0.1, 5));
    assert_ne!(xor_clouds(50, 0.1, 5), xor_clouds(50, 0.1, 6));
}

#[test]
fn a_spiral_without_noise_has_its_angle_from_its_radius() {
    let made = spirals(300, 3, 1.25, 0.0, 1);
    for (point, &class) in made.x.rows().zip(&made.y) {
        let radius = point[0].hypot(point[1]);
        let turn = 1.25 * radius + class as f64 / 3.0;
        let expected =
            [radius * (turn * std::f64::consts::TAU).cos(), radius * (turn * std::f64::consts::TAU).sin()];
        assert!((point[0] - expected[0]).abs() < 1e-12 && (point[1] - expected[1]).abs() < 1e-12);
    }
}

#[test]
fn signals_are_the_sums_that_their_codes_say() {
    let dictionary = Dictionary::random(20, 6, 3);
    for feature in dictionary.features.rows() {
        assert!((feature.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-14);
    }
    let signals = dictionary.signals(500, 4, 0.0, 9);
    let mut used = [0; 20];
    for (x, code) in signals.x.rows().zip(signals.codes.rows()) {
        assert_eq!(code.iter().filter(|&&c| c != 0.0).count(), 4);
        for (column, &x) in x.iter().enumerate() {
            let sum: f64 = code.iter().zip(dictionary.features.rows()).map(|(c, f)| c * f[column]).sum();
            assert!((x - sum).abs() < 1e-12);
        }
        code.iter().zip(&mut used).for_each(|(&c, n)| *n += usize::from(c != 0.0));
    }
    // 500 signals of 4 features: 100 uses of each of 20, give or take.
    assert!(used.iter().all(|n| (60..140).contains(n)), "{used:?}");
}

#[test]
fn recovery_is_one_for_the_truth_in_any_order_and_length_and_less_for_others() {
    let dictionary = Dictionary::random(10, 6, 3);
    let mut turned: Vec<f64> = dictionary.features.rows().rev().flatten().map(|x| 3.0 * x).collect();
    let found = Tensor::new([10, 6], turned.clone()).unwrap();
    assert!((dictionary.recovered(&found) - 1.0).abs() < 1e-14);
    turned[..6].fill(0.0);
    assert!(dictionary.recovered(&Tensor::new([10, 6], turned).unwrap()) < 0.999);
    assert!(dictionary.recovered(&Dictionary::random(10, 6, 4).features) < 0.9);
}
