//! The public functions that take sizes, as the sources have them.

use std::fs;
use std::path::{Path, PathBuf};

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text without comments and with one space for each run of white space.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("//").next().expect("a part"));
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// What stands between a bracket at the beginning of `text` and its partner, and what follows.
fn bracketed(text: &str) -> (&str, &str) {
    let (mut depth, mut before) = (0, ' ');
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '<' => depth += 1,
            '>' if before == '-' => {}
            ')' | ']' | '>' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (&text[1..at], &text[at + 1..]);
        }
        before = c;
    }
    panic!("a bracket is not closed: {}", &text[..text.len().min(80)]);
}

/// The functions that a keyword begins, with their parameters.
fn functions<'a>(code: &'a str, keyword: &str) -> Vec<(&'a str, &'a str)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(keyword) {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + keyword.len()..];
        let (name, mut rest) =
            rest.split_at(rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(0));
        rest = rest.trim_start();
        // Generics stand in angle brackets or, in `vectorize!`, in square ones.
        if rest.starts_with(['<', '[']) {
            rest = bracketed(rest).1.trim_start();
        }
        if !name.is_empty() && rest.starts_with('(') {
            found.push((name, bracketed(rest).0));
        }
    }
    found
}

fn takes_sizes(parameters: &str) -> bool {
    ["usize", "AxisList", "Shape", "Support", "Sparse", "ReluLayer"].iter().any(|size| {
        let words = parameters.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.into_iter().any(|word| word == *size)
    })
}

/// The names after a keyword, up to the semicolon; of a path only the last part, or what stands in braces there.
fn names_after(code: &str, keyword: &str) -> Vec<String> {
    let mut names = Vec::new();
    for statement in code.split(';') {
        let Some(at) = statement.rfind(keyword) else { continue };
        if statement[..at].ends_with(|c: char| !c.is_whitespace()) {
            continue;
        }
        let path = &statement[at + keyword.len()..];
        let last = path.rsplit("::").next().expect("a part");
        let words = last.split(|c: char| !c.is_alphanumeric() && c != '_');
        names.extend(words.filter(|word| !word.is_empty()).map(str::to_string));
    }
    names
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// `file function` for each public function with a parameter that is a size or a shape. Below `kernels` a function is public
/// if its file is a public module, or if it is exported by name.
pub fn functions_that_take_sizes() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src");
    let mut files = Vec::new();
    for folder in ["kernels", "matrix", "tensor", "ops", "nn"] {
        rust_files(&root.join(folder), &mut files);
    }
    files.extend(["tape/recording.rs", "tape/var.rs"].map(|file| root.join(file)));
    let kernels = code(&read(&root.join("kernels/mod.rs")));
    let (modules, exports) = (names_after(&kernels, "pub mod "), names_after(&kernels, "pub use "));
    let all = names_after(&kernels, "mod ");
    let contains = |names: &[String], name: &str| names.iter().any(|listed| listed == name);
    // Modules of deeper folders, `sparse/cost.rs`, are exported as functions are.
    let is_public =
        |module: &str| contains(&modules, module) || (contains(&exports, module) && !contains(&all, module));
    let mut found = Vec::new();
    for file in files {
        let path = file.strip_prefix(&root).expect("below src").to_string_lossy().replace('\\', "/");
        let in_kernels = path.starts_with("kernels/");
        let stem = path.rsplit('/').next().expect("a name").trim_end_matches(".rs");
        // The module directly below `kernels`: a file, or a folder.
        let room = path.split('/').nth(1).unwrap_or(stem).trim_end_matches(".rs");
        // How sizes are checked, not where; and what is behind all doors.
        if path == "matrix/size.rs" || path.starts_with("kernels/micro/") {
            continue;
        }
        let text = code(&read(&file));
        for (name, parameters) in functions(&text, "pub fn ") {
            let public =
                !in_kernels || is_public(stem) || contains(&modules, room) || contains(&exports, name);
            if public && takes_sizes(parameters) {
                found.push(format!("{path} {name}"));
            }
        }
        if path == "matrix/mod.rs" {
            // The methods of a trait have no `pub`.
            let products = &text[text.find("pub trait Products").expect("the trait")..];
            for (name, parameters) in functions(products, "fn ") {
                if takes_sizes(parameters) {
                    found.push(format!("{path} {name}"));
                }
            }
        }
    }
    found.sort();
    found.dedup();
    found
}
