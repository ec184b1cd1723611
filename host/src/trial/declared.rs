//! What the tenant of a trial has declared: schemas, resource types and tightenings of its own, and for which clients it is set up.

use std::sync::{Arc, LazyLock};

use serde_json::Value;

use crate::decision::TenantId;
use crate::scim::profile::Profile;
use crate::scim::schema::{Definitions, SchemaError, SchemaRegistry};
use crate::store::{NewDefinitions, Store, TenantChange};
use crate::trial::{TrialError, local};

/// A tenant that has declared nothing.
static NOTHING: LazyLock<Declared> = LazyLock::new(|| Declared {
    definitions: Definitions::default(),
    profile: Profile::default(),
    schemas: Arc::new(SchemaRegistry::core()),
});

/// What a tenant has declared, and what it comes to. Cheap to clone where it is nothing.
#[derive(Clone, Debug)]
pub struct Declared {
    definitions: Definitions,
    profile: Profile,
    /// The resource types and schemas that there are by that.
    pub(super) schemas: Arc<SchemaRegistry>,
}

impl Default for Declared {
    fn default() -> Self {
        NOTHING.clone()
    }
}

impl PartialEq for Declared {
    fn eq(&self, other: &Self) -> bool {
        // The registry is made of the definitions.
        self.definitions == other.definitions && self.profile == other.profile
    }
}

impl Declared {
    /// Reads what a file has: `{"schemas": [], "resource_types": [], "tightenings": [], "profile": "entra"}`, each as the tenant API
    /// shows it, and each may be missing. It is checked as a server checks it; all that is wrong is told.
    pub fn from_json(json: Value) -> Result<Self, String> {
        let (definitions, profile) = split(json)?;
        let definitions = Definitions::from_json(&definitions).map_err(|problems| told(&problems))?;
        let schemas = SchemaRegistry::build(&definitions)
            .map_err(|problems| told(&problems.into_iter().map(placed).collect::<Vec<_>>()))?;
        Ok(Self { definitions, profile, schemas: Arc::new(schemas) })
    }

    /// Whether it is what every tenant has.
    pub fn is_nothing(&self) -> bool {
        *self == *NOTHING
    }

    /// Declares it, in a tenant that has nothing yet.
    pub(super) async fn declare(&self, store: &dyn Store, tenant: TenantId) -> Result<(), TrialError> {
        if self.is_nothing() {
            return Ok(());
        }
        let store = store.tenant(tenant);
        let profile = TenantChange { profile: Some(self.profile), ..TenantChange::default() };
        store.change(profile).await.map_err(local)?;
        let change = NewDefinitions {
            definitions: self.definitions.clone(),
            schemas: Arc::clone(&self.schemas),
            generation: store.model().await.map_err(local)?.generation,
            force: false,
        };
        store.define(change).await.map(drop).map_err(local)
    }
}

/// The definitions, and the profile beside them.
fn split(mut json: Value) -> Result<(Value, Profile), String> {
    let profile = json.as_object_mut().and_then(|members| members.remove("profile"));
    let mut names = json.as_object().into_iter().flat_map(|members| members.keys());
    if let Some(unknown) = names.find(|name| !Definitions::MEMBERS.contains(&name.as_str())) {
        let known = Definitions::MEMBERS.join("`, `");
        return Err(format!("/{unknown}: `{unknown}` is not known here; known are `{known}`, `profile`"));
    }
    let profile = match profile {
        None | Some(Value::Null) => Profile::default(),
        Some(word) => word.as_str().and_then(Profile::parse).ok_or_else(|| {
            let known: Vec<&str> = Profile::ALL.into_iter().map(Profile::as_str).collect();
            format!("/profile: must be one of `{}`, not {word}", known.join("`, `"))
        })?,
    };
    Ok((json, profile))
}

/// Where parts do not fit together, the place is told in the words of RFC 7643; here, in those of the file.
fn placed(problem: SchemaError) -> SchemaError {
    match problem.pointer.strip_prefix("/resourceTypes") {
        Some(place) => SchemaError { pointer: format!("/resource_types{place}"), message: problem.message },
        None => problem,
    }
}

/// All that is wrong, each with its place in the file.
fn told(problems: &[SchemaError]) -> String {
    problems.iter().map(SchemaError::to_string).collect::<Vec<_>>().join("\n  ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(json: Value) -> String {
        Declared::from_json(json).unwrap_err()
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_in_the_file() {
        let printer = json!({ "name": "Printer", "endpoint": "/Printers", "schema": "urn:example:printer" });
        for (json, expected) in [
            (json!({ "profile": "ldap" }), "/profile: must be one of `rfc`, `entra`, `okta`, not \"ldap\""),
            (json!({ "resource_types": [printer] }), "/resource_types/0/schema: `urn:example:printer` is not one of"),
            (
                json!({ "tightenings": [{ "resourceType": "Robot", "path": "title", "required": true }] }),
                "/tightenings/0",
            ),
            (
                json!({ "people": [] }),
                "/people: `people` is not known here; known are `schemas`, `resource_types`, `tightenings`, `profile`",
            ),
            (json!([]), "must be an object"),
        ] {
            let said = refused(json.clone());
            assert!(said.contains(expected), "{json}: {said}");
        }
    }

    #[test]
    fn a_profile_alone_is_something_and_an_empty_file_is_nothing() {
        assert!(Declared::from_json(json!({})).unwrap().is_nothing());
        assert!(Declared::from_json(json!({ "profile": "rfc" })).unwrap().is_nothing());
        assert!(!Declared::from_json(json!({ "profile": "okta" })).unwrap().is_nothing());
    }
}
