//! The nodes that work with the database, for the operator.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::problem::Problem;
use crate::store::{Active, LiveNode};

/// A node that was seen in the last seconds.
#[derive(Debug, Serialize, ToSchema)]
pub struct NodeBody {
    /// Its id, the same after a restart: that of its data folder.
    pub id: String,
    /// The name of its machine.
    pub host: String,
    /// The address that it listens on.
    #[schema(example = "10.0.0.5:8080")]
    pub listen: String,
    /// The version of its program.
    pub version: String,
    /// When it was started (RFC 3339, by the database's clock).
    pub started_at: String,
    /// When it said last that it is there (RFC 3339, by the database's clock); it does so each second.
    pub seen_at: String,
    /// By how many milliseconds its clock is ahead of the database's; less than 0 if it is behind.
    pub clock_ahead_ms: i64,
    /// Whether it is the one that has answered.
    pub answers: bool,
}

/// The nodes that live.
#[derive(Debug, Serialize, ToSchema)]
pub struct NodesBody {
    /// The oldest first.
    pub nodes: Vec<NodeBody>,
}

/// On how many nodes the present generation of the tenant is active: they know it, and have the code of its constraints at hand. It is
/// in force on all of them either way; where it is not active yet, the next write waits until the code is compiled.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActiveBody {
    /// On so many.
    pub nodes: u32,
    /// Of so many that live.
    pub of: u32,
    /// On so many the code of a constraint could not be had, which is a fault of that constraint; their logs say why.
    pub failed: u32,
}

impl From<Active> for ActiveBody {
    fn from(Active { nodes, of, failed }: Active) -> Self {
        Self { nodes, of, failed }
    }
}

/// Lists the nodes that work with the database. One that ends is gone at once, one that dies after five seconds.
#[utoipa::path(get, path = "/api/v1/nodes", tag = "nodes", responses((status = 200, body = NodesBody)))]
pub async fn list(State(app): State<Arc<App>>) -> Result<Json<NodesBody>, Problem> {
    let shown = |LiveNode { node, started_at, seen_at, clock_ahead }| NodeBody {
        answers: node.id == app.node,
        id: node.id.to_string(),
        host: node.host,
        listen: node.listen,
        version: node.version,
        started_at: started_at.to_string(),
        seen_at: seen_at.to_string(),
        clock_ahead_ms: i64::try_from(clock_ahead.as_millis()).unwrap_or(i64::MAX),
    };
    Ok(Json(NodesBody { nodes: app.store.nodes().await?.into_iter().map(shown).collect() }))
}
