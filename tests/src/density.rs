//! The density program: a server with thousands of tenants, each with a component of its own, and what that costs: its start,
//! its memory, the first call of a tenant that was quiet, and the next one.
//!
//! Start at [`run`]: `prepare` fills a data folder, `measure` starts the server on it and calls the tenants.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program prints: the report, and how far it is")]

mod measure;
mod memory;
mod prepare;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use serde_json::json;

use crate::components::REQUIRED_ATTRIBUTES;
use crate::density::measure::Setting;
use crate::density::prepare::Kind;
use crate::process::ServerProcess;

/// Measures a server with many tenants, each with a component of its own.
///
/// Every tenant has a plugin that no other one has: the same rule with a number in a section of its own, so that its digest,
/// its compiled file and its memory are its own. Load is bounded and ends by itself.
#[derive(Debug, Parser)]
pub struct Args {
    /// Tenants.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    tenants: usize,
    /// What their components are made of.
    #[arg(long, value_enum, default_value_t = Language::Rust)]
    language: Language,
    /// Bytes of components in memory at the most. [default: the server's own default]
    #[arg(long, value_name = "BYTES")]
    components_loaded_bytes_max: Option<u64>,
    /// Program of the server. [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
}

/// What components are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Language {
    /// The shipped plugin `required-attributes`.
    Rust,
    /// The golden components in JavaScript (QuickJS, SpiderMonkey) and Python, in turns.
    Big,
}

/// Runs the program.
pub async fn run(args: &Args) -> anyhow::Result<bool> {
    println!("{}", measured(args).await?);
    Ok(true)
}

async fn measured(args: &Args) -> anyhow::Result<String> {
    let program = match &args.program {
        Some(program) => program.clone(),
        None => ServerProcess::program_under_test()?,
    };
    let kinds = match args.language {
        Language::Rust => {
            vec![Kind::shipped("required-attributes", REQUIRED_ATTRIBUTES, &json!({ "attributes": ["externalId"] }))?]
        }
        Language::Big => {
            ["quickjs", "spidermonkey", "python"].map(Kind::golden).into_iter().collect::<Result<_, _>>()?
        }
    };
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    eprintln!("preparing {} tenants …", args.tenants);
    let prepared = prepare::fill(&data, &program, &kinds, args.tenants).await?;
    let setting = Setting { program, data, components_loaded_bytes_max: args.components_loaded_bytes_max };
    measure::report(&setting, &prepared).await
}
