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

/// The text without white space at its ends, and with one space for any within.
#[must_use]
pub fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text with the first letter of each word large and the others small. A word ends at what is no letter and no digit:
/// `O'Neill-Smith`. It does not know of `McDonald`.
#[must_use]
pub fn title_case(text: &str) -> String {
    let mut within_word = false;
    let mut titled = String::with_capacity(text.len());
    for c in text.chars() {
        if within_word {
            titled.extend(c.to_lowercase());
        } else {
            titled.extend(c.to_uppercase());
        }
        within_word = c.is_alphanumeric();
    }
    titled
}

/// A telephone number as ITU-T E.164 has it, `+442079460011`, if the text is one. `country` is the calling code (`44`) of
/// numbers that have none, `trunk` what is dialled in front of those: mostly `0`, nothing where it is part of the number.
/// What has other characters than digits and the usual ones between them, or too few digits for a number that can be
/// reached from outside, is `None`.
#[must_use]
pub fn e164(text: &str, country: &str, trunk: &str) -> Option<String> {
    /// Of E.164, country code included.
    const DIGITS_MAX: usize = 15;
    /// Shorter ones are extensions and service numbers, such as `4711` and `112`.
    const DIGITS_MIN: usize = 8;
    let text = text.trim();
    let text = text.strip_prefix("tel:").unwrap_or(text).trim_start();
    let is_between = |c: char| c.is_whitespace() || matches!(c, '-' | '.' | '/' | '(' | ')' | '\u{2010}'..='\u{2015}');
    if text.chars().skip(1).any(|c| !c.is_ascii_digit() && !is_between(c)) {
        return None;
    }
    // `+44 (0)20 …`: the trunk prefix, for those who dial from within.
    let inner_trunk = if trunk.is_empty() { String::new() } else { format!("({trunk})") };
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let international = text.strip_prefix('+').or_else(|| text.strip_prefix("00"));
    let number = match international {
        Some(number) if inner_trunk.is_empty() => digits(number),
        Some(number) => digits(&number.replacen(&inner_trunk, "", 1)),
        None if text.starts_with(|c: char| c.is_ascii_digit() || c == '(') => {
            let national = digits(text);
            format!("{country}{}", national.strip_prefix(trunk).unwrap_or(&national))
        }
        None => return None,
    };
    (DIGITS_MIN..=DIGITS_MAX).contains(&number.len()).then(|| format!("+{number}"))
}

/// The text with what `value` says of each name in braces in its place, squeezed: `{name.givenName} {name.familyName}`.
/// What is not closed stays as it is.
///
/// # Errors
/// The first of `value`.
pub fn filled<E>(template: &str, mut value: impl FnMut(&str) -> Result<Option<String>, E>) -> Result<String, E> {
    let (mut text, mut rest) = (String::new(), template);
    while let Some((before, (name, after))) =
        rest.split_once('{').and_then(|(before, behind)| Some((before, behind.split_once('}')?)))
    {
        text.push_str(before);
        text.push_str(&value(name)?.unwrap_or_default());
        rest = after;
    }
    text.push_str(rest);
    Ok(squeezed(&text))
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
    fn words_begin_with_a_large_letter() {
        assert_eq!(title_case("ada LOVELACE-KING o'neill"), "Ada Lovelace-King O'Neill");
        assert_eq!(title_case("élodie 2nd"), "Élodie 2nd");
        assert_eq!(squeezed(" a \t b\u{a0}c\n"), "a b c");
    }

    #[test]
    fn telephone_numbers_have_one_spelling() {
        let check = |text: &str, expected: Option<&str>| {
            let found = e164(text, "44", "0");
            assert_eq!(found.as_deref(), expected, "{text}");
            if let Some(found) = found {
                assert_eq!(e164(&found, "44", "0").as_ref(), Some(&found), "made again");
            }
        };
        check("020 7946 0011", Some("+442079460011"));
        check("+44 (0)20 7946-0011", Some("+442079460011"));
        check("0044 20 7946 0011", Some("+442079460011"));
        check("(020) 7946.0011", Some("+442079460011"));
        check("tel:+49-30-1234567", Some("+49301234567"));
        check("+49 30 1234567", Some("+49301234567"));
        check("4711", None);
        check("+1", None);
        check("020 7946 0011 ext 5", None);
        check("call me", None);
        check("", None);
        check("+1234567890123456", None);
        assert_eq!(e164("06 1234 5678", "39", "").as_deref(), Some("+390612345678"));
        assert_eq!(e164("1-555-123-4567", "1", "1").as_deref(), Some("+15551234567"));
    }

    #[test]
    fn templates_are_filled_and_what_is_missing_leaves_no_gap() {
        let value = |name: &str| match name {
            "given" => Ok(Some("Ada".to_owned())),
            "none" => Ok(None),
            _ => Err(name.to_owned()),
        };
        assert_eq!(filled("{given} {none}  L.", value), Ok("Ada L.".to_owned()));
        assert_eq!(filled("{none}", value), Ok(String::new()));
        assert_eq!(filled("{given} {open", value), Ok("Ada {open".to_owned()));
        assert_eq!(filled("{given}{other}", value), Err("other".to_owned()));
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
