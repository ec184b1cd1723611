//! The server's side of a compiler process: start it, feed it, read what it makes, say what it died of.
//!
//! The process limits itself ([`program`](super::program)); from here come the clock on the wall and the bound on what is
//! read. It is killed when nobody waits for it any more, and by the kernel when the thread that started it ends, so that
//! none outlives the server.

use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::CompileError;
use super::order::{Ending, Order};
use crate::constraints::limits::Limits;
use crate::one_line::one_line;

/// Bytes that are kept of what a compiler process says of its failure. 4 KiB: a sentence or two of wasmtime's.
const SAID_BYTES_MAX: u64 = 4 << 10;

/// Threads of one compiler process. 2: half the time for those who wait, and with two processes at once no more than four
/// threads, each with the memory that one function needs. Not as many as there are processors: a component that compiles
/// on one machine must not run out of memory on a larger one.
const THREADS: &str = "2";

/// The program that is started as a compiler process: one whose `compile-component` is this build's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompilerProgram {
    path: PathBuf,
}

impl CompilerProgram {
    /// The program that is running now, as it was when it was started: the kernel finds it by its inode, so that an
    /// upgrade of the file does not matter to a server that still runs the old one.
    pub fn running() -> Self {
        Self { path: PathBuf::from("/proc/self/exe") }
    }

    /// The program at a path, for those who embed the server in a program of their own.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

/// Machine code that a compiler process of ours has written to the end.
pub(super) struct Compiled(Vec<u8>);

impl Compiled {
    /// Loads it.
    #[expect(unsafe_code, reason = "loading machine code is believing it; that our own compiler made it is why we may")]
    pub(super) fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: `Component::deserialize` demands bytes that `Engine::precompile_component` has made. These came through a
        // pipe from a process that we started ourselves from our own program, and that nobody else writes to; only
        // `compile` below makes a `Compiled`, and only of a whole answer of a process that ended well. They are in our
        // memory and nobody changes them any more. That they fit this version of wasmtime and its settings is checked by
        // wasmtime itself. Compiled here, they would rest on the same Cranelift.
        unsafe { Component::deserialize(engine, &self.0) }
    }
}

/// Compiles a component in a process of its own. To be awaited on a thread that lives as long as the process should: the
/// kernel kills it with that thread.
pub(super) async fn compile(
    program: &CompilerProgram,
    order: &Order,
    limits: &Limits,
    component: &[u8],
) -> Result<Compiled, CompileError> {
    let mut child = command(program, order)?.spawn().map_err(|error| {
        unavailable(format!("the compiler process `{}` cannot be started: {error}", program.path.display()))
    })?;
    let wall = Duration::from_secs(limits.compile_seconds_max);
    let answered = tokio::time::timeout(wall, answer(&mut child, component, limits.compiled_bytes_max)).await;
    let answered = answered.unwrap_or(Err(CompileError::Seconds { compile_seconds_max: limits.compile_seconds_max }));
    if answered.is_err() {
        // Fails only if it is gone already.
        drop(child.kill().await);
    }
    let (status, code, said) = answered?;
    judge(status, code, &said, limits)
}

/// Nothing is handed down but the three pipes: no environment (where the operator's token may be), no working directory,
/// and of the terminal's signals none. Whatever else is open closes itself.
fn command(program: &CompilerProgram, order: &Order) -> Result<Command, CompileError> {
    let order = serde_json::to_string(order).map_err(|error| unavailable(error.to_string()))?;
    let mut command = Command::new(&program.path);
    command
        .arg0("scruple")
        .args(["compile-component", order.as_str()])
        .env_clear()
        .env("RAYON_NUM_THREADS", THREADS)
        // Otherwise the allocator takes a GiB of address space in advance, which the limit would count.
        .env("MIMALLOC_ARENA_RESERVE", "0")
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Ok(command)
}

/// Feeds it and listens to it until it ends: its status, the machine code, what it said.
async fn answer(
    child: &mut Child,
    component: &[u8],
    code_bytes_max: usize,
) -> Result<(ExitStatus, Vec<u8>, String), CompileError> {
    let (Some(mut stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(unavailable("the compiler process has no pipes"));
    };
    let fed = async {
        // That it does not read to the end is told by how it ends.
        drop(stdin.write_all(component).await);
        drop(stdin);
        Ok(())
    };
    let ((), code, said) = tokio::try_join!(fed, read_code(stdout, code_bytes_max), read_said(stderr))?;
    let status = child.wait().await.map_err(|error| lost(&error))?;
    Ok((status, code, said))
}

/// Its answer: the length, then the machine code; nothing if it has failed.
async fn read_code(mut from: impl AsyncRead + Unpin, bytes_max: usize) -> Result<Vec<u8>, CompileError> {
    let mut length = [0; 8];
    match from.read_exact(&mut length).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Vec::new()),
        Err(error) => return Err(lost(&error)),
    }
    let length = u64::from_le_bytes(length);
    if usize::try_from(length).map_or(true, |length| length > bytes_max) {
        return Err(CompileError::CompiledBytes { bytes: length, compiled_bytes_max: bytes_max });
    }
    let mut code = Vec::new();
    // One more than there should be: what is too long is no answer either.
    from.take(length.saturating_add(1)).read_to_end(&mut code).await.map_err(|error| lost(&error))?;
    if code.len() as u64 == length { Ok(code) } else { Ok(Vec::new()) }
}

/// The beginning of what it says; the rest is let go by, so that it does not wait for somebody to read it.
async fn read_said(mut from: impl AsyncRead + Unpin) -> Result<String, CompileError> {
    let mut said = Vec::new();
    (&mut from).take(SAID_BYTES_MAX).read_to_end(&mut said).await.map_err(|error| lost(&error))?;
    tokio::io::copy(&mut from, &mut tokio::io::sink()).await.map_err(|error| lost(&error))?;
    Ok(String::from_utf8_lossy(&said).trim().to_owned())
}

/// What a program says that is refused memory: Rust's standard library, and the C library.
const OUT_OF_MEMORY: [&str; 2] = ["memory allocation of", "out of memory"];

/// What its end means.
fn judge(status: ExitStatus, code: Vec<u8>, said: &str, limits: &Limits) -> Result<Compiled, CompileError> {
    let out_of_memory = CompileError::Memory { compile_memory_bytes_max: limits.compile_memory_bytes_max };
    match (status.code().map(Ending::of_code), status.signal()) {
        (Some(Some(Ending::Done)), _) if !code.is_empty() => Ok(Compiled(code)),
        (Some(Some(Ending::Done)), _) => Err(unavailable("the compiler process ended well and without an answer")),
        (Some(Some(Ending::Component)), _) => Err(CompileError::Invalid(said.to_owned())),
        (Some(Some(Ending::Memory)), _) => Err(out_of_memory),
        (Some(Some(Ending::Local | Ending::Usage)), _) => Err(unavailable(one_line(said))),
        // How every program in Rust ends that is refused memory, and how the C library does: these words, then an abort,
        // unless another thread ends it first.
        (Some(None), _) | (_, Some(_)) if OUT_OF_MEMORY.iter().any(|words| said.contains(words)) => Err(out_of_memory),
        (_, Some(signal)) if signal == Signal::XCPU.as_raw() => {
            Err(CompileError::CpuSeconds { compile_cpu_seconds_max: limits.compile_cpu_seconds_max })
        }
        _ => Err(CompileError::Crashed { status: status.to_string(), said: last_words(said) }),
    }
}

/// What a program says last before it ends by accident, for one line of a message.
fn last_words(said: &str) -> String {
    const CHARS_MAX: usize = 300;
    one_line(said).chars().take(CHARS_MAX).collect()
}

fn lost(error: &io::Error) -> CompileError {
    unavailable(format!("the compiler process was lost: {error}"))
}

fn unavailable(detail: impl fmt::Display) -> CompileError {
    CompileError::Unavailable { detail: detail.to_string() }
}
