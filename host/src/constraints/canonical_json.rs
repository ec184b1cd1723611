//! Canonical JSON (RFC 8785): one text for one value, so that the same read is the same bytes on every host.
//!
//! Deviation: integers that fit 64 bits are written exactly, where RFC 8785 §3.2.2.3 would round those beyond 2^53 to
//! the nearest double. An attribute's value must not change by being read.

use std::fmt::Write;

use serde_json::{Number, Value};

/// The canonical text of a value.
pub(super) fn to_text(value: &Value) -> String {
    let mut text = String::new();
    write_value(value, &mut text);
    text
}

/// Recursive: attributes come from bodies that `serde_json` has parsed, which are at most 128 deep.
fn write_value(value: &Value, text: &mut String) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(flag) => text.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => write_number(number, text),
        Value::String(string) => write_string(string, text),
        Value::Array(values) => {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_value(value, text);
            }
            text.push(']');
        }
        Value::Object(members) => {
            // RFC 8785 §3.2.3: sorted by UTF-16 code units, which differs from UTF-8 beyond the basic plane.
            let mut sorted: Vec<_> = members.iter().collect();
            if !members.keys().all(|name| name.is_ascii()) {
                sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            } else {
                sorted.sort_by_key(|(name, _)| *name);
            }
            text.push('{');
            for (index, (name, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_string(name, text);
                text.push(':');
                write_value(value, text);
            }
            text.push('}');
        }
    }
}

/// RFC 8785 §3.2.2.2: only what must be escaped is, with the short form where there is one.
fn write_string(string: &str, text: &mut String) {
    text.push('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\u{c}' => text.push_str("\\f"),
            '\r' => text.push_str("\\r"),
            control @ '\0'..='\u{1f}' => {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\u{:04x}", u32::from(control));
            }
            other => text.push(other),
        }
    }
    text.push('"');
}

/// RFC 8785 §3.2.2.3: as ECMAScript prints numbers.
fn write_number(number: &Number, text: &mut String) {
    match number.as_f64() {
        Some(double) if number.is_f64() => write_double(double, text),
        _ => text.push_str(&number.to_string()),
    }
}

fn write_double(double: f64, text: &mut String) {
    if double == 0.0 {
        return text.push('0');
    }
    // Rust prints the shortest digits that read back as the same number, as ECMAScript demands: `-1.2345e-7`.
    let scientific = format!("{double:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-6..21).contains(&exponent) {
        // Rust never switches to an exponent by itself here.
        text.push_str(&double.to_string());
    } else {
        let sign = if exponent < 0 { "" } else { "+" };
        let _ = write!(text, "{mantissa}e{sign}{exponent}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: &str) {
        let value: Value = serde_json::from_str(json).unwrap();
        assert_eq!(to_text(&value), expected, "{json}");
    }

    #[test]
    fn members_are_sorted_by_utf_16_and_nothing_is_escaped_without_need() {
        check(r#"{ "b": 1, "a": [true, null] }"#, r#"{"a":[true,null],"b":1}"#);
        // RFC 8785 §3.2.3: an emoji sorts by its surrogate, before U+FB33.
        check("{ \"\u{fb33}\": 1, \"\u{1f600}\": 2 }", "{\"\u{1f600}\":2,\"\u{fb33}\":1}");
        check(r#""€$\u000f\nA'B\"\\\"/""#, r#""€$\u000f\nA'B\"\\\"/""#);
    }

    #[test]
    fn numbers_are_printed_as_ecmascript_prints_them() {
        // RFC 8785 §3.2.2 and appendix B.
        check("333333333.33333329", "333333333.3333333");
        check("1E30", "1e+30");
        check("4.50", "4.5");
        check("2e-3", "0.002");
        check("0.000000000000000000000000001", "1e-27");
        check("1e20", "100000000000000000000");
        check("1e21", "1e+21");
        check("1.5e-7", "1.5e-7");
        check("1e-6", "0.000001");
        check("-0.0", "0");
        check("9007199254740993", "9007199254740993");
    }
}
