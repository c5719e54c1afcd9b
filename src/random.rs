//! Random numbers that are the same on every machine and in every version.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};

use crate::element::Element;

/// A seeded generator: xoshiro256++ (Blackman and Vigna 2018), seeded by splitmix64.
///
/// The generator and everything drawn from it here is fixed: the same seed gives the same weights, batches and noise
/// on any machine. (The distributions of the `rand` crate may change between its versions, so only its generator is
/// used.)
///
/// ```
/// use quietgrad::Random;
///
/// let mut random = Random::new(7);
/// let x = random.uniform(-1.0, 1.0);
/// assert_eq!(x, Random::new(7).uniform(-1.0, 1.0));
/// ```
#[derive(Clone, Debug)]
pub struct Random(Xoshiro256PlusPlus);

impl Random {
    /// The generator of this seed.
    pub fn new(seed: u64) -> Self {
        Random(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// 64 random bits: a seed for something else.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in [0, 1): 53 random bits.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * 2f64.powi(-53)
    }

    /// Uniform in [lo, hi).
    pub fn uniform(&mut self, lo: f64, hi: f64) -> f64 {
        lo + (hi - lo) * self.unit()
    }

    /// Normal with mean 0 and standard deviation 1, by the method of Box and Muller (1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * Element::ln(1.0 - self.unit())).sqrt();
        radius * Element::cos(std::f64::consts::TAU * self.unit())
    }

    /// Uniform among the whole numbers below `bound`, by Lemire's method (2019), without bias.
    ///
    /// # Panics
    /// If `bound` is 0.
    #[track_caller]
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "no whole number is below 0");
        let bound = bound as u64;
        loop {
            let product = u128::from(self.bits()) * u128::from(bound);
            if product as u64 >= bound.wrapping_neg() % bound {
                return (product >> 64) as usize;
            }
        }
    }

    /// Puts items in random order: a step of the method of Fisher and Yates for each.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }

    /// The numbers `0..n` in random order: the rows of a data set for one epoch.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }
}
