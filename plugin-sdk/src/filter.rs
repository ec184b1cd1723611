//! SCIM filters out of other people's text, which cannot change what the filter says.

/// Text as a literal of a filter, in quotes and escaped: `format!("userName eq {}", quoted(name))`.
///
/// Without it, a value such as `x" or active pr or userName eq "` would change what the filter says.
#[must_use]
pub fn quoted(text: &str) -> String {
    // RFC 7644, 3.4.2.2: a comparison value is a JSON value.
    serde_json::Value::from(text).to_string()
}

/// `path eq "text"`.
#[must_use]
pub fn equals(path: &str, text: &str) -> String {
    format!("{path} eq {}", quoted(text))
}

/// `path eq "one" or path eq "other"`; `None` if there are no texts, since no filter means "nothing".
pub fn equals_any<T: AsRef<str>>(path: &str, texts: impl IntoIterator<Item = T>) -> Option<String> {
    let comparisons: Vec<String> = texts.into_iter().map(|text| equals(path, text.as_ref())).collect();
    (!comparisons.is_empty()).then(|| comparisons.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_within_its_quotes() {
        assert_eq!(equals("userName", r#"x" or active pr"#), r#"userName eq "x\" or active pr""#);
    }

    #[test]
    fn one_of_no_texts_is_no_filter() {
        assert_eq!(equals_any("id", ["a", "b"]).as_deref(), Some(r#"id eq "a" or id eq "b""#));
        assert_eq!(equals_any("id", [""; 0]), None);
    }
}
