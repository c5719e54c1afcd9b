//! Columns brought to a common size, by statistics of the training part alone.
//!
//! A [`Scaler`] is made from the training part once, saved with the model, and applied to every part: what validation and test
//! data look like must not leak into it.

mod eigen;
mod statistics;

use std::path::Path;

use quietgrad::{Element, Tensor};

use super::array::Array;
use super::safetensors::{self, Reader};
use crate::{Error, Place, Result};

pub use statistics::{Statistics, Unfit};

/// x ↦ (x − shift) · factor, column by column, or (x − shift) · matrix: rows of a table brought to a common size.
///
/// ```
/// use quietgrad::Tensor;
/// use quietgrad_lab::data::scale::Scaler;
///
/// let train = Tensor::from([[1.0, 10.0, 5.0], [3.0, 30.0, 5.0]]);
/// let scaler = Scaler::standardize(&train)?;
/// assert_eq!(scaler.apply(&train), Tensor::from([[-1.0, -1.0, 0.0], [1.0, 1.0, 0.0]]));
/// assert_eq!(scaler.constant(), [2], "the last column says nothing");
/// let test = Tensor::from([[2.0, 40.0, 5.0]]);
/// assert_eq!(scaler.undo(&scaler.apply(&test)), test);
/// # Ok::<(), quietgrad_lab::data::scale::Unfit>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Scaler {
    shift: Vec<f64>,
    form: Form,
    constant: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq)]
enum Form {
    /// One factor a column.
    Factors(Vec<f64>),
    /// Columns × columns, symmetric, and its inverse.
    Matrix { matrix: Vec<f64>, inverse: Vec<f64> },
}

impl Scaler {
    /// Each column gets mean 0 and standard deviation 1 (that of the whole set: the divisor is the number of rows).
    ///
    /// Under a penalty on activities beware of columns that are almost always one value: their rare other values become huge.
    ///
    /// # Errors
    /// If there are no rows, or a number is not finite.
    pub fn standardize<T: Element>(train: &Tensor<T>) -> Result<Self, Unfit> {
        Ok(Statistics::of(train)?.standardize())
    }

    /// Each column gets mean 0, and all are divided by one number, the root of their mean variance: what varies little stays
    /// small beside what varies much.
    ///
    /// # Errors
    /// As [`standardize`](Self::standardize).
    pub fn standardize_globally<T: Element>(train: &Tensor<T>) -> Result<Self, Unfit> {
        Ok(Statistics::of(train)?.standardize_globally())
    }

    /// Each column reaches from 0 to 1.
    ///
    /// # Errors
    /// As [`standardize`](Self::standardize).
    pub fn min_max<T: Element>(train: &Tensor<T>) -> Result<Self, Unfit> {
        Ok(Statistics::of(train)?.min_max())
    }

    /// All columns together reach from 0 to 1: one shift and one factor for all, as for the pixels of images. What varies little
    /// stays small beside what varies much, and a column that is constant stays what it is beside the others.
    ///
    /// ```
    /// use quietgrad::Tensor;
    /// use quietgrad_lab::data::scale::Scaler;
    ///
    /// let pixels = Tensor::from([[0.0, 8.0], [4.0, 16.0]]);
    /// let scaler = Scaler::min_max_globally(&pixels)?;
    /// assert_eq!(scaler.apply(&pixels), Tensor::from([[0.0, 0.5], [0.25, 1.0]]));
    /// # Ok::<(), quietgrad_lab::data::scale::Unfit>(())
    /// ```
    ///
    /// # Errors
    /// As [`standardize`](Self::standardize).
    pub fn min_max_globally<T: Element>(train: &Tensor<T>) -> Result<Self, Unfit> {
        Ok(Statistics::of(train)?.min_max_globally())
    }

    /// Columns get mean 0 and become uncorrelated, of variance λ / (λ + `epsilon`) in each of the directions in which the
    /// data vary by λ, and turned as little as possible (ZCA). Directions without variance stay as they are.
    ///
    /// Takes columns² memory and columns³ time: for some hundred columns.
    ///
    /// Source: A. Bell and T. Sejnowski, The "independent components" of natural scenes are edge filters, 1997.
    ///
    /// # Errors
    /// As [`standardize`](Self::standardize).
    pub fn whiten<T: Element>(train: &Tensor<T>, epsilon: f64) -> Result<Self, Unfit> {
        Ok(Statistics::with_covariance_of(train)?.whiten(epsilon))
    }

    /// The columns that were constant in the training part: they are not magnified elsewhere, and become 0 there (but with
    /// [`min_max_globally`](Self::min_max_globally)).
    pub fn constant(&self) -> &[usize] {
        &self.constant
    }

    /// The names, among those of all columns, of the columns that were constant in the training part.
    ///
    /// # Panics
    /// If there are fewer names than columns.
    #[track_caller]
    pub fn constant_among<'a>(&self, names: &'a [String]) -> Vec<&'a str> {
        self.constant.iter().map(|&column| &names[column][..]).collect()
    }

    /// The scaled rows.
    ///
    /// # Panics
    /// If the number of columns is not that of the training part.
    #[track_caller]
    pub fn apply<T: Element>(&self, x: &Tensor<T>) -> Tensor<T> {
        self.each_row(x, |row| {
            row.iter_mut().zip(&self.shift).for_each(|(x, shift)| *x -= shift);
            match &self.form {
                Form::Factors(factors) => row.iter_mut().zip(factors).for_each(|(x, factor)| *x *= factor),
                Form::Matrix { matrix, .. } => times(row, matrix),
            }
        })
    }

    /// The rows that [`apply`](Self::apply) would scale to these.
    ///
    /// # Panics
    /// If the number of columns is not that of the training part.
    #[track_caller]
    pub fn undo<T: Element>(&self, x: &Tensor<T>) -> Tensor<T> {
        self.each_row(x, |row| {
            match &self.form {
                Form::Factors(factors) => row.iter_mut().zip(factors).for_each(|(x, factor)| *x /= factor),
                Form::Matrix { inverse, .. } => times(row, inverse),
            }
            row.iter_mut().zip(&self.shift).for_each(|(x, shift)| *x += shift);
        })
    }

    /// Saves the statistics, in double precision, as a safetensors file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let columns = self.shift.len();
        let array = |data: &Vec<f64>| Array::new([columns], data.clone());
        let constant = Array::new([self.constant.len()], self.constant.iter().map(|&i| i as f64).collect());
        let shift = array(&self.shift);
        match &self.form {
            Form::Factors(factors) => {
                let parts = [("shift", &shift), ("factors", &array(factors)), ("constant", &constant)];
                safetensors::write(path, &parts)
            }
            Form::Matrix { matrix, inverse } => {
                let square = |data: &Vec<f64>| Array::new([columns, columns], data.clone());
                let (matrix, inverse) = (square(matrix), square(inverse));
                let parts =
                    [("shift", &shift), ("matrix", &matrix), ("inverse", &inverse), ("constant", &constant)];
                safetensors::write(path, &parts)
            }
        }
    }

    /// Loads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// If the file is none of that, or cannot be read.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut file = Reader::open(path)?;
        let shift = file.read::<f64>("shift")?;
        let columns = shift.data().len();
        let has_factors = file.shape("factors").is_some();
        let mut read = |name: &str, shape: &[usize]| {
            let array = file.read::<f64>(name)?;
            if array.shape() == shape {
                return Ok(array.into_data());
            }
            let text = format!("expected shape {shape:?}, found {:?}", array.shape());
            Err(Error::new(path, Place::Array(name.into()), text))
        };
        let form = if has_factors {
            Form::Factors(read("factors", &[columns])?)
        } else {
            let matrix = read("matrix", &[columns, columns])?;
            Form::Matrix { matrix, inverse: read("inverse", &[columns, columns])? }
        };
        let constant: Vec<usize> =
            file.read::<u64>("constant")?.into_data().into_iter().map(|i| i as usize).collect();
        if let Some(column) = constant.iter().find(|&&column| column >= columns) {
            let text = format!("expected columns below {columns}, found {column}");
            return Err(Error::new(path, Place::Array("constant".into()), text));
        }
        Ok(Scaler { shift: shift.into_data(), form, constant })
    }

    #[track_caller]
    fn each_row<T: Element>(&self, x: &Tensor<T>, scale: impl Fn(&mut [f64])) -> Tensor<T> {
        let columns = self.shift.len();
        let found = x.shape();
        assert!(found.rank() == 2 && found[1] == columns, "a scaler of {columns} columns on shape {found}");
        let mut out = Vec::with_capacity(x.data().len());
        let mut row = vec![0.0; columns];
        for from in x.data().chunks_exact(columns.max(1)) {
            row.iter_mut().zip(from).for_each(|(to, x)| *to = x.to_f64());
            scale(&mut row);
            out.extend(row.iter().map(|&x| T::from_f64(x)));
        }
        Tensor::new(x.shape().clone(), out).expect("as many numbers")
    }
}

/// row ← row · matrix, for a square, symmetric matrix.
fn times(row: &mut [f64], matrix: &[f64]) {
    let columns = row.len();
    let dot = |other: &[f64]| row.iter().zip(other).map(|(a, b)| a * b).sum();
    let product: Vec<f64> = matrix.chunks_exact(columns).map(dot).collect();
    row.copy_from_slice(&product);
}
