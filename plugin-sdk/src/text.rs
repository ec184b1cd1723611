//! Comparing text as SCIM does, and seeing through text that is not what it seems. Reads nothing.

/// Whether two texts are the same when case does not count. Most names do not care for it: `userName` and
/// `displayName` are not case-exact (RFC 7643, 4.1.1 and 4.2).
#[must_use]
pub fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// Whether a text is one of these, as [`same`] compares them.
pub fn is_one_of<T: AsRef<str>>(text: &str, texts: impl IntoIterator<Item = T>) -> bool {
    texts.into_iter().any(|other| same(text, other.as_ref()))
}

/// Whether a text is an address at one of these domains: what stands behind its last `@` is `example.com`, or for
/// `*.example.com` any domain below that one. Case does not count.
pub fn is_at_domain<T: AsRef<str>>(address: &str, domains: impl IntoIterator<Item = T>) -> bool {
    let Some((_, domain)) = address.rsplit_once('@') else { return false };
    let domain = domain.to_lowercase();
    domains.into_iter().map(|allowed| allowed.as_ref().to_lowercase()).any(|allowed| match allowed.strip_prefix("*.") {
        Some(parent) => domain.strip_suffix(parent).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        None => domain == allowed,
    })
}

/// The first character that nobody sees: a control character, or a formatting one that changes how the text around it
/// reads (directions, joiners, soft hyphens). Show the text with [`str::escape_debug`], so that the message does not
/// carry what it warns of.
#[must_use]
pub fn hidden_character(text: &str) -> Option<char> {
    text.chars().find(|c| is_hidden(*c))
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Alphabets whose letters are mistaken for each other. Han, kana and Hangul are written together with each other and with
/// Latin letters, so they are none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Script {
    /// `a`
    Latin,
    /// `α`
    Greek,
    /// `а`
    Cyrillic,
    /// `ա`
    Armenian,
    /// `Ꭰ`
    Cherokee,
}

/// Two alphabets within one word, if there is such a word: `аdmin` with a Cyrillic `а` is Cyrillic and Latin.
#[must_use]
pub fn mixed_scripts(text: &str) -> Option<(Script, Script)> {
    text.split(|c: char| !c.is_alphabetic()).find_map(|word| {
        let mut scripts = word.chars().filter_map(script);
        let first = scripts.next()?;
        scripts.find(|other| *other != first).map(|other| (first, other))
    })
}

/// By the blocks of Unicode that hold their letters.
fn script(c: char) -> Option<Script> {
    match c {
        'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' | '\u{ff21}'..='\u{ff5a}' => {
            Some(Script::Latin)
        }
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Some(Script::Greek),
        '\u{400}'..='\u{52f}' | '\u{1c80}'..='\u{1c8f}' | '\u{2de0}'..='\u{2dff}' | '\u{a640}'..='\u{a69f}' => {
            Some(Script::Cyrillic)
        }
        '\u{530}'..='\u{58f}' => Some(Script::Armenian),
        '\u{13a0}'..='\u{13ff}' | '\u{ab70}'..='\u{abbf}' => Some(Script::Cherokee),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_count() {
        assert!(same("ÄDA", "äda") && !same("ada", "adä"));
        assert!(is_one_of("ADA", ["bob", "ada"]) && !is_one_of("ada", [""; 0]));
    }

    #[test]
    fn only_the_domain_behind_the_last_at_sign_counts() {
        let at = |address: &str| is_at_domain(address, ["Example.com", "*.example.org"]);
        assert!(at("ada@EXAMPLE.com") && at("ada@team.example.org") && at("ada@elsewhere@example.com"));
        assert!(!at("ada@example.com@evil.example") && !at("ada@notexample.com") && !at("example.com"));
        assert!(!at("ada@example.org") && !at("ada@.example.org") && !at("ada@evilexample.org"));
    }

    #[test]
    fn characters_that_nobody_sees_are_found() {
        assert_eq!(hidden_character("ada\u{202e}"), Some('\u{202e}'));
        assert_eq!(hidden_character("a\0\u{202e}"), Some('\0'));
        assert_eq!(hidden_character("Ada Lovelace, アダ"), None);
    }

    #[test]
    fn alphabets_may_stand_beside_each_other_but_not_in_one_word() {
        assert_eq!(mixed_scripts("\u{430}dmin"), Some((Script::Cyrillic, Script::Latin)));
        assert_eq!(mixed_scripts("ада-lovelace αδα"), None);
        assert_eq!(mixed_scripts("アダada"), None);
    }
}
