//! Rows of an array on the disk, read where they stand.

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::array::{elements, read_numbers};
use super::dtype::{Dtype, Order, Value};
use super::{idx, npy_header, safetensors};
use crate::{Error, Place, Result};

/// An array whose rows can be read one range at a time.
#[derive(Debug)]
pub(crate) struct Rows {
    path: PathBuf,
    file: File,
    dtype: Dtype,
    order: Order,
    /// Where the first row begins.
    start: u64,
    count: usize,
    /// The sizes of a row.
    shape: Vec<usize>,
    /// Their product.
    width: usize,
}

impl Rows {
    pub fn open_npy(path: &Path) -> Result<Self> {
        let (file, length) = open(path)?;
        let fail = |text| Error::new(path, Place::File, text);
        let header = npy_header::Header::read(&mut BufReader::new(&file)).map_err(fail)?;
        header.check_length(elements(&header.shape).map_err(fail)?, length).map_err(fail)?;
        if header.fortran && header.shape.len() > 1 {
            return Err(fail("expected rows one after the other, found axes in Fortran's order".into()));
        }
        Rows::new(path, file, header.dtype, header.order, header.start, &header.shape)
    }

    pub fn open_safetensors(path: &Path, name: &str) -> Result<Self> {
        let (dtype, shape, start) = safetensors::Reader::open(path)?.locate(name)?;
        Rows::new(path, open(path)?.0, dtype, Order::Little, start, &shape)
    }

    pub fn open_idx(path: &Path) -> Result<Self> {
        let (file, length) = open(path)?;
        let header = idx::Header::read(&mut BufReader::new(&file), length)
            .map_err(|text| Error::new(path, Place::File, text))?;
        Rows::new(path, file, header.dtype, Order::Big, header.start, &header.shape)
    }

    fn new(path: &Path, file: File, dtype: Dtype, order: Order, start: u64, shape: &[usize]) -> Result<Self> {
        let fail = |text: String| Error::new(path, Place::File, text);
        elements(shape).map_err(fail)?;
        let Some((&count, shape)) = shape.split_first() else {
            return Err(fail("expected rows, found a single number".into()));
        };
        let width = elements(shape).map_err(fail)?;
        if width == 0 {
            return Err(fail(format!("expected rows, found {count} of no numbers")));
        }
        Ok(Rows { path: path.into(), file, dtype, order, start, count, shape: shape.into(), width })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many rows there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The sizes of a row.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The numbers of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Appends the numbers of these rows.
    pub fn read<T: Value>(&mut self, rows: Range<usize>, to: &mut Vec<T>) -> Result<()> {
        let bytes = (self.width * self.dtype.size()) as u64;
        self.file
            .seek(SeekFrom::Start(self.start + rows.start as u64 * bytes))
            .map_err(|error| Error::io(&self.path, error))?;
        let count = rows.len() * self.width;
        read_numbers(&mut self.file, self.dtype, self.order, count, to)
            .map_err(|text| Error::new(&self.path, Place::Rows(rows), text))
    }
}

fn open(path: &Path) -> Result<(File, u64)> {
    let file = File::open(path).map_err(|error| Error::io(path, error))?;
    let length = file.metadata().map_err(|error| Error::io(path, error))?.len();
    Ok((file, length))
}
