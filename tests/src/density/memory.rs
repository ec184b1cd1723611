//! What a process holds, from `/proc`: memory by whose it is, maps, files.

use anyhow::Context;

/// What a process holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Held {
    /// Resident memory, in KiB.
    pub(super) resident_kib: u64,
    /// Of it, memory that no file stands behind: it can only be swapped out.
    pub(super) anonymous_kib: u64,
    /// Maps. Linux gives a process 65,530, unless it is told otherwise.
    pub(super) maps: usize,
    /// Open files.
    pub(super) files: usize,
}

/// Reads what a process holds.
pub(super) fn read(pid: u32) -> anyhow::Result<Held> {
    let path = |name: &str| format!("/proc/{pid}/{name}");
    let text =
        |name: &str| std::fs::read_to_string(path(name)).with_context(|| format!("cannot read `{}`", path(name)));
    let rollup = text("smaps_rollup")?;
    Ok(Held {
        resident_kib: kibibytes(&rollup, "Rss:").context("no `Rss` in smaps_rollup")?,
        anonymous_kib: kibibytes(&rollup, "Anonymous:").context("no `Anonymous` in smaps_rollup")?,
        maps: text("maps")?.lines().count(),
        files: std::fs::read_dir(path("fd"))?.count(),
    })
}

fn kibibytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_smaps_is_read_by_its_whole_key() {
        let text = "00400000-ffff rollup\nRss:   2048 kB\nPss_Anon: 1 kB\nAnonymous:   12 kB\n";
        assert_eq!((kibibytes(text, "Rss:"), kibibytes(text, "Anonymous:")), (Some(2_048), Some(12)));
        assert_eq!(kibibytes(text, "Swap:"), None);
    }

    #[test]
    fn what_this_process_holds_can_be_read() {
        let held = read(std::process::id()).unwrap();
        assert!(held.resident_kib >= held.anonymous_kib && held.anonymous_kib > 0);
        assert!(held.maps > 0 && held.files > 2);
    }
}
