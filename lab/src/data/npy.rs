//! NumPy's `.npy`: one array behind a short header.
//!
//! Versions 1 to 3, both orders of axes and of bytes, booleans, whole numbers, half, single and double precision. The header
//! is read by hand, because the reader that exists trusts the sizes in it (see decision 0022).
//!
//! Source: NumPy Enhancement Proposal 1 and `numpy.lib.format`.

use std::fs::File;
use std::io::{BufReader, Read, Seek, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use super::array::{Array, elements, read_numbers, write_numbers};
use super::dtype::{Dtype, Order, Value};
use super::npy_header::Header;
use crate::files::{Part, replace};
use crate::{Error, Place, Result};

/// Reads an array. At most the array and 64 kB are in memory; twice the array if the file has its axes in Fortran's order.
///
/// # Errors
/// If the file is none of this format, or shorter or longer than its header says, or its numbers are no `T` (see
/// [`Value`]), or it cannot be read.
///
/// ```
/// use quietgrad_lab::data::{Array, npy};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("x.npy");
/// npy::write(&path, &Array::new([2, 2], vec![1.0f32, 2.0, 3.0, 4.0]))?;
/// let x = npy::read::<f64>(&path)?;
/// assert_eq!((x.shape(), x.data()), (&[2, 2][..], &[1.0, 2.0, 3.0, 4.0][..]));
/// # Ok::<(), quietgrad_lab::Error>(())
/// ```
pub fn read<T: Value>(path: impl AsRef<Path>) -> Result<Array<T>> {
    let path = path.as_ref();
    let file = File::open(path).map_err(|error| Error::io(path, error))?;
    let length = file.metadata().map_err(|error| Error::io(path, error))?.len();
    read_from(BufReader::new(file), Some(length)).map_err(|text| Error::new(path, Place::File, text))
}

/// Writes an array: version 1, little end first, in row-major order.
///
/// # Errors
/// If the file cannot be written ([`replace`]).
pub fn write<T: Value>(path: impl AsRef<Path>, array: &Array<T>) -> Result<()> {
    replace(path, |file| write_to(file, array))
}

/// Writes an array row by row: one that is larger than memory, or whose number of rows is not known beforehand.
///
/// The file gets its name when [`finish`](Self::finish) is called; without that nothing is left of it.
///
/// ```
/// use quietgrad_lab::data::npy;
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("codes.npy");
/// let mut writer = npy::Writer::<f32>::create(&path, &[3])?;
/// for batch in [vec![1.0, 2.0, 3.0], vec![4.0, 5.0, 6.0, 7.0, 8.0, 9.0]] {
///     writer.rows(&batch)?;
/// }
/// writer.finish()?;
/// assert_eq!(npy::read::<f32>(&path)?.shape(), [3, 3]);
/// # Ok::<(), quietgrad_lab::Error>(())
/// ```
#[derive(Debug)]
pub struct Writer<T> {
    path: PathBuf,
    part: Part,
    /// The number of rows, then the sizes of a row.
    shape: Vec<usize>,
    width: usize,
    numbers: PhantomData<T>,
}

impl<T: Value> Writer<T> {
    /// Begins a file of rows with these sizes.
    ///
    /// # Errors
    /// If the file cannot be written, or there are too many sizes, or a row has no numbers.
    pub fn create(path: impl AsRef<Path>, row_shape: &[usize]) -> Result<Self> {
        let path = path.as_ref();
        let shape = [&[0], row_shape].concat();
        let fail = |text| Error::new(path, Place::File, text);
        elements(&shape).map_err(fail)?;
        let width = elements(row_shape).map_err(fail)?;
        if width == 0 {
            return Err(fail("rows of no numbers cannot be counted".into()));
        }
        let mut part = Part::beside(path).map_err(|error| Error::io(path, error))?;
        // The header is written again when the number of rows is known: as long as it can become.
        part.write_all(&Header::text_as_long_as_any(T::DTYPE, &shape))
            .map_err(|error| Error::io(path, error))?;
        Ok(Writer { path: path.into(), part, shape, width, numbers: PhantomData })
    }

    /// Appends rows, one after the other.
    ///
    /// # Errors
    /// If the file cannot be written.
    ///
    /// # Panics
    /// If these are not whole rows.
    #[track_caller]
    pub fn rows(&mut self, data: &[T]) -> Result<()> {
        assert!(
            data.len().is_multiple_of(self.width),
            "{} numbers are not whole rows of {}",
            data.len(),
            self.width
        );
        self.shape[0] += data.len() / self.width;
        write_numbers(&mut self.part, data).map_err(|error| Error::io(&self.path, error))
    }

    /// Writes the number of rows and gives the file its name.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn finish(self) -> Result<()> {
        let Writer { path, mut part, shape, .. } = self;
        let finish = move || {
            part.rewind()?;
            part.write_all(&Header::text_as_long_as_any(T::DTYPE, &shape))?;
            part.put_in_place()
        };
        finish().map_err(|error| Error::io(&path, error))
    }
}

/// Reads an array to its end, which must be the stream's. `length` is the stream's, if it is known for certain.
pub(crate) fn read_from<T: Value>(mut from: impl Read, length: Option<u64>) -> Result<Array<T>, String> {
    let header = Header::read(&mut from)?;
    let count = elements(&header.shape)?;
    if let Some(length) = length {
        header.check_length(count, length)?;
    }
    // A file as long as its header says backs all of the memory; what comes out of an archive does not.
    let mut data = Vec::with_capacity(if length.is_some() { count } else { 0 });
    read_numbers(&mut from, header.dtype, header.order, count, &mut data)?;
    let more = from.read(&mut [0]).map_err(|error| error.to_string())?;
    if more > 0 {
        return Err(format!("more bytes follow the {count} numbers that the header speaks of"));
    }
    let data = if header.fortran { row_major(&header.shape, &data) } else { data };
    Ok(Array::new(header.shape, data))
}

pub(crate) fn write_to<T: Value>(to: &mut dyn Write, array: &Array<T>) -> std::io::Result<()> {
    to.write_all(&Header::text(T::DTYPE, array.shape()))?;
    write_numbers(to, array.data())
}

/// What stands in the first axis' order (a column after the other), in the last axis' order.
fn row_major<T: Value>(shape: &[usize], data: &[T]) -> Vec<T> {
    if shape.len() < 2 || data.is_empty() {
        return data.to_vec();
    }
    // strides[axis]: how far apart two neighbours along the axis stand in `data`.
    let strides: Vec<usize> = shape
        .iter()
        .scan(1, |stride, &n| {
            let this = *stride;
            *stride *= n;
            Some(this)
        })
        .collect();
    let mut at = vec![0; shape.len()];
    let mut place = 0;
    let mut out = Vec::with_capacity(data.len());
    loop {
        out.push(data[place]);
        // The next element in row-major order: the last axis that is not at its end goes on, those after it begin anew.
        let mut axis = shape.len();
        loop {
            if axis == 0 {
                return out;
            }
            axis -= 1;
            at[axis] += 1;
            place += strides[axis];
            if at[axis] < shape[axis] {
                break;
            }
            place -= strides[axis] * shape[axis];
            at[axis] = 0;
        }
    }
}

/// The type strings of a header, without the mark of the byte order.
pub(crate) fn type_code(dtype: Dtype) -> Option<&'static str> {
    Some(match dtype {
        Dtype::Bool => "b1",
        Dtype::I8 => "i1",
        Dtype::I16 => "i2",
        Dtype::I32 => "i4",
        Dtype::I64 => "i8",
        Dtype::U8 => "u1",
        Dtype::U16 => "u2",
        Dtype::U32 => "u4",
        Dtype::U64 => "u8",
        Dtype::F16 => "f2",
        Dtype::F32 => "f4",
        Dtype::F64 => "f8",
        Dtype::BF16 => return None,
    })
}

/// The kind of numbers and the order of their bytes that a type string means.
pub(crate) fn type_of(descr: &str) -> Result<(Dtype, Order), String> {
    let kinds = [
        Dtype::Bool,
        Dtype::I8,
        Dtype::I16,
        Dtype::I32,
        Dtype::I64,
        Dtype::U8,
        Dtype::U16,
        Dtype::U32,
        Dtype::U64,
        Dtype::F16,
        Dtype::F32,
        Dtype::F64,
    ];
    let unread =
        || format!("expected booleans, whole numbers or floats of 16, 32 or 64 bits, found {descr:?}");
    let (mark, code) = descr.split_at_checked(1).ok_or_else(unread)?;
    let dtype = kinds.into_iter().find(|&kind| type_code(kind) == Some(code)).ok_or_else(unread)?;
    match (mark, dtype.size()) {
        ("<", _) | ("|", 1) => Ok((dtype, Order::Little)),
        (">", _) => Ok((dtype, Order::Big)),
        _ => Err(unread()),
    }
}
