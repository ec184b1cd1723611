use serde_json::json;

use super::*;
use crate::{Document, Draft, Error, NoSettings, Operation, ReadError, about, directory, tables};

/// Runs a closure as a constraint, with everything granted.
fn ask<T: 'static>(scenario: &Scenario, question: impl FnOnce(&Operation) -> T) -> T {
    let about = About::new("ask", "0.0.0", "").looks_up(["User", "Group"]);
    let (operation, tenant) = scenario.build(&about);
    let entered = tenant.enter();
    let answer = question(&operation);
    entered.leave();
    answer
}

fn ada() -> Json {
    json!({
        "id": "a1", "userName": "Ada", "active": true, "externalId": "E1", "loginCount": 3,
        "name": { "givenName": "Ada" },
        "emails": [{ "value": "a@x", "type": "work", "primary": true }, { "value": "a@y", "type": "home" }],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "manager": { "value": "b1" } },
    })
}

#[test]
fn tables_answer_for_what_is_asked_for_and_there() {
    let asking = |capability: &str, table: &'static str, key: &'static str| {
        let about = About::new("ask", "0.0.0", "").tables([capability]);
        let scenario =
            Scenario::create("User", ada()).table("codes", json!({ "a": { "n": "1" } })).table("set", json!(["b"]));
        let (_, tenant) = scenario.build(&about);
        let entered = tenant.enter();
        let found = (tables::contains(table, key), tables::get::<Json>(table, key));
        let reads = entered.leave().reads;
        (found, reads)
    };
    let (found, reads) = asking("codes", "codes", "a");
    assert_eq!((found, reads.len()), ((Ok(true), Ok(Some(json!({ "n": "1" })))), 2));
    assert_eq!(asking("codes", "codes", "A").0, (Ok(false), Ok(None)));
    assert_eq!(asking("*", "set", "b").0, (Ok(true), Ok(Some(json!({})))));
    assert!(matches!(asking("codes", "set", "b").0.0, Err(ReadError::NotGranted(_))));
    assert!(matches!(asking("*", "none", "b").0, (Err(ReadError::Unavailable(_)), Err(ReadError::Unavailable(_)))));
}

#[track_caller]
fn check_path(path: &str, expected: &[&str]) {
    let path = path.to_owned();
    let found = ask(&Scenario::create("User", ada()), move |operation| operation.after().unwrap().values(&path));
    let found: Vec<String> = found.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}

#[test]
fn paths_select_what_rfc_7644_says() {
    check_path("userName", &["Ada"]);
    check_path("USERNAME", &["Ada"]);
    check_path("urn:ietf:params:scim:schemas:core:2.0:User:userName", &["Ada"]);
    check_path("name.givenName", &["Ada"]);
    check_path("loginCount", &["3"]);
    check_path("emails.value", &["a@x", "a@y"]);
    check_path(r#"emails[type eq "work"].value"#, &["a@x"]);
    check_path(r#"emails[type eq "home" or primary eq true].type"#, &["work", "home"]);
    check_path(r#"emails[value eq "a@y"]"#, &[r#"{"type":"home","value":"a@y"}"#]);
    check_path("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value", &["b1"]);
    check_path("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", &[r#"{"manager":{"value":"b1"}}"#]);
    check_path("nickName", &[]);
}

#[track_caller]
fn check_filter(filter: &str, expected: Result<bool, &str>) {
    let asked = filter.to_owned();
    let found = ask(&Scenario::create("User", ada()), move |operation| operation.after().unwrap().matches(&asked));
    match (found, expected) {
        (Err(ReadError::Invalid(message)), Err(part)) => assert!(message.contains(part), "{message}"),
        (found, expected) => assert_eq!(found.ok(), expected.ok(), "{filter}"),
    }
}

#[test]
fn filters_hold_as_rfc_7644_says() {
    check_filter(r#"userName eq "ADA""#, Ok(true));
    check_filter(r#"externalId eq "e1""#, Ok(false));
    check_filter(r#"userName sw "a" and userName ew "a" and userName co "d""#, Ok(true));
    check_filter("active eq true and not (title pr)", Ok(true));
    check_filter(r#"title ne "Countess""#, Ok(true));
    check_filter(r#"emails[type eq "work" and value ew "@x"]"#, Ok(true));
    check_filter(r#"emails[type eq "home" and value ew "@x"]"#, Ok(false));
    check_filter(r#"emails eq "a@y""#, Ok(true));
    check_filter(r#"title pr or userName eq "x" or active eq true"#, Ok(true));
    check_filter(r#"(title pr or active eq true) and userName eq "x""#, Ok(false));
}

#[test]
fn what_the_double_does_not_know_is_an_error_and_not_an_answer() {
    check_filter("loginCount gt 2", Err("`gt`"));
    check_filter(r#"emails.type ne "work""#, Err("several values"));
    check_filter("userName eq ada", Err("text in quotes"));
    check_filter(r#"userName eq "ada" or"#, Err("a name"));
    check_filter(r#"(userName eq "ada""#, Err("`)`"));
    check_filter("", Err("a name"));
}

#[track_caller]
fn check_differences(before: Json, after: Json, expected: &[&str]) {
    let scenario = Scenario::update("User", before, after);
    let found = ask(&scenario, |operation| operation.all_differences()).unwrap();
    let show = |value: &Option<crate::Value>| value.as_ref().map_or("-".to_owned(), ToString::to_string);
    let found: Vec<String> =
        found.iter().map(|d| format!("{}: {} > {}", d.path, show(&d.before), show(&d.after))).collect();
    assert_eq!(found, expected);
}

#[test]
fn differences_are_named_at_the_finest_path() {
    check_differences(ada(), ada(), &[]);
    check_differences(
        json!({ "userName": "a" }),
        json!({ "userName": "b", "title": "T" }),
        &["title: - > T", "userName: a > b"],
    );
    check_differences(json!({ "name": { "givenName": "A" } }), json!({}), &["name.givenName: A > -"]);
    check_differences(
        json!({ "emails": [{ "value": "a@x", "type": "work" }, { "value": "a@y" }] }),
        json!({ "emails": [{ "value": "a@z" }, { "value": "a@x", "type": "home" }] }),
        &[
            r#"emails[value eq "a@x"].type: work > home"#,
            r#"emails[value eq "a@y"]: {"value":"a@y"} > -"#,
            r#"emails[value eq "a@z"]: - > {"value":"a@z"}"#,
        ],
    );
    check_differences(
        json!({ "urn:x:User": { "department": "A" } }),
        json!({ "urn:x:User": { "department": "B" } }),
        &["urn:x:User:department: A > B"],
    );
}

#[test]
fn gained_and_lost_values_are_named_by_their_value() {
    let group =
        |ids: &[&str]| json!({ "id": "g", "members": ids.iter().map(|id| json!({ "value": id })).collect::<Vec<_>>() });
    let scenario = Scenario::update("Group", group(&["a", "b"]), group(&["b", "c"]));
    assert_eq!(ask(&scenario, |operation| operation.added("members")).unwrap(), ["c"]);
    assert_eq!(ask(&scenario, |operation| operation.removed("members")).unwrap(), ["a"]);
}

#[test]
fn new_texts_are_those_that_an_update_brings_and_all_of_a_create_or_an_assessment() {
    let emails = |all: &[&str]| json!({ "emails": all.iter().map(|e| json!({ "value": e })).collect::<Vec<_>>() });
    let new = |scenario: Scenario| ask(&scenario, |operation| operation.new_texts("emails.value")).unwrap();
    assert_eq!(new(Scenario::update("User", emails(&["a@x", "b@x"]), emails(&["b@x", "c@x"]))), ["c@x"]);
    assert_eq!(new(Scenario::create("User", emails(&["a@x", "b@x"]))), ["a@x", "b@x"]);
    assert_eq!(new(Scenario::assess("User", emails(&["a@x"]))), ["a@x"]);
    assert_eq!(new(Scenario::delete("User", emails(&["a@x"]))), [""; 0]);
}

#[test]
fn a_name_in_another_case_is_no_other_name() {
    let named = |name: &str| json!({ "displayName": name });
    let renamed = |scenario: Scenario| ask(&scenario, |operation| operation.renamed("displayName")).unwrap();
    assert_eq!(renamed(Scenario::update("Group", named("Staff"), named("STAFF"))), None);
    assert_eq!(renamed(Scenario::update("Group", named("Staff"), named("Crew"))).as_deref(), Some("Crew"));
    assert_eq!(renamed(Scenario::update("Group", named("Staff"), json!({}))).as_deref(), Some(""));
    assert_eq!(renamed(Scenario::create("Group", named("Staff"))), None);
    assert_eq!(renamed(Scenario::delete("Group", named("Staff"))), None);
}

#[test]
fn the_questions_about_a_group_see_who_stays_in_it() {
    let staff =
        |ids: &[&str]| json!({ "id": "s", "members": ids.iter().map(|id| json!({ "value": id })).collect::<Vec<_>>() });
    let among = |scenario: Scenario| {
        scenario
            .user(json!({ "id": "a", "active": true }))
            .user(json!({ "id": "b", "active": true }))
            .user(json!({ "id": "c", "active": false }))
            .user(json!({ "id": "d", "active": true }))
    };
    let to = |ids: &[&str]| {
        let scenario = among(Scenario::update("Group", staff(&["a", "b", "c"]), staff(ids)));
        ask(&scenario, |operation| operation.remaining_members("active eq true")).unwrap()
    };
    assert_eq!(to(&["a", "c"]), Some(1));
    assert_eq!(to(&["a", "d"]), Some(2));
    assert_eq!(to(&["a", "b"]), None, "who leaves is not counted");
    let deleted = among(Scenario::delete("Group", staff(&["a", "c"])));
    assert_eq!(ask(&deleted, |operation| operation.remaining_members("active eq true")), Ok(Some(0)));
    assert_eq!(ask(&deleted, |operation| operation.remaining_members(r#"id eq "d""#)), Ok(None));

    let leaving = |scenario: &Scenario| {
        let found = ask(scenario, |operation| operation.leaving_members("active pr", 9)).unwrap();
        found.iter().filter_map(Document::id).collect::<Vec<_>>()
    };
    let updated = |ids: &[&str]| among(Scenario::update("Group", staff(&["a", "b", "c"]), staff(ids)));
    assert_eq!(
        (leaving(&updated(&["b", "d"])), leaving(&updated(&["a", "b", "c", "d"]))),
        (vec!["a".to_owned(), "c".to_owned()], vec![])
    );
    assert_eq!(leaving(&deleted), ["a", "c"]);
    let too_few = |ids: &[&str], minimum| {
        ask(&updated(ids), move |operation| operation.too_few_members("active eq true", minimum)).unwrap()
    };
    assert_eq!((too_few(&["a"], 1), too_few(&["a", "c"], 2), too_few(&["a", "d"], 2)), (None, Some(1), None));
    assert_eq!(too_few(&["a", "b"], 3), None, "who leaves is not counted");
    let others = |user: &'static str, enough| {
        ask(&updated(&["a"]), move |_| directory::count_others("s", user, "active eq true", enough)).unwrap()
    };
    assert_eq!((others("a", 5), others("c", 5), others("c", 1), others("b", 200)), (1, 2, 1, 1));

    let actives = ask(&deleted, |_| directory::members("s", "active eq true or active eq false", 9)).unwrap();
    assert_eq!(actives.iter().filter_map(Document::id).collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(ask(&deleted, |_| directory::count_members("s", "active eq true")), Ok(1));
    let ids = ["a", "c", "d", "nobody"].map(str::to_owned);
    assert_eq!(ask(&deleted, move |_| directory::count_among("User", &ids, "active eq true")), Ok(2));
    assert_eq!(ask(&deleted, |_| directory::exists("User", r#"id eq "d""#)), Ok(true));
    assert_eq!(ask(&deleted, |_| directory::exists("User", r#"id eq "nobody""#)), Ok(false));
}

#[test]
fn look_ups_see_the_tenant_as_of_before_the_operation() {
    let before = json!({ "id": "a1", "userName": "ada", "active": true });
    let after = json!({ "id": "a1", "userName": "ada", "active": false });
    let scenario = Scenario::update("User", before, after)
        .group(json!({ "id": "g1", "members": [{ "value": "a1" }] }))
        .group(json!({ "id": "g2", "members": [{ "value": "g1" }] }));
    let count = ask(&scenario, |_| directory::count("User", r#"groups.value eq "g1" and active eq true"#));
    assert_eq!(count, Ok(1));
    assert_eq!(ask(&scenario, |_| directory::is_member("g2", "a1")), Ok(false));
    assert_eq!(ask(&scenario, |_| directory::is_member_transitively("g2", "a1")), Ok(true));
    let groups = ask(&scenario, |operation| operation.before().unwrap().texts("groups.value"));
    assert_eq!(groups.unwrap(), ["g1"]);
}

struct Nosy;

impl Constraint for Nosy {
    type Settings = NoSettings;

    fn about() -> About {
        about!().reads(["emails.value", "name"])
    }

    fn evaluate(operation: &Operation, _: &NoSettings) -> Result<Verdict, Error> {
        let user: Document = operation.after().ok_or_else(|| Error::new("no state after"))?;
        user.text("emails.value")?;
        user.text("name.givenName")?;
        assert!(!user.has("name.familyName")?, "a family name");
        user.texts(r#"emails[type eq "work"].value"#)?;
        Ok(Verdict::allow())
    }
}

#[test]
fn a_read_that_was_not_declared_is_a_fault_also_within_a_value_filter() {
    let outcome = Scenario::create("User", ada()).check::<Nosy>(json!({}));
    assert_eq!(outcome.fault(), Some("not granted: `emails.type` is not among the declared reads"));
    assert_eq!(outcome.reads(), ["after emails.value", "after name.givenName", "after name.familyName"]);
}

#[test]
fn a_panic_and_wrong_settings_are_faults_with_a_message() {
    let named = Scenario::create("User", json!({ "name": { "familyName": "L" } }));
    assert_eq!(named.check::<Nosy>(json!({})).fault(), Some("panicked: a family name"));
    assert!(named.check::<Nosy>(json!({ "x": 1 })).fault().unwrap().starts_with("settings: unknown field `x`"));
}

#[test]
fn a_look_up_that_was_not_declared_is_refused() {
    let (_operation, tenant) = Scenario::create("User", ada()).build(&About::new("a", "0.0.0", ""));
    let entered = tenant.enter();
    assert!(matches!(directory::get("User", "a1"), Err(ReadError::NotGranted(_))));
    entered.leave();
    assert!(matches!(directory::get("User", "a1"), Err(ReadError::Unavailable(_))));
}

#[test]
fn a_literal_cannot_break_out_of_its_quotes() {
    let name = r#"x" or active pr or userName eq ""#;
    let count = ask(&Scenario::create("User", ada()).user(json!({ "id": "b", "active": true })), move |_| {
        directory::count("User", &format!("userName eq {}", crate::quoted(name)))
    });
    assert_eq!(count, Ok(0));
}

/// Gives the edits that its settings say, in `title` and `emails`.
struct Edits;

impl Rewriter for Edits {
    type Settings = Vec<(String, String, Json)>;

    fn about() -> About {
        about!().writes(["title", "emails.value", "emails.type", "urn:x:User", "name"])
    }

    fn rewrite(_: &Operation, settings: &Self::Settings) -> Result<Vec<Edit>, Error> {
        let edit = |(kind, path, value): &(String, String, Json)| match kind.as_str() {
            "set" => Edit::set(path, value.clone()),
            "append" => Edit::append(path, value.clone()),
            _ => Edit::remove(path),
        };
        Ok(settings.iter().map(edit).collect())
    }
}

#[track_caller]
fn check_edits(before: Json, edits: Json, expected: Result<Json, &str>) {
    let rewritten = Scenario::create("User", before).rewrite::<Edits>(edits);
    match expected {
        Ok(after) => assert_eq!(rewritten.after(), &after),
        Err(part) => {
            let fault = rewritten.fault().unwrap_or("no fault");
            assert!(fault.contains(part), "{fault}");
        }
    }
}

#[test]
fn edits_are_made_as_a_patch_makes_them() {
    let with = |emails: Json| json!({ "emails": emails });
    let two = || with(json!([{ "value": "a@x", "type": "work" }, { "value": "b@x", "type": "home" }]));
    check_edits(json!({}), json!([["set", "title", "T"], ["set", "TITLE", "U"]]), Ok(json!({ "title": "U" })));
    check_edits(json!({ "title": "T" }), json!([["remove", "title", null]]), Ok(json!({})));
    check_edits(json!({ "title": "T" }), json!([["set", "title", null]]), Ok(json!({})));
    check_edits(
        json!({ "name": { "givenName": "A" } }),
        json!([["set", "name", { "familyName": "L" }], ["set", "name.givenName", "B"]]),
        Ok(json!({ "name": { "givenName": "B", "familyName": "L" } })),
    );
    check_edits(
        json!({}),
        json!([["set", "urn:x:User:department", "D"]]),
        Ok(json!({ "urn:x:User": { "department": "D" } })),
    );
    check_edits(json!({}), json!([["set", "emails.value", "a@x"]]), Ok(with(json!([{ "value": "a@x" }]))));
    check_edits(
        two(),
        json!([["set", r#"emails[type eq "work"].value"#, "c@x"]]),
        Ok(with(json!([{ "value": "c@x", "type": "work" }, { "value": "b@x", "type": "home" }]))),
    );
    check_edits(
        two(),
        json!([
            ["remove", r#"emails[type eq "home"].type"#, null],
            ["remove", r#"emails[type eq "work"].value"#, null]
        ]),
        Ok(with(json!([{ "type": "work" }, { "value": "b@x" }]))),
    );
}

#[test]
fn an_edit_that_cannot_be_made_or_was_not_declared_is_a_fault() {
    check_edits(
        json!({}),
        json!([["set", "userName", "x"]]),
        Err("not granted: `username` is not among the declared writes"),
    );
    check_edits(
        json!({}),
        json!([["set", r#"emails[primary eq true].value"#, "x"]]),
        Err("not granted: `emails.primary` is not among the declared writes"),
    );
    check_edits(json!({}), json!([["append", "emails", { "value": "a@x" }]]), Err("not granted: `emails`"));
    check_edits(json!({}), json!([["append", "title", "x"]]), Err("do not know whether it has several values"));
    check_edits(json!({ "title": "x" }), json!([["append", "title", "y"]]), Err("it is no multi-valued attribute"));
    check_edits(json!({}), json!([["remove", r#"emails[type eq "work"].value"#, null]]), Err("it selects no value"));
    check_edits(json!({ "urn:x:User": {} }), json!([["set", "urn:x:User", {}]]), Err("edits of a whole extension"));
    let deleted = Scenario::delete("User", ada()).rewrite::<Edits>(json!([]));
    assert_eq!(deleted.fault(), Some("there is no state after to be edited"));
}

#[test]
fn a_draft_shows_what_was_set_and_gives_the_edits_that_make_it_so() {
    let edits = ask(&Scenario::create("User", ada()), |operation| {
        let after = operation.after().unwrap();
        let mut draft = Draft::of(&after);
        draft.set("userName", "Ada")?;
        draft.set("title", "Countess")?;
        draft.set("name.familyName", "Lovelace")?;
        draft.map_texts("emails.value", str::to_uppercase)?;
        draft.map_texts("emails.type", |kind| format!("{kind}!"))?;
        draft.map_texts("emails.display", str::to_uppercase)?;
        draft.map_texts("nickName", str::to_uppercase)?;
        draft.map_texts("name.givenName", str::to_uppercase)?;
        assert_eq!(draft.text("title")?.as_deref(), Some("Countess"));
        assert_eq!(draft.value("name")?, json!({ "givenName": "ADA", "familyName": "Lovelace" }));
        assert_eq!(draft.value("emails.type")?, json!(["work!", "home!"]));
        assert_eq!(
            draft.value("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value")?,
            json!("b1")
        );
        Ok::<_, ReadError>(draft.into_edits())
    });
    assert_eq!(
        edits.unwrap(),
        [
            Edit::set(
                "emails",
                json!([{ "value": "A@X", "type": "work!", "primary": true }, { "value": "A@Y", "type": "home!" }])
            ),
            Edit::set("name.familyName", "Lovelace"),
            Edit::set("name.givenName", "ADA"),
            Edit::set("title", "Countess"),
        ]
    );
}
