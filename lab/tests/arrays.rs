//! Arrays in and out: .npy, .npz, safetensors, IDX, against files of other programs.

use std::fs;
use std::path::{Path, PathBuf};

use quietgrad_lab::data::{Array, Dtype, Value, idx, npy, npz, safetensors};
use quietgrad_lab::{Place, Result};
use tempfile::{TempDir, tempdir};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(name)
}

fn file(bytes: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// The text of an error without its path.
fn refused<T>(path: &Path, result: Result<T>) -> String {
    let error = result.err().unwrap();
    assert_eq!(error.path(), path);
    error.to_string().strip_prefix(&format!("{}: ", path.display())).expect("the path comes first").to_owned()
}

/// What make.py writes: 2 × 3 × 4 numbers from −5, or from 0 where there is no sign.
fn counted(from: i32) -> Array<f64> {
    Array::new([2, 3, 4], (0..24).map(|i| f64::from(i + from)).collect())
}

#[test]
fn every_kind_of_number_and_both_orders_of_bytes_are_read() {
    for order in ["little", "big"] {
        for kind in ["i1", "i2", "i4", "i8", "f2", "f4", "f8", "u1", "u2", "u4", "u8"] {
            let path = fixture(&format!("{order}_{kind}.npy"));
            let expected = counted(if kind.starts_with('u') { 0 } else { -5 });
            assert_eq!(npy::read::<f64>(&path).unwrap(), expected, "{order} {kind}");
            let single = npy::read::<f32>(&path).unwrap();
            assert!(single.data().iter().map(|&x| f64::from(x)).eq(expected.data().iter().copied()));
            let whole = npy::read::<i16>(&path).unwrap();
            assert!(whole.data().iter().map(|&x| f64::from(x)).eq(expected.data().iter().copied()));
        }
    }
    let even: Vec<f32> = (0..24).map(|i| if i % 2 == 1 { 1.0 } else { 0.0 }).collect();
    assert_eq!(npy::read::<f32>(fixture("bool.npy")).unwrap().data(), even);
}

#[test]
fn axes_in_fortran_s_order_are_turned() {
    assert_eq!(npy::read::<f64>(fixture("fortran.npy")).unwrap(), counted(-5));
    assert_eq!(npy::read::<f64>(fixture("fortran_big.npy")).unwrap(), counted(-5));
}

#[test]
fn versions_1_to_3_are_read() {
    for version in 1..=3 {
        assert_eq!(npy::read::<f64>(fixture(&format!("version_{version}.npy"))).unwrap(), counted(-5));
    }
}

#[test]
fn arrays_without_axes_or_without_elements_are_legal() {
    assert_eq!(npy::read::<f64>(fixture("scalar.npy")).unwrap(), Array::new([], vec![2.5]));
    assert_eq!(npy::read::<f64>(fixture("empty.npy")).unwrap(), Array::new([3, 0, 2], vec![]));
    assert_eq!(npy::read::<f64>(fixture("scalar.npy")).unwrap().into_tensor().item(), 2.5);
}

#[test]
fn extreme_numbers_keep_their_bits() {
    let found = npy::read::<f64>(fixture("one_axis.npy")).unwrap();
    let expected = [0.1, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 5e-324, f64::MAX];
    let bits = |x: &[f64]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(found.data()), bits(&expected));
    let found = npy::read::<f32>(fixture("halves.npy")).unwrap();
    let smallest = 2f32.powi(-24);
    assert_eq!(
        found.data(),
        [1.0, 65504.0, smallest, 1023.0 / 1024.0 * 2f32.powi(-14) + smallest, -0.0, f32::INFINITY]
    );
}

#[test]
fn a_number_that_does_not_fit_is_refused_with_its_place() {
    let path = fixture("beyond_f32.npy");
    let text = refused(&path, npy::read::<f32>(&path));
    assert!(text.starts_with("element 1: ") && text.ends_with(" is no f32"), "{text}");
    let path = fixture("odd_label.npy");
    assert_eq!(refused(&path, npy::read::<f64>(&path)), "element 0: 9007199254740993 is no f64");
    assert_eq!(npy::read::<u64>(&path).unwrap().data(), [9007199254740993]);
    let path = fixture("little_i1.npy");
    assert_eq!(refused(&path, npy::read::<u8>(&path)), "element 0: -5 is no u8");
    let path = fixture("one_axis.npy");
    assert_eq!(refused(&path, npy::read::<i64>(&path)), "element 0: 0.1 is no i64");
}

#[test]
fn kinds_that_are_no_numbers_are_refused() {
    for (name, expected) in [("records", "an array of records"), ("complex", "\"<c16\""), ("text", "\"<U2\"")]
    {
        let path = fixture(&format!("{name}.npy"));
        let text = refused(&path, npy::read::<f64>(&path));
        assert!(text.contains(expected), "{text}");
    }
}

/// A .npy file of version 2 with this dictionary.
fn npy_with(dictionary: &str, numbers: usize) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x02\x00".to_vec();
    bytes.extend((dictionary.len() as u32).to_le_bytes());
    bytes.extend(dictionary.as_bytes());
    bytes.resize(bytes.len() + numbers, 0);
    bytes
}

#[test]
fn headers_that_lie_are_refused() {
    let huge =
        "{'descr': '<f8', 'fortran_order': False, 'shape': (18446744073709551615, 18446744073709551615)}";
    let zero = "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296)}";
    let more = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000,)}";
    let axes = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({})}}", "1,".repeat(33));
    let nested = format!("{{'shape': {}", "(".repeat(60_000));
    let cases = [
        (npy_with(huge, 16), "multiply to more than any memory holds"),
        (npy_with(zero, 0), "multiply to more than any memory holds"),
        (npy_with(more, 16), "expected 8000000000 bytes of numbers: shape [1000000000] of f64; found 16"),
        (npy_with(&axes, 8), "expected at most 32 axes, found 33"),
        (npy_with(&nested, 0), "expected a whole number at character 11"),
        (
            npy_with("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), 'shape': (1,)}", 8),
            "\"shape\" stands there twice",
        ),
        (npy_with("{'descr': '<f8', 'fortran_order': False}", 8), "expected an entry \"shape\""),
        (npy_with("{'descr': '<f8', 'fortran_order': 0, 'shape': (1,)}", 8), "expected True or False"),
        (npy_with("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}", 8), "expected a whole number"),
        (
            npy_with("{'descr': '<f8', 'fortran_order': False, 'shape': (1,)} x", 8),
            "expected nothing after the dictionary",
        ),
        (npy_with("{'descr': '=f8', 'fortran_order': False, 'shape': (1,)}", 8), "found \"=f8\""),
        (npy_with("{'descr': '', 'fortran_order': False, 'shape': (1,)}", 8), "found \"\""),
        (
            b"\x93NUMPY\x02\x00\xff\xff\xff\xff{".to_vec(),
            "expected a header of at most 65536 bytes, found one of 4294967295",
        ),
        (b"\x93NUMPY\x01\x00\xff\xff{".to_vec(), "expected a .npy header, the file ends before"),
        (b"\x93NUMPY\x04\x00\x01\x00{".to_vec(), "expected version 1, 2 or 3 of .npy, found 4.0"),
        (b"\x93NUMPX\x01\x00\x01\x00{".to_vec(), "which begins with"),
        (b"\x93NUM".to_vec(), "the file ends before"),
    ];
    for (bytes, expected) in cases {
        let (_folder, path) = file(&bytes);
        let text = refused(&path, npy::read::<f64>(&path));
        assert!(text.contains(expected), "{text:?} does not say {expected:?}");
    }
    // Python 2 wrote an L after some sizes.
    let (_folder, path) = file(npy_with("{'shape': (2L, 1), 'descr': \"|u1\", 'fortran_order': False}", 2));
    assert_eq!(npy::read::<u8>(&path).unwrap(), Array::new([2, 1], vec![0, 0]));
}

#[test]
fn a_file_that_is_too_short_or_too_long_is_refused() {
    let bytes = fs::read(fixture("little_f4.npy")).unwrap();
    for bytes in [&bytes[..bytes.len() - 1], &[&bytes[..], b"x"].concat()] {
        let (_folder, path) = file(bytes);
        let text = refused(&path, npy::read::<f32>(&path));
        assert!(text.starts_with("expected 96 bytes of numbers: shape [2, 3, 4] of f32; found 9"), "{text}");
    }
}

#[test]
fn archives_of_numpy_are_read_packed_or_not() {
    let mut several = npz::Reader::open(fixture("several.npz")).unwrap();
    assert_eq!(several.names(), ["x", "y", "scalar"]);
    assert_eq!(several.read::<f64>("x").unwrap(), counted(-5));
    assert_eq!(several.read::<u8>("y").unwrap().data(), [0, 1, 2]);
    assert_eq!(several.read::<f32>("scalar").unwrap(), Array::new([], vec![1.5]));
    let path = fixture("several.npz");
    let text = refused(&path, several.read::<f32>("z"));
    assert_eq!(text, "\"z\": expected an array of this name; the archive has [\"x\", \"y\", \"scalar\"]");

    let mut packed = npz::Reader::open(fixture("packed.npz")).unwrap();
    let codes = packed.read::<f32>("codes").unwrap();
    assert_eq!(codes.data().iter().sum::<f32>(), 20.0);
    assert_eq!(packed.read::<f64>("fortran").unwrap(), counted(-5));
}

#[test]
fn a_damaged_archive_is_refused() {
    let (_folder, path) = file("no archive");
    assert!(refused(&path, npz::Reader::open(&path)).starts_with("expected a .npz archive: "));
    let mut bytes = fs::read(fixture("several.npz")).unwrap();
    let at = bytes.windows(4).position(|four| four == (-5f32).to_le_bytes()).unwrap();
    bytes[at] ^= 1;
    let (_folder, path) = file(bytes);
    let mut archive = npz::Reader::open(&path).unwrap();
    let error = archive.read::<f32>("x").unwrap_err();
    assert_eq!(*error.place(), Place::Array("x".into()));
}

#[test]
fn an_archive_in_which_a_name_means_two_arrays_is_refused() {
    let (_folder, path) = file("");
    let mut archive = zip::ZipWriter::new(fs::File::create(&path).unwrap());
    for name in ["x", "x.npy"] {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    }
    archive.finish().unwrap();
    assert_eq!(refused(&path, npz::Reader::open(&path)), "two of the archive's arrays are called \"x\"");
}

#[test]
fn kinds_of_safetensors_are_read() {
    let mut file = safetensors::Reader::open(fixture("kinds.safetensors")).unwrap();
    assert_eq!(file.text("note"), Some("by Python"));
    let smallest = 2f32.powi(-24);
    assert_eq!(file.read::<f32>("f16").unwrap(), Array::new([2, 2], vec![1.0, -2.5, 65504.0, smallest]));
    assert_eq!(file.read::<f64>("f32").unwrap().data(), [f64::from(0.1f32), f64::from(1e-40f32), -0.0]);
    assert_eq!(file.read::<f64>("f64").unwrap(), Array::new([], vec![0.1]));
    assert_eq!(file.read::<i64>("i64").unwrap().data(), [-1, 9007199254740993]);
    assert_eq!(file.read::<f32>("u8").unwrap(), Array::new([2, 2], vec![0.0, 1.0, 2.0, 3.0]));
    assert_eq!(file.read::<u8>("bool").unwrap().data(), [1, 0]);
    assert_eq!(file.read::<f32>("empty").unwrap(), Array::new([0, 7], vec![]));
    assert_eq!((file.dtype("f16"), file.dtype("none")), (Some(Dtype::F16), None));
    assert!(file.read::<f32>("none").is_err());
}

/// A safetensors file with this header.
fn tensors_with(header: &str, numbers: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + numbers, 0);
    bytes
}

#[test]
fn half_precision_of_the_brain_kind_is_read() {
    let header = r#"{"x":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}"#;
    let mut bytes = tensors_with(header, 0);
    bytes.extend([0x80, 0x3f, 0x49, 0xc0]);
    let (_folder, path) = file(bytes);
    assert_eq!(safetensors::Reader::open(&path).unwrap().read::<f32>("x").unwrap().data(), [1.0, -3.140625]);
}

#[test]
fn headers_of_safetensors_that_lie_are_refused() {
    let x = |shape: &str, start: u64, end: u64| {
        format!(r#""x":{{"dtype":"F32","shape":{shape},"data_offsets":[{start},{end}]}}"#)
    };
    let y =
        |start: u64, end: u64| format!(r#""y":{{"dtype":"F32","shape":[1],"data_offsets":[{start},{end}]}}"#);
    let two = |x: String, y: String| format!("{{{x},{y}}}");
    let one = |x: String| format!("{{{x}}}");
    let cases = [
        (tensors_with(&two(x("[1]", 0, 4), x("[1]", 4, 8)), 8), "\"x\" stands there twice"),
        (
            tensors_with(&two(x("[1]", 0, 4), y(8, 12)), 12),
            "\"y\": begins at byte 8, and bytes 4 to 8 belong to no array",
        ),
        (
            tensors_with(&two(x("[2]", 0, 8), y(4, 8)), 8),
            "\"y\": begins at byte 4, and another array ends only at 8",
        ),
        (
            tensors_with(&one(x("[1]", 0, 8)), 8),
            "\"x\": expected 4 bytes for shape [1] of F32, the header gives it bytes 0 to 8",
        ),
        (tensors_with(&one(x("[1]", 4, 0)), 8), "\"x\": begins at byte 4"),
        (
            tensors_with(&one(x("[4611686018427387904,4]", 0, 0)), 0),
            "\"x\": the sizes [4611686018427387904, 4] multiply",
        ),
        (tensors_with(&one(x("[1]", 0, 4)), 3), "the header speaks of 4 bytes of arrays, 3 are there"),
        (tensors_with(&one(x("[1]", 0, 4)), 5), "the header speaks of 4 bytes of arrays, 5 are there"),
        (
            tensors_with(r#"{"x":{"dtype":"F99","shape":[],"data_offsets":[0,0]}}"#, 0),
            "expected a safetensors header: unknown variant",
        ),
        (tensors_with(r#"{"__metadata__":{"a":"1","a":"2"}}"#, 0), "\"a\" stands there twice"),
        (tensors_with(r#"{"__metadata__":{},"__metadata__":{}}"#, 0), "\"__metadata__\" stands there twice"),
        (tensors_with("[1]", 0), "expected a safetensors header: "),
        (
            u64::MAX.to_le_bytes().to_vec(),
            "expected a safetensors header of 18446744073709551615 bytes; 0 follow its length",
        ),
        (vec![1, 2, 3], "expected a safetensors header's length in 8 bytes; the file has 3"),
        (Vec::new(), "expected a safetensors header's length in 8 bytes; the file has 0"),
    ];
    for (bytes, expected) in cases {
        let (_folder, path) = file(&bytes);
        let text = refused(&path, safetensors::Reader::open(&path));
        assert!(text.contains(expected), "{text:?} does not say {expected:?}");
    }
    // An offset beyond any file, reached by arrays that fit each other: the sum with the header's length must not wrap.
    let part = |i: u64| {
        format!(
            r#""{i}":{{"dtype":"U8","shape":[{0}],"data_offsets":[{1},{2}]}}"#,
            1u64 << 60,
            i << 60,
            (i + 1) << 60
        )
    };
    let header = format!("{{{}}}", (0..15).map(part).collect::<Vec<_>>().join(","));
    let (_folder, path) = file(tensors_with(&header, 16));
    assert!(
        refused(&path, safetensors::Reader::open(&path))
            .starts_with("the header speaks of 17293822569102704640 bytes")
    );
}

#[test]
fn kinds_that_are_not_read_are_refused_only_when_they_are_asked_for() {
    let header = r#"{"x":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]},"y":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}"#;
    let (_folder, path) = file(tensors_with(header, 3));
    let mut reader = safetensors::Reader::open(&path).unwrap();
    assert_eq!(reader.read::<u8>("y").unwrap().data(), [0]);
    assert_eq!(refused(&path, reader.read::<f32>("x")), "\"x\": numbers of kind F8_E4M3 are not read here");
}

#[test]
fn idx_files_are_read() {
    let images = idx::read::<u8>(fixture("images-idx3-ubyte")).unwrap();
    assert_eq!((images.shape(), images.data()[17]), (&[3, 2, 3][..], 17));
    assert_eq!(idx::read::<f32>(fixture("floats-idx1")).unwrap(), Array::new([2], vec![0.5, -2.0]));
    assert_eq!(idx::read::<i32>(fixture("shorts-idx2")).unwrap(), Array::new([2, 2], vec![1, -2, 300, -301]));
    let path = fixture("images-idx3-ubyte.gz");
    assert!(refused(&path, idx::read::<u8>(&path)).ends_with("packed by gzip: unpack it first"));
}

#[test]
fn idx_files_that_lie_are_refused() {
    let cases: [(&[u8], &str); 6] = [
        (&[0, 0, 8, 1, 0, 0, 0, 3, 1, 2], "expected 3 bytes of numbers: shape [3] of u8; found 2"),
        (&[0, 0, 8, 1, 0, 0, 0, 1, 1, 2], "expected 1 bytes of numbers: shape [1] of u8; found 2"),
        (&[0, 0, 14, 2, 255, 255, 255, 255, 255, 255, 255, 255], "multiply to more than any memory holds"),
        (&[0, 0, 8, 2, 0, 0, 0, 1], "expected an IDX header, the file ends at byte 8"),
        (&[0, 0, 7, 0], "which begins with 0, 0 and a code, found [0, 0, 7, 0]"),
        (&[0, 0, 8, 33].repeat(40), "expected at most 32 axes, found 33"),
    ];
    for (bytes, expected) in cases {
        let (_folder, path) = file(bytes);
        let text = refused(&path, idx::read::<f64>(&path));
        assert!(text.contains(expected), "{text:?} does not say {expected:?}");
    }
}

fn come_back<T: Value>(array: &Array<T>) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("file");
    let bytes = |array: &Array<T>| format!("{array:?}");
    npy::write(&path, array).unwrap();
    assert_eq!(bytes(&npy::read(&path).unwrap()), bytes(array));
    for write in [npz::write, npz::write_packed] {
        write(&path, &[("a", array), ("b/c", array)]).unwrap();
        assert_eq!(bytes(&npz::Reader::open(&path).unwrap().read("b/c").unwrap()), bytes(array));
    }
    safetensors::write(&path, &[("a", array), ("b", array)]).unwrap();
    assert_eq!(bytes(&safetensors::Reader::open(&path).unwrap().read("b").unwrap()), bytes(array));
    match idx::write(&path, array) {
        Ok(()) => assert_eq!(bytes(&idx::read(&path).unwrap()), bytes(array)),
        Err(error) => assert!(error.to_string().contains("IDX has no code"), "{error}"),
    }
}

#[test]
fn what_is_written_is_read_back() {
    come_back(&Array::new([2, 3], vec![0.1f32, -0.0, f32::MAX, 1e-40, f32::INFINITY, f32::NAN]));
    come_back(&Array::new([3], vec![0.1f64, 5e-324, f64::NAN]));
    come_back(&Array::new([], vec![-7i64]));
    come_back(&Array::new([0, 3], Vec::<i16>::new()));
    come_back(&Array::new([1, 1, 2], vec![0u8, 255]));
    come_back(&Array::new([100_000], (0..100_000).collect::<Vec<u32>>()));
}

#[test]
fn what_is_written_as_npy_is_what_numpy_writes() {
    let folder = tempdir().unwrap();
    for name in ["little_f4", "version_1", "scalar", "empty", "one_axis"] {
        let path = folder.path().join(name);
        let original = fixture(&format!("{name}.npy"));
        match name {
            "scalar" | "one_axis" => npy::write(&path, &npy::read::<f64>(&original).unwrap()).unwrap(),
            _ => npy::write(&path, &npy::read::<f32>(&original).unwrap()).unwrap(),
        }
        assert_eq!(fs::read(&path).unwrap(), fs::read(&original).unwrap(), "{name}");
    }
}

#[test]
fn two_arrays_of_one_name_are_not_written() {
    let folder = tempdir().unwrap();
    let (path, x) = (folder.path().join("file"), Array::new([1], vec![1.0]));
    assert!(safetensors::write(&path, &[("x", &x), ("x", &x)]).is_err());
    assert!(npz::write(&path, &[("x", &x), ("x", &x)]).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn rows_written_one_after_the_other_are_the_array() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.npy");
    for rows in [0, 1, 9, 12_345] {
        let mut writer = npy::Writer::<f64>::create(&path, &[2, 3]).unwrap();
        let data: Vec<f64> = (0..6 * rows).map(f64::from).collect();
        data.chunks(60).for_each(|rows| writer.rows(rows).unwrap());
        writer.finish().unwrap();
        assert_eq!(npy::read::<f64>(&path).unwrap(), Array::new([rows as usize, 2, 3], data));
    }
}

#[test]
fn rows_that_were_not_finished_leave_nothing() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let mut writer = npy::Writer::<f32>::create(&path, &[1]).unwrap();
    writer.rows(&vec![1.0; 100_000]).unwrap();
    drop(writer);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(npy::Writer::<f32>::create(&path, &[3, 0]).is_err());
}

#[test]
#[should_panic(expected = "4 numbers are not whole rows of 3")]
fn rows_are_written_whole() {
    let folder = tempdir().unwrap();
    npy::Writer::<f32>::create(folder.path().join("x.npy"), &[3]).unwrap().rows(&[1.0; 4]).unwrap();
}
