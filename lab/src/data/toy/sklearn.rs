//! Three of scikit-learn's data sets, number for number.
//!
//! Source: `sklearn/datasets/_samples_generator.py`, scikit-learn 1.9; the streams have not changed since 0.2. Sines,
//! cosines and logarithms are the system's, as there.

use std::f64::consts::{PI, TAU};

use super::{Labelled, Mt19937};

/// Two circles, one inside the other with 0.8 of its radius: scikit-learn's
/// `make_circles(n_samples, noise=noise, random_state=seed)`.
///
/// Class 0 is the outer circle; `noise` is the standard deviation of what is added to each coordinate.
///
/// ```
/// use quietgrad_lab::data::toy::make_circles;
///
/// let circles = make_circles(100, Some(0.1), 1);
/// assert_eq!(circles.y.iter().filter(|&&class| class == 1).count(), 50);
/// ```
pub fn make_circles(n_samples: usize, noise: Option<f64>, seed: u32) -> Labelled {
    let outer = n_samples / 2;
    let circle = |n, radius| {
        let step = TAU / n as f64;
        (0..n).map(move |i| i as f64 * step).map(move |angle| [angle.cos() * radius, angle.sin() * radius])
    };
    let points = circle(outer, 1.0).chain(circle(n_samples - outer, 0.8)).collect();
    shuffled_with_noise(points, outer, noise, &mut Mt19937::new(seed))
}

/// Two half circles that reach into each other: scikit-learn's `make_moons(n_samples, noise=noise, random_state=seed)`.
pub fn make_moons(n_samples: usize, noise: Option<f64>, seed: u32) -> Labelled {
    let outer = n_samples / 2;
    // n angles from 0 to π, both ends among them.
    let angles = |n: usize| {
        let step = PI / n.saturating_sub(1).max(1) as f64;
        (0..n).map(move |i| if i > 0 && i + 1 == n { PI } else { i as f64 * step })
    };
    let upper = angles(outer).map(|angle| [angle.cos(), angle.sin()]);
    let lower = angles(n_samples - outer).map(|angle| [1.0 - angle.cos(), 1.0 - angle.sin() - 0.5]);
    shuffled_with_noise(upper.chain(lower).collect(), outer, noise, &mut Mt19937::new(seed))
}

/// Normal clouds of standard deviation 1 around random centers in [−10, 10): scikit-learn's
/// `make_blobs(n_samples, centers=centers, n_features=features, random_state=seed)`.
///
/// # Panics
/// If there are no centers, or no features.
#[track_caller]
pub fn make_blobs(n_samples: usize, centers: usize, features: usize, seed: u32) -> Labelled {
    assert!(centers > 0 && features > 0, "make_blobs: no centers or no features");
    let mut random = Mt19937::new(seed);
    let middles: Vec<f64> = (0..centers * features).map(|_| random.uniform(-10.0, 10.0)).collect();
    let (mut points, mut classes) = (Vec::with_capacity(n_samples), Vec::with_capacity(n_samples));
    for (class, middle) in middles.chunks_exact(features).enumerate() {
        let size = n_samples / centers + usize::from(class < n_samples % centers);
        for _ in 0..size {
            points.push(middle.iter().map(|x| x + random.normal()).collect::<Vec<f64>>());
            classes.push(class);
        }
    }
    let order = random.permutation(n_samples);
    let x = order.iter().flat_map(|&i| &points[i]).copied().collect();
    Labelled::new(x, features, order.iter().map(|&i| classes[i]).collect())
}

/// Points of two classes, `first` of class 0 before those of class 1, put in random order, then disturbed.
fn shuffled_with_noise(
    points: Vec<[f64; 2]>,
    first: usize,
    noise: Option<f64>,
    random: &mut Mt19937,
) -> Labelled {
    let order = random.permutation(points.len());
    let mut x: Vec<f64> = order.iter().flat_map(|&i| points[i]).collect();
    if let Some(noise) = noise {
        for x in &mut x {
            *x += 0.0 + noise * random.normal(); // a normal number with mean 0, as NumPy computes it
        }
    }
    Labelled::new(x, 2, order.iter().map(|&i| usize::from(i >= first)).collect())
}
