//! [`Rewrite`]: what a rewriter has changed, from what to what, as the log has it.

use serde::Serialize;
use serde_json::Value;

use crate::change::Difference;
use crate::scim::violation::bounded;

/// What a rewriter has changed of the state after; under `warn` and `shadow`, what it would have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// By path. A value longer than [`VALUE_BYTES_MAX`](crate::scim::violation::VALUE_BYTES_MAX) is cut, with `…` at the
    /// end: how long values are is the client's choice, and must not keep a rewriter from its work.
    pub changes: Vec<Rewritten>,
    /// How many more there are, for which the log has no room.
    pub omitted: usize,
}

/// One value that a rewriter has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rewritten {
    /// Canonical path, as that of a difference.
    pub path: String,
    /// In the state that the rewriter saw; `None` where there was no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// In the state that it left; `None` where there is no value any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

impl Rewrite {
    /// Of what differs between the state that a rewriter saw and the one that it left: as many as have room in so many
    /// bytes.
    pub fn of(differences: Vec<Difference>, bytes_max: usize) -> Self {
        let total = differences.len();
        let mut bytes = 0_usize;
        let changes: Vec<Rewritten> = differences
            .into_iter()
            .map(|Difference { path, before, after, .. }| Rewritten {
                path,
                before: before.map(bounded),
                after: after.map(bounded),
            })
            .take_while(|change| {
                let values = [&change.before, &change.after].into_iter().flatten();
                let of_values: usize = values.map(|value| value.to_string().len()).sum();
                bytes = bytes.saturating_add(change.path.len()).saturating_add(of_values);
                bytes <= bytes_max
            })
            .collect();
        Self { omitted: total.saturating_sub(changes.len()), changes }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::path::AttributeRef;
    use crate::scim::schema::SchemaRegistry;

    fn titled(length: usize) -> Difference {
        let registry = SchemaRegistry::core();
        let attribute = AttributeRef::parse("title", registry.resource_type("User").unwrap()).unwrap();
        Difference { path: "title".into(), attribute, before: Some(json!("x".repeat(length))), after: Some(json!("x")) }
    }

    #[test]
    fn a_long_value_is_cut_and_what_has_no_room_is_counted() {
        let rewrite = Rewrite::of(vec![titled(3), titled(5_000), titled(7)], 1_060);
        let before = |at: usize| rewrite.changes[at].before.as_ref().and_then(Value::as_str).unwrap();
        assert_eq!((rewrite.changes.len(), rewrite.omitted), (2, 1));
        assert_eq!(before(0), "xxx");
        assert!(before(1).ends_with("x…") && before(1).len() < 1_030, "{}", before(1).len());
    }
}
