//! The host's side of the contract over JSON in memory: the counterpart of `guest.rs` for native tests.
//!
//! Functions such as `directory::find` are free functions, as in the sandbox, so the tenant that they ask is the one
//! that this thread has entered.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::differences::differences;
use super::filter::{Filter, names_of};
use super::path::{Path, elements, get};
use crate::constraint::About;
use crate::document::{ReadError, Value};
use crate::log::Level;
use crate::operation::{Action, Actor, Difference};
use crate::verdict::Reason;

thread_local! {
    static ENTERED: RefCell<Option<Tenant>> = const { RefCell::new(None) };
}

/// Everything around the operation, what of it is granted, and what was recorded.
#[derive(Debug)]
pub(super) struct Tenant {
    resources: Vec<(String, Map<String, Json>)>,
    tables: Vec<(String, Map<String, Json>)>,
    reads_granted: Vec<String>,
    capabilities: Vec<String>,
    recorded: Recorded,
}

#[derive(Debug, Default)]
pub(super) struct Recorded {
    pub(super) reads: Vec<String>,
    pub(super) warnings: Vec<Reason>,
    pub(super) notes: Vec<(String, String)>,
    pub(super) log: Vec<String>,
}

/// That this thread is in a tenant; leaving it gives what was recorded.
pub(super) struct Entered;

impl Entered {
    #[expect(clippy::unused_self, reason = "the value is the proof that somebody entered")]
    pub(super) fn leave(self) -> Recorded {
        ENTERED.take().map(|tenant| tenant.recorded).unwrap_or_default()
    }
}

impl Tenant {
    pub(super) fn new(
        about: &About,
        mut resources: Vec<(String, Map<String, Json>)>,
        tables: Vec<(String, Map<String, Json>)>,
    ) -> Self {
        resources.sort_by_key(|(_, resource)| id_of(resource).unwrap_or_default().to_owned());
        let reads_granted = about.reads.iter().map(|path| Path::parse(path).map_or(path.to_lowercase(), |p| p.name()));
        let mut tenant = Self {
            reads_granted: reads_granted.collect(),
            capabilities: about.capabilities.clone(),
            resources,
            tables,
            recorded: Recorded::default(),
        };
        let groups = tenant.resources.clone();
        for (name, resource) in &mut tenant.resources {
            derive_groups(name, resource, &groups);
        }
        tenant
    }

    pub(super) fn enter(self) -> Entered {
        ENTERED.set(Some(self));
        Entered
    }

    fn is_granted(&self, name: &str) -> bool {
        let covers = |grant: &String| {
            name.strip_prefix(grant.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ':']))
        };
        // The id is how the operation is addressed; it is no secret from who judges it.
        self.reads_granted.is_empty() || name == "id" || self.reads_granted.iter().any(covers)
    }

    fn check_names(&self, names: &[String]) -> Result<(), ReadError> {
        match names.iter().find(|name| !self.is_granted(name)) {
            None => Ok(()),
            Some(name) => Err(ReadError::NotGranted(format!("`{name}` is not among the declared reads"))),
        }
    }

    fn check_capability(&self, kind: &str, name: &str) -> Result<(), ReadError> {
        let wanted = format!("{kind}:{name}");
        let any_table = kind == "tables" && self.capabilities.iter().any(|asked| asked == "tables:*");
        if any_table || self.capabilities.contains(&wanted) {
            return Ok(());
        }
        Err(ReadError::NotGranted(format!("`{wanted}` is not among the declared capabilities")))
    }
}

/// Whether a rewriter that declares so may edit the path: what it leads to, and what its value filter compares.
pub(super) fn check_write(about: &About, path: &str) -> Result<(), String> {
    let path = Path::parse(path)?;
    let mut names = Vec::new();
    names_of(&path, "", &mut names);
    let declared: Vec<String> =
        about.writes.iter().map(|path| Path::parse(path).map_or(path.to_lowercase(), |path| path.name())).collect();
    let covers = |name: &String| {
        declared.iter().any(|declared| {
            declared == "*"
                || name
                    .strip_prefix(declared.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ':']))
        })
    };
    match names.iter().find(|name| !covers(name)) {
        None => Ok(()),
        Some(name) => Err(format!("not granted: `{name}` is not among the declared writes")),
    }
}

/// `groups` of a user is read-only and follows from the members of groups.
fn derive_groups(resource_type: &str, user: &mut Map<String, Json>, resources: &[(String, Map<String, Json>)]) {
    let Some(id) = id_of(user).map(str::to_owned).filter(|_| resource_type == "User") else { return };
    let groups: Vec<Json> = resources
        .iter()
        .filter(|(name, group)| name == "Group" && member_ids(group).any(|member| member == id))
        .map(|(_, group)| {
            serde_json::json!({ "value": id_of(group), "display": get(group, "displayName"), "type": "direct" })
        })
        .collect();
    user.insert("groups".to_owned(), Json::Array(groups));
}

fn id_of(resource: &Map<String, Json>) -> Option<&str> {
    get(resource, "id").and_then(Json::as_str)
}

fn member_ids(group: &Map<String, Json>) -> impl Iterator<Item = &str> {
    let members = get(group, "members").map(elements).unwrap_or_default();
    members.iter().filter_map(|member| member.get("value").and_then(Json::as_str))
}

/// The operation under test.
#[derive(Debug)]
pub(crate) struct Operation {
    action: Action,
    resource_type: String,
    actor: Actor,
    time_ms: u64,
    before: Option<Map<String, Json>>,
    after: Option<Map<String, Json>>,
}

impl Operation {
    pub(super) fn new(
        (action, resource_type): (Action, &str),
        (actor, time_ms): (Actor, u64),
        states: [Option<Map<String, Json>>; 2],
        tenant: &Tenant,
    ) -> Self {
        let [before, after] = states.map(|state| {
            state.map(|mut state| {
                derive_groups(resource_type, &mut state, &tenant.resources);
                state
            })
        });
        Self { action, resource_type: resource_type.to_owned(), actor, time_ms, before, after }
    }

    #[expect(clippy::unused_self, reason = "the same name and form as in the sandbox")]
    pub(crate) fn decision_id(&self) -> String {
        "test-decision".to_owned()
    }

    pub(crate) fn action(&self) -> Action {
        self.action
    }

    pub(crate) fn resource_type(&self) -> String {
        self.resource_type.clone()
    }

    pub(crate) fn actor(&self) -> Actor {
        self.actor.clone()
    }

    pub(crate) fn time_ms(&self) -> u64 {
        self.time_ms
    }

    pub(crate) fn before(&self) -> Option<Document> {
        self.document("before", self.before.as_ref())
    }

    pub(crate) fn after(&self) -> Option<Document> {
        self.document("after", self.after.as_ref())
    }

    fn document(&self, name: &str, state: Option<&Map<String, Json>>) -> Option<Document> {
        state.map(|state| Document {
            name: name.to_owned(),
            resource_type: self.resource_type.clone(),
            attributes: state.clone(),
        })
    }

    pub(crate) fn differences(&self, under: Option<&str>) -> Result<Vec<Difference>, ReadError> {
        let all = differences(self.before.as_ref(), self.after.as_ref());
        let name_of = |path: &str| Path::parse(path).map(|path| path.name());
        let Some(under) = under else {
            return read("differences", &[], |tenant| {
                Ok(all.into_iter().filter(|d| name_of(&d.path).is_ok_and(|n| tenant.is_granted(&n))).collect())
            });
        };
        let path = Path::parse(under).map_err(ReadError::Invalid)?;
        if path.filter.is_some() {
            return Err(ReadError::Invalid(format!(
                "`{under}`: native tests know no differences under a value filter"
            )));
        }
        let under = path.name();
        let is_under = |path: &str| {
            name_of(path).is_ok_and(|name| {
                name.strip_prefix(&under).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ':']))
            })
        };
        read(&format!("differences {under}"), std::slice::from_ref(&under), |_| {
            Ok(all.into_iter().filter(|difference| is_under(&difference.path)).collect())
        })
    }

    pub(crate) fn changes(&self, path: &str) -> Result<bool, ReadError> {
        Ok(!self.differences(Some(path))?.is_empty())
    }
}

/// A resource in one state.
#[derive(Debug)]
pub(crate) struct Document {
    name: String,
    resource_type: String,
    attributes: Map<String, Json>,
}

impl Document {
    pub(crate) fn id(&self) -> Option<String> {
        id_of(&self.attributes).map(str::to_owned)
    }

    pub(crate) fn resource_type(&self) -> String {
        self.resource_type.clone()
    }

    pub(crate) fn read(&self, path: &str) -> Result<Option<Value>, ReadError> {
        Ok(self.read_all(path)?.into_iter().next())
    }

    pub(crate) fn read_all(&self, path: &str) -> Result<Vec<Value>, ReadError> {
        self.select(path, |values| values.iter().copied().map(value_of).collect())
    }

    pub(crate) fn has(&self, path: &str) -> Result<bool, ReadError> {
        self.select(path, |values| !values.is_empty())
    }

    pub(crate) fn matches(&self, filter: &str) -> Result<bool, ReadError> {
        let parsed = Filter::parse(filter).map_err(ReadError::Invalid)?;
        let mut names = Vec::new();
        parsed.names("", &mut names);
        read(&format!("{} matches {filter}", self.name), &names, |_| {
            parsed.holds(&self.attributes).map_err(ReadError::Invalid)
        })
    }

    pub(crate) fn json(&self, path: Option<&str>) -> Result<String, ReadError> {
        let Some(path) = path else {
            return read(&self.name, &[], |tenant| {
                let granted = self.attributes.iter().filter(|(name, _)| tenant.is_granted(&name.to_lowercase()));
                let granted: Map<String, Json> = granted.map(|(name, value)| (name.clone(), value.clone())).collect();
                Ok(Json::Object(granted).to_string())
            });
        };
        let is_several = Path::parse(path).is_ok_and(|path| path.is_several());
        self.select(path, |values| match values {
            [] if !is_several => "null".to_owned(),
            [single] if !is_several => single.to_string(),
            several => Json::from_iter(several.iter().copied().cloned()).to_string(),
        })
    }

    fn select<T>(&self, path: &str, then: impl FnOnce(&[&Json]) -> T) -> Result<T, ReadError> {
        let parsed = Path::parse(path).map_err(ReadError::Invalid)?;
        let mut names = Vec::new();
        names_of(&parsed, "", &mut names);
        read(&format!("{} {path}", self.name), &names, |_| {
            parsed.select(&self.attributes).map(|values| then(&values)).map_err(ReadError::Invalid)
        })
    }
}

pub(super) fn value_of(json: &Json) -> Value {
    match json {
        Json::String(text) => Value::Text(text.clone()),
        Json::Bool(flag) => Value::Boolean(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Integer(whole),
            None => Value::Decimal(number.as_f64().unwrap_or(f64::NAN)),
        },
        other => Value::Complex(other.to_string()),
    }
}

/// Records a read and answers it, if all the attributes that it looks at are granted.
fn read<T>(what: &str, names: &[String], answer: impl FnOnce(&Tenant) -> Result<T, ReadError>) -> Result<T, ReadError> {
    with(|tenant| {
        tenant.check_names(names)?;
        tenant.recorded.reads.push(what.to_owned());
        answer(tenant)
    })
    .unwrap_or_else(|| Err(ReadError::Unavailable("nothing can be read outside of `Scenario::check`".to_owned())))
}

fn with<T>(then: impl FnOnce(&mut Tenant) -> T) -> Option<T> {
    ENTERED.with_borrow_mut(|tenant| tenant.as_mut().map(then))
}

pub(crate) fn directory_get(resource_type: &str, id: &str) -> Result<Option<Document>, ReadError> {
    Ok(look_up(&format!("get {resource_type}: {id}"), resource_type, None, |resource| id_of(resource) == Some(id))?
        .pop())
}

pub(crate) fn directory_find(resource_type: &str, filter: &str, limit: u32) -> Result<Vec<Document>, ReadError> {
    let mut found = look_up(&format!("find {resource_type}: {filter}"), resource_type, Some(filter), |_| true)?;
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

pub(crate) fn directory_count(resource_type: &str, filter: &str) -> Result<u64, ReadError> {
    let found = look_up(&format!("count {resource_type}: {filter}"), resource_type, Some(filter), |_| true)?;
    Ok(found.len() as u64)
}

pub(crate) fn directory_is_member(group_id: &str, member_id: &str, transitive: bool) -> Result<bool, ReadError> {
    let members_of = |id: &str| -> Result<Vec<String>, ReadError> {
        let group = look_up(&format!("members of Group: {id}"), "Group", None, |group| id_of(group) == Some(id))?;
        Ok(group.iter().flat_map(|group| member_ids(&group.attributes)).map(str::to_owned).collect())
    };
    let mut seen = BTreeSet::new();
    let mut to_see = vec![group_id.to_owned()];
    while let Some(group) = to_see.pop() {
        let members = members_of(&group)?;
        if members.iter().any(|member| member == member_id) {
            return Ok(true);
        }
        if transitive && seen.insert(group) {
            to_see.extend(members.into_iter().filter(|member| !seen.contains(member)));
        }
    }
    Ok(false)
}

fn look_up(
    what: &str,
    resource_type: &str,
    filter: Option<&str>,
    test: impl Fn(&Map<String, Json>) -> bool,
) -> Result<Vec<Document>, ReadError> {
    let filter = filter.map(Filter::parse).transpose().map_err(ReadError::Invalid)?;
    let mut names = Vec::new();
    filter.iter().for_each(|filter| filter.names("", &mut names));
    read(what, &names, |tenant| {
        tenant.check_capability("directory", resource_type)?;
        let mut found = Vec::new();
        for (_, resource) in tenant.resources.iter().filter(|(name, _)| name == resource_type) {
            let holds =
                filter.as_ref().map_or(Ok(true), |filter| filter.holds(resource)).map_err(ReadError::Invalid)?;
            if holds && test(resource) {
                found.push(Document {
                    name: format!("{resource_type}/{}", id_of(resource).unwrap_or_default()),
                    resource_type: resource_type.to_owned(),
                    attributes: resource.clone(),
                });
            }
        }
        Ok(found)
    })
}

pub(crate) fn tables_contains(table: &str, key: &str) -> Result<bool, ReadError> {
    Ok(tables_get(table, key)?.is_some())
}

pub(crate) fn tables_get(table: &str, key: &str) -> Result<Option<String>, ReadError> {
    read(&format!("table {table}: {key}"), &[], |tenant| {
        tenant.check_capability("tables", table)?;
        let (_, rows) = tenant
            .tables
            .iter()
            .find(|(name, _)| name == table)
            .ok_or_else(|| ReadError::Unavailable(format!("the tenant has no table `{table}`")))?;
        Ok(rows.get(key).map(Json::to_string))
    })
}

pub(crate) fn report_warn(reason: Reason) {
    with(|tenant| tenant.recorded.warnings.push(reason));
}

pub(crate) fn report_note(key: &str, value: &str) {
    with(|tenant| tenant.recorded.notes.push((key.to_owned(), value.to_owned())));
}

pub(crate) fn log_write(level: Level, message: &str) {
    with(|tenant| tenant.recorded.log.push(format!("{level:?}: {message}")));
}
