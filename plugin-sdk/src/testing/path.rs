//! SCIM paths over JSON: `emails[type eq "work"].value`, `urn:…:User:manager.value`. A leaf of the test double.

use serde_json::{Map, Value as Json};

use super::filter::{Cursor, Filter};

/// The attributes of RFC 7643 that have several values, in lower case.
const SEVERAL: [&str; 10] = [
    "emails",
    "phonenumbers",
    "ims",
    "photos",
    "addresses",
    "groups",
    "entitlements",
    "roles",
    "x509certificates",
    "members",
];

/// An attribute path of RFC 7644, figure 3, with an optional value filter and sub-attribute.
#[derive(Debug, Clone)]
pub(super) struct Path {
    /// As it was written, without filter and sub-attribute: `urn:…:User` may be a whole extension.
    pub(super) written: String,
    pub(super) urn: Option<String>,
    pub(super) attribute: String,
    pub(super) filter: Option<Box<Filter>>,
    pub(super) sub: Option<String>,
}

impl Path {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut cursor = Cursor::new(text);
        let path = Self::parse_from(&mut cursor)?;
        cursor.end()?;
        Ok(path)
    }

    pub(super) fn parse_from(cursor: &mut Cursor<'_>) -> Result<Self, String> {
        let written = cursor.name()?.to_owned();
        let (urn, name) = match written.rsplit_once(':') {
            Some((urn, name)) => (Some(urn.to_owned()), name),
            None => (None, written.as_str()),
        };
        let (attribute, mut sub) = match name.split_once('.') {
            Some((attribute, sub)) => (attribute.to_owned(), Some(sub.to_owned())),
            None => (name.to_owned(), None),
        };
        let mut filter = None;
        if cursor.take("[") {
            filter = Some(Box::new(Filter::parse_from(cursor)?));
            if !cursor.take("]") {
                return Err(cursor.expected("`]`"));
            }
            if cursor.take(".") {
                sub = Some(cursor.name()?.to_owned());
            }
        }
        if attribute.is_empty() || sub.as_ref().is_some_and(|sub| sub.is_empty() || sub.contains(['.', ':'])) {
            return Err(format!("`{written}` is not an attribute path"));
        }
        Ok(Self { written, urn, attribute, filter, sub })
    }

    /// The attribute in lower case, without value filter: what grants are about.
    pub(super) fn name(&self) -> String {
        let extension = self.urn.as_ref().filter(|urn| !is_core(urn));
        let prefix = extension.map(|urn| format!("{urn}:")).unwrap_or_default();
        let sub = self.sub.as_ref().map(|sub| format!(".{sub}")).unwrap_or_default();
        format!("{prefix}{}{sub}", self.attribute).to_lowercase()
    }

    /// Whether it leads to or into an attribute that has several values by RFC 7643. Of custom schemas the double knows
    /// nothing.
    pub(super) fn is_several(&self) -> bool {
        SEVERAL.contains(&self.attribute.to_lowercase().as_str())
    }

    /// Whether two spellings that differ in case are two values. RFC 7643, 3.1 and 7: `id`, `externalId` and references.
    pub(super) fn is_case_exact(&self) -> bool {
        let last = self.sub.as_ref().unwrap_or(&self.attribute);
        ["id", "externalid", "$ref"].contains(&last.to_lowercase().as_str())
    }

    /// Every value that the path selects. An attribute with several values gives each.
    pub(super) fn select<'a>(&self, document: &'a Map<String, Json>) -> Result<Vec<&'a Json>, String> {
        if self.urn.is_some()
            && let Some(extension) = get(document, &self.written)
        {
            return Ok(vec![extension]);
        }
        let container = match &self.urn {
            None => Some(document),
            Some(urn) => match get(document, urn) {
                Some(extension) => extension.as_object(),
                None => is_core(urn).then_some(document),
            },
        };
        let Some(value) = container.and_then(|container| get(container, &self.attribute)) else {
            return Ok(Vec::new());
        };
        let mut selected = Vec::new();
        for element in elements(value) {
            if let Some(filter) = &self.filter
                && !filter.holds_of_element(element)?
            {
                continue;
            }
            match &self.sub {
                None => selected.push(element),
                Some(sub) => {
                    selected.extend(
                        element.as_object().and_then(|complex| get(complex, sub)).into_iter().flat_map(elements),
                    );
                }
            }
        }
        Ok(selected)
    }
}

/// RFC 7643, 2.1: attribute names are case-insensitive; 2.5: a null or an empty array is no value.
pub(super) fn get<'a>(object: &'a Map<String, Json>, name: &str) -> Option<&'a Json> {
    let value =
        object.get(name).or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v));
    value.filter(|value| !value.is_null())
}

pub(super) fn elements(value: &Json) -> &[Json] {
    match value {
        Json::Array(values) => values,
        single => std::slice::from_ref(single),
    }
}

pub(super) fn is_core(urn: &str) -> bool {
    urn.to_lowercase().starts_with("urn:ietf:params:scim:schemas:core:2.0:")
}
