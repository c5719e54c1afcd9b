//! The book's tables and pictures are those that the examples wrote.

use std::fs;
use std::path::{Path, PathBuf};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn files(folder: PathBuf, ending: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.to_string_lossy().ends_with(ending)).collect()
}

#[test]
fn every_table_stands_in_a_page_as_its_example_wrote_it() {
    let pages: Vec<String> =
        files(docs(), ".md").iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let tables = files(docs().join("tables"), ".md");
    assert!(tables.len() > 5);
    for path in tables {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let block = format!("<!-- tables/{name} -->\n\n{}\n<!-- end -->", fs::read_to_string(&path).unwrap());
        assert!(
            pages.iter().any(|page| page.contains(&block)),
            "docs/tables/{name} stands in no page as it is"
        );
    }
    let marks: usize = pages.iter().map(|page| page.matches("<!-- tables/").count()).sum();
    assert_eq!(marks, files(docs().join("tables"), ".md").len(), "every mark has its table");
}

#[test]
fn pictures_come_in_pairs_below_100_kb_and_are_shown() {
    let readme = docs().join("../README.md");
    let pages = files(docs(), ".md").into_iter().chain([readme]);
    let pages: String = pages.map(|path| fs::read_to_string(path).unwrap()).collect();
    let dark = files(docs().join("figures"), "-dark.svg");
    assert_eq!(dark.len(), files(docs().join("figures"), "-light.svg").len());
    for path in dark {
        let name = path.file_name().unwrap().to_string_lossy().replace("-dark.svg", "");
        assert!(fs::metadata(&path).unwrap().len() < 100_000, "{name}");
        assert!(pages.contains(&format!("figures/{name}-dark.svg")), "{name} is shown");
        assert!(pages.contains(&format!("figures/{name}-light.svg")), "{name} is shown");
    }
}
