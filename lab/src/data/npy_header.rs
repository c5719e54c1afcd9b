//! The header of a `.npy` array: a Python dictionary of three entries.

use std::io::{self, Read};

use super::dtype::{Dtype, Order};
use super::npy::{type_code, type_of};

/// What every such stream begins with.
const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// The longest header read: NumPy itself refuses more than 10,000 bytes.
const LONGEST: u64 = 1 << 16;

/// What a header says of the numbers that follow it.
#[derive(Debug, PartialEq)]
pub(crate) struct Header {
    pub dtype: Dtype,
    pub order: Order,
    /// Whether the first axis varies fastest.
    pub fortran: bool,
    pub shape: Vec<usize>,
    /// Where the numbers begin.
    pub start: u64,
}

impl Header {
    /// Reads a header; what follows it in the stream is the numbers.
    pub fn read(from: &mut impl Read) -> Result<Header, String> {
        let short = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => "expected a .npy header, the file ends before".to_owned(),
            _ => error.to_string(),
        };
        let mut start = [0; 8];
        from.read_exact(&mut start).map_err(short)?;
        if start[..6] != *MAGIC {
            return Err("expected a .npy array, which begins with \\x93NUMPY".into());
        }
        let (bytes, length) = match start[6..] {
            [1, 0] => {
                let mut length = [0; 2];
                from.read_exact(&mut length).map_err(short)?;
                (2, u64::from(u16::from_le_bytes(length)))
            }
            [2 | 3, 0] => {
                let mut length = [0; 4];
                from.read_exact(&mut length).map_err(short)?;
                (4, u64::from(u32::from_le_bytes(length)))
            }
            _ => return Err(format!("expected version 1, 2 or 3 of .npy, found {}.{}", start[6], start[7])),
        };
        if length > LONGEST {
            return Err(format!("expected a header of at most {LONGEST} bytes, found one of {length}"));
        }
        let mut text = vec![0; length as usize];
        from.read_exact(&mut text).map_err(short)?;
        let mut header = Parser { text: &text, at: 0 }.dictionary().map_err(|expected| {
            format!("header {:?}: {expected}", String::from_utf8_lossy(&text).trim_end())
        })?;
        header.start = 8 + bytes + length;
        Ok(header)
    }

    /// Whether a file of this length ends where `count` numbers end.
    pub fn check_length(&self, count: usize, length: u64) -> Result<(), String> {
        let (expected, found) = ((count * self.dtype.size()) as u64, length - self.start.min(length));
        if expected != found {
            return Err(format!(
                "expected {expected} bytes of numbers: shape {:?} of {}; found {found}",
                self.shape, self.dtype
            ));
        }
        Ok(())
    }

    /// The header of an array in row-major order, little end first, padded as NumPy pads it.
    pub fn text(dtype: Dtype, shape: &[usize]) -> Vec<u8> {
        Header::padded(dtype, shape, 0)
    }

    /// A header that has room for any number of rows: as long for all arrays that differ in their first size alone.
    pub fn text_as_long_as_any(dtype: Dtype, shape: &[usize]) -> Vec<u8> {
        let most = [&[usize::MAX], &shape[1..]].concat();
        Header::padded(dtype, shape, Header::text(dtype, &most).len())
    }

    /// A header of at least this length.
    fn padded(dtype: Dtype, shape: &[usize], least: usize) -> Vec<u8> {
        let mark = if dtype.size() == 1 { '|' } else { '<' };
        let code = type_code(dtype).expect("no program asks a file for bf16");
        let sizes: Vec<String> = shape.iter().map(ToString::to_string).collect();
        let comma = if shape.len() == 1 { "," } else { "" };
        let axes = sizes.join(", ") + comma;
        let mut text =
            format!("{{'descr': '{mark}{code}', 'fortran_order': False, 'shape': ({axes}), }}").into_bytes();
        let before = MAGIC.len() + 4;
        let length = (before + text.len() + 1).next_multiple_of(64).max(least);
        text.resize(length - before - 1, b' ');
        text.push(b'\n');
        [&MAGIC[..], &[1, 0], &(text.len() as u16).to_le_bytes()[..], &text].concat()
    }
}

/// Reads a Python dictionary of the three entries, in any order, and nothing else.
struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn dictionary(&mut self) -> Result<Header, String> {
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        self.expect(b'{')?;
        while !self.takes(b'}') {
            let key = self.string()?;
            self.expect(b':')?;
            let twice = match &key[..] {
                "descr" => descr.replace(self.descr()?).is_some(),
                "fortran_order" => fortran.replace(self.boolean()?).is_some(),
                "shape" => shape.replace(self.shape()?).is_some(),
                _ => return Err(format!("expected 'descr', 'fortran_order' or 'shape', found {key:?}")),
            };
            if twice {
                return Err(format!("{key:?} stands there twice"));
            }
            if !self.takes(b',') {
                self.expect(b'}')?;
                break;
            }
        }
        self.blank();
        if self.at < self.text.len() {
            return Err("expected nothing after the dictionary".into());
        }
        let missing = |key| move || format!("expected an entry {key:?}");
        let (dtype, order) = descr.ok_or_else(missing("descr"))?;
        let fortran = fortran.ok_or_else(missing("fortran_order"))?;
        let shape = shape.ok_or_else(missing("shape"))?;
        Ok(Header { dtype, order, fortran, shape, start: 0 })
    }

    fn blank(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    /// Takes this character, if it is the next one.
    fn takes(&mut self, character: u8) -> bool {
        self.blank();
        let there = self.text.get(self.at) == Some(&character);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, character: u8) -> Result<(), String> {
        if self.takes(character) {
            Ok(())
        } else {
            Err(format!("expected {:?} at character {}", char::from(character), self.at))
        }
    }

    fn string(&mut self) -> Result<String, String> {
        let quote = if self.takes(b'"') { b'"' } else { b'\'' };
        if quote == b'\'' {
            self.expect(quote)?;
        }
        let start = self.at;
        while self.text.get(self.at).is_some_and(|&c| c != quote && c != b'\\') {
            self.at += 1;
        }
        let text = String::from_utf8_lossy(&self.text[start..self.at]).into_owned();
        self.expect(quote)?;
        Ok(text)
    }

    fn descr(&mut self) -> Result<(Dtype, Order), String> {
        if self.takes(b'[') {
            return Err("expected one kind of numbers, found an array of records".into());
        }
        type_of(&self.string()?)
    }

    fn boolean(&mut self) -> Result<bool, String> {
        self.blank();
        let rest = &self.text[self.at..];
        let value = rest.starts_with(b"True");
        let length = if value { 4 } else { 5 };
        if !value && !rest.starts_with(b"False") {
            return Err(format!("expected True or False at character {}", self.at));
        }
        self.at += length;
        Ok(value)
    }

    fn shape(&mut self) -> Result<Vec<usize>, String> {
        let mut shape = Vec::new();
        self.expect(b'(')?;
        while !self.takes(b')') {
            shape.push(self.number()?);
            if !self.takes(b',') {
                self.expect(b')')?;
                break;
            }
        }
        Ok(shape)
    }

    /// A whole number, with the L that Python 2 put after some.
    fn number(&mut self) -> Result<usize, String> {
        self.blank();
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        let digits = String::from_utf8_lossy(&self.text[start..self.at]).into_owned();
        let number = digits.parse().map_err(|_| match digits.len() {
            0 => format!("expected a whole number at character {start}"),
            _ => format!("the size {digits} is larger than any memory"),
        })?;
        self.at += usize::from(self.text.get(self.at) == Some(&b'L'));
        Ok(number)
    }
}
