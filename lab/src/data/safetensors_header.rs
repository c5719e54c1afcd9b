//! The header of a safetensors file: read, checked, written.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use safetensors::tensor::{Dtype as FileDtype, Metadata, TensorInfo};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use super::dtype::Dtype;

/// The key under which texts stand beside the arrays.
const TEXTS: &str = "__metadata__";

/// What is wrong, and with which array if it is one's.
pub(crate) type Fault = (Option<String>, String);

/// The arrays of a file, in the order of their bytes, and the texts beside them.
#[derive(Debug)]
pub(crate) struct Header {
    pub arrays: Vec<(String, TensorInfo)>,
    pub texts: BTreeMap<String, String>,
    /// Places in `arrays` by name.
    index: HashMap<String, usize>,
}

impl Header {
    /// Reads and checks a header's text.
    pub fn parse(text: &[u8]) -> Result<Self, Fault> {
        let Entries { mut arrays, texts } = serde_json::from_slice(text)
            .map_err(|error| (None, format!("expected a safetensors header: {error}")))?;
        arrays.sort_by_key(|(_, info)| info.data_offsets);
        let mut end = 0;
        for (name, info) in &arrays {
            check(info, end).map_err(|text| (Some(name.clone()), text))?;
            end = info.data_offsets.1;
        }
        let index = arrays.iter().enumerate().map(|(i, (name, _))| (name.clone(), i)).collect();
        Ok(Header { arrays, texts, index })
    }

    /// The array of this name.
    pub fn find(&self, name: &str) -> Option<&TensorInfo> {
        self.index.get(name).map(|&i| &self.arrays[i].1)
    }

    /// The bytes of all arrays.
    pub fn data_len(&self) -> u64 {
        self.arrays.last().map_or(0, |(_, info)| info.data_offsets.1 as u64)
    }
}

/// An array begins where the one before it ended, and is as long as its shape says.
fn check(info: &TensorInfo, previous_end: usize) -> Result<(), String> {
    let (start, end) = info.data_offsets;
    if start < previous_end {
        return Err(format!("begins at byte {start}, and another array ends only at {previous_end}"));
    }
    if start > previous_end {
        return Err(format!(
            "begins at byte {start}, and bytes {previous_end} to {start} belong to no array"
        ));
    }
    let bits = info.shape.iter().try_fold(1usize, |all, &n| all.checked_mul(n));
    let bits = bits.and_then(|count| count.checked_mul(info.dtype.bitsize()));
    let Some(bits) = bits else {
        return Err(format!("the sizes {:?} multiply to more than any file holds", info.shape));
    };
    if !bits.is_multiple_of(8) || end.checked_sub(start) != Some(bits / 8) {
        return Err(format!(
            "expected {} bytes for shape {:?} of {:?}, the header gives it bytes {start} to {end}",
            bits.div_ceil(8),
            info.shape,
            info.dtype
        ));
    }
    Ok(())
}

/// What the header's JSON holds, in its order.
struct Entries {
    arrays: Vec<(String, TensorInfo)>,
    texts: BTreeMap<String, String>,
}

/// The texts of `__metadata__`.
struct Texts(BTreeMap<String, String>);

// Maps are read entry by entry, because serde's own maps keep the last of two entries of one name and say nothing.
impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of arrays by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let (mut arrays, mut texts) = (BTreeMap::new(), None);
                while let Some(name) = map.next_key::<String>()? {
                    let new = if name == TEXTS {
                        texts.replace(map.next_value::<Texts>()?.0).is_none()
                    } else {
                        arrays.insert(name.clone(), map.next_value()?).is_none()
                    };
                    if !new {
                        return Err(A::Error::custom(format!("{name:?} stands there twice")));
                    }
                }
                Ok(Entries { arrays: arrays.into_iter().collect(), texts: texts.unwrap_or_default() })
            }
        }
        from.deserialize_map(Visit)
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of texts by key")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Texts, A::Error> {
                let mut texts = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, String>()? {
                    if let Some(key) = texts.insert(key.clone(), value).map(|_| key) {
                        return Err(A::Error::custom(format!("{key:?} stands there twice")));
                    }
                }
                Ok(Texts(texts))
            }
        }
        from.deserialize_map(Visit)
    }
}

/// An array that is about to be written: its name, its shape, its kind of numbers.
pub(crate) type Info<'a> = (&'a str, &'a [usize], Dtype);

/// The header of a file that holds these arrays one after the other, padded so that numbers begin at a multiple of 8 bytes.
pub(crate) fn header_text(infos: &[Info], texts: &[(&str, String)]) -> Result<Vec<u8>, Fault> {
    let mut names = std::collections::HashSet::new();
    let (mut arrays, mut end) = (Vec::new(), 0);
    for &(name, shape, dtype) in infos {
        if name == TEXTS {
            return Err((Some(name.into()), "a safetensors file keeps this name for its texts".into()));
        }
        if !names.insert(name) {
            return Err((Some(name.into()), "two arrays have this name".into()));
        }
        let start = end;
        end += shape.iter().product::<usize>() * dtype.size();
        let info = TensorInfo { dtype: file_dtype(dtype), shape: shape.to_vec(), data_offsets: (start, end) };
        arrays.push((name.to_owned(), info));
    }
    let texts = texts.iter().map(|(key, text)| ((*key).to_owned(), text.clone()));
    let texts = Some(texts.collect::<HashMap<_, _>>()).filter(|texts| !texts.is_empty());
    let metadata = Metadata::new(texts, arrays).map_err(|error| (None, error.to_string()))?;
    let mut header = serde_json::to_vec(&metadata).map_err(|error| (None, error.to_string()))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

fn file_dtype(dtype: Dtype) -> FileDtype {
    match dtype {
        Dtype::Bool => FileDtype::BOOL,
        Dtype::I8 => FileDtype::I8,
        Dtype::I16 => FileDtype::I16,
        Dtype::I32 => FileDtype::I32,
        Dtype::I64 => FileDtype::I64,
        Dtype::U8 => FileDtype::U8,
        Dtype::U16 => FileDtype::U16,
        Dtype::U32 => FileDtype::U32,
        Dtype::U64 => FileDtype::U64,
        Dtype::F16 => FileDtype::F16,
        Dtype::BF16 => FileDtype::BF16,
        Dtype::F32 => FileDtype::F32,
        Dtype::F64 => FileDtype::F64,
    }
}
