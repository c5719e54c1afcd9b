//! NumPy's old generator, as `numpy.random.RandomState` has it.

/// Numbers of the generator's state.
const N: usize = 624;

/// The Mersenne Twister, with the numbers that NumPy's `RandomState` draws from it.
///
/// NumPy keeps its streams as they are, so that a seed gives today what it gave in any version. Here the bits and uniform
/// numbers are NumPy's on every machine; [`normal`](Self::normal) takes logarithms from the system, as NumPy does, and
/// is NumPy's on that system.
///
/// Source: M. Matsumoto and T. Nishimura, Mersenne Twister, 1998; NumPy's `legacy-distributions.c`.
///
/// ```
/// use quietgrad_lab::data::toy::Mt19937;
///
/// // numpy.random.RandomState(1).random_sample()
/// assert_eq!(Mt19937::new(1).unit(), 0.417022004702574);
/// ```
#[derive(Clone, Debug)]
pub struct Mt19937 {
    state: [u32; N],
    /// The next number of the state to be given out.
    next: usize,
    /// Normal numbers come in pairs: the one that is kept for the next call.
    kept: Option<f64>,
}

impl Mt19937 {
    /// `RandomState(seed)`.
    pub fn new(seed: u32) -> Self {
        let mut state = [seed; N];
        for i in 1..N {
            let before = state[i - 1];
            state[i] = 1_812_433_253u32.wrapping_mul(before ^ (before >> 30)).wrapping_add(i as u32);
        }
        Mt19937 { state, next: N, kept: None }
    }

    /// 32 random bits.
    pub fn bits(&mut self) -> u32 {
        if self.next == N {
            self.twist();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// `random_sample()`: uniform in [0, 1), 53 bits.
    pub fn unit(&mut self) -> f64 {
        let (high, low) = (self.bits() >> 5, self.bits() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// `uniform(lo, hi)`.
    pub fn uniform(&mut self, lo: f64, hi: f64) -> f64 {
        lo + (hi - lo) * self.unit()
    }

    /// `standard_normal()`, by the polar method of Marsaglia and Bray (1964).
    pub fn normal(&mut self) -> f64 {
        if let Some(kept) = self.kept.take() {
            return kept;
        }
        loop {
            let (x, y) = (2.0 * self.unit() - 1.0, 2.0 * self.unit() - 1.0);
            let square = x * x + y * y;
            if square < 1.0 && square != 0.0 {
                let factor = (-2.0 * square.ln() / square).sqrt();
                self.kept = Some(factor * x);
                return factor * y;
            }
        }
    }

    /// `shuffle(items)`.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.up_to(end));
        }
    }

    /// `permutation(n)`.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }

    /// Uniform among 0, …, `largest`: random bits, as many as `largest` has, until they are small enough.
    fn up_to(&mut self, largest: usize) -> usize {
        let largest = largest as u64;
        let mask = u64::MAX.checked_shr(largest.leading_zeros()).unwrap_or(0);
        loop {
            let bits = if u32::try_from(largest).is_ok() {
                u64::from(self.bits())
            } else {
                u64::from(self.bits()) << 32 | u64::from(self.bits())
            };
            if bits & mask <= largest {
                return (bits & mask) as usize;
            }
        }
    }

    fn twist(&mut self) {
        for i in 0..N {
            let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
            let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + 397) % N] ^ (y >> 1) ^ odd;
        }
        self.next = 0;
    }
}
