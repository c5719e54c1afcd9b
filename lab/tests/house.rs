//! What can be seen by reading the lab's sources.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn no_file_is_longer_than_400_lines() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 5, "the sources were found");
    for path in files {
        let lines = fs::read_to_string(&path).expect("a text").lines().count();
        assert!(lines <= 400, "{} has {lines} lines", path.display());
    }
}

#[test]
fn every_benchmark_and_every_example_is_in_the_list_of_its_package() {
    for package in ["benches", "examples"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(package);
        let list = fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
        let files = fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path());
        let programs: Vec<PathBuf> =
            files.filter(|path| path.extension().is_some_and(|end| end == "rs")).collect();
        assert!(programs.len() > 5, "the programs were found");
        for name in programs.iter().filter_map(|path| path.file_name()) {
            assert!(
                list.contains(&format!("path = {name:?}")),
                "{name:?} is missing in {package}/Cargo.toml"
            );
        }
    }
}
