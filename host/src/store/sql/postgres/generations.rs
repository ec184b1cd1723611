//! [`Generations`]: which generation tenants are of, asked once for all who want to know at the same time. Every write begins with
//! that question, and to ask it in a transaction of its own takes the server as long as a third of a write.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::server::Server;
use super::session::Session;
use crate::decision::TenantId;
use crate::store::StoreError;
use crate::store::sql::driver::{Error, for_another};

/// Those that are answered together at most. They are as many as requests that are under way.
const TOGETHER_MAX: usize = 256;

/// A look at one row for each tenant. In a SERIALIZABLE transaction it would be in the way of those who change it.
const READ_COMMITTED: &str = "SET default_transaction_isolation = 'read committed'";

const ASK: &str = "SELECT tenant_id, generation FROM tenant WHERE tenant_id = ANY($1::bigint[]) AND name IS NOT NULL";

/// Who may ask. The session for it lives as long.
pub(in crate::store::sql) struct Generations(UnboundedSender<Asked>);

struct Asked {
    tenant: TenantId,
    reply: oneshot::Sender<Result<Option<i64>, StoreError>>,
}

impl Generations {
    pub(in crate::store::sql) fn new(server: Arc<Server>) -> Self {
        let (sender, asked) = unbounded_channel();
        let runtime = server.runtime().clone();
        runtime.spawn(answer(server, asked));
        Self(sender)
    }

    /// Which one a tenant is of after this was asked; `None` if there is no such tenant, or it is being deleted.
    pub(in crate::store::sql) async fn of(&self, tenant: TenantId) -> Result<Option<i64>, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Asked { tenant, reply }).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

/// Answers as long as somebody may ask. Who asks while a question is under way is answered by the next: that one may have been
/// answered before.
async fn answer(server: Arc<Server>, mut asked: UnboundedReceiver<Asked>) {
    let (mut session, mut these) = (None, Vec::new());
    while asked.recv_many(&mut these, TOGETHER_MAX).await > 0 {
        let mut tenants: Vec<i64> = these.iter().map(|asked| asked.tenant.0).collect();
        tenants.sort_unstable();
        tenants.dedup();
        let found = ask(&server, &mut session, &tenants).await.map_err(Arc::new);
        for Asked { tenant, reply } in these.drain(..) {
            let answer = match &found {
                Ok(found) => Ok(found.iter().find(|(of, _)| *of == tenant.0).map(|(_, generation)| *generation)),
                Err(error) => Err(for_another(error)),
            };
            // Who has gone away needs none.
            drop(reply.send(answer));
        }
    }
}

async fn ask(
    server: &Server,
    session: &mut Option<Session>,
    tenants: &Vec<i64>,
) -> Result<Vec<(i64, i64)>, StoreError> {
    if session.as_ref().is_none_or(|session| session.is_closed() || session.is_silent()) {
        let new = server.connect_async().await?;
        new.client().batch_execute(READ_COMMITTED).await.map_err(Error::from)?;
        *session = Some(new);
    }
    let session = session.as_ref().ok_or(StoreError::Closed)?;
    let mut found = Vec::with_capacity(tenants.len());
    for row in session.query_raw(ASK, &[tenants]).await? {
        found.push((row.try_get(0).map_err(Error::from)?, row.try_get(1).map_err(Error::from)?));
    }
    Ok(found)
}
