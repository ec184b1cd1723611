//! What one guest leaves in memory and in tables is gone when the next one, of whichever tenant, has its place.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;

use super::guest::Guest;
use super::world::{Residents, TENANT, ada, creating, enabled, operation, sandbox, schemas};
use crate::constraints::{DirectoryView, Limits};
use crate::decision::Verdict;

const THREADS: usize = 4;
const RUNS: usize = 2_000;

/// Grows its memory and its table, looks whether all of them is as new, and leaves something in each page and element.
fn untidy() -> Guest {
    let body = "
        (drop (memory.grow (i32.const 8)))
        (local.set $i (i32.const 131072))
        (loop $pages
            (if (i32.load (local.get $i)) (then (unreachable)))
            (i32.store (local.get $i) (i32.const 7))
            (local.set $i (i32.add (local.get $i) (i32.const 4096)))
            (br_if $pages (i32.lt_u (local.get $i) (i32.mul (memory.size) (i32.const 65536)))))
        (drop (table.grow $t (ref.null func) (i32.const 1500)))
        (local.set $i (i32.const 0))
        (loop $elements
            (if (i32.eqz (ref.is_null (table.get $t (local.get $i)))) (then (unreachable)))
            (table.set $t (local.get $i) (ref.func $left))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $elements (i32.lt_u (local.get $i) (table.size $t))))
        (return (call $allow))";
    Guest::evaluating(body).with("(table $t 500 funcref) (func $left) (elem declare func $left)")
}

/// Moves pages about, as the kernel does by itself now and then, where this process may ask for it. A page that is on its way
/// is not present: who resets only what is present leaves it to the next guest.
fn compact(done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) && fs::write("/proc/sys/vm/compact_memory", "1").is_ok() {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn nothing_of_a_guest_is_left_to_the_next_one_while_the_kernel_moves_its_pages() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let sandbox = sandbox(Limits::default());
    let checked = runtime.block_on(sandbox.upload(TENANT, untidy().component(), &schemas())).unwrap();
    let constraint = enabled(&checked, None, "{}", sandbox.limits());
    let done = AtomicBool::new(false);
    let look = || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let directory: Arc<dyn DirectoryView> = Arc::new(Residents::default());
        for run in 0..RUNS {
            let (pre, operation) = (Ok(Arc::clone(&checked.pre)), operation(creating(ada())));
            let asked = sandbox.runner().evaluate(TENANT, &constraint, pre, &operation, &directory);
            assert_eq!(runtime.block_on(asked).answer, Ok(Verdict::Allow), "run {run} found what another has left");
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| compact(&done));
        let looking: Vec<_> = (0..THREADS).map(|_| scope.spawn(look)).collect();
        let ended: Vec<_> = looking.into_iter().map(thread::ScopedJoinHandle::join).collect();
        done.store(true, Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok));
    });
}
