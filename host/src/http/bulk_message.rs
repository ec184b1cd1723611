//! Reads the message of a bulk request (RFC 7644 §3.7), which may hold more operations than are carried out.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads JSON; of the operations as many as may be carried out. Those beyond only count: of each there is `null`. The request
/// is refused for their number, so nothing of them is kept in memory: that is most of the work.
pub fn parse(bytes: &[u8], operations_max: usize) -> serde_json::Result<Value> {
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return serde_json::from_slice(bytes);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let message = deserializer.deserialize_map(Message { operations_max })?;
    deserializer.end()?;
    Ok(Value::Object(message))
}

struct Message {
    operations_max: usize,
}

impl<'de> Visitor<'de> for Message {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bulk request")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut message = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            // In any spelling of case, as the message is read.
            let value = if name.eq_ignore_ascii_case("Operations") {
                members.next_value_seed(Operations { max: self.operations_max })?
            } else {
                members.next_value()?
            };
            message.insert(name, value);
        }
        Ok(message)
    }
}

struct Operations {
    max: usize,
}

impl<'de> DeserializeSeed<'de> for Operations {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Operations {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of operations")
    }

    // What is no list is kept as it is, for whoever reads the message to refuse.

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Value, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut operations: A) -> Result<Value, A::Error> {
        let mut kept = Vec::new();
        while kept.len() < self.max {
            match operations.next_element()? {
                Some(operation) => kept.push(operation),
                None => return Ok(Value::Array(kept)),
            }
        }
        while operations.next_element::<IgnoredAny>()?.is_some() {
            kept.push(Value::Null);
        }
        Ok(Value::Array(kept))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn operations_beyond_the_limit_only_count() {
        let read = |text: &str| parse(text.as_bytes(), 2).unwrap();
        for name in ["Operations", "operations"] {
            let text = format!(r#" {{"a":[1,2,3],"{name}":[{{"n":1}},{{"n":2}},{{"n":[3]}},4],"z":null}} "#);
            assert_eq!(read(&text), json!({ "a": [1, 2, 3], name: [{ "n": 1 }, { "n": 2 }, null, null], "z": null }));
        }
    }

    #[test]
    fn all_else_is_read_as_any_json_is() {
        for text in [
            "{}",
            r#"{"Operations":[]}"#,
            r#"{"Operations":[1,{"a":"\u00e9"}]}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"Operations":{"0":[1,2,3]}}"#,
            r#"{"Operations":null}"#,
            r#"{"Operations":"none"}"#,
            r#"{"Operations":-1.5}"#,
            r#"{"Operations":true}"#,
            "[1,2,3]",
            "7",
            "",
            "{",
            r#"{"Operations":[1,2,3"#,
            r#"{"Operations":[1,2,3,]}"#,
            r#"{"Operations":[1,2,3]} 4"#,
        ] {
            let expected: Result<Value, String> = serde_json::from_str(text).map_err(|error| error.to_string());
            assert_eq!(parse(text.as_bytes(), 10).map_err(|error| error.to_string()), expected, "{text}");
        }
        assert!(parse(br#"{"Operations":[1,2,{"a":}]}"#, 1).is_err());
    }
}
