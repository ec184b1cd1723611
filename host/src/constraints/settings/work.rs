//! How much work a JSON Schema can be for whoever validates by it.
//!
//! Its length does not bound that: sixty definitions, each of which refers twice to the next, are 2^60 schemas in 4 KB. What
//! counts is how many are applied along one path through a document, from the whole to its innermost value.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Schemas applied along one path through a document. 20,000: a schema of 64 KiB without references has some 5,000, and
/// one of 100 that refers to itself for what is in it comes to 100 at each of 127 levels. At 40 ns each this is 1 ms for each
/// of the settings' values.
const WORK_MAX: u64 = 20_000;

/// Levels that a document can have: `serde_json` reads no more.
const LEVELS_MAX: usize = 127;

/// Steps of the measuring itself. 2 million: an honest schema needs one for each of its parts and each level that it has
/// there, some ten thousand.
const STEPS_MAX: u64 = 2_000_000;

/// Keywords whose schemas are applied to the value itself.
const IN_PLACE: &[&str] = &["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies"];

/// Keywords whose schemas are applied to what is in the value, and may meet in one element or property.
const INSIDE: &[&str] = &[
    "items",
    "prefixItems",
    "contains",
    "additionalItems",
    "unevaluatedItems",
    "patternProperties",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
];

/// Keywords that hold schemas by name; the others hold a schema or a list of them.
const BY_NAME: &[&str] = &["dependentSchemas", "dependencies", "patternProperties"];

/// Refuses a schema that is too much work, and one in which a reference may lead elsewhere than it seems to.
pub(super) fn check_work(schema: &Value) -> Result<(), String> {
    check_names(schema, true)?;
    let mut measure = Measure { root: schema, known: HashMap::new(), steps: 0 };
    measure.of(schema, LEVELS_MAX).map(|_work| ())
}

/// A schema with a name of its own, inside of another, would have its references start at itself.
fn check_names(value: &Value, is_root: bool) -> Result<(), String> {
    match value {
        Value::Object(members) if !is_root && members.get("$id").is_some_and(Value::is_string) => {
            Err("only the whole may have an `$id`".to_owned())
        }
        Value::Object(members) => members.values().try_for_each(|member| check_names(member, false)),
        Value::Array(elements) => elements.iter().try_for_each(|element| check_names(element, false)),
        _ => Ok(()),
    }
}

struct Measure<'a> {
    root: &'a Value,
    /// Work by schema and levels below it.
    known: HashMap<(*const Value, usize), u64>,
    steps: u64,
}

/// What the schemas of one value apply to what is in it.
#[derive(Default)]
struct Inside<'a> {
    /// To the property of that name alone.
    named: HashMap<&'a str, Vec<&'a Value>>,
    /// To more than one.
    anywhere: Vec<&'a Value>,
}

impl<'a> Measure<'a> {
    /// The most schemas that apply along a path that begins at a value of this schema and goes so many levels down.
    fn of(&mut self, schema: &'a Value, levels: usize) -> Result<u64, String> {
        let key = (std::ptr::from_ref(schema), levels);
        if let Some(work) = self.known.get(&key) {
            return Ok(*work);
        }
        let mut inside = Inside::default();
        let mut work = self.collect(schema, &mut inside)?;
        if let Some(below) = levels.checked_sub(1) {
            let mut most = 0;
            for schemas in inside.named.values() {
                most = most.max(self.sum(schemas, below)?);
            }
            work = work.saturating_add(most).saturating_add(self.sum(&inside.anywhere, below)?);
        }
        if work > WORK_MAX {
            return Err(too_much());
        }
        self.known.insert(key, work);
        Ok(work)
    }

    fn sum(&mut self, schemas: &[&'a Value], levels: usize) -> Result<u64, String> {
        schemas.iter().try_fold(0_u64, |sum, schema| Ok(sum.saturating_add(self.of(schema, levels)?)))
    }

    /// How often a schema is applied to one value: this one, and all that it applies to the same value. Each time counts,
    /// so that this ends for one that refers to itself as well.
    fn collect(&mut self, schema: &'a Value, inside: &mut Inside<'a>) -> Result<u64, String> {
        let mut applied = 0_u64;
        let mut open = vec![schema];
        while let Some(schema) = open.pop() {
            applied = applied.saturating_add(1);
            self.steps = self.steps.saturating_add(1);
            if applied > WORK_MAX || self.steps > STEPS_MAX {
                return Err(too_much());
            }
            if let Value::Object(keywords) = schema {
                self.apply(keywords, &mut open, inside)?;
            }
        }
        Ok(applied)
    }

    fn apply(
        &self,
        keywords: &'a Map<String, Value>,
        open: &mut Vec<&'a Value>,
        inside: &mut Inside<'a>,
    ) -> Result<(), String> {
        // To know what is not evaluated yet, the validator goes through the others once more.
        let unevaluated = ["unevaluatedProperties", "unevaluatedItems"].iter().any(|name| keywords.contains_key(*name));
        let times = if unevaluated { 2 } else { 1 };
        for (keyword, value) in keywords {
            match keyword.as_str() {
                "$ref" => open.extend(std::iter::repeat_n(self.target(value)?, times).flatten()),
                // Where these lead depends on the way that led there.
                "$dynamicRef" | "$recursiveRef" => return Err(format!("`{keyword}` is not supported; use `$ref`")),
                "properties" => {
                    for (name, schema) in value.as_object().into_iter().flatten() {
                        inside.named.entry(name).or_default().push(schema);
                    }
                }
                keyword if IN_PLACE.contains(&keyword) => {
                    (0..times).for_each(|_| open.extend(schemas_of(keyword, value)));
                }
                keyword if INSIDE.contains(&keyword) => inside.anywhere.extend(schemas_of(keyword, value)),
                _ => {}
            }
        }
        Ok(())
    }

    /// What a reference leads to. One that leads nowhere is refused when the schema is compiled.
    fn target(&self, reference: &Value) -> Result<Option<&'a Value>, String> {
        let Some(reference) = reference.as_str() else { return Ok(None) };
        match reference.strip_prefix('#') {
            Some("") => Ok(Some(self.root)),
            Some(pointer) if pointer.starts_with('/') && !pointer.contains('%') => Ok(self.root.pointer(pointer)),
            _ => Err(format!("`{reference}` is no reference of the form `#/$defs/name`")),
        }
    }
}

fn schemas_of<'a>(keyword: &str, value: &'a Value) -> Vec<&'a Value> {
    match value {
        Value::Array(schemas) => schemas.iter().collect(),
        Value::Object(schemas) if BY_NAME.contains(&keyword) => schemas.values().collect(),
        _ => vec![value],
    }
}

fn too_much() -> String {
    format!("with its references followed, more than {WORK_MAX} schemas apply to one value and what is in it")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Definitions of which each refers twice to the next, in this way.
    fn doubling(count: usize, twice: impl Fn(Value) -> Value) -> Value {
        let mut definitions = Map::new();
        for number in 0..count {
            let next = json!({ "$ref": format!("#/$defs/d{}", number + 1) });
            definitions.insert(format!("d{number}"), twice(next));
        }
        definitions.insert(format!("d{count}"), json!({ "type": "object" }));
        json!({ "$ref": "#/$defs/d0", "$defs": definitions })
    }

    #[test]
    fn references_that_double_are_refused_however_they_do_it() {
        let too_much = Err(too_much());
        assert_eq!(check_work(&doubling(60, |next| json!({ "allOf": [next, next] }))), too_much);
        assert_eq!(check_work(&doubling(60, |next| json!({ "not": next, "if": next }))), too_much);
        assert_eq!(
            check_work(&doubling(
                60,
                |next| json!({ "properties": { "a": next }, "patternProperties": { "a": next } })
            )),
            too_much
        );
        assert_eq!(check_work(&doubling(60, |next| json!({ "items": next, "contains": next }))), too_much);
        assert_eq!(
            check_work(&doubling(60, |next| json!({ "allOf": [next], "unevaluatedProperties": false }))),
            too_much
        );
        let itself = json!({ "allOf": [{ "items": { "$ref": "#" } }, { "items": { "$ref": "#" } }] });
        assert_eq!(check_work(&itself), too_much);
        assert_eq!(check_work(&json!({ "$ref": "#" })), too_much);
        assert_eq!(check_work(&doubling(10, |next| json!({ "allOf": [next, next] }))), Ok(()));
    }

    #[test]
    fn a_schema_that_refers_to_itself_for_what_is_in_it_is_not_refused() {
        // As schemars writes an enum of `and`, `or` and `not` over itself.
        let all = json!({ "type": "array", "items": { "$ref": "#/$defs/rule" } });
        let rule = json!({ "oneOf": [
            { "properties": { "and": all } }, { "properties": { "or": all } },
            { "properties": { "not": { "$ref": "#/$defs/rule" } } }, { "type": "string" },
        ] });
        assert_eq!(
            check_work(&json!({ "properties": { "rule": { "$ref": "#/$defs/rule" } }, "$defs": { "rule": rule } })),
            Ok(())
        );
    }

    #[test]
    fn a_reference_that_may_lead_elsewhere_than_it_seems_to_is_refused() {
        let check = |schema: Value, expected: &str| assert!(check_work(&schema).unwrap_err().contains(expected));
        check(json!({ "$defs": { "a": { "$id": "urn:a" } } }), "`$id`");
        check(json!({ "$dynamicRef": "#a" }), "`$dynamicRef`");
        check(json!({ "$ref": "#anchor" }), "`#anchor` is no reference");
        check(json!({ "$ref": "#/$defs/%61" }), "is no reference");
        check(json!({ "$ref": "https://example.com/schema" }), "is no reference");
    }
}
