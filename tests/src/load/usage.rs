//! What a server process has used, from `/proc`: on a machine with few processors the wall clock counts the clients too.

use anyhow::Context;

/// Milliseconds of a clock tick. `/proc/PID/stat` counts in `USER_HZ`, which Linux fixes at 100 a second for programs
/// whatever the kernel's own rate (`man 7 time`); so a sum is right to 10 ms.
const TICK_MS: f64 = 10.0;

/// What a process has used so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Usage {
    /// Processor time, user and system, of all its threads that are or were.
    pub(super) cpu_ms: f64,
    /// Resident memory.
    pub(super) resident_mib: f64,
    /// The most resident memory since the start or since [`forget_peak`].
    pub(super) peak_mib: f64,
}

/// Reads what a process has used.
pub(super) fn read(pid: u32) -> anyhow::Result<Usage> {
    let file = |name: &str| {
        let path = format!("/proc/{pid}/{name}");
        std::fs::read_to_string(&path).with_context(|| format!("cannot read `{path}`: is the server gone?"))
    };
    parse(&file("stat")?, &file("status")?).with_context(|| format!("`/proc/{pid}` is not as proc(5) has it"))
}

/// Begins a new peak of resident memory. It is no error if the process belongs to somebody else: then the peak is
/// that since its start.
pub(super) fn forget_peak(pid: u32) {
    // proc(5), `clear_refs`: "5 (since Linux 4.0): Reset the peak resident set size".
    let _ = std::fs::write(format!("/proc/{pid}/clear_refs"), "5");
}

fn parse(stat: &str, status: &str) -> Option<Usage> {
    Some(Usage {
        cpu_ms: cpu_ms(stat)?,
        resident_mib: mebibytes(status, "VmRSS:")?,
        peak_mib: mebibytes(status, "VmHWM:")?,
    })
}

/// Fields 14 (`utime`) and 15 (`stime`). Field 2 is the program's name in parentheses, which may hold anything, so that
/// counting begins behind the last parenthesis, at field 3.
fn cpu_ms(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(14 - 3);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) * TICK_MS)
}

fn mebibytes(status: &str, key: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "4242 (a) b (c)) S 1 4242 4242 0 -1 4194560 9000 0 0 0 731 269 5 6 20 0 9 0 100 1 1 1";
    const STATUS: &str =
        "Name:\tscruple\nVmPeak:\t  900000 kB\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\nThreads:\t9\n";

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let usage = parse(STAT, STATUS).unwrap();
        assert_eq!(usage, Usage { cpu_ms: 10_000.0, resident_mib: 10.0, peak_mib: 20.0 });
    }

    #[test]
    fn what_is_missing_is_not_taken_for_nothing() {
        assert_eq!(parse("4242 (x) S 1", STATUS), None);
        assert_eq!(parse(STAT, "Name:\tzombie\n"), None);
    }

    #[test]
    fn work_of_this_process_raises_its_processor_time() {
        let pid = std::process::id();
        let before = read(pid).unwrap().cpu_ms;
        let mut number = 1_u64;
        while read(pid).unwrap().cpu_ms < before + 3.0 * TICK_MS {
            number = std::hint::black_box(number.wrapping_mul(3));
        }
        assert!(read(pid).unwrap().resident_mib > 0.0);
    }
}
