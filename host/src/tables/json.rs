//! A table as JSON. It is shown as an object from key to row. It may be sent as
//!
//! * that: `{"D-7": {"name": "Engines"}}`, where a row is any JSON but `null`;
//! * a list of objects, of which one member is the key: `[{"code": "D-7", "name": "Engines"}]` and `key=code`;
//! * a list of texts, for a set: `["D-7", "D-8"]`. Each is a key whose row is `{}`.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{Columns, Contents, Rows, TableError, TableLimits, TableProblem};

/// The row of a key that is there for its own sake.
const NO_MEMBERS: &str = "{}";

/// The key's column in CSV, where the table has no name for it.
const KEY: &str = "key";

/// Reads a table. `key` names the member that is the key of each object in a list.
pub fn read(bytes: &[u8], key: Option<&str>, limits: &TableLimits) -> Result<Contents, TableError> {
    let mut reader = Reader { rows: Rows::new(limits), key, names: Some(BTreeSet::new()) };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let read = (&mut reader).deserialize(&mut deserializer).and_then(|()| deserializer.end());
    read.map_err(|error| TableError::Json(error.to_string()))?;
    let columns = reader.columns();
    Ok(reader.rows.finish(columns))
}

struct Reader<'l> {
    rows: Rows<'l>,
    key: Option<&'l str>,
    /// Members of rows, as long as every row is an object of texts.
    names: Option<BTreeSet<String>>,
}

impl Reader<'_> {
    fn add(&mut self, key: String, row: &Value) -> Result<(), TableProblem> {
        if row.is_null() {
            return Err(TableProblem::NullRow { key });
        }
        match row.as_object().filter(|members| members.values().all(Value::is_string)) {
            Some(members) => {
                if let Some(names) = &mut self.names {
                    names.extend(members.keys().filter(|name| !name.is_empty()).cloned());
                }
            }
            None => self.names = None,
        }
        self.rows.add(key, row.to_string(), None)
    }

    fn add_object(&mut self, number: usize, mut members: Map<String, Value>) -> Result<(), TableProblem> {
        let name = self.key.ok_or(TableProblem::KeyUnnamed)?;
        match members.remove(name) {
            Some(Value::String(key)) => self.add(key, &Value::Object(members)),
            _ => Err(TableProblem::NoKey { number, key: name.to_owned() }),
        }
    }

    /// How it is shown as CSV: the key, then every member that a row has.
    fn columns(&self) -> Option<Columns> {
        let key = self.key.unwrap_or(KEY);
        let names = self.names.as_ref().filter(|names| !names.contains(key))?;
        let names: Vec<String> = [key].into_iter().chain(names.iter().map(String::as_str)).map(str::to_owned).collect();
        (names.len() <= self.rows.limits.columns_max).then_some(Columns { names, key: 0 })
    }
}

impl<'de> DeserializeSeed<'de> for &mut Reader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Reader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object from key to row, a list of texts or a list of objects")
    }

    /// Member by member: a map of `serde_json` would take the last of two with one name.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.key.is_some() {
            return Err(A::Error::custom(TableProblem::KeyNamed("an object from key to row")));
        }
        while let Some(key) = map.next_key::<String>()? {
            // Before the row is read: what is refused need not be.
            self.rows.check_key(&key).map_err(A::Error::custom)?;
            let row: Value = map.next_value()?;
            self.add(key, &row).map_err(A::Error::custom)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let (mut number, mut is_set) = (0usize, None);
        while let Some(element) = list.next_element::<Value>()? {
            number = number.saturating_add(1);
            let added = match (element, is_set) {
                (Value::String(_), None) if self.key.is_some() => Err(TableProblem::KeyNamed("a list of texts")),
                (Value::String(key), None | Some(true)) => {
                    is_set = Some(true);
                    self.rows.add(key, NO_MEMBERS.to_owned(), None)
                }
                (Value::Object(members), None | Some(false)) => {
                    is_set = Some(false);
                    self.add_object(number, members)
                }
                (_, Some(true)) => Err(TableProblem::Element { number, expected: "a text, as those before it are" }),
                (_, Some(false)) => {
                    Err(TableProblem::Element { number, expected: "an object, as those before it are" })
                }
                (_, None) => Err(TableProblem::Element { number, expected: "a text or an object" }),
            };
            added.map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

/// Shows a table as JSON, a row at a time.
#[derive(Debug, Default)]
pub struct Shown {
    begun: bool,
}

impl Shown {
    /// The next row, with what comes before it.
    pub fn row(&mut self, key: &str, row: &str) -> String {
        let before = if std::mem::replace(&mut self.begun, true) { ',' } else { '{' };
        format!("{before}{}:{row}", Value::from(key))
    }

    /// What comes after the last row.
    pub fn end(self) -> &'static str {
        if self.begun { "}" } else { "{}" }
    }
}
