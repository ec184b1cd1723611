//! A write without its end: judged as any other, and neither committed nor recorded.

use std::sync::Arc;

use jiff::Timestamp;

use super::judge::Judgement;
use super::{Caller, NewIds, TRIES_MAX, WriteError, WriteRequest};
use crate::decision::DecisionRecord;
use crate::pipeline::Pipeline;
use crate::pipeline::moment::Moment;

impl Pipeline {
    /// What would be recorded of a request now; `None` if it asks for what is the case already, so that nothing is judged.
    pub async fn rehearse(
        &self,
        caller: &Caller,
        request: &WriteRequest,
        at: Timestamp,
        ids: NewIds,
    ) -> Result<Option<Arc<DecisionRecord>>, WriteError> {
        let place = self.sandbox.admit_write(caller.tenant)?;
        for _ in 0..TRIES_MAX {
            let moment = Moment::from(self.store.tenant(caller.tenant).snapshot().await?);
            return Ok(match self.judge(caller, &place, request, at, ids, moment).await? {
                Judgement::Moved(_) => continue,
                Judgement::Unchanged { .. } => None,
                Judgement::TakenBack { record, .. } => Some(Arc::from(record)),
                Judgement::Decided { decided: Ok(admitted), .. } => Some(Arc::clone(admitted.record())),
                Judgement::Decided { decided: Err(refusal), .. } => Some(Arc::clone(&refusal.record)),
            });
        }
        Err(WriteError::Contended)
    }
}
