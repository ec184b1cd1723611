use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::yaml;

/// What an export writes is what is read back.
#[track_caller]
fn check(value: &Value) {
    let written = serde_saphyr::to_string(value).unwrap();
    let read: Value = yaml(Path::new("f"), &written).unwrap_or_else(|failure| panic!("{failure}: {written}"));
    assert_eq!(&read, value, "{written}");
}

#[test]
fn texts_that_look_like_something_else_stay_texts() {
    for text in [
        "no",
        "yes",
        "off",
        "true",
        "null",
        "~",
        "",
        "1",
        "012",
        "0x1f",
        "0o17",
        "1_000",
        "1e3",
        "-1",
        "+1",
        ".5",
        ".inf",
        ".nan",
        "2020-01-01",
        "<<",
        "=",
        "a: b",
        "a #b",
        "# c",
        "- x",
        "? x",
        "@x",
        "`x",
        "*x",
        "&x",
        "!x",
        "%x",
        "|",
        ">",
        "'q'",
        "\"q\"",
        "[",
        "{",
        ",",
        " x ",
        "\tx",
        "x\t",
        "\n",
        "\n\n x\n",
        "a\nb",
        "a\r\nb",
        "a\n\n",
        "\u{1b}[2J",
        "\u{85}",
        "\u{a0}",
        "\u{2028}",
        "\u{feff}",
        "\u{0}",
        "---",
        "...",
    ] {
        check(&json!({ text: text, "in a list": [text, [text]] }));
        check(&json!(text));
    }
    check(&json!({ "long": "word ".repeat(100), "lines": "a line\n".repeat(100) }));
    check(&json!([u64::MAX, i64::MIN, 0.1, 1e300, 5e-324, -0.0, 1.0, [], {}, null, true]));
}

#[test]
fn what_is_written_without_quotation_marks_is_read_as_yaml_1_2_has_it() {
    let read: Value = yaml(Path::new("f"), "[no, on, 012, 1_000, 2020-01-01, true, null, 7, 1.5]").unwrap();
    assert_eq!(read, json!(["no", "on", "012", "1_000", "2020-01-01", true, null, 7, 1.5]));
}

fn any_json() -> impl Strategy<Value = Value> {
    let number = prop_oneof![any::<i64>().prop_map(Value::from), any::<f64>().prop_map(Value::from)];
    let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), number, ".*".prop_map(Value::from)];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[ -~\\PC]{0,8}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_settings_come_back_from_the_file(value in any_json()) {
        check(&value);
    }
}
