//! Our own server as a target: its folder, its users, its process.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, bail, ensure};
use reqwest::Method;
use scruple::app::App;
use scruple::clock::Clock;
use scruple::config::Config;
use scruple::constraints::CompilerProgram;
use scruple::decision::Actor;
use scruple::pipeline::answer::Answer;
use scruple::pipeline::write::{Caller, Change, WriteRequest};
use scruple::scim::projection::AttributeNames;
use serde_json::{Value, json};

use crate::client::{ApiClient, TenantClient};
use crate::components::FIVE_READS;
use crate::load::args::{Args, Filling};
use crate::load::generate::{user_name, user_of};
use crate::load::population::{self, NEWCOMERS, Population};
use crate::load::target::{Endpoint, Target};
use crate::process::ServerProcess;
use crate::server::OPERATOR_TOKEN;

const TENANT: &str = "load";
const PREFIX: &str = "user";

/// Writes under way at once while the store is filled: as many as a batch of the writer takes, so that one durable
/// transaction carries 256 users.
const WRITERS: usize = 256;

/// Starts a program of ours on a folder with so many users, and puts so many constraints in force.
pub(super) async fn target(
    args: &Args,
    name: &str,
    program: &Path,
    users: usize,
    constraints: usize,
) -> anyhow::Result<Target> {
    let (folder, temporary) = match &args.data {
        Some(data) => (data.join(format!("{name}-{users}")), None),
        None => {
            let temporary = tempfile::tempdir()?;
            (temporary.path().to_owned(), Some(temporary))
        }
    };
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    let (remembered, data) = (folder.join("population.json"), folder.join("data"));
    let filling = args.filling(users);
    let mut population = Population::read(&remembered, filling)?;
    if population.is_none() {
        ensure!(!data.exists(), "`{}` was left by a run that did not end: remove it", data.display());
    }
    if population.is_none() && args.preload {
        let preloaded = Population::new(PREFIX.to_owned(), filling, preload(&data, filling).await?);
        preloaded.write(&remembered)?;
        population = Some(preloaded);
    }

    let process = ServerProcess::start(program, &data)?;
    let token = tenant_token(&process).await?;
    let endpoint = Endpoint::new(&format!("http://{}/scim/{TENANT}/v2", process.address), &token)?;
    let population = match population {
        Some(population) => population,
        None => Population::over_http(&endpoint, PREFIX.to_owned(), filling).await?,
    };
    let population = population::complete(population, &endpoint, Some(&remembered)).await?;
    enforce(&process, constraints).await?;
    Ok(Target::new(name.to_owned(), endpoint, None, population).owning(process, temporary).constrained(constraints))
}

/// Puts the component that reads five attributes in force under so many names.
async fn enforce(process: &ServerProcess, constraints: usize) -> anyhow::Result<()> {
    if constraints == 0 {
        return Ok(());
    }
    let acme = TenantClient::new(process.address, TENANT, &process.operator()).await;
    let uploaded = acme.upload("five-reads", std::fs::read(FIVE_READS)?).await;
    ensure!(matches!(uploaded.status, 200 | 201), "the component was refused: {:#}", uploaded.body);
    for number in 1..=constraints {
        let set = acme.set(&format!("reads-{number}"), json!({ "plugin": "five-reads" })).await;
        ensure!(set.status == 200, "the constraint was refused: {:#}", set.body);
    }
    Ok(())
}

/// Makes the tenant unless an earlier run has, and a token.
async fn tenant_token(process: &ServerProcess) -> anyhow::Result<String> {
    let operator = process.operator();
    let post = |path: String, body: Value| {
        let request = operator.request(Method::POST, &path).json(&body);
        let operator: &ApiClient = &operator;
        async move { operator.try_send(request).await }
    };
    let made = post("/api/v1/tenants".to_owned(), json!({ "name": TENANT })).await?;
    ensure!(matches!(made.status, 201 | 409), "cannot make a tenant: status {}, {:#}", made.status, made.body);
    let body = json!({ "label": "load", "scopes": ["scim"] });
    let made = post(format!("/api/v1/tenants/{TENANT}/tokens"), body).await?;
    let token = made.body["token"].as_str().map(str::to_owned);
    token.with_context(|| format!("cannot make a token: status {}, {:#}", made.status, made.body))
}

/// Fills a fresh data folder through the pipeline, as the server's handlers would: judged, recorded and durable.
/// Returns the ids by the users' numbers.
async fn preload(data: &Path, filling: Filling) -> anyhow::Result<Vec<String>> {
    let mut config = Config::default();
    config.server.data = data.to_owned();
    config.store.snapshots_max = WRITERS;
    let compiler = CompilerProgram::at(ServerProcess::program_under_test()?);
    let app = App::open(&config, Some(OPERATOR_TOKEN), Clock::system(), compiler)?.app;
    let tenant = app.store.create_tenant(TENANT, app.clock.now()).await?;
    let tenant = tenant.context("the tenant of a fresh folder is taken")?.id;
    let actor = Actor { subject: "load".to_owned(), label: "load".to_owned(), scopes: vec!["scim".to_owned()] };

    let wanted = filling.users + NEWCOMERS;
    let next = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let caller = Caller { tenant, actor: actor.clone(), request_id: format!("load-{writer}"), txn: None };
            tokio::spawn(write(Arc::clone(&app), caller, filling, Arc::clone(&next), wanted))
        })
        .collect();
    let mut ids = vec![String::new(); wanted];
    for writer in writers {
        for (number, id) in writer.await?? {
            ids[number] = id;
        }
    }
    Ok(ids)
}

/// Writes users until there are enough.
async fn write(
    app: Arc<App>,
    caller: Caller,
    filling: Filling,
    next: Arc<AtomicUsize>,
    wanted: usize,
) -> anyhow::Result<Vec<(usize, String)>> {
    let mut written = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= wanted {
            return Ok(written);
        }
        let Value::Object(body) = user_of(filling.size, &user_name(PREFIX, number), number) else {
            bail!("a user is an object");
        };
        let request = WriteRequest {
            endpoint: "Users".to_owned(),
            change: Change::Create { body },
            names: AttributeNames::default(),
        };
        match app.pipeline.write(&caller, &request).await?.answer {
            Answer::Whole(user) => written.push((number, user.resource.id.to_string())),
            other => bail!("a create came to {other:?}"),
        }
    }
}
