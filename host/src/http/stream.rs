//! A group with any number of members, sent as it is read: memory holds a page of them and no more.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_core::Stream;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc;
use tracing::warn;

use crate::http::extract::BaseUrl;
use crate::http::respond::wire_reference;
use crate::pipeline::read::{Representation, Rest};
use crate::scim::projection::Projection;
use crate::scim::schema::ResourceType;
use crate::store::{Reference, StoreError};

/// How long an answer may take. A snapshot is held meanwhile, of which a tenant has 16: a million members are some 150 MB,
/// which this is enough for at 10 Mbit/s. A client that takes its answer more slowly finds it cut off.
const DEADLINE: Duration = Duration::from_secs(120);

/// Pieces that are ready and not sent yet.
const READY_MAX: usize = 2;

/// An answer that ends before its end. The connection is broken off, so that the client sees that it is not whole; why is
/// in the log.
#[derive(Debug, thiserror::Error)]
#[error("the answer was broken off")]
struct Broken;

/// Why.
#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("the members could not be read")]
    Store(#[from] StoreError),
    #[error("the client took longer than {} seconds to take its answer", DEADLINE.as_secs())]
    TooSlow,
}

enum Piece {
    Text(String),
    End,
}

struct Pieces(Option<mpsc::Receiver<Piece>>);

impl Stream for Pieces {
    type Item = Result<Bytes, Broken>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(receiver) = &mut self.0 else { return Poll::Ready(None) };
        let piece = std::task::ready!(receiver.poll_recv(context));
        let item = match piece {
            Some(Piece::Text(text)) => return Poll::Ready(Some(Ok(text.into()))),
            Some(Piece::End) => None,
            None => Some(Err(Broken)),
        };
        self.0 = None;
        Poll::Ready(item)
    }
}

/// How the members are shown.
struct Shape {
    base: BaseUrl,
    projection: Projection,
    resource_type: Arc<ResourceType>,
    attribute: String,
}

impl Shape {
    /// Members as they stand in the list, with commas between them.
    fn write(&self, members: &[Reference]) -> String {
        let values: Vec<Value> = members.iter().map(|member| wire_reference(member, &self.base)).collect();
        let shown = self.projection.values(&self.attribute, &self.resource_type, &values);
        shown.map(|value| json(&value)).collect::<Vec<_>>().join(",")
    }
}

/// What has texts for keys always comes out.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The body: the resource without its members, then the first of them, then the rest.
pub fn members(
    head: &impl Serialize,
    group: &Representation,
    first: Vec<Reference>,
    mut rest: Rest,
    base: &BaseUrl,
) -> Body {
    let resource_type = Arc::clone(&group.resource.resource_type);
    let attribute = resource_type.row_attribute().map_or_else(String::new, |rows| rows.name.clone());
    let shape = Shape { base: BaseUrl(base.0.clone()), projection: group.projection.clone(), resource_type, attribute };
    let head = json(head);
    let (send, pieces) = mpsc::channel(READY_MAX);
    tokio::spawn(async move {
        let reading = async {
            let open = head.strip_suffix('}').unwrap_or(&head);
            let list = shape.write(&first);
            let mut text = format!("{open},{}:[{list}", Value::from(shape.attribute.as_str()));
            // Of members that have nothing to show there is nothing in the list, nor a comma before it.
            let mut begun = !list.is_empty();
            drop((first, list));
            // It fails when the client has gone away.
            while send.send(Piece::Text(text)).await.is_ok() {
                let page = rest.next().await?;
                if page.is_empty() {
                    let _ = send.send(Piece::Text("]}".to_owned())).await;
                    let _ = send.send(Piece::End).await;
                    break;
                }
                let shown = shape.write(&page);
                let comma = if begun && !shown.is_empty() { "," } else { "" };
                begun |= !shown.is_empty();
                text = format!("{comma}{shown}");
            }
            Ok(())
        };
        let ended = tokio::time::timeout(DEADLINE, reading).await.unwrap_or(Err(Cause::TooSlow));
        if let Err(cause) = ended {
            warn!(error = &cause as &dyn std::error::Error, "an answer was broken off");
        }
    });
    Body::from_stream(Pieces(Some(pieces)))
}
