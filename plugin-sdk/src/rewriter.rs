//! The trait that a rewriter implements, and the edits that it gives.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::constraint::{About, Error};
use crate::operation::Operation;
use crate::settings::SettingsProblem;

/// A rule that changes what would be stored, before any [`Constraint`](crate::Constraint) judges it: spellings are made
/// one, what is missing is filled in.
///
/// Rewriters are asked in the tenant's order, each about the state that the last one left, and about creates and updates
/// alone: of what is deleted there is nothing to rewrite. Look at [`Operation::after`] and give the [`Edit`]s that make it
/// what it should be.
///
/// * **Be idempotent**: of a state that is right already, give no edits, or such as change nothing. Clients repeat their
///   requests.
/// * **Declare what you edit** in [`About::writes`]. What the tenant does not grant cannot be edited; nor can what is
///   read-only, a password, or the members of a group, and what is write-once keeps the value that it has.
/// * **Do not undo what another rewriter has set**: that is a fault.
///
/// ```
/// use scruple_sdk::{About, Action, Edit, Error, NoSettings, Operation, Rewriter};
///
/// /// User names are in lower case.
/// struct LowerCase;
///
/// impl Rewriter for LowerCase {
///     type Settings = NoSettings;
///
///     fn about() -> About {
///         About::new("lower-case", "0.1.0", "User names are in lower case")
///             .resource_types(["User"])
///             .actions([Action::Create, Action::Update])
///             .reads(["userName"])
///             .writes(["userName"])
///     }
///
///     fn rewrite(operation: &Operation, _: &NoSettings) -> Result<Vec<Edit>, Error> {
///         let Some(user) = operation.after() else { return Ok(Vec::new()) };
///         let name = user.text("userName")?.unwrap_or_default();
///         let lower = name.to_lowercase();
///         Ok(if lower == name { Vec::new() } else { vec![Edit::set("userName", lower)] })
///     }
/// }
///
/// scruple_sdk::export!(LowerCase as Rewriter);
///
/// // In `#[cfg(test)] mod tests`, run by `cargo test` without WebAssembly:
/// use scruple_sdk::testing::Scenario;
/// use serde_json::json;
///
/// let rewritten = Scenario::create("User", json!({ "userName": "Ada" })).rewrite::<LowerCase>(json!({}));
/// assert_eq!(rewritten.edits(), [Edit::set("userName", "ada")]);
/// assert_eq!(rewritten.after(), &json!({ "userName": "ada" }));
/// ```
///
/// A type may be both: `scruple_sdk::export!(MyType as Constraint + Rewriter);` exports both. Then `about` and
/// `check_settings` are those of its `Constraint`.
pub trait Rewriter {
    /// What a tenant can set; see [`Constraint::Settings`](crate::Constraint::Settings).
    type Settings: DeserializeOwned + JsonSchema;

    /// Name, actions, what it may read and edit. Called once, at upload.
    fn about() -> About;

    /// The edits that make the state after what it should be; none if it is.
    ///
    /// # Errors
    /// An error means "could not decide". It is recorded as a fault and handled by the tenant's failure policy: the change
    /// is refused, or goes on as if there were no edits.
    fn rewrite(operation: &Operation, settings: &Self::Settings) -> Result<Vec<Edit>, Error>;

    /// What the JSON Schema of the settings cannot say. Called when a tenant saves settings.
    fn check_settings(settings: &Self::Settings) -> Vec<SettingsProblem> {
        let _ = settings;
        Vec::new()
    }
}

/// A change that a rewriter asks for, with the meaning that the operation of a SCIM PATCH has.
///
/// Paths are those of RFC 7644: `name.givenName`, `emails[type eq "work"].value`. What cannot be done, such as to remove
/// the values of a filter that selects none, is a fault of the rewriter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Set an attribute, or all values of a multi-valued one; of a complex attribute, the sub-attributes that are given.
    Set {
        /// SCIM path.
        path: String,
        /// What to. `null` removes it.
        value: Json,
    },
    /// Append a value to a multi-valued attribute, if it does not have it.
    Append {
        /// SCIM path, without a filter.
        path: String,
        /// One value.
        value: Json,
    },
    /// Remove an attribute, or the values that the path selects.
    Remove {
        /// SCIM path.
        path: String,
    },
}

impl Edit {
    /// Sets an attribute, or all values of a multi-valued one.
    pub fn set(path: impl Into<String>, value: impl Into<Json>) -> Self {
        Self::Set { path: path.into(), value: value.into() }
    }

    /// Appends a value to a multi-valued attribute.
    pub fn append(path: impl Into<String>, value: impl Into<Json>) -> Self {
        Self::Append { path: path.into(), value: value.into() }
    }

    /// Removes an attribute, or the values that the path selects.
    pub fn remove(path: impl Into<String>) -> Self {
        Self::Remove { path: path.into() }
    }

    /// Where.
    pub fn path(&self) -> &str {
        match self {
            Self::Set { path, .. } | Self::Append { path, .. } | Self::Remove { path } => path,
        }
    }
}
