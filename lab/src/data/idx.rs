//! IDX, the format of the MNIST files: four bytes, the sizes of the axes, and numbers, big end first.
//!
//! Source: Y. LeCun, C. Cortes and C. Burges, The MNIST Database of Handwritten Digits.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::array::{Array, elements, read_numbers};
use super::dtype::{Dtype, Order, Value};
use crate::files::replace;
use crate::{Error, Place, Result};

/// The codes of the kinds of numbers.
const KINDS: [(u8, Dtype); 6] = [
    (0x08, Dtype::U8),
    (0x09, Dtype::I8),
    (0x0b, Dtype::I16),
    (0x0c, Dtype::I32),
    (0x0d, Dtype::F32),
    (0x0e, Dtype::F64),
];

/// What an IDX header says of the numbers that follow it.
pub(crate) struct Header {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// Where the numbers begin.
    pub start: u64,
}

/// Reads an array. At most the array itself and 64 kB are in memory.
///
/// # Errors
/// If the file is none of this format, or shorter or longer than its header says, or its numbers are no `T` (see
/// [`Value`]), or it cannot be read.
///
/// ```
/// use quietgrad_lab::data::{Array, idx};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("labels-idx1-ubyte");
/// idx::write(&path, &Array::new([3], vec![7u8, 2, 1]))?;
/// assert_eq!(idx::read::<u8>(&path)?.data(), [7, 2, 1]);
/// assert_eq!(idx::read::<f32>(&path)?.data(), [7.0, 2.0, 1.0]);
/// # Ok::<(), quietgrad_lab::Error>(())
/// ```
pub fn read<T: Value>(path: impl AsRef<Path>) -> Result<Array<T>> {
    let path = path.as_ref();
    let file = File::open(path).map_err(|error| Error::io(path, error))?;
    let length = file.metadata().map_err(|error| Error::io(path, error))?.len();
    read_from(BufReader::new(file), length).map_err(|text| Error::new(path, Place::File, text))
}

fn read_from<T: Value>(mut from: impl Read, length: u64) -> Result<Array<T>, String> {
    let Header { dtype, shape, .. } = Header::read(&mut from, length)?;
    let count = elements(&shape)?;
    let mut data = Vec::with_capacity(count);
    read_numbers(from, dtype, Order::Big, count, &mut data)?;
    Ok(Array::new(shape, data))
}

impl Header {
    /// Reads a header of a file of this length, and checks that the file ends where the numbers end.
    pub fn read(from: &mut impl Read, length: u64) -> Result<Header, String> {
        let short = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("expected an IDX header, the file ends at byte {length}"),
            _ => error.to_string(),
        };
        let mut magic = [0; 4];
        from.read_exact(&mut magic).map_err(short)?;
        if magic[..2] == [0x1f, 0x8b] {
            return Err("expected an IDX file, found one packed by gzip: unpack it first".into());
        }
        let dtype = KINDS.iter().find(|(code, _)| *code == magic[2]).map(|(_, dtype)| *dtype);
        let Some(dtype) = dtype.filter(|_| magic[..2] == [0, 0]) else {
            return Err(format!("expected an IDX file, which begins with 0, 0 and a code, found {magic:?}"));
        };
        let mut shape = Vec::with_capacity(usize::from(magic[3]));
        for _ in 0..magic[3] {
            let mut size = [0; 4];
            from.read_exact(&mut size).map_err(short)?;
            shape.push(u32::from_be_bytes(size) as usize);
        }
        let start = 4 + 4 * u64::from(magic[3]);
        let (expected, found) = ((elements(&shape)? * dtype.size()) as u64, length.saturating_sub(start));
        if expected != found {
            return Err(format!(
                "expected {expected} bytes of numbers: shape {shape:?} of {dtype}; found {found}"
            ));
        }
        Ok(Header { dtype, shape, start })
    }
}

/// Writes an array.
///
/// # Errors
/// If the format has no code for `T` or no room for the sizes, or the file cannot be written ([`replace`]).
pub fn write<T: Value>(path: impl AsRef<Path>, array: &Array<T>) -> Result<()> {
    let path = path.as_ref();
    let fail = |text: String| Error::new(path, Place::File, text);
    let code = KINDS.iter().find(|(_, dtype)| *dtype == T::DTYPE).map(|(code, _)| *code);
    let code = code.ok_or_else(|| fail(format!("IDX has no code for {}", T::DTYPE)))?;
    let axes = u8::try_from(array.shape().len()).map_err(|_| fail("IDX has at most 255 axes".into()))?;
    let mut header = vec![0, 0, code, axes];
    for &size in array.shape() {
        let size = u32::try_from(size).map_err(|_| fail(format!("IDX has no room for a size of {size}")))?;
        header.extend(size.to_be_bytes());
    }
    replace(path, |file| {
        file.write_all(&header)?;
        let mut bytes = Vec::new();
        for piece in array.data().chunks(1 << 13) {
            bytes.clear();
            for x in piece {
                let start = bytes.len();
                x.write(&mut bytes);
                bytes[start..].reverse();
            }
            file.write_all(&bytes)?;
        }
        Ok(())
    })
}
