//! What constraints, tables and waivers are to be, as it is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::constraints::{empty_object, mode, on_fault};
use crate::http::problem::Problem;
use crate::http::tenants::check_name;
use crate::http::waivers::NewWaiverBody;
use crate::pipeline::activation::{ConstraintRequest, Which};
use crate::pipeline::apply::{Wanted, WantedProblem, WantedWaiver, pointer, waiver_at};

/// What a tenant's constraints, tables and waivers are to be. A part that is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedBody {
    /// The generation of the plan that was seen. `apply` needs it, `plan` does not look at it.
    pub generation: Option<i64>,
    /// Every constraint, by name. Others are removed.
    #[schema(value_type = Option<BTreeMap<String, WantedConstraintBody>>)]
    pub constraints: Option<Named<WantedConstraintBody>>,
    /// Every table, by name. Others are removed.
    #[schema(value_type = Option<BTreeMap<String, WantedTableBody>>)]
    pub tables: Option<Named<WantedTableBody>>,
    /// Every waiver that is to be in force. Others are taken back. One that was made, and whose time has passed since, may still be
    /// here.
    pub waivers: Option<Vec<NewWaiverBody>>,
    /// Whether what is not named stays, too.
    #[serde(default)]
    pub keep_others: bool,
}

/// A constraint that is wanted: its component by exactly one of `version`, `tag` and `digest`, the rest as it is set one by one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedConstraintBody {
    /// The plugin; the constraint's name, if absent.
    pub plugin: Option<String>,
    /// Which version of it.
    pub version: Option<u32>,
    /// The tag that a version was pushed with; the newest of those that were.
    pub tag: Option<String>,
    /// SHA-256 of the component of that version, in hexadecimal.
    pub digest: Option<String>,
    /// Settings, as the plugin's schema describes them.
    #[serde(default = "empty_object")]
    pub settings: Value,
    /// What it may read and edit; if absent, exactly what the plugin asks for.
    pub grants: Option<Value>,
    /// `enforce` (the default), `warn`, `shadow` or `off`.
    pub mode: Option<String>,
    /// `deny` (the default) or `allow`.
    pub on_fault: Option<String>,
    /// Place among the tenant's constraints.
    #[serde(default)]
    pub order: i32,
}

/// A table that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedTableBody {
    /// The digest of its contents, which the server has: sent ahead, or of a revision that is kept.
    pub digest: String,
}

/// Members of an object, none of them twice.
#[derive(Debug)]
pub struct Named<T>(BTreeMap<String, T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NamedVisitor(PhantomData))
    }
}

struct NamedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for NamedVisitor<T> {
    type Value = Named<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object by name")
    }

    /// A map of the standard library would take the last of two with one name.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
        let mut named = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            if named.contains_key(&name) {
                return Err(A::Error::custom(format!("`{name}` is there twice")));
            }
            let value = map.next_value()?;
            named.insert(name, value);
        }
        Ok(Named(named))
    }
}

impl WantedBody {
    /// What of it makes sense by itself, and what is wrong with the rest.
    pub(super) fn read(self) -> (Wanted, Vec<WantedProblem>) {
        let mut problems = Vec::new();
        let mut unread = BTreeSet::new();
        let constraints = self.constraints.map(|Named(constraints)| {
            let read = |(name, body): (String, WantedConstraintBody)| match body.read(&name) {
                Ok(request) => Some((name, request)),
                Err(wrong) => {
                    problems.extend(wrong);
                    unread.insert(name);
                    None
                }
            };
            constraints.into_iter().filter_map(read).collect()
        });
        let tables: Option<BTreeMap<_, _>> =
            self.tables.map(|Named(tables)| tables.into_iter().map(|(name, body)| (name, body.digest)).collect());
        for name in tables.iter().flatten().map(|(name, _)| name) {
            problems.extend(named("table", name).err().map(|message| at(&["tables", name], message)));
        }
        let waivers = self.waivers.map(|waivers| {
            // Of what is wrong with its constraint a waiver is not told.
            let readable = waivers.into_iter().enumerate().filter(|(_, waiver)| !unread.contains(&waiver.constraint));
            readable.filter_map(|(place, waiver)| waiver_of(place, waiver, &mut problems)).collect()
        });
        (Wanted { constraints, tables, waivers, keep_others: self.keep_others }, problems)
    }
}

fn waiver_of(place: usize, body: NewWaiverBody, problems: &mut Vec<WantedProblem>) -> Option<WantedWaiver> {
    match body.read() {
        Ok(request) => Some(WantedWaiver { place, request }),
        Err(wrong) => {
            let located = wrong
                .into_iter()
                .map(|one| WantedProblem { pointer: waiver_at(place, Some(one.member)), message: one.message });
            problems.extend(located);
            None
        }
    }
}

impl WantedConstraintBody {
    fn read(self, name: &str) -> Result<ConstraintRequest, Vec<WantedProblem>> {
        let which = match (self.version, self.tag, self.digest) {
            (Some(version), None, None) => Ok(Which::Numbered(version)),
            (None, Some(tag), None) => Ok(Which::Tagged(tag)),
            (None, None, Some(digest)) => Ok(Which::Digest(digest)),
            _ => Err("a constraint has exactly one of `version`, `tag` and `digest`".to_owned()),
        };
        let (mode, on_fault) = (mode(self.mode.as_deref()), on_fault(self.on_fault.as_deref()));
        match (named("constraint", name), which, mode, on_fault) {
            (Ok(()), Ok(version), Ok(mode), Ok(on_fault)) => Ok(ConstraintRequest {
                plugin: self.plugin.unwrap_or_else(|| name.to_owned()),
                version,
                settings: self.settings,
                grants: self.grants,
                mode,
                on_fault,
                order: self.order,
            }),
            (named, which, mode, on_fault) => {
                let wrong =
                    [named.err(), which.err()].map(|wrong| wrong.map(|message| at(&["constraints", name], message)));
                let mode = mode.err().map(|message| at(&["constraints", name, "mode"], message));
                let on_fault = on_fault.err().map(|message| at(&["constraints", name, "on_fault"], message));
                Err(wrong.into_iter().chain([mode, on_fault]).flatten().collect())
            }
        }
    }
}

fn named(what: &str, name: &str) -> Result<(), String> {
    check_name(what, name).map_err(|problem| match problem {
        Problem::Told { detail, .. } => detail,
        Problem::Internal(cause) => cause.to_string(),
    })
}

fn at(members: &[&str], message: String) -> WantedProblem {
    WantedProblem { pointer: pointer(members), message }
}
