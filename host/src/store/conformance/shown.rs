//! What is read to be shown, and pages by place.

use std::sync::Arc;

use serde_json::json;

use super::world::{World, changed, group_type, resource, user, user_type};
use crate::scim::cursor::Position;
use crate::scim::error::ScimError;
use crate::scim::filter::Filter;
use crate::scim::reading::Reading;
use crate::scim::resource::{Resource, ResourceId};
use crate::scim::schema::ResourceType;
use crate::scim::sort::SortBy;
use crate::store::query::{Among, From, Query, Relation};
use crate::store::{Represented, ShowError, Shown, Snapshot, Store, Wanted};

const EVERYTHING: Wanted = Wanted { members: true, member_displays: true, groups: true };

async fn show(snapshot: &Arc<dyn Snapshot>, query: Query) -> Shown {
    snapshot.show(Box::new(move |_| Ok(query.clone()))).await.unwrap()
}

async fn one(snapshot: &Arc<dyn Snapshot>, resource: &Resource, wanted: Wanted) -> Represented {
    let query = Query::One { resource_type: Arc::clone(&resource.resource_type), id: resource.id, wanted };
    show(snapshot, query).await.resources.remove(0)
}

fn among(resource_type: Arc<ResourceType>, filter: Option<&str>, sort: Option<(&str, &str)>) -> Among {
    let filter = filter.map(|text| Filter::parse(text, &resource_type).unwrap());
    let sort =
        sort.and_then(|(by, order)| SortBy::parse(Some(by), Some(order), Reading::strict(&resource_type)).unwrap());
    Among { resource_type, filter, sort, wanted: Wanted::default() }
}

fn relations(represented: &Represented) -> Vec<(ResourceId, Relation, Option<&str>)> {
    let groups = represented.groups.as_deref().unwrap();
    groups.iter().map(|group| (group.id, group.relation, group.display.as_deref())).collect()
}

pub(crate) async fn a_user_is_in_the_groups_that_contain_its_groups_each_once(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let (ada, bob) = (acme.user("ada").await, acme.user("bob").await);
    let team = acme.group("Team", &[&ada]).await;
    let division = acme.group("Division", &[&team, &ada]).await;
    let company = acme.group("Company", &[&division, &team]).await;
    // A cycle, which must not keep the search going.
    acme.add(&team, &[&company]).await.unwrap();
    acme.group("Apart", &[&bob]).await;

    let snapshot = acme.snapshot().await;
    let ada = one(&snapshot, &ada, EVERYTHING).await;
    let expected = [
        (team.id, Relation::Direct, Some("Team")),
        (division.id, Relation::Direct, Some("Division")),
        (company.id, Relation::Indirect, Some("Company")),
    ];
    assert_eq!(relations(&ada), expected);
    assert_eq!(ada.members.unwrap().first, []);
    assert_eq!(one(&snapshot, &bob, Wanted::default()).await.groups, None);
}

/// What one look does not come to is shown as whole as the rest: more groups, nested groups and members than it reads.
pub(crate) async fn whoever_is_in_many_groups_is_shown_in_all_of_them(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let (ada, bob) = (acme.user("ada").await, acme.user("bob").await);
    let mut expected = Vec::new();
    let mut outer = Vec::new();
    for number in 0..50 {
        let team = acme.group(&format!("Team {number}"), &[&ada]).await;
        outer.push(acme.group(&format!("Division {number}"), &[&team]).await.id);
        expected.push((team.id, Relation::Direct));
    }
    expected.extend(outer.into_iter().map(|id| (id, Relation::Indirect)));
    let mut users = Vec::new();
    for number in 0..100 {
        users.push(acme.user(&format!("user{number}")).await);
    }
    let all = acme.group("All", &users.iter().collect::<Vec<_>>()).await;

    let snapshot = acme.snapshot().await;
    let shown = one(&snapshot, &ada, EVERYTHING).await;
    let seen: Vec<_> = relations(&shown).into_iter().map(|(id, relation, _)| (id, relation)).collect();
    assert_eq!(seen, expected);
    assert_eq!(snapshot.represent(ada.clone(), EVERYTHING).await.unwrap(), shown);
    assert_eq!(relations(&one(&snapshot, &bob, EVERYTHING).await), []);
    assert_eq!(one(&snapshot, &all, EVERYTHING).await.members.unwrap().first.len(), 100);
    let by_name = among(user_type(), Some("userName eq \"ada\""), None);
    let found = show(
        &snapshot,
        Query::Page { among: vec![Among { wanted: EVERYTHING, ..by_name }], from: From::Offset(0), limit: 5 },
    );
    assert_eq!(found.await, Shown { total: Some(1), resources: vec![shown], next: None });
}

pub(crate) async fn members_are_shown_with_their_names_only_if_somebody_asks(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let (ada, bob) = (acme.user("ada").await, acme.user("bob").await);
    let team = acme.group("Team", &[&ada, &bob]).await;
    let snapshot = acme.snapshot().await;
    let wanted = Wanted { members: true, ..Wanted::default() };
    let names = |represented: Represented| -> Vec<Option<String>> {
        represented.members.unwrap().first.into_iter().map(|member| member.display).collect()
    };
    assert_eq!(names(one(&snapshot, &team, wanted).await), [None, None]);
    assert_eq!(names(one(&snapshot, &team, EVERYTHING).await), [Some("ada".to_owned()), Some("bob".to_owned())]);
    assert_eq!(one(&snapshot, &team, Wanted::default()).await.members, None);
    let second = snapshot.member_references(team.id, Some(ada.id), 5, false).await.unwrap();
    assert_eq!(second.iter().map(|member| member.id).collect::<Vec<_>>(), [bob.id]);
    let again = snapshot.represent(team.clone(), EVERYTHING).await.unwrap();
    assert_eq!(again, one(&snapshot, &team, EVERYTHING).await);
}

pub(crate) async fn what_makes_no_sense_to_the_model_is_refused_in_its_own_words(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let refusal = ScimError::not_found("the endpoint");
    let expected = refusal.clone();
    let refused = acme.snapshot().await.show(Box::new(move |_| Err(refusal.clone()))).await;
    assert!(matches!(&refused, Err(ShowError::Refused(error)) if *error == expected), "{refused:?}");
}

/// Each page is of a new snapshot, and between two of them something is written.
async fn walk(acme: &World, among: &[Among], limit: usize, mut between: impl AsyncFnMut(usize)) -> Vec<ResourceId> {
    let mut seen = Vec::new();
    let mut after: Option<Position> = None;
    for page in 0.. {
        let query = Query::Page { among: among.to_vec(), from: From::After(after), limit };
        let shown = show(&acme.snapshot().await, query).await;
        assert!(shown.resources.len() <= limit);
        seen.extend(shown.resources.iter().map(|shown| shown.resource.id));
        match shown.next {
            Some(next) => after = Some(next),
            None => break,
        }
        between(page).await;
    }
    seen
}

pub(crate) async fn a_walk_by_place_meets_what_is_there_throughout_whatever_is_written_meanwhile(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let mut users = Vec::new();
    for number in 0..12 {
        let user = resource(
            user_type(),
            json!({ "userName": format!("u{:02}", 11 - number), "active": true, "displayName": "U", "title": "x" }),
        );
        acme.create(&user).await.unwrap();
        users.push(user);
    }
    let all = acme.group("all", &users.iter().collect::<Vec<_>>()).await;
    let member = format!("groups.value eq \"{}\"", all.id);
    let member_too = format!("{member} and title eq \"x\"");
    let walks = [
        (None, None),
        (Some("active eq true"), None),
        (Some("title eq \"x\""), None),
        (Some("userName sw \"u\""), None),
        (Some("displayName pr and title eq \"x\""), None),
        (Some("userName eq \"nobody\" or active eq true"), None),
        (Some(member.as_str()), None),
        (Some(member_too.as_str()), None),
        (None, Some(("userName", "ascending"))),
        (Some("active eq true"), Some(("userName", "descending"))),
        (None, Some(("meta.lastModified", "ascending"))),
    ];
    let mut deleted = 0;
    for (filter, sort) in walks {
        let query = [among(user_type(), filter, sort)];
        let there = users[deleted..].to_vec();
        let begins_with: Vec<ResourceId> = there.iter().map(|user| user.id).collect();
        let sort_descends = sort.is_some_and(|(by, _)| by == "userName");
        let mut made = Vec::new();
        let mut gone = Vec::new();
        let seen = walk(&acme, &query, 3, async |page| {
            let new = user(&format!("new-{filter:?}-{sort:?}-{page}"));
            acme.create(&new).await.unwrap();
            made.push(new);
            if page == 1 && !sort_descends && deleted < 6 {
                // One that has been passed.
                acme.delete(&there[0]).await.unwrap();
                gone.push(there[0].id);
            }
        })
        .await;
        let throughout: Vec<ResourceId> = begins_with.iter().copied().filter(|id| !gone.contains(id)).collect();
        for id in &throughout {
            assert_eq!(seen.iter().filter(|seen| *seen == id).count(), 1, "{filter:?} {sort:?}");
        }
        deleted += gone.len();
        for new in made {
            acme.delete(&new).await.unwrap();
        }
    }
}

pub(crate) async fn a_page_in_an_order_continues_where_the_last_one_ended(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    for (name, title) in [("eve", Some("b")), ("ada", Some("a")), ("dan", None), ("bob", Some("b")), ("cid", None)] {
        let mut attributes = json!({ "userName": name });
        if let Some(title) = title {
            attributes["title"] = title.into();
        }
        acme.create(&resource(user_type(), attributes)).await.unwrap();
    }
    let names = |shown: &Shown| -> Vec<String> {
        let names = shown.resources.iter().map(|shown| shown.resource.attributes["userName"].as_str().unwrap());
        names.map(str::to_owned).collect()
    };
    let snapshot = acme.snapshot().await;
    for (by, order, expected) in [
        ("userName", "ascending", ["ada", "bob", "cid", "dan", "eve"]),
        ("userName", "descending", ["eve", "dan", "cid", "bob", "ada"]),
        ("title", "ascending", ["ada", "eve", "bob", "dan", "cid"]),
        ("title", "descending", ["dan", "cid", "eve", "bob", "ada"]),
    ] {
        let query = [among(user_type(), None, Some((by, order)))];
        let mut by_offset = Vec::new();
        for offset in [0, 2, 4, 6] {
            let page = Query::Page { among: query.to_vec(), from: From::Offset(offset), limit: 2 };
            let shown = show(&snapshot, page).await;
            assert_eq!((shown.total, shown.next.clone()), (Some(5), None));
            by_offset.extend(names(&shown));
        }
        assert_eq!(by_offset, expected, "{by} {order}");
        let mut by_place = Vec::new();
        let mut after = None;
        loop {
            let page = Query::Page { among: query.to_vec(), from: From::After(after), limit: 2 };
            let shown = show(&snapshot, page).await;
            by_place.extend(names(&shown));
            match shown.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert_eq!(by_place, expected, "{by} {order}");
    }
}

pub(crate) async fn pages_go_through_one_type_after_the_other(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    let mut ids = Vec::new();
    for number in 0..4 {
        ids.push(acme.user(&format!("u{number}")).await.id);
    }
    for number in 0..3 {
        ids.push(acme.group(&format!("g{number}"), &[]).await.id);
    }
    let both = [among(user_type(), None, None), among(group_type(), None, None)];
    let snapshot = acme.snapshot().await;
    for limit in 1..9 {
        assert_eq!(walk(&acme, &both, limit, async |_| ()).await, ids, "{limit}");
        let mut by_offset = Vec::new();
        for offset in (0..8).step_by(limit) {
            let page = Query::Page { among: both.to_vec(), from: From::Offset(offset), limit };
            let shown = show(&snapshot, page).await;
            assert_eq!(shown.total, Some(7));
            by_offset.extend(shown.resources.iter().map(|shown| shown.resource.id));
        }
        assert_eq!(by_offset, ids, "{limit}");
    }
}

pub(crate) async fn a_total_is_told_by_place_where_an_index_knows_it(store: &dyn Store) {
    let acme = World::new(store, "acme").await;
    for name in ["ada", "bob"] {
        let user = acme.user(name).await;
        acme.update(&user, &changed(&user, json!({ "title": "Dr" }))).await.unwrap();
    }
    acme.user("eve").await;
    let snapshot = acme.snapshot().await;
    for (filter, limit, expected) in [
        (None, 1, Some(3)),
        (Some("active eq true"), 1, Some(3)),
        (Some("title pr"), 1, None),
        (Some("title pr"), 5, Some(2)),
        (Some("title pr"), 0, Some(2)),
    ] {
        let among = vec![among(user_type(), filter, None)];
        let shown = show(&snapshot, Query::Page { among, from: From::After(None), limit }).await;
        assert_eq!(shown.total, expected, "{filter:?} {limit}");
    }
}
