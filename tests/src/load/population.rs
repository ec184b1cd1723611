//! The users and groups that a server has while it is measured, remembered in a file so that the next run finds them.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::builders::{group, patch_op};
use crate::load::args::Filling;
use crate::load::burst::{Spent, burst};
use crate::load::generate::{self, user_name, user_of};
use crate::load::scenario::NotSupported;
use crate::load::target::{Endpoint, Request};

/// Users beside the population proper, whom the scenarios add to the groups and remove again.
pub(super) const NEWCOMERS: usize = 200;

/// Members of the small group.
pub(super) const FEW: usize = 10;

/// Members in one PATCH: half a megabyte.
const FILL: usize = 10_000;

/// Clients that create users at the same time, and how many users they make before the next progress line.
const CLIENTS: usize = 64;
const CHUNK: usize = 10_000;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Population {
    /// What the users' names begin with.
    pub(super) prefix: String,
    /// How much each carries.
    pub(super) filling: Filling,
    /// Ids by the users' numbers; the newcomers come last.
    pub(super) ids: Vec<String>,
    /// The group of [`FEW`].
    pub(super) small: Option<String>,
    /// The group of [`Filling::members`].
    pub(super) large: Option<String>,
}

impl Population {
    pub(super) fn new(prefix: String, filling: Filling, ids: Vec<String>) -> Self {
        Self { prefix, filling, ids, small: None, large: None }
    }

    /// Reads what an earlier run has left; `None` if there is nothing, an error if it is not what is asked for now.
    pub(super) fn read(path: &Path, filling: Filling) -> anyhow::Result<Option<Self>> {
        let bytes = match std::fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.with_context(|| format!("cannot read `{}`", path.display()))?,
        };
        let found: Value = serde_json::from_slice(&bytes).with_context(|| format!("`{}`", path.display()))?;
        let text = |key: &str| found[key].as_str().map(str::to_owned);
        let ids: Vec<_> = found["ids"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let asked = format!("{:?}", filling.size);
        ensure!(
            ids.len() == filling.users + NEWCOMERS && text("size").as_ref() == Some(&asked),
            "`{}` is of {} users of size {}, not of {} of size {asked}: name another --data",
            path.display(),
            ids.len().saturating_sub(NEWCOMERS),
            found["size"],
            filling.users,
        );
        let ids = ids.into_iter().map(str::to_owned).collect();
        let same_members = found["members"] == filling.members;
        let large = text("large").filter(|_| same_members);
        Ok(Some(Self { prefix: text("prefix").unwrap_or_default(), filling, ids, small: text("small"), large }))
    }

    /// Remembers it.
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let kept = json!({
            "prefix": self.prefix, "size": format!("{:?}", self.filling.size), "members": self.filling.members,
            "small": self.small, "large": self.large, "ids": self.ids,
        });
        std::fs::write(path, kept.to_string()).with_context(|| format!("cannot write `{}`", path.display()))
    }

    /// The id of a user of the population proper, drawn by lot.
    pub(super) fn someone(&self, number: usize) -> (usize, &str) {
        let drawn = (generate::scatter(number) % self.filling.users as u64) as usize;
        (drawn, &self.ids[drawn])
    }

    /// One of the [`NEWCOMERS`].
    pub(super) fn newcomer(&self, number: usize) -> &str {
        &self.ids[self.filling.users + number % NEWCOMERS]
    }

    /// Creates the users over HTTP.
    pub(super) async fn over_http(endpoint: &Endpoint, prefix: String, filling: Filling) -> anyhow::Result<Self> {
        let wanted = filling.users + NEWCOMERS;
        let mut ids = vec![String::new(); wanted];
        for first in (0..wanted).step_by(CHUNK) {
            let numbers = first..wanted.min(first + CHUNK);
            let requests = numbers.map(|number| {
                let body = user_of(filling.size, &user_name(&prefix, number), number);
                (number, Request::send(Method::POST, "/Users".to_owned(), &body).kept())
            });
            let Spent { answers, .. } = burst(endpoint, requests.collect(), CLIENTS, None).await?;
            for (number, answer) in answers {
                ids[number] = answer.id().context("cannot create the users to measure with")?;
            }
        }
        Ok(Self::new(prefix, filling, ids))
    }

    /// Makes the groups that are not there yet, the large one by PATCHes. A server that will not have them is measured
    /// without.
    pub(super) async fn with_groups(mut self, endpoint: &Endpoint) -> anyhow::Result<Self> {
        if self.small.is_none() {
            self.small = filled(endpoint, "small", &self.ids[..FEW.min(self.filling.users)]).await?;
        }
        if self.large.is_none() {
            self.large = filled(endpoint, "large", &self.ids[..self.filling.members]).await?;
        }
        Ok(self)
    }
}

async fn filled(endpoint: &Endpoint, name: &str, ids: &[String]) -> anyhow::Result<Option<String>> {
    let made = endpoint.ask(Request::send(Method::POST, "/Groups".to_owned(), &group(name, &[])).kept()).await?;
    if !made.is_success() {
        NotSupported::by(&made)?;
        return Ok(None);
    }
    let id = made.id()?;
    for some in ids.chunks(FILL) {
        let add = patch_op("add", "members", generate::members(some));
        let body = generate::patch(&json!([add]));
        let answer = endpoint.ask(Request::send(Method::PATCH, format!("/Groups/{id}"), &body)).await?;
        if !answer.is_success() {
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            bail!("cannot add {} members to a group: status {}, {said}", some.len(), answer.status);
        }
    }
    Ok(Some(id))
}

/// A population with its groups, remembered in a file if there is one.
pub(super) async fn complete(
    population: Population,
    endpoint: &Endpoint,
    path: Option<&Path>,
) -> anyhow::Result<Population> {
    let completed = population.with_groups(endpoint).await?;
    if let Some(path) = path {
        completed.write(path)?;
    }
    Ok(completed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::generate::Size;

    const FILLING: Filling = Filling { users: 3, members: 2, size: Size::Small };

    fn population() -> Population {
        let ids = (0..3 + NEWCOMERS).map(|number| format!("id-{number}")).collect();
        Population { large: Some("g".to_owned()), ..Population::new("u".to_owned(), FILLING, ids) }
    }

    #[test]
    fn what_one_run_remembers_the_next_one_finds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("population.json");
        assert_eq!(Population::read(&path, FILLING).unwrap(), None);
        population().write(&path).unwrap();
        assert_eq!(Population::read(&path, FILLING).unwrap(), Some(population()));
    }

    #[test]
    fn a_folder_of_other_users_is_refused_and_a_group_of_other_members_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("population.json");
        population().write(&path).unwrap();
        let error = Population::read(&path, Filling { users: 4, ..FILLING }).unwrap_err();
        assert!(error.to_string().contains("3 users"), "{error}");
        assert!(Population::read(&path, Filling { size: Size::Full, ..FILLING }).is_err());
        let other = Population::read(&path, Filling { members: 3, ..FILLING }).unwrap().unwrap();
        assert_eq!(other.large, None);
    }

    #[test]
    fn newcomers_are_nobody_that_is_drawn() {
        let population = population();
        for number in 0..1_000 {
            let (drawn, id) = population.someone(number);
            assert!(drawn < 3 && id == format!("id-{drawn}"));
            assert!((0..3).all(|member| population.newcomer(number) != format!("id-{member}")));
        }
    }
}
