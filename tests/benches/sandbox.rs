//! What the sandbox does on one and on two threads, and what a component costs until it can be asked: compiled, and loaded
//! from the folder of compiled ones. `cargo bench --package scruple-tests --bench benches -- sandbox`, with `--json FILE` for programs.
//!
//! The variants take turns within one run, so that a machine whose speed drifts is equally slow for all.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark prints, and may fail"
)]

use std::fs::File;
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{Advice, fadvise};
use scruple::constraints::{CompilerProgram, Compiling, Sandbox};
use scruple::decision::{TenantId, Verdict};
use scruple::scim::schema::SchemaRegistry;
use scruple_tests::ServerProcess;
use scruple_tests::bench::change::created;
use scruple_tests::bench::{Bench, Subject, full_user, sandbox_config};
use scruple_tests::components::FIVE_READS;
use scruple_tests::load::statistics::{median, percentile};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

const TENANT: TenantId = TenantId(1);

/// How long a variant runs in a round, and how many rounds count; one more warms up.
const SLICE: Duration = Duration::from_millis(700);
const ROUNDS: usize = 9;

/// Compilations, and loads from disk.
const COMPILATIONS: usize = 15;
const LOADS: usize = 100;

/// Calls a second of something that some threads do as often as they can.
fn per_second(threads: usize, work: &(dyn Fn() + Sync)) -> f64 {
    let (over, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut own = 0;
                while !over.load(Ordering::Relaxed) {
                    work();
                    own += 1;
                }
                done.fetch_add(own, Ordering::Relaxed);
            });
        }
        std::thread::sleep(SLICE);
        over.store(true, Ordering::Relaxed);
    });
    done.into_inner() as f64 / started.elapsed().as_secs_f64()
}

/// A runtime for each thread: an evaluation never leaves the one that it began on.
fn evaluate(subject: &Subject) {
    thread_local! {
        static RUNTIME: Runtime = Builder::new_current_thread().enable_all().build().unwrap();
    }
    RUNTIME.with(|runtime| black_box(runtime.block_on(subject.evaluate_alone())));
}

fn threads(subject: &Subject) -> Value {
    let text = full_user("ada").to_string();
    let parse = || drop(black_box(serde_json::from_str::<Value>(black_box(&text)).unwrap()));
    let evaluate = || evaluate(subject);
    let variants: [(&str, &(dyn Fn() + Sync)); 2] = [("evaluations", &evaluate), ("parsings", &parse)];
    let mut seen: [[Vec<f64>; 2]; 2] = Default::default();
    for round in 0..=ROUNDS {
        for (variant, (_, work)) in variants.iter().enumerate() {
            for threads in [1, 2] {
                let rate = per_second(threads, work);
                if round > 0 {
                    seen[variant][threads - 1].push(rate);
                }
            }
        }
    }
    let mut figures = json!({});
    for ((name, _), rates) in variants.iter().zip(&seen) {
        let (one, two) = (median(&rates[0]).unwrap(), median(&rates[1]).unwrap());
        println!("{name} a second: {one:.0} on one thread, {two:.0} on two, {:.2} times as many", two / one);
        figures[name] = json!({ "one_thread": one, "two_threads": two });
    }
    figures
}

/// Milliseconds until an uploaded component has been compiled: in a process of its own, as the server does it, and in
/// this one.
async fn compilations(schemas: &SchemaRegistry) -> Value {
    let bytes = std::fs::read(FIVE_READS).unwrap();
    let child = Compiling::Child(CompilerProgram::at(ServerProcess::program_under_test().unwrap()));
    let mut seen: [Vec<f64>; 2] = Default::default();
    for _ in 0..COMPILATIONS {
        for (taken, compiling) in seen.iter_mut().zip([child.clone(), Compiling::InProcess]) {
            // Of a sandbox that knows it already it would be no compilation.
            let sandbox = Sandbox::new(sandbox_config(None, compiling)).unwrap();
            taken.push(sandbox.upload(TENANT, bytes.clone(), schemas).await.unwrap().compile_ms as f64);
        }
    }
    let kib = bytes.len() as f64 / 1024.0;
    let [child, in_process] = seen.map(|taken| median(&taken).unwrap());
    println!(
        "a component of {kib:.0} KiB is compiled in {child:.0} ms in a process of its own, {in_process:.0} in this"
    );
    json!({ "kib": kib, "child_ms": child, "in_process_ms": in_process })
}

/// Milliseconds until a component that was compiled before is ready, with its file in the page cache and without.
async fn loads(schemas: &SchemaRegistry) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let config = || sandbox_config(Some(folder.path().to_owned()), Compiling::InProcess);
    let digest = {
        let sandbox = Sandbox::new(config()).unwrap();
        sandbox.upload(TENANT, std::fs::read(FIVE_READS).unwrap(), schemas).await.unwrap().digest
    };
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let mut figures = json!({});
    for (name, is_cached) in [("from the page cache", true), ("from disk", false)] {
        let mut taken = Vec::new();
        for _ in 0..LOADS {
            let sandbox = Sandbox::new(config()).unwrap();
            if !is_cached {
                fadvise(File::open(&file).unwrap(), 0, None, Advice::DontNeed).unwrap();
            }
            let started = Instant::now();
            black_box(sandbox.load(TENANT, &digest).await.unwrap());
            taken.push(started.elapsed().as_secs_f64() * 1e3);
        }
        let (p50, p95) = (percentile(&taken, 50.0).unwrap(), percentile(&taken, 95.0).unwrap());
        println!("it is loaded {name} in {p50:.2} ms, at the 95th percentile in {p95:.2} ms");
        figures[name] = json!({ "p50_ms": p50, "p95_ms": p95 });
    }
    figures
}

/// Runs the benchmark, whose figures go to `json`, too.
pub(crate) fn run(json: Option<&Path>) {
    let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
    let schemas = SchemaRegistry::core();
    let (_bench, subject) = runtime.block_on(async {
        let bench = Bench::start().await.unwrap();
        let planned = created(&full_user("ada"), &schemas).unwrap();
        let subject = bench.subject(std::fs::read(FIVE_READS).unwrap(), planned).await.unwrap();
        subject.check(Verdict::Allow, 5).await.unwrap();
        (bench, subject)
    });
    let threads = threads(&subject);
    let (compilation, loads) = runtime.block_on(async { (compilations(&schemas).await, loads(&schemas).await) });
    let figures = json!({ "threads": threads, "compilation": compilation, "loads": loads });
    if let Some(path) = json {
        std::fs::write(path, format!("{figures:#}\n")).unwrap();
    }
}
