//! The measurements and the pictures of the book's chapters: `cargo run --release -p quietgrad-lab --example book_figures`,
//! or some of them by name (`-- strength probe`). Tables are printed, pictures written to `docs/figures`, a light and a
//! dark one of each. With `QUIETGRAD_QUICK=1` training is cut short and nothing is written.

mod autoencoder;
mod dark;
mod diagrams;
mod drawing;
mod experiments;
mod plots;

use std::error::Error;
use std::path::Path;

use experiments::Effort;
use quietgrad_lab::report::Figure;

fn main() -> Result<(), Box<dyn Error>> {
    let effort = Effort { quick: std::env::var_os("QUIETGRAD_QUICK").is_some() };
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |name: &str| asked.is_empty() || asked.iter().any(|asked| asked == name);
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/figures"));
    let write = |name: &str, figure: Figure| -> Result<(), Box<dyn Error>> {
        if effort.quick { Ok(()) } else { Ok(figure.write(folder.join(name))?) }
    };

    for (name, [light, dark]) in diagrams::all() {
        if wanted(name) && !effort.quick {
            std::fs::write(folder.join(format!("{name}-light.svg")), light)?;
            std::fs::write(folder.join(format!("{name}-dark.svg")), dark)?;
        }
    }
    // Pictures that are drawn elsewhere, for a light page.
    for name in ["xor_hidden", "five_loops", "pay_for_what_fires"] {
        if wanted(name) && !effort.quick {
            let light = std::fs::read_to_string(folder.join(format!("{name}-light.svg")))?;
            std::fs::write(folder.join(format!("{name}-dark.svg")), dark::dark(&light))?;
        }
    }
    /// A picture of formulas alone, and its name.
    type Formula = (&'static str, fn() -> Figure);
    let formulas: [Formula; 6] = [
        ("bump", plots::bump),
        ("error_over_h", plots::error_over_h),
        ("circles_moments", plots::circles_moments),
        ("kinks", plots::kinks),
        ("valley", plots::valley),
        ("shrinkage", plots::shrinkage),
    ];
    for (name, figure) in formulas {
        if wanted(name) {
            write(name, figure())?;
        }
    }
    if wanted("overfit") {
        experiments::overfit(effort);
        write("overfit", plots::overfit(effort))?;
    }
    if wanted("sums") {
        write("sums", plots::sums(&experiments::sums(effort)))?;
    }
    if wanted("standardize") {
        write("standardize", plots::standardize(&experiments::standardize(effort)))?;
    }
    if wanted("overcomplete") {
        write("overcomplete", plots::overcomplete(&experiments::overcomplete(effort)))?;
    }
    if wanted("strength") {
        write("strength", plots::strength(&experiments::strength(effort)))?;
    }
    if wanted("controller") {
        write("controller", plots::controller(&experiments::steered(effort)))?;
    }
    if wanted("features") {
        let [wall, sum] = plots::features(effort);
        write("features", wall)?;
        write("features_sum", sum)?;
    }
    if wanted("probe") {
        write("probe", plots::probe(&experiments::probe(effort)))?;
    }
    Ok(())
}
