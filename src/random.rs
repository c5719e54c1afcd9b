//! Random numbers that are the same on every machine and in every version.

use crate::element::Element;
use crate::state::{State, StateError};

/// A seeded generator: xoshiro256++ (Blackman and Vigna 2018), seeded by splitmix64.
///
/// The generator and everything drawn from it here is fixed: the same seed gives the same weights, batches and noise
/// on any machine. It is written here, and not another crate's, so that its state can be saved.
///
/// ```
/// use quietgrad::Random;
///
/// let mut random = Random::new(7);
/// let x = random.uniform(-1.0, 1.0);
/// assert_eq!(x, Random::new(7).uniform(-1.0, 1.0));
/// ```
#[derive(Clone, Debug)]
pub struct Random([u64; 4]);

const KIND: &str = "Random";

/// The names of the state's four words.
const WORDS: [&str; 4] = ["word0", "word1", "word2", "word3"];

impl Random {
    /// The generator of this seed.
    pub fn new(seed: u64) -> Self {
        // splitmix64: a weyl sequence, its bits mixed
        let mut sum = seed;
        Random([0; 4].map(|_: u64| {
            sum = sum.wrapping_add(0x9e3779b97f4a7c15);
            let mixed = (sum ^ (sum >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d049bb133111eb);
            mixed ^ (mixed >> 31)
        }))
    }

    /// 64 random bits: a seed for something else.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        let s = &mut self.0;
        let bits = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let shifted = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= shifted;
        s[3] = s[3].rotate_left(45);
        bits
    }

    /// Everything that it knows, to be saved: a resumed run draws what an undisturbed one would have drawn.
    ///
    /// ```
    /// use quietgrad::Random;
    ///
    /// let mut random = Random::new(7);
    /// random.normal();
    /// let mut resumed = Random::new(0);
    /// resumed.restore(&random.state())?;
    /// assert_eq!(resumed.permutation(100), random.permutation(100));
    /// # Ok::<(), quietgrad::StateError>(())
    /// ```
    #[doc(alias = "state_dict")]
    pub fn state(&self) -> State<f64> {
        let mut state = State::new(KIND);
        state.counts.extend(WORDS.map(str::to_owned).into_iter().zip(self.0));
        state
    }

    /// Goes on from a state of a generator.
    ///
    /// # Errors
    /// If the state is of something else, is not whole, or is all zero, from which nothing would ever come but zeros. Then
    /// nothing has changed.
    pub fn restore(&mut self, state: &State<f64>) -> Result<(), StateError> {
        state.expect_kind(KIND)?;
        let mut words = [0; 4];
        for (word, name) in words.iter_mut().zip(WORDS) {
            *word = state.count(name)?;
        }
        state.expect_sizes(KIND, [0, 4, 0])?;
        if words == [0; 4] {
            let message = "a generator of random numbers whose words are all 0 draws nothing else".to_owned();
            return Err(StateError::Value { message });
        }
        self.0 = words;
        Ok(())
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
    #[doc(alias = "randperm")]
    #[doc(alias = "DataLoader")]
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }
}
