//! The page: what was measured, in tables, and what the numbers mean.

mod prose;

use std::fmt::Write as _;

use serde_json::Value;

use crate::figures::Figures;
use crate::machine::{rust, sentence, version};
use crate::page::prose::{
    COMPILED, CONVERTED_HEADING, ENDPOINT, FROM_TEXT_HEADING, HEAD, INSTRUCTIONS, SAME_RULE, STEPS_HEAD, THREADS,
};
use crate::plot::Line;

const FROM_TEXT: &str = "from JSON text";
const CONVERTED: &str = "converted already";
const NATIVE: &str = "native Rust, serde_json::Value";
const OURS: &str = "component, Rust";
const STEPS: &str = "steps of an evaluation";
const FIVE_READS: &str = "five reads of a 2 KB user";
const SIZES: [usize; 4] = [1 << 10, 2 << 10, 4 << 10, 64 << 10];
const TWO_KB: usize = 2 << 10;

/// Of gungraun, and the name that the subject has elsewhere.
const COUNTED: [(&str, &str); 8] = [
    ("typed", "native Rust, typed serde"),
    ("untyped", NATIVE),
    ("component", OURS),
    ("regorus_interpreter", "regorus, interpreter"),
    ("regorus_machine", "regorus, virtual machine"),
    ("cedar", "cedar-policy"),
    ("cel", "cel"),
    ("rhai", "rhai"),
];

/// The whole page.
pub(crate) fn text(figures: &Figures) -> String {
    let mut page = String::from(HEAD);
    page.push_str(&format!("\nMeasured on {}\n", sentence()));
    page.push_str(&same_rule(figures));
    page.push_str(&counted(figures));
    page.push_str(&steps(figures));
    page.push_str(&sandbox(&figures.sandbox));
    page.push_str(&endpoint(&figures.endpoint));
    page
}

/// Each subject over the sizes of a user, and our component once more as the server asks it.
pub(crate) fn lines(figures: &Figures) -> Vec<Line> {
    let line = |group: &str, function: &str, name: String| {
        let points = SIZES.iter().filter_map(|bytes| {
            let us = figures.us(group, function, Some(*bytes))?;
            Some((*bytes as f64, us))
        });
        Line { name, is_ours: function == OURS, points: points.collect() }
    };
    let mut lines: Vec<Line> = subjects(figures).into_iter().map(|name| line(FROM_TEXT, &name, name.clone())).collect();
    lines.push(line(CONVERTED, OURS, format!("{OURS}, of a change that the server has")));
    lines
}

/// Every subject, from the fastest on 2 KB of text.
fn subjects(figures: &Figures) -> Vec<String> {
    let at_two_kb = figures.timings.iter().filter(|timing| timing.group == FROM_TEXT && timing.bytes == Some(TWO_KB));
    let mut found: Vec<(f64, String)> = at_two_kb.map(|timing| (timing.us, timing.function.clone())).collect();
    found.sort_by(|left, right| left.0.total_cmp(&right.0));
    found.into_iter().map(|(_, name)| name).collect()
}

fn same_rule(figures: &Figures) -> String {
    if subjects(figures).is_empty() {
        return "\n## The same rule, side by side\n\nNot measured: the run that this page is of did not come so far.\n"
            .to_owned();
    }
    let mut text = format!(
        "{SAME_RULE}\nVersions: regorus {}, cedar-policy {}, cel {}, rhai {}, serde_json {}, wasmtime {}; built by rustc {}.\n",
        version("regorus"),
        version("cedar-policy"),
        version("cel"),
        version("rhai"),
        version("serde_json"),
        version("wasmtime"),
        rust()
    );
    for (group, heading) in [(FROM_TEXT, FROM_TEXT_HEADING), (CONVERTED, CONVERTED_HEADING)] {
        let native = figures.us(group, NATIVE, Some(TWO_KB));
        let ours = figures.us(group, OURS, Some(TWO_KB));
        let mut header = vec!["µs, median".to_owned()];
        header.extend(SIZES.iter().map(|bytes| format!("{} KB", bytes / 1024)));
        header.push("2 KB ÷ native `Value`".to_owned());
        header.push("2 KB ÷ our component in Rust".to_owned());
        let rows = subjects(figures).into_iter().map(|name| {
            let at = |bytes: usize| figures.us(group, &name, Some(bytes));
            let mut row = vec![name.clone()];
            row.extend(SIZES.iter().map(|bytes| number(at(*bytes))));
            row.push(ratio(at(TWO_KB), native));
            row.push(ratio(at(TWO_KB), ours));
            row
        });
        text.push_str(&format!("\n{heading}\n\n{}", table(&header, rows)));
    }
    text + &as_served(figures)
}

/// A component in the server beside what an engine would take in its place.
fn as_served(figures: &Figures) -> String {
    let ours = figures.us(CONVERTED, OURS, Some(TWO_KB));
    let names = subjects(figures).into_iter().filter(|name| !name.starts_with("component"));
    let others: Vec<String> =
        names.map(|name| format!("{name} {} ×", ratio(figures.us(FROM_TEXT, &name, Some(TWO_KB)), ours))).collect();
    format!(
        "\nThe server has both states parsed when it asks a component, so that costs {} µs at 2 KB. An engine in its place would \
         have its\ninput converted first. From text that is, of the component's time: {}. From\nvalues that are parsed \
         already it would be less, for which nothing was measured.\n",
        number(ours),
        others.join("; ")
    )
}

fn counted(figures: &Figures) -> String {
    if figures.counted.is_empty() {
        return "\n## Instructions\n\nNot measured: valgrind or gungraun's runner was not there.\n".to_owned();
    }
    let header = ["instructions", "from JSON text", "÷ our component", "converted already", "÷ our component"];
    let rows = COUNTED.into_iter().map(|(id, name)| {
        let mut row = vec![name.to_owned()];
        for function in ["from_json_text", "converted_already"] {
            let [count, ours] = [id, "component"].map(|id| figures.instructions(function, id));
            row.push(count.map_or_else(|| "–".to_owned(), thousands));
            row.push(ratio(count.map(|count| count as f64), ours.map(|count| count as f64)));
        }
        row
    });
    let header = header.map(str::to_owned);
    format!("{INSTRUCTIONS}\n{}", table(&header, rows))
}

/// What each step adds to those before it.
fn steps(figures: &Figures) -> String {
    let us = |function: &str| figures.us(STEPS, function, None);
    let (store, instance, call) = (us("store"), us("instantiate"), us("call"));
    let (recorded, repeated) = (us("five recorded reads"), us("five recorded reads and five repeated"));
    let minus = |more: Option<f64>, less: Option<f64>| Some(more? - less?);
    let reads = minus(repeated, recorded);
    let record = minus(minus(recorded, call), reads);
    let header = ["step", "µs", "share"].map(str::to_owned);
    let parts = [
        ("the store, with every limit", store),
        ("the instance, and giving its memory back", minus(instance, store)),
        ("the call of `evaluate`, its answer, the evaluation's record", minus(call, instance)),
        ("five reads, without recording them", reads),
        ("recording the five reads", record),
        ("**the whole evaluation**", recorded),
    ];
    let rows = parts.into_iter().map(|(name, us)| {
        let share = us.zip(recorded).map(|(us, whole)| format!("{:.0} %", us / whole * 100.0));
        vec![name.to_owned(), number(us), share.unwrap_or_default()]
    });
    let native = figures.us(FIVE_READS, "native Rust, from JSON text", None);
    let served = figures.us(FIVE_READS, "the same, admitted and on the guests' runtime", None);
    let ours = figures.us(FIVE_READS, "component, fresh instance, reads recorded", None);
    format!(
        "{STEPS_HEAD}\n{}\nIn the same run: the rule in native Rust over `serde_json::Value`, parsing included, {} µs; the \
         component {} µs ({} ×); asked as\nthe server asks it, admitted and ready to be moved to the guests' runtime, {} µs.\n",
        table(&header, rows),
        number(native),
        number(ours),
        ratio(ours, native),
        number(served)
    )
}

fn sandbox(figures: &Value) -> String {
    let at = |pointer: &str| figures.pointer(pointer).and_then(Value::as_f64);
    let header = ["a second", "1 thread", "2 threads", "2 ÷ 1"].map(str::to_owned);
    let rows = [
        ("evaluations, five recorded reads", "evaluations"),
        ("parsings of the user's JSON, for comparison", "parsings"),
    ]
    .map(|(name, key)| {
        let one = at(&format!("/threads/{key}/one_thread"));
        let two = at(&format!("/threads/{key}/two_threads"));
        let whole = |rate: Option<f64>| rate.map_or_else(|| "–".to_owned(), |rate| thousands(rate as u64));
        vec![name.to_owned(), whole(one), whole(two), ratio(two, one)]
    });
    let loads = ["from the page cache", "from disk"].map(|name| {
        let of = |figure: &str| number(at(&format!("/loads/{name}/{figure}")));
        format!("{name} {} ms (95th percentile {} ms)", of("p50_ms"), of("p95_ms"))
    });
    format!(
        "{THREADS}\n{}{COMPILED}\nA Rust component of {} KiB is compiled in {} ms in a process of its own, as the server does it, \
         and in {} ms in the\nserver's. Compiled before, it is loaded {}.\n",
        table(&header, rows.into_iter()),
        number(at("/compilation/kib")),
        number(at("/compilation/child_ms")),
        number(at("/compilation/in_process_ms")),
        loads.join(", ")
    )
}

fn endpoint(figures: &Value) -> String {
    let rows = figures["scenarios"].as_array().cloned().unwrap_or_default();
    let of = |row: &Value, name: &str| row[name].as_f64();
    let header = ["scenario", "constraints", "creates a second", "÷ without", "CPU µs a create"].map(str::to_owned);
    let cells = rows.iter().map(|row| {
        let free = rows.iter().find(|free| free["scenario"] == row["scenario"] && free["constraints"] == 0);
        let free = free.and_then(|free| of(free, "per_second"));
        vec![
            row["scenario"].as_str().unwrap_or_default().to_owned(),
            row["constraints"].to_string(),
            of(row, "per_second").map_or_else(|| "–".to_owned(), |rate| thousands(rate as u64)),
            ratio(of(row, "per_second"), free),
            of(row, "cpu_ms").map_or_else(|| "–".to_owned(), |ms| format!("{:.0}", ms * 1e3)),
        ]
    });
    format!("{ENDPOINT}\n{}", table(&header, cells))
}

/// A Markdown table; numbers begin with the second column.
fn table(header: &[String], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {} |\n|---|{}\n", header.join(" | "), "---:|".repeat(header.len().saturating_sub(1)));
    for row in rows {
        let _infallible = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

/// Three digits.
fn number(value: Option<f64>) -> String {
    let Some(value) = value else { return "–".to_owned() };
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn ratio(value: Option<f64>, to: Option<f64>) -> String {
    value.zip(to).map_or_else(|| "–".to_owned(), |(value, to)| number(Some(value / to)))
}

fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let groups: Vec<String> = digits.bytes().rev().collect::<Vec<_>>().chunks(3).map(reversed).collect();
    groups.into_iter().rev().collect::<Vec<_>>().join(",")
}

fn reversed(digits: &[u8]) -> String {
    digits.iter().rev().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::figures::{Counted, Timing};

    fn figures() -> Figures {
        let timing = |group: &str, function: &str, bytes, us| Timing {
            group: group.to_owned(),
            function: function.to_owned(),
            bytes,
            us,
        };
        let step = |function: &str, us| timing(STEPS, function, None, us);
        let endpoint = |constraints: u32, rate: f64| json!({ "scenario": "create", "constraints": constraints, "per_second": rate, "cpu_ms": 0.3 });
        Figures {
            timings: vec![
                timing(FROM_TEXT, "cel", Some(TWO_KB), 80.0),
                timing(FROM_TEXT, NATIVE, Some(TWO_KB), 20.0),
                timing(FROM_TEXT, OURS, Some(TWO_KB), 40.0),
                timing(CONVERTED, OURS, Some(TWO_KB), 10.0),
                step("store", 1.0),
                step("instantiate", 4.0),
                step("call", 6.0),
                step("five recorded reads", 10.0),
                step("five recorded reads and five repeated", 12.5),
            ],
            counted: vec![Counted {
                function: "from_json_text".to_owned(),
                id: "cel".to_owned(),
                instructions: 1_234_567,
            }],
            sandbox: json!({ "threads": { "evaluations": { "one_thread": 90_000.0, "two_threads": 171_000.0 } } }),
            endpoint: json!({ "scenarios": [endpoint(0, 2_000.0), endpoint(5, 1_800.0)] }),
        }
    }

    #[test]
    fn subjects_stand_by_their_speed_with_ratios_to_native_code_and_to_us() {
        let page = text(&figures());
        let native = page.find("| native Rust, serde_json::Value | – | 20.0 | – | – | 1.00 | 0.50 |");
        let cel = page.find("| cel | – | 80.0 | – | – | 4.00 | 2.00 |");
        assert!(native.is_some() && native < cel, "{page}");
        assert!(page.contains("native Rust, serde_json::Value 2.00 ×; cel 8.00 ×."), "{page}");
    }

    #[test]
    fn each_step_is_what_it_adds_and_together_they_are_the_whole() {
        let page = text(&figures());
        for row in ["every limit | 1.00 | 10 %", "giving its memory back | 3.00 | 30 %", "record | 2.00 | 20 %"] {
            assert!(page.contains(row), "{row}: {page}");
        }
        assert!(page.contains("without recording them | 2.50 | 25 %"), "{page}");
        assert!(page.contains("recording the five reads | 1.50 | 15 %"), "{page}");
    }

    #[test]
    fn rates_have_their_ratios_and_counts_their_thousands() {
        let page = text(&figures());
        assert!(page.contains("| 90,000 | 171,000 | 1.90 |"), "{page}");
        assert!(page.contains("| create | 5 | 1,800 | 0.90 | 300 |"), "{page}");
        assert!(page.contains("| cel | 1,234,567 | – | – | – |"), "{page}");
    }

    #[test]
    fn what_was_not_measured_is_said_to_be_so() {
        let page = text(&Figures { counted: Vec::new(), timings: Vec::new(), ..figures() });
        assert!(page.contains("side by side\n\nNot measured") && !page.contains("benchmarks.svg"), "{page}");
        assert!(page.contains("## Instructions\n\nNot measured"), "{page}");
        assert!(page.contains("| parsings of the user's JSON, for comparison | – | – | – |"), "{page}");
    }

    #[test]
    fn a_line_has_the_points_that_were_measured() {
        let lines = lines(&figures());
        let points = |name: &str| lines.iter().find(|line| line.name == name).map(|line| line.points.clone());
        assert_eq!(points("cel"), Some(vec![(2048.0, 80.0)]));
        let ours: Vec<_> = lines.iter().filter(|line| line.is_ours).map(|line| line.points.clone()).collect();
        assert_eq!(ours, [vec![(2048.0, 40.0)], vec![(2048.0, 10.0)]]);
    }
}
