//! NumPy's `.npz`: a zip archive of `.npy` arrays, by name.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::array::Array;
use super::dtype::Value;
use super::npy;
use crate::files::replace;
use crate::{Error, Place, Result};

/// A `.npz` archive that is open for reading.
///
/// ```
/// use quietgrad_lab::data::{Array, npz::{self, Reader}};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("both.npz");
/// let (x, y) = (Array::new([2], vec![1.0, 2.0]), Array::new([2], vec![3.0, 4.0]));
/// npz::write(&path, &[("x", &x), ("y", &y)])?;
/// let mut file = Reader::open(&path)?;
/// assert_eq!(file.names(), ["x", "y"]);
/// assert_eq!(file.read::<f64>("y")?, y);
/// # Ok::<(), quietgrad_lab::Error>(())
/// ```
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    archive: ZipArchive<BufReader<File>>,
    names: Vec<String>,
}

impl Reader {
    /// Opens an archive and reads its list of arrays.
    ///
    /// # Errors
    /// If it is no zip archive, or two of its files have one name, or it cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|error| Error::io(path, error))?;
        let fail = |text: String| Error::new(path, Place::File, text);
        let mut archive = ZipArchive::new(BufReader::new(file))
            .map_err(|error| fail(format!("expected a .npz archive: {error}")))?;
        if archive.has_duplicate_names() {
            return Err(fail("two of the archive's files have one name".into()));
        }
        if archive.has_overlapping_files().map_err(|error| fail(error.to_string()))? {
            return Err(fail("two of the archive's files share bytes".into()));
        }
        let mut names: Vec<String> = Vec::with_capacity(archive.len());
        for name in archive.file_names() {
            let name = name.map_err(|error| fail(format!("a file's name: {error}")))?;
            let name = name.strip_suffix(".npy").unwrap_or(&name);
            if names.iter().any(|other| other == name) {
                return Err(fail(format!("two of the archive's arrays are called {name:?}")));
            }
            names.push(name.into());
        }
        Ok(Reader { path: path.into(), archive, names })
    }

    /// The arrays' names, in the archive's order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Reads an array: packed or not, what is in memory is the array, at most as much again while it grows, and 100 kB.
    /// If its axes are in Fortran's order, twice the array.
    ///
    /// # Errors
    /// If there is no such array, or it is damaged, or its numbers are no `T` (see [`Value`]).
    pub fn read<T: Value>(&mut self, name: &str) -> Result<Array<T>> {
        let fail = |text: String| Error::new(&self.path, Place::Array(name.into()), text);
        let Some(index) = self.names.iter().position(|found| found == name) else {
            return Err(fail(format!("expected an array of this name; the archive has {:?}", self.names)));
        };
        let file = self.archive.by_index(index).map_err(|error| fail(error.to_string()))?;
        npy::read_from(file, None).map_err(fail)
    }
}

/// Writes arrays under their names, as they are.
///
/// # Errors
/// If two have one name, or the file cannot be written ([`replace`]).
pub fn write<T: Value>(path: impl AsRef<Path>, arrays: &[(&str, &Array<T>)]) -> Result<()> {
    write_by(path.as_ref(), arrays, CompressionMethod::Stored)
}

/// Writes arrays under their names, packed: smaller if there are many zeros, and slower.
///
/// # Errors
/// As [`write()`].
pub fn write_packed<T: Value>(path: impl AsRef<Path>, arrays: &[(&str, &Array<T>)]) -> Result<()> {
    write_by(path.as_ref(), arrays, CompressionMethod::Deflated)
}

fn write_by<T: Value>(path: &Path, arrays: &[(&str, &Array<T>)], method: CompressionMethod) -> Result<()> {
    replace(path, |file| {
        let mut archive = ZipWriter::new_stream(file);
        // Sizes beyond 4 GB may follow.
        let options = SimpleFileOptions::default().compression_method(method).large_file(true);
        for (name, array) in arrays {
            archive.start_file(format!("{name}.npy"), options).map_err(io::Error::from)?;
            npy::write_to(&mut archive, array)?;
        }
        archive.finish().map_err(io::Error::from)?;
        Ok(())
    })
}
