//! One constraint's answer, and what counts of it.

use serde::Serialize;
use thiserror::Error;

use crate::decision::rewrite::Rewrite;
use crate::scim::error::ScimType;

/// One reason for a denial, a hold or a warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub struct Reason {
    /// Stable and machine-readable, unique within the component: `immutable-attribute`.
    pub code: String,
    /// For the person who reads the SCIM error's `detail`.
    pub message: String,
    /// Canonical paths at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Keyword of RFC 7644 table 9; it picks the status. `None` means 403.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_keyword")]
    pub scim_type: Option<ScimType>,
}

impl Reason {
    /// Whether a text is made as codes are: they go into URLs, dashboards and waivers, so their alphabet is small. How long it
    /// may be is another matter.
    pub fn is_code(text: &str) -> bool {
        let known = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
        !text.is_empty() && text.bytes().all(known)
    }
}

fn as_keyword<S: serde::Serializer>(scim_type: &Option<ScimType>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(scim_type.map_or("", ScimType::as_str))
}

/// Why an operation cannot be judged yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub struct Hold {
    /// At least one.
    pub reasons: Vec<Reason>,
    /// Ask again no earlier than this many seconds from now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before_seconds: Option<u32>,
    /// Give up after this many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_after_seconds: Option<u32>,
}

/// One constraint's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No objection.
    Allow,
    /// The rule does not apply here.
    NotApplicable,
    /// Refuse. At least one reason.
    Deny(Vec<Reason>),
    /// Refuse for now.
    Hold(Hold),
    /// A rewriter's answer: it has changed the state after, before anybody judged it.
    Rewrite(Rewrite),
}

/// The constraint broke. Never the same thing as a denial: nobody objected, nobody could be asked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConstraintFault {
    /// It said itself that it could not decide, or panicked under the SDK.
    #[error("the constraint could not decide: {message}")]
    Failed {
        /// In the constraint's words.
        message: String,
    },
    /// It hit `unreachable`, divided by zero, read out of bounds …
    #[error("the constraint trapped: {message}")]
    Trap {
        /// In wasmtime's words, without a backtrace.
        message: String,
    },
    /// It used all its fuel.
    #[error("the constraint used all of its fuel ({fuel_max})")]
    OutOfFuel {
        /// The limit.
        fuel_max: u64,
    },
    /// It worked past the backstop of processor time.
    #[error("the constraint ran past its deadline of {deadline_ms} ms")]
    Deadline {
        /// The limit.
        deadline_ms: u64,
    },
    /// It asked for more linear memory than it may have.
    #[error("the constraint asked for more than {memory_bytes_max} bytes of memory")]
    Memory {
        /// The limit.
        memory_bytes_max: usize,
    },
    /// It asked for more table elements than it may have.
    #[error("the constraint asked for more than {table_elements_max} table elements")]
    Tables {
        /// The limit.
        table_elements_max: usize,
    },
    /// Its calls went deeper than the stack.
    #[error("the constraint overflowed its stack of {stack_bytes_max} bytes")]
    Stack {
        /// The limit.
        stack_bytes_max: usize,
    },
    /// It called the host too often.
    #[error("the constraint made more than {host_calls_max} calls to the host")]
    HostCalls {
        /// The limit.
        host_calls_max: u32,
    },
    /// It handed more to the host than it may.
    #[error("the constraint handed over more than {output_bytes_max} bytes")]
    Output {
        /// The limit.
        output_bytes_max: usize,
    },
    /// Its answer is not one the contract allows: a denial without a reason, a code that is none.
    #[error("the constraint's answer is not valid: {detail}")]
    BadOutput {
        /// What is wrong with it.
        detail: String,
    },
    /// A rewriter's edits cannot be made: not granted, no value of the attribute, against the schema.
    #[error("the rewriter's edits are not valid: {detail}")]
    BadEdit {
        /// What is wrong with which one.
        detail: String,
    },
    /// A rewriter changes what another one has set.
    #[error("the rewriter changes `{path}`, which constraint `{earlier}` has set to another value")]
    Conflict {
        /// Canonical path.
        path: String,
        /// The constraint that came first.
        earlier: String,
    },
    /// Its component could not be loaded or instantiated.
    #[error("the constraint could not be loaded: {detail}")]
    Unavailable {
        /// Why.
        detail: String,
    },
}

impl ConstraintFault {
    /// Stable name for logs, metrics and the decision log.
    pub fn kind(&self) -> &'static str {
        let kind = match self {
            Self::Failed { .. } => FaultKind::Failed,
            Self::Trap { .. } => FaultKind::Trap,
            Self::OutOfFuel { .. } => FaultKind::OutOfFuel,
            Self::Deadline { .. } => FaultKind::Deadline,
            Self::Memory { .. } => FaultKind::Memory,
            Self::Tables { .. } => FaultKind::Tables,
            Self::Stack { .. } => FaultKind::Stack,
            Self::HostCalls { .. } => FaultKind::HostCalls,
            Self::Output { .. } => FaultKind::Output,
            Self::BadOutput { .. } => FaultKind::BadOutput,
            Self::BadEdit { .. } => FaultKind::BadEdit,
            Self::Conflict { .. } => FaultKind::Conflict,
            Self::Unavailable { .. } => FaultKind::Unavailable,
        };
        kind.as_str()
    }
}

/// The name of each [`ConstraintFault`]. The guide has what each means, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the name of what is described above")]
pub enum FaultKind {
    Failed,
    Trap,
    OutOfFuel,
    Deadline,
    Memory,
    Tables,
    Stack,
    HostCalls,
    Output,
    BadOutput,
    BadEdit,
    Conflict,
    Unavailable,
}

/// What a constraint's answer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It counts.
    Enforce,
    /// It is told to the client and the log, and refuses nothing.
    Warn,
    /// It is told to the log alone.
    Shadow,
    /// It is not asked.
    Off,
}

/// What a fault does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FailurePolicy {
    /// Fail closed: the change is refused. The default.
    Deny,
    /// Fail open: as if the constraint had allowed it.
    Allow,
}

macro_rules! words {
    ($type:ty { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $type {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant),+];
            /// The word used in JSON, in the database and on the command line.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
            /// The value a word names, exactly.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words!(Mode { Enforce = "enforce", Warn = "warn", Shadow = "shadow", Off = "off" });
words!(FailurePolicy { Deny = "deny", Allow = "allow" });
words!(FaultKind {
    Failed = "failed",
    Trap = "trap",
    OutOfFuel = "out-of-fuel",
    Deadline = "deadline",
    Memory = "memory",
    Tables = "tables",
    Stack = "stack",
    HostCalls = "host-calls",
    Output = "output",
    BadOutput = "bad-output",
    BadEdit = "bad-edit",
    Conflict = "conflict",
    Unavailable = "unavailable",
});
