//! What is stored beside resources: tenants, tokens, plugin versions, activations, decisions.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::decision::{ConstraintName, DecisionId, FailurePolicy, Mode, Outcome, TenantId};
use crate::scim::profile::Profile;
use crate::scim::resource::ResourceId;
use crate::scim::schema::{Definitions, SchemaRegistry};
use crate::signature::Signature;

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its id, never shown.
    pub id: TenantId,
    /// Its name in URLs: lower-case letters, digits and dashes.
    pub name: String,
    /// Raised by every change to its constraints, its schemas, its tables and its profile.
    pub generation: i64,
    /// For which provisioning clients it is set up.
    pub profile: Profile,
    /// Whether its clients are answered before their requests are carried out, if they prefer that (RFC 9967).
    pub respond_async: bool,
    /// How many days its decisions are kept; `None`: for ever.
    pub decisions_kept_days: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What is to be set of a tenant; the rest stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TenantChange {
    /// [`Tenant::profile`].
    pub profile: Option<Profile>,
    /// [`Tenant::respond_async`].
    pub respond_async: Option<bool>,
    /// [`Tenant::decisions_kept_days`].
    pub decisions_kept_days: Option<Option<u32>>,
}

/// What a tenant's resources are, and how its clients' requests are read. One value for each generation, so that whatever
/// is planned by it is known to be out of date when the generation has moved.
#[derive(Clone, Debug)]
pub struct TenantModel {
    /// The generation.
    pub generation: i64,
    /// For which provisioning clients the tenant is set up.
    pub profile: Profile,
    /// What the tenant has declared beside the schemas of RFC 7643.
    pub definitions: Arc<Definitions>,
    /// The resource types and schemas that there are by that.
    pub schemas: Arc<SchemaRegistry>,
}

/// Definitions that are to become a tenant's.
#[derive(Clone, Debug)]
pub struct NewDefinitions {
    /// All of them.
    pub definitions: Definitions,
    /// What they come to.
    pub schemas: Arc<SchemaRegistry>,
    /// The generation of the definitions they were made from.
    pub generation: i64,
    /// Whether they take effect though resources are not as they say.
    pub force: bool,
}

/// Definitions that have taken effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defined {
    /// The generation that begins with them.
    pub generation: i64,
    /// How many resources are not as they say: only where that was forced.
    pub total: u64,
    /// The first of them.
    pub broken: Vec<Broken>,
}

/// Resources that are told of where new definitions are broken; the others are counted. A list that nobody reads to its
/// end need not be longer.
pub const BROKEN_MAX: usize = 100;

/// A resource that is not as new definitions say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Its type.
    pub resource_type: String,
    /// The resource.
    pub id: ResourceId,
    /// Canonical path of the attribute; empty where it is the resource as a whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

/// Keyed hash of a token. The token itself is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its id, by which it is listed and revoked.
    pub id: Uuid,
    /// Keyed hash of its secret.
    pub hash: TokenHash,
    /// For people.
    pub label: String,
    /// What it allows.
    pub scopes: Vec<String>,
    /// When it is made.
    pub created_at: Timestamp,
    /// When it stops being valid.
    pub expires_at: Option<Timestamp>,
    /// The user it speaks for.
    pub user: Option<ResourceId>,
}

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: Uuid,
    /// For people.
    pub label: String,
    /// What it allows.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops being valid.
    pub expires_at: Option<Timestamp>,
    /// The user it speaks for: what `/Me` stands for (RFC 7644 §3.11).
    pub user: Option<ResourceId>,
}

/// Whom a token belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenOwner {
    /// The tenant.
    pub tenant: Tenant,
    /// The token.
    pub token: Token,
}

/// A component, as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredComponent {
    /// Its bytes.
    Here(Vec<u8>),
    /// No more than that it is there: its bytes are in the bucket beside the database ([`super::Bucket`]).
    InBucket {
        /// How many they are.
        size: u64,
    },
}

impl StoredComponent {
    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Here(bytes) => bytes.len() as u64,
            Self::InBucket { size } => *size,
        }
    }

    /// What the database has of its bytes: none, if they are elsewhere. No component is empty.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Here(bytes) => bytes,
            Self::InBucket { .. } => &[],
        }
    }
}

/// A plugin version to be added.
#[derive(Clone, Debug)]
pub struct NewVersion {
    /// Name of the plugin in its tenant.
    pub plugin: String,
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
    /// The component.
    pub component: StoredComponent,
    /// The world it targets: `scruple:constraint/constraint@0.1.0`.
    pub world: String,
    /// What it says of itself, as JSON.
    pub descriptor: Value,
    /// A word of the author's choosing: `v1.2`.
    pub tag: Option<String>,
    /// When it is added.
    pub created_at: Timestamp,
    /// Signatures that were checked.
    pub signatures: Vec<Signature>,
}

/// A plugin version.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginVersion {
    /// Name of the plugin in its tenant.
    pub plugin: String,
    /// 1, 2, 3 … in the plugin.
    pub version: u32,
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
    /// Size of the component in bytes.
    pub size: u64,
    /// The world it targets.
    pub world: String,
    /// What it says of itself, as JSON.
    pub descriptor: Value,
    /// A word of the author's choosing.
    pub tag: Option<String>,
    /// When it was added.
    pub created_at: Timestamp,
}

/// How a plugin version is put to work.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivationState {
    /// The plugin.
    pub plugin: String,
    /// Which version of it.
    pub version: u32,
    /// SHA-256 of that version's component.
    pub digest: String,
    /// What that version says of itself.
    pub descriptor: Value,
    /// The constraint's settings.
    pub settings: Value,
    /// What it may read: `{"reads": [..], "capabilities": [..]}`.
    pub grants: Value,
    /// Whether its answer counts.
    pub mode: Mode,
    /// What its fault does.
    pub on_fault: FailurePolicy,
    /// Place among the tenant's constraints; ties are by name.
    pub order: i32,
}

/// A constraint in one of its states.
#[derive(Clone, Debug, PartialEq)]
pub struct Activation {
    /// The constraint.
    pub name: ConstraintName,
    /// 1, 2, 3 … in the constraint.
    pub revision: u32,
    /// The generation this state began with.
    pub generation: i64,
    /// `None`: the constraint was removed.
    pub state: Option<ActivationState>,
    /// Who made it so: the token's label.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What to look for in the decision log.
#[derive(Clone, Debug, Default)]
pub struct DecisionQuery {
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Only with this outcome.
    pub outcome: Option<Outcome>,
    /// Only where this constraint was asked.
    pub constraint: Option<ConstraintName>,
    /// Only on this resource.
    pub resource: Option<Uuid>,
    /// Only older than this decision: where the last page ended.
    pub before: Option<DecisionId>,
    /// At most so many; an engine has a limit of its own (500), so that a page stays a few MB.
    pub limit: usize,
}

/// A decision as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredDecision {
    /// Its id.
    pub id: DecisionId,
    /// The record as JSON, as `decision::record` renders it.
    pub record: Value,
}

/// A page of the decision log.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionPage {
    /// Newest first.
    pub decisions: Vec<StoredDecision>,
    /// Where the next page begins; `None` at the end. A page may be short, or empty, and still have a next one: one
    /// call looks at a bounded number of entries.
    pub next: Option<DecisionId>,
}
