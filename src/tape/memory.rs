//! Memory of a tape, and how a layout lies in it.

use std::ops::Range;

use crate::element::Element;
use crate::graph::Memory;

/// Memory handed out front to back. It keeps its high-water mark and what stood in it.
#[derive(Default)]
pub(crate) struct Arena<T> {
    pub data: Vec<T>,
    /// How many elements were taken.
    pub used: usize,
}

impl<T: Element> Arena<T> {
    /// The place of the next elements.
    pub fn take(&mut self, len: usize) -> Range<usize> {
        let start = self.used;
        self.used += len;
        start..self.used
    }

    /// Makes memory of what was taken. (The first memory is the system's zeroed pages, of which those that nobody writes
    /// to are never made: cotangents of which there are only entries.)
    pub fn back(&mut self) {
        if self.data.is_empty() {
            self.data = vec![T::ZERO; self.used];
        } else if self.data.len() < self.used {
            self.data.resize(self.used, T::ZERO);
        }
    }
}

/// How many elements of memory a layout spans, from its first element to its last.
pub(crate) fn extent(shape: &[usize], strides: Option<&[usize]>) -> usize {
    match strides {
        _ if shape.contains(&0) => 0,
        None => shape.iter().product(),
        Some(strides) => {
            1 + shape.iter().zip(strides).map(|(size, stride)| (size - 1) * stride).sum::<usize>()
        }
    }
}

impl Memory {
    /// A part of this memory.
    pub fn part(&self, offset: usize, len: usize) -> Memory {
        let part = |range: &Range<usize>| range.start + offset..range.start + offset + len;
        match self {
            Memory::Arena(range) => Memory::Arena(part(range)),
            Memory::Params(range) => Memory::Params(part(range)),
        }
    }
}
