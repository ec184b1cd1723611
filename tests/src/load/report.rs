//! What a run came to: tables for people, JSON for programs.

use std::collections::BTreeMap;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};

use crate::load::abuse::Abused;
use crate::load::life::Lived;
use crate::load::measure::Row;
use crate::load::neighbours::Neighboured;
use crate::load::required::{self, Check, Subject};

/// Everything that was measured.
pub(super) struct Report {
    pub(super) subjects: Vec<Subject>,
    pub(super) rounds: usize,
    pub(super) rows: Vec<Row>,
    pub(super) lived: Vec<Lived>,
    pub(super) abused: Vec<Abused>,
    pub(super) neighboured: Vec<Neighboured>,
}

impl Report {
    /// For people.
    pub(super) fn text(&self) -> String {
        let mut parts = vec![format!(
            "Medians over {} rounds, the servers in turns. `CPU ms` is the server's for one request, `required` what it may \
             be. `×` is the\nmedian latency to that of the first server; `peak` and `growth` are of the server's resident \
             memory in MiB, the most of a round.",
            self.rounds
        )];
        if !self.rows.is_empty() {
            parts.push(self.scenarios());
        }
        if !self.lived.is_empty() {
            parts.push(self.lives());
        }
        if !self.abused.is_empty() {
            parts.push(self.abuse());
        }
        if !self.neighboured.is_empty() {
            parts.push(self.neighbours());
        }
        let checks = self.checks();
        if !checks.is_empty() {
            parts.push(required_figures(&checks));
        }
        parts.join("\n\n")
    }

    fn checks(&self) -> Vec<Check> {
        let mut checks = required::checks(&self.rows, &self.lived, &self.abused, &self.subjects);
        checks.extend(required::neighbours(&self.neighboured, &self.subjects));
        checks
    }

    fn scenarios(&self) -> String {
        let header = [
            "scenario", "server", "users", "p50 ms", "p99 ms", "a second", "×", "CPU ms", "required", "peak", "growth",
        ];
        let rows = self.rows.iter().map(|row| {
            let subject = &self.subjects[row.target];
            let mut cells = vec![row.scenario.name.to_owned(), subject.name.clone(), subject.users.to_string()];
            match &row.refusal {
                Some(why) => cells.push(why.clone()),
                None => cells.extend([
                    figure(row.median(|round| round.p50_ms), 2),
                    figure(row.median(|round| round.p99_ms), 2),
                    figure(row.median(|round| round.per_second), 0),
                    figure(self.first(row).and_then(|first| required::ratio(row, first)), 2),
                    figure(row.cpu_ms(), 3),
                    figure(required::cpu_ms(row, &self.subjects), 2),
                    figure(
                        row.most(|used| {
                            used.resident_mib.max(used.resident_mib - used.growth_mib + used.peak_growth_mib)
                        }),
                        0,
                    ),
                    figure(row.most(|used| used.peak_growth_mib), 1),
                ]),
            }
            cells
        });
        table(&header, 3, rows)
    }

    /// The same scenario of the first target.
    fn first(&self, row: &Row) -> Option<&Row> {
        self.rows.iter().find(|other| other.scenario == row.scenario && other.target == 0)
    }

    fn lives(&self) -> String {
        let header = [
            "life of a group",
            "server",
            "members",
            "ms",
            "longest",
            "creates p50",
            "p99",
            "longest",
            "peak",
            "growth",
        ];
        let rows = self.lived.iter().map(|lived| {
            vec![
                lived.step.to_owned(),
                self.subjects[lived.target].name.clone(),
                lived.members.to_string(),
                figure(Some(lived.ms), 2),
                figure(Some(lived.longest_ms), 2),
                figure(lived.creates_p50_ms, 2),
                figure(lived.creates_p99_ms, 2),
                figure(lived.creates_max_ms, 2),
                figure(lived.peak_mib, 0),
                figure(lived.growth_mib, 1),
            ]
        });
        table(&header, 2, rows)
    }

    fn abuse(&self) -> String {
        let header =
            ["abuse", "server", "users", "answers", "ms", "quiet p50", "p99", "beside p50", "p99", "× p99", "peak"];
        let rows = self.abused.iter().map(|abuse| {
            let subject = &self.subjects[abuse.target];
            let name = abuse.name.trim_start_matches("abuse: ").to_owned();
            vec![
                name,
                subject.name.clone(),
                subject.users.to_string(),
                answers(abuse),
                figure(abuse.answer_ms, 1),
                figure(Some(abuse.probe.quiet().p50_ms), 2),
                figure(Some(abuse.probe.quiet().p99_ms), 2),
                figure(Some(abuse.probe.beside().p50_ms), 2),
                figure(Some(abuse.probe.beside().p99_ms), 2),
                figure(abuse.probe.ratio(), 2),
                figure(abuse.peak_mib, 0),
            ]
        });
        table(&header, 4, rows)
    }

    fn neighbours(&self) -> String {
        let header = [
            "one tenant attacks",
            "server",
            "its writes",
            "its uploads",
            "stopped p50",
            "p99",
            "quiet p50",
            "p99",
            "beside p50",
            "p99",
            "× p99",
        ];
        let rows = self.neighboured.iter().map(|row| {
            vec![
                "loops, memory, compiling".to_owned(),
                self.subjects[row.target].name.clone(),
                statuses(&row.writes),
                statuses(&row.uploads),
                figure(Some(row.stopped().p50_ms), 2),
                figure(Some(row.stopped().p99_ms), 2),
                figure(Some(row.others.quiet().p50_ms), 2),
                figure(Some(row.others.quiet().p99_ms), 2),
                figure(Some(row.others.beside().p50_ms), 2),
                figure(Some(row.others.beside().p99_ms), 2),
                figure(row.others.ratio(), 2),
            ]
        });
        table(&header, 4, rows)
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            json!({
                "scenario": row.scenario.name,
                "clients": row.scenario.clients,
                "server": self.subjects[row.target].name,
                "users": self.subjects[row.target].users,
                "constraints": self.subjects[row.target].constraints,
                "refusal": row.refusal,
                "p50_ms": row.median(|round| round.p50_ms),
                "p99_ms": row.median(|round| round.p99_ms),
                "per_second": row.median(|round| round.per_second),
                "answer_bytes": row.median(|round| round.bytes as f64 / round.requests.max(1) as f64),
                "cpu_ms": row.cpu_ms(),
                "cpu_ms_required": required::cpu_ms(row, &self.subjects),
                "resident_mib": row.most(|used| used.resident_mib),
                "growth_mib": row.most(|used| used.growth_mib),
                "peak_growth_mib": row.most(|used| used.peak_growth_mib),
            })
        });
        let lived = self.lived.iter().map(|lived| {
            json!({
                "step": lived.step,
                "server": self.subjects[lived.target].name,
                "members": lived.members,
                "ms": lived.ms,
                "longest_ms": lived.longest_ms,
                "creates_p50_ms": lived.creates_p50_ms,
                "creates_p99_ms": lived.creates_p99_ms,
                "creates_max_ms": lived.creates_max_ms,
                "peak_mib": lived.peak_mib,
                "growth_mib": lived.growth_mib,
            })
        });
        let abused = self.abused.iter().map(|abuse| {
            json!({
                "abuse": abuse.name,
                "server": self.subjects[abuse.target].name,
                "users": self.subjects[abuse.target].users,
                "statuses": counted(&abuse.statuses),
                "in_protocol": abuse.in_protocol,
                "answer_ms": abuse.answer_ms,
                "quiet_p50_ms": abuse.probe.quiet().p50_ms,
                "quiet_p99_ms": abuse.probe.quiet().p99_ms,
                "beside_p50_ms": abuse.probe.beside().p50_ms,
                "beside_p99_ms": abuse.probe.beside().p99_ms,
                "p99_ratio": abuse.probe.ratio(),
                "peak_mib": abuse.peak_mib,
            })
        });
        let neighboured = self.neighboured.iter().map(|row| {
            json!({
                "server": self.subjects[row.target].name,
                "users": self.subjects[row.target].users,
                "writes": counted(&row.writes),
                "uploads": counted(&row.uploads),
                "stopped_p50_ms": row.stopped().p50_ms,
                "stopped_p99_ms": row.stopped().p99_ms,
                "quiet_p50_ms": row.others.quiet().p50_ms,
                "quiet_p99_ms": row.others.quiet().p99_ms,
                "beside_p50_ms": row.others.beside().p50_ms,
                "beside_p99_ms": row.others.beside().p99_ms,
                "p99_ratio": row.others.ratio(),
            })
        });
        let checks = self.checks();
        let checks = checks.iter().map(|check| {
            json!({
                "what": check.what, "required": check.required, "seen": check.seen, "unit": check.unit,
                "holds": check.holds(),
            })
        });
        json!({
            "rounds": self.rounds,
            "scenarios": rows.collect::<Vec<_>>(),
            "life": lived.collect::<Vec<_>>(),
            "abuse": abused.collect::<Vec<_>>(),
            "neighbours": neighboured.collect::<Vec<_>>(),
            "required": checks.collect::<Vec<_>>(),
        })
    }
}

fn required_figures(checks: &[Check]) -> String {
    let rows = checks.iter().map(|check| {
        let holds = if check.holds() { "yes" } else { "NO" };
        let number = |value| format!("{value:.2} {}", check.unit);
        vec![check.what.clone(), number(check.required), number(check.seen), holds.to_owned()]
    });
    table(&["required", "at most", "seen", "holds"], 1, rows)
}

fn answers(abuse: &Abused) -> String {
    match (abuse.statuses.is_empty(), abuse.in_protocol) {
        (true, _) => "not supported (no group)".to_owned(),
        (_, true) => statuses(&abuse.statuses),
        (_, false) => format!("{}: NOT all SCIM", statuses(&abuse.statuses)),
    }
}

/// How often each status was the answer: `403 (7 times), 503 (2 times)`.
fn statuses(statuses: &BTreeMap<u16, usize>) -> String {
    let told: Vec<String> = statuses.iter().map(|(status, times)| format!("{status} ({times} times)")).collect();
    told.join(", ")
}

fn counted(statuses: &BTreeMap<u16, usize>) -> Value {
    statuses.iter().map(|(status, times)| (status.to_string(), json!(times))).collect::<serde_json::Map<_, _>>().into()
}

fn figure(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

/// Numbers begin with a column and stand to the right.
fn table(header: &[&str], numbers_from: usize, rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(header.to_vec());
    table.add_rows(rows);
    for column in table.column_iter_mut().skip(numbers_from) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::measure::Round;
    use crate::load::scenario::{Scenario, Step};

    fn report() -> Report {
        let scenario = Scenario { name: "get by id", step: Step::Get, clients: 1, requests: 1 };
        let row = |target, p50_ms| Row {
            scenario,
            target,
            rounds: vec![Round { requests: 1, p50_ms, ..Round::default() }],
            refusal: None,
        };
        let refused = Row { rounds: Vec::new(), refusal: Some("not supported (status 501)".to_owned()), ..row(1, 0.0) };
        let subject = |name: &str| Subject { name: name.to_owned(), users: 10, members: 10, constraints: 0 };
        Report {
            subjects: vec![subject("a"), subject("b")],
            rounds: 1,
            rows: vec![row(0, 2.0), row(1, 5.0), refused],
            lived: Vec::new(),
            abused: Vec::new(),
            neighboured: Vec::new(),
        }
    }

    #[test]
    fn a_table_has_ratios_to_the_first_server_and_says_what_is_not_supported() {
        let text = report().text();
        let line = |start: &str| {
            let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
            text.lines().map(words).find(|line| line.starts_with(start)).unwrap_or_default()
        };
        assert!(line("get by id b 10 5.00").starts_with("get by id b 10 5.00 0.00 0 2.50 -"), "{text}");
        assert!(text.contains("not supported (status 501)"), "{text}");
    }

    #[test]
    fn json_has_every_row_and_no_figures_where_there_are_none() {
        let json = report().json();
        assert_eq!(json["scenarios"].as_array().map(Vec::len), Some(3));
        assert_eq!(json["scenarios"][1]["p50_ms"], 5.0);
        assert_eq!(json["scenarios"][2]["p50_ms"], Value::Null);
        assert_eq!(json["scenarios"][1]["cpu_ms"], Value::Null);
    }
}
