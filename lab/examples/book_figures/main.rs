//! The measurements and the pictures of the book's chapters: `cargo run --release -p quietgrad-lab --example book_figures`,
//! or some of them by name (`-- strength probe`). Tables are printed, pictures written to `docs/figures`, a light and a
//! dark one of each. With `QUIETGRAD_QUICK=1` training is cut short and nothing is written.

mod autoencoder;
mod experiments;

use experiments::Effort;

fn main() {
    let effort = Effort { quick: std::env::var_os("QUIETGRAD_QUICK").is_some() };
    let names: Vec<String> = std::env::args().skip(1).collect();
    let asked = |name: &str| names.is_empty() || names.iter().any(|asked| asked == name);
    if asked("overfit") {
        experiments::overfit(effort);
    }
    if asked("standardize") {
        experiments::standardize(effort);
    }
    if asked("overcomplete") {
        experiments::overcomplete(effort);
    }
    if asked("strength") {
        experiments::strength(effort);
    }
    if asked("probe") {
        experiments::probe(effort);
    }
    if asked("sums") {
        experiments::sums(effort);
    }
}
