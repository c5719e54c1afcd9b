//! What can be wrong with a file, and where in it.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::{fmt, io};

/// A result whose error names a file.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a file could not be read or written: its path, the place in it, and what was expected there.
///
/// ```
/// use quietgrad_lab::params;
/// use quietgrad::Params;
///
/// let error = params::load("no/such/file", &mut Params::<f32>::new()).unwrap_err();
/// assert!(error.to_string().starts_with("no/such/file: "));
/// ```
#[derive(Debug)]
pub struct Error {
    path: PathBuf,
    place: Place,
    problem: Problem,
}

/// Where in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The file as a whole.
    File,
    /// A line of a text, counted from 1.
    Line(u64),
    /// A cell of a table: its line and column, both counted from 1, and the column's name if it has one.
    Cell {
        /// The line on which the cell's row begins.
        line: u64,
        /// The number of the column.
        column: usize,
        /// The column's name.
        name: Option<String>,
    },
    /// An array of this name.
    Array(String),
    /// Rows of an array, counted from 0.
    Rows(Range<usize>),
}

/// How a file's parameters differ from a model's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The model has this parameter, the file has not.
    Missing(String),
    /// The file has this array, the model has no such parameter.
    Extra(String),
    /// Both have it, in different shapes.
    Shape {
        /// The parameter.
        name: String,
        /// Its shape in the model.
        model: Vec<usize>,
        /// Its shape in the file.
        file: Vec<usize>,
    },
}

#[derive(Debug)]
enum Problem {
    Io(io::Error),
    Text(String),
    Mismatches(Vec<Mismatch>),
}

impl Error {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The place in the file.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// All differences between a file's parameters and a model's; empty if the problem is another.
    pub fn mismatches(&self) -> &[Mismatch] {
        match &self.problem {
            Problem::Mismatches(all) => all,
            _ => &[],
        }
    }

    pub(crate) fn io(path: &Path, error: io::Error) -> Self {
        Error { path: path.into(), place: Place::File, problem: Problem::Io(error) }
    }

    pub(crate) fn new(path: &Path, place: Place, text: impl Into<String>) -> Self {
        Error { path: path.into(), place, problem: Problem::Text(text.into()) }
    }

    pub(crate) fn mismatch(path: &Path, all: Vec<Mismatch>) -> Self {
        Error { path: path.into(), place: Place::File, problem: Problem::Mismatches(all) }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            Problem::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.place)?;
        match &self.problem {
            Problem::Io(error) => error.fmt(f),
            Problem::Text(text) => f.write_str(text),
            Problem::Mismatches(all) => {
                f.write_str("the file's parameters are not the model's")?;
                all.iter().try_for_each(|mismatch| write!(f, "\n  {mismatch}"))
            }
        }
    }
}

/// The place with a colon after it, or nothing for the file as a whole.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Place::File => Ok(()),
            Place::Line(line) => write!(f, "line {line}: "),
            Place::Cell { line, column, name: None } => write!(f, "line {line}, column {column}: "),
            Place::Cell { line, column, name: Some(name) } => {
                write!(f, "line {line}, column {column} ({name:?}): ")
            }
            Place::Array(name) => write!(f, "{name:?}: "),
            Place::Rows(rows) => write!(f, "rows {} to {}: ", rows.start, rows.end),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Mismatch::Missing(name) => write!(f, "{name:?} is missing in the file"),
            Mismatch::Extra(name) => write!(f, "{name:?} is in the file and not in the model"),
            Mismatch::Shape { name, model, file } => {
                write!(f, "{name:?} has shape {model:?} in the model and {file:?} in the file")
            }
        }
    }
}
