//! Write a constraint for Scruple: a rule that decides which identity changes may happen; or a [`Rewriter`], which brings
//! them into shape before.
//!
//! A constraint is one type with one function. It gets an operation — the state before, the state after, and what differs
//! — and the settings of the tenant, and answers with a [`Verdict`]. Compiled to a WebAssembly component and uploaded, it
//! is asked before anything is stored. It runs in a sandbox: no files, no network, no clock, nothing kept between calls.
//!
//! # Where to start
//!
//! | page of the [guide] | |
//! |---|---|
//! | [First constraint in Rust](guide::rust), [in JavaScript](guide::javascript), [in Python](guide::python) | from an empty folder to a rule that a server enforces |
//! | [Testing](guide::testing) | unit tests, cases, captured decisions, replay |
//! | [Cookbook](guide::cookbook) | what tenants have asked for: settings, and the refusal that comes of it |
//! | [The contract](guide::contract) | what a component may import, and what it exports |
//! | [Limits and fuel](guide::limits) | what an evaluation may use |
//! | [Errors and their remedies](guide::errors) | every code, what it means, what to do |
//!
//! `scruple plugin new NAME --lang rust` writes a project with all that follows; `scruple plugin dev` builds and tests it whenever a
//! file is saved.
//!
//! # A complete constraint, and its test
//!
//! ```
//! use schemars::JsonSchema;
//! use scruple_sdk::{About, Action, Constraint, Error, Operation, Reason, ScimType, Verdict};
//! use serde::Deserialize;
//!
//! /// Work addresses belong to the company.
//! struct CompanyMail;
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(rename_all = "camelCase", deny_unknown_fields)]
//! struct Settings {
//!     /// The domain of every work address.
//!     domain: String,
//! }
//!
//! impl Constraint for CompanyMail {
//!     type Settings = Settings;
//!
//!     fn about() -> About {
//!         About::new("company-mail", "0.1.0", "Work addresses belong to the company")
//!             .resource_types(["User"])
//!             .actions([Action::Create, Action::Update])
//!             .reads(["emails.value", "emails.type"])
//!     }
//!
//!     fn evaluate(operation: &Operation, settings: &Settings) -> Result<Verdict, Error> {
//!         let Some(user) = operation.after() else { return Ok(Verdict::not_applicable()) };
//!         let ours = format!("@{}", settings.domain.to_lowercase());
//!         let foreign = user.texts(r#"emails[type eq "work"].value"#)?.into_iter();
//!         Ok(Verdict::deny_any(foreign.filter(|email| !email.to_lowercase().ends_with(&ours)).map(|email| {
//!             Reason::new("foreign-domain", format!("`{email}` is not an address at {}", settings.domain))
//!                 .path("emails")
//!                 .scim_type(ScimType::InvalidValue)
//!         })))
//!     }
//! }
//!
//! scruple_sdk::export!(CompanyMail);
//!
//! // In `#[cfg(test)] mod tests`, run by `cargo test` without WebAssembly:
//! use scruple_sdk::testing::Scenario;
//! use serde_json::json;
//!
//! let ada = json!({ "userName": "ada", "emails": [{ "value": "ada@elsewhere.org", "type": "work" }] });
//! let outcome = Scenario::create("User", ada).check::<CompanyMail>(json!({ "domain": "example.com" }));
//! assert_eq!(outcome.codes(), ["foreign-domain"]);
//! ```
//!
//! The package's `Cargo.toml` has `scruple-sdk`, `serde`, `schemars`, for tests `serde_json`, and
//!
//! ```toml
//! [lib]
//! crate-type = ["cdylib"]
//! ```
//!
//! # What to know
//!
//! * **An error is not a denial.** Use `?` freely: what cannot be read ends the evaluation as a fault, and the tenant has
//!   said what happens then. A panic does the same, and its message reaches the log.
//! * **Read little.** Every read is recorded, explains the decision, and must be granted. Declare the paths in
//!   [`About::reads`]; the tests of [`testing`] hold you to it.
//! * **Judge the effect.** [`Operation::turns_off`], [`Operation::differences`] and the two documents show what would be
//!   stored, whichever way the client spelled it.
//! * **Look-ups answer as of before the operation.** [`Operation::remaining_members`] counts whom it leaves in a group.
//! * **What a tenant has to tell you is a setting or a table.** Settings are few and typed; a list of codes or of accounts is
//!   a row each in one of the [`tables`], which the tenant changes without touching the constraint.
//! * **Compare as SCIM does**, with [`text`], and put other people's text into filters with [`filter`].
//! * **Give every reason at once**, with a stable code and a message for the identity provider's administrator.
//!
//! What changes values instead of judging them is a [`Rewriter`].

mod constraint;
pub mod directory;
mod document;
mod draft;
pub mod filter;
// Pages, and no code: a component has nothing of them.
#[cfg(not(target_arch = "wasm32"))]
pub mod guide;
pub mod log;
mod operation;
pub mod report;
mod rewriter;
mod settings;
pub mod tables;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod text;
mod verdict;

#[cfg(target_arch = "wasm32")]
mod bindings;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)] // for the expansion of `export!` alone
pub mod guest;

/// Whoever answers: the host through the contract, or the double for native tests. Both offer the same names.
#[cfg(target_arch = "wasm32")]
use guest as platform;
#[cfg(not(target_arch = "wasm32"))]
use testing::backend as platform;

pub use constraint::{About, Constraint, Error};
pub use document::{Document, ReadError, Value};
pub use draft::Draft;
pub use filter::quoted;
pub use operation::{Action, Actor, Difference, Operation};
pub use rewriter::{Edit, Rewriter};
pub use settings::{NoSettings, SettingsProblem};
pub use verdict::{Hold, Reason, ScimType, Verdict};
