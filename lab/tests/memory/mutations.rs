//! Every reader, on files that were damaged at random, in order of a seed.
//!
//! `cargo test` makes a few hundred of each kind. For longer: `QUIETGRAD_MUTATE_SECONDS=600`, for each reader, with
//! `QUIETGRAD_MUTATE_SEED=7` to begin elsewhere. What fails is left in the temporary folder, whose name is printed; it then
//! moves into `files/found/`, from which every run begins.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use quietgrad::Random;

use crate::counting::most_of;
use crate::targets::{TARGETS, Target, write_samples};

/// Memory that a reader may take whatever the file: buffers, and the packing and unpacking of archives.
const BASE: usize = 2 << 20;

/// The files that damage begins from.
fn samples(target: &Target) -> Vec<Vec<u8>> {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files");
    let own = tempfile::tempdir().expect("a folder");
    write_samples(own.path());
    let mut paths: Vec<PathBuf> = [files.clone(), files.join("found"), own.path().to_owned()]
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| target.samples.iter().any(|end| path.to_string_lossy().ends_with(end)))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} has no samples", target.name);
    paths.iter().map(|path| fs::read(path).expect("a sample")).collect()
}

/// Damages a file in one to eight places.
fn damage(bytes: &mut Vec<u8>, samples: &[Vec<u8>], random: &mut Random) {
    for _ in 0..=random.below(8) {
        if bytes.is_empty() {
            bytes.push(random.bits() as u8);
        }
        // Headers stand in front (or, in archives, at the end): half of the damage is done there.
        let reach = if random.below(2) == 0 { bytes.len().min(128) } else { bytes.len() };
        let at =
            if random.below(4) == 0 { bytes.len() - 1 - random.below(reach) } else { random.below(reach) };
        let end = (at + 1 + random.below(16)).min(bytes.len());
        match random.below(10) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.bits() as u8,
            2 => bytes[at] = b"0123456789,;.\"'\n\r\t {}[]():-eLNA\0\x7f\xff"[random.below(33)],
            3 => bytes.truncate(at),
            4 => {
                bytes.drain(at..end);
            }
            5 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            6 => {
                let number = [
                    0,
                    1,
                    0x7f,
                    0xff,
                    0xffff,
                    i32::MAX as u64,
                    u64::from(u32::MAX),
                    i64::MAX as u64,
                    u64::MAX,
                ][random.below(9)];
                let number = if random.below(2) == 0 { number.to_le_bytes() } else { number.to_be_bytes() };
                let size = 1 << random.below(4);
                let end = (at + size).min(bytes.len());
                bytes[at..end].copy_from_slice(&number[..end - at]);
            }
            7 => {
                // A run of digits becomes another number.
                let start = (at..bytes.len()).find(|&i| bytes[i].is_ascii_digit()).unwrap_or(at);
                let end = (start..bytes.len()).find(|&i| !bytes[i].is_ascii_digit()).unwrap_or(bytes.len());
                let number = random.bits() >> random.below(64);
                bytes.splice(start..end, number.to_string().into_bytes());
            }
            8 => {
                let other = &samples[random.below(samples.len())];
                let from = random.below(other.len().max(1)).min(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => {
                let words: [&[u8]; 8] = [
                    b"\xef\xbb\xbf",
                    b"\"\"",
                    b"\r\n",
                    b"1e999",
                    b"-inf",
                    b"\"x\":",
                    b"__metadata__",
                    b"18446744073709551616",
                ];
                let word = words[random.below(8)];
                bytes.splice(at..at, word.iter().copied());
            }
        }
    }
}

/// Runs a reader on damaged files for the time asked for, or a few hundred times.
fn hold(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    let number = |variable: &str| std::env::var(variable).ok().and_then(|text| text.parse::<u64>().ok());
    let until =
        number("QUIETGRAD_MUTATE_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut random = Random::new(number("QUIETGRAD_MUTATE_SEED").unwrap_or(1));
    let samples = samples(target);
    let folder = tempfile::tempdir().expect("a folder");
    let (path, beside) = (folder.path().join("damaged"), folder.path().join("beside"));
    let mut count = 0;
    while until.map_or(count < 300 + samples.len(), |until| Instant::now() < until) {
        // First the samples as they are.
        let mut bytes = samples.get(count).unwrap_or_else(|| &samples[random.below(samples.len())]).clone();
        if count >= samples.len() {
            damage(&mut bytes, &samples, &mut random);
        }
        fs::write(&path, &bytes).expect("a damaged file");
        let run = || catch_unwind(AssertUnwindSafe(|| (target.run)(&path, &beside)));
        let (outcome, most) = most_of(run);
        let limit = BASE + target.bytes_for_a_byte * bytes.len();
        if outcome.is_err() || most > limit {
            let found = std::env::temp_dir().join(format!("quietgrad-{name}-{count}"));
            fs::write(&found, &bytes).expect("the file that fails");
            eprintln!("{name}: file number {count}, kept as {}: {most} bytes of memory", found.display());
            outcome.unwrap_or_else(|panic| resume_unwind(panic));
            panic!("{most} bytes of memory for a file of {}, at most {limit} were expected", bytes.len());
        }
        count += 1;
    }
    println!("{name}: {count} files");
}

#[test]
fn damaged_npy_files_are_read_or_refused() {
    hold("npy");
}

#[test]
fn damaged_npz_archives_are_read_or_refused() {
    hold("npz");
}

#[test]
fn damaged_safetensors_files_are_read_or_refused() {
    hold("safetensors");
}

#[test]
fn damaged_parameters_are_loaded_or_refused() {
    hold("params");
}

#[test]
fn damaged_tables_are_read_or_refused() {
    hold("csv");
}

#[test]
fn damaged_idx_files_are_read_or_refused() {
    hold("idx");
}

#[test]
fn damaged_checkpoints_are_read_or_refused() {
    hold("checkpoint");
}

#[test]
fn damaged_trials_are_read_or_refused() {
    hold("search");
}
