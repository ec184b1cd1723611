//! A table as CSV (RFC 4180, in UTF-8, with or without a byte order mark). The first line names the columns. One of them is
//! the key, the others are members of the row, each a text; an empty field is an empty text.

use serde_json::{Map, Value};

use super::{Columns, Contents, Rows, TableError, TableLimits, TableProblem};

/// Reads a table. `key` names the key's column; without it, it is the first.
pub fn read(bytes: &[u8], key: Option<&str>, limits: &TableLimits) -> Result<Contents, TableError> {
    let mut reader = ::csv::ReaderBuilder::new().from_reader(bytes);
    let header: Vec<String> = reader.headers().map_err(told)?.iter().map(str::to_owned).collect();
    let columns = columns(header, key, limits).map_err(|problem| TableError::Line { line: 1, problem })?;
    let mut rows = Rows::new(limits);
    let mut record = ::csv::StringRecord::new();
    let mut line = 1;
    while reader.read_record(&mut record).map_err(told)? {
        line = record.position().map_or(line, ::csv::Position::line);
        let at_line = |problem| TableError::Line { line, problem };
        let fields = columns.names.iter().zip(&record).enumerate();
        let members = fields.filter(|(number, _)| *number != columns.key);
        let row: Map<String, Value> = members.map(|(_, (name, field))| (name.clone(), field.into())).collect();
        let key = record.get(columns.key).unwrap_or_default().to_owned();
        rows.add(key, Value::Object(row).to_string(), Some(line)).map_err(at_line)?;
    }
    // The reader takes what is not closed for a field that goes on to the end. RFC 4180 §2 has quotation marks in pairs only.
    if !bytes.iter().filter(|byte| **byte == b'"').count().is_multiple_of(2) {
        return Err(TableError::Line { line, problem: TableProblem::Quotes });
    }
    Ok(rows.finish(Some(columns)))
}

fn columns(names: Vec<String>, key: Option<&str>, limits: &TableLimits) -> Result<Columns, TableProblem> {
    let columns_max = limits.columns_max;
    if names.is_empty() {
        return Err(TableProblem::NoHeader);
    }
    if names.len() > columns_max {
        return Err(TableProblem::TooManyColumns { columns: names.len(), columns_max });
    }
    for (number, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(TableProblem::NamelessColumn { number: number.saturating_add(1) });
        }
        if names.iter().take(number).any(|other| other == name) {
            return Err(TableProblem::DuplicateColumn { name: name.clone() });
        }
    }
    let found = key.map_or(Some(0), |key| names.iter().position(|name| name == key));
    let Some(found) = found else {
        let columns = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return Err(TableProblem::NoKeyColumn { name: key.unwrap_or_default().to_owned(), columns });
    };
    Ok(Columns { names, key: found })
}

/// What the reader says, with the line it says it of.
fn told(error: ::csv::Error) -> TableError {
    let line = error.position().map(::csv::Position::line);
    let problem = match error.kind() {
        ::csv::ErrorKind::Utf8 { .. } => TableProblem::NotUtf8,
        ::csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            TableProblem::Fields { found: *len, expected: *expected_len }
        }
        _ => TableProblem::Malformed(error.to_string()),
    };
    match line {
        Some(line) => TableError::Line { line, problem },
        None => problem.into(),
    }
}

/// The line that names the columns.
pub fn header(columns: &Columns) -> String {
    line(columns.names.iter().map(String::as_str))
}

/// The line of a row. What the row has not is an empty field.
pub fn row(columns: &Columns, key: &str, row: &str) -> String {
    let members: Map<String, Value> = serde_json::from_str(row).unwrap_or_default();
    let field = |(number, name): (usize, &String)| match number == columns.key {
        true => key.to_owned(),
        false => members.get(name).and_then(Value::as_str).unwrap_or_default().to_owned(),
    };
    let fields: Vec<String> = columns.names.iter().enumerate().map(field).collect();
    line(fields.iter().map(String::as_str))
}

/// Writing into memory does not fail.
fn line<'a>(fields: impl Iterator<Item = &'a str>) -> String {
    let mut writer = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(Vec::new());
    drop(writer.write_record(fields));
    writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}
