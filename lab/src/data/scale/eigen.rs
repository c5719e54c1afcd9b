//! Eigenvalues and eigenvectors of symmetric matrices.

/// A matrix this much smaller off its diagonal than on it is diagonal.
const DIAGONAL: f64 = 1e-15;

/// The eigenvalues of a symmetric matrix (n × n) and its eigenvectors, one a row, by Jacobi's method: each rotation makes an
/// element off the diagonal 0, and sweeps over all of them go on until what is left is rounding.
///
/// Source: G. Golub and C. Van Loan, Matrix Computations, section 8.5.
pub(super) fn symmetric(mut a: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut v = vec![0.0; n * n];
    (0..n).for_each(|i| v[i * n + i] = 1.0);
    for _sweep in 0..60 {
        let off: f64 = (0..n * n).filter(|i| i / n != i % n).map(|i| a[i] * a[i]).sum();
        let all: f64 = a.iter().map(|x| x * x).sum();
        if off <= DIAGONAL * DIAGONAL * all {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut a, &mut v, n, p, q);
            }
        }
    }
    ((0..n).map(|i| a[i * n + i]).collect(), v)
}

/// a ← Jᵀ a J and v ← Jᵀ v, where J turns axes p and q so that a[p][q] becomes 0.
fn rotate(a: &mut [f64], v: &mut [f64], n: usize, p: usize, q: usize) {
    let off = a[p * n + q];
    if off == 0.0 {
        return;
    }
    let slope = (a[q * n + q] - a[p * n + p]) / (2.0 * off);
    let tangent = slope.signum() / (slope.abs() + slope.hypot(1.0));
    let cos = tangent.hypot(1.0).recip();
    let sin = tangent * cos;
    for k in 0..n {
        let (x, y) = (a[k * n + p], a[k * n + q]);
        (a[k * n + p], a[k * n + q]) = (cos * x - sin * y, sin * x + cos * y);
    }
    for rows in [a, v] {
        for k in 0..n {
            let (x, y) = (rows[p * n + k], rows[q * n + k]);
            (rows[p * n + k], rows[q * n + k]) = (cos * x - sin * y, sin * x + cos * y);
        }
    }
}
