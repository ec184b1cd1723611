//! `--wait`: until a change is active on every node.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use crate::cli::Failure;
use crate::cli::client::Client;
use crate::cli::output::Output;

/// Time between two questions.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(super) struct Wait {
    /// Wait until it is active on every node that lives: each has the code at hand, and no write waits for it. For 30 seconds at
    /// the most, if none are given; exit code 1 if that is not enough.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "30")]
    wait: Option<u64>,
}

impl Wait {
    /// Tells what was done, and then, if that is wanted, waits.
    pub(super) async fn tell(
        &self,
        client: &Client,
        output: &Output,
        tenant: &str,
        (mut done, told): (Value, String),
    ) -> Result<(), Failure> {
        let Some(seconds) = self.wait else { return output.line(&done, told) };
        // Programs that read JSON are told once.
        if !output.is_json() {
            output.line(&done, told)?;
        }
        let began = Instant::now();
        let last = until_active(client, tenant, began + Duration::from_secs(seconds)).await?;
        if output.is_json() {
            if let Some(done) = done.as_object_mut() {
                done.insert("active".to_owned(), last.clone());
            }
            output.line(&done, String::new())?;
        }
        let waited = began.elapsed();
        let waited = format!("{}.{:03} s", waited.as_secs(), waited.subsec_millis());
        if !is_everywhere(&last) {
            return Err(Failure::Unexpected(format!(
                "after {waited} it is active {}. It is in force on all of them: where it is not active, the next write waits \
                 until the code is there",
                active(&last)
            )));
        }
        if output.is_json() {
            return Ok(());
        }
        output.line(&done, format!("active {}, {waited} later", active(&last)))
    }
}

/// Asks until it is active everywhere or cannot be for now, or the time is over; the last answer. A server that is away may be
/// back in time.
async fn until_active(client: &Client, tenant: &str, until: Instant) -> Result<Value, Failure> {
    loop {
        let is_over = Instant::now() >= until;
        match client.get(&["tenants", tenant, "constraints"]).await {
            Ok(found) => {
                let last = found.get("active").cloned().unwrap_or_default();
                if is_over || is_settled(&last) {
                    return Ok(last);
                }
            }
            Err(failure @ Failure::Server(_)) if is_over => return Err(failure),
            Err(Failure::Server(_)) => {}
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(ASK_AGAIN_AFTER).await;
    }
}

fn count(active: &Value, name: &str) -> u64 {
    active.get(name).and_then(Value::as_u64).unwrap_or_default()
}

fn is_everywhere(active: &Value) -> bool {
    active.is_object() && count(active, "nodes") >= count(active, "of")
}

/// Whether every node has said whether it is ready. One that is not tries again only after half a minute.
fn is_settled(active: &Value) -> bool {
    active.is_object() && count(active, "nodes").saturating_add(count(active, "failed")) >= count(active, "of")
}

/// `on 2 of 3 nodes (1 cannot have the code of a constraint; its log says why)`.
pub(super) fn active(active: &Value) -> String {
    let [nodes, of, failed] = ["nodes", "of", "failed"].map(|name| count(active, name));
    let of = format!("on {nodes} of {of} node{}", if of == 1 { "" } else { "s" });
    match failed {
        0 => of,
        _ => format!("{of} ({failed} cannot have the code of a constraint, and the log there says why)"),
    }
}
