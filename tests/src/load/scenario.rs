//! What is measured: a name, one step, and how many clients take it how often.

use anyhow::ensure;
use reqwest::Method;
use serde_json::json;

use crate::builders::patch_op;
use crate::load::args::Args;
use crate::load::burst::burst;
use crate::load::generate::{self, user_name, user_of};
use crate::load::population::NEWCOMERS;
use crate::load::target::{Answer, Request, Target};

/// Resources on a page.
const PAGE: usize = 100;

/// Clients that make the users which a scenario is to delete.
const MAKERS: usize = 16;

/// Which group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// Of ten.
    Small,
    /// Of as many as the command line says.
    Large,
}

/// Which page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The first.
    Start,
    /// The one behind nine tenths of all users.
    Deep,
}

/// What one request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Create,
    Get,
    Eq,
    Replace,
    Patch,
    Delete,
    PageByIndex(Place),
    PageByCursor(Place),
    AddMember(Group),
    RemoveMember(Group),
    /// Adds each newcomer, then removes each, and so on.
    ChangeMember(Group),
    ReadGroup,
    ReadGroupWithoutMembers,
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) step: Step,
    pub(super) clients: usize,
    /// Requests in one round, of all clients together.
    pub(super) requests: usize,
}

/// A step that the server does not know, and how that shows.
pub(super) struct NotSupported(pub(super) String);

impl NotSupported {
    /// What a refusal means. These statuses say that a server does not have what is asked for (RFC 7644 §3.12: "Service
    /// provider does not support the request operation, e.g., PATCH" of 501, and what servers answer that do not know
    /// the parameter or the path). Any other one is a server that fails, and ends the run.
    pub(super) fn by(refusal: &Answer) -> anyhow::Result<Self> {
        let status = refusal.status;
        let said = || String::from_utf8_lossy(&refusal.body).into_owned();
        ensure!(matches!(status, 400 | 403 | 404 | 405 | 501), "the server failed: status {status}, {}", said());
        Ok(Self(format!("not supported (status {status})")))
    }
}

/// Every scenario, in the order of a round: users that are made are deleted in the same round, members that are added
/// removed, so that each round finds what the one before found.
const ALL: &[Scenario] = &[
    of("create", Step::Create, 1, 300),
    of("create, 8 clients", Step::Create, 8, 800),
    of("create, 64 clients", Step::Create, 64, 1_600),
    of("get by id", Step::Get, 1, 2_000),
    of("get by id, 8 clients", Step::Get, 8, 3_000),
    of("get by id, 64 clients", Step::Get, 64, 3_000),
    of("userName eq", Step::Eq, 1, 2_000),
    of("userName eq, 8 clients", Step::Eq, 8, 3_000),
    of("userName eq, 64 clients", Step::Eq, 64, 3_000),
    of("replace", Step::Replace, 1, 300),
    of("patch of one attribute", Step::Patch, 1, 300),
    of("delete", Step::Delete, 1, 300),
    of("page by startIndex, the first", Step::PageByIndex(Place::Start), 1, 50),
    of("page by startIndex, at nine tenths", Step::PageByIndex(Place::Deep), 1, 20),
    of("page by cursor, the first", Step::PageByCursor(Place::Start), 1, 50),
    of("page by cursor, at nine tenths", Step::PageByCursor(Place::Deep), 1, 50),
    of("add one member, small group", Step::AddMember(Group::Small), 1, 100),
    of("add one member, large group", Step::AddMember(Group::Large), 1, 100),
    of("remove one member, small group", Step::RemoveMember(Group::Small), 1, 100),
    of("remove one member, large group", Step::RemoveMember(Group::Large), 1, 100),
    of("change of one member, small group, 64 clients", Step::ChangeMember(Group::Small), 64, 1_600),
    of("read of the large group without members", Step::ReadGroupWithoutMembers, 1, 100),
    of("read of the large group", Step::ReadGroup, 1, 3),
];

const fn of(name: &'static str, step: Step, clients: usize, requests: usize) -> Scenario {
    Scenario { name, step, clients, requests }
}

/// Those that the command line asks for.
pub(super) fn wanted(args: &Args) -> Vec<Scenario> {
    ALL.iter().filter(|scenario| args.wants(scenario.name)).copied().collect()
}

/// The name of a user that a scenario makes: `userName` is unique, also against what an earlier run has left.
pub(super) fn made_name(run: &str, number: usize) -> String {
    format!("made-{run}-{number:07}")
}

impl Scenario {
    /// The requests of one round, each with its number; made before the clock starts.
    pub(super) async fn requests(
        &self,
        target: &Target,
        run: &str,
    ) -> anyhow::Result<Result<Vec<(usize, Request)>, NotSupported>> {
        let given = match self.step {
            Step::Delete => {
                let ids = spares(target, run, self.requests).await?;
                return Ok(Ok(ids.into_iter().map(|id| (target.next(), delete(&id))).collect()));
            }
            Step::PageByCursor(place) => match cursor(target, offset(target, place)).await? {
                Ok(cursor) => cursor,
                Err(unknown) => return Ok(Err(unknown)),
            },
            Step::AddMember(group) | Step::RemoveMember(group) | Step::ChangeMember(group) => {
                match group_id(target, group) {
                    Some(id) => id,
                    None => return Ok(Err(NotSupported("not supported (no group)".to_owned()))),
                }
            }
            Step::ReadGroup | Step::ReadGroupWithoutMembers => match group_id(target, Group::Large) {
                Some(id) => id,
                None => return Ok(Err(NotSupported("not supported (no group)".to_owned()))),
            },
            _ => String::new(),
        };
        Ok(Ok((0..self.requests)
            .map(|place| {
                let number = target.next();
                (number, request(self.step, target, run, &given, place, number))
            })
            .collect()))
    }
}

/// One request. `given` is what the step needs to know: a group's id or a cursor; `place` counts within the round,
/// `number` within the run.
fn request(step: Step, target: &Target, run: &str, given: &str, place: usize, number: usize) -> Request {
    let population = &target.population;
    let size = population.filling.size;
    let (drawn, id) = population.someone(number);
    let name = || user_name(&population.prefix, drawn);
    match step {
        Step::Create => {
            let body = user_of(size, &made_name(run, number), number);
            Request::send(Method::POST, "/Users".to_owned(), &body).kept()
        }
        Step::Get => get(id),
        Step::Eq => eq(&name()),
        Step::Replace => {
            let mut body = user_of(size, &name(), drawn);
            body["title"] = format!("replaced {number}").into();
            Request::send(Method::PUT, format!("/Users/{id}"), &body)
        }
        Step::Patch => {
            let body = generate::patch(&json!([patch_op("replace", "title", format!("patched {number}").into())]));
            Request::send(Method::PATCH, format!("/Users/{id}"), &body)
        }
        Step::Delete => delete(id),
        Step::PageByIndex(place) => page(&format!("startIndex={}", offset(target, place) + 1)),
        Step::PageByCursor(_) => page(given),
        // So many requests lie between the two of a newcomer that they do not overtake each other.
        Step::ChangeMember(group) => {
            let step =
                if (place / NEWCOMERS).is_multiple_of(2) { Step::AddMember(group) } else { Step::RemoveMember(group) };
            request(step, target, run, given, place, number)
        }
        Step::AddMember(_) => {
            let value = json!([{ "value": population.newcomer(place) }]);
            let body = generate::patch(&json!([patch_op("add", "members", value)]));
            Request::send(Method::PATCH, format!("/Groups/{given}"), &body)
        }
        Step::RemoveMember(_) => {
            let path = format!("members[value eq \"{}\"]", population.newcomer(place));
            let body = generate::patch(&json!([{ "op": "remove", "path": path }]));
            Request::send(Method::PATCH, format!("/Groups/{given}"), &body)
        }
        Step::ReadGroup => Request::get(format!("/Groups/{given}")),
        Step::ReadGroupWithoutMembers => Request::get(format!("/Groups/{given}?excludedAttributes=members")),
    }
}

/// Reads a user.
pub(super) fn get(id: &str) -> Request {
    Request::get(format!("/Users/{id}"))
}

/// Looks for a user by name.
pub(super) fn eq(name: &str) -> Request {
    Request::get(format!("/Users?filter=userName%20eq%20%22{name}%22"))
}

/// Deletes a user.
pub(super) fn delete(id: &str) -> Request {
    Request { method: Method::DELETE, path: format!("/Users/{id}"), body: None, keep: false }
}

/// A page. One attribute only: what is measured is finding the page, not sending it.
fn page(which: &str) -> Request {
    Request::get(format!("/Users?{which}&count={PAGE}&attributes=userName"))
}

/// How many users stand before a page: whole pages, since a cursor gets nowhere else.
fn offset(target: &Target, place: Place) -> usize {
    match place {
        Place::Start => 0,
        Place::Deep => target.population.filling.users * 9 / 10 / PAGE * PAGE,
    }
}

fn group_id(target: &Target, group: Group) -> Option<String> {
    match group {
        Group::Small => target.population.small.clone(),
        Group::Large => target.population.large.clone(),
    }
}

/// Users to delete: those that scenarios have made, and more if they were not enough.
async fn spares(target: &Target, run: &str, wanted: usize) -> anyhow::Result<Vec<String>> {
    let mut ids = target.take_spares(wanted);
    let missing: Vec<_> = (ids.len()..wanted)
        .map(|place| {
            let number = target.next();
            (number, request(Step::Create, target, run, "", place, number))
        })
        .collect();
    for (_, answer) in burst(&target.endpoint, missing, MAKERS, None).await?.answers {
        ids.push(answer.id()?);
    }
    Ok(ids)
}

/// The query parameter that gets the page behind so many users. The first page is had with a cursor without a value, each
/// further one with the `nextCursor` of the page before it (RFC 9865 §2), so that the way there is walked once.
async fn cursor(target: &Target, offset: usize) -> anyhow::Result<Result<String, NotSupported>> {
    let known = target.cursors.lock().map(|cursors| cursors.get(&offset).cloned()).unwrap_or_default();
    if let Some(known) = known {
        return Ok(Ok(known));
    }
    let mut at = "cursor=".to_owned();
    for walked in (0..=offset).step_by(PAGE) {
        if walked == offset && offset > 0 {
            break;
        }
        let answer = target.endpoint.ask(page(&at).kept()).await?;
        if !answer.is_success() {
            return Ok(Err(NotSupported::by(&answer)?));
        }
        let body = answer.json();
        let Some(next) = body["nextCursor"].as_str() else {
            // A server that knows nothing of cursors answers as if there were none, and so does one at the last page.
            let all = body["totalResults"].as_u64().unwrap_or(0) as usize;
            if all > walked + PAGE || offset > 0 {
                return Ok(Err(NotSupported(format!("not supported (status {}, no nextCursor)", answer.status))));
            }
            break;
        };
        if offset == 0 {
            break;
        }
        at = format!("cursor={}", escaped(next));
    }
    if let Ok(mut cursors) = target.cursors.lock() {
        cursors.insert(offset, at.clone());
    }
    Ok(Ok(at))
}

/// A value in a query (RFC 3986 §3.4).
fn escaped(value: &str) -> String {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    value
        .bytes()
        .map(|byte| if unreserved(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::load::args::Filling;
    use crate::load::generate::Size;
    use crate::load::population::{NEWCOMERS, Population};
    use crate::load::target::Endpoint;

    fn target(users: usize) -> Target {
        let ids = (0..users + NEWCOMERS).map(|number| format!("id-{number}")).collect();
        let filling = Filling { users, members: users, size: Size::Small };
        let population = Population::new("user".to_owned(), filling, ids);
        Target::new("t".to_owned(), Endpoint::new("http://127.0.0.1:9", "t").unwrap(), None, population)
    }

    #[test]
    fn a_replacement_keeps_the_name_of_whom_it_replaces() {
        let target = target(5_000);
        for number in 0..100 {
            let request = request(Step::Replace, &target, "r", "", 0, number);
            let body: serde_json::Value = serde_json::from_str(&request.body.unwrap()).unwrap();
            let owner: usize = request.path.strip_prefix("/Users/id-").unwrap().parse().unwrap();
            assert_eq!(body["userName"], user_name("user", owner));
        }
    }

    #[test]
    fn a_round_removes_the_members_that_it_added_and_none_of_the_others() {
        let target = target(50);
        let named = |step, place, number| request(step, &target, "r", "g", place, number).body.unwrap();
        let mut added = HashSet::new();
        for place in 0..100 {
            let id = target.population.newcomer(place).to_owned();
            assert!(named(Step::AddMember(Group::Large), place, 1_000 + place).contains(&format!("\"{id}\"")));
            assert!(named(Step::RemoveMember(Group::Large), place, 5_000 + place).contains(&format!("{id}\\\"]")));
            added.insert(id);
        }
        assert_eq!(added.len(), 100);
    }

    #[test]
    fn a_deep_page_begins_where_a_walk_by_cursor_comes_by() {
        assert_eq!(offset(&target(12_345), Place::Deep), 11_100);
        assert_eq!(offset(&target(50), Place::Deep), 0);
        let request = request(Step::PageByIndex(Place::Deep), &target(12_345), "r", "", 0, 0);
        assert_eq!(request.path, "/Users?startIndex=11101&count=100&attributes=userName");
    }

    #[test]
    fn a_server_that_fails_is_not_taken_for_one_that_lacks_something() {
        let by = |status| {
            NotSupported::by(&Answer { status, took: std::time::Duration::ZERO, bytes: 4, body: b"oops".to_vec() })
        };
        assert_eq!(by(501).unwrap().0, "not supported (status 501)");
        assert!(by(404).is_ok());
        for status in [401, 409, 429, 500, 503] {
            assert_eq!(
                by(status).map(|lacks| lacks.0).unwrap_err().to_string(),
                format!("the server failed: status {status}, oops")
            );
        }
    }

    #[test]
    fn a_cursor_survives_the_query_whatever_it_is_made_of() {
        assert_eq!(escaped("aZ0-._~"), "aZ0-._~");
        assert_eq!(escaped("a+/=&é"), "a%2B%2F%3D%26%C3%A9");
    }
}
