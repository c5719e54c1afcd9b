//! Fixtures from an independent engine; `README.md` in this folder says what made them and how they are compared.

mod args;
pub mod arrays;
mod images;
mod layers;
mod nets;
mod ops;
mod sequences;
mod train;

use std::collections::HashMap;
use std::fs;

use quietgrad::{Shape, Tensor};
use serde_json::Value;

use arrays::{Stored, stored, words};

/// A file of named arrays, and its manifest.
pub struct Fixture {
    arrays: HashMap<String, Array>,
    manifest: Value,
}

pub enum Array {
    Real(Tensor<f64>),
    Index(Shape, Vec<usize>),
}

impl Fixture {
    fn read(name: &str) -> Self {
        let path = format!("{}/golden/{name}", env!("CARGO_MANIFEST_DIR"));
        let manifest = fs::read(format!("{path}.json")).expect("a manifest");
        let bytes = fs::read(format!("{path}.safetensors")).expect("a file of arrays");
        let array = |stored: Stored| {
            let (shape, bytes) = (Shape::from(&stored.shape[..]), stored.bytes);
            let array = match &stored.kind[..] {
                "F64" => {
                    let data = words(bytes).map(f64::from_le_bytes).collect();
                    Array::Real(Tensor::new(shape, data).expect("as many elements as the shape says"))
                }
                "I64" => Array::Index(shape, words(bytes).map(|b| i64::from_le_bytes(b) as usize).collect()),
                "I32" => Array::Index(shape, words(bytes).map(|b| i32::from_le_bytes(b) as usize).collect()),
                other => panic!("{} is of type {other}, which no fixture has", stored.name),
            };
            (stored.name, array)
        };
        Fixture {
            arrays: stored(&bytes).into_iter().map(array).collect(),
            manifest: serde_json::from_slice(&manifest).expect("JSON"),
        }
    }

    fn array(&self, key: &str) -> &Array {
        self.arrays.get(key).unwrap_or_else(|| panic!("no array {key}"))
    }

    fn tensor(&self, key: &str) -> &Tensor<f64> {
        match self.array(key) {
            Array::Real(tensor) => tensor,
            Array::Index(..) => panic!("{key} holds indices"),
        }
    }
}

/// The largest |ours − theirs| / |theirs|; or, as an error, the first element that is further off than `tolerance`.
///
/// What is smaller than a hundredth of the tensor's largest magnitude counts as that much, because a sum that cancels
/// has the rounding errors of its terms. Where theirs is infinite or NaN, ours must be the same.
pub fn compare(ours: &Tensor<f64>, theirs: &Tensor<f64>, tolerance: f64) -> Result<f64, String> {
    if ours.shape() != theirs.shape() {
        return Err(format!("our shape is {}, theirs {}", ours.shape(), theirs.shape()));
    }
    let finite = theirs.data().iter().filter(|b| b.is_finite());
    let scale = finite.fold(0.0, |scale: f64, b| scale.max(b.abs()));
    let mut largest = 0.0;
    for (i, (&a, &b)) in ours.data().iter().zip(theirs.data()).enumerate() {
        let same = a == b || (a.is_nan() && b.is_nan());
        let error = if same { 0.0 } else { (a - b).abs() / b.abs().max(0.01 * scale) };
        // A NaN of ours is not near.
        let near = error <= tolerance;
        if !near {
            return Err(format!("element {i}: ours is {a:e}, theirs {b:e}: {error:.1e} relative"));
        }
        largest = error.max(largest);
    }
    Ok(largest)
}

/// Gradients that are 0, or nearly, as the difference of equal terms, with the size of the largest term: what is left are
/// roundings of the terms, the other engine's too.
const CANCELLED: [(&str, f64); 4] = [
    // |ct s| / √(variance + ε): of two rows the normalized ones are ±1, wherever the rows are
    ("batch_norm_train/two_rows/grad.0", 9.9),
    // |ct x| / √ε: of a row of one element the normalized one is 0
    ("layer_norm/size1/grad.1", 223.0),
    // |ct v k| / √d and |ct v q| / √d: all weight is on one key, and stays there
    ("attention/large_scores/grad.0", 60.0),
    ("attention/large_scores/grad.1", 130.0),
];

/// [`compare`] of a gradient, by its name; one that cancels may be off by four roundings of its terms.
pub fn compare_gradient(
    name: &str,
    ours: &Tensor<f64>,
    theirs: &Tensor<f64>,
    tolerance: f64,
) -> Result<f64, String> {
    let Some((_, size)) = CANCELLED.iter().find(|(cancelled, _)| *cancelled == name) else {
        return compare(ours, theirs, tolerance);
    };
    let allowed = 4.0 * f64::EPSILON * size;
    for (a, b) in ours.data().iter().zip(theirs.data()) {
        let near = (a - b).abs() <= allowed; // a NaN of ours is not
        if !near {
            return Err(format!("ours is {a:e}, theirs {b:e}, of terms of {size}"));
        }
    }
    if ours.shape() == theirs.shape() { Ok(0.0) } else { Err(format!("our shape is {}", ours.shape())) }
}
