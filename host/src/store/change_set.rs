//! Changes to several constraints, tables and waivers of a tenant that take effect as one.

use jiff::Timestamp;
use thiserror::Error;

use crate::decision::{ConstraintName, WaiverId};
use crate::store::{ActivationState, NewWaiver, StoreError, TableChangeError, Unsigned};

/// What is to become of a tenant's constraints, tables and waivers in one step. What it does not name stays as it is.
#[derive(Clone, Debug)]
pub struct ChangeSet {
    /// The generation that it was made for.
    pub generation: i64,
    /// Constraints and the states that they are to have; `None`: the constraint is removed.
    pub constraints: Vec<(ConstraintName, Option<ActivationState>)>,
    /// Tables and the digests of the contents that they are to have, which the store has already: of a revision that is kept,
    /// or staged. `None`: the table is removed.
    pub tables: Vec<(String, Option<String>)>,
    /// Waivers to be.
    pub waivers: Vec<NewWaiver>,
    /// Waivers that are taken back.
    pub revoked: Vec<WaiverId>,
    /// Who wants it so: the token's label.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl ChangeSet {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.constraints.is_empty() && self.tables.is_empty() && self.waivers.is_empty() && self.revoked.is_empty()
    }
}

/// Changes that did not take effect. None of them did.
#[derive(Debug, Error)]
pub enum ChangeSetError {
    /// The tenant's generation is not the one that they were made for any more.
    #[error("the tenant has changed meanwhile")]
    GenerationMoved,
    /// The tenant wants the component of a constraint signed.
    #[error("constraint `{name}`: {unsigned}")]
    Unsigned {
        /// The constraint.
        name: ConstraintName,
        /// What its component lacks.
        unsigned: Unsigned,
    },
    /// A table cannot be as it should.
    #[error(transparent)]
    Table(#[from] TableChangeError),
    /// A waiver cannot be taken back.
    #[error("there is no waiver `{0}` that was not taken back before")]
    UnknownWaiver(WaiverId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
