//! [`Questions`]: what many want to know at the same time, asked once for all of them.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::generations::GenerationOf;
use super::glimpses::{GlimpseOf, Glimpsed};
use super::server::Server;
use super::session::{PLANS, Session};
use crate::decision::TenantId;
use crate::store::StoreError;
use crate::store::sql::driver::{Error, for_another};

/// Those that are answered together at most. They are as many as requests that are under way.
const TOGETHER_MAX: usize = 256;

/// A look at one moment. In a SERIALIZABLE transaction it would be in the way of those who change what is looked at.
const READ_ONLY: &str = "SET default_transaction_isolation = 'repeatable read'; SET default_transaction_read_only = on";

/// The questions that are asked so, each kind in a session of its own.
pub(in crate::store::sql) struct AskedTogether {
    generations: Questions<GenerationOf>,
    glimpses: Questions<GlimpseOf>,
}

impl AskedTogether {
    pub(in crate::store::sql) fn new(server: &Arc<Server>) -> Self {
        Self { generations: Questions::new(Arc::clone(server)), glimpses: Questions::new(Arc::clone(server)) }
    }

    /// Which generation a tenant is of after this was asked; `None` if there is no such tenant, or it is being deleted.
    pub(in crate::store::sql) async fn generation(&self, tenant: TenantId) -> Result<Option<i64>, StoreError> {
        self.generations.ask(GenerationOf(tenant)).await
    }

    /// What there is of a resource and those who are named along with it, at a moment after this was asked.
    pub(in crate::store::sql) async fn glimpse(&self, of: GlimpseOf) -> Result<Glimpsed, StoreError> {
        self.glimpses.ask(of).await
    }
}

/// What is asked, of which several can be answered by one statement.
pub(super) trait Question: Send + Sync + Sized + 'static {
    /// What it comes to.
    type Answer: Send + 'static;

    /// Answers all of these, in their order.
    fn ask_all(session: &Session, these: &[Self])
    -> impl Future<Output = Result<Vec<Self::Answer>, StoreError>> + Send;
}

/// Who may ask. The session for it lives as long.
struct Questions<Q: Question>(UnboundedSender<Asked<Q>>);

struct Asked<Q: Question> {
    question: Q,
    reply: oneshot::Sender<Result<Q::Answer, StoreError>>,
}

impl<Q: Question> Questions<Q> {
    fn new(server: Arc<Server>) -> Self {
        let (sender, asked) = unbounded_channel();
        let runtime = server.runtime().clone();
        runtime.spawn(answer(server, asked));
        Self(sender)
    }

    /// What a question comes to at a moment after it was asked.
    async fn ask(&self, question: Q) -> Result<Q::Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Asked { question, reply }).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

/// Answers as long as somebody may ask. Who asks while a question is under way is answered by the next: that one may have been
/// answered before.
async fn answer<Q: Question>(server: Arc<Server>, mut asked: UnboundedReceiver<Asked<Q>>) {
    let (mut session, mut these) = (None, Vec::new());
    while asked.recv_many(&mut these, TOGETHER_MAX).await > 0 {
        let (questions, replies): (Vec<Q>, Vec<_>) =
            these.drain(..).map(|Asked { question, reply }| (question, reply)).unzip();
        let answers: Vec<Result<Q::Answer, StoreError>> = match ask(&server, &mut session, &questions).await {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            Err(error) => {
                let error = Arc::new(error);
                replies.iter().map(|_| Err(for_another(&error))).collect()
            }
        };
        for (reply, answer) in replies.into_iter().zip(answers) {
            // Who has gone away needs none.
            drop(reply.send(answer));
        }
    }
}

async fn ask<Q: Question>(
    server: &Server,
    session: &mut Option<Session>,
    questions: &[Q],
) -> Result<Vec<Q::Answer>, StoreError> {
    if session.as_ref().is_none_or(|session| session.is_closed() || session.is_silent()) {
        let new = server.connect_async().await?;
        new.client().batch_execute(READ_ONLY).await.map_err(Error::from)?;
        new.client().batch_execute(PLANS).await.map_err(Error::from)?;
        *session = Some(new);
    }
    let session = session.as_ref().ok_or(StoreError::Closed)?;
    Q::ask_all(session, questions).await
}
