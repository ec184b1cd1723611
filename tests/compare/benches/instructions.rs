//! Instructions of one verdict on a user of 2 KB, counted by valgrind: a number that no neighbour on the machine changes.
//! Run by gungraun; `make compare` does it where valgrind is installed. Our component is not among them: valgrind gives a
//! process 128 GiB of addresses, and the sandbox's pool reserves 5 TiB.
#![expect(clippy::unwrap_used, reason = "a benchmark may fail")]
#![expect(missing_docs, unused_qualifications, reason = "of what gungraun's macros make")]

use std::hint::black_box;

use gungraun::prelude::*;
use scruple_compare::native::{Typed, Untyped};
use scruple_compare::rego::{Interpreter, Machine};
use scruple_compare::subject::{Converted, Subject, check};
use scruple_compare::{cedar, cel, rhai};
use scruple_tests::bench::change::Update;

const BYTES: usize = 2 << 10;

/// What lives as long as the process: each benchmark has one of its own, and ends with it.
fn kept<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn typed() -> &'static dyn Subject {
    kept(Typed)
}

fn untyped() -> &'static dyn Subject {
    kept(Untyped)
}

fn regorus_interpreter() -> &'static dyn Subject {
    kept(Interpreter::new().unwrap())
}

fn regorus_machine() -> &'static dyn Subject {
    kept(Machine::new().unwrap())
}

fn cedar() -> &'static dyn Subject {
    kept(cedar::Cedar::new().unwrap())
}

fn cel() -> &'static dyn Subject {
    kept(cel::Cel::new().unwrap())
}

fn rhai() -> &'static dyn Subject {
    kept(rhai::Rhai::new().unwrap())
}

/// A subject that has judged before, and the text of an update that is allowed.
fn from_text(subject: fn() -> &'static dyn Subject) -> (&'static dyn Subject, String) {
    let subject = subject();
    check(subject, BYTES).unwrap();
    (subject, Update::allowed(BYTES).unwrap().text())
}

/// The same with the update converted already.
fn converted(subject: fn() -> &'static dyn Subject) -> Converted<'static> {
    let (subject, text) = from_text(subject);
    let judge = subject.convert(&text).unwrap();
    // What is made once, at the first call.
    judge().unwrap();
    judge
}

#[library_benchmark(setup = from_text)]
#[bench::typed(typed)]
#[bench::untyped(untyped)]
#[bench::regorus_interpreter(regorus_interpreter)]
#[bench::regorus_machine(regorus_machine)]
#[bench::cedar(cedar)]
#[bench::cel(cel)]
#[bench::rhai(rhai)]
fn from_json_text((subject, text): (&'static dyn Subject, String)) -> bool {
    black_box(subject.judge(black_box(&text)).unwrap())
}

#[library_benchmark(setup = converted)]
#[bench::typed(typed)]
#[bench::untyped(untyped)]
#[bench::regorus_interpreter(regorus_interpreter)]
#[bench::regorus_machine(regorus_machine)]
#[bench::cedar(cedar)]
#[bench::cel(cel)]
#[bench::rhai(rhai)]
fn converted_already(judge: Converted<'static>) -> bool {
    let allowed = black_box(judge().unwrap());
    // Giving the input back is no part of judging it.
    std::mem::forget(judge);
    allowed
}

library_benchmark_group!(name = one_verdict, benchmarks = [from_json_text, converted_already]);
main!(library_benchmark_groups = one_verdict);
