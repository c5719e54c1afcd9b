//! A file larger than the memory that is allowed for it.

use std::collections::HashMap;
use std::fs;

use quietgrad_lab::data::shards::Shards;
use quietgrad_lab::data::{Array, Value, idx, npy, safetensors};
use quietgrad_lab::{Error, Place};
use tempfile::tempdir;

use crate::counting::most_of;

/// Rows of three numbers: the row's number, and that number doubled and negated.
fn numbered(rows: usize) -> Array<f32> {
    let row = |i: usize| [i as f32, 2.0 * i as f32, -(i as f32)];
    Array::new([rows, 3], (0..rows).flat_map(row).collect())
}

/// The rows of an epoch, batch by batch, each checked against its number.
fn epoch(shards: &mut Shards<f32>, number: u64, skip: usize) -> Vec<Vec<usize>> {
    let mut batches = Vec::new();
    let mut epoch = shards.epoch(number);
    epoch.skip(skip).unwrap();
    while let Some(batch) = epoch.next().unwrap() {
        assert_eq!(batch.x.shape()[..], [batch.rows.len(), 3]);
        for (x, &row) in batch.x.rows().zip(&batch.rows) {
            assert_eq!(x, [row as f32, 2.0 * row as f32, -(row as f32)]);
        }
        batches.push(batch.rows);
    }
    batches
}

/// Memory for this many rows of three single numbers.
fn memory(rows: usize) -> usize {
    (1 << 17) + rows * (3 * 4 + 16)
}

#[test]
fn a_file_five_times_larger_than_the_memory_allowed_is_read_within_it() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.npy");
    npy::write(&path, &Array::new([20_000, 64], vec![0.5f64; 20_000 * 64])).unwrap();
    let allowed = 20_000 * 64 * 8 / 5;
    let mut shards = Shards::<f64>::open_npy(&path, allowed).unwrap().batches_of(100);
    let (rows, most) = most_of(|| {
        let (mut rows, mut epoch) = (0, shards.epoch(0));
        while let Some(batch) = epoch.next().unwrap() {
            rows += batch.rows.len();
        }
        rows
    });
    assert_eq!(rows, 20_000);
    println!(
        "{most} bytes at most; {allowed} are allowed, the file has {}",
        fs::metadata(&path).unwrap().len()
    );
    // A batch, which doubles as it grows, comes on top, and the order of the shards.
    let batch = 2 * 100 * 64 * 8;
    assert!(most <= allowed + batch + 4096, "{most} bytes were taken, {allowed} are allowed");
    assert!(most > allowed / 2, "most of the memory that is allowed is used for mixing: {most}");
}

#[test]
fn every_row_comes_once_an_epoch_and_only_the_last_batch_is_short() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.npy");
    for rows in [1, 7, 16, 100, 1013] {
        npy::write(&path, &numbered(rows)).unwrap();
        for fit in [16, 50, 10_000] {
            let mut shards = Shards::open_npy(&path, memory(fit)).unwrap().batches_of(10).seed(3);
            let batches = epoch(&mut shards, 0, 0);
            let mut all = batches.concat();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..rows), "{rows} rows, memory for {fit}");
            assert!(batches[..batches.len() - 1].iter().all(|batch| batch.len() == 10));
            assert_eq!(batches.len(), rows.div_ceil(10));
        }
    }
}

#[test]
fn the_order_is_of_the_seed_and_the_epoch_alone() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.npy");
    npy::write(&path, &numbered(500)).unwrap();
    let open = |seed| Shards::open_npy(&path, memory(64)).unwrap().batches_of(30).seed(seed);
    let mut shards = open(1);
    let (first, second) = (epoch(&mut shards, 0, 0), epoch(&mut shards, 1, 0));
    assert_ne!(first, second);
    assert_ne!(first, epoch(&mut open(2), 0, 0));
    assert_eq!(second, epoch(&mut open(1), 1, 0), "whatever was read before");
    // On a thread of its own, and with fewer or more threads for the products.
    let before = quietgrad::threads();
    for threads in [1, 3] {
        quietgrad::set_threads(threads);
        let again = std::thread::scope(|scope| scope.spawn(|| epoch(&mut open(1), 1, 0)).join().unwrap());
        assert_eq!(second, again);
    }
    quietgrad::set_threads(before);
}

#[test]
fn an_epoch_goes_on_in_the_middle_as_if_it_had_not_stopped() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.npy");
    npy::write(&path, &numbered(500)).unwrap();
    let mut shards = Shards::open_npy(&path, memory(48)).unwrap().batches_of(7).seed(9);
    let whole = epoch(&mut shards, 4, 0);
    for skip in [0, 1, 6, 7, 20, 71, 72, 100] {
        assert_eq!(epoch(&mut shards, 4, skip), whole[skip.min(whole.len())..], "{skip} batches skipped");
    }
}

#[test]
fn rows_far_apart_meet_in_a_batch() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.npy");
    npy::write(&path, &numbered(4000)).unwrap();
    let mut shards = Shards::open_npy(&path, memory(400)).unwrap().batches_of(100);
    let batches = epoch(&mut shards, 0, 0);
    // Of neighbours in one batch of a whole shuffle, 1 in 40 pairs; by shards of 25 rows some 1 in 4.
    let mut batch_of = HashMap::new();
    for (number, batch) in batches.iter().enumerate() {
        batch_of.extend(batch.iter().map(|&row| (row, number)));
    }
    let together = (1..4000).filter(|row| batch_of[row] == batch_of[&(row - 1)]).count();
    assert!(together < 1400, "{together} of 3999 neighbours share a batch");
    for batch in &batches {
        let span = batch.iter().max().unwrap() - batch.iter().min().unwrap();
        assert!(span > 1500, "a batch spans {span} rows of 4000");
    }
}

#[test]
fn arrays_of_every_format_give_the_rows_that_reading_them_whole_gives() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x");
    let array = numbered(90);
    let check = |opened: Result<Shards<f32>, Error>| {
        let mut shards = opened.unwrap().batches_of(8);
        assert_eq!((shards.rows(), shards.row_shape()), (90, &[3][..]));
        assert_eq!(epoch(&mut shards, 0, 0).concat().len(), 90);
    };
    npy::write(&path, &array).unwrap();
    check(Shards::open_npy(&path, memory(40)));
    safetensors::write(&path, &[("other", &Array::new([5], vec![1.0; 5])), ("x", &array)]).unwrap();
    check(Shards::open_safetensors(&path, "x", memory(40)));
    idx::write(&path, &array).unwrap();
    check(Shards::open_idx(&path, memory(40)));
}

#[test]
fn what_has_no_rows_or_no_room_is_refused() {
    fn refused<T: Value + quietgrad::Element>(opened: Result<Shards<T>, Error>) -> String {
        opened.expect_err("an array that is refused").to_string()
    }
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let write = |array: &Array<f32>| npy::write(&path, array).unwrap();
    write(&Array::new([], vec![1.0]));
    assert!(refused(Shards::<f32>::open_npy(&path, 1 << 20)).contains("found a single number"));
    write(&Array::new([0, 3], vec![]));
    assert!(
        refused(Shards::<f32>::open_npy(&path, 1 << 20)).contains("an epoch would be over without a step")
    );
    write(&Array::new([3, 0], vec![]));
    assert!(refused(Shards::<f32>::open_npy(&path, 1 << 20)).contains("found 3 of no numbers"));
    write(&numbered(5));
    assert!(refused(Shards::<f32>::open_npy(&path, 1000)).contains("expected memory for 16 rows"));
    let fortran = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/files/fortran.npy");
    assert!(refused(Shards::<f32>::open_npy(fortran, 1 << 20)).contains("Fortran's order"));
}

#[test]
fn a_number_that_does_not_fit_names_its_rows() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let mut data = vec![1.0; 40];
    data[33] = 1e300;
    npy::write(&path, &Array::new([20, 2], data)).unwrap();
    let mut shards = Shards::<f32>::open_npy(&path, 1 << 20).unwrap();
    let mut epoch = shards.epoch(0);
    let error = loop {
        match epoch.next() {
            Ok(batch) => assert!(batch.is_some(), "the number was read"),
            Err(error) => break error,
        }
    };
    assert_eq!(*error.place(), Place::Rows(16..18));
    assert!(error.to_string().contains("element 1: "), "{error}");
}
