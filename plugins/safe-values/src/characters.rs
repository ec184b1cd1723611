//! Characters that nobody sees, and words that look like another word. Knows nothing of SCIM.

/// Alphabets whose letters are mistaken for each other. Han, kana and Hangul are written together with each other and with
/// Latin letters, so they are none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    Latin,
    Greek,
    Cyrillic,
    Armenian,
    Cherokee,
}

/// Control characters, and formatting ones that change how the text around them reads: directions, joiners, soft hyphens.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Two scripts of one word, if there is such a word.
pub(crate) fn mixed_scripts(text: &str) -> Option<(Script, Script)> {
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
