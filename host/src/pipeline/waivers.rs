//! A tenant's waivers: made, taken back, counted; and those in force, ready to be asked in
//! [`decide`](crate::decision::decide()). Making one and taking one back raises the generation, so that nothing commits that
//! was decided without it, or with it. That one has ended needs none: the time of the request is part of the decision.

use jiff::{Span, Timestamp};
use thiserror::Error;
use tracing::{error, info};

use crate::decision::{ConstraintName, Reason, TenantId, WaivedFor, Waiver, WaiverId};
use crate::pipeline::Pipeline;
use crate::scim::filter::Filter;
use crate::scim::resource::ResourceId;
use crate::scim::schema::{Returned, SchemaRegistry, Storage};
use crate::store::{NewWaiver, StoreError, StoredWaiver, WaiverTarget, WaiverWords};

/// Waivers of a tenant in force at the most. Each is compared with every write of the tenant, which takes some 50 ns for a
/// resource and 2 µs for a filter: 0.2 ms.
pub(super) const WAIVERS_MAX: usize = 100;

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

/// Something wrong with a waiver that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaiverProblem {
    /// The member that is wrong.
    pub member: &'static str,
    /// What is wrong with it.
    pub message: String,
}

/// A waiver was not made.
#[derive(Debug, Error)]
pub enum WaiverError {
    /// What was asked for makes no sense.
    #[error("the waiver is not valid")]
    Invalid(Vec<WaiverProblem>),
    /// There are as many as there may be.
    #[error("the tenant has {WAIVERS_MAX} waivers in force already, as many as it may have")]
    TooMany,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn wrong(member: &'static str, message: impl Into<String>) -> WaiverProblem {
    WaiverProblem { member, message: message.into() }
}

impl Pipeline {
    /// Makes a waiver, which is in force from now on.
    pub async fn waive(&self, tenant: TenantId, request: WaiverRequest, by: &str) -> Result<StoredWaiver, WaiverError> {
        let store = self.store.tenant(tenant);
        let at = self.clock.now();
        let (model, activations, waivers) = store.in_force(at).await?;
        let in_force = |name: &ConstraintName| activations.iter().any(|activation| activation.name == *name);
        let mut problems: Vec<WaiverProblem> = unknown_constraint(&request.constraint, in_force).into_iter().collect();
        let words = match words_of(request, &model.schemas) {
            Ok(words) => {
                problems.extend(self.wrong_with_new(tenant, &words, at).await?);
                Some(words)
            }
            Err(more) => {
                problems.extend(more);
                None
            }
        };
        let Some(words) = words.filter(|_| problems.is_empty()) else { return Err(WaiverError::Invalid(problems)) };
        if waivers.len() >= WAIVERS_MAX {
            return Err(WaiverError::TooMany);
        }
        let made = store.add_waiver(self.new_waiver(words, by, at)).await?;
        info!(tenant.id = tenant.0, waiver.id = %made.made.id, by, "a reason is waived");
        Ok(made)
    }

    /// A waiver that says this, made now.
    pub(super) fn new_waiver(&self, words: WaiverWords, by: &str, at: Timestamp) -> NewWaiver {
        NewWaiver { id: WaiverId(self.clock.new_id(at)), words, by: by.to_owned(), at }
    }

    /// What is wrong with a waiver that is not there yet: one that is may have ended, and its resource may be gone.
    pub(super) async fn wrong_with_new(
        &self,
        tenant: TenantId,
        words: &WaiverWords,
        now: Timestamp,
    ) -> Result<Option<WaiverProblem>, StoreError> {
        if let Some(problem) = wrong_end(words.until, now) {
            return Ok(Some(problem));
        }
        let WaiverTarget::Resource(id) = words.target else { return Ok(None) };
        let found = self.store.tenant(tenant).snapshot().await?.identify(&[id]).await?;
        Ok(found.is_empty().then(|| wrong("resource", format!("there is no resource `{id}`"))))
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

/// That a waiver is of a constraint which is not there.
pub(super) fn unknown_constraint(
    name: &ConstraintName,
    is_there: impl Fn(&ConstraintName) -> bool,
) -> Option<WaiverProblem> {
    (!is_there(name)).then(|| wrong("constraint", format!("there is no constraint `{name}`")))
}

/// What a waiver that is asked for says, in canonical spelling; else all that is wrong with it, whatever time it is.
pub(super) fn words_of(request: WaiverRequest, schemas: &SchemaRegistry) -> Result<WaiverWords, Vec<WaiverProblem>> {
    let mut problems: Vec<WaiverProblem> =
        [wrong_code(&request.code), wrong_ticket(&request.ticket)].into_iter().flatten().collect();
    let WaiverRequest { constraint, code, waived_for, until, ticket } = request;
    let target = match waived_for {
        WaiverFor::Resource(id) => Ok(WaiverTarget::Resource(id)),
        WaiverFor::Matching { resource_type, filter } => filter_of(&resource_type, &filter, schemas)
            .map(|filter| WaiverTarget::Matching { resource_type, filter: filter.to_string() }),
    };
    match target {
        Ok(target) if problems.is_empty() => Ok(WaiverWords { constraint, code, target, until: whole(until), ticket }),
        Ok(_) => Err(problems),
        Err(problem) => {
            problems.push(problem);
            Err(problems)
        }
    }
}

/// A time as it is kept: in whole microseconds.
pub(super) fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

fn wrong_code(code: &str) -> Option<WaiverProblem> {
    (code.len() > CODE_BYTES_MAX || !Reason::is_code(code)).then(|| {
        let message = format!(
            "a code is made of 1 to {CODE_BYTES_MAX} lower-case letters, digits, `-`, `_`, `.`, as a constraint gives it"
        );
        wrong("code", message)
    })
}

fn wrong_ticket(ticket: &str) -> Option<WaiverProblem> {
    let length = ticket.chars().count();
    let wrong_one = ticket.trim().is_empty() || length > TICKET_CHARS_MAX || ticket.chars().any(char::is_control);
    let message = || format!("a ticket has 1 to {TICKET_CHARS_MAX} printable characters, this one {length}");
    wrong_one.then(|| wrong("ticket", message()))
}

fn wrong_end(until: Timestamp, now: Timestamp) -> Option<WaiverProblem> {
    if until <= now {
        return Some(wrong("until", format!("`{until}` has passed")));
    }
    // Of a day that is so far away that it cannot be reckoned with, too.
    let last = now.checked_add(Span::new().hours(DAYS_MAX * 24)).unwrap_or(Timestamp::MAX);
    (until > last).then(|| wrong("until", format!("`{until}` is more than {DAYS_MAX} days away")))
}

/// A filter of what is part of a resource itself: members and groups are not at hand where it is matched.
fn filter_of(resource_type: &str, filter: &str, schemas: &SchemaRegistry) -> Result<Filter, WaiverProblem> {
    let known = schemas.resource_type(resource_type);
    let known = known.ok_or_else(|| wrong("resource_type", format!("there is no resource type `{resource_type}`")))?;
    let filter = Filter::parse(filter, known).map_err(|error| wrong("filter", error.to_string()))?;
    let compared = filter.attributes();
    if let Some(apart) = compared.iter().find(|attribute| attribute.storage() != Storage::Inline) {
        return Err(wrong(
            "filter",
            format!("`{apart}` cannot be compared by a waiver: it is kept apart from the resource"),
        ));
    }
    if let Some(secret) = compared.iter().find(|attribute| attribute.leaf().returned == Returned::Never) {
        return Err(wrong("filter", format!("`{secret}` cannot be compared: it is a secret")));
    }
    Ok(filter)
}

/// Waivers as a decision needs them. One whose filter makes no sense any more waives nothing, and is told in the log.
pub(super) fn ready(tenant: TenantId, waivers: Vec<StoredWaiver>, schemas: &SchemaRegistry) -> Vec<Waiver> {
    let ready = waivers.into_iter().filter_map(|StoredWaiver { made, .. }| {
        let NewWaiver { id, words: WaiverWords { constraint, code, target, until, .. }, .. } = made;
        let waived_for = match target {
            WaiverTarget::Resource(id) => WaivedFor::Resource(id),
            WaiverTarget::Matching { resource_type, filter } => match filter_of(&resource_type, &filter, schemas) {
                Ok(filter) => WaivedFor::Matching { resource_type, filter },
                Err(problem) => {
                    error!(tenant.id = tenant.0, waiver.id = %id, problem = problem.message, "a waiver waives nothing");
                    return None;
                }
            },
        };
        Some(Waiver { id, constraint, code, waived_for, until })
    });
    ready.collect()
}
