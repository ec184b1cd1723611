//! The command line of the load program.

use std::path::PathBuf;

use anyhow::ensure;
use clap::Parser;

use crate::load::generate::Size;

/// Measures SCIM servers: what a request takes, and what it costs the server.
///
/// Without --base it starts this repository's own server, once for each --program and each --users, in a folder of its
/// own. Several servers take turns within the run (A B A B …), so that a machine whose speed drifts is equally slow for
/// all: read the ratios. Load is bounded in count and time, and ends by itself.
#[derive(Debug, Parser)]
pub struct Args {
    /// SCIM base of a running server, for example http://127.0.0.1:8080/scim/acme/v2; repeatable.
    #[arg(long, value_name = "URL")]
    pub(super) base: Vec<String>,
    /// Bearer token, one for each --base.
    #[arg(long, value_name = "T")]
    pub(super) token: Vec<String>,
    /// Name in the report, one for each --base or --program.
    #[arg(long, value_name = "NAME")]
    pub(super) name: Vec<String>,
    /// Process of each --base, to account its processor time and memory; 0 if it is not known.
    #[arg(long, value_name = "PID")]
    pub(super) pid: Vec<u32>,
    /// Program of our own server; repeatable, to compare two builds. [default: the one beside this program]
    #[arg(long, value_name = "PATH", conflicts_with = "base")]
    pub(super) program: Vec<PathBuf>,
    /// Users that the server has; repeatable, to compare sizes. With --base the same number for all, or one for each.
    #[arg(long, value_name = "N", default_values_t = [1_000])]
    pub(super) users: Vec<usize>,
    /// Constraints in force on our own server, each of which reads five attributes of a user; repeatable, to compare
    /// numbers.
    #[arg(long, value_name = "N", default_values_t = [0], conflicts_with = "base")]
    pub(super) constraints: Vec<usize>,
    /// Members of the large group. [default: the users, at most 100000]
    #[arg(long, value_name = "M")]
    pub(super) members: Option<usize>,
    /// How much a user carries.
    #[arg(long, value_enum, default_value_t = Size::Full)]
    pub(super) size: Size,
    /// Fill our own server through its library before it starts, not over HTTP: a million users in minutes.
    #[arg(long, conflicts_with = "base")]
    pub(super) preload: bool,
    /// Folder to keep the servers' data and the users' ids in, so that the next run finds them. [default: none]
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// Rounds that count; one more warms up.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(super) rounds: usize,
    /// Seconds that one scenario may send requests in one round.
    #[arg(long, value_name = "S", default_value_t = 10)]
    pub(super) seconds: u64,
    /// Measure only what has this in its name; repeatable. `abuse` is all of the abuse.
    #[arg(long, value_name = "TEXT")]
    pub(super) only: Vec<String>,
    /// Report as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// What a server is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Filling {
    /// Users.
    pub(super) users: usize,
    /// Of them in the large group.
    pub(super) members: usize,
    /// How much each user carries.
    pub(super) size: Size,
}

/// Members of the large group unless the command line says otherwise: as many as a request of 5 MB names.
const MEMBERS_DEFAULT: usize = 100_000;

/// Constraints in force at the most: five times the largest number that has a required figure.
const CONSTRAINTS_MAX: usize = 100;

impl Args {
    /// Checks what the parser cannot.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let bases = self.base.len();
        let fits = |given: usize| given == bases || given == 0;
        ensure!(self.token.len() == bases, "there are {bases} --base but {} --token", self.token.len());
        ensure!(fits(self.pid.len()), "there are {bases} --base but {} --pid", self.pid.len());
        let named = if bases > 0 { bases } else { self.program.len().max(1) };
        let names = self.name.len();
        ensure!(names == 0 || names == named, "there are {named} servers but {names} --name");
        ensure!(
            bases == 0 || self.users.len() == 1 || self.users.len() == bases,
            "one --users, or one for each --base"
        );
        ensure!(self.users.iter().all(|users| *users > 0), "a server without users cannot be measured");
        ensure!(self.rounds > 0, "no rounds, no figures");
        let most = CONSTRAINTS_MAX;
        ensure!(self.constraints.iter().all(|count| *count <= most), "at most {most} constraints");
        if let Some(members) = self.members {
            let least = self.users.iter().copied().min().unwrap_or(0);
            ensure!(members <= least, "a group of {members} needs as many users, not {least}");
        }
        Ok(())
    }

    /// What a server of so many users is filled with.
    pub(super) fn filling(&self, users: usize) -> Filling {
        Filling { users, members: self.members.unwrap_or(MEMBERS_DEFAULT).min(users), size: self.size }
    }

    /// The name of a server, by its place on the command line.
    pub(super) fn name(&self, place: usize) -> String {
        match self.name.get(place) {
            Some(name) => name.clone(),
            None if self.base.len().max(self.program.len()) > 1 => format!("server {}", place + 1),
            None => "server".to_owned(),
        }
    }

    /// The name of a server with so many constraints.
    pub(super) fn constrained(&self, name: &str, constraints: usize) -> String {
        if self.constraints.len() > 1 { format!("{name}, {constraints} constraints") } else { name.to_owned() }
    }

    /// Whether something of that name is to be measured.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|text| name.contains(text.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> anyhow::Result<Args> {
        let args = Args::try_parse_from(line.split(' '))?;
        args.check()?;
        Ok(args)
    }

    #[test]
    fn every_base_has_a_token_and_names_are_for_all_or_none() {
        assert!(parse("load --base http://a --token t --base http://b --token u --users 10 --users 20").is_ok());
        assert!(parse("load --base http://a").is_err());
        assert!(parse("load --base http://a --token t --pid 1 --pid 2").is_err());
        assert!(parse("load --base http://a --token t --base http://b --token u --name a").is_err());
        assert!(parse("load --base http://a --token t --preload").is_err());
    }

    #[test]
    fn servers_are_told_apart_by_their_constraints_if_there_are_several_numbers() {
        assert_eq!(parse("load").unwrap().constrained("server", 0), "server");
        let args = parse("load --constraints 0 --constraints 20").unwrap();
        assert_eq!(args.constraints, [0, 20]);
        assert_eq!(args.constrained("server", 20), "server, 20 constraints");
        assert!(parse("load --constraints 101").is_err());
        assert!(parse("load --base http://a --token t --constraints 1").is_err());
    }

    #[test]
    fn the_large_group_is_never_larger_than_the_population() {
        let args = parse("load --users 1000 --users 1000000").unwrap();
        assert_eq!(args.filling(1_000).members, 1_000);
        assert_eq!(args.filling(1_000_000).members, MEMBERS_DEFAULT);
        assert!(parse("load --users 10 --members 11").is_err());
    }

    #[test]
    fn without_a_choice_everything_is_measured() {
        assert!(parse("load").unwrap().wants("get by id"));
        let args = parse("load --only abuse --only eq").unwrap();
        assert!(args.wants("abuse: filter") && args.wants("userName eq") && !args.wants("get by id"));
    }
}
