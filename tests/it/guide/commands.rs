//! Pages are carried out: every command of a page is run, one after the other in one shell and an empty folder, by somebody who
//! has nothing but a home; and what a block of commands prints is what the page says that it prints.
//!
//! In what a page says, `…` stands for any text within a line, and a line of nothing else for any lines.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use scruple_tests::ServerProcess;
use scruple_tests::components::WRITE_ONCE;
use tempfile::TempDir;

use super::{page, root};
use crate::trying::{component_of, shipped};

/// Where the pages say that the server is, which here may be in use.
const ADDRESS: &str = "127.0.0.1:8080";

/// A block of commands, and what the page says that they print.
struct Block {
    line: usize,
    commands: String,
    printed: Option<String>,
}

/// The blocks of a page.
fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = text.lines().enumerate();
    // Output belongs to the commands right before it.
    let mut follows = false;
    while let Some((number, line)) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            follows &= line.is_empty();
            continue;
        };
        let body: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        let body = body.join("\n");
        match (language, blocks.last_mut()) {
            ("sh", _) => blocks.push(Block { line: number + 1, commands: body, printed: None }),
            ("text", Some(block)) if follows => block.printed = Some(body),
            _ => {}
        }
        follows = language == "sh";
    }
    blocks
}

/// Whether a text is what a pattern says.
fn matches(pattern: &str, text: &str) -> bool {
    fn line(pattern: &str, text: &str) -> bool {
        match pattern.split_once('…') {
            None => pattern == text,
            Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
                (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| line(rest, &text[at..]))
            }),
        }
    }
    fn lines(pattern: &[&str], text: &[&str]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([any, rest @ ..], _) if any.trim() == "…" => {
                (0..=text.len()).any(|skipped| lines(rest, &text[skipped..]))
            }
            ([first, rest @ ..], [said, others @ ..]) => line(first, said.trim_end()) && lines(rest, others),
            _ => false,
        }
    }
    let pattern: Vec<&str> = pattern.trim_end().lines().collect();
    let text: Vec<&str> = text.trim_end().lines().collect();
    lines(&pattern, &text)
}

/// Somebody with a home, an empty folder and the program.
pub(super) struct Newcomer {
    home: TempDir,
    address: String,
}

impl Newcomer {
    pub(super) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("bin")).unwrap();
        fs::create_dir(home.path().join("work")).unwrap();
        fs::create_dir(home.path().join("printed")).unwrap();
        symlink(ServerProcess::program_under_test().unwrap(), home.path().join("bin/scruple")).unwrap();
        // Free now, and hardly taken before the page's own command takes it.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        Self { home, address }
    }

    /// The folder in which the pages are carried out.
    pub(super) fn folder(&self) -> PathBuf {
        self.home.path().join("work")
    }

    /// Who has compiled the shipped plugins, as `make plugins` does.
    pub(super) fn with_plugins(self) -> Self {
        for plugin in shipped() {
            component_of(&plugin);
        }
        fs::create_dir(self.folder().join("target")).unwrap();
        symlink(Path::new(WRITE_ONCE).parent().unwrap(), self.folder().join("target/plugins")).unwrap();
        self
    }

    /// Carries pages out, and then commands that no page has. Gives what those print.
    #[track_caller]
    pub(super) fn follows(&self, pages: &[&str], afterwards: &str) -> String {
        let of_page =
            |name: &&str| blocks(&page(name)).into_iter().map(|block| (name.to_string(), block)).collect::<Vec<_>>();
        let mut blocks: Vec<(String, Block)> = pages.iter().flat_map(of_page).collect();
        blocks.push(("afterwards".to_owned(), Block { line: 0, commands: afterwards.to_owned(), printed: None }));
        let script = self.home.path().join("script");
        fs::write(&script, self.script(&blocks)).unwrap();
        let output = self.shell().arg(&script).output().unwrap();
        let printed = |number: usize| fs::read_to_string(self.home.path().join(format!("printed/{number}")));
        for (number, (name, block)) in blocks.iter().enumerate() {
            let place = format!("{name}:{}", block.line);
            let text = printed(number).unwrap_or_else(|_| panic!("{place} was not reached"));
            let is_last = printed(number + 1).is_err();
            assert!(!is_last || output.status.success(), "{place}: {}\n{}\n{text}", output.status, block.commands);
            let said = block.printed.as_ref().map(|said| said.replace(ADDRESS, &self.address));
            if let Some(said) = said {
                assert!(matches(&said, &text), "{place} says\n{said}\n\nand what was printed is\n{text}");
            }
        }
        assert!(output.status.success(), "{output:?}");
        printed(blocks.len() - 1).unwrap()
    }

    /// All blocks, each with what it prints in a file, and what a reader does without being told.
    fn script(&self, blocks: &[(String, Block)]) -> String {
        let printed = self.home.path().join("printed");
        let mut script = "set -eo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n".to_owned();
        for (number, (_, block)) in blocks.iter().enumerate() {
            let commands = block.commands.replace(ADDRESS, &self.address);
            let starts = commands.contains("scruple serve ");
            let commands = commands.replace("scruple serve ", &format!("scruple serve --listen {} ", self.address));
            writeln!(script, "{{ :\n{commands}\n}} >'{}/{number}' 2>&1", printed.display()).unwrap();
            if starts {
                let file = printed.join(number.to_string());
                let up = format!("grep -q 'administrator of tenant' '{}'", file.display());
                writeln!(script, "for i in $(seq 300); do {up} && break; kill -0 $!; sleep 0.1; done").unwrap();
            }
            if commands.contains("--lang rust") {
                let (target, lock) = (root().join("target/guide"), root().join("Cargo.lock"));
                fs::create_dir_all(&target).unwrap();
                // What was compiled is kept from one run to the next.
                writeln!(script, "cp '{}' .; ln -s '{}' target", lock.display(), target.display()).unwrap();
            }
        }
        script
    }

    fn shell(&self) -> Command {
        let mut shell = Command::new("bash");
        let path = std::env::var("PATH").unwrap();
        // Where tools of other programs keep their things, not the newcomer's.
        let kept = |variable: &str, folder: &str| {
            let own = std::env::var_os("HOME").map(|home| Path::new(&home).join(folder));
            std::env::var_os(variable).map(PathBuf::from).or(own)
        };
        for (variable, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup"), ("npm_config_cache", ".npm")] {
            shell.envs(kept(variable, folder).map(|folder| (variable, folder)));
        }
        // Of whoever runs the tests, and of the cargo that may: a newcomer has none of it.
        let is_foreign = |name: &str| {
            name.starts_with("SCRUPLE_")
                || name.starts_with("XDG_")
                || ["CARGO", "CARGO_TARGET_DIR", "RUST_LOG"].contains(&name)
        };
        for (variable, _) in std::env::vars().filter(|(name, _)| is_foreign(name)) {
            shell.env_remove(variable);
        }
        shell.env("SCRUPLE_TOOLS", root().join("target/tools")).env("HOME", self.home.path());
        shell.env("PATH", format!("{}/bin:{path}", self.home.path().display())).current_dir(self.folder());
        shell
    }
}

#[test]
fn a_pattern_says_what_may_be_printed() {
    assert!(matches("a … c\n…\nlast", "a b c\nx\ny\nlast\n"));
    assert!(matches("…", "") && matches("a…", "a") && matches("a…b…c", "a-b-b-c"));
    assert!(!matches("a … c", "a b d") && !matches("a", "a\nb") && !matches("a\nb", "a"));
}

#[test]
fn a_block_has_the_output_that_stands_right_behind_it() {
    let found =
        blocks("x\n```sh\na\nb\n```\n\n```text\nc\n```\n```text\nd\n```\n```sh\ne\n```\nword\n```text\nf\n```\n");
    let found: Vec<_> =
        found.iter().map(|block| (block.line, block.commands.as_str(), block.printed.as_deref())).collect();
    assert_eq!(found, [(2, "a\nb", Some("c")), (13, "e", None)]);
}
