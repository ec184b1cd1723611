//! From text to tokens. A token borrows from the text; only a quoted text with escapes is copied.

use std::borrow::Cow;

use crate::scim::filter::FilterError;
use crate::scim::path::parse::excerpt;

/// A token and where it begins, in bytes from 0.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token<'t> {
    pub(crate) start: usize,
    pub(crate) kind: TokenKind<'t>,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind<'t> {
    /// A name, an operator, `true`, `false`, `null` or a number.
    Word(&'t str),
    /// A quoted text, without its quotes and escapes.
    Text(Cow<'t, str>),
    OpenParenthesis,
    CloseParenthesis,
    OpenBracket,
    CloseBracket,
    /// A character that is part of no token.
    Stray(char),
    End,
}

impl TokenKind<'_> {
    /// The token as an error names it.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Word(word) => format!("`{}`", excerpt(word)),
            Self::Text(text) => format!("the text `{}`", excerpt(text)),
            Self::OpenParenthesis => "`(`".to_owned(),
            Self::CloseParenthesis => "`)`".to_owned(),
            Self::OpenBracket => "`[`".to_owned(),
            Self::CloseBracket => "`]`".to_owned(),
            Self::Stray(character) => format!("`{character}`"),
            Self::End => "its end".to_owned(),
        }
    }
}

/// Gives one token after the other.
#[derive(Clone, Debug)]
pub(crate) struct Lexer<'t> {
    text: &'t str,
    position: usize,
}

impl<'t> Lexer<'t> {
    /// Begins at that byte of the text.
    pub(crate) fn new(text: &'t str, position: usize) -> Self {
        Self { text, position }
    }

    /// The next token; [`TokenKind::End`] at the end, again and again.
    pub(crate) fn next(&mut self) -> Result<Token<'t>, FilterError> {
        let rest = self.rest().trim_ascii_start();
        let start = self.text.len() - rest.len();
        let Some(first) = rest.chars().next() else {
            self.position = start;
            return Ok(Token { start, kind: TokenKind::End });
        };
        self.position = start + first.len_utf8();
        let kind = match first {
            '(' => TokenKind::OpenParenthesis,
            ')' => TokenKind::CloseParenthesis,
            '[' => TokenKind::OpenBracket,
            ']' => TokenKind::CloseBracket,
            '"' => self.quoted(rest, start)?,
            _ if is_word_character(first) => {
                let end = rest.bytes().position(|byte| !is_word_character(byte.into())).unwrap_or(rest.len());
                self.position = start + end;
                TokenKind::Word(rest.get(..end).unwrap_or_default())
            }
            other => TokenKind::Stray(other),
        };
        Ok(Token { start, kind })
    }

    /// The token that was given last, as a text without double quotes if it can be one: what stands in single quotes
    /// (an example of RFC 7644 §3.7.1 has `displayName sw 'Group'`), or all up to the next space or closing bracket.
    /// The next token is the one after it.
    pub(crate) fn unquoted(&mut self, token: Token<'t>) -> Token<'t> {
        if !matches!(token.kind, TokenKind::Word(_) | TokenKind::Stray(_)) {
            return token;
        }
        let rest = self.text.get(token.start..).unwrap_or_default();
        let in_single = rest.strip_prefix('\'').and_then(|rest| rest.split_once('\''));
        let (text, length) = in_single.map_or_else(
            || {
                let ends = |character: char| character.is_whitespace() || matches!(character, ')' | ']');
                let text = rest.split(ends).next().unwrap_or_default();
                (text, text.len())
            },
            |(text, _)| (text, text.len() + 2),
        );
        self.position = token.start + length;
        Token { kind: TokenKind::Text(Cow::Borrowed(text)), ..token }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.position..).unwrap_or_default()
    }

    /// A JSON string (RFC 7644 §3.4.2.2: `compValue` is one of RFC 7159's).
    fn quoted(&mut self, rest: &'t str, start: usize) -> Result<TokenKind<'t>, FilterError> {
        let unclosed = FilterError::UnclosedQuote { position: start + 1 };
        let mut escaped = false;
        let mut plain = true;
        for (offset, byte) in rest.bytes().enumerate().skip(1) {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => (escaped, plain) = (true, false),
                b'"' => {
                    self.position = start + offset + 1;
                    if plain && let Some(text) = rest.get(1..offset) {
                        return Ok(TokenKind::Text(Cow::Borrowed(text)));
                    }
                    let quoted = rest.get(..=offset).unwrap_or_default();
                    return serde_json::from_str(quoted)
                        .map(|text| TokenKind::Text(Cow::Owned(text)))
                        .map_err(|_| FilterError::InvalidString { position: start + 1 });
                }
                0..0x20 => plain = false,
                _ => {}
            }
        }
        Err(unclosed)
    }
}

/// Of names and URNs (RFC 7643 §2.1, RFC 8141), and of numbers. All of them are ASCII.
fn is_word_character(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || matches!(
            character,
            '$' | '_'
                | '-'
                | '.'
                | ':'
                | '+'
                | '/'
                | '#'
                | '%'
                | '~'
                | '@'
                | '!'
                | '*'
                | '='
                | ','
                | '&'
                | ';'
                | '?'
                | '\''
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[TokenKind<'_>]) {
        let mut lexer = Lexer::new(text, 0);
        let mut found = Vec::new();
        loop {
            match lexer.next().unwrap().kind {
                TokenKind::End => break,
                kind => found.push(kind),
            }
        }
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_text_is_split_into_its_tokens() {
        use TokenKind::{CloseBracket, OpenBracket, OpenParenthesis, Stray, Text, Word};
        check("userName eq 1e+3", &[Word("userName"), Word("eq"), Word("1e+3")]);
        check("a[b", &[Word("a"), OpenBracket, Word("b")]);
        check("].value", &[CloseBracket, Word(".value")]);
        check("(\"a b\"", &[OpenParenthesis, Text("a b".into())]);
        check(r#""say \"hi\" \u00e9""#, &[Text("say \"hi\" é".into())]);
        check("urn:a:2.0:User:x\t<", &[Word("urn:a:2.0:User:x"), Stray('<')]);
        check("\"Grüße\" é", &[Text("Grüße".into()), Stray('é')]);
    }

    #[test]
    fn a_quote_must_close_and_be_a_json_string() {
        let check = |text: &str, expected| assert_eq!(Lexer::new(text, 0).next(), Err(expected), "{text}");
        check(" \"abc", FilterError::UnclosedQuote { position: 2 });
        check("\"abc\\\"", FilterError::UnclosedQuote { position: 1 });
        check("\"\\x\"", FilterError::InvalidString { position: 1 });
        check("\"a\nb\"", FilterError::InvalidString { position: 1 });
    }
}
