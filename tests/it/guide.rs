//! The guide in the documentation of the SDK: what it says is so.

mod codes;
mod commands;
mod contract;
mod pages;

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// A page of the guide.
fn page_path(name: &str) -> PathBuf {
    root().join("plugin-sdk/src/guide").join(name)
}

fn page(name: &str) -> String {
    std::fs::read_to_string(page_path(name)).unwrap()
}
