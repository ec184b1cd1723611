use super::*;

const SMALL: TableLimits = TableLimits {
    upload_bytes_max: 1_000,
    table_bytes_max: 60,
    rows_max: 3,
    row_bytes_max: 40,
    key_bytes_max: 8,
    columns_max: 3,
    ..TableLimits::DEFAULT
};

fn csv(text: &str, key: Option<&str>) -> Result<Contents, TableError> {
    csv::read(text.as_bytes(), key, &TableLimits::DEFAULT)
}

fn json(text: &str, key: Option<&str>) -> Result<Contents, TableError> {
    json::read(text.as_bytes(), key, &TableLimits::DEFAULT)
}

fn rows(contents: &Contents) -> Vec<(&str, &str)> {
    contents.rows.iter().map(|(key, row)| (key.as_str(), row.as_str())).collect()
}

fn as_csv(contents: &Contents) -> Option<String> {
    let columns = contents.columns.as_ref()?;
    let lines = contents.rows.iter().map(|(key, row)| csv::row(columns, key, row));
    Some([csv::header(columns)].into_iter().chain(lines).collect())
}

fn as_json(contents: &Contents) -> String {
    let mut shown = json::Shown::default();
    let rows: String = contents.rows.iter().map(|(key, row)| shown.row(key, row)).collect();
    rows + shown.end()
}

const DEPARTMENTS: &str = "code,name,head\r\nD-7,\"Engines, analytical\",ada\r\nD-8,Compilers,\r\n";

#[test]
fn csv_with_a_header_is_a_row_for_each_line_by_its_first_column() {
    let read = csv(DEPARTMENTS, None).unwrap();
    let expected =
        [("D-7", r#"{"head":"ada","name":"Engines, analytical"}"#), ("D-8", r#"{"head":"","name":"Compilers"}"#)];
    assert_eq!(rows(&read), expected);
    let by_name = csv(DEPARTMENTS, Some("name")).unwrap();
    assert_eq!(rows(&by_name)[0], ("Compilers", r#"{"code":"D-8","head":""}"#));
}

#[test]
fn a_byte_order_mark_and_empty_lines_are_passed_over() {
    let read = csv("\u{feff}code\nD-7\n\nD-8\n", None).unwrap();
    assert_eq!(rows(&read), [("D-7", "{}"), ("D-8", "{}")]);
}

#[test]
fn keys_are_kept_as_they_are() {
    let read = csv("code\nd-7\nD-7\n D-7\n", None).unwrap();
    assert_eq!(rows(&read), [(" D-7", "{}"), ("D-7", "{}"), ("d-7", "{}")]);
}

#[test]
fn what_is_read_from_csv_and_from_json_is_the_same_table() {
    let from_csv = csv(DEPARTMENTS, None).unwrap();
    let object = r#"{"D-8": {"name": "Compilers", "head": ""},
                     "D-7": {"name": "Engines, analytical", "head": "ada"}}"#;
    let list = r#"[{"code": "D-7", "head": "ada", "name": "Engines, analytical"},
                   {"name": "Compilers", "code": "D-8", "head": ""}]"#;
    for read in [json(object, None).unwrap(), json(list, Some("code")).unwrap()] {
        assert_eq!((&read.rows, &read.digest, read.bytes), (&from_csv.rows, &from_csv.digest, from_csv.bytes));
    }
    assert_eq!(json("[\"a\", \"b\"]", None).unwrap().digest, csv("name\nb\na\n", None).unwrap().digest);
    assert_ne!(json("[\"a\"]", None).unwrap().digest, json("[\"b\"]", None).unwrap().digest);
}

#[test]
fn what_is_shown_is_read_as_the_same_table() {
    for text in [DEPARTMENTS, "code\na\n\"b\"\"c\"\n", "code\n"] {
        let read = csv(text, None).unwrap();
        assert_eq!(csv(&as_csv(&read).unwrap(), None), Ok(read.clone()), "{text}");
        let again = json(&as_json(&read), None).unwrap();
        assert_eq!((again.rows, again.digest), (read.rows, read.digest), "{text}");
    }
    let nested = r#"{"a":{"b":[1,2.5,true]},"c":"text","d":7}"#;
    let read = json(nested, None).unwrap();
    assert_eq!((as_json(&read).as_str(), as_csv(&read)), (nested, None));
}

#[test]
fn the_digest_is_that_of_the_table_as_json() {
    let read = json(r#"{"b":1,"a":2}"#, None).unwrap();
    let digest: String = Sha256::digest(br#"{"a":2,"b":1}"#).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(read.digest, digest);
}

#[test]
fn json_has_columns_where_every_row_is_an_object_of_texts() {
    let names = |text: &str, key| json(text, key).unwrap().columns.map(|columns| columns.names.join(" "));
    assert_eq!(names(r#"{"x": {"b": "1"}, "y": {"a": "2"}}"#, None).as_deref(), Some("key a b"));
    assert_eq!(names(r#"[{"code": "x", "b": "1"}]"#, Some("code")).as_deref(), Some("code b"));
    assert_eq!(names(r#"["x", "y"]"#, None).as_deref(), Some("key"));
    for no_columns in [r#"{"x": {"b": 1}}"#, r#"{"x": {"key": "1"}}"#, r#"{"x": "text"}"#] {
        assert_eq!(names(no_columns, None), None, "{no_columns}");
    }
}

#[test]
fn what_is_wrong_with_csv_is_said_with_its_line() {
    let check = |text: &str, key, expected: &str| assert_eq!(csv(text, key).unwrap_err().to_string(), expected);
    check("", None, "line 1: there is no header: the first line of CSV names the columns");
    check("code,\n", None, "line 1: column 2 has no name");
    check("code,name,code\n", None, "line 1: the column `code` is there twice");
    check("code,name\n", Some("id"), "line 1: there is no column `id` for the key; there are `code`, `name`");
    check("code,name\na,1\nb\n", None, "line 3: 1 fields, but the header has 2");
    check("code,name\n\"a\nb\",1\nc,2,3\n", None, "line 4: 3 fields, but the header has 2");
    check("code,name\na,1\n,2\n", None, "line 3: the key is empty");
    check("code,name\na,1\nb,2\na,3\n", None, "line 4: the key `a` is there already, in line 2");
    let quotes = "a quotation mark is not closed: in a quoted field it is written twice, and in no other field";
    check("code,name\na,1\nb,\"2\nc,3\n", None, &format!("line 3: {quotes}"));
    let bytes = csv::read(b"code\na\n\xff\n", None, &TableLimits::DEFAULT);
    assert_eq!(bytes.unwrap_err().to_string(), "line 3: this is not UTF-8");
}

#[test]
fn what_is_wrong_with_json_is_said_with_its_line() {
    let check = |text: &str, key, problem: &str, line: u32| {
        let error = json(text, key).unwrap_err().to_string();
        let expected = format!("the JSON is not a table: {problem} at line {line} column ");
        assert!(error.starts_with(&expected), "{text}: {error}");
    };
    check("{\"a\": 1,\n \"a\": 2\n}", None, "the key `a` is there already", 2);
    check("{\"\": 1}", None, "the key is empty", 1);
    check("{\"a\": null}", None, "the row of `a` is `null`", 1);
    let named = "`key` names a member of the objects in a list, and this is";
    check("{\"a\": 1}", Some("a"), &format!("{named} an object from key to row"), 1);
    check("[\"a\"]", Some("a"), &format!("{named} a list of texts"), 1);
    check("[{\"a\": 1}]", None, "for a list of objects name the member that is the key: `?key=name`", 1);
    check("[{\"a\": 1}]", Some("a"), "row 1 has no text `a` for the key", 1);
    check("[\"a\",\n{}]", None, "row 2 is not a text, as those before it are", 2);
    check("[{\"a\": \"1\"}, \"a\"]", Some("a"), "row 2 is not an object, as those before it are", 1);
    check("[7]", None, "row 1 is not a text or an object", 1);
    let expected = "expected an object from key to row, a list of texts or a list of objects";
    check("7", None, &format!("invalid type: integer `7`, {expected}"), 1);
    check("{\"a\": 1} {}", None, "trailing characters", 1);
    check("[\"a\"", None, "EOF while parsing a list", 1);
}

#[test]
fn each_limit_has_a_table_that_is_just_within_and_one_that_is_beyond() {
    let check = |limit: &str, within: &str, beyond: &str| {
        let read = |text: &str| csv::read(text.as_bytes(), None, &SMALL);
        assert!(read(within).is_ok(), "{:?}", read(within));
        assert_eq!(read(beyond).unwrap_err().to_string(), limit);
    };
    check("line 1: there are 4 columns, more than the limit of 3", "a,b,c\n", "a,b,c,d\n");
    check("line 5: there are more than 3 rows", "a\n1\n2\n3\n", "a\n1\n2\n3\n4\n");
    check("line 2: a key of 9 bytes is longer than the limit of 8", "a\n12345678\n", "a\n123456789\n");
    let row = |length: usize| format!("a,b\n1,{}\n", "x".repeat(length));
    check("line 2: the row of `1` has 41 bytes as JSON, more than the limit of 40", &row(32), &row(33));
    let two = |length: usize| format!("a,b\n1,{0}\n2,{0}\n", "x".repeat(length));
    check("line 3: keys and rows have more than 60 bytes as JSON", &two(21), &two(22));
}

#[test]
fn limits_are_within_their_ranges_and_each_has_one() {
    for (name, get, least, most) in TableLimits::RANGES {
        assert!((least..=most).contains(&get(&TableLimits::DEFAULT)), "{name}");
    }
    assert_eq!(format!("{:?}", TableLimits::DEFAULT).matches(": ").count(), TableLimits::RANGES.len());
}
