//! An array that is larger than memory, in batches of rows.
//!
//! The file is cut into *shards*, stretches of neighbouring rows. An epoch takes the shards in random order, some at a time: those
//! are the *pool*, and their rows are shuffled together. Every row comes once an epoch; two rows meet in a batch if their
//! shards meet in a pool. The order depends on the seed, the epoch and the sizes alone: the file is read by the thread that
//! asks, whatever the number of others.

use std::path::Path;

use quietgrad::{Element, Random, Tensor};

use super::dtype::Value;
use super::rows::Rows;
use super::split::of_epoch;
use crate::{Error, Place, Result};

/// Shards in a pool.
const SHARDS: usize = 16;

/// Memory that the reading itself takes.
const BUFFER: usize = 1 << 17;

/// An array on the disk, to be read in batches of shuffled rows within a bound of memory.
///
/// ```
/// use quietgrad_lab::data::{Array, npy, shards::Shards};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("activations.npy");
/// npy::write(&path, &Array::new([5000, 64], vec![0.5f32; 5000 * 64]))?;
/// let mut shards = Shards::<f32>::open_npy(&path, 300_000)?.batches_of(256).seed(7);
/// let mut epoch = shards.epoch(0);
/// let mut rows = 0;
/// while let Some(batch) = epoch.next()? {
///     assert!(batch.x.shape()[0] <= 256);
///     rows += batch.rows.len();
/// }
/// assert_eq!(rows, 5000);
/// # Ok::<(), quietgrad_lab::Error>(())
/// ```
#[derive(Debug)]
pub struct Shards<T> {
    rows: Rows,
    /// Rows of a shard; the last one may have fewer.
    shard: usize,
    batch: usize,
    seed: u64,
    /// The rows of the pool, and which of the file's they are.
    pool: Vec<T>,
    pool_rows: Vec<usize>,
}

/// Rows that are learned from together.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch<T: Element> {
    /// The rows: their number × the sizes of a row.
    pub x: Tensor<T>,
    /// Which rows of the file they are: for labels that stand elsewhere.
    pub rows: Vec<usize>,
}

/// The batches of an epoch, in turn.
#[derive(Debug)]
pub struct Epoch<'a, T> {
    shards: &'a mut Shards<T>,
    random: Random,
    /// The shards in the order of this epoch.
    order: Vec<usize>,
    /// How many of them have been in the pool.
    used: usize,
    /// The order of the pool's rows, and how many were given out.
    pool_order: Vec<usize>,
    given: usize,
}

impl<T: Value + Element> Shards<T> {
    /// Opens a `.npy` array; a row is what stands at one place of the first axis.
    ///
    /// `memory` bounds, in bytes, what is taken at any time: the pool, its order and the reading. A batch comes on top, and 8
    /// bytes for each shard. The more memory, the better the rows are mixed.
    ///
    /// # Errors
    /// If the file is none of this format, or has no rows, or its axes are in Fortran's order, or `memory` has no room for
    /// sixteen rows.
    pub fn open_npy(path: impl AsRef<Path>, memory: usize) -> Result<Self> {
        Shards::new(Rows::open_npy(path.as_ref())?, memory)
    }

    /// Opens an array of a safetensors file; otherwise as [`open_npy`](Self::open_npy).
    ///
    /// # Errors
    /// As [`open_npy`](Self::open_npy), or if there is no such array.
    pub fn open_safetensors(path: impl AsRef<Path>, name: &str, memory: usize) -> Result<Self> {
        Shards::new(Rows::open_safetensors(path.as_ref(), name)?, memory)
    }

    /// Opens an IDX array; otherwise as [`open_npy`](Self::open_npy).
    ///
    /// # Errors
    /// As [`open_npy`](Self::open_npy).
    pub fn open_idx(path: impl AsRef<Path>, memory: usize) -> Result<Self> {
        Shards::new(Rows::open_idx(path.as_ref())?, memory)
    }

    fn new(rows: Rows, memory: usize) -> Result<Self> {
        let fail = |text: String| Err(Error::new(rows.path(), Place::File, text));
        if rows.count() == 0 {
            return fail("expected rows, found none: an epoch would be over without a step".into());
        }
        // For each row its numbers, its number in the file and its place in the order.
        let bytes = rows.width() * size_of::<T>() + 2 * size_of::<usize>();
        let fit = memory.saturating_sub(BUFFER) / bytes;
        if fit < SHARDS {
            let least = BUFFER + SHARDS * bytes;
            return fail(format!("expected memory for {SHARDS} rows, {least} bytes; {memory} are allowed"));
        }
        let shard = (fit / SHARDS).min(rows.count().div_ceil(SHARDS));
        Ok(Shards { rows, shard, batch: 32, seed: 0, pool: Vec::new(), pool_rows: Vec::new() })
    }

    /// How many rows a batch has; 32 unless something else is said. The last batch of an epoch may have fewer.
    ///
    /// # Panics
    /// If it has none.
    #[track_caller]
    pub fn batches_of(mut self, rows: usize) -> Self {
        assert!(rows > 0, "a batch of no rows");
        self.batch = rows;
        self
    }

    /// The seed of the order; 0 unless something else is said.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows.count()
    }

    /// The sizes of a row.
    pub fn row_shape(&self) -> &[usize] {
        self.rows.shape()
    }

    /// The batches of an epoch.
    pub fn epoch(&mut self, number: u64) -> Epoch<'_, T> {
        let mut random = of_epoch(self.seed, number);
        let order = random.permutation(self.rows.count().div_ceil(self.shard));
        Epoch { shards: self, random, order, used: 0, pool_order: Vec::new(), given: 0 }
    }
}

impl<T: Value + Element> Epoch<'_, T> {
    /// The next batch; `None` at the epoch's end.
    ///
    /// # Errors
    /// If the file cannot be read, or has become shorter, or holds a number that is no `T`.
    #[expect(clippy::should_implement_trait, reason = "a read may fail")]
    #[expect(clippy::missing_panics_doc, reason = "rows are handed out whole")]
    pub fn next(&mut self) -> Result<Option<Batch<T>>> {
        let width = self.shards.rows.width();
        let (mut data, mut rows) = (Vec::new(), Vec::new());
        while rows.len() < self.shards.batch {
            if self.given == self.pool_order.len() && !self.fill()? {
                break;
            }
            let at = self.pool_order[self.given];
            self.given += 1;
            data.extend_from_slice(&self.shards.pool[at * width..][..width]);
            rows.push(self.shards.pool_rows[at]);
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let shape: Vec<usize> = [&[rows.len()], self.shards.rows.shape()].concat();
        let x = Tensor::new(&shape[..], data).expect("whole rows");
        Ok(Some(Batch { x, rows }))
    }

    /// Goes on by this many batches without handing them out; pools that are passed over are not read.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn skip(&mut self, batches: usize) -> Result<()> {
        let mut rows = batches.saturating_mul(self.shards.batch);
        while rows > 0 {
            let left = self.pool_order.len() - self.given;
            if left >= rows {
                self.given += rows;
                return Ok(());
            }
            rows -= left;
            self.given = self.pool_order.len();
            let coming: usize = self.coming().map(|shard| self.rows_of(shard).len()).sum();
            if coming == 0 {
                return Ok(());
            }
            if coming <= rows {
                // What shuffling the pool would have drawn is drawn all the same.
                self.random.permutation(coming);
                self.used += SHARDS.min(self.order.len() - self.used);
                rows -= coming;
            } else {
                self.fill()?;
            }
        }
        Ok(())
    }

    /// The shards of the next pool.
    fn coming(&self) -> impl ExactSizeIterator<Item = usize> + use<'_, T> {
        self.order[self.used..].iter().take(SHARDS).copied()
    }

    /// The rows of a shard.
    fn rows_of(&self, shard: usize) -> std::ops::Range<usize> {
        let start = shard * self.shards.shard;
        start..(start + self.shards.shard).min(self.shards.rows.count())
    }

    /// Reads the next pool and shuffles it; `false` if there is none.
    fn fill(&mut self) -> Result<bool> {
        let ranges: Vec<_> = self.coming().map(|shard| self.rows_of(shard)).collect();
        let shards = &mut *self.shards;
        shards.pool.clear();
        shards.pool_rows.clear();
        // All of the memory at once: a vector that doubles as it grows would hold twice the pool.
        let most = SHARDS * shards.shard;
        shards.pool.reserve_exact(most * shards.rows.width());
        shards.pool_rows.reserve_exact(most);
        self.used += ranges.len();
        for range in ranges {
            shards.rows.read(range.clone(), &mut shards.pool)?;
            shards.pool_rows.extend(range);
        }
        self.given = 0;
        self.pool_order = Vec::new();
        self.pool_order = self.random.permutation(shards.pool_rows.len());
        Ok(!self.pool_order.is_empty())
    }
}
