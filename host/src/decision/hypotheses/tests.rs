use super::*;

fn document(document: DocumentRef, path: &str, answer: DocumentAnswer) -> Read {
    Read::Document { document, path: path.to_owned(), answer }
}

fn value(of: DocumentRef, path: &str, value: Option<Value>) -> Read {
    document(of, path, DocumentAnswer::Value(value))
}

/// In words, with the reads that differ.
fn supposed(reads: Vec<Read>) -> Vec<(String, Vec<Read>)> {
    let reads = ReadSet { reads };
    let found = hypotheses(&reads, 100);
    let differing = |hypothesis: &Hypothesis| {
        let applied = hypothesis.apply(&reads).reads;
        let pairs = applied.into_iter().zip(&reads.reads);
        pairs.filter(|(new, old)| new != *old).map(|(new, _)| new).collect()
    };
    found.iter().map(|hypothesis| (hypothesis.supposed.to_string(), differing(hypothesis))).collect()
}

#[test]
fn what_has_changed_is_supposed_to_be_as_it_was_in_every_read() {
    let told = |answer| Read::Differences { under: String::new(), answer };
    let title = ("title".to_owned(), None, Some(json!("Countess")));
    let number = ("externalId".to_owned(), Some(json!("E1")), Some(json!("E2")));
    let reads = vec![
        Read::Changes { path: "externalId".to_owned(), answer: true },
        told(vec![number, title.clone()]),
        value(DocumentRef::After, "externalId", Some(json!("E2"))),
    ];
    let found = supposed(reads);
    assert_eq!(found[0].0, "externalId had not changed");
    let expected = vec![
        Read::Changes { path: "externalId".to_owned(), answer: false },
        told(vec![title]),
        value(DocumentRef::After, "externalId", Some(json!("E1"))),
    ];
    assert_eq!(found[0].1, expected);
    assert_eq!(found[1].0, "title had not changed");
    assert_eq!(found[2].0, "externalId after had no value");
}

#[test]
fn a_value_that_goes_is_gone_for_every_question() {
    let found = supposed(vec![
        value(DocumentRef::After, "title", Some(json!("Countess"))),
        document(DocumentRef::After, "title", DocumentAnswer::Present(true)),
    ]);
    let gone = vec![
        value(DocumentRef::After, "title", None),
        document(DocumentRef::After, "title", DocumentAnswer::Present(false)),
    ];
    assert_eq!(found, [("title after had no value".to_owned(), gone)]);
}

#[test]
fn look_ups_and_tables_could_have_answered_otherwise() {
    let look_up = |answer| {
        let (resource_type, filter) = ("User".to_owned(), "active eq true".to_owned());
        Read::LookUp { look_up: LookUp::Count { resource_type, filter }, answer: LookUpAnswer::Count(answer) }
    };
    let table = |contains| Read::Table {
        table: "codes".to_owned(),
        revision: 1,
        key: "D-7".to_owned(),
        answer: TableAnswer::Contains(contains),
    };
    let found = supposed(vec![look_up(1), table(false)]);
    let expected = [
        ("the number of User where active eq true were 0".to_owned(), vec![look_up(0)]),
        ("the number of User where active eq true were 2".to_owned(), vec![look_up(2)]),
        ("table codes had D-7".to_owned(), vec![table(true)]),
    ];
    assert_eq!(found, expected);
}

#[test]
fn one_more_could_have_been_found_where_there_was_room_for_it() {
    let find = |limit, found: &[(ResourceId, i64)]| Read::LookUp {
        look_up: LookUp::Find { resource_type: "User".to_owned(), filter: "active pr".to_owned(), limit },
        answer: LookUpAnswer::Resources(found.to_vec()),
    };
    let ada = (ResourceId(Uuid::from_u128(7)), 3);
    let words = |reads| supposed(reads).into_iter().map(|(words, _)| words).collect::<Vec<_>>();
    let [nobody, more] = ["nobody", "one more"].map(|who| format!("looking for User where active pr found {who}"));
    assert_eq!(words(vec![find(2, &[ada])]), [nobody.clone(), more.clone()]);
    assert_eq!(words(vec![find(1, &[ada])]), [nobody]);
    assert_eq!(supposed(vec![find(1, &[])]), [(more, vec![find(1, &[(ONE_MORE, 1)])])]);
}

#[test]
fn there_are_no_more_than_may_be_asked_about() {
    let paths: Vec<String> = (0..50).map(|number| format!("path{number}")).collect();
    let reads = paths.iter().map(|path| value(DocumentRef::After, path, Some(json!(true)))).collect();
    assert_eq!(hypotheses(&ReadSet { reads }, 30).len(), 30);
}
