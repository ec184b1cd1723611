//! Filters, pages and memberships.

use serde_json::json;

use super::world::{World, group_type, member, resource, resting_on, user, user_type};
use crate::change::MembersChange;
use crate::constraints::{DirectoryError, DirectoryView};
use crate::decision::{LookUp, LookUpAnswer};
use crate::pipeline::directory::MomentDirectory;
use crate::scim::filter::Filter;
use crate::scim::resource::Resource;
use crate::store::{CommitError, Found, Page, QueryError, Store};

/// Ada, Bob and Eve in two groups, of which one is in the other.
struct Staff {
    world: World,
    ada: Resource,
    bob: Resource,
    team: Resource,
    company: Resource,
}

async fn staff(store: &dyn Store) -> Staff {
    let world = World::new(store, "acme").await;
    let ada = resource(
        user_type(),
        json!({ "userName": "Ada", "externalId": "E1", "active": true, "title": "Dr", "displayName": "Ada L",
                "emails": [{ "value": "Ada@X.org", "type": "work" }, { "value": "ada@home", "type": "home" }],
                "name": { "familyName": "Lovelace" } }),
    );
    let bob = resource(
        user_type(),
        json!({ "userName": "bob", "externalId": "e1", "active": false, "emails": [{ "value": "bob@x.org", "type": "home" }] }),
    );
    let eve = resource(user_type(), json!({ "userName": "eve", "active": true, "title": "Dr" }));
    for user in [&ada, &bob, &eve] {
        world.create(user).await.unwrap();
    }
    let team = world.group("Team", &[&ada, &bob]).await;
    let company = world.group("Company", &[&team, &eve]).await;
    Staff { world, ada, bob, team, company }
}

pub(crate) async fn a_filter_finds_what_it_says(store: &dyn Store) {
    let Staff { world, ada, bob, team, company } = staff(store).await;
    let other = World::new(store, "other").await;
    other.user("ada").await;
    let snapshot = world.snapshot().await;
    let check = async |resource_type: TypeFn, filter: String, expected: &[&str]| {
        let resource_type = resource_type();
        let parsed = Filter::parse(&filter, &resource_type).unwrap();
        let found = snapshot.find(&resource_type, Some(&parsed), Page { offset: 0, limit: 10 }).await.unwrap();
        let names: Vec<&str> = found
            .resources
            .iter()
            .filter_map(|one| one.attributes.get("userName").or(one.attributes.get("displayName"))?.as_str())
            .collect();
        assert_eq!(names, expected, "{filter}");
        assert_eq!(found.total, expected.len() as u64, "{filter}");
        assert_eq!(snapshot.count(&resource_type, Some(&parsed)).await.unwrap(), found.total, "{filter}");
        if let Some(last) = expected.last() {
            let page = Page { offset: expected.len() - 1, limit: 1 };
            let end = snapshot.find(&resource_type, Some(&parsed), page).await.unwrap();
            assert_eq!((end.total, end.resources.len()), (expected.len() as u64, 1), "{filter}");
            assert!(end.resources[0].attributes.values().any(|value| value == last), "{filter}");
        }
    };
    for (filter, expected) in [
        ("userName eq \"ADA\"", &["Ada"][..]),
        ("userName eq \"nobody\"", &[]),
        ("externalId eq \"E1\"", &["Ada"]),
        ("externalId eq \"e1\"", &["bob"]),
        ("active eq true", &["Ada", "eve"]),
        ("active ne true", &["bob"]),
        ("emails.value eq \"ada@x.ORG\"", &["Ada"]),
        ("emails eq \"ada@home\"", &["Ada"]),
        ("emails[type eq \"home\" and value eq \"ada@x.org\"]", &[]),
        ("emails[type eq \"work\" and value eq \"ada@x.org\"]", &["Ada"]),
        ("emails[value eq \"ada@x.org\" or value eq \"bob@x.org\"]", &["Ada", "bob"]),
        ("emails.type eq \"home\"", &["Ada", "bob"]),
        ("userName sw \"A\"", &["Ada"]),
        ("emails.value sw \"ada@\"", &["Ada"]),
        ("userName co \"b\"", &["bob"]),
        ("title pr", &["Ada", "eve"]),
        ("not (title pr)", &["bob"]),
        ("active eq true and userName eq \"eve\"", &["eve"]),
        ("active eq true and title eq \"dr\" and userName sw \"a\"", &["Ada"]),
        ("userName eq \"bob\" or externalId eq \"E1\"", &["Ada", "bob"]),
        ("userName eq \"bob\" or title eq \"Dr\"", &["Ada", "bob", "eve"]),
        ("userName eq \"ada\" or emails.value eq \"ada@home\"", &["Ada"]),
        ("userName eq \"ada\" or (active eq true and title pr)", &["Ada", "eve"]),
        ("id eq \"nonsense\"", &[]),
        ("groups.display eq \"team\"", &["Ada", "bob"]),
        ("groups.type eq \"direct\" and active eq true", &["Ada", "eve"]),
        ("groups pr", &["Ada", "bob", "eve"]),
        ("meta.version eq \"W/\\\"1\\\"\"", &["Ada", "bob", "eve"]),
        ("userName gt \"ada\"", &["bob", "eve"]),
        ("userName ge \"ADA\" and userName lt \"eve\"", &["Ada", "bob"]),
        ("userName le \"bob\" or userName gt \"x\"", &["Ada", "bob"]),
        ("emails.value gt \"ada@i\"", &["Ada", "bob"]),
        ("emails[value lt \"ada@i\" and type eq \"home\"]", &["Ada"]),
        ("externalId lt \"a\"", &["Ada"]),
        ("displayName pr", &["Ada"]),
        ("emails.value pr", &["Ada", "bob"]),
        ("externalId ne null", &["Ada", "bob"]),
        ("externalId eq null", &["eve"]),
        ("active pr and not (displayName pr)", &["bob", "eve"]),
        ("userName sw \"a\" or userName sw \"e\"", &["Ada", "eve"]),
        ("meta.lastModified lt \"2026-01-01T00:00:00Z\"", &[]),
        ("meta.lastModified ge \"2026-01-01T00:00:00Z\"", &["Ada", "bob", "eve"]),
    ] {
        check(user_type, filter.to_owned(), expected).await;
    }
    let bob_changed = bob.meta.last_modified;
    let just_before = bob_changed - jiff::SignedDuration::from_nanos(1);
    for (filter, expected) in [
        (format!("meta.lastModified eq \"{bob_changed}\""), &["bob"][..]),
        (format!("meta.lastModified gt \"{bob_changed}\""), &["eve"]),
        (format!("meta.lastModified ge \"{bob_changed}\""), &["bob", "eve"]),
        (format!("meta.lastModified lt \"{bob_changed}\""), &["Ada"]),
        (format!("meta.lastModified le \"{bob_changed}\""), &["Ada", "bob"]),
        (format!("meta.lastModified eq \"{just_before}\""), &[]),
        (format!("meta.lastModified gt \"{just_before}\""), &["bob", "eve"]),
        (format!("meta.lastModified le \"{just_before}\""), &["Ada"]),
        (format!("meta.lastModified gt \"{just_before}\" and userName sw \"b\""), &["bob"]),
        (format!("id eq \"{}\"", ada.id), &["Ada"][..]),
        (format!("id eq \"{}\" and active eq false", ada.id), &[]),
        (format!("id eq \"{}\" or id eq \"{}\"", bob.id, ada.id), &["Ada", "bob"]),
        (format!("id eq \"{}\"", team.id), &[]),
        (format!("groups.value eq \"{}\"", team.id), &["Ada", "bob"]),
        (format!("groups.value eq \"{}\" and active eq true", team.id), &["Ada"]),
        (format!("groups[value eq \"{}\"]", company.id), &["eve"]),
        (format!("not (groups.value eq \"{}\")", team.id), &["eve"]),
    ] {
        check(user_type, filter, expected).await;
    }
    for (filter, expected) in [
        (format!("members.value eq \"{}\"", bob.id), &["Team"][..]),
        (format!("members[value eq \"{}\"]", team.id), &["Company"]),
        (format!("members[value eq \"{}\" and type eq \"User\"]", team.id), &[]),
        (format!("members[value eq \"{}\" and type eq \"Group\"]", team.id), &["Company"]),
        (format!("members.value eq \"{}\" or displayName eq \"company\"", ada.id), &["Team", "Company"]),
        ("members.display eq \"Ada L\"".to_owned(), &["Team"]),
        ("members.type eq \"Group\"".to_owned(), &["Company"]),
        ("members.value eq \"x\"".to_owned(), &[]),
    ] {
        check(group_type, filter, expected).await;
    }
}

pub(crate) type TypeFn = fn() -> std::sync::Arc<crate::scim::schema::ResourceType>;

pub(crate) async fn pages_without_a_filter_follow_each_other_by_id(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let mut ids = Vec::new();
    for number in 0..7 {
        ids.push(acme.user(&format!("u{number}")).await.id);
    }
    ids.sort();
    let snapshot = acme.snapshot().await;
    let mut seen = Vec::new();
    for offset in [0, 3, 6, 9] {
        let page = snapshot.find(&user_type(), None, Page { offset, limit: 3 }).await.unwrap();
        assert_eq!(page.total, 7);
        seen.extend(page.resources.iter().map(|one| one.id));
    }
    assert_eq!(seen, ids);
    let total_alone = snapshot.find(&user_type(), None, Page { offset: 0, limit: 0 }).await.unwrap();
    assert_eq!((total_alone.total, total_alone.resources.len()), (7, 0));
}

pub(crate) async fn members_come_in_pages_and_with_names(store: &dyn Store) {
    let Staff { world, ada, bob, team, company } = staff(store).await;
    let snapshot = world.snapshot().await;
    let first = snapshot.members(team.id, None, 1).await.unwrap();
    let second = snapshot.members(team.id, Some(first[0].id), 5).await.unwrap();
    assert_eq!([first, second].concat(), [member(&ada), member(&bob)]);
    assert_eq!(snapshot.members_among(team.id, &[company.id, bob.id]).await.unwrap(), [member(&bob)]);
    let unknown = user("x").id;
    let displays = snapshot.displays(&[team.id, ada.id, bob.id, unknown]).await.unwrap();
    let expected = [(team.id, "Team"), (ada.id, "Ada L"), (bob.id, "bob")].map(|(id, name)| (id, name.to_owned()));
    assert_eq!(displays, expected);
}

pub(crate) async fn membership_reaches_through_groups_that_contain_each_other(store: &dyn Store) {
    let Staff { world, ada, team, company, .. } = staff(store).await;
    world.add(&team, &[&company]).await.unwrap();
    let apart = world.group("apart", &[]).await;
    for (group, direct, transitive) in [(&team, true, true), (&company, false, true), (&apart, false, false)] {
        assert_eq!(world.is_member(group, &ada, false).await, direct);
        assert_eq!(world.is_member(group, &ada, true).await, transitive);
    }
    assert!(world.is_member(&team, &team, true).await, "a cycle contains itself");
}

const CREATORS: usize = 16;

/// So many users that one look-up may not look at each, all in one group.
async fn crowd(store: &dyn Store, size: usize) -> (World, Resource) {
    let acme = World::new(store, "acme").await;
    // Several at a time, as clients do; if all came at once, the last would be told to come again.
    let mut creating = tokio::task::JoinSet::new();
    for first in 0..CREATORS {
        let acme = acme.clone();
        creating.spawn(async move {
            let mut users = Vec::new();
            for number in (first..size).step_by(CREATORS) {
                users.push(acme.user(&format!("u{number}")).await);
            }
            users
        });
    }
    let users = creating.join_all().await;
    let all = acme.group("all", &users.iter().flatten().collect::<Vec<_>>()).await;
    (acme, all)
}

fn count(filter: &str) -> LookUp {
    LookUp::Count { resource_type: "User".to_owned(), filter: filter.to_owned() }
}

pub(crate) async fn a_look_up_that_must_look_at_too_many_is_refused(store: &dyn Store) {
    let (acme, all) = crowd(store, 2_001).await;
    let snapshot = acme.snapshot().await;
    let refused = snapshot.look_up(&count("title eq \"x\"")).await;
    assert!(matches!(refused, Err(QueryError::TooMany { candidates_max: 2_000 })), "{refused:?}");
    // An index counts them without a look at each.
    assert_eq!(snapshot.look_up(&count("active eq true")).await.unwrap(), Found::Count(2_001));
    let narrow = count("active eq true and userName eq \"u7\"");
    assert_eq!(snapshot.look_up(&narrow).await.unwrap(), Found::Count(1));
    // The first is found without a look at all.
    for filter in [
        format!("groups.value eq \"{}\" and not (userName eq \"u7\")", all.id),
        format!("groups.value eq \"{}\" and active eq true", all.id),
        "userName co \"u\"".to_owned(),
        "userName pr".to_owned(),
        "userName pr and meta.lastModified gt \"2026-01-01T00:00:00Z\"".to_owned(),
        "userName gt \"a\" or userName lt \"a\"".to_owned(),
    ] {
        let find = LookUp::Find { resource_type: "User".to_owned(), filter: filter.clone(), limit: 1 };
        let found = snapshot.look_up(&find).await;
        assert!(matches!(&found, Ok(Found::Resources(found)) if found.len() == 1), "{filter}: {found:?}");
    }
    drop(snapshot);
    // A client's query may look at more.
    assert_eq!(acme.count(&user_type(), "userName co \"u1999\"").await, 1);
}

pub(crate) async fn a_constraint_is_refused_the_look_up_that_a_commit_could_not_check(store: &dyn Store) {
    let (acme, _) = crowd(store, 2_001).await;
    let directory = MomentDirectory::from(acme.snapshot().await);
    let filter = Filter::parse("title eq \"x\"", &user_type()).unwrap();
    let too_many = DirectoryError::TooMany { candidates_max: 2_000 };
    assert_eq!(directory.count(&user_type(), &filter).await, Err(too_many.clone()));
    assert_eq!(directory.find(&user_type(), &filter, 1).await, Err(too_many));
}

pub(crate) async fn the_look_ups_of_a_decision_share_what_they_may_cost(store: &dyn Store) {
    let (acme, _) = crowd(store, 900).await;
    let snapshot = acme.snapshot().await;
    let costly = |number: usize| count(&format!("title eq \"x{number}\""));
    for number in 0..8 {
        assert_eq!(snapshot.look_up(&costly(number)).await.unwrap(), Found::Count(0));
    }
    let refused = snapshot.look_up(&costly(8)).await;
    assert!(matches!(refused, Err(QueryError::TooMany { candidates_max: 8_000 })), "{refused:?}");
    // What is known already costs nothing, nor does the next snapshot pay for this one.
    assert_eq!(snapshot.look_up(&costly(0)).await.unwrap(), Found::Count(0));
    assert_eq!(acme.answer(&costly(8)).await, LookUpAnswer::Count(0));
    drop(snapshot);

    let resting_on_costly = async |numbers: &[usize], name: &str| {
        let rests = numbers.iter().map(|number| resting_on(costly(*number), LookUpAnswer::Count(0))).collect();
        acme.commit(None, Some(&user(name)), MembersChange::default(), rests).await
    };
    resting_on_costly(&[0, 1, 2, 3, 4, 5, 6, 7], "what was answered").await.unwrap();
    resting_on_costly(&[0; 20], "one for all").await.unwrap();
    let beyond = resting_on_costly(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "what was never answered").await;
    assert!(matches!(beyond, Err(CommitError::LookUpMoved)), "{beyond:?}");
}
