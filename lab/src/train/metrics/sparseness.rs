//! How sparse one vector is, by three measures that do not depend on its scale.

use quietgrad::Element;

/// Hoyer's sparseness (√n − ‖x‖₁/‖x‖₂) / (√n − 1): 0 if all sizes are equal, 1 if one entry is not zero.
///
/// NaN of fewer than two entries, and of all zeros, which have no distribution. Source: P. Hoyer, Non-negative matrix
/// factorization with sparseness constraints, 2004.
///
/// ```
/// use quietgrad_lab::train::metrics::hoyer;
///
/// assert_eq!(hoyer(&[0.0, -3.0, 0.0, 0.0]), 1.0);
/// assert_eq!(hoyer(&[2.0, 2.0, -2.0, 2.0]), 0.0);
/// assert!(hoyer(&[0.0, 0.0]).is_nan());
/// ```
pub fn hoyer<T: Element>(x: &[T]) -> f64 {
    let sizes = relative_sizes(x);
    let root = (x.len() as f64).sqrt();
    let squares: f64 = sizes.iter().map(|x| x * x).sum();
    (root - sizes.iter().sum::<f64>() / squares.sqrt()) / (root - 1.0)
}

/// The sparseness of Treves and Rolls in the form of Vinje and Gallant, (1 − (Σ|xᵢ|/n)² / (Σxᵢ²/n)) / (1 − 1/n): 0 if all sizes
/// are equal, 1 if one entry is not zero.
///
/// Over the units for one input it is *population sparseness*, over the inputs for one unit *lifetime sparseness*. NaN of fewer
/// than two entries, and of all zeros. Sources: E. Rolls and A. Treves, The relative advantages of sparse versus distributed
/// encoding for associative neuronal networks in the brain, 1990; W. Vinje and J. Gallant, Sparse coding and decorrelation in
/// primary visual cortex during natural vision, 2000.
///
/// ```
/// use quietgrad_lab::train::metrics::treves_rolls;
///
/// assert_eq!(treves_rolls(&[0.0, 5.0, 0.0, 0.0]), 1.0);
/// assert_eq!(treves_rolls(&[5.0, 5.0]), 0.0);
/// assert_eq!(treves_rolls(&[1.0, 1.0, 0.0, 0.0]), 2.0 / 3.0);
/// ```
pub fn treves_rolls<T: Element>(x: &[T]) -> f64 {
    let sizes = relative_sizes(x);
    let count = x.len() as f64;
    let (sum, squares) = sizes.iter().fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
    (1.0 - sum * sum / count / squares) / (1.0 - 1.0 / count)
}

/// Gini's index of the sizes in ascending order, 1 − 2 Σ (|x₍ₖ₎| / ‖x‖₁) (n − k + ½) / n: 0 if all are equal, 1 − 1/n if one entry
/// is not zero.
///
/// NaN of all zeros and of nothing. Source: N. Hurley and S. Rickard, Comparing measures of sparsity, 2009; of the
/// measures that they compare, few have all six properties that they ask for, and this is one.
///
/// ```
/// use quietgrad_lab::train::metrics::gini;
///
/// assert_eq!(gini(&[0.0, 0.0, 7.0, 0.0]), 0.75);
/// assert_eq!(gini(&[3.0, -3.0]), 0.0);
/// ```
pub fn gini<T: Element>(x: &[T]) -> f64 {
    let mut sizes = relative_sizes(x);
    sizes.sort_by(f64::total_cmp);
    let (count, sum) = (x.len() as f64, sizes.iter().sum::<f64>());
    let weighted: f64 =
        sizes.iter().enumerate().map(|(k, x)| x / sum * (count - k as f64 - 0.5) / count).sum();
    if x.is_empty() { f64::NAN } else { 1.0 - 2.0 * weighted }
}

/// |xᵢ| over the largest, so that no square of them overflows or vanishes; NaN if all are 0, or one is infinite.
fn relative_sizes<T: Element>(x: &[T]) -> Vec<f64> {
    let most = x.iter().fold(0.0, |most: f64, x| most.max(x.to_f64().abs()));
    x.iter().map(|x| x.to_f64().abs() / most).collect()
}
