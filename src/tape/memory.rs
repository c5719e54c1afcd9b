//! Memory of a tape, and how a layout lies in it.

use std::ops::Range;

use crate::element::Element;
use crate::matrix::{Support, size};

/// Memory handed out front to back. It keeps its high-water mark and what stood in it.
#[derive(Default)]
pub(crate) struct Arena<T> {
    pub data: Vec<T>,
    /// How many elements were taken.
    pub used: usize,
}

impl<T: Element> Arena<T> {
    /// Takes the next `len` elements, and gives their range; `behind` more, which follow them, are taken as well. `None` if
    /// there are more elements than a `usize` counts.
    pub fn take(&mut self, len: usize, behind: usize) -> Option<Range<usize>> {
        let start = self.used;
        let end = start.checked_add(len)?;
        self.used = end.checked_add(behind)?;
        Some(start..end)
    }

    /// Makes memory of what was taken; says whether there was as much. (The first memory is the system's zeroed pages, of
    /// which those that are not written are never made: cotangents of which there are only entries.)
    #[must_use]
    pub fn back(&mut self) -> bool {
        let missing = self.used.saturating_sub(self.data.len());
        if missing == 0 {
            return true;
        }
        if self.data.is_empty() {
            // Zeroed pages cannot be asked for without an abort if there are none: so ask for others first, and give
            // them back. The compiler must not think that they are unused.
            let mut asked = Vec::<T>::new();
            if asked.try_reserve_exact(missing).is_err() {
                return false;
            }
            drop(std::hint::black_box(asked));
            self.data = vec![T::ZERO; missing];
        } else {
            if self.data.try_reserve(missing).is_err() && self.data.try_reserve_exact(missing).is_err() {
                return false;
            }
            self.data.resize(self.used, T::ZERO);
        }
        true
    }
}

impl<T: Element> Segments<T> {
    /// Begins a recording, which has none yet.
    pub fn start(&mut self) {
        self.nodes.clear();
        (self.open, self.leaving) = (0, false);
    }

    /// Makes memory of what a sweep needs; says whether there was as much.
    #[must_use]
    pub fn back_cotangents(&mut self) -> bool {
        self.cotangents.used = self.most_cotangents;
        self.cotangents.back()
    }
}

/// How many elements of memory a layout spans, from its first element to its last.
pub(crate) fn extent(shape: &[usize], strides: Option<&[usize]>) -> usize {
    match strides {
        None => size::product(shape),
        Some(strides) => size::span(shape, strides),
    }
}

/// The memory that a value is in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Memory {
    /// The tape's arena.
    Arena(Range<usize>),
    /// The parameters' block.
    Params(Range<usize>),
    /// The arena that the segments between checkpoints share.
    Segment(Range<usize>),
}

impl Memory {
    /// A part of this memory.
    pub fn part(&self, offset: usize, len: usize) -> Memory {
        let part = |range: &Range<usize>| range.start + offset..range.start + offset + len;
        match self {
            Memory::Arena(range) => Memory::Arena(part(range)),
            Memory::Params(range) => Memory::Params(part(range)),
            Memory::Segment(range) => Memory::Segment(part(range)),
        }
    }
}

/// The memory of one cotangent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Place {
    /// Its cotangent is not wanted.
    Nowhere,
    /// In the tape's arena of cotangents.
    Arena(Range<usize>),
    /// In the caller's gradients: the cotangent of a parameter.
    Gradient(Range<usize>),
    /// In the arena of cotangents that the segments between checkpoints share.
    Segment(Range<usize>),
}

/// Segments: stretches of a recording whose values are not kept, but computed again on the way back. All of them share one
/// memory, since only one is at hand at a time.
#[derive(Default)]
pub(crate) struct Segments<T> {
    pub values: Arena<T>,
    pub cotangents: Arena<T>,
    /// The most cotangents that one has taken.
    pub most_cotangents: usize,
    /// The nodes of each.
    pub nodes: Vec<Range<usize>>,
    /// The number of the segment that is being recorded, counted from 1; 0 if none is.
    pub open: u32,
    /// Whether copies are being made of what goes on from a segment that has just been closed.
    pub leaving: bool,
    /// Whether values are kept all the same: to look at them afterwards.
    pub keep: bool,
}

/// The values of a matrix at the entries of a support, in the support's order.
#[derive(Debug, Default)]
pub(crate) struct EntryValues<T> {
    /// Which of the recording's supports.
    pub support: usize,
    pub values: Vec<T>,
    /// The values once more, row by row, if they were found in this order; else empty.
    pub by_row: Vec<T>,
}

impl<T: Element> EntryValues<T> {
    /// Makes room for the values at the entries of the support with this number.
    pub fn set_support(&mut self, number: usize, support: &Support) {
        self.support = number;
        self.values.resize(support.entries(), T::ZERO);
        self.by_row.clear();
    }
}

/// Things of one kind, handed out one after the other and reused by the next recording.
#[derive(Debug, Default)]
pub(crate) struct Pool<P> {
    pub all: Vec<P>,
    used: usize,
}

impl<P: Default> Pool<P> {
    /// The number of the next one.
    pub fn take(&mut self) -> usize {
        if self.used == self.all.len() {
            self.all.push(P::default());
        }
        self.used += 1;
        self.used - 1
    }

    /// Whether none has been handed out.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Takes all of them back; their contents stay until they are handed out again.
    pub fn clear(&mut self) {
        self.used = 0;
    }
}
