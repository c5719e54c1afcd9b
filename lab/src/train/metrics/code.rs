//! A whole code: how sparse its rows are, how often its units fire, which never do.

use quietgrad::{Element, Tensor};

use super::sparseness::{gini, hoyer, treves_rolls};

/// What there is to say of a code, gathered batch by batch: a row for each sample, a column for each unit.
///
/// ```
/// use quietgrad::Tensor;
/// use quietgrad_lab::train::metrics::Code;
///
/// let mut code = Code::new(4);
/// code.add(&Tensor::from([[0.0, 3.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]]));
/// assert_eq!(code.l0(), 1.5);
/// assert_eq!((code.zeros(), code.density()), (5.0 / 8.0, 3.0 / 8.0));
/// assert_eq!(code.mean_activation(), 5.0 / 8.0);
/// assert_eq!(code.densities(), [0.5, 1.0, 0.0, 0.0]);
/// assert_eq!(code.dead(), [2, 3]);
/// assert_eq!(code.density_histogram(2), [2, 2]); // from 0 to a half, and from a half to 1
/// println!("{code}");
/// ```
///
/// Of no samples all means are NaN, and every unit is dead.
#[derive(Clone, Debug, PartialEq)]
pub struct Code {
    rows: u64,
    /// For each unit, how often it was not zero.
    active: Vec<u64>,
    /// For each unit, Σ|h| and Σh².
    sums: Vec<f64>,
    squares: Vec<f64>,
    /// Σh
    total: f64,
    /// Hoyer's, Treves and Rolls' and Gini's measures of each row that has any, summed, and how many these are.
    measures: [f64; 3],
    measured: u64,
}

impl Code {
    /// Of so many units, no samples yet.
    pub fn new(units: usize) -> Self {
        Code {
            rows: 0,
            active: vec![0; units],
            sums: vec![0.0; units],
            squares: vec![0.0; units],
            total: 0.0,
            measures: [0.0; 3],
            measured: 0,
        }
    }

    /// Adds the codes of a batch: samples × units.
    ///
    /// # Panics
    /// If the shape is not of that many units.
    #[track_caller]
    pub fn add<T: Element>(&mut self, codes: &Tensor<T>) {
        let (units, shape) = (self.active.len(), codes.shape());
        assert!(shape.rank() == 2 && shape[1] == units, "a code of {units} units, shape {shape}");
        for row in codes.data().chunks_exact(units.max(1)) {
            self.rows += 1;
            for (unit, h) in row.iter().map(|h| h.to_f64()).enumerate() {
                self.active[unit] += u64::from(h != 0.0);
                self.sums[unit] += h.abs();
                self.squares[unit] += h * h;
                self.total += h;
            }
            if row.iter().any(|h| h.to_f64() != 0.0) {
                self.measured += 1;
                let of_row = [hoyer(row), treves_rolls(row), gini(row)];
                self.measures.iter_mut().zip(of_row).for_each(|(sum, x)| *sum += x);
            }
        }
    }

    /// How many samples were added.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// L0: how many units are not zero, in the mean over samples.
    pub fn l0(&self) -> f64 {
        self.active.iter().sum::<u64>() as f64 / self.rows as f64
    }

    /// The share of the code that is not zero.
    pub fn density(&self) -> f64 {
        self.l0() / self.active.len() as f64
    }

    /// The share of the code that is zero: exactly, not nearly.
    pub fn zeros(&self) -> f64 {
        1.0 - self.density()
    }

    /// The mean of all activations, zeros included: Σh / (samples · units).
    pub fn mean_activation(&self) -> f64 {
        self.total / (self.rows as f64 * self.active.len() as f64)
    }

    /// Hoyer's sparseness ([`hoyer`]) over the units, in the mean over samples. Here and below: samples whose code is all zero
    /// have none and are left out; NaN if all are.
    pub fn hoyer(&self) -> f64 {
        self.measures[0] / self.measured as f64
    }

    /// Population sparseness ([`treves_rolls`]) over the units, in the mean over samples.
    pub fn population_sparseness(&self) -> f64 {
        self.measures[1] / self.measured as f64
    }

    /// Gini's index ([`gini`]) over the units, in the mean over samples.
    pub fn gini(&self) -> f64 {
        self.measures[2] / self.measured as f64
    }

    /// Lifetime sparseness ([`treves_rolls`]) of each unit over the samples, in the mean over units that are not dead; NaN if
    /// all are, or of fewer than two samples.
    pub fn lifetime_sparseness(&self) -> f64 {
        let rows = self.rows as f64;
        let sums = self.sums.iter().zip(&self.squares).filter(|(_, squares)| **squares > 0.0);
        let each: Vec<f64> =
            sums.map(|(sum, squares)| (1.0 - sum * sum / rows / squares) / (1.0 - 1.0 / rows)).collect();
        each.iter().sum::<f64>() / each.len() as f64
    }

    /// For each unit, the share of samples for which it is not zero.
    pub fn densities(&self) -> Vec<f64> {
        self.active.iter().map(|&active| active as f64 / self.rows as f64).collect()
    }

    /// The units that were never anything but zero: dead, as far as these samples tell.
    pub fn dead(&self) -> Vec<usize> {
        self.rarer_than(f64::MIN_POSITIVE)
    }

    /// The units that are not zero for less than this share of samples.
    pub fn rarer_than(&self, share: f64) -> Vec<usize> {
        let rare =
            |&unit: &usize| self.active[unit] == 0 || (self.active[unit] as f64) < share * self.rows as f64;
        (0..self.active.len()).filter(rare).collect()
    }

    /// How many units have which density: `bins` of equal width from 0 to 1; each has its lower end, the last one both.
    ///
    /// # Panics
    /// If there are no bins.
    #[track_caller]
    pub fn density_histogram(&self, bins: usize) -> Vec<u64> {
        assert!(bins > 0, "a histogram of no bins");
        let mut counts = vec![0; bins];
        for &active in &self.active {
            let bin = active as u128 * bins as u128 / u128::from(self.rows.max(1));
            counts[(bin as usize).min(bins - 1)] += 1;
        }
        counts
    }

    /// How many units have which order of magnitude of density, as the sparse-autoencoder literature draws it: the first number
    /// counts dead units; then `decades` bins of a tenth each, from 10^−decades upwards, the first with all rarer ones and the
    /// last up to 1.
    ///
    /// ```
    /// use quietgrad::Tensor;
    /// use quietgrad_lab::train::metrics::Code;
    ///
    /// let mut code = Code::new(3);
    /// code.add(&Tensor::from_fn([100, 3], |i| f32::from([i < 3, true, false][i % 3])));
    /// // A dead unit; one that fires for 1 % of samples, between 0.01 and 0.1; one that always fires.
    /// assert_eq!(code.log_density_histogram(3), [1, 0, 1, 1]);
    /// ```
    ///
    /// # Panics
    /// If there are no decades.
    #[track_caller]
    pub fn log_density_histogram(&self, decades: u32) -> Vec<u64> {
        assert!(decades > 0, "a histogram of no decades");
        let mut counts = vec![0; decades as usize + 1];
        for &active in &self.active {
            // Multiplied and not divided, so that 0.1 falls where it belongs.
            let at_least = |decade: u32| active as f64 * 10f64.powi(decade as i32) >= self.rows as f64;
            let rarity = (1..decades).find(|&decade| at_least(decade)).unwrap_or(decades);
            let bin = if active == 0 { 0 } else { decades + 1 - rarity };
            counts[bin as usize] += 1;
        }
        counts
    }
}

/// In one line: L0, density, dead units, and the measures of sparseness.
impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(
            f,
            "L0 {:.2} of {} units (density {:.4}), {} dead, Hoyer {:.3}, population {:.3}, lifetime {:.3}, Gini {:.3}",
            self.l0(),
            self.active.len(),
            self.density(),
            self.dead().len(),
            self.hoyer(),
            self.population_sparseness(),
            self.lifetime_sparseness(),
            self.gini()
        )
    }
}
