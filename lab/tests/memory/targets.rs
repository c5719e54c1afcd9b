//! What a reader is held to, whatever the file: it does not panic, it takes no memory that the file does not back, and
//! what it accepts can be written and read back. A fuzzer calls these functions with files of its own.

use std::path::Path;

use quietgrad::{Params, Random, Tensor};
use quietgrad_lab::data::csv::{self, Missing, Options};
use quietgrad_lab::data::{Array, idx, npy, npz, safetensors};
use quietgrad_lab::params::{Description, describe, load};
use quietgrad_lab::train::{Checkpoint, Fit, Outcome, Search};

/// A reader under test: its name, the ends of its samples' names, what it does with a file, and how many bytes of memory a
/// byte of a file may take.
pub struct Target {
    pub name: &'static str,
    pub samples: &'static [&'static str],
    pub run: fn(&Path, &Path),
    pub bytes_for_a_byte: usize,
}

pub const TARGETS: [Target; 8] = [
    Target { name: "npy", samples: &[".npy"], run: npy, bytes_for_a_byte: 32 },
    // A byte of packed zeros is 1032 bytes of booleans at most, each an f64, and memory doubles as it grows.
    Target { name: "npz", samples: &[".npz"], run: npz, bytes_for_a_byte: 1032 * 8 * 3 },
    Target { name: "safetensors", samples: &["kinds.safetensors"], run: tensors, bytes_for_a_byte: 64 },
    Target { name: "params", samples: &["kinds.safetensors"], run: parameters, bytes_for_a_byte: 64 },
    Target { name: "csv", samples: &[".csv"], run: tables, bytes_for_a_byte: 128 },
    Target { name: "idx", samples: &["-ubyte", "-idx1", "-idx2"], run: images, bytes_for_a_byte: 32 },
    Target { name: "checkpoint", samples: &[".checkpoint"], run: checkpoint, bytes_for_a_byte: 64 },
    Target { name: "search", samples: &["search.json"], run: search, bytes_for_a_byte: 64 },
];

/// Writes samples of the formats that no other program writes.
pub fn write_samples(folder: &Path) {
    let mut params = fitted();
    params.data_mut().fill(0.5);
    let mut fit = Fit::new(3);
    while fit.epoch().expect("a loss that is finite").is_some() {
        fit.step(0.25f32);
        fit.held_out(0.5f32, &params);
    }
    let state = Random::new(1).state();
    let checkpoint = Checkpoint::of(&params).with("fit", fit.state()).with("random", state);
    checkpoint
        .save(folder.join("run.checkpoint"), &Description::new("sample").with("width", 2))
        .expect("a file");
    let mut search = Search::resume(folder.join("search.json"), "sample").expect("no trials yet");
    let outcome =
        |lambda: f64| Outcome { loss: if lambda > 0.5 { f64::NAN } else { 0.1 + lambda }, density: 0.3 };
    search.run(&[0.0, 1e-3, 0.1, 1.0], 1, outcome).expect("a file");
}

/// The parameters of the sample of a checkpoint, all 0.
fn fitted() -> Params<f32> {
    let mut params = Params::new();
    params.add("w", Tensor::zeros([2, 2]));
    params.add("b", Tensor::zeros([2]));
    params
}

/// What is restored can be saved again, and a loop goes on from it.
fn checkpoint(path: &Path, beside: &Path) {
    let Ok(mut saved) = Checkpoint::open(path) else { return };
    let mut params = fitted();
    if saved.params(&mut params).is_err() {
        assert!(params.data().iter().all(|&x| x == 0.0), "nothing is loaded when something is wrong");
    }
    let names: Vec<String> = saved.states().map(String::from).collect();
    for name in names {
        let _ = saved.state::<f32>(&name);
        let Ok(state) = saved.state::<f64>(&name) else { continue };
        let _ = Random::new(1).restore(&state);
        let mut fit = Fit::new(5);
        if fit.restore(&params, &state).is_ok() {
            Checkpoint::of(&params)
                .with("fit", fit.state())
                .save(beside, &Description::new(""))
                .expect("a file");
            let (_, _) = (fit.restore_best(&mut params), fit.remaining());
            for _ in 0..3 {
                if matches!(fit.epoch(), Ok(Some(_))) {
                    fit.step(0.1f32);
                    fit.held_out(0.1f32, &params);
                }
            }
        }
    }
}

fn search(path: &Path, _beside: &Path) {
    let Ok(mut search) = Search::resume(path, "sample") else { return };
    assert!(!search.to_string().is_empty());
    search.run(&search.around_best(2), 1, |_| Outcome { loss: 0.0, density: 0.5 }).expect("a file");
    assert_eq!(Search::resume(path, "sample").expect("what was written").to_string(), search.to_string());
}

fn npy(path: &Path, beside: &Path) {
    if let Ok(array) = npy::read::<f64>(path) {
        npy::write(beside, &array).expect("a file beside");
        comes_back(&array, &npy::read(beside).expect("what was written"));
    }
    let _ = npy::read::<f32>(path);
    let _ = npy::read::<u8>(path);
}

fn npz(path: &Path, beside: &Path) {
    let Ok(mut archive) = npz::Reader::open(path) else { return };
    for name in archive.names().to_vec() {
        if let Ok(array) = archive.read::<f64>(&name) {
            npz::write_packed(beside, &[("x", &array)]).expect("a file beside");
            comes_back(&array, &npz::Reader::open(beside).expect("an archive").read("x").expect("an array"));
        }
    }
}

fn tensors(path: &Path, beside: &Path) {
    let Ok(mut file) = safetensors::Reader::open(path) else { return };
    let names: Vec<String> = file.names().map(String::from).collect();
    for name in names {
        let _ = (file.dtype(&name), file.text(&name));
        let _ = file.read::<i64>(&name);
        if let Ok(array) = file.read::<f64>(&name) {
            assert_eq!(file.shape(&name), Some(array.shape()));
            safetensors::write(beside, &[(&name, &array)]).expect("a file beside");
            let mut again = safetensors::Reader::open(beside).expect("what was written");
            comes_back(&array, &again.read(&name).expect("an array"));
        }
    }
}

fn parameters(path: &Path, _beside: &Path) {
    let mut params = Params::<f32>::new();
    params.add("f16", Tensor::zeros([2, 2]));
    params.add("f64", Tensor::zeros([]));
    params.add("u8", Tensor::zeros([2, 2]));
    if let Err(error) = load(path, &mut params) {
        assert!(params.data().iter().all(|&x| x == 0.0), "nothing is loaded when something is wrong");
        assert!(!error.to_string().is_empty());
    }
    let _ = describe(path);
}

fn tables(path: &Path, beside: &Path) {
    for options in [Options::with_header(), Options::without_header()] {
        for missing in [Missing::Refuse, Missing::Nan, Missing::LeaveOut] {
            let options = options.clone().missing(missing);
            if let Ok(table) = csv::read::<f64>(path, &options.clone().words(["kind"])) {
                assert!(table.words.iter().all(|(_, words)| words.len() == table.numbers.shape()[0]));
            }
            let Ok(table) = csv::read::<f64>(path, &options) else { continue };
            let nan = table.numbers.data().iter().filter(|x| x.is_nan()).count();
            assert!(missing != Missing::Refuse || table.missing.is_empty());
            assert!(nan >= table.missing.len());
            let names: Vec<String> = (0..table.names.len()).map(|i| format!("c{i}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            csv::write(beside, &names, &table.numbers).expect("a file beside");
            let again = csv::read(beside, &Options::with_header().missing(Missing::Nan));
            comes_back(&table.numbers, &again.expect("what was written").numbers);
        }
    }
}

fn images(path: &Path, beside: &Path) {
    if let Ok(array) = idx::read::<f64>(path) {
        idx::write(beside, &array).expect("a file beside");
        comes_back(&array, &idx::read(beside).expect("what was written"));
    }
    let _ = idx::read::<u8>(path);
}

/// Equal to the last bit, but for what stands in a NaN.
fn comes_back(written: &Array<f64>, read: &Array<f64>) {
    assert_eq!(written.shape(), read.shape());
    for (a, b) in written.data().iter().zip(read.data()) {
        assert!(a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()), "{a:?} came back as {b:?}");
    }
}
