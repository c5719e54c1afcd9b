//! The book holds together: every page is in the table of contents, and no link, anchor or picture leads nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The pages: those of `docs` and of the folders in it, and the three beside them. By their path from the root.
fn pages() -> BTreeMap<PathBuf, String> {
    let mut pages = BTreeMap::new();
    for name in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        pages.insert(PathBuf::from(name), read(Path::new(name)));
    }
    for folder in ["docs", "docs/adr"] {
        for entry in fs::read_dir(root().join(folder)).expect("the folder of the book") {
            let path = Path::new(folder).join(entry.expect("an entry").file_name());
            if path.extension().is_some_and(|extension| extension == "md") {
                let text = read(&path);
                pages.insert(path, text);
            }
        }
    }
    pages
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text without its blocks of code, in which brackets are no links and `#` is no heading.
fn prose(page: &str) -> String {
    let mut code = false;
    let mut prose = String::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            code = !code;
        } else if !code {
            prose += line;
            prose.push('\n');
        }
    }
    prose
}

/// What stands between `before` and `after`, everywhere.
fn between<'a>(text: &'a str, before: &str, after: char) -> Vec<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split_once(after)).map(|(target, _)| target).collect()
}

/// The targets of a page's links and pictures: of Markdown, and of the HTML that it contains.
fn targets(page: &str) -> Vec<String> {
    // A link's text may be broken over lines; `](` is not.
    let prose = prose(page);
    let mut targets = between(&prose, "](", ')');
    targets.extend(between(&prose, "src=\"", '"'));
    targets.extend(between(&prose, "srcset=\"", '"'));
    targets.into_iter().map(str::to_owned).collect()
}

/// The anchors of a page's headings, as GitHub and mdBook make them: lower case, spaces to hyphens, no other punctuation.
fn anchors(page: &str) -> BTreeSet<String> {
    let prose = prose(page);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let text: String = heading.trim_start_matches('#').trim().to_lowercase();
        text.chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    };
    headings.map(anchor).collect()
}

/// `docs/adr` and `../math.md` make `docs/math.md`.
fn join(folder: &Path, target: &str) -> PathBuf {
    let mut joined = PathBuf::new();
    for part in folder.join(target).components() {
        match part {
            Component::ParentDir => assert!(joined.pop(), "{target} leaves the repository"),
            Component::CurDir => {}
            part => joined.push(part),
        }
    }
    joined
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let mut broken = Vec::new();
    for (path, text) in &pages {
        for target in targets(text) {
            let outside = ["https://", "http://", "mailto:"].iter().any(|scheme| target.starts_with(scheme));
            let draft = target.is_empty() && path.ends_with("SUMMARY.md");
            if outside || draft {
                continue;
            }
            let (file, anchor) = target.split_once('#').map_or((&target[..], None), |(f, a)| (f, Some(a)));
            let file = if file.is_empty() {
                path.clone()
            } else {
                join(path.parent().expect("pages are in a folder"), file)
            };
            let known = match (anchor, pages.get(&file)) {
                (None, _) => root().join(&file).exists(),
                (Some(anchor), Some(page)) => anchors(page).contains(anchor),
                (Some(_), None) => false,
            };
            if !known {
                broken.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let contents: BTreeSet<PathBuf> = targets(&read(Path::new("docs/SUMMARY.md")))
        .iter()
        .map(|target| join(Path::new("docs"), target))
        .collect();
    let missing: Vec<_> = pages()
        .into_keys()
        .filter(|path| path.starts_with("docs") && !path.ends_with("SUMMARY.md") && !contents.contains(path))
        .collect();
    assert!(missing.is_empty(), "not in docs/SUMMARY.md: {missing:?}");
}

#[test]
fn the_title_of_a_decision_is_the_same_everywhere() {
    // Lines are wrapped: what matters is the words.
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let [index, contents] = ["docs/engineer.md", "docs/SUMMARY.md"].map(|list| words(&read(Path::new(list))));
    for (path, text) in pages().iter().filter(|(path, _)| path.starts_with("docs/adr")) {
        let title = text.lines().next().and_then(|line| line.strip_prefix("# ")).expect("a title");
        let (number, name) = title.split_once(": ").expect("a number and a title");
        let target = path.strip_prefix("docs").expect("in docs").display().to_string();
        assert!(
            index.contains(&words(&format!("[{number}]({target}): {name}"))),
            "docs/engineer.md: {title}"
        );
        assert!(contents.contains(&format!("[{title}]({target})")), "docs/SUMMARY.md: {title}");
    }
}

/// Pages with snippets are given to rustdoc, which runs them: those about the lab by the lab, all others by the library.
#[test]
fn every_page_with_a_snippet_is_tested() {
    let crates = [read(Path::new("src/lib.rs")), read(Path::new("lab/src/lib.rs"))];
    let untested: Vec<_> = pages()
        .into_iter()
        .filter(|(path, text)| path.starts_with("docs") && text.contains("```rust"))
        .filter(|(path, _)| !crates.iter().any(|text| text.contains(&format!("../{}\")]", path.display()))))
        .map(|(path, _)| path)
        .collect();
    assert!(untested.is_empty(), "not in `book` of src/lib.rs, nor in lab/src/lib.rs: {untested:?}");
}

/// Light and dark go together.
#[test]
fn every_picture_has_two_versions() {
    let mut alone = Vec::new();
    for (path, text) in pages() {
        for target in targets(&text).iter().filter(|target| target.ends_with("-light.svg")) {
            let dark = target.replace("-light.svg", "-dark.svg");
            if !text.contains(&format!("srcset=\"{dark}\"")) {
                alone.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(alone.is_empty(), "pictures for a light page alone:\n{}", alone.join("\n"));
}
