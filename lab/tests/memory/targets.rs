//! What a reader is held to, whatever the file: it does not panic, it takes no memory that the file does not back, and
//! what it accepts can be written and read back. A fuzzer calls these functions with files of its own.

use std::path::Path;

use quietgrad::{Params, Tensor};
use quietgrad_lab::data::csv::{self, Missing, Options};
use quietgrad_lab::data::{Array, idx, npy, npz, safetensors};
use quietgrad_lab::params::{describe, load};

/// A reader under test: its name, the ends of its samples' names, what it does with a file, and how many bytes of memory a
/// byte of a file may take.
pub struct Target {
    pub name: &'static str,
    pub samples: &'static [&'static str],
    pub run: fn(&Path, &Path),
    pub bytes_for_a_byte: usize,
}

pub const TARGETS: [Target; 6] = [
    Target { name: "npy", samples: &[".npy"], run: npy, bytes_for_a_byte: 32 },
    // A byte of packed zeros is 1032 bytes of booleans at most, each an f64, and memory doubles as it grows.
    Target { name: "npz", samples: &[".npz"], run: npz, bytes_for_a_byte: 1032 * 8 * 3 },
    Target { name: "safetensors", samples: &["kinds.safetensors"], run: tensors, bytes_for_a_byte: 64 },
    Target { name: "params", samples: &["kinds.safetensors"], run: parameters, bytes_for_a_byte: 64 },
    Target { name: "csv", samples: &[".csv"], run: tables, bytes_for_a_byte: 128 },
    Target { name: "idx", samples: &["-ubyte", "-idx1", "-idx2"], run: images, bytes_for_a_byte: 32 },
];

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
