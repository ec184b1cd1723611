//! Who and what is there before the request: resources with the ids that they have, and tables.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::decision::Actor;
use crate::pipeline::write::{Change, Precondition};
use crate::scim::resource::ResourceId;
use crate::scim::schema::SchemaRegistry;
use crate::tables::{TableLimits, json as json_table};
use crate::trial::{Trial, TrialError, local};

/// Resources and tables.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Population {
    resources: Vec<Map<String, Value>>,
    tables: Map<String, Value>,
}

impl Population {
    /// Reads what a file has: a list of resources, a SCIM list response, or an object with `resources` and `tables` (by name, each
    /// from keys to rows). Resources are as a server shows them; of those that others refer to, the `id` counts.
    pub fn from_json(json: Value) -> Result<Self, String> {
        let mut members = match json {
            Value::Array(resources) => return Ok(Self { resources: objects(resources)?, tables: Map::new() }),
            Value::Object(members) => members,
            _ => {
                return Err(
                    "a population is a list of resources, or an object with `resources` and `tables`".to_owned()
                );
            }
        };
        let list = |members: &mut Map<String, Value>, name: &str| match members.remove(name) {
            None => Ok(None),
            Some(Value::Array(resources)) => objects(resources).map(Some),
            Some(_) => Err(format!("`{name}` of a population is a list of resources")),
        };
        // A list response as a server gives it (RFC 7644 §3.4.2), with the members that say how long it is.
        if let Some(resources) = list(&mut members, "Resources")? {
            return Ok(Self { resources, tables: Map::new() });
        }
        let resources = list(&mut members, "resources")?.unwrap_or_default();
        let tables = match members.remove("tables") {
            None => Map::new(),
            Some(Value::Object(tables)) => tables,
            Some(_) => return Err("`tables` of a population is an object, from names to tables".to_owned()),
        };
        match members.keys().next() {
            Some(unknown) => Err(format!("`{unknown}` is no member of a population: it has `resources` and `tables`")),
            None => Ok(Self { resources, tables }),
        }
    }

    /// The same with one more resource.
    #[must_use]
    pub fn with(mut self, resource: Map<String, Value>) -> Self {
        self.resources.push(resource);
        self
    }

    /// Makes all of it, in a tenant in which nothing is in force yet.
    pub(super) async fn move_in(&self, trial: &Trial) -> Result<(), TrialError> {
        let mut memberships = Vec::new();
        for resource in &self.resources {
            let resource_type = type_of(resource, &trial.declared.schemas)?;
            let id = id_of(resource)?.unwrap_or_else(|| trial.pipeline.clock.new_id(super::AT));
            let mut body = resource.clone();
            // Groups may have each other as members: first all are there, then they are put into each other.
            if let Some(members) = body.remove("members") {
                memberships.push((resource_type.clone(), id, members));
            }
            trial
                .carry_out(&resource_type, ResourceId(id), Change::Create { body })
                .await
                .map_err(in_population(id))?;
        }
        for (resource_type, id, members) in memberships {
            let body = patch(json!([{ "op": "add", "path": "members", "value": members }]));
            let change = Change::Patch { id: ResourceId(id), body, precondition: Precondition::None };
            trial.carry_out(&resource_type, ResourceId(id), change).await.map_err(in_population(id))?;
        }
        for (name, table) in &self.tables {
            let read = json_table::read(table.to_string().as_bytes(), None, &TableLimits::default());
            let contents = read.map_err(|error| TrialError::Input(format!("the table `{name}`: {error}")))?;
            trial.pipeline.put_table(trial.tenant, name, contents, "trial").await.map_err(local)?;
        }
        Ok(())
    }
}

fn in_population(id: Uuid) -> impl Fn(TrialError) -> TrialError {
    move |error| match error {
        TrialError::Request { detail, .. } => {
            TrialError::Input(format!("the resource {id} cannot be part of the population: {detail}"))
        }
        other => other,
    }
}

/// Whoever makes the population.
pub(super) fn actor() -> Actor {
    Actor { subject: "trial".to_owned(), label: "trial".to_owned(), scopes: vec!["scim".to_owned()] }
}

/// A PATCH of these operations.
pub(super) fn patch(operations: Value) -> Map<String, Value> {
    let schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
    Map::from_iter([("schemas".to_owned(), json!([schema])), ("Operations".to_owned(), operations)])
}

/// What a resource says that it is: by `meta.resourceType`, else by its first schema that is a type's own.
pub(super) fn type_of(resource: &Map<String, Value>, known: &SchemaRegistry) -> Result<String, TrialError> {
    if let Some(named) = resource.get("meta").and_then(|meta| meta.get("resourceType")).and_then(Value::as_str) {
        return Ok(named.to_owned());
    }
    let schemas = resource.get("schemas").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let named = schemas
        .filter_map(|urn| known.resource_types().iter().find(|known| known.schema.id.eq_ignore_ascii_case(urn)))
        .map(|known| known.name.clone())
        .next();
    named.ok_or_else(|| {
        TrialError::Input(
            "a resource says what it is in `schemas` or in `meta.resourceType`; this one does not".to_owned(),
        )
    })
}

/// The `id` of a resource, if it has one.
pub(super) fn id_of(resource: &Map<String, Value>) -> Result<Option<Uuid>, TrialError> {
    let Some(id) = resource.get("id") else { return Ok(None) };
    let parsed = id.as_str().and_then(|text| text.parse().ok());
    parsed.map(Some).ok_or_else(|| TrialError::Input(format!("`id` is {id}, but must be a UUID in a text")))
}

fn objects(values: Vec<Value>) -> Result<Vec<Map<String, Value>>, String> {
    let object = |value| match value {
        Value::Object(object) => Ok(object),
        other => Err(format!("a resource is an object, and this is none: {other}")),
    };
    values.into_iter().map(object).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_population_is_a_list_a_list_response_or_both_parts_by_name() {
        let ada = json!({ "userName": "ada" });
        let listed = json!({ "schemas": ["…"], "totalResults": 1, "Resources": [ada] });
        let all = [json!([ada]), listed, json!({ "resources": [ada] })];
        for json in all {
            assert_eq!(Population::from_json(json).unwrap().resources, [ada.as_object().unwrap().clone()]);
        }
        let tables = Population::from_json(json!({ "tables": { "departments": { "D-7": {} } } })).unwrap().tables;
        assert_eq!(tables["departments"], json!({ "D-7": {} }));
    }

    #[test]
    fn what_is_no_population_is_refused_by_name() {
        let refused = |json: Value| Population::from_json(json).unwrap_err();
        assert!(refused(json!({ "users": [] })).contains("`users` is no member"));
        assert!(refused(json!("ada")).contains("a list of resources"));
        assert!(refused(json!([7])).contains("this is none: 7"));
        assert!(refused(json!({ "tables": [] })).contains("`tables`"));
    }
}
