//! [safetensors](https://github.com/huggingface/safetensors): named arrays behind a header of JSON.
//!
//! The header is read with the `safetensors` crate's types, and by rules stricter than its reader's: a name that stands
//! there twice is refused, and each refusal names the array. Numbers are read from the file one array at a time.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use safetensors::tensor::Dtype as FileDtype;

use super::array::{Array, elements, read_numbers, write_numbers};
use super::dtype::{Dtype, Order, Value};
use super::safetensors_header::{Header, Info, header_text};
use crate::files::replace;
use crate::{Error, Place, Result};

/// A safetensors file that is open for reading: its header is known and checked, its numbers are on the disk.
///
/// ```
/// use quietgrad_lab::data::{Array, safetensors::{self, Reader}};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("codes.safetensors");
/// safetensors::write(&path, &[("codes", &Array::new([2, 2], vec![1.0f32, 0.0, 0.0, 3.0]))])?;
///
/// let mut file = Reader::open(&path)?;
/// assert_eq!(file.names().collect::<Vec<_>>(), ["codes"]);
/// assert_eq!(file.shape("codes"), Some(&[2, 2][..]));
/// let codes = file.read::<f64>("codes")?; // an f32 becomes an f64 without loss
/// assert_eq!(codes.data(), [1.0, 0.0, 0.0, 3.0]);
/// # Ok::<(), quietgrad_lab::Error>(())
/// ```
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: File,
    header: Header,
    /// Where the first array's bytes begin.
    start: u64,
}

impl Reader {
    /// Opens a file and checks its header: every array lies in the file, none overlaps another, no bytes are left over,
    /// no name stands there twice.
    ///
    /// # Errors
    /// If that is not so, or the file cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let fail = |text: String| Error::new(path, Place::File, text);
        let mut file = File::open(path).map_err(|error| Error::io(path, error))?;
        let length = file.metadata().map_err(|error| Error::io(path, error))?.len();
        let mut size = [0; 8];
        file.read_exact(&mut size).map_err(|_| {
            fail(format!("expected a safetensors header's length in 8 bytes; the file has {length}"))
        })?;
        let size = u64::from_le_bytes(size);
        if size > length - 8 {
            return Err(fail(format!(
                "expected a safetensors header of {size} bytes; {} follow its length",
                length - 8
            )));
        }
        let mut text = Vec::new();
        file.by_ref().take(size).read_to_end(&mut text).map_err(|error| Error::io(path, error))?;
        let header = Header::parse(&text).map_err(|(name, text)| match name {
            Some(name) => Error::new(path, Place::Array(name), text),
            None => fail(text),
        })?;
        let (found, expected) = (length - 8 - size, header.data_len());
        if found != expected {
            return Err(fail(format!("the header speaks of {expected} bytes of arrays, {found} are there")));
        }
        Ok(Reader { path: path.into(), file, header, start: 8 + size })
    }

    /// The arrays' names, in the order in which they stand in the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.header.arrays.iter().map(|(name, _)| name.as_str())
    }

    /// An array's shape.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.header.find(name).map(|info| &info.shape[..])
    }

    /// An array's kind of numbers; `None` if there is no such array, or its kind is none of [`Dtype`].
    pub fn dtype(&self, name: &str) -> Option<Dtype> {
        self.header.find(name).and_then(|info| known(info.dtype))
    }

    /// A text that was saved beside the arrays, under this key.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.header.texts.get(key).map(String::as_str)
    }

    /// Reads an array. At most the array itself and 64 kB are in memory.
    ///
    /// # Errors
    /// If there is no such array, or its numbers are no `T` (see [`Value`]), or the file cannot be read.
    pub fn read<T: Value>(&mut self, name: &str) -> Result<Array<T>> {
        let (dtype, shape, start) = self.locate(name)?;
        let fail = |text: String| Error::new(&self.path, Place::Array(name.into()), text);
        let count = elements(&shape).map_err(fail)?;
        self.file.seek(SeekFrom::Start(start)).map_err(|error| Error::io(&self.path, error))?;

        let mut data = Vec::with_capacity(count);
        read_numbers(&self.file, dtype, Order::Little, count, &mut data).map_err(fail)?;
        Ok(Array::new(shape, data))
    }

    /// An array's kind of numbers, its shape, and where in the file it begins.
    pub(crate) fn locate(&self, name: &str) -> Result<(Dtype, Vec<usize>, u64)> {
        let fail = |text: String| Error::new(&self.path, Place::Array(name.into()), text);
        let Some(info) = self.header.find(name) else {
            let names: Vec<_> = self.names().collect();
            return Err(fail(format!("expected an array of this name; the file has {names:?}")));
        };
        let dtype = known(info.dtype)
            .ok_or_else(|| fail(format!("numbers of kind {:?} are not read here", info.dtype)))?;
        Ok((dtype, info.shape.clone(), self.start + info.data_offsets.0 as u64))
    }
}

/// Writes arrays under their names.
///
/// # Errors
/// If two have one name, or a name is `__metadata__`, or the file cannot be written ([`replace`]).
pub fn write<T: Value>(path: impl AsRef<Path>, arrays: &[(&str, &Array<T>)]) -> Result<()> {
    let parts: Vec<_> = arrays.iter().map(|(name, array)| (*name, array.shape(), array.data())).collect();
    write_parts(path.as_ref(), &parts, None)
}

/// Writes numbers with their names and shapes, and a text under a key.
pub(crate) fn write_parts<T: Value>(
    path: &Path,
    parts: &[(&str, &[usize], &[T])],
    text: Option<(&str, String)>,
) -> Result<()> {
    let infos: Vec<Info> = parts.iter().map(|&(name, shape, _)| (name, shape, T::DTYPE)).collect();
    let texts: Vec<_> = text.into_iter().collect();
    write_with(path, &infos, &texts, |file| {
        parts.iter().try_for_each(|(_, _, data)| write_numbers(file, data))
    })
}

/// Writes a header of arrays and texts, and what `numbers` writes: the arrays' numbers, one array after the other.
pub(crate) fn write_with(
    path: &Path,
    infos: &[Info],
    texts: &[(&str, String)],
    numbers: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> Result<()> {
    let header = header_text(infos, texts)
        .map_err(|(name, text)| Error::new(path, name.map_or(Place::File, Place::Array), text))?;
    replace(path, |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        numbers(file)
    })
}

/// The kinds of numbers that are read here.
fn known(dtype: FileDtype) -> Option<Dtype> {
    Some(match dtype {
        FileDtype::BOOL => Dtype::Bool,
        FileDtype::I8 => Dtype::I8,
        FileDtype::I16 => Dtype::I16,
        FileDtype::I32 => Dtype::I32,
        FileDtype::I64 => Dtype::I64,
        FileDtype::U8 => Dtype::U8,
        FileDtype::U16 => Dtype::U16,
        FileDtype::U32 => Dtype::U32,
        FileDtype::U64 => Dtype::U64,
        FileDtype::F16 => Dtype::F16,
        FileDtype::BF16 => Dtype::BF16,
        FileDtype::F32 => Dtype::F32,
        FileDtype::F64 => Dtype::F64,
        _ => return None,
    })
}
