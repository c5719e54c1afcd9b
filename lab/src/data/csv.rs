//! Tables as text: rows of cells between commas, or other marks.
//!
//! Columns hold numbers unless they are named as words. A value that is missing is never a 0: it is an error that names its
//! line and column, or a NaN if asked for, or its row is left out. What only looks like a number (a decimal comma, an
//! amount too large) is an error too.
//!
//! Source of the format: Y. Shafranovich, RFC 4180.

mod lines;
mod reader;

use std::path::Path;

use super::array::Array;
use super::dtype::Value;
use crate::files::replace;
use crate::{Error, Place, Result};

pub use reader::{Reader, Row};

/// How a table is written in its file. Whether it has a header must be said: a first row of numbers may be either.
///
/// ```
/// use quietgrad_lab::data::csv::{Missing, Options, read};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("irises.csv");
/// # std::fs::write(&path, "length;width;kind\n5.1;3.5;setosa\nNA;3.2;virginica\n").unwrap();
/// let options = Options::with_header().delimiter(b';').words(["kind"]);
/// let error = read::<f32>(&path, &options).unwrap_err();
/// assert!(error.to_string().ends_with("line 3, column 1 (\"length\"): the value is missing (\"NA\")"));
///
/// let table = read::<f32>(&path, &options.missing(Missing::Nan))?;
/// assert_eq!(table.names, ["length", "width"]);
/// assert!(table.numbers.data()[2].is_nan());
/// assert_eq!(table.missing, [(1, 0)]);
/// assert_eq!(table.classes("kind").unwrap(), (vec![0, 1], vec!["setosa".into(), "virginica".into()]));
/// # Ok::<(), quietgrad_lab::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    header: bool,
    delimiter: u8,
    missing: Missing,
    missing_words: Vec<String>,
    words: Vec<String>,
}

/// What becomes of a row in which a number is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It is an error, which names the cell.
    Refuse,
    /// The number is NaN, and [`Table::missing`] lists it. Only for floats.
    Nan,
    /// The row is left out, and [`Table::left_out`] lists it.
    LeaveOut,
}

/// A table that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Table<T> {
    /// The names of the columns of numbers; `column 1` and so on if the file has no header.
    pub names: Vec<String>,
    /// The numbers: rows × columns of numbers.
    pub numbers: Array<T>,
    /// The columns of words: name and words, as many as there are rows.
    pub words: Vec<(String, Vec<String>)>,
    /// The row and the column, in `numbers`, of each number that is missing.
    pub missing: Vec<(usize, usize)>,
    /// The lines of the file on which rows begin that were left out.
    pub left_out: Vec<u64>,
}

impl Options {
    /// The first row names the columns.
    pub fn with_header() -> Self {
        let missing_words = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"];
        Options {
            header: true,
            delimiter: b',',
            missing: Missing::Refuse,
            missing_words: missing_words.map(String::from).into(),
            words: Vec::new(),
        }
    }

    /// The first row is data; columns are called `column 1`, `column 2` and so on.
    pub fn without_header() -> Self {
        Options { header: false, ..Options::with_header() }
    }

    /// What stands between cells; a comma unless something else is said.
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = delimiter;
        self
    }

    /// What becomes of a row in which a number is missing; [`Missing::Refuse`] unless something else is said.
    pub fn missing(mut self, missing: Missing) -> Self {
        self.missing = missing;
        self
    }

    /// The words that mean a missing number. Unless said otherwise: nothing at all, `NA`, `N/A`, `NaN`, `nan`, `null`, `NULL`,
    /// `None`, `?`.
    pub fn missing_words(mut self, words: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.missing_words = words.into_iter().map(Into::into).collect();
        self
    }

    /// The columns of these names hold words, not numbers.
    pub fn words(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.words = names.into_iter().map(Into::into).collect();
        self
    }
}

impl<T> Table<T> {
    /// A column of words as numbers of classes, and the classes' words in alphabetic order; `None` if there is no such column.
    #[expect(clippy::missing_panics_doc, reason = "every word is among the classes")]
    pub fn classes(&self, name: &str) -> Option<(Vec<usize>, Vec<String>)> {
        let (_, words) = self.words.iter().find(|(column, _)| column == name)?;
        let mut classes = words.clone();
        classes.sort_unstable();
        classes.dedup();
        let number = |word: &String| classes.binary_search(word).expect("every word is among the classes");
        Some((words.iter().map(number).collect(), classes))
    }

    /// The number of a column of numbers.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|column| column == name)
    }
}

/// Reads a table. In memory are its numbers, its words, at most as much again while they grow, and one row of text.
///
/// # Errors
/// If a cell is missing or no `T`, or a row has more or fewer cells than the first, or a quotation mark is not closed, or
/// a column of words does not exist, or the file cannot be read.
pub fn read<T: Value>(path: impl AsRef<Path>, options: &Options) -> Result<Table<T>> {
    let mut reader = Reader::<T>::open(path, options)?;
    let (mut row, mut data, mut rows) = (Row::default(), Vec::new(), 0);
    let (mut missing, mut left_out) = (Vec::new(), Vec::new());
    let mut words: Vec<_> = reader.words().iter().map(|name| (name.clone(), Vec::new())).collect();
    while reader.read(&mut row)? {
        if !row.missing.is_empty() && options.missing == Missing::LeaveOut {
            left_out.push(row.line);
            continue;
        }
        data.extend_from_slice(&row.numbers);
        words.iter_mut().zip(&row.words).for_each(|((_, column), word)| column.push(word.clone()));
        missing.extend(row.missing.iter().map(|&column| (rows, column)));
        rows += 1;
    }
    let names = reader.names().to_vec();
    let numbers = Array::new([rows, names.len()], data);
    Ok(Table { names, numbers, words, missing, left_out })
}

/// Writes a table with a header: each number with as many digits as it takes to read it back exactly, NaN as `NaN`.
///
/// # Errors
/// If the array is not one of rows and columns with as many columns as names, or the file cannot be written ([`replace`]).
pub fn write<T: Value>(path: impl AsRef<Path>, names: &[&str], table: &Array<T>) -> Result<()> {
    let path = path.as_ref();
    if table.shape().len() != 2 || table.shape()[1] != names.len() {
        let text = format!(
            "expected a table of {} columns, found an array of shape {:?}",
            names.len(),
            table.shape()
        );
        return Err(Error::new(path, Place::File, text));
    }
    replace(path, |file| {
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(names)?;
        for row in table.data().chunks_exact(names.len().max(1)) {
            writer.write_record(row.iter().map(|x| format!("{x:?}")))?;
        }
        writer.flush()
    })
}
