//! The same rule on users of four sizes: from JSON text to the verdict, and once more with the input converted already.
#![expect(clippy::unwrap_used, reason = "a benchmark may fail")]

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};
use mimalloc::MiMalloc;
use scruple_compare::component::Workshop;
use scruple_compare::subject::{Subject, check};
use scruple_compare::{SIZES, all};
use scruple_tests::bench::change::Update;

/// As the server has it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn measure(group: &mut BenchmarkGroup<'_, WallTime>, subjects: &[Box<dyn Subject + '_>], is_converted: bool) {
    for bytes in SIZES {
        let text = Update::allowed(bytes).unwrap().text();
        for subject in subjects {
            let id = BenchmarkId::new(subject.name(), bytes);
            if is_converted {
                let judge = subject.convert(&text).unwrap();
                group.bench_function(id, |bencher| bencher.iter(|| judge().unwrap()));
            } else {
                group.bench_function(id, |bencher| bencher.iter(|| subject.judge(black_box(&text)).unwrap()));
            }
        }
    }
}

fn same_rule(criterion: &mut Criterion) {
    let workshop = Workshop::open().unwrap();
    let subjects = all(&workshop).unwrap();
    for subject in &subjects {
        for bytes in SIZES {
            check(subject.as_ref(), bytes).unwrap();
        }
    }
    for (name, is_converted) in [("from JSON text", false), ("converted already", true)] {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(30).warm_up_time(Duration::from_millis(400)).measurement_time(Duration::from_millis(1_600));
        measure(&mut group, &subjects, is_converted);
        group.finish();
    }
}

criterion_group!(benches, same_rule);
criterion_main!(benches);
