//! A table read row by row.

use std::fs::File;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ReaderBuilder};

use super::lines::{Kept, Lines};
use super::{Missing, Options};
use crate::data::Value;
use crate::{Error, Place, Result};

/// A table that is open for reading, a row at a time: for one that is larger than memory.
///
/// ```
/// use quietgrad_lab::data::csv::{Options, Reader, Row};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("x.csv");
/// # std::fs::write(&path, "a,b\n1,2\n3,4\n").unwrap();
/// let mut reader = Reader::<f64>::open(&path, &Options::with_header())?;
/// let (mut row, mut sum) = (Row::default(), 0.0);
/// while reader.read(&mut row)? {
///     sum += row.numbers[1];
/// }
/// assert_eq!(sum, 6.0);
/// # Ok::<(), quietgrad_lab::Error>(())
/// ```
#[derive(Debug)]
pub struct Reader<T> {
    path: PathBuf,
    csv: csv::Reader<Kept<File>>,
    options: Options,
    record: ByteRecord,
    /// Whether `record` holds the first row of data already.
    first: bool,
    /// What the columns are called, all of them, and whether each holds words.
    columns: Vec<(String, bool)>,
    names: Vec<String>,
    words: Vec<String>,
    lines: Lines,
    numbers: PhantomData<T>,
}

/// A row of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row<T> {
    /// The line of the file on which it begins, counted from 1.
    pub line: u64,
    /// Its numbers.
    pub numbers: Vec<T>,
    /// Its words, from the columns that hold words.
    pub words: Vec<String>,
    /// Which of its numbers are missing.
    pub missing: Vec<usize>,
}

impl<T: Value> Reader<T> {
    /// Opens a table and reads its header, if it has one.
    ///
    /// # Errors
    /// If the file cannot be read, or is none of UTF-8, or has two columns of one name, or lacks a column of words.
    pub fn open(path: impl AsRef<Path>, options: &Options) -> Result<Self> {
        let path = path.as_ref();
        let fail = |text: &str| Error::new(path, Place::File, text);
        if options.missing == Missing::Nan && T::parse("NaN").is_none() {
            return Err(fail(&format!(
                "a missing {} cannot be NaN: refuse it or leave its row out",
                T::DTYPE
            )));
        }
        let file = File::open(path).map_err(|error| Error::io(path, error))?;
        let csv = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(options.delimiter)
            .from_reader(Kept::new(file));
        let mut reader = Reader {
            path: path.into(),
            csv,
            options: options.clone(),
            record: ByteRecord::new(),
            first: true,
            columns: Vec::new(),
            names: Vec::new(),
            words: Vec::new(),
            lines: Lines::default(),
            numbers: PhantomData,
        };
        if !reader.advance()? {
            return Err(fail("expected a table, found no line"));
        }
        let first = reader.record.get(0).unwrap_or_default();
        if first.starts_with(b"\xff\xfe") || first.starts_with(b"\xfe\xff") {
            return Err(fail("expected UTF-8, found the mark of UTF-16"));
        }
        reader.name_columns()?;
        if options.header {
            reader.first = false;
        }
        Ok(reader)
    }

    /// The names of the columns of numbers.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The names of the columns of words.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Reads the next row; `false` if there is none.
    ///
    /// # Errors
    /// If a cell is missing (unless the options allow it) or no `T`, or the row has more or fewer cells than the first, or a
    /// quotation mark is not closed, or the file cannot be read.
    pub fn read(&mut self, row: &mut Row<T>) -> Result<bool> {
        if self.first {
            self.first = false;
        } else if !self.advance()? {
            return Ok(false);
        }
        row.line = self.lines.record;
        row.numbers.clear();
        row.words.clear();
        row.missing.clear();
        if self.record.len() != self.columns.len() {
            let text = format!(
                "expected {} cells as in the first row, found {}",
                self.columns.len(),
                self.record.len()
            );
            return Err(Error::new(&self.path, Place::Line(row.line), text));
        }
        for (column, (cell, (_, words))) in self.record.iter().zip(&self.columns).enumerate() {
            let fail = |text: String| self.fail(row.line, column, text);
            let text = str::from_utf8(cell).map_err(|_| fail("expected UTF-8".into()))?;
            if *words {
                row.words.push(text.to_owned());
                continue;
            }
            let text = text.trim();
            if self.options.missing_words.iter().any(|word| word == text) {
                if self.options.missing == Missing::Refuse {
                    return Err(fail(format!("the value is missing ({text:?})")));
                }
                row.missing.push(row.numbers.len());
                row.numbers.push(T::parse("NaN").unwrap_or_default());
            } else {
                row.numbers.push(T::parse(text).ok_or_else(|| fail(why_no_number::<T>(text)))?);
            }
        }
        Ok(true)
    }

    /// Reads the next record, and finds the line on which it begins.
    fn advance(&mut self) -> Result<bool> {
        let before = self.csv.position().byte();
        let there = match self.csv.read_byte_record(&mut self.record) {
            Ok(there) => there,
            Err(error) => {
                return Err(Error::new(&self.path, Place::Line(self.lines.next), error.to_string()));
            }
        };
        let bytes = (self.csv.position().byte() - before) as usize;
        let expected = self.lines.next;
        let quotes = self.lines.pass(self.csv.get_mut().take(bytes));
        if !there {
            return Ok(false);
        }
        let fail = |line, text| Err(Error::new(&self.path, Place::Line(line), text));
        if quotes % 2 == 1 {
            return fail(
                self.lines.record,
                "a quotation mark is not closed, or stands in a cell without quotes",
            );
        }
        if self.columns.len() == 1 && self.lines.record > expected {
            return fail(expected, "an empty line in a table of one column: is its value missing?");
        }
        Ok(true)
    }

    /// Names the columns by the first record, or by number, and finds those of words among them.
    fn name_columns(&mut self) -> Result<()> {
        let line = self.lines.record;
        for column in 0..self.record.len() {
            let name = if self.options.header {
                let cell = str::from_utf8(&self.record[column]);
                let text = "expected a column's name in UTF-8".to_owned();
                cell.map_err(|_| self.fail(line, column, text))?.trim().to_owned()
            } else {
                format!("column {}", column + 1)
            };
            if self.columns.iter().any(|(other, _)| *other == name) {
                return Err(self.fail(line, column, format!("two columns are called {name:?}")));
            }
            let words = self.options.words.contains(&name);
            if words { &mut self.words } else { &mut self.names }.push(name.clone());
            self.columns.push((name, words));
        }
        match self.options.words.iter().find(|name| !self.words.contains(name)) {
            Some(name) => {
                let text = format!("expected a column {name:?} of words; the columns are {:?}", self.names);
                Err(Error::new(&self.path, Place::Line(line), text))
            }
            None => Ok(()),
        }
    }

    fn fail(&self, line: u64, column: usize, text: String) -> Error {
        let name = self.columns.get(column).filter(|_| self.options.header).map(|(name, _)| name.clone());
        Error::new(&self.path, Place::Cell { line, column: column + 1, name }, text)
    }
}

/// What is wrong with a cell that is no number.
fn why_no_number<T: Value>(text: &str) -> String {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.trim_start_matches(['+', '-']);
    let comma = unsigned.split_once(',').is_some_and(|(whole, rest)| {
        digits(&whole.replace(['.', ' ', '\''], ""))
            && digits(rest.split(['e', 'E', ',', '.']).next().unwrap_or_default())
    });
    if comma {
        format!("expected a decimal point, found a comma in {text:?}")
    } else if text.contains([';', '\t', '|']) {
        format!("{text:?} is no {}: are the cells separated by another mark?", T::DTYPE)
    } else {
        format!("{text:?} is no {}; if the column holds words, name it in `words`", T::DTYPE)
    }
}
