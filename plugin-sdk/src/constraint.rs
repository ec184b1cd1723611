//! The trait that a constraint implements, what it says of itself, and the macro that makes it, or a rewriter, a
//! component.

use std::fmt;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::operation::{Action, Operation};
use crate::settings::SettingsProblem;
use crate::verdict::Verdict;

/// A rule that judges operations.
///
/// There is no `self`: nothing is kept between two calls. Every evaluation runs in a fresh instance, so that a verdict
/// follows from the operation, the settings and what was read, and from nothing else.
pub trait Constraint {
    /// What a tenant can set. Documentation comments become descriptions in its JSON Schema; put
    /// `#[serde(deny_unknown_fields)]` on it, so that a misspelt setting is an error.
    /// [`NoSettings`](crate::NoSettings) if there are none.
    type Settings: DeserializeOwned + JsonSchema;

    /// Name, actions, and what it may read. Called once, at upload.
    fn about() -> About;

    /// Judges one operation, in the state that it would leave behind.
    ///
    /// # Errors
    /// An error means "could not decide". It is recorded as a fault of the constraint and handled by the tenant's
    /// failure policy; it is not a denial.
    fn evaluate(operation: &Operation, settings: &Self::Settings) -> Result<Verdict, Error>;

    /// What the JSON Schema of the settings cannot say: a pattern that does not compile, a minimum above a maximum.
    /// Called when a tenant saves settings.
    fn check_settings(settings: &Self::Settings) -> Vec<SettingsProblem> {
        let _ = settings;
        Vec::new()
    }
}

/// Who a constraint is and what it asks for. Start with [`about!`](crate::about).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) summary: String,
    pub(crate) resource_types: Vec<String>,
    pub(crate) actions: Vec<Action>,
    pub(crate) reads: Vec<String>,
    pub(crate) writes: Vec<String>,
    pub(crate) capabilities: Vec<String>,
    pub(crate) labels: Vec<(String, String)>,
}

impl About {
    /// A constraint that judges creates, updates and deletes of every resource type and may read everything.
    /// Narrow it with the other methods: the tenant sees what it asks for.
    pub fn new(name: impl Into<String>, version: impl Into<String>, summary: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            summary: summary.into(),
            resource_types: Vec::new(),
            actions: vec![Action::Create, Action::Update, Action::Delete],
            reads: Vec::new(),
            writes: Vec::new(),
            capabilities: Vec::new(),
            labels: Vec::new(),
        }
    }

    /// Judges only these resource types.
    #[must_use]
    pub fn resource_types<T: Into<String>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        self.resource_types = types.into_iter().map(Into::into).collect();
        self
    }

    /// Judges only these actions.
    #[must_use]
    pub fn actions(mut self, actions: impl IntoIterator<Item = Action>) -> Self {
        self.actions = actions.into_iter().collect();
        self
    }

    /// Reads nothing but these SCIM paths, of the resource under judgement and of those that it looks up. A read
    /// outside them is refused.
    #[must_use]
    pub fn reads<T: Into<String>>(mut self, paths: impl IntoIterator<Item = T>) -> Self {
        self.reads = paths.into_iter().map(Into::into).collect();
        self
    }

    /// Edits nothing but these SCIM paths; `*` stands for every attribute. For a [`Rewriter`](crate::Rewriter), which has to
    /// name some. `emails[type eq "work"].value` needs `emails.value` and `emails.type`.
    #[must_use]
    pub fn writes<T: Into<String>>(mut self, paths: impl IntoIterator<Item = T>) -> Self {
        self.writes = paths.into_iter().map(Into::into).collect();
        self
    }

    /// Asks for look-ups of other resources of these types, through [`directory`](crate::directory).
    #[must_use]
    pub fn looks_up<T: fmt::Display>(mut self, resource_types: impl IntoIterator<Item = T>) -> Self {
        self.capabilities.extend(resource_types.into_iter().map(|name| format!("directory:{name}")));
        self
    }

    /// Asks for these tables of reference data, through [`tables`](crate::tables). `*` asks for any: for a constraint whose
    /// settings name the table. The tenant then grants those it names (`"capabilities": ["tables:departments"]`).
    #[must_use]
    pub fn tables<T: fmt::Display>(mut self, tables: impl IntoIterator<Item = T>) -> Self {
        self.capabilities.extend(tables.into_iter().map(|name| format!("tables:{name}")));
        self
    }

    /// Says one thing more: `documentation`, `license`.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((key.into(), value.into()));
        self
    }
}

/// [`About::new`] with name, version and description of the package that it is called in.
#[macro_export]
macro_rules! about {
    () => {
        $crate::About::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_DESCRIPTION"))
    };
}

/// Why a constraint could not decide. Any error converts into it with `?`.
///
/// Like `anyhow::Error`, it does not implement [`std::error::Error`] itself, which is what makes that possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(String);

impl Error {
    /// An error of the constraint's own: put no secrets here, the author reads it in the decision log.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Makes a type the component, once in a package:
///
/// * `scruple_sdk::export!(MyConstraint);` a [`Constraint`], which judges;
/// * `scruple_sdk::export!(MyRewriter as Rewriter);` a [`Rewriter`](crate::Rewriter);
/// * `scruple_sdk::export!(MyType as Constraint + Rewriter);` both.
///
/// In a native build, as for `cargo test`, it only checks that the type is one.
#[macro_export]
macro_rules! export {
    ($constraint:ty) => {
        const _: fn() -> $crate::About = <$constraint as $crate::Constraint>::about;

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Component;
            $crate::__export_about!(Component, $constraint, Constraint);
            $crate::__export_check!(Component, $constraint);
        };
    };
    ($rewriter:ty as Rewriter) => {
        const _: fn() -> $crate::About = <$rewriter as $crate::Rewriter>::about;

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Component;
            $crate::__export_about!(Component, $rewriter, Rewriter);
            $crate::__export_rewrite!(Component, $rewriter);
        };
    };
    ($both:ty as Constraint + Rewriter) => {
        const _: [fn() -> $crate::About; 2] =
            [<$both as $crate::Constraint>::about, <$both as $crate::Rewriter>::about];

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Component;
            $crate::__export_about!(Component, $both, Constraint);
            $crate::__export_check!(Component, $both);
            $crate::__export_rewrite!(Component, $both);
        };
    };
}

/// The export `about`, which every component has. For the expansion of [`export!`] alone.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_about {
    ($component:ident, $plugin:ty, $trait:ident) => {
        impl $crate::guest::exports::scruple::constraint::about::Guest for $component {
            fn describe() -> $crate::guest::exports::scruple::constraint::about::Descriptor {
                $crate::guest::describe::<<$plugin as $crate::$trait>::Settings>(<$plugin as $crate::$trait>::about)
            }

            fn check_settings(
                settings: String,
            ) -> Result<(), Vec<$crate::guest::exports::scruple::constraint::about::SettingsProblem>> {
                $crate::guest::check_settings(&settings, <$plugin as $crate::$trait>::check_settings)
            }
        }

        $crate::guest::__export_about!($component with_types_in $crate::guest);
    };
}

/// The export `check`. For the expansion of [`export!`] alone.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_check {
    ($component:ident, $constraint:ty) => {
        impl $crate::guest::check::exports::scruple::constraint::check::Guest for $component {
            fn evaluate(
                operation: $crate::guest::scruple::constraint::scim::Operation,
                settings: String,
            ) -> Result<$crate::guest::scruple::constraint::types::Verdict, String> {
                $crate::guest::evaluate::<$constraint>(operation, &settings)
            }
        }

        $crate::guest::check::__export_check!($component with_types_in $crate::guest::check);
    };
}

/// The export `rewrite`. For the expansion of [`export!`] alone.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_rewrite {
    ($component:ident, $rewriter:ty) => {
        impl $crate::guest::rewrite::exports::scruple::constraint::rewrite::Guest for $component {
            fn rewrite(
                operation: $crate::guest::scruple::constraint::scim::Operation,
                settings: String,
            ) -> Result<Vec<$crate::guest::scruple::constraint::types::Edit>, String> {
                $crate::guest::rewritten::<$rewriter>(operation, &settings)
            }
        }

        $crate::guest::rewrite::__export_rewrite!($component with_types_in $crate::guest::rewrite);
    };
}
