//! What runs in the child: a process that limits itself, reads one component, writes its machine code and ends.
//!
//! It is given bytes of a stranger, so it has nothing that would be worth having: no file open, no environment, no
//! tenant's data, no key. It cannot open a file after the limits stand. Whatever the bytes do to the compiler, the worst
//! that comes out is an error message or machine code; and the machine code of a stranger's component is what the
//! sandbox is for.

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::RawFd;

use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setpriority_process, setrlimit};
use thiserror::Error;
use wasmtime::OutOfMemory;

use super::super::engine::{build_compiling_engine, fingerprint};
use super::order::{Ending, Order};

/// How much less it wants a processor than those who answer requests. 10 weighs a tenth of an ordinary thread (110 to 1,024):
/// where nobody else wants the processor it has all of it, where everybody does it still comes to an end.
const NICENESS: i32 = 10;

/// Files that it may have open: standard input, output and error.
const FILES_MAX: u64 = 3;

/// Why there is no machine code.
#[derive(Debug, Error)]
pub enum ProgramError {
    /// It was not started by a server, or by one of another build.
    #[error("this is not an order of a server of the same build: {0}")]
    Order(#[from] serde_json::Error),
    /// The engine is another one than the server's.
    #[error(
        "the compiler's engine is {found}, the server's {expected}: the program was replaced by another build, or the \
         processors differ"
    )]
    OtherEngine {
        /// Its hash here.
        found: String,
        /// Its hash in the server.
        expected: String,
    },
    /// The limits could not be set: then nothing is compiled.
    #[error("the limits could not be set")]
    Limits(#[source] io::Error),
    /// Standard input ended too soon, or standard output was closed.
    #[error("the server went away")]
    Pipe(#[source] io::Error),
    /// No engine.
    #[error("the engine could not be made: {0}")]
    Engine(String),
    /// No machine code for this component.
    #[error("{0}")]
    Component(String),
    /// wasmtime was refused memory, and said so.
    #[error("out of memory")]
    Memory,
}

impl ProgramError {
    /// The exit code that tells the server.
    pub fn exit_code(&self) -> u8 {
        let ending = match self {
            Self::Component(_) => Ending::Component,
            Self::Memory => Ending::Memory,
            Self::Order(_) => Ending::Usage,
            Self::OtherEngine { .. } | Self::Limits(_) | Self::Pipe(_) | Self::Engine(_) => Ending::Local,
        };
        ending.code()
    }
}

/// Carries out an order: standard input to standard output. The whole life of the process.
pub fn run(order: &str) -> Result<(), ProgramError> {
    let order: Order = serde_json::from_str(order)?;
    close_inherited().map_err(ProgramError::Limits)?;
    limit_itself(&order).map_err(ProgramError::Limits)?;
    let code = compile(&order)?;
    write(&code, &mut io::stdout().lock()).map_err(ProgramError::Pipe)
}

/// Closes what whoever started the server has left open without knowing, and the server has handed down without knowing:
/// a listening socket of the service manager, a log. What the server opens itself is closed already.
#[expect(unsafe_code, reason = "closing a file by its number may pull it away from somebody; nobody has one here")]
fn close_inherited() -> io::Result<()> {
    let names = fs::read_dir("/proc/self/fd")?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    let numbers = names.iter().filter_map(|name| name.to_str()?.parse::<RawFd>().ok());
    // The folder that was listed was open itself, and is not any more.
    let is_open = |number: &RawFd| fs::symlink_metadata(format!("/proc/self/fd/{number}")).is_ok();
    for number in numbers.filter(|number| *number > 2).filter(is_open) {
        // SAFETY: `close` demands a number that is open and that nobody uses afterwards. It was open a moment ago in a
        // process of one thread; and nobody uses it, for this runs first in a program that keeps no file open but the
        // three that are left out.
        unsafe { rustix::io::close(number) };
    }
    Ok(())
}

/// From here on: killed with the server; no core file; no file; so much memory and so much processor time.
fn limit_itself(order: &Order) -> io::Result<()> {
    // It is started by its inode, so that it would be listed under a name that says nothing. A convenience.
    drop(fs::write("/proc/self/comm", "scruple-compile"));
    let mapped = mapped_bytes()?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // Not on top of the niceness of the thread that started it.
    setpriority_process(None, NICENESS)?;
    // The soft limit of the processor time is a signal of its own, by which the server knows what it died of.
    let cpu = Rlimit { current: Some(order.cpu_seconds_max), maximum: Some(order.cpu_seconds_max.saturating_add(1)) };
    setrlimit(Resource::Cpu, cpu)?;
    for (resource, most) in [
        // The address space, because it is the one limit that no way of asking for memory gets round. What the program
        // itself takes of it depends on the build.
        (Resource::As, mapped.saturating_add(order.memory_bytes_max)),
        (Resource::Core, 0),
        // Pipes are not counted.
        (Resource::Fsize, 0),
        (Resource::Nofile, FILES_MAX),
    ] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// Bytes of address space that the process has now.
fn mapped_bytes() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmSize:")?.trim().strip_suffix(" kB")?.parse().ok());
    kib.map(|kib: u64| kib.saturating_mul(1 << 10)).ok_or_else(|| io::Error::other("/proc/self/status has no VmSize"))
}

fn compile(order: &Order) -> Result<Vec<u8>, ProgramError> {
    let engine =
        build_compiling_engine(order.stack_bytes_max).map_err(|error| ProgramError::Engine(format!("{error:#}")))?;
    let found = fingerprint(&engine);
    if found != order.engine {
        return Err(ProgramError::OtherEngine { found, expected: order.engine.clone() });
    }
    let mut component = vec![0; order.component_bytes];
    io::stdin().lock().read_exact(&mut component).map_err(ProgramError::Pipe)?;
    engine.precompile_component(&component).map_err(|error| match error.is::<OutOfMemory>() {
        true => ProgramError::Memory,
        false => ProgramError::Component(format!("{error:#}")),
    })
}

/// Its length goes first: half of an answer must not pass for one.
fn write(code: &[u8], out: &mut impl Write) -> io::Result<()> {
    out.write_all(&(code.len() as u64).to_le_bytes())?;
    out.write_all(code)?;
    out.flush()
}
