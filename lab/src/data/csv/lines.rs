//! The lines on which records begin.
//!
//! The csv crate counts lines too, but from where its reader stands: before the second half of a line end of two characters,
//! and before empty lines. So the bytes of each record are kept on their way to it, and counted here.

use std::io::{self, Read};

/// A reader that keeps what went through it until it is taken.
#[derive(Debug)]
pub(super) struct Kept<R> {
    inner: R,
    bytes: Vec<u8>,
    /// How many of `bytes` were taken.
    taken: usize,
}

/// Counts lines, record by record.
#[derive(Debug)]
pub(super) struct Lines {
    /// The line on which the last record begins, counted from 1.
    pub record: u64,
    /// The line on which the next record begins if no empty line comes before it.
    pub next: u64,
    /// Whether the last byte was the first half of a line end of two characters, or a line end by itself.
    after_return: bool,
}

impl<R> Kept<R> {
    pub fn new(inner: R) -> Self {
        Kept { inner, bytes: Vec::new(), taken: 0 }
    }

    /// The next bytes of those that went through.
    pub fn take(&mut self, count: usize) -> &[u8] {
        let start = self.taken;
        self.taken += count;
        &self.bytes[start..self.taken]
    }
}

impl<R: Read> Read for Kept<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(&buffer[..count]);
        Ok(count)
    }
}

impl Default for Lines {
    fn default() -> Self {
        Lines { record: 1, next: 1, after_return: false }
    }
}

impl Lines {
    /// Passes a record's bytes, with those before it that belong to no record; gives the number of quotation marks.
    pub fn pass(&mut self, bytes: &[u8]) -> usize {
        let (mut begun, mut quotes) = (false, 0);
        for &byte in bytes {
            if !begun && byte != b'\r' && byte != b'\n' {
                begun = true;
                self.record = self.next;
            }
            match byte {
                b'\r' => self.next += 1,
                b'\n' => self.next += u64::from(!self.after_return),
                b'"' => quotes += 1,
                _ => {}
            }
            self.after_return = byte == b'\r';
        }
        quotes
    }
}
