//! From tokens to [`Filter`]: recursive descent over RFC 7644 §3.4.2.2's grammar, `or` over `and` over `not`.
//!
//! Linear in the length of the text: one token of look-ahead, nothing is tried twice. The depth is counted before each
//! descent, so no text overflows the stack.

use std::sync::Arc;

use jiff::Timestamp;

use crate::scim::filter::lexer::{Lexer, Token, TokenKind};
use crate::scim::filter::{Filter, FilterError, Literal, Operator};
use crate::scim::limits::ScimLimits;
use crate::scim::path::{AttributeRef, parse};
use crate::scim::profile::Leniency;
use crate::scim::reading::Reading;
use crate::scim::schema::{Attribute, Mutability, ResourceType, Returned, Storage, Type, Uniqueness};
use crate::scim::time;

/// A [`Reading`] without its resource type: names in a value filter are those of an attribute.
#[derive(Clone, Copy)]
pub(crate) struct Manner<'r> {
    leniency: Leniency,
    pub(crate) limits: &'r ScimLimits,
    /// Whether an attribute that the type does not have is one without a value.
    absent: bool,
}

impl Manner<'_> {
    pub(crate) const STRICT: Self = Self { leniency: Leniency::Strict, limits: &ScimLimits::DEFAULT, absent: false };

    /// For one of several types.
    pub(crate) fn among_others(self) -> Self {
        Self { absent: true, ..self }
    }
}

impl<'r> From<Reading<'r>> for Manner<'r> {
    fn from(reading: Reading<'r>) -> Self {
        Self { leniency: reading.leniency, limits: reading.limits, absent: false }
    }
}

/// Reads a filter on resources of the type.
pub(crate) fn parse(text: &str, resource_type: &ResourceType, manner: Manner<'_>) -> Result<Filter, FilterError> {
    let mut parser = Parser::start(text, 0, Scope::Resource(resource_type), manner)?;
    let filter = parser.any_of()?;
    match parser.token.kind {
        TokenKind::End => Ok(filter),
        _ => Err(parser.unexpected("`and`, `or` or the end")),
    }
}

/// Reads what follows the `[` of a path, from that byte of the text on: the filter on values of the attribute, and the
/// name of the sub-attribute after the `]` if there is one.
pub(crate) fn parse_value_filter<'t>(
    text: &'t str,
    position: usize,
    attribute: &Attribute,
    manner: Manner<'_>,
) -> Result<(Filter, Option<&'t str>), FilterError> {
    let mut parser = Parser::start(text, position, Scope::Value(attribute), manner)?;
    let filter = parser.any_of()?;
    parser.expect(&TokenKind::CloseBracket, "`and`, `or` or `]`")?;
    let sub_name = parser.sub_name()?;
    match parser.token.kind {
        TokenKind::End => Ok((filter, sub_name)),
        _ => Err(parser.unexpected("the end")),
    }
}

/// Whose attributes the names are.
#[derive(Clone, Copy)]
enum Scope<'r> {
    Resource(&'r ResourceType),
    Value(&'r Attribute),
}

struct Parser<'t, 'r> {
    lexer: Lexer<'t>,
    /// The next token.
    token: Token<'t>,
    scope: Scope<'r>,
    manner: Manner<'r>,
    depth: usize,
    terms: usize,
}

impl<'t, 'r> Parser<'t, 'r> {
    fn start(text: &'t str, position: usize, scope: Scope<'r>, manner: Manner<'r>) -> Result<Self, FilterError> {
        let max = manner.limits.filter_bytes_max;
        if text.len() > max {
            return Err(FilterError::TooLong { length: text.len(), max });
        }
        let mut lexer = Lexer::new(text, position);
        let token = lexer.next()?;
        Ok(Self { lexer, token, scope, manner, depth: 0, terms: 0 })
    }

    fn any_of(&mut self) -> Result<Filter, FilterError> {
        let first = self.all_of()?;
        let mut filters = match first {
            Filter::Or(filters) => filters,
            filter if !self.at_word("or") => return Ok(filter),
            filter => vec![filter],
        };
        while self.at_word("or") {
            self.advance()?;
            match self.all_of()? {
                Filter::Or(more) => filters.extend(more),
                filter => filters.push(filter),
            }
        }
        Ok(Filter::Or(filters))
    }

    fn all_of(&mut self) -> Result<Filter, FilterError> {
        let first = self.term()?;
        if !self.at_word("and") {
            return Ok(first);
        }
        let mut filters = match first {
            Filter::And(filters) => filters,
            filter => vec![filter],
        };
        while self.at_word("and") {
            self.advance()?;
            match self.term()? {
                Filter::And(more) => filters.extend(more),
                filter => filters.push(filter),
            }
        }
        Ok(Filter::And(filters))
    }

    fn term(&mut self) -> Result<Filter, FilterError> {
        match self.token.kind {
            TokenKind::OpenParenthesis => self.group(),
            TokenKind::Word(word) if word.eq_ignore_ascii_case("not") => {
                self.advance()?;
                if self.token.kind != TokenKind::OpenParenthesis {
                    return Err(self.unexpected("`(` after `not`"));
                }
                self.group().map(|filter| Filter::Not(Box::new(filter)))
            }
            TokenKind::Word(word) => self.comparison(word),
            _ => Err(self.unexpected("an attribute, `not` or `(`")),
        }
    }

    fn group(&mut self) -> Result<Filter, FilterError> {
        self.descend()?;
        self.advance()?;
        let filter = self.any_of()?;
        self.expect(&TokenKind::CloseParenthesis, "`and`, `or` or `)`")?;
        self.depth -= 1;
        Ok(filter)
    }

    fn comparison(&mut self, name: &str) -> Result<Filter, FilterError> {
        self.terms += 1;
        let max = self.manner.limits.filter_terms_max;
        if self.terms > max {
            return Err(FilterError::TooManyTerms { max });
        }
        let attribute = self.resolve_or_absent(name)?;
        self.advance()?;
        match self.token.kind {
            TokenKind::OpenBracket => self.value_path(attribute),
            TokenKind::Word(word) if word.eq_ignore_ascii_case("pr") => {
                self.advance()?;
                Ok(Filter::Present(attribute))
            }
            TokenKind::Word(word) => match Operator::parse(word) {
                Some(operator) => {
                    self.advance()?;
                    self.compare(attribute, operator)
                }
                None => Err(self.unexpected("an operator")),
            },
            _ => Err(self.unexpected("an operator")),
        }
    }

    /// `emails[…]`, and `emails[…].value eq …`, which is not in the grammar and means the same as the comparison
    /// inside the brackets.
    fn value_path(&mut self, attribute: AttributeRef) -> Result<Filter, FilterError> {
        if attribute.leaf().kind != Type::Complex && attribute.storage() != Storage::Absent {
            let cause = format!("`{attribute}` has no sub-attributes");
            return Err(FilterError::Attribute { position: self.position(), cause });
        }
        self.descend()?;
        self.advance()?;
        let complex = attribute.attribute.clone();
        let (scope, manner) = (self.scope, self.manner);
        let mut inside = Parser {
            lexer: self.lexer.clone(),
            token: self.token.clone(),
            scope: Scope::Value(&complex),
            manner,
            depth: self.depth,
            terms: self.terms,
        };
        let mut filter = inside.any_of()?;
        inside.expect(&TokenKind::CloseBracket, "`and`, `or` or `]`")?;
        if let Some(name) = inside.sub_name()? {
            let sub_comparison = inside.after_sub_name(name)?;
            filter = match filter {
                Filter::And(mut filters) => {
                    filters.push(sub_comparison);
                    Filter::And(filters)
                }
                filter => Filter::And(vec![filter, sub_comparison]),
            };
        }
        let Parser { lexer, token, terms, .. } = inside;
        *self = Self { lexer, token, scope, manner, depth: self.depth - 1, terms };
        Ok(Filter::ValuePath { attribute, filter: Box::new(filter) })
    }

    /// The comparison that goes on after `].name`.
    fn after_sub_name(&mut self, name: &str) -> Result<Filter, FilterError> {
        let attribute = self.resolve_or_absent(name)?;
        match self.token.kind {
            TokenKind::Word(word) if word.eq_ignore_ascii_case("pr") => {
                self.advance()?;
                Ok(Filter::Present(attribute))
            }
            TokenKind::Word(word) if let Some(operator) = Operator::parse(word) => {
                self.advance()?;
                self.compare(attribute, operator)
            }
            _ => Err(self.unexpected("an operator")),
        }
    }

    fn compare(&mut self, attribute: AttributeRef, operator: Operator) -> Result<Filter, FilterError> {
        let is_null = self.at_word("null");
        let attribute = if is_null { attribute } else { comparable(attribute, self.position())? };
        let leaf = attribute.leaf();
        let value = if is_null {
            if !matches!(operator, Operator::Eq | Operator::Ne) {
                return Err(self.incompatible(leaf));
            }
            Literal::Null
        } else if attribute.storage() == Storage::Absent {
            self.any_literal()?
        } else {
            check_operator(&attribute, operator)?;
            if self.manner.leniency.is_lenient() && is_text(leaf.kind) {
                self.token = self.lexer.unquoted(self.token.clone());
            }
            literal(leaf, operator, &self.token.kind).ok_or_else(|| match self.token.kind {
                TokenKind::Word(_) | TokenKind::Text(_) => self.incompatible(leaf),
                _ => self.unexpected("a value"),
            })?
        };
        self.advance()?;
        Ok(Filter::Compare { attribute, operator, value })
    }

    /// What an attribute is compared with that the type does not have, and of which no type is known therefore.
    fn any_literal(&self) -> Result<Literal, FilterError> {
        match &self.token.kind {
            TokenKind::Text(text) => Ok(Literal::Text(text.to_string())),
            TokenKind::Word(word) if let Some(boolean) = parse_boolean(word) => Ok(Literal::Boolean(boolean)),
            TokenKind::Word(word) if let Ok(number) = serde_json::from_str(word) => Ok(Literal::Number(number)),
            TokenKind::Word(word) if self.manner.leniency.is_lenient() => Ok(Literal::Text((*word).to_owned())),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn resolve_or_absent(&self, name: &str) -> Result<AttributeRef, FilterError> {
        match self.resolve(name) {
            Err(error) if self.manner.absent && error.is_unknown() => Ok(absent(name)),
            resolved => resolved,
        }
    }

    fn resolve(&self, name: &str) -> Result<AttributeRef, FilterError> {
        let position = self.position();
        let unknown = |cause: String| FilterError::UnknownAttribute { position, cause };
        match self.scope {
            Scope::Resource(resource_type) => {
                let named = parse::resolve(name, resource_type)
                    .or_else(|error| parse::resolve_in_extensions(name, resource_type).ok_or(error))
                    .map_err(|error| match error.is_unknown() {
                        true => unknown(error.to_string()),
                        false => FilterError::Attribute { position, cause: error.to_string() },
                    })?;
                let attribute = named.attribute.ok_or_else(|| FilterError::Attribute {
                    position,
                    cause: format!("`{}` names a schema and no attribute of it", parse::excerpt(name)),
                })?;
                Ok(AttributeRef {
                    extension: named.extension.cloned(),
                    attribute: attribute.clone(),
                    sub_attribute: named.sub_attribute.cloned(),
                })
            }
            Scope::Value(complex) => complex.sub_attribute(name).map(AttributeRef::of).ok_or_else(|| {
                unknown(format!("`{}` is not a sub-attribute of `{}`", parse::excerpt(name), complex.name))
            }),
        }
    }

    /// The name in `].name`, directly after the bracket.
    fn sub_name(&mut self) -> Result<Option<&'t str>, FilterError> {
        match self.token.kind {
            TokenKind::Word(word) if let Some(name) = word.strip_prefix('.') => {
                self.advance()?;
                Ok(Some(name))
            }
            _ => Ok(None),
        }
    }

    fn descend(&mut self) -> Result<(), FilterError> {
        self.depth += 1;
        let max = self.manner.limits.filter_depth_max;
        if self.depth > max {
            return Err(FilterError::TooDeep { position: self.position(), max });
        }
        Ok(())
    }

    fn advance(&mut self) -> Result<(), FilterError> {
        self.token = self.lexer.next()?;
        Ok(())
    }

    fn expect(&mut self, kind: &TokenKind<'_>, expected: &'static str) -> Result<(), FilterError> {
        if self.token.kind == *kind { self.advance() } else { Err(self.unexpected(expected)) }
    }

    fn at_word(&self, expected: &str) -> bool {
        matches!(self.token.kind, TokenKind::Word(word) if word.eq_ignore_ascii_case(expected))
    }

    /// Of the next token, counted from 1.
    fn position(&self) -> usize {
        self.token.start + 1
    }

    fn unexpected(&self, expected: &'static str) -> FilterError {
        FilterError::Unexpected { position: self.position(), found: self.token.kind.describe(), expected }
    }

    fn incompatible(&self, attribute: &Attribute) -> FilterError {
        FilterError::IncompatibleValue {
            position: self.position(),
            attribute: attribute.name.clone(),
            kind: described(attribute.kind),
            found: self.token.kind.describe(),
        }
    }
}

/// RFC 7644 §3.4.2.1: "For filtered attributes that are not part of a particular resource type, the service provider SHALL
/// treat the attribute as if there is no attribute value." No resource has a value under such a name, so nothing more is
/// needed than an attribute of that name.
pub(crate) fn absent(name: &str) -> AttributeRef {
    AttributeRef::of(&Arc::new(Attribute {
        name: name.to_owned(),
        kind: Type::String,
        multi_valued: false,
        description: String::new(),
        required: false,
        canonical_values: Vec::new(),
        case_exact: false,
        mutability: Mutability::ReadOnly,
        returned: Returned::Never,
        uniqueness: Uniqueness::None,
        reference_types: Vec::new(),
        sub_attributes: Vec::new(),
        indexed: false,
        canonical_only: false,
        storage: Storage::Absent,
    }))
}

/// `emails co "x"` is `emails.value co "x"`: a complex attribute itself has nothing to compare.
fn comparable(attribute: AttributeRef, position: usize) -> Result<AttributeRef, FilterError> {
    if attribute.leaf().kind != Type::Complex {
        return Ok(attribute);
    }
    let value: Option<Arc<Attribute>> = attribute.attribute.sub_attribute("value").cloned();
    match value {
        Some(value) => Ok(attribute.with_sub(&value)),
        None => {
            let cause = format!("`{attribute}` is complex: one of its sub-attributes is to be compared");
            Err(FilterError::Attribute { position, cause })
        }
    }
}

/// RFC 7644 §3.4.2.2: ordering a boolean or a binary value "SHALL cause a failed response (HTTP status code 400) with
/// `scimType` of `invalidFilter`". Parts of booleans and numbers are refused likewise: they are no text.
fn check_operator(attribute: &AttributeRef, operator: Operator) -> Result<(), FilterError> {
    use Operator::{Co, Eq, Ew, Ge, Gt, Le, Lt, Ne, Sw};
    let kind = attribute.leaf().kind;
    let fits = match operator {
        Eq | Ne => true,
        Co | Sw | Ew => !matches!(kind, Type::Boolean | Type::Integer | Type::Decimal),
        Gt | Ge | Lt | Le => !matches!(kind, Type::Boolean | Type::Binary),
    };
    if fits {
        return Ok(());
    }
    Err(FilterError::IncompatibleOperator {
        attribute: attribute.to_string(),
        kind: described(kind),
        operator: operator.as_str(),
    })
}

/// The value as the attribute has such values; `None` if it cannot.
fn literal(attribute: &Attribute, operator: Operator, token: &TokenKind<'_>) -> Option<Literal> {
    let text = match token {
        TokenKind::Text(text) => Some(&**text),
        _ => None,
    };
    match attribute.kind {
        Type::String | Type::Reference | Type::Binary => text.map(|text| Literal::Text(text.to_owned())),
        // Quoted too: Entra ID sends `roles[primary eq "True"]`.
        Type::Boolean => {
            let word = match token {
                TokenKind::Word(word) => word,
                _ => text?,
            };
            parse_boolean(word).map(Literal::Boolean)
        }
        Type::Integer | Type::Decimal => match token {
            TokenKind::Word(word) => serde_json::from_str(word).ok().map(Literal::Number),
            _ => None,
        },
        Type::DateTime => match operator {
            Operator::Co | Operator::Sw | Operator::Ew => text.map(|text| Literal::Text(text.to_owned())),
            _ => text.and_then(time::parse).map(|time: Timestamp| Literal::Time(time)),
        },
        Type::Complex => None,
    }
}

/// `true` and `false` in any spelling of case.
pub(crate) fn parse_boolean(word: &str) -> Option<bool> {
    if word.eq_ignore_ascii_case("true") {
        Some(true)
    } else if word.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Whether its values are compared with texts.
fn is_text(kind: Type) -> bool {
    matches!(kind, Type::String | Type::Reference | Type::Binary | Type::DateTime)
}

fn described(kind: Type) -> &'static str {
    match kind {
        Type::String => "a string",
        Type::Boolean => "a boolean",
        Type::Decimal => "a decimal",
        Type::Integer => "an integer",
        Type::DateTime => "a dateTime",
        Type::Binary => "binary",
        Type::Reference => "a reference",
        Type::Complex => "complex",
    }
}
