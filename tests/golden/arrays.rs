//! Arrays in a safetensors file: the length of a header in eight bytes, the header in JSON, and the numbers. The crate of that
//! name, which the lab uses, brings procedural macros and much else: more to compile than all that the tests need besides.

use serde_json::{Map, Value};

/// An array as it stands in the file.
pub struct Stored<'a> {
    pub name: String,
    /// `F64`, `F32`, `I64` or `I32`.
    pub kind: String,
    pub shape: Vec<usize>,
    pub bytes: &'a [u8],
}

pub fn stored(file: &[u8]) -> Vec<Stored<'_>> {
    let (length, rest) = file.split_at(8);
    let length = u64::from_le_bytes(length.try_into().expect("eight bytes"));
    let (header, data) = rest.split_at(length as usize);
    let header: Map<String, Value> = serde_json::from_slice(header).expect("JSON");
    let array = |(name, entry): (String, Value)| {
        let sizes = |key: &str| -> Vec<usize> {
            let list = entry[key].as_array().expect("a list");
            list.iter().map(|size| size.as_u64().expect("a size") as usize).collect()
        };
        let offsets = sizes("data_offsets");
        let kind = entry["dtype"].as_str().expect("a type").to_owned();
        Stored { name, kind, shape: sizes("shape"), bytes: &data[offsets[0]..offsets[1]] }
    };
    header.into_iter().map(array).collect()
}

/// The numbers, each of `N` bytes.
pub fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.chunks_exact(N).map(|word| word.try_into().expect("N bytes"))
}
