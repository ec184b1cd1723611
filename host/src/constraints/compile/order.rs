//! What a compiler process is told by the server that starts it, and how it says how it ended.

use serde::{Deserialize, Serialize};

use super::super::limits::Limits;

/// What a compiler process may use, and what it is to make: its one argument, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    /// Hash of everything that the machine code depends on, as the server's engine has it.
    pub(super) engine: String,
    /// See [`Limits::stack_bytes_max`]: the engine checks that it fits.
    pub(super) stack_bytes_max: usize,
    /// Bytes of the component, which comes by standard input.
    pub(super) component_bytes: usize,
    /// See [`Limits::compile_memory_bytes_max`].
    pub(super) memory_bytes_max: u64,
    /// See [`Limits::compile_cpu_seconds_max`].
    pub(super) cpu_seconds_max: u64,
}

impl Order {
    /// The order for a component of so many bytes.
    pub(super) fn new(engine: String, limits: &Limits, component_bytes: usize) -> Self {
        Self {
            engine,
            stack_bytes_max: limits.stack_bytes_max,
            component_bytes,
            memory_bytes_max: limits.compile_memory_bytes_max,
            cpu_seconds_max: limits.compile_cpu_seconds_max,
        }
    }
}

/// How a compiler process ends that ends by itself: its exit code. What it has to say is on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The machine code is on standard output.
    Done,
    /// It does not understand what it is asked: a program of another build.
    Usage,
    /// The component does not compile.
    Component,
    /// This computer, or the server that started it, is at fault.
    Local,
    /// The memory that it may use is used up.
    Memory,
}

impl Ending {
    /// Its exit code. 2 and 5 are those of every other command, 3 is the component's there, too.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Usage => 2,
            Self::Component => 3,
            Self::Local => 5,
            Self::Memory => 6,
        }
    }

    /// What an exit code means, if it is one of these.
    pub(super) fn of_code(code: i32) -> Option<Self> {
        [Self::Done, Self::Usage, Self::Component, Self::Local, Self::Memory]
            .into_iter()
            .find(|ending| i32::from(ending.code()) == code)
    }
}
