//! Requests that are answered before they are carried out (RFC 9967 §2.5.1). What a request and its outcome look like is
//! for those who make them; here they are texts.

use jiff::Timestamp;

use crate::decision::Txn;

/// A request to be kept until it is finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAsyncRequest {
    /// Its client knows it by this.
    pub txn: Txn,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// All that it takes to carry it out.
    pub request: String,
}

/// A request that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsyncRequest {
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// How far it is.
    pub progress: Progress,
}

/// How far an accepted request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is waiting, being carried out, or was cut off by a stop of the server.
    Unfinished {
        /// All that it takes to carry it out.
        request: String,
    },
    /// It is over.
    Finished {
        /// When.
        at: Timestamp,
        /// What came of it.
        outcome: String,
    },
}

/// What came of a request, and which older outcomes need not be kept any longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// The request.
    pub txn: Txn,
    /// When it was finished.
    pub at: Timestamp,
    /// What came of it.
    pub outcome: String,
    /// The most outcomes of the tenant, this one included; the oldest go.
    pub kept_max: usize,
    /// Outcomes from before this time go.
    pub kept_since: Timestamp,
}
