//! [`Limits`]: how much one evaluation may use of anything, and what a component may be at all.
//!
//! Fuel is the limit that decides, because it is the only one that counts the same on every run and every machine. The
//! others bound what fuel does not see: time spent in page faults, memory of the host, bytes that go into the log.

/// What a component, and one call of it, may use. Every evaluation has all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fuel of one evaluation: about one unit for each WebAssembly instruction. 10 M: the rule of `tests/golden` needs 1 to 10
    /// thousand in Rust and C, 0.13–0.29 M in QuickJS, 0.4–0.6 M in Python and 4.8–6.2 M in SpiderMonkey, which has to start
    /// each time; an endless loop burns it in 2–4 ms.
    pub fuel_max: u64,
    /// Fuel of `describe` and of `check-settings`. 10 M: they read nothing and decide nothing, but a garbage-collected guest
    /// still has to start, and with SpiderMonkey that is 4.7 M.
    pub fuel_about_max: u64,
    /// Backstop, in milliseconds of a processor that its thread used in the guest and in the host functions that it
    /// called. Waiting for its turn or for a look-up does not count, nor does a thread that the kernel took from the processor: a busy
    /// neighbour and a busy machine must not make an innocent constraint fail. (On the wall's clock an honest rule of 429
    /// units of fuel took 125 ms when ten processes shared two processors.) 100 ms: fuel runs out after 4 ms, touching
    /// all of its memory costs 0.6 ms/MiB × 32 MiB = 20 ms, and four times their sum is a rule that lives on what fuel does not
    /// see. A call that uses no processor at all ends after fifty times as long on the wall's clock.
    pub deadline_ms: u64,
    /// How long one look-up may take before it answers `unavailable`. 2 s: a store that needs longer is not going to
    /// answer, and the client of the write is waiting.
    pub look_up_wait_ms: u64,
    /// Linear memory. 32 MiB: a Rust guest uses 0.2–2 MiB, SpiderMonkey 9 MiB, CPython 12 MiB. Also a limit of time, since each MiB
    /// touched costs 0.6 ms of page faults that fuel hardly sees. Not more than [`POOL_MEMORY_BYTES_MAX`].
    pub memory_bytes_max: usize,
    /// Elements of one table. 20,000: SpiderMonkey has 12,000 functions in its table. 8 bytes each.
    /// Not more than [`POOL_TABLE_ELEMENTS_MAX`].
    pub table_elements_max: usize,
    /// WebAssembly stack, for the whole engine. 512 KiB: a third of the fiber's stack (1.5 MiB). Another third is for the guest
    /// when a host function asks it for room, the last for the host functions.
    pub stack_bytes_max: usize,
    /// Calls of host functions. 10,000: at 0.25 µs each that is 2.5 ms, as much as fuel allows to compute.
    pub host_calls_max: u32,
    /// Bytes that the guest hands over in one call, and in its answer. 256 KiB: a full set of reasons is
    /// [`reasons_max`](Self::reasons_max) × (4 KiB + 32 × 512 bytes) at the very most, real ones are under 10 KiB. The
    /// default of wasmtime, 128 MiB, lets a few aliased bytes cost the host 100 ms.
    pub output_bytes_max: usize,
    /// Bytes that the reads of an evaluation may fill in the decision log: the answers of documents, look-ups and
    /// differences, and once for each question, refused ones too, its text and 64 bytes. 1 MiB: sixteen times the
    /// largest user we have seen (64 KB), or ten thousand short questions.
    pub read_bytes_max: usize,
    /// Look-ups of one evaluation, repeated ones and reads of members and groups included. 64: each is asked again at
    /// the commit, inside the transaction; those that an index answers take about 20 µs, so 64 of them 1.3 ms. What
    /// the others may cost the writer is bounded by the store's own budget of candidates.
    pub look_ups_max: usize,
    /// Looks into tables of one evaluation, repeated ones included. 256: each takes some 5 µs, so all of them as long as 64
    /// look-ups; the commit does not ask them again. A rule asks for each value of an attribute or for each of a user's
    /// groups, some dozens.
    pub table_look_ups_max: usize,
    /// Resources one `find` may return, whatever it asks for. 100: as many as a page of a SCIM list; a rule about more
    /// should count.
    pub find_results_max: u32,
    /// Members of a group that one read may load. 1,000: about 1 ms of the store and 100 KB. Point reads such as
    /// `members[value eq "…"]` load only what they name, in groups of any size.
    pub members_read_max: usize,
    /// Reasons of a verdict, and warnings of an evaluation. 32: nobody reads more in one SCIM error.
    pub reasons_max: usize,
    /// Bytes of the warnings of one evaluation; one that has no room in it is left out. 128 KiB: a single one of the
    /// longest kind is 4 KiB + 32 × 2 KiB, thirty-two real ones are under 10 KiB.
    pub warnings_bytes_max: usize,
    /// Attribute paths of one reason. 32.
    pub reason_paths_max: usize,
    /// Bytes of a reason's code. 64.
    pub code_bytes_max: usize,
    /// Bytes of a reason's message, or of the message of an error; a longer one is cut. 4 KiB: HTTP clients cut longer
    /// details anyway.
    pub message_bytes_max: usize,
    /// Bytes of a path, a filter or the key of a table's row; a longer path of a reason is cut. 2 KiB: the longest core path with its URN is about
    /// 150 bytes, and a filter with thirty alternatives fits.
    pub path_bytes_max: usize,
    /// Edits of a rewriter's answer. 1,000: as many as the operations of a PATCH, by whose code they are made. The bytes of
    /// all of them are within [`output_bytes_max`](Self::output_bytes_max).
    pub edits_max: usize,
    /// Notes of one evaluation. 32.
    pub notes_max: usize,
    /// Bytes of a note's key; a longer one is cut. 256: a word or two and an attribute's path with its URN, about 150
    /// bytes.
    pub note_key_bytes_max: usize,
    /// Bytes of a note's value; a longer one is cut. 1 KiB.
    pub note_bytes_max: usize,
    /// Bytes that one evaluation may log; what is beyond is dropped, since a log line changes no outcome. 8 KiB: a
    /// hundred lines.
    pub log_bytes_max: usize,
    /// Size of a component. 32 MiB: SpiderMonkey with a rule is 12 MB, CPython 20 MB.
    pub component_bytes_max: usize,
    /// Memory that compiling a component may take, beyond what the compiler itself is. 1 GiB: SpiderMonkey with a rule
    /// takes 414 MiB, and as much again and more is for the largest component that may be sent. Two are compiled at once, so that
    /// a host needs twice as much at the worst.
    pub compile_memory_bytes_max: u64,
    /// Processor time of compiling a component, in seconds. 60: SpiderMonkey with a rule takes 14, CPython less; the most
    /// functions that a component may have take 5. Four times the costliest honest one.
    pub compile_cpu_seconds_max: u64,
    /// How long compiling a component may take by the clock on the wall, in seconds; waiting for its turn does not count.
    /// 240: on processors that all others want, compiling has a tenth of them, and the 14 seconds of SpiderMonkey become
    /// 140. A backstop: a compiler uses its processor time long before, if it gets it.
    pub compile_seconds_max: u64,
    /// Bytes of a compiled component. 128 MiB: SpiderMonkey's 12 MB become 37, so that the largest component that may be
    /// sent becomes 100.
    pub compiled_bytes_max: usize,
    /// Bytes of the settings of a constraint. 64 KiB: the guest parses them in each evaluation.
    pub settings_bytes_max: usize,
    /// Bytes of each text in a descriptor but the settings' schema. 1 KiB.
    pub descriptor_text_bytes_max: usize,
    /// Entries of each list in a descriptor. 256.
    pub descriptor_entries_max: usize,
}

/// What one slot of the pool has room for, whatever [`Limits`] says. 64 MiB: twice the default.
pub const POOL_MEMORY_BYTES_MAX: usize = 64 << 20;

/// What one table of the pool has room for: see [`Limits::table_elements_max`]. Twice the default.
pub const POOL_TABLE_ELEMENTS_MAX: usize = 40_000;

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel_max: 10_000_000,
            fuel_about_max: 10_000_000,
            deadline_ms: 100,
            look_up_wait_ms: 2_000,
            memory_bytes_max: 32 << 20,
            table_elements_max: 20_000,
            stack_bytes_max: 512 << 10,
            host_calls_max: 10_000,
            output_bytes_max: 256 << 10,
            read_bytes_max: 1 << 20,
            look_ups_max: 64,
            table_look_ups_max: 256,
            find_results_max: 100,
            members_read_max: 1_000,
            reasons_max: 32,
            warnings_bytes_max: 128 << 10,
            reason_paths_max: 32,
            code_bytes_max: 64,
            message_bytes_max: 4 << 10,
            path_bytes_max: 2 << 10,
            edits_max: 1_000,
            notes_max: 32,
            note_key_bytes_max: 256,
            note_bytes_max: 1 << 10,
            log_bytes_max: 8 << 10,
            component_bytes_max: 32 << 20,
            compile_memory_bytes_max: 1 << 30,
            compile_cpu_seconds_max: 60,
            compile_seconds_max: 240,
            compiled_bytes_max: 128 << 20,
            settings_bytes_max: 64 << 10,
            descriptor_text_bytes_max: 1 << 10,
            descriptor_entries_max: 256,
        }
    }
}
