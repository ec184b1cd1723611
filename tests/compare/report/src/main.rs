//! Writes `host/BENCHMARKS.md` and its plot from what `make compare` has left in the target folder, which is the argument. A
//! package of its own, so that a word on the page does not build the policy engines.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program prints")]

mod figures;
mod machine;
mod page;
mod plot;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use anyhow::Context;

use crate::figures::Figures;

fn main() -> ExitCode {
    match write() {
        Ok(page) => {
            println!("wrote {}", page.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn write() -> anyhow::Result<PathBuf> {
    let target = env::args_os().nth(1).context("usage: benchmarks TARGET_FOLDER")?;
    let figures = Figures::read(Path::new(&target))?;
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../host").canonicalize()?;
    let lines = page::lines(&figures);
    // A run that was ended before the comparison has no plot; the page says that it was not measured.
    if lines.iter().any(|line| !line.points.is_empty()) {
        plot::draw(&host.join("benchmarks.svg"), &lines)?;
    }
    let path = host.join("BENCHMARKS.md");
    fs::write(&path, page::text(&figures)).with_context(|| format!("`{}`", path.display()))?;
    Ok(path)
}
