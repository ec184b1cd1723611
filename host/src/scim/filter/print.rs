//! The canonical spelling of a filter: names as in the schema, operators in lower case, single spaces, parentheses only
//! where they decide something. It parses to an equal filter.

use std::fmt;

use crate::scim::filter::{Filter, Literal};

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare { attribute, operator, value } => write!(f, "{attribute} {} {value}", operator.as_str()),
            Self::Present(attribute) => write!(f, "{attribute} pr"),
            Self::ValuePath { attribute, filter } => write!(f, "{attribute}[{filter}]"),
            Self::And(filters) => joined(f, filters, " and ", |filter| matches!(filter, Self::Or(_))),
            Self::Or(filters) => joined(f, filters, " or ", |_| false),
            Self::Not(filter) => write!(f, "not ({filter})"),
        }
    }
}

fn joined(
    f: &mut fmt::Formatter<'_>,
    filters: &[Filter],
    separator: &str,
    in_parentheses: impl Fn(&Filter) -> bool,
) -> fmt::Result {
    for (index, filter) in filters.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        if in_parentheses(filter) { write!(f, "({filter})")? } else { write!(f, "{filter}")? }
    }
    Ok(())
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // As JSON: quotes, backslashes and control characters escaped.
            Self::Text(text) => write!(f, "{}", serde_json::Value::from(text.as_str())),
            Self::Boolean(boolean) => write!(f, "{boolean}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Time(time) => write!(f, "\"{time}\""),
            Self::Null => f.write_str("null"),
        }
    }
}
