//! Where it was measured, and what.

use std::fs;
use std::num::NonZeroUsize;
use std::thread;

/// The versions that everything was built with.
const LOCKED: &str = include_str!("../../Cargo.lock");
const TOOLCHAIN: &str = include_str!("../../../../rust-toolchain.toml");

/// One sentence about the machine and how busy it was.
pub(crate) fn sentence() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let of_cpu = |name: &str| {
        let mut pairs = cpu.lines().filter_map(|line| line.split_once(':'));
        pairs.find(|(key, _)| key.trim() == name).map_or("unknown", |(_, value)| value.trim())
    };
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    format!(
        "{processors} processors ({}, family {}, model {}), Linux {}; load average when this page was written, over 1, 5 and 15 minutes: {}.",
        of_cpu("model name"),
        of_cpu("cpu family"),
        of_cpu("model"),
        kernel.trim(),
        load.join(" · ")
    )
}

/// The locked version of a crate.
pub(crate) fn version(name: &str) -> &'static str {
    let heading = format!("name = \"{name}\"\nversion = \"");
    LOCKED.split_once(&heading).and_then(|(_, rest)| rest.split('"').next()).unwrap_or("of an unknown version")
}

/// The compiler's version.
pub(crate) fn rust() -> &'static str {
    TOOLCHAIN.split_once("channel = \"").and_then(|(_, rest)| rest.split('"').next()).unwrap_or("of an unknown version")
}
