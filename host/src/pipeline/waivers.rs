//! A tenant's waivers: made, taken back, counted; and those in force, ready to be asked in
//! [`decide`](crate::decision::decide()). Making one and taking one back raises the generation, so that nothing commits that
//! was decided without it, or with it. That one has ended needs none: the time of the request is part of the decision.

use jiff::{Span, Timestamp};
use thiserror::Error;
use tracing::{error, info};

use crate::decision::{ConstraintName, TenantId, WaivedFor, Waiver, WaiverId};
use crate::pipeline::Pipeline;
use crate::scim::filter::Filter;
use crate::scim::resource::ResourceId;
use crate::scim::schema::{Returned, SchemaRegistry, Storage};
use crate::store::{NewWaiver, StoreError, StoredWaiver, WaiverTarget};

/// Waivers of a tenant in force at the most. Each is compared with every write of the tenant, which takes some 50 ns for a
/// resource and 2 µs for a filter: 0.2 ms.
const WAIVERS_MAX: usize = 100;

/// Days that a waiver may last. A year and a day: what is waived for longer is no exception, and the settings of the
/// constraint are the place for it.
const DAYS_MAX: i64 = 366;

/// Characters of a ticket: an address of one, or its number and a few words.
const TICKET_CHARS_MAX: usize = 200;

/// Bytes of the code of a reason, as a constraint may give one.
const CODE_BYTES_MAX: usize = 64;

/// Waivers of the past that are shown, beside those in force.
pub const SHOWN_MAX: usize = 1_000;

/// For whom a reason is not to count, as it is asked for.
#[derive(Clone, Debug)]
pub enum WaiverFor {
    /// One resource, which must be there.
    Resource(ResourceId),
    /// Those that match.
    Matching {
        /// Resource type.
        resource_type: String,
        /// The filter.
        filter: String,
    },
}

/// A waiver that is asked for.
#[derive(Clone, Debug)]
pub struct WaiverRequest {
    /// The constraint.
    pub constraint: ConstraintName,
    /// The code of the reason.
    pub code: String,
    /// For whom.
    pub waived_for: WaiverFor,
    /// From then on it counts again.
    pub until: Timestamp,
    /// Where it was agreed upon.
    pub ticket: String,
}

/// A waiver was not made.
#[derive(Debug, Error)]
pub enum WaiverError {
    /// What was asked for makes no sense.
    #[error("{message}")]
    Invalid {
        /// The member that is wrong.
        member: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// There are as many as there may be.
    #[error("the tenant has {WAIVERS_MAX} waivers in force already, as many as it may have")]
    TooMany,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn invalid(member: &'static str, message: impl Into<String>) -> WaiverError {
    WaiverError::Invalid { member, message: message.into() }
}

impl Pipeline {
    /// Makes a waiver, which is in force from now on.
    pub async fn waive(&self, tenant: TenantId, request: WaiverRequest, by: &str) -> Result<StoredWaiver, WaiverError> {
        let store = self.store.tenant(tenant);
        let at = self.clock.now();
        let (model, activations, waivers) = store.in_force(at).await?;
        if !activations.iter().any(|activation| activation.name == request.constraint) {
            return Err(invalid("constraint", format!("there is no constraint `{}`", request.constraint)));
        }
        check_words(&request)?;
        check_end(request.until, at)?;
        if waivers.len() >= WAIVERS_MAX {
            return Err(WaiverError::TooMany);
        }
        let target = match request.waived_for {
            WaiverFor::Resource(id) => {
                if store.snapshot().await?.identify(&[id]).await?.is_empty() {
                    return Err(invalid("resource", format!("there is no resource `{id}`")));
                }
                WaiverTarget::Resource(id)
            }
            WaiverFor::Matching { resource_type, filter } => {
                let filter = filter_of(&resource_type, &filter, &model.schemas)?.to_string();
                WaiverTarget::Matching { resource_type, filter }
            }
        };
        let waiver = NewWaiver {
            id: WaiverId(self.clock.new_id(at)),
            constraint: request.constraint,
            code: request.code,
            target,
            until: request.until,
            ticket: request.ticket,
            by: by.to_owned(),
            at,
        };
        let made = store.add_waiver(waiver).await?;
        info!(tenant.id = tenant.0, waiver.id = %made.made.id, by, "a reason is waived");
        Ok(made)
    }

    /// Takes a waiver back; `None` if there is none of that id in force or ended, or it was taken back before.
    pub async fn revoke_waiver(
        &self,
        tenant: TenantId,
        id: WaiverId,
        by: &str,
    ) -> Result<Option<StoredWaiver>, StoreError> {
        let revoked = self.store.tenant(tenant).revoke_waiver(id, (by, self.clock.now())).await?;
        if revoked.is_some() {
            info!(tenant.id = tenant.0, waiver.id = %id, by, "a waiver was taken back");
        }
        Ok(revoked)
    }
}

fn check_words(WaiverRequest { code, ticket, .. }: &WaiverRequest) -> Result<(), WaiverError> {
    let known = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
    if code.is_empty() || code.len() > CODE_BYTES_MAX || !code.bytes().all(known) {
        let message = format!(
            "a code is made of 1 to {CODE_BYTES_MAX} lower-case letters, digits, `-`, `_`, `.`, as a constraint gives it"
        );
        return Err(invalid("code", message));
    }
    let length = ticket.chars().count();
    if ticket.trim().is_empty() || length > TICKET_CHARS_MAX || ticket.chars().any(char::is_control) {
        let message = format!("a ticket has 1 to {TICKET_CHARS_MAX} printable characters, this one {length}");
        return Err(invalid("ticket", message));
    }
    Ok(())
}

fn check_end(until: Timestamp, now: Timestamp) -> Result<(), WaiverError> {
    if until <= now {
        return Err(invalid("until", format!("`{until}` has passed")));
    }
    // Of a day that is so far away that it cannot be reckoned with, too.
    let last = now.checked_add(Span::new().hours(DAYS_MAX * 24)).unwrap_or(Timestamp::MAX);
    if until > last {
        return Err(invalid("until", format!("`{until}` is more than {DAYS_MAX} days away")));
    }
    Ok(())
}

/// A filter of what is part of a resource itself: members and groups are not at hand where it is matched.
fn filter_of(resource_type: &str, filter: &str, schemas: &SchemaRegistry) -> Result<Filter, WaiverError> {
    let known = schemas.resource_type(resource_type);
    let known =
        known.ok_or_else(|| invalid("resource_type", format!("there is no resource type `{resource_type}`")))?;
    let filter = Filter::parse(filter, known).map_err(|error| invalid("filter", error.to_string()))?;
    let compared = filter.attributes();
    if let Some(apart) = compared.iter().find(|attribute| attribute.storage() != Storage::Inline) {
        return Err(invalid(
            "filter",
            format!("`{apart}` cannot be compared by a waiver: it is kept apart from the resource"),
        ));
    }
    if let Some(secret) = compared.iter().find(|attribute| attribute.leaf().returned == Returned::Never) {
        return Err(invalid("filter", format!("`{secret}` cannot be compared: it is a secret")));
    }
    Ok(filter)
}

/// Waivers as a decision needs them. One whose filter makes no sense any more waives nothing, and is told in the log.
pub(super) fn ready(tenant: TenantId, waivers: Vec<StoredWaiver>, schemas: &SchemaRegistry) -> Vec<Waiver> {
    let ready = waivers.into_iter().filter_map(|StoredWaiver { made, .. }| {
        let NewWaiver { id, constraint, code, target, until, .. } = made;
        let waived_for = match target {
            WaiverTarget::Resource(id) => WaivedFor::Resource(id),
            WaiverTarget::Matching { resource_type, filter } => match filter_of(&resource_type, &filter, schemas) {
                Ok(filter) => WaivedFor::Matching { resource_type, filter },
                Err(problem) => {
                    error!(tenant.id = tenant.0, waiver.id = %id, %problem, "a waiver waives nothing");
                    return None;
                }
            },
        };
        Some(Waiver { id, constraint, code, waived_for, until })
    });
    ready.collect()
}
