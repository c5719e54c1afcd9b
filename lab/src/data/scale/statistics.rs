//! Means, variances, extremes and covariances of columns, gathered in one pass.

use std::fmt;

use quietgrad::{Element, Tensor};

use super::{Form, Scaler, eigen};

/// Directions that vary less than the most varying one by this factor do not vary: what is left is rounding.
const NOTHING: f64 = 1e-12;

/// What a [`Scaler`] is made from, gathered piece by piece: for a training part that is larger than memory.
///
/// ```
/// use quietgrad::Tensor;
/// use quietgrad_lab::data::scale::{Scaler, Statistics};
///
/// let mut statistics = Statistics::new(1);
/// statistics.add(&Tensor::from([[1.0], [2.0]]))?;
/// statistics.add(&Tensor::from([[6.0]]))?;
/// assert_eq!(statistics.mean(), [3.0]);
/// assert_eq!(statistics.min_max(), Scaler::min_max(&Tensor::from([[1.0], [2.0], [6.0]]))?);
/// # Ok::<(), quietgrad_lab::data::scale::Unfit>(())
/// ```
#[derive(Clone, Debug)]
pub struct Statistics {
    rows: usize,
    mean: Vec<f64>,
    /// Sums of squared distances from the mean.
    squares: Vec<f64>,
    min: Vec<f64>,
    max: Vec<f64>,
    /// Sums of products of distances from the means, columns × columns, if they are gathered.
    products: Option<Vec<f64>>,
}

/// Why no statistics can be made of data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// There is no row.
    Empty,
    /// A number is NaN or infinite.
    NotFinite {
        /// Its row among all that were added, counted from 0.
        row: usize,
        /// Its column, counted from 0.
        column: usize,
    },
}

impl std::error::Error for Unfit {}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Unfit::Empty => f.write_str("no rows to take statistics of"),
            Unfit::NotFinite { row, column } => {
                write!(f, "row {row}, column {column}: expected a finite number, found NaN or an infinity")
            }
        }
    }
}

impl Statistics {
    /// Statistics of no rows yet.
    pub fn new(columns: usize) -> Self {
        Statistics {
            rows: 0,
            mean: vec![0.0; columns],
            squares: vec![0.0; columns],
            min: vec![f64::INFINITY; columns],
            max: vec![f64::NEG_INFINITY; columns],
            products: None,
        }
    }

    /// Statistics of no rows yet, with covariances: what [`whiten`](Self::whiten) needs.
    pub fn with_covariance(columns: usize) -> Self {
        Statistics { products: Some(vec![0.0; columns * columns]), ..Statistics::new(columns) }
    }

    pub(super) fn of<T: Element>(train: &Tensor<T>) -> Result<Self, Unfit> {
        Statistics::new(train.shape().last().copied().unwrap_or(0)).full(train)
    }

    pub(super) fn with_covariance_of<T: Element>(train: &Tensor<T>) -> Result<Self, Unfit> {
        Statistics::with_covariance(train.shape().last().copied().unwrap_or(0)).full(train)
    }

    fn full<T: Element>(mut self, train: &Tensor<T>) -> Result<Self, Unfit> {
        self.add(train)?;
        if self.rows == 0 { Err(Unfit::Empty) } else { Ok(self) }
    }

    /// Takes in rows, one after the other.
    ///
    /// Source: B. Welford, Note on a method for calculating corrected sums of squares and products, 1962.
    ///
    /// # Errors
    /// If a number is not finite: then the rows before it are taken in.
    ///
    /// # Panics
    /// If the rows have other columns.
    #[track_caller]
    pub fn add<T: Element>(&mut self, x: &Tensor<T>) -> Result<(), Unfit> {
        let columns = self.mean.len();
        let found = x.shape();
        assert!(
            found.rank() == 2 && found[1] == columns,
            "statistics of {columns} columns, rows of shape {found}"
        );
        let mut before = vec![0.0; columns];
        for row in x.data().chunks_exact(columns.max(1)) {
            if let Some(column) = row.iter().position(|x| !x.to_f64().is_finite()) {
                return Err(Unfit::NotFinite { row: self.rows, column });
            }
            self.rows += 1;
            for (column, x) in row.iter().enumerate() {
                let x = x.to_f64();
                before[column] = x - self.mean[column];
                self.mean[column] += before[column] / self.rows as f64;
                self.squares[column] += before[column] * (x - self.mean[column]);
                self.min[column] = self.min[column].min(x);
                self.max[column] = self.max[column].max(x);
            }
            if let Some(products) = &mut self.products {
                let after = (self.rows - 1) as f64 / self.rows as f64; // x − the new mean = after · (x − the old one)
                for (sums, a) in products.chunks_exact_mut(columns).zip(&before) {
                    sums.iter_mut().zip(&before).for_each(|(sum, b)| *sum += after * a * b);
                }
            }
        }
        Ok(())
    }

    /// The columns' means.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The columns' variances; the divisor is the number of rows.
    pub fn variance(&self) -> Vec<f64> {
        self.squares.iter().map(|square| square / self.rows as f64).collect()
    }

    /// See [`Scaler::standardize`].
    pub fn standardize(&self) -> Scaler {
        let factor = |(column, variance): (usize, f64)| {
            if self.varies(column) { variance.sqrt().recip() } else { 1.0 }
        };
        let factors = self.variance().into_iter().enumerate().map(factor).collect();
        self.scaler(self.center(), Form::Factors(factors))
    }

    /// See [`Scaler::standardize_globally`].
    pub fn standardize_globally(&self) -> Scaler {
        let variance = self.variance();
        let mean = variance.iter().sum::<f64>() / variance.len().max(1) as f64;
        let factor = if mean > 0.0 { mean.sqrt().recip() } else { 1.0 };
        self.scaler(self.center(), Form::Factors(vec![factor; variance.len()]))
    }

    /// See [`Scaler::min_max`].
    pub fn min_max(&self) -> Scaler {
        let factor =
            |column| if self.varies(column) { (self.max[column] - self.min[column]).recip() } else { 1.0 };
        let factors = (0..self.mean.len()).map(factor).collect();
        self.scaler(self.min.clone(), Form::Factors(factors))
    }

    /// See [`Scaler::min_max_globally`].
    pub fn min_max_globally(&self) -> Scaler {
        let columns = self.mean.len();
        let least = self.min.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.max.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let factor = if least < most { (most - least).recip() } else { 1.0 };
        self.scaler(vec![least; columns], Form::Factors(vec![factor; columns]))
    }

    /// See [`Scaler::whiten`].
    ///
    /// # Panics
    /// If covariances were not gathered ([`with_covariance`](Self::with_covariance)).
    #[track_caller]
    pub fn whiten(&self, epsilon: f64) -> Scaler {
        let products = self.products.as_ref().expect("statistics with covariance");
        let columns = self.mean.len();
        let covariance = products.iter().map(|product| product / self.rows as f64).collect();
        let (values, vectors) = eigen::symmetric(covariance, columns);
        let largest = values.iter().copied().fold(0.0, f64::max);
        // matrix = Σ over directions of factor · v vᵀ
        let sum = |factor: &dyn Fn(f64) -> f64| {
            let mut matrix = vec![0.0; columns * columns];
            for (&value, v) in values.iter().zip(vectors.chunks_exact(columns.max(1))) {
                let factor = if value > NOTHING * largest { factor(value + epsilon) } else { 1.0 };
                for (row, a) in matrix.chunks_exact_mut(columns).zip(v) {
                    row.iter_mut().zip(v).for_each(|(m, b)| *m += factor * a * b);
                }
            }
            matrix
        };
        let form = Form::Matrix { matrix: sum(&|value| value.sqrt().recip()), inverse: sum(&f64::sqrt) };
        self.scaler(self.center(), form)
    }

    fn varies(&self, column: usize) -> bool {
        self.min[column] < self.max[column]
    }

    /// The means; of a constant column the constant itself, so that it becomes 0 exactly.
    fn center(&self) -> Vec<f64> {
        let center = |column| if self.varies(column) { self.mean[column] } else { self.min[column] };
        (0..self.mean.len()).map(center).collect()
    }

    #[track_caller]
    fn scaler(&self, shift: Vec<f64>, form: Form) -> Scaler {
        assert!(self.rows > 0, "no rows to take statistics of");
        let constant = (0..self.mean.len()).filter(|&column| !self.varies(column)).collect();
        Scaler { shift, form, constant }
    }
}
