//! PATCH (RFC 7644 §3.5.2): from a request to the attributes that a resource has afterwards.
//!
//! Start at [`request`] (the message) and [`apply`] (what it does). All operations are applied to a copy, one after the
//! other, so a request takes effect whole or not at all (§3.5.2: "MUST be treated as atomic"). Members are not touched:
//! they become [`MemberEdit`]s.
//!
//! What clients send beyond the RFC, and what is made of it:
//! * a value without a path whose keys are paths (`name.givenName`, `urn:…:User:department`,
//!   `emails[type eq "work"].value`): each key is an operation of its own. Read-only ones among them are passed over, as
//!   in any body; a read-only attribute as `path` is refused.
//! * a path with a filter and a sub-attribute that selects nothing yet: the value is made from the filter, if the filter
//!   says nothing but what it is equal to (Entra ID; §3.5.2.3 has `noTarget`).
//! * `remove` with a `value`: only those values (Entra ID, for members); the RFC knows no value there, and to remove
//!   everything instead would be the worst misunderstanding possible.

mod add;
mod members;
mod remove;
mod replace;
pub mod request;
mod target;
pub(crate) mod work;

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use crate::scim::error::ScimError;
use crate::scim::members::MemberEdit;
use crate::scim::normalize::value::{Place, check_members, each_once, normalize_value};
use crate::scim::normalize::{keep_secret, once, secret_parts};
use crate::scim::path::Path;
use crate::scim::reading::Reading;
use crate::scim::resource::{Attributes, Resource};
use crate::scim::schema::{Attribute, Mutability, Storage, Type};
use crate::scim::secret::{self, SecretEdit, is_secret};
use crate::scim::violation::{Characteristic, Violation};

pub use request::{OperationKind, PatchOperation, named_ids, parse};
use target::Target;
pub use work::Work;

/// What a PATCH comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Patched {
    /// The attributes afterwards, canonical but not yet [validated](crate::scim::validate).
    pub attributes: Attributes,
    /// Edits of the attribute kept as rows, in the order of the request.
    pub member_edits: Vec<MemberEdit>,
    /// The secrets that are set or taken away.
    pub secrets: Vec<SecretEdit>,
}

/// Applies the operations in their order. The first that fails fails all.
pub fn apply(reading: Reading<'_>, resource: &Resource, operations: &[PatchOperation]) -> Result<Patched, ScimError> {
    apply_each(reading, resource, operations, &mut Work::of_a_request()).map_err(|(_, error)| error)
}

/// The same, with what the work may still cost; of the operation that fails it is told which one it is.
pub fn apply_each(
    reading: Reading<'_>,
    resource: &Resource,
    operations: &[PatchOperation],
    work: &mut Work,
) -> Result<Patched, (usize, ScimError)> {
    let patched = Patched { attributes: resource.attributes.clone(), member_edits: Vec::new(), secrets: Vec::new() };
    let mut patch = Patch { reading, resource, patched, keys: 0, members: 0, work };
    for (at, operation) in operations.iter().enumerate() {
        patch.apply(operation).map_err(|error| (at, error))?;
    }
    patch.patched.attributes.values_mut().for_each(settle);
    Ok(patch.patched)
}

/// Values that have become the same are one: what is written to all of them, or taken from them, may have been all that
/// told them apart.
fn settle(value: &mut Value) {
    match value {
        Value::Array(values) => each_once(values),
        Value::Object(object) => object.values_mut().for_each(settle),
        _ => {}
    }
}

struct Patch<'r> {
    reading: Reading<'r>,
    resource: &'r Resource,
    patched: Patched,
    /// How many keys of values without a path there were.
    keys: usize,
    /// How many members were named.
    members: usize,
    work: &'r mut Work,
}

impl Patch<'_> {
    fn apply(&mut self, operation: &PatchOperation) -> Result<(), ScimError> {
        match (operation.kind, &operation.path) {
            (OperationKind::Remove, Some(path)) => self.remove(path, operation.value.as_ref()),
            (OperationKind::Remove, None) => Err(remove::without_path()),
            (kind, Some(path)) => self.write(kind, path, operation.value()?),
            (kind, None) => self.write_each(kind, "", operation.value()?),
        }
    }

    /// A value without a path, or that of a whole extension: each of its keys is a path (after the prefix).
    fn write_each(&mut self, kind: OperationKind, prefix: &str, value: &Value) -> Result<(), ScimError> {
        let Value::Object(object) = value else {
            return Err(ScimError::invalid_value("without a path to an attribute, the value must be an object"));
        };
        // Each is as much work as an operation.
        self.keys += object.len();
        let max = self.reading.limits.operations_max;
        if self.keys > max {
            return Err(ScimError::too_many(format!(
                "the values of operations without a path have {} keys; the limit is {max}",
                self.keys
            )));
        }
        let mut paths: Vec<(Path, &Value)> = Vec::with_capacity(object.len());
        for (key, value) in object {
            // Some clients name the schema once more inside the object of an extension.
            if !prefix.is_empty() && key.eq_ignore_ascii_case("schemas") {
                continue;
            }
            match Path::parse_with(&format!("{prefix}{key}"), self.reading) {
                Ok(path) => paths.push((path, value)),
                // `"$ref": null` and the like.
                Err(_) if value.is_null() => {}
                Err(error) if self.reading.is_lenient() && error.is_unknown() => {}
                Err(error) => return Err(ScimError::invalid_value(error.to_string())),
            }
        }
        let names: Vec<String> = paths.iter().map(|(path, _)| path.to_string()).collect();
        let mut seen = Vec::with_capacity(names.len());
        for ((path, value), name) in paths.iter().zip(&names) {
            once(&mut seen, name)?;
            if !is_read_only(path) {
                self.write(kind, path, value)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, kind: OperationKind, path: &Path, value: &Value) -> Result<(), ScimError> {
        if is_read_only(path) {
            return Err(self.read_only(path, Some(value)));
        }
        match &path.extension {
            Some(extension) if path.attribute.is_none() => {
                if value.is_null() {
                    return self.remove(path, None);
                }
                let prefix = format!("{}:", extension.id);
                return self.write_each(kind, &prefix, value);
            }
            _ => {}
        }
        if path.attribute_storage() == Storage::Rows {
            return self.edit_members(members::write(self.reading, kind, path, value)?);
        }
        if let Some(secret) = secret_at(path) {
            if kind == OperationKind::Add && value.is_null() {
                return Ok(());
            }
            let name = path.to_string();
            let place = Place::of(&name);
            let normal = normalize_value(self.reading, secret, target::unwrapped(secret, value), place)?;
            keep_secret(&mut self.patched.secrets, place, normal.as_ref());
            return Ok(());
        }
        if let (Some(attribute), None) = (path.attribute.as_deref(), path.sub_attribute.as_ref()) {
            let name = path.to_string();
            secret_parts(self.reading, &mut self.patched.secrets, attribute, value, Place::of(&name))?;
        }
        if value.is_null() || is_empty_list_for_one(path, value) {
            // RFC 7643 §2.5: `null` is "no value". Nothing to add; for a replacement: nothing afterwards.
            return if kind == OperationKind::Add { Ok(()) } else { self.remove_values(path, None, true) };
        }
        let target = self.target(path)?;
        match kind {
            OperationKind::Replace => replace::replace(target, value),
            _ => add::add(target, value),
        }
    }

    fn remove(&mut self, path: &Path, value: Option<&Value>) -> Result<(), ScimError> {
        if is_read_only(path) {
            return Err(self.read_only(path, None));
        }
        if path.attribute_storage() == Storage::Rows {
            return self.edit_members(members::remove(self.reading, path, value)?);
        }
        if secret_at(path).is_some() {
            secret::note(&mut self.patched.secrets, path.to_string(), None);
            return Ok(());
        }
        self.remove_values(path, value, false)
    }

    /// The members that all operations together name are limited like those of one.
    fn edit_members(&mut self, edit: Option<MemberEdit>) -> Result<(), ScimError> {
        self.members = self.members.saturating_add(edit.as_ref().map_or(0, |edit| edit.ids().len()));
        check_members(self.reading, self.members)?;
        self.patched.member_edits.extend(edit);
        Ok(())
    }

    fn read_only(&self, path: &Path, after: Option<&Value>) -> ScimError {
        let mut violation = Violation::new(path.to_string(), Characteristic::Mutability);
        if let Some(leaf) = path.leaf() {
            let mut values: Vec<Value> = path.select(self.resource).into_iter().map(Cow::into_owned).collect();
            let before = if values.len() > 1 { Some(Value::Array(values)) } else { values.pop() };
            violation = violation.before(leaf, before.as_ref()).after(leaf, after);
        }
        ScimError::mutability(format!("`{path}` is read-only")).about(violation)
    }

    fn target<'t>(&'t mut self, path: &'t Path) -> Result<Target<'t>, ScimError> {
        Target::new(self.reading, &mut self.patched.attributes, self.work, path)
    }

    fn remove_values(&mut self, path: &Path, value: Option<&Value>, absent_is_fine: bool) -> Result<(), ScimError> {
        match (&path.extension, &path.attribute) {
            (Some(extension), None) => {
                self.patched.attributes.remove(&extension.id);
                Ok(())
            }
            _ => {
                let target = self.target(path)?;
                remove::remove(target, value, absent_is_fine)
            }
        }
    }
}

/// The attribute that the path leads to, if its values are secrets that are handed over.
fn secret_at(path: &Path) -> Option<&Attribute> {
    let attribute = path.attribute.as_deref()?;
    let whole = path.filter.is_none() && (path.sub_attribute.is_none() || !attribute.multi_valued);
    path.leaf().map(|leaf| &**leaf).filter(|leaf| whole && is_secret(leaf))
}

/// `[]` for a complex attribute of one value, which clients give as a list: like `null`, it is no value.
fn is_empty_list_for_one(path: &Path, value: &Value) -> bool {
    let takes_lists = path.leaf().is_some_and(|leaf| leaf.kind == Type::Complex && !leaf.multi_valued);
    takes_lists && value.as_array().is_some_and(Vec::is_empty)
}

fn is_read_only(path: &Path) -> bool {
    let read_only = |attribute: &Arc<Attribute>| attribute.mutability == Mutability::ReadOnly;
    path.attribute.as_ref().is_some_and(read_only) || path.sub_attribute.as_ref().is_some_and(read_only)
}

#[cfg(test)]
mod tests;
