//! The load program: what requests take, and what they cost the server, on this server or any other that speaks SCIM.
//!
//! Start at [`run`], then `measure`: it takes every `scenario` to every `target` in turns.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program prints: the report, and how far it is")]

mod args;
mod generate;
mod target;
mod burst;
mod population;
mod own;
mod scenario;
mod measure;
mod abuse;
mod life;
mod neighbours;
pub mod statistics;
mod usage;
mod required;
mod report;

use std::time::Duration;

pub use crate::load::args::Args;
use crate::load::population::Population;
use crate::load::report::Report;
use crate::load::required::Subject;
use crate::load::target::{Endpoint, Target};

/// Runs the program.
pub async fn run(args: &Args) -> anyhow::Result<bool> {
    args.check()?;
    let report = measure_all(args).await?;
    if args.json {
        println!("{:#}", report.json())
    } else {
        println!("{}", report.text())
    }
    Ok(true)
}

async fn measure_all(args: &Args) -> anyhow::Result<Report> {
    let progress = |what: &str| eprintln!("{what} …");
    // Names that no run before this one has used: the last digits of an id of version 7 are random.
    let run = uuid::Uuid::now_v7().simple().to_string().split_off(24);
    let targets = if args.base.is_empty() { own_targets(args).await? } else { other_targets(args, &run).await? };
    for target in &targets {
        let pid = target.pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string());
        progress(&format!("{} has {} users; its process is {pid}", target.name, target.population.filling.users));
    }

    let scenarios = scenario::wanted(args);
    let time_max = Duration::from_secs(args.seconds);
    let rows = measure::run(&scenarios, &targets, args.rounds, time_max, &run, &progress).await?;
    let lived = life::run(args, &targets, &run, &progress).await?;
    let abused = abuse::run(args, &targets, &run, &progress).await?;
    let neighboured = neighbours::run(args, &targets, &run, &progress).await?;
    let subjects = targets.iter().map(|target| {
        let filling = target.population.filling;
        let constraints = target.constraints;
        Subject { name: target.name.clone(), users: filling.users, members: filling.members, constraints }
    });
    Ok(Report { subjects: subjects.collect(), rounds: args.rounds, rows, lived, abused, neighboured })
}

/// Our own server, once for each program, each number of users and each number of constraints.
async fn own_targets(args: &Args) -> anyhow::Result<Vec<Target>> {
    let programs = if args.program.is_empty() {
        vec![crate::process::ServerProcess::program_under_test()?]
    } else {
        args.program.clone()
    };
    let mut targets = Vec::new();
    for (place, program) in programs.iter().enumerate() {
        for (users, constraints) in
            args.users.iter().flat_map(|users| args.constraints.iter().map(move |n| (*users, *n)))
        {
            let name = args.constrained(&args.name(place), constraints);
            eprintln!("{name}: preparing {users} users …");
            targets.push(own::target(args, &name, program, users, constraints).await?);
        }
    }
    Ok(targets)
}

/// Servers that run already.
async fn other_targets(args: &Args, run: &str) -> anyhow::Result<Vec<Target>> {
    let mut targets = Vec::new();
    for (place, (base, token)) in args.base.iter().zip(&args.token).enumerate() {
        let name = args.name(place);
        let users = args.users.get(place).or(args.users.first()).copied().unwrap_or(1);
        let filling = args.filling(users);
        let endpoint = Endpoint::new(base, token)?;
        let remembered = args.data.as_ref().map(|data| data.join(format!("{name}-{users}.json")));
        let known = remembered.as_deref().map(|path| Population::read(path, filling)).transpose()?.flatten();
        let population = match known {
            Some(population) => population,
            None => {
                eprintln!("{name}: creating {users} users …");
                Population::over_http(&endpoint, format!("user-{run}"), filling).await?
            }
        };
        let population = population::complete(population, &endpoint, remembered.as_deref()).await?;
        let pid = args.pid.get(place).copied().filter(|pid| *pid != 0);
        targets.push(Target::new(name, endpoint, pid, population));
    }
    Ok(targets)
}
