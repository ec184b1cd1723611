//! SCIM filters over JSON: `eq ne co sw ew pr and or not`, grouping and value paths. Anything else is an error. A leaf
//! of the test double.

use serde_json::{Map, Value as Json};

use super::path::Path;

/// A filter of RFC 7644, figure 1.
#[derive(Debug, Clone)]
pub(super) enum Filter {
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    Present(Path),
    Compare(Path, Operator, Json),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
}

impl Filter {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut cursor = Cursor::new(text);
        let filter = Self::parse_from(&mut cursor)?;
        cursor.end()?;
        Ok(filter)
    }

    /// `or` binds less than `and`, which binds less than `not`.
    pub(super) fn parse_from(cursor: &mut Cursor<'_>) -> Result<Self, String> {
        let mut left = Self::parse_and(cursor)?;
        while cursor.take_word("or") {
            left = Self::Or(Box::new(left), Box::new(Self::parse_and(cursor)?));
        }
        Ok(left)
    }

    fn parse_and(cursor: &mut Cursor<'_>) -> Result<Self, String> {
        let mut left = Self::parse_one(cursor)?;
        while cursor.take_word("and") {
            left = Self::And(Box::new(left), Box::new(Self::parse_one(cursor)?));
        }
        Ok(left)
    }

    fn parse_one(cursor: &mut Cursor<'_>) -> Result<Self, String> {
        let negated = cursor.take_word("not");
        if cursor.take("(") {
            let inner = Self::parse_from(cursor)?;
            if !cursor.take(")") {
                return Err(cursor.expected("`)`"));
            }
            return Ok(if negated { Self::Not(Box::new(inner)) } else { inner });
        }
        if negated {
            return Err(cursor.expected("`(` after `not`"));
        }
        let path = Path::parse_from(cursor)?;
        let operator = match cursor.name().map(str::to_lowercase).as_deref() {
            Ok("pr") => return Ok(Self::Present(path)),
            Ok("eq") => Operator::Equal,
            Ok("ne") => Operator::NotEqual,
            Ok("co") => Operator::Contains,
            Ok("sw") => Operator::StartsWith,
            Ok("ew") => Operator::EndsWith,
            Ok(other) if path.filter.is_none() => {
                return Err(format!("native tests do not know the operator `{other}`"));
            }
            // `emails[type eq "work"]` is a filter by itself: whether there is such a value.
            _ => return Ok(Self::Present(path)),
        };
        Ok(Self::Compare(path, operator, cursor.literal()?))
    }

    pub(super) fn holds(&self, document: &Map<String, Json>) -> Result<bool, String> {
        match self {
            Self::And(left, right) => Ok(left.holds(document)? && right.holds(document)?),
            Self::Or(left, right) => Ok(left.holds(document)? || right.holds(document)?),
            Self::Not(inner) => Ok(!inner.holds(document)?),
            Self::Present(path) => Ok(path.select(document)?.into_iter().any(|value| value.as_str() != Some(""))),
            Self::Compare(path, operator, literal) => {
                let values: Vec<&Json> = path.select(document)?.into_iter().map(compared).collect();
                let exact = path.is_case_exact();
                match operator {
                    // With several values, "is not" has two readings.
                    Operator::NotEqual if values.len() > 1 => {
                        Err(format!("`{}` has several values: write `not (… eq …)`", path.name()))
                    }
                    Operator::NotEqual => {
                        Ok(!values.iter().any(|value| matches(value, Operator::Equal, literal, exact)))
                    }
                    operator => Ok(values.iter().any(|value| matches(value, *operator, literal, exact))),
                }
            }
        }
    }

    /// Whether it holds of one value of a multi-valued attribute; the value of a simple one is called `value`.
    pub(super) fn holds_of_element(&self, element: &Json) -> Result<bool, String> {
        match element {
            Json::Object(complex) => self.holds(complex),
            simple => self.holds(&Map::from_iter([("value".to_owned(), simple.clone())])),
        }
    }

    /// The names of all attributes that it looks at, each below `prefix`.
    pub(super) fn names(&self, prefix: &str, names: &mut Vec<String>) {
        match self {
            Self::And(left, right) | Self::Or(left, right) => {
                left.names(prefix, names);
                right.names(prefix, names);
            }
            Self::Not(inner) => inner.names(prefix, names),
            Self::Present(path) | Self::Compare(path, ..) => names_of(path, prefix, names),
        }
    }
}

/// The names of the attributes that a path looks at: its own, and those of its value filter.
pub(super) fn names_of(path: &Path, prefix: &str, names: &mut Vec<String>) {
    let name = format!("{prefix}{}", path.name());
    if let Some(filter) = &path.filter {
        let attribute = name.rsplit_once('.').filter(|(_, sub)| !sub.contains(':')).map_or(name.as_str(), |(a, _)| a);
        filter.names(&format!("{attribute}."), names);
    }
    names.push(name);
}

/// RFC 7643, 2.4: the significant sub-attribute of a complex value is `value`.
fn compared(value: &Json) -> &Json {
    value.as_object().and_then(|complex| super::path::get(complex, "value")).unwrap_or(value)
}

fn matches(value: &Json, operator: Operator, literal: &Json, case_exact: bool) -> bool {
    let (Json::String(value), Json::String(literal)) = (value, literal) else {
        return operator == Operator::Equal
            && match (value.as_f64(), literal.as_f64()) {
                (Some(value), Some(literal)) => value == literal,
                _ => value == literal,
            };
    };
    let fold = |text: &str| if case_exact { text.to_owned() } else { text.to_lowercase() };
    let (value, literal) = (fold(value), fold(literal));
    match operator {
        Operator::Equal => value == literal,
        Operator::NotEqual => value != literal,
        Operator::Contains => value.contains(&literal),
        Operator::StartsWith => value.starts_with(&literal),
        Operator::EndsWith => value.ends_with(&literal),
    }
}

/// A place in a filter or path.
pub(super) struct Cursor<'a> {
    whole: &'a str,
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { whole: text, rest: text.trim() }
    }

    pub(super) fn take(&mut self, token: &str) -> bool {
        let found = self.rest.trim_start().strip_prefix(token);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn take_word(&mut self, word: &str) -> bool {
        let before = self.rest;
        if self.name().is_ok_and(|name| name.eq_ignore_ascii_case(word)) {
            return true;
        }
        self.rest = before;
        false
    }

    /// An attribute name with its URN and sub-attribute, or an operator.
    pub(super) fn name(&mut self) -> Result<&'a str, String> {
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "$_-.:".contains(c))).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        if name.is_empty() {
            return Err(self.expected("a name"));
        }
        self.rest = rest;
        Ok(name)
    }

    fn literal(&mut self) -> Result<Json, String> {
        let rest = self.rest.trim_start();
        let end = if rest.starts_with('"') {
            let mut texts = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            texts.next().map_or(0, |_| texts.byte_offset())
        } else {
            rest.find(|c: char| c.is_whitespace() || ")]".contains(c)).unwrap_or(rest.len())
        };
        let (literal, after) = rest.split_at_checked(end).unwrap_or_default();
        match serde_json::from_str(literal) {
            Ok(value @ (Json::String(_) | Json::Bool(_) | Json::Number(_))) => {
                self.rest = after;
                Ok(value)
            }
            _ => Err(self.expected("text in quotes, a number, `true` or `false`")),
        }
    }

    pub(super) fn end(&self) -> Result<(), String> {
        if self.rest.trim().is_empty() { Ok(()) } else { Err(self.expected("the end")) }
    }

    pub(super) fn expected(&self, what: &str) -> String {
        format!("`{}`: expected {what} at `{}`", self.whole, self.rest.trim())
    }
}
