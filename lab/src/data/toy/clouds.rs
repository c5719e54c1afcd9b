//! Classes that no straight line parts.

use std::f64::consts::TAU;

use quietgrad::{Element, Random};

use super::Labelled;

/// Spirals around the origin, one a class, each `turns` long, with normal noise of standard deviation `noise`.
///
/// Points take turns: the first is of class 0, the next of class 1, and so on.
///
/// # Panics
/// If there are no classes.
///
/// ```
/// use quietgrad_lab::data::toy::spirals;
///
/// let spirals = spirals(100, 2, 1.5, 0.02, 7);
/// assert_eq!(spirals.y[..4], [0, 1, 0, 1]);
/// ```
#[track_caller]
pub fn spirals(n_samples: usize, classes: usize, turns: f64, noise: f64, seed: u64) -> Labelled {
    assert!(classes > 0, "spirals: no classes");
    let mut random = Random::new(seed);
    let (mut x, mut y) = (Vec::with_capacity(2 * n_samples), Vec::with_capacity(n_samples));
    for class in (0..classes).cycle().take(n_samples) {
        // Uniform along the radius; the square root would be uniform over the disc.
        let radius = random.unit();
        let angle = TAU * (turns * radius + class as f64 / classes as f64);
        x.push(radius * Element::cos(angle) + noise * random.normal());
        x.push(radius * Element::sin(angle) + noise * random.normal());
        y.push(class);
    }
    Labelled::new(x, 2, y)
}

/// Four normal clouds of standard deviation `noise` around (±1, ±1). Class 1 is where the signs differ.
///
/// ```
/// use quietgrad_lab::data::toy::xor_clouds;
///
/// let clouds = xor_clouds(8, 0.1, 7);
/// let differ = |point: &[f64]| usize::from(point[0] * point[1] < 0.0);
/// assert!(clouds.x.rows().map(differ).eq(clouds.y.iter().copied()));
/// ```
pub fn xor_clouds(n_samples: usize, noise: f64, seed: u64) -> Labelled {
    let mut random = Random::new(seed);
    let (mut x, mut y) = (Vec::with_capacity(2 * n_samples), Vec::with_capacity(n_samples));
    for cloud in (0..4).cycle().take(n_samples) {
        let (right, above) = (cloud % 2, cloud / 2);
        for side in [right, above] {
            x.push(f64::from(2 * side - 1) + noise * random.normal());
        }
        y.push(usize::from(right != above));
    }
    Labelled::new(x, 2, y)
}
