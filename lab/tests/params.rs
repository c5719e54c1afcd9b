//! Parameters saved and loaded by name.

use std::fs;

use quietgrad::{Params, Tensor};
use quietgrad_lab::Mismatch;
use quietgrad_lab::data::Array;
use quietgrad_lab::data::safetensors::{self as tensors, Reader};
use quietgrad_lab::params::{Description, describe, load, save};
use safetensors::SafeTensors;
use tempfile::tempdir;

fn model() -> Params<f32> {
    let mut params = Params::new();
    params.add("w", Tensor::from([[1.0, -0.0, 3.5], [f32::MIN_POSITIVE / 8.0, f32::INFINITY, 1e-30]]));
    params.add("empty", Tensor::zeros([0, 3]));
    params.add("b", Tensor::full([], 0.1));
    params
}

fn bits(params: &Params<f32>) -> Vec<u32> {
    params.data().iter().map(|x| x.to_bits()).collect()
}

#[test]
fn parameters_come_back_with_their_bits() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let saved = model();
    let description = Description::new("a \"model\"").with("width", 3).with("größe", "ä\n");
    save(&path, &saved, &description).unwrap();

    let mut loaded = model();
    loaded.data_mut().fill(7.0);
    assert_eq!(load(&path, &mut loaded).unwrap(), Some(description.clone()));
    assert_eq!(bits(&loaded), bits(&saved));
    assert_eq!(describe(&path).unwrap(), Some(description));
}

#[test]
fn the_order_of_names_does_not_matter() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    save(&path, &model(), &Description::new("m")).unwrap();
    let mut other = Params::<f32>::new();
    let b = other.add("b", Tensor::full([], 0.0));
    let w = other.add("w", Tensor::zeros([2, 3]));
    other.add("empty", Tensor::zeros([0, 3]));
    load(&path, &mut other).unwrap();
    assert_eq!(other.get(b), [0.1]);
    assert_eq!(other.get(w)[2], 3.5);
}

#[test]
fn tied_parameters_are_saved_once_and_found_under_either_name() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let untied = |names: &[&str], last: f32| {
        let mut params = Params::<f32>::new();
        for (i, name) in names.iter().enumerate() {
            params.add(*name, Tensor::from([1.0, if i == 0 { 2.0 } else { last }]));
        }
        params
    };
    let tied = || {
        let mut params = untied(&["a"], 0.0);
        let a = params.find("a").unwrap();
        params.get_mut(a).fill(7.0);
        params.tie("b", a);
        params
    };
    save(&path, &tied(), &Description::new("m")).unwrap();
    let mut file = Reader::open(&path).unwrap();
    assert_eq!(file.names().collect::<Vec<_>>(), ["a"]);
    assert_eq!(file.read::<f32>("a").unwrap().into_data(), [7.0, 7.0]);
    for names in [&["a"][..], &["b"], &["a", "b"]] {
        save(&path, &untied(names, 2.0), &Description::new("m")).unwrap();
        let mut params = tied();
        load(&path, &mut params).unwrap();
        assert_eq!(params.data(), [1.0, 2.0], "{names:?}");
    }
    save(&path, &untied(&["a", "b"], 3.0), &Description::new("m")).unwrap();
    let mut params = tied();
    let error = load(&path, &mut params).unwrap_err().to_string();
    assert!(error.contains("\"b\": expected the numbers of \"a\""), "{error}");
    assert_eq!(params.data(), [7.0, 7.0]);
    save(&path, &untied(&["c"], 3.0), &Description::new("m")).unwrap();
    assert_eq!(load(&path, &mut params).unwrap_err().mismatches().len(), 2);
}

#[test]
fn what_is_saved_twice_has_equal_bytes() {
    let folder = tempdir().unwrap();
    let paths = ["a", "b"].map(|name| folder.path().join(name));
    for path in &paths {
        save(path, &model(), &Description::new("m").with("z", 1).with("a", 2).with("k", 3)).unwrap();
    }
    assert_eq!(fs::read(&paths[0]).unwrap(), fs::read(&paths[1]).unwrap());
}

#[test]
fn the_file_is_one_that_the_format_s_own_crate_reads() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    save(&path, &model(), &Description::new("m")).unwrap();
    let bytes = fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.tensor("w").unwrap().shape(), [2, 3]);
    assert_eq!(file.tensor("b").unwrap().data(), 0.1f32.to_le_bytes());
    let start = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap());
    assert_eq!(start % 8, 0, "numbers begin at a multiple of 8 bytes");
}

#[test]
fn every_difference_is_reported_at_once_and_nothing_is_loaded() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    save(&path, &model(), &Description::new("m")).unwrap();

    let mut other = Params::<f32>::new();
    other.add("w", Tensor::full([3, 2], 5.0));
    other.add("bias", Tensor::full([], 5.0));
    other.add("empty", Tensor::zeros([0, 3]));
    let error = load(&path, &mut other).unwrap_err();
    let mut found = error.mismatches().to_vec();
    found.sort_by_key(ToString::to_string);
    let expected = [
        Mismatch::Extra("b".into()),
        Mismatch::Missing("bias".into()),
        Mismatch::Shape { name: "w".into(), model: vec![3, 2], file: vec![2, 3] },
    ];
    assert_eq!(found, expected);
    let text = error.to_string();
    for part in [path.to_str().unwrap(), "\"w\" has shape [3, 2] in the model and [2, 3] in the file", "bias"]
    {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
    assert!(other.data().iter().all(|&x| x == 5.0), "nothing was changed");
}

#[test]
fn double_precision_is_rounded_and_single_precision_widened() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let mut wide = Params::<f64>::new();
    wide.add("w", Tensor::from([0.1, 1e-3]));
    save(&path, &wide, &Description::new("m")).unwrap();
    let mut narrow = Params::<f32>::new();
    narrow.add("w", Tensor::zeros([2]));
    load(&path, &mut narrow).unwrap();
    assert_eq!(narrow.data(), [0.1, 1e-3]);
    save(&path, &narrow, &Description::new("m")).unwrap();
    load(&path, &mut wide).unwrap();
    assert_eq!(wide.data(), [0.1f32 as f64, 1e-3f32 as f64]);
}

#[test]
fn a_number_too_large_for_the_model_s_kind_is_an_error_and_loads_nothing() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let (fine, large) = (Array::new([1], vec![1.0]), Array::new([2], vec![0.0, 1e300]));
    tensors::write(&path, &[("a", &fine), ("b", &large)]).unwrap();
    let mut params = Params::<f32>::new();
    params.add("a", Tensor::zeros([1]));
    params.add("b", Tensor::zeros([2]));
    let text = load(&path, &mut params).unwrap_err().to_string();
    assert!(text.contains("\"b\": element 1: ") && text.ends_with("is no f32"), "{text}");
    assert_eq!(params.data(), [0.0; 3]);
}

#[test]
fn a_file_of_another_program_has_no_description() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("other.safetensors");
    let view =
        safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![1], &[0, 0, 128, 63]).unwrap();
    let text = [("format".to_owned(), "pt".to_owned())].into_iter().collect();
    fs::write(&path, safetensors::serialize([("w", view)], Some(text)).unwrap()).unwrap();
    let mut params = Params::<f64>::new();
    params.add("w", Tensor::zeros([1]));
    assert_eq!(load(&path, &mut params).unwrap(), None);
    assert_eq!(params.data(), [1.0]);
    assert_eq!(Reader::open(&path).unwrap().text("format"), Some("pt"));
}

#[test]
fn a_name_that_the_format_keeps_for_itself_is_refused() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let mut params = Params::<f32>::new();
    params.add("__metadata__", Tensor::zeros([1]));
    assert!(save(&path, &params, &Description::new("m")).unwrap_err().to_string().contains("__metadata__"));
    assert!(!path.exists());
}

#[test]
fn a_folder_that_does_not_exist_is_named() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("nowhere/model.safetensors");
    let text = save(&path, &model(), &Description::new("m")).unwrap_err().to_string();
    assert!(text.contains("nowhere"), "{text}");
}
