//! `scruple migrate`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::causes::with_causes;
use crate::cli::Failure;
use crate::cli::output::Output;
use crate::moving::{self, MigrateError, MoveError, MovePhase, MoveProgress, MoveState, MovedTable, StoreError};

#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// What is moved: `sqlite:` and the data folder of a server, which must be stopped.
    #[arg(long, value_name = "sqlite:DIR")]
    from: String,
    /// Where it goes: the address of an empty PostgreSQL database, or of one that it was partly moved to. Better given by the
    /// environment than here, where others can read the password.
    #[arg(
        long,
        env = "SCRUPLE_DATABASE",
        hide_env_values = true,
        value_name = "postgres://…",
        required_unless_present = "give_up"
    )]
    to: Option<String>,
    /// File with the certificates (PEM) that the database server's is checked against, instead of those that the system trusts.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Move nothing: have what is in the folder served from there again, whatever has been moved of it.
    #[arg(long)]
    give_up: bool,
}

impl Migrate {
    pub(super) fn run(&self, output: &Output) -> Result<(), Failure> {
        let data = self.from.strip_prefix("sqlite:").filter(|folder| !folder.is_empty()).map(Path::new);
        let data = data.ok_or_else(|| {
            Failure::Usage(format!(
                "`--from {}`: name the data folder of a server, as `sqlite:scruple-data`",
                self.from
            ))
        })?;
        if self.give_up {
            return given_up(data, moving::give_up(data).map_err(failure)?, output);
        }
        let to = self.to.as_deref().unwrap_or_default();
        if !to.starts_with("postgres://") && !to.starts_with("postgresql://") {
            return Err(Failure::Usage(
                "`--to`: name a database of PostgreSQL, as `postgres://user:password@host/database?sslmode=require`"
                    .to_owned(),
            ));
        }
        let begun = Instant::now();
        let shown = Shown::new(output);
        let moved = moving::migrate(data, to, self.ca.as_deref(), &mut |progress| shown.show(progress));
        shown.end();
        match moved.map_err(failure)? {
            Some(tables) => report(data, &tables, begun.elapsed().as_secs_f64(), output),
            None => output.line(
                &json!({ "state": "moved", "before": true }),
                format!(
                    "everything had been moved already; serve it with `--data {}` and `--database`",
                    data.display()
                ),
            ),
        }
    }
}

fn given_up(data: &Path, state: MoveState, output: &Output) -> Result<(), Failure> {
    let data = data.display();
    let (word, text) = match state {
        MoveState::None => ("none", format!("`{data}` was not being moved; it is served from there")),
        MoveState::Begun => {
            ("begun", format!("`{data}` is served from there again; drop the database that has half of it"))
        }
        MoveState::Done => (
            "moved",
            format!(
                "`{data}` is served from there again; what was written in PostgreSQL since it was moved is not in it"
            ),
        ),
    };
    output.line(&json!({ "state": "given-up", "before": word }), text)
}

fn report(data: &Path, tables: &[MovedTable], seconds: f64, output: &Output) -> Result<(), Failure> {
    let rows: u64 = tables.iter().map(|table| table.rows).sum();
    if output.is_json() {
        let tables: Vec<_> = tables
            .iter()
            .map(|table| json!({ "table": table.name, "rows": table.rows, "digest": table.digest }))
            .collect();
        return output.json_line(
            &json!({ "state": "moved", "before": false, "rows": rows, "seconds": seconds, "tables": tables }),
        );
    }
    let shown = tables
        .iter()
        .map(|table| vec![table.name.clone(), table.rows.to_string(), table.digest.chars().take(16).collect()])
        .collect();
    output.table(&json!({}), &["table", "rows", "digest, the same on both sides"], shown)?;
    output.line(
        &json!({}),
        format!(
            "moved {rows} rows in {seconds:.1} s; serve them with `--data {}` and `--database`. The file there is not served any more",
            data.display()
        ),
    )
}

/// How far it is: a bar on a terminal, lines of JSON for programs.
struct Shown<'o> {
    output: &'o Output,
    bar: ProgressBar,
}

impl<'o> Shown<'o> {
    fn new(output: &'o Output) -> Self {
        let bar = if output.is_json() { ProgressBar::hidden() } else { ProgressBar::no_length() };
        if let Ok(style) = ProgressStyle::with_template("{msg:40} {wide_bar} {human_pos}/{human_len} rows ({elapsed})")
        {
            bar.set_style(style);
        }
        Self { output, bar }
    }

    fn show(&self, progress: MoveProgress<'_>) {
        let MoveProgress { phase, table, rows, of } = progress;
        let state = match phase {
            MovePhase::Copy => "copying",
            MovePhase::Compare => "comparing",
        };
        self.bar.set_length(of);
        self.bar.set_position(rows);
        self.bar.set_message(format!("{state} {table}"));
        if self.output.is_json() {
            let line = json!({ "state": state, "table": table, "rows": rows, "of": of });
            // It goes on though nobody listens any more: half a move is no end.
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        }
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}

fn failure(error: MigrateError) -> Failure {
    let text = with_causes(&error);
    match error {
        MigrateError::Move(MoveError::Differs { .. }) => Failure::Unexpected(text),
        MigrateError::Move(
            MoveError::NoSource { .. }
            | MoveError::Done
            | MoveError::Store(StoreError::Address(_) | StoreError::Path { .. }),
        ) => Failure::Usage(text),
        MigrateError::Move(
            MoveError::NotEmpty
            | MoveError::OtherMove
            | MoveError::Store(StoreError::Unreachable(_) | StoreError::OtherKeys),
        ) => Failure::Server(text),
        MigrateError::Move(MoveError::Store(_)) | MigrateError::Folder(_) | MigrateError::Secrets(_) => {
            Failure::Local(text)
        }
    }
}
