//! What `docs/architecture.md` promises and a test can see by reading `src/`: who imports whom, where `unsafe` stands,
//! how long a file may be.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules, lowest first. A module imports from the rows above its own, and from no other.
const LAYERS: &[&[&str]] = &[
    &["element", "state", "text"],
    &["matrix", "random"],
    &["kernels"],
    &["pointwise", "tensor"],
    &["scalar", "params"],
    &["tape"],
    &["ops"],
    &["derivatives", "inspect", "optim"],
    &["gradcheck", "loss", "nn", "reg"],
];

/// The edges that point up, and why.
const UPWARD: &[(&str, &str)] = &[
    ("tape", "ops"), // an op is data on the tape, and its file ends with its method of `Var`
];

/// The files of `src/tape/`, lowest first: one imports, by `super::`, from the rows above its own.
const TAPE: &[&[&str]] = &[
    &["memory", "profile"],
    &["cotangents"],
    &["node"],
    &["obligation", "values", "watch"],
    &["zeros"],
    &["record"],
    &["handles", "leaves", "sweep", "waiting"],
    &["incoming"],
    &["backward"],
    &["checkpoint", "operators", "recording", "var"],
    &["mod"],
];

/// Longest file of `src`, in lines.
const LIMIT: usize = 400;

/// Files with a limit of their own.
const LIMITS: &[(&str, usize)] = &[("scalar.rs", 290), ("pointwise/mod.rs", 300)];

struct Source {
    /// Relative to `src`, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// The module directly below the root that the file belongs to.
    fn module(&self) -> &str {
        self.path.split('/').next().expect("a path").trim_end_matches(".rs")
    }

    /// Line numbers, from 1, and lines without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(i, line)| (i + 1, line.split("//").next().expect("a part")))
    }
}

fn sources() -> Vec<Source> {
    fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                collect(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let source = |path: &PathBuf| Source {
        path: path.strip_prefix(&root).expect("below src").to_string_lossy().replace('\\', "/"),
        text: fs::read_to_string(path).expect("a readable file"),
    };
    files.iter().map(source).collect()
}

fn level(module: &str) -> usize {
    let at = LAYERS.iter().position(|layer| layer.contains(&module));
    at.unwrap_or_else(|| panic!("module `{module}` has no place in LAYERS yet: give it one"))
}

/// The names that follow `crate::` in a line.
fn imports(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("crate::").map(|(at, found)| {
        let rest = &line[at + found.len()..];
        rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().expect("a part")
    })
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn modules_import_only_from_below() {
    let mut faults = Vec::new();
    let mut edges = 0;
    for source in sources() {
        let from = source.module();
        if from == "lib" {
            continue;
        }
        for (number, line) in source.code() {
            for to in imports(line).filter(|to| *to != from) {
                edges += 1;
                let place = format!("src/{}:{number}", source.path);
                if to.is_empty() || to.starts_with(char::is_uppercase) {
                    faults.push(format!("{place}: name the module: `crate::module::Item`"));
                } else if level(to) >= level(from) && !UPWARD.contains(&(from, to)) {
                    faults.push(format!("{place}: `{from}` imports `{to}`, which does not lie below it"));
                }
            }
        }
    }
    assert!(edges > 100, "only {edges} imports found");
    assert_none(&faults);
}

#[test]
fn the_files_of_the_tape_import_only_from_below() {
    let row = |file: &str| {
        let at = TAPE.iter().position(|row| row.contains(&file));
        at.unwrap_or_else(|| panic!("src/tape/{file}.rs has no place in TAPE yet: give it one"))
    };
    let mut faults = Vec::new();
    let mut edges = 0;
    for source in sources() {
        let Some(from) = source.path.strip_prefix("tape/").and_then(|path| path.strip_suffix(".rs")) else {
            continue;
        };
        let own = row(from);
        for (number, line) in source.code() {
            let place = format!("src/{}:{number}", source.path);
            if line.contains("crate::tape::") {
                faults.push(format!("{place}: a neighbour is imported by `super::`"));
            }
            let start = if from == "mod" { "use " } else { "use super::" };
            let Some(rest) = line.trim().strip_prefix(start) else { continue };
            let to = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().expect("a part");
            if ["std", "crate"].contains(&to) {
                continue;
            }
            edges += 1;
            if row(to) >= own {
                faults.push(format!("{place}: `{from}` imports `{to}`, which does not lie below it"));
            }
        }
    }
    assert!(edges > 30, "only {edges} imports found");
    assert_none(&faults);
}

#[test]
fn unsafe_stands_only_in_kernels_and_says_why_it_is_sound() {
    let mut faults = Vec::new();
    let mut blocks = 0;
    for source in sources() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (number, line) in source.code() {
            let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            if !words.clone().any(|word| word == "unsafe") {
                continue;
            }
            let place = format!("src/{}:{number}", source.path);
            if source.module() != "kernels" {
                faults.push(format!("{place}: `unsafe` outside of src/kernels"));
            }
            if line.contains("unsafe {") || line.contains("unsafe impl") {
                blocks += 1;
                if !has_safety_comment(&lines[..number - 1]) {
                    faults.push(format!("{place}: no SAFETY comment above"));
                }
            }
        }
    }
    assert!(blocks > 20, "only {blocks} unsafe blocks found");
    assert_none(&faults);
}

/// Whether the comment directly above, attributes aside, says SAFETY.
fn has_safety_comment(above: &[&str]) -> bool {
    let above = above.iter().rev().map(|line| line.trim()).skip_while(|line| line.starts_with("#["));
    above.take_while(|line| line.starts_with("//")).any(|line| line.contains("SAFETY:"))
}

#[test]
fn files_stay_short() {
    let mut faults = Vec::new();
    for source in sources() {
        let own = LIMITS.iter().find(|(path, _)| *path == source.path);
        let limit = own.map_or(LIMIT, |(_, limit)| *limit);
        let length = source.text.lines().count();
        if length > limit {
            faults.push(format!("src/{}: {length} lines, {limit} at most", source.path));
        }
    }
    assert_none(&faults);
}

#[test]
fn tests_stand_in_their_own_folder() {
    let unit_test = |source: &Source| {
        let at = source.code().find(|(_, line)| line.trim() == "#[test]").map(|(line, _)| line);
        at.map(|line| {
            format!("src/{}:{line}: a test here is never run, see [lib] in Cargo.toml", source.path)
        })
    };
    assert_none(&sources().iter().filter_map(unit_test).collect::<Vec<_>>());
}
