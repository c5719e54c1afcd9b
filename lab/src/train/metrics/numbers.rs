//! Numbers found against numbers that are true.

use quietgrad::{Element, Tensor};

use super::classes::expect_pairs;

/// The mean squared error Σ (yᵢ − ŷᵢ)² / n: NaN of nothing.
///
/// ```
/// use quietgrad_lab::train::metrics::mse;
///
/// assert_eq!(mse(&[1.0, 2.0], &[1.0, 4.0]), 2.0);
/// ```
///
/// # Panics
/// If there are not as many of both.
#[track_caller]
pub fn mse<T: Element>(found: &[T], truth: &[T]) -> f64 {
    expect_pairs("mse", found.len(), truth.len());
    squares(found, truth) / truth.len() as f64
}

/// R² = 1 − Σ (yᵢ − ŷᵢ)² / Σ (yᵢ − ȳ)²: the share of the variance that the model explains. 0 for the mean, negative for
/// less than that.
///
/// Of a truth that is constant it is 1 if found exactly, else −∞; of nothing NaN. Source: T. Kvålseth, Cautionary note about
/// R², 1985, definition R²₁.
///
/// ```
/// use quietgrad_lab::train::metrics::r2;
///
/// let truth = [1.0, 2.0, 3.0];
/// assert_eq!(r2(&[1.0, 2.0, 3.0], &truth), 1.0);
/// assert_eq!(r2(&[2.0, 2.0, 2.0], &truth), 0.0);
/// assert_eq!(r2(&[3.0, 2.0, 1.0], &truth), -3.0);
/// ```
///
/// # Panics
/// If there are not as many of both.
#[track_caller]
pub fn r2<T: Element>(found: &[T], truth: &[T]) -> f64 {
    expect_pairs("r2", found.len(), truth.len());
    let mean = truth.iter().map(|y| y.to_f64()).sum::<f64>() / truth.len() as f64;
    // A constant is not the mean of its copies to the last bit, and has no variance all the same.
    let constant = truth.windows(2).all(|pair| pair[0].to_f64() == pair[1].to_f64());
    let variance: f64 = if constant { 0.0 } else { truth.iter().map(|y| (y.to_f64() - mean).powi(2)).sum() };
    if truth.is_empty() { f64::NAN } else { explained(squares(found, truth), variance) }
}

/// 1 − residual / total, where a total of 0 explains a residual of 0.
fn explained(residual: f64, total: f64) -> f64 {
    if residual == 0.0 && total == 0.0 { 1.0 } else { 1.0 - residual / total }
}

fn squares<T: Element>(found: &[T], truth: &[T]) -> f64 {
    found.iter().zip(truth).map(|(found, truth)| (truth.to_f64() - found.to_f64()).powi(2)).sum()
}

/// How much of a data set's variance a reconstruction explains, gathered batch by batch.
///
/// ```text
/// EV = 1 − Σ ‖xᵢ − x̂ᵢ‖² / Σ ‖xᵢ − x̄‖²,  x̄ the mean row of the whole set
/// ```
///
/// The mean is that of all rows that were added, not each batch's: around a batch's own mean its rows vary less, and the smaller
/// the batches, the worse a model would look.
///
/// ```
/// use quietgrad::Tensor;
/// use quietgrad_lab::train::metrics::ExplainedVariance;
///
/// let mut explained = ExplainedVariance::new(1);
/// explained.add(&Tensor::from([[1.0], [1.0]]), &Tensor::from([[1.0], [1.0]]));
/// explained.add(&Tensor::from([[3.0], [3.0]]), &Tensor::from([[2.0], [3.0]]));
/// assert_eq!(explained.share(), 0.75); // of a variance of 4, a square of 1 is left
/// assert_eq!(explained.unexplained(), 0.25);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ExplainedVariance {
    rows: u64,
    mean: Vec<f64>,
    /// Σ ‖xᵢ − x̄‖², x̄ the mean so far.
    total: f64,
    /// Σ ‖xᵢ − x̂ᵢ‖²
    residual: f64,
}

impl ExplainedVariance {
    /// Of rows of so many columns, none of them added yet.
    pub fn new(columns: usize) -> Self {
        ExplainedVariance { rows: 0, mean: vec![0.0; columns], total: 0.0, residual: 0.0 }
    }

    /// Adds rows and their reconstructions: rows × columns each.
    ///
    /// By Welford's updates: x̄ ← x̄ + (x − x̄) / n, and the squares gain the product of the distances before and after.
    ///
    /// Source: B. P. Welford, Note on a method for calculating corrected sums of squares and products, 1962.
    ///
    /// # Panics
    /// If the shapes differ, or are not rows of that many columns.
    #[track_caller]
    pub fn add<T: Element>(&mut self, x: &Tensor<T>, reconstruction: &Tensor<T>) {
        let (columns, shape) = (self.mean.len(), x.shape());
        assert!(
            shape.rank() == 2 && shape[1] == columns,
            "explained variance: {columns} columns, shape {shape}"
        );
        let other = reconstruction.shape();
        assert!(shape == other, "explained variance: {shape} reconstructed as {other}");
        self.residual += squares(reconstruction.data(), x.data());
        for row in x.data().chunks_exact(columns.max(1)) {
            self.rows += 1;
            for (mean, x) in self.mean.iter_mut().zip(row) {
                let before = x.to_f64() - *mean;
                *mean += before / self.rows as f64;
                self.total += before * (x.to_f64() - *mean);
            }
        }
    }

    /// The share of the variance that is explained: at most 1; 0 for the mean row, negative for less than that. Of constant
    /// data it is 1 if reconstructed exactly, else −∞; of nothing NaN.
    pub fn share(&self) -> f64 {
        if self.rows == 0 { f64::NAN } else { explained(self.residual, self.total) }
    }

    /// The share that is left: FVU, the fraction of variance unexplained.
    pub fn unexplained(&self) -> f64 {
        1.0 - self.share()
    }
}
