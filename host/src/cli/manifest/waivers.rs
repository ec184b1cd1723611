//! The waivers of the file, and where each of their members stands.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use serde_saphyr::Spanned;

/// A waiver by the letter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WaiverEntry {
    constraint: Spanned<String>,
    code: Spanned<String>,
    resource: Option<Spanned<String>>,
    #[serde(rename = "type")]
    resource_type: Option<Spanned<String>>,
    filter: Option<Spanned<String>>,
    until: Spanned<String>,
    ticket: Spanned<String>,
}

/// A waiver that is wanted.
pub(in crate::cli) struct Waiver {
    /// As the administration API takes it.
    pub(in crate::cli) body: Value,
    /// In which line it begins.
    line: u64,
    /// In which line each member is, by the API's names.
    lines: BTreeMap<&'static str, u64>,
}

impl WaiverEntry {
    /// What is wanted; else what makes no sense, whatever the server has.
    pub(super) fn read(self, line: u64) -> Result<Waiver, &'static str> {
        let one_way = matches!(
            (&self.resource, &self.resource_type, &self.filter),
            (Some(_), None, None) | (None, Some(_), Some(_))
        );
        if !one_way {
            return Err("has either a `resource`, or a `type` and a `filter`");
        }
        let members = [
            ("constraint", Some(self.constraint)),
            ("code", Some(self.code)),
            ("resource", self.resource),
            ("resource_type", self.resource_type),
            ("filter", self.filter),
            ("until", Some(self.until)),
            ("ticket", Some(self.ticket)),
        ];
        let (mut body, mut lines) = (Map::new(), BTreeMap::new());
        for (member, value) in members {
            let Some(value) = value else { continue };
            lines.insert(member, value.referenced.line());
            body.insert(member.to_owned(), json!(value.value));
        }
        Ok(Waiver { body: Value::Object(body), line, lines })
    }
}

impl Waiver {
    /// In which line a member is; else in which the waiver begins.
    pub(super) fn line(&self, member: Option<&str>) -> u64 {
        member.and_then(|member| self.lines.get(member)).copied().unwrap_or(self.line)
    }
}
