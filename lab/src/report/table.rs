//! Tables for pages of Markdown, which a program keeps in step with what it measured.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::files::replace;
use crate::{Error, Result};

/// A table: the first column is aligned to the left, the others to the right.
///
/// ```
/// use quietgrad_lab::report::Table;
///
/// let mut table = Table::new(&["way", "active"]);
/// table.row(["no penalty".to_owned(), format!("{:.1}", 101.0)]);
/// table.row(["l1".to_owned(), format!("{:.1}", 29.5)]);
/// assert_eq!(
///     table.to_string(),
///     "\
/// | way        | active |
/// | :--------- | -----: |
/// | no penalty |  101.0 |
/// | l1         |   29.5 |
/// ",
/// );
/// ```
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub fn new(headings: &[&str]) -> Self {
        Table { rows: vec![headings.iter().map(|&heading| heading.to_owned()).collect()] }
    }

    /// Adds a row.
    ///
    /// # Panics
    /// If it has more or fewer cells than there are headings.
    #[track_caller]
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let row: Vec<String> = cells.into_iter().collect();
        assert_eq!(row.len(), self.rows[0].len(), "row: a cell for each heading");
        self.rows.push(row);
    }

    /// Writes the table to `docs/tables/name.md`, and into each page of `docs` between the lines
    /// `<!-- tables/name.md -->` and `<!-- end -->`.
    ///
    /// # Errors
    /// If a file cannot be read or written, or a page has a beginning without an end.
    pub fn publish(&self, docs: impl AsRef<Path>, name: &str) -> Result<()> {
        let docs = docs.as_ref();
        let text = self.to_string();
        replace(docs.join("tables").join(name).with_extension("md"), |file| file.write_all(text.as_bytes()))?;
        let begin = format!("<!-- tables/{name}.md -->\n");
        let pages = fs::read_dir(docs).map_err(|error| Error::io(docs, error))?;
        for page in pages {
            let path = page.map_err(|error| Error::io(docs, error))?.path();
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let old = fs::read_to_string(&path).map_err(|error| Error::io(&path, error))?;
            let Some((before, rest)) = old.split_once(&begin) else { continue };
            let Some((_, after)) = rest.split_once("<!-- end -->") else {
                return Err(Error::new(&path, crate::Place::File, format!("no end of {name}")));
            };
            let new = format!("{before}{begin}\n{text}\n<!-- end -->{after}");
            replace(&path, |file| file.write_all(new.as_bytes()))?;
        }
        Ok(())
    }
}

/// Markdown.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let length = |cell: &String| cell.chars().count();
        let columns = self.rows[0].len();
        let wide: Vec<usize> = (0..columns)
            .map(|i| self.rows.iter().map(|row| length(&row[i])).max().unwrap_or(0).max(2))
            .collect();
        for (number, row) in self.rows.iter().enumerate() {
            for (i, cell) in row.iter().enumerate() {
                let wide = wide[i];
                if i == 0 { write!(f, "| {cell:wide$} ")? } else { write!(f, "| {cell:>wide$} ")? }
            }
            writeln!(f, "|")?;
            if number == 0 {
                for (i, &wide) in wide.iter().enumerate() {
                    let line = "-".repeat(wide - 1);
                    if i == 0 { write!(f, "| :{line} ")? } else { write!(f, "| {line}: ")? }
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}
