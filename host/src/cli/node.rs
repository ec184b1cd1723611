//! `scruple node`.

use clap::Subcommand;
use serde_json::Value;

use crate::cli::Failure;
use crate::cli::client::Client;
use crate::cli::output::{Output, items, text};

#[derive(Debug, Subcommand)]
pub(super) enum Node {
    /// List the servers that work with the database, with how far their clocks are ahead of its.
    List,
}

impl Node {
    pub(super) async fn run(&self, client: &Client, output: &Output) -> Result<(), Failure> {
        match self {
            Self::List => {
                let found = client.get(&["nodes"]).await?;
                let rows = items(&found, "nodes").iter().map(row).collect();
                output.table(&found, &["host", "listens on", "version", "started", "seen", "clock", "id"], rows)
            }
        }
    }
}

fn row(node: &Value) -> Vec<String> {
    let mut row: Vec<String> =
        ["host", "listen", "version", "started_at", "seen_at"].map(|name| text(node, name)).into();
    row.push(clock(node.get("clock_ahead_ms").and_then(Value::as_i64).unwrap_or(0)));
    row.push(text(node, "id"));
    row
}

fn clock(ahead_ms: i64) -> String {
    let apart = ahead_ms.unsigned_abs();
    match ahead_ms {
        // Less than the network takes, maybe.
        -100..=100 => "agrees".to_owned(),
        101.. => format!("{apart} ms ahead"),
        _ => format!("{apart} ms behind"),
    }
}
