//! The command line: `quietgrad show FILE` tells what a safetensors file holds.

use std::process::ExitCode;

use quietgrad_lab::data::safetensors::Reader;
use quietgrad_lab::{Result, params};

const USAGE: &str = "\
usage: quietgrad show FILE

  show FILE    the arrays of a safetensors file, and what model they belong to";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["show", path] => match show(path) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn show(path: &str) -> Result<()> {
    if let Some(description) = params::describe(path)? {
        println!("{} (quietgrad {})", description.model, description.version);
        for (name, value) in &description.settings {
            println!("  {name} = {value}");
        }
    }
    let file = Reader::open(path)?;
    for name in file.names() {
        let dtype = file.dtype(name).map_or("?", |dtype| dtype.name());
        println!("{name}  {dtype} {:?}", file.shape(name).unwrap_or_default());
    }
    Ok(())
}
