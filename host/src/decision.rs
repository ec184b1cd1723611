//! From verdicts to a decision. Pure.
//!
//! [`decide()`] is the only way to an [`AdmittedChange`], and the store commits nothing else: a write that nobody
//! decided on does not compile. Start at [`verdict`], then [`reads`], then [`decide()`], then [`record`]; [`recorded`] is the way back, [`hypotheses`] what
//! could have been otherwise, [`expected`] what a test
//! expects, [`masking`] what is left of it when nobody may be recognised.

pub mod actor;
pub mod decide;
pub mod expected;
pub mod hypotheses;
pub mod masking;
pub mod reads;
pub mod record;
pub mod recorded;
pub mod rewrite;
pub mod said;
pub mod verdict;
pub mod waiver;

pub use actor::{Actor, TenantId, Txn};
pub use decide::{AdmittedChange, KeptSecret, Refusal, RefusalKind, decide, unchanged};
pub use reads::{LookUp, LookUpAnswer, Read, ReadSet};
pub use record::{ConstraintName, DecisionId, DecisionRecord, Evaluation, Outcome};
pub use recorded::{RecordedDecision, RecordedEvaluation};
pub use rewrite::{Rewrite, Rewritten};
pub use verdict::{ConstraintFault, FailurePolicy, FaultKind, Hold, Mode, Reason, Verdict};
pub use waiver::{WaivedFor, Waiver, WaiverId};
