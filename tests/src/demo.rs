//! The demo: starts the server program on a fresh folder, gives two tenants different constraints with the command
//! line, plays a provisioning story, and shows from the decision log who said what and why.
//!
//! It succeeds only if every answer is the expected one. Start at [`run`], then [`story`].
#![expect(clippy::print_stdout, reason = "a demo prints")]

mod cast;
mod player;
mod story;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::demo::cast::Cast;
use crate::demo::player::Player;
use crate::process::ServerProcess;

/// What the server keeps, and what shows how it went.
const FOLDER: &str = "target/demo";

/// Runs the demo; with `DEMO_EXIT=1` in the environment it ends after the story. Whether every answer was the expected one.
pub async fn run() -> anyhow::Result<bool> {
    play().await.context("the demo failed")
}

async fn play() -> anyhow::Result<bool> {
    let folder = fresh_folder()?;
    let program = ServerProcess::program()?;
    let server = ServerProcess::start(&program, &folder)?;
    let mut player = Player::new(server.address, std::io::stdout().is_terminal());
    player.chapter("A server on a fresh folder");
    println!("  {} serve --data {} --listen {}", program.display(), folder.display(), server.address);

    let cast = Cast::assemble(&program, &server, &player)?;
    let explained = story::acme(&mut player, &cast).await?;
    story::globex(&mut player, &cast).await?;
    story::broken_constraint(&mut player, &cast).await?;
    story::waiver(&mut player, &cast).await?;
    story::log(&player, &cast, explained)?;

    println!("\nThe server is at http://{}. Things to try in another terminal:\n", server.address);
    cast.print_ways_on(&program);
    let right = player.summary();
    if std::env::var_os("DEMO_EXIT").is_some_and(|value| value == "1") {
        return Ok(right);
    }
    println!("\nThe server goes on until Ctrl-C.");
    tokio::signal::ctrl_c().await?;
    Ok(right)
}

fn fresh_folder() -> anyhow::Result<PathBuf> {
    let folder = Path::new(FOLDER).to_path_buf();
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot empty `{FOLDER}`"));
        }
        _ => {}
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make `{FOLDER}`"))?;
    Ok(folder)
}
