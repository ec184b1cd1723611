//! Texts as PostgreSQL can keep them: it refuses U+0000, which is a character like others to everybody else. It and U+0001
//! become two characters each, in a way that can be undone and that leaves the order of texts and their beginnings as it is.

use std::borrow::Cow;

/// As it is kept.
pub(in crate::store::sql) fn escaped(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte > 1) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len() + 2);
    for character in text.chars() {
        match character {
            '\0' => kept.push_str("\u{1}\u{1}"),
            '\u{1}' => kept.push_str("\u{1}\u{2}"),
            other => kept.push(other),
        }
    }
    Cow::Owned(kept)
}

/// As it was.
pub(in crate::store::sql) fn unescaped(kept: String) -> String {
    if !kept.contains('\u{1}') {
        return kept;
    }
    let mut text = String::with_capacity(kept.len());
    let mut characters = kept.chars();
    while let Some(character) = characters.next() {
        text.push(match character {
            '\u{1}' if characters.next() == Some('\u{1}') => '\0',
            other => other,
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text() -> impl Strategy<Value = String> {
        proptest::collection::vec(prop_oneof![Just('\0'), Just('\u{1}'), Just('\u{2}'), Just('a')], 0..6)
            .prop_map(|characters| characters.into_iter().collect())
    }

    proptest! {
        #[test]
        fn what_is_kept_can_be_kept_comes_back_and_is_in_the_same_order(one in text(), other in text()) {
            let (kept, kept_other) = (escaped(&one), escaped(&other));
            prop_assert!(!kept.contains('\0'));
            prop_assert_eq!(kept.cmp(&kept_other), one.cmp(&other));
            prop_assert_eq!(kept_other.starts_with(kept.as_ref()), other.starts_with(&one));
            prop_assert_eq!(unescaped(kept.into_owned()), one);
        }
    }
}
