//! What the page says beside its numbers.

pub(super) const HEAD: &str = "\
# What a verdict costs

Written by `make compare`, which measures all of it in one go; every number on this page is one that it has seen, and where
there is none (–) nothing was measured. Times are medians. Absolute times are those of one machine and of one moment: read the
ratios. Rows of one table were measured in one run; a neighbour on the machine during one row and not during the next shows all
the same.
";

pub(super) const SAME_RULE: &str = "
## The same rule, side by side

The rule: an update of a user is allowed if the `userName` is like `emp-*` and goes on behind that, the enterprise extension has
a `department`, and `externalId` is what it was. Every subject gets the same update, another `title`, as JSON text
`{\"before\": …, \"after\": …}` of two states of 1, 2, 4 and 64 KB each, so twice that is parsed. Each is set up once, as its
documentation recommends it (compiled policy, program, parsed script), and has to judge eleven allowed and denied updates rightly,
at each size, before it is measured. All use one allocator (mimalloc, as the server) in one process and one thread.

What the rows mean:

* **native Rust** is what a service does that has the rule in its own code: the floor. The typed one reads three attributes and
  skips the rest, so it knows the rule when it is compiled; the one over `serde_json::Value` does not.
* **component** is the sandbox: a fresh instance for each evaluation, fuel and epoch on, every read checked against the grant
  and recorded. From JSON text it includes all that a SCIM server does before it asks anybody: both states parsed, read by
  the schema, validated, and compared. The server does that with or without a constraint, so what a constraint adds is the
  row of the second table. That in Rust is made by the SDK as it is.
* **golden rule**: components in other languages, built once and kept in `tests/golden`, have *another rule*, as many reads of
  the same attributes: `userName` matches `[a-z][a-z0-9.-]{1,30}` (a regular expression, but for C), there is a `department`, and
  an `externalId` stays once there is one. It comes to the same verdict on the update that is measured and on eight of the eleven,
  and to the other one on three, which is checked, too. Read these rows as what a language costs, not to the last tenth.
* **regorus** evaluates Rego, once by its interpreter and once by its virtual machine. **cedar-policy** converts the text to a
  `Context`; **cel** to its values by way of `serde_json::Value`; **rhai** to its values with serde. None of them records what
  was read, counts fuel, or stops a policy that takes too long; Cedar and CEL need not, as their languages have no loops.
* regorus and cedar-policy switch `preserve_order` of serde_json on for the whole program, which makes `serde_json::Value` another
  one than in the server; that is why this is a package of its own.
";

pub(super) const FROM_TEXT_HEADING: &str = "\
![microseconds over the size of a user, a line for each](benchmarks.svg)

### From JSON text to the verdict

Included: parsing both states, converting them to what the subject judges, judging, giving all of it back. For a component: what
is said above, a store, an instance, the call, and the record of what was read.";

pub(super) const CONVERTED_HEADING: &str = "\
### With the input converted already

Included: judging, by engines that keep their input by reference (a clone of it is a count of references). A component still gets
a store and an instance of its own, reads through the host, and has its reads recorded.";

pub(super) const INSTRUCTIONS: &str = "
## Instructions

The same verdicts on users of 2 KB, counted by valgrind (callgrind), which no neighbour on the machine changes. The kernel's
work is not in it, so a component's reset of memory is missing; nor does valgrind have every instruction of the processor, so
that all of them run code for an older one. The allocator is the C library's, since valgrind puts its own in the place of others.
";

pub(super) const STEPS_HEAD: &str = "
## Where the microseconds go

One evaluation that reads five attributes of a 2 KB user, taken apart: the store alone, then with an instance, then with a call
that reads nothing, then with five recorded reads, and with the same five once more (a repeated read is not recorded again). The
rows are differences of those.
";

pub(super) const THREADS: &str = "
## On two threads

In turns within one run.
";

pub(super) const COMPILED: &str = "
## Until a component can be asked
";

pub(super) const ENDPOINT: &str = "
## The whole endpoint

Durable creates of a 2 KB user over HTTP, at servers with no constraint, one, five and twenty, each of which reads five
attributes in an instance of its own; the servers take turns. The processor time is the server's alone. The clients run on the
same processors, so that the rate counts them, too.
";
