//! What may be long, sent as it is read, so that memory holds a page of it and no more: groups with any number of members,
//! one or a list of them, and whatever else is written by [`body`]. Nobody takes longer for it than [`DEADLINE`].

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_core::Stream;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc;
use tracing::warn;

use crate::http::extract::BaseUrl;
use crate::http::respond::{wire, wire_reference};
use crate::pipeline::read::{Members, Representation};
use crate::scim::list::ListHead;
use crate::store::StoreError;

/// How long an answer may take. A snapshot is held meanwhile, of which a tenant has 16: a million members are some 150 MB,
/// which this is enough for at 10 Mbit/s. A client that takes its answer more slowly finds it cut off.
const DEADLINE: Duration = Duration::from_secs(120);

/// Bytes of a piece: some 400 members.
const PIECE_BYTES: usize = 64 << 10;

/// Pieces that are ready and not sent yet.
const READY_MAX: usize = 2;

/// An answer that ends before its end. The connection is broken off, so that the client sees that it is not whole; why is
/// in the log.
#[derive(Debug, thiserror::Error)]
#[error("the answer was broken off")]
struct Broken;

/// Why.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    #[error("what is shown could not be read")]
    Store(#[from] StoreError),
    #[error("what is shown was dropped meanwhile")]
    Dropped,
    #[error("the client took longer than {} seconds to take its answer", DEADLINE.as_secs())]
    TooSlow,
    #[error("the client has gone away")]
    Gone,
}

impl From<Gone> for Cause {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

enum Piece {
    Bytes(Bytes),
    End,
}

struct Pieces(Option<mpsc::Receiver<Piece>>);

impl Stream for Pieces {
    type Item = Result<Bytes, Broken>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(receiver) = &mut self.0 else { return Poll::Ready(None) };
        let piece = std::task::ready!(receiver.poll_recv(context));
        let item = match piece {
            Some(Piece::Bytes(bytes)) => return Poll::Ready(Some(Ok(bytes))),
            Some(Piece::End) => None,
            None => Some(Err(Broken)),
        };
        self.0 = None;
        Poll::Ready(item)
    }
}

/// The way of what is written to the client.
pub(super) struct Out {
    send: mpsc::Sender<Piece>,
    text: String,
}

/// The client has gone away, so that nothing need be read for it any more.
pub(super) struct Gone;

impl Out {
    pub(super) async fn write(&mut self, text: &str) -> Result<(), Gone> {
        self.text.push_str(text);
        if self.text.len() < PIECE_BYTES {
            return Ok(());
        }
        let text = std::mem::take(&mut self.text);
        self.send.send(Piece::Bytes(text.into())).await.map_err(|_| Gone)
    }

    /// Bytes that are no text, in pieces; nothing else is written then.
    pub(super) async fn write_bytes(&mut self, mut bytes: Bytes) -> Result<(), Gone> {
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE_BYTES));
            self.send.send(Piece::Bytes(piece)).await.map_err(|_| Gone)?;
        }
        Ok(())
    }

    pub(super) async fn end(self) -> Result<(), Gone> {
        self.send.send(Piece::Bytes(self.text.into())).await.map_err(|_| Gone)?;
        self.send.send(Piece::End).await.map_err(|_| Gone)
    }

    /// The resource without its members, then the first of them, then the rest, as they are read.
    async fn resource(&mut self, mut found: Representation, base: &BaseUrl) -> Result<(), Cause> {
        let members = found.members.take();
        let head = json(&wire(&found, base));
        let rows = found.resource.resource_type.row_attribute().map(|rows| rows.name.clone());
        let (Some(members), Some(rows)) = (members, rows) else { return Ok(self.write(&head).await?) };
        let open = head.strip_suffix('}').unwrap_or(&head);
        self.write(open).await?;
        let Members { first, mut rest, .. } = members;
        let (mut page, mut begun) = (first, false);
        loop {
            let values: Vec<Value> = page.iter().map(|member| wire_reference(member, base)).collect();
            // Of members that have nothing to show there is nothing in the list, and no list of nothing.
            for value in found.projection.values(&rows, &found.resource.resource_type, &values) {
                let before = match begun {
                    true => ",".to_owned(),
                    false if open.len() > 1 => format!(",{}:[", Value::from(rows.as_str())),
                    false => format!("{}:[", Value::from(rows.as_str())),
                };
                begun = true;
                self.write(&before).await?;
                self.write(&json(&value)).await?;
            }
            page = match &mut rest {
                Some(rest) => rest.next().await?,
                None => Vec::new(),
            };
            if page.is_empty() {
                return Ok(self.write(if begun { "]}" } else { "}" }).await?);
            }
        }
    }
}

/// What has texts for keys always comes out.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// One resource.
pub fn resource(found: Representation, base: &BaseUrl) -> Body {
    let base = base.clone();
    body(|mut out| async move {
        out.resource(found, &base).await?;
        Ok(out.end().await?)
    })
}

/// A list: the message without `Resources`, then each of them.
pub fn list(head: &ListHead, resources: Vec<Representation>, base: &BaseUrl) -> Body {
    let (head, base) = (json(head), base.clone());
    body(|mut out| async move {
        out.write(head.strip_suffix('}').unwrap_or(&head)).await?;
        let mut before = ",\"Resources\":[";
        for found in resources {
            out.write(before).await?;
            out.resource(found, &base).await?;
            before = ",";
        }
        out.write("]}").await?;
        Ok(out.end().await?)
    })
}

/// A body that is written as it is sent.
pub(super) fn body<W>(write: impl FnOnce(Out) -> W) -> Body
where
    W: Future<Output = Result<(), Cause>> + Send + 'static,
{
    let (send, pieces) = mpsc::channel(READY_MAX);
    let writing = write(Out { send, text: String::new() });
    tokio::spawn(async move {
        let ended = tokio::time::timeout(DEADLINE, writing).await.unwrap_or(Err(Cause::TooSlow));
        if let Err(cause @ (Cause::Store(_) | Cause::Dropped | Cause::TooSlow)) = ended {
            warn!(error = &cause as &dyn std::error::Error, "an answer was broken off");
        }
    });
    Body::from_stream(Pieces(Some(pieces)))
}
