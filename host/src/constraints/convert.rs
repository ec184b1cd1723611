//! WIT ↔ ours. What comes from a guest is checked here and nowhere else: sizes, alphabets, keywords.
//!
//! A text that explains (a message, a path of a reason, a note) is cut when it is too long, and never a fault: the client
//! chooses the values that such texts tell of, and where faults allow, a fault is a rule switched off.

use serde_json::{Number, Value};

use crate::change::Action;
use crate::decision::{ConstraintFault, Hold, Reason, Verdict};
use crate::scim::error::ScimType;

use super::bindings::scruple::constraint::types;
use super::canonical_json;
use super::limits::Limits;

/// One value of an attribute, as a guest reads it.
pub(super) fn value_to_wit(value: &Value) -> types::Value {
    match value {
        Value::String(text) => types::Value::Text(text.clone()),
        Value::Bool(flag) => types::Value::Boolean(*flag),
        Value::Number(number) => number_to_wit(number),
        Value::Null | Value::Array(_) | Value::Object(_) => types::Value::Complex(canonical_json::to_text(value)),
    }
}

/// Integers beyond 64 bits with a sign travel as decimals, like everything with a fraction.
fn number_to_wit(number: &Number) -> types::Value {
    match number.as_i64() {
        Some(integer) => types::Value::Integer(integer),
        None => types::Value::Decimal(number.as_f64().unwrap_or(f64::NAN)),
    }
}

/// How many bytes of a guest's memory a value fills, near enough for a budget.
pub(super) fn value_bytes(value: &types::Value) -> usize {
    match value {
        types::Value::Text(text) | types::Value::Complex(text) => text.len(),
        types::Value::Boolean(_) | types::Value::Integer(_) | types::Value::Decimal(_) => 8,
    }
}

pub(super) fn action_to_wit(action: Action) -> types::Action {
    match action {
        Action::Create => types::Action::Create,
        Action::Update => types::Action::Update,
        Action::Delete => types::Action::Delete,
    }
}

impl From<types::Action> for super::descriptor::DescribedAction {
    fn from(action: types::Action) -> Self {
        match action {
            types::Action::Create => Self::Create,
            types::Action::Update => Self::Update,
            types::Action::Delete => Self::Delete,
            types::Action::Assess => Self::Assess,
        }
    }
}

/// A guest's verdict, if it is one that the contract allows.
pub(super) fn verdict_from_wit(verdict: types::Verdict, limits: &Limits) -> Result<Verdict, ConstraintFault> {
    match verdict {
        types::Verdict::Allow => Ok(Verdict::Allow),
        types::Verdict::NotApplicable => Ok(Verdict::NotApplicable),
        types::Verdict::Deny(reasons) => Ok(Verdict::Deny(reasons_from_wit("denial", reasons, limits)?)),
        types::Verdict::Hold(hold) => Ok(Verdict::Hold(Hold {
            reasons: reasons_from_wit("hold", hold.reasons, limits)?,
            not_before_seconds: hold.not_before_seconds,
            expires_after_seconds: hold.expires_after_seconds,
        })),
    }
}

fn reasons_from_wit(what: &str, reasons: Vec<types::Reason>, limits: &Limits) -> Result<Vec<Reason>, ConstraintFault> {
    if reasons.is_empty() {
        return Err(bad_output(format!("a {what} without a reason")));
    }
    check_count(what, reasons.len(), limits.reasons_max, "reasons")?;
    reasons.into_iter().map(|reason| reason_from_wit(reason, limits)).collect()
}

/// A guest's reason, if it is one that the contract allows.
pub(super) fn reason_from_wit(reason: types::Reason, limits: &Limits) -> Result<Reason, ConstraintFault> {
    check_code("code of a reason", &reason.code, limits)?;
    check_count("reason", reason.paths.len(), limits.reason_paths_max, "paths")?;
    let scim_type = match reason.scim_type {
        None => None,
        Some(text) => Some(
            ScimType::parse(&text)
                .ok_or_else(|| bad_output(format!("`{}` is no scimType of RFC 7644 table 9", excerpt(&text))))?,
        ),
    };
    let message = cut(reason.message, limits.message_bytes_max);
    let paths = reason.paths.into_iter().map(|path| cut(path, limits.path_bytes_max)).collect();
    Ok(Reason { code: reason.code, message, paths, scim_type })
}

/// How many bytes of text a reason has.
pub(super) fn reason_bytes(reason: &Reason) -> usize {
    let paths: usize = reason.paths.iter().map(String::len).sum();
    reason.code.len().saturating_add(reason.message.len()).saturating_add(paths)
}

/// A guest's note, if it is one that the contract allows.
pub(super) fn note_from_wit(key: String, value: String, limits: &Limits) -> Result<(String, String), ConstraintFault> {
    if key.is_empty() || key.chars().any(char::is_control) {
        return Err(bad_output(format!("the key of a note `{}` is empty or has control characters", excerpt(&key))));
    }
    Ok((cut(key, limits.note_key_bytes_max), cut(value, limits.note_bytes_max)))
}

/// A guest's error message.
pub(super) fn message_from_wit(message: String, limits: &Limits) -> String {
    cut(message, limits.message_bytes_max)
}

/// The text, or as much of it as there is room for, with `…` for the rest.
fn cut(mut text: String, bytes_max: usize) -> String {
    const REST: char = '…';
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max.saturating_sub(REST.len_utf8())));
        text.push(REST);
    }
    text
}

pub(super) fn bad_output(detail: impl Into<String>) -> ConstraintFault {
    ConstraintFault::BadOutput { detail: detail.into() }
}

fn check_code(what: &str, code: &str, limits: &Limits) -> Result<(), ConstraintFault> {
    check_bytes(what, code, limits.code_bytes_max)?;
    if !Reason::is_code(code) {
        let shown = excerpt(code);
        return Err(bad_output(format!(
            "the {what} `{shown}` is not made of lower-case letters, digits, `-`, `_`, `.`"
        )));
    }
    Ok(())
}

fn check_bytes(what: &str, text: &str, bytes_max: usize) -> Result<(), ConstraintFault> {
    if text.len() > bytes_max {
        return Err(bad_output(format!("a {what} of {} bytes, more than the limit of {bytes_max}", text.len())));
    }
    Ok(())
}

pub(super) fn check_count(what: &str, count: usize, most: usize, of: &str) -> Result<(), ConstraintFault> {
    if count > most {
        return Err(bad_output(format!("a {what} with {count} {of}, more than the limit of {most}")));
    }
    Ok(())
}

/// The beginning of a text that a message shows.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
}
