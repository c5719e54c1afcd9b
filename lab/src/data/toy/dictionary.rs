//! Signals made of a few features of a dictionary: what a sparse autoencoder should find, with the truth beside it.

use quietgrad::{Random, Tensor};

/// A dictionary: directions in space, of which each signal is a sum of a few.
///
/// ```
/// use quietgrad_lab::data::toy::Dictionary;
///
/// let dictionary = Dictionary::random(32, 8, 1);
/// let signals = dictionary.signals(100, 3, 0.0, 2);
/// assert_eq!(signals.x.shape()[..], [100, 8]);
/// assert!(signals.codes.rows().all(|code| code.iter().filter(|&&c| c != 0.0).count() == 3));
/// assert_eq!(dictionary.recovered(&dictionary.features), 1.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dictionary {
    /// The features: their number × dimensions, each of length 1.
    pub features: Tensor<f64>,
}

/// Signals and what they are made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Signals {
    /// The signals: their number × dimensions.
    pub x: Tensor<f64>,
    /// How much of each feature is in each signal: number of signals × number of features.
    pub codes: Tensor<f64>,
}

impl Dictionary {
    /// Features of random directions. There may be more of them than dimensions.
    pub fn random(features: usize, dimensions: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut all = Tensor::from_fn([features, dimensions], |_| random.normal());
        for feature in all.data_mut().chunks_exact_mut(dimensions.max(1)) {
            let length = dot(feature, feature).sqrt();
            feature.iter_mut().for_each(|x| *x /= length);
        }
        Dictionary { features: all }
    }

    /// Signals of `active` different features each, in amounts uniform in [0.5, 1.5), plus normal noise of standard
    /// deviation `noise` on each coordinate.
    ///
    /// # Panics
    /// If there are fewer than `active` features.
    #[track_caller]
    pub fn signals(&self, n_samples: usize, active: usize, noise: f64, seed: u64) -> Signals {
        let (features, dimensions) = (self.features.shape()[0], self.features.shape()[1]);
        assert!(active <= features, "signals: {active} of {features} features cannot be active");
        let mut random = Random::new(seed);
        let mut codes = Tensor::zeros([n_samples, features]);
        let mut x = Tensor::zeros([n_samples, dimensions]);
        let mut order: Vec<usize> = (0..features).collect();
        for i in 0..n_samples {
            let signal = &mut x.data_mut()[i * dimensions..][..dimensions];
            signal.iter_mut().for_each(|x| *x = noise * random.normal());
            for k in 0..active {
                // A step of Fisher and Yates: order[..active] are different features, uniform among all choices.
                order.swap(k, k + random.below(features - k));
                let (feature, amount) = (order[k], random.uniform(0.5, 1.5));
                codes.data_mut()[i * features + feature] = amount;
                let direction = &self.features.data()[feature * dimensions..][..dimensions];
                signal.iter_mut().zip(direction).for_each(|(x, d)| *x += amount * d);
            }
        }
        Signals { x, codes }
    }

    /// How well learned features (their number × dimensions, of any length) match these: the cosine between each feature
    /// here and the learned one nearest to it, averaged. 1 means that all were found.
    ///
    /// Source: L. Sharkey, D. Braun and B. Millidge, Taking features out of superposition with sparse autoencoders, 2022
    /// (mean maximum cosine similarity).
    ///
    /// # Panics
    /// If the learned features have other dimensions.
    #[track_caller]
    pub fn recovered(&self, learned: &Tensor<f64>) -> f64 {
        let dimensions = self.features.shape()[1];
        assert!(
            learned.shape().rank() == 2 && learned.shape()[1] == dimensions,
            "recovered: learned features of shape {}, expected {dimensions} columns",
            learned.shape()
        );
        let nearest = |feature: &[f64]| {
            let cosine = |other: &[f64]| {
                let lengths = (dot(feature, feature) * dot(other, other)).sqrt();
                if lengths > 0.0 { dot(feature, other) / lengths } else { 0.0 }
            };
            learned.rows().map(cosine).fold(f64::NEG_INFINITY, f64::max)
        };
        self.features.rows().map(nearest).sum::<f64>() / self.features.shape()[0] as f64
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
