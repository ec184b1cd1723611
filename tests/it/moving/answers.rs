//! A server with something of everything, and what it answers.

use reqwest::Method;
use scruple::clock::Clock;
use scruple_tests::client::ApiClient;
use scruple_tests::components::{PROTECTED_ACCOUNTS, SAFE_VALUES, WRITE_ONCE};
use scruple_tests::{Response, ServerProcess, TenantClient, group, patch_op, user};
use serde_json::{Value, json};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Who asks.
#[derive(Clone, Copy, Debug)]
enum As {
    Operator,
    Admin,
    Scim,
}

/// A tenant with something of everything, and requests to it that change nothing.
pub(super) struct World {
    operator: ApiClient,
    pub(super) acme: TenantClient,
    requests: Vec<(As, String)>,
}

impl World {
    /// Fills a server that has nothing yet.
    pub(super) async fn fill(server: &ServerProcess) -> Self {
        let operator = server.operator();
        operator.post("/api/v1/tenants", json!({ "name": "acme" })).await.expect_status(201);
        let acme = TenantClient::new(server.address, "acme", &operator).await;
        let mut world = Self { operator, acme, requests: Vec::new() };
        world.declare().await;
        let ids = world.provision().await;
        world.judge(&ids).await;
        world.ask_for_the_rest(&ids).await;
        world
    }

    /// The same world on another server.
    pub(super) fn at(&self, server: &ServerProcess) -> Self {
        let (operator, acme) = (self.operator.at(server.address), self.acme.at(server.address));
        Self { operator, acme, requests: self.requests.clone() }
    }

    /// Tables, constraints, waivers, stricter schemas, a profile.
    async fn declare(&self) {
        let acme = &self.acme;
        let put = acme.admin.request(Method::PUT, &acme.api_path("/tables/departments"));
        let csv = put.header("content-type", "text/csv").body("code,name\nD-7,Engines\n");
        acme.admin.send(csv).await.expect_status(201);
        acme.enforce(WRITE_ONCE, json!({ "attributes": ["externalId"] })).await;
        acme.enforce(
            SAFE_VALUES,
            json!({ "rules": [
            { "path": "emails.value", "domains": ["example.com"] },
            { "path": format!("{ENTERPRISE}:department"), "table": "departments" },
        ] }),
        )
        .await;
        acme.enforce(PROTECTED_ACCOUNTS, json!({ "groups": [{ "displayName": "admins", "minimum": 1 }] })).await;
        let until = Clock::system().now() + jiff::SignedDuration::from_hours(24);
        let waiver = json!({
            "constraint": "write-once", "code": "immutable-attribute", "resource_type": "User",
            "filter": "userType eq \"Contractor\"", "until": until.to_string(), "ticket": "IAM-1",
        });
        acme.admin.post(&acme.api_path("/waivers"), waiver).await.expect_status(201);
        let tighter =
            json!({ "tightenings": [{ "resourceType": "User", "path": "externalId", "uniqueness": "server" }] });
        acme.admin.put(&acme.api_path("/tightenings"), tighter).await.expect_status(200);
        acme.admin
            .patch(&acme.api_path(""), json!({ "respond_async": true, "profile": "okta" }))
            .await
            .expect_status(200);
    }

    /// Users, with a secret and odd texts, groups within groups, and a request that was answered before it was carried out.
    async fn provision(&mut self) -> Vec<String> {
        let acme = &self.acme;
        let mut ids = Vec::new();
        for n in 0..30 {
            let mut body = user(&format!("user-{n:02}"));
            body["externalId"] = json!(format!("E{n}"));
            body["displayName"] = json!(format!("Zoë \u{1f600} {n}"));
            body["userType"] = json!(if n % 2 == 0 { "Contractor" } else { "Employee" });
            body["password"] = json!("correct horse battery staple");
            body[ENTERPRISE] = json!({ "department": "D-7" });
            ids.push(acme.post("/Users", body).await.expect_status(201).id());
        }
        let members: Vec<&str> = ids.iter().map(String::as_str).collect();
        let team = acme.post("/Groups", group("team", &members[..20])).await.expect_status(201).id();
        let admins = acme.post("/Groups", group("admins", &[members[29]])).await.expect_status(201).id();
        let all = acme.post("/Groups", group("all", &[&team, &admins])).await.expect_status(201).id();
        // Another set of members, of which the first is swept.
        acme.patch(
            &format!("/Groups/{team}"),
            json!([patch_op("replace", "members", json!([{ "value": members[1] }]))]),
        )
        .await;
        let accepted = acme.scim.request(Method::POST, &acme.scim_path("/Users")).header("prefer", "respond-async");
        let accepted = acme.scim.send(accepted.json(&user("later"))).await.expect_status(202);
        let txn = accepted.header("set-txn").unwrap().to_owned();
        while acme.get(&format!("/AsyncRequests/{txn}")).await.body["state"] == "running" {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        for path in [
            format!("/Groups/{all}"),
            format!("/Groups/{team}"),
            format!("/Groups/{admins}"),
            format!("/AsyncRequests/{txn}"),
        ] {
            self.scim(path);
        }
        ids
    }

    /// Changes that are denied, waived, invalid, in conflict, and what the log says of them.
    async fn judge(&mut self, ids: &[String]) {
        let acme = &self.acme;
        let renumber = |n: usize| json!([patch_op("replace", "externalId", json!(format!("F{n}")))]);
        acme.patch(&format!("/Users/{}", ids[0]), renumber(0)).await.expect_status(200);
        acme.patch(&format!("/Users/{}", ids[1]), renumber(1)).await.expect_status(400);
        acme.delete(&format!("/Users/{}", ids[29])).await.expect_status(403);
        acme.post("/Users", user("USER-03")).await.expect_status(409);
        acme.delete(&format!("/Users/{}", ids[5])).await.expect_status(204);
        for decision in acme.decisions().await {
            let id = decision["id"].as_str().unwrap();
            self.admin(format!("/decisions/{id}"));
            if decision["outcome"] == "denied" {
                self.admin(format!("/decisions/{id}/explanation"));
            }
        }
    }

    /// Resources, lists, filters, pages, and what is in force.
    async fn ask_for_the_rest(&mut self, ids: &[String]) {
        for id in ids {
            self.scim(format!("/Users/{id}"));
        }
        let cursor = |page: &Response| page.body["nextCursor"].as_str().unwrap().to_owned();
        let first = self.acme.query("/Users", &[("cursor", ""), ("count", "7")]).await;
        let log = self.acme.admin.get(&self.acme.api_path("/decisions?limit=5")).await;
        let next = log.body["next"].as_str().unwrap().to_owned();
        for path in [
            "/Users",
            "/Users?cursor=&count=7",
            "/Users?startIndex=11&count=10",
            "/Users?sortBy=userName&sortOrder=descending",
            "/Users?filter=userName+eq+%22user-07%22",
            "/Users?filter=displayName+sw+%22Zo%C3%AB%22+and+active+eq+true",
            "/Users?filter=meta.lastModified+gt+%222020-01-01T00:00:00Z%22&attributes=userName",
            "/Groups",
            "",
            "/Schemas",
            "/ResourceTypes",
            "/ServiceProviderConfig",
            "/Groups?filter=members.value+pr&excludedAttributes=members",
        ] {
            self.scim(path.to_owned());
        }
        self.scim(format!("/Users?cursor={}&count=7", cursor(&first)));
        for path in [
            "",
            "/tokens",
            "/plugins",
            "/plugins/write-once/versions",
            "/constraints",
            "/constraints/safe-values",
            "/constraints/safe-values/history",
            "/waivers",
            "/tables",
            "/tables/departments",
            "/tables/departments/content",
            "/tables/departments/history",
            "/tightenings",
            "/schemas",
            "/resource-types",
            "/signing-keys",
            "/signing-policy",
            "/decisions?limit=1000",
            "/decisions?verdict=denied",
        ] {
            self.admin(path.to_owned());
        }
        self.admin(format!("/decisions?limit=5&cursor={next}"));
        self.requests.push((As::Operator, "/api/v1/tenants".to_owned()));
    }

    fn scim(&mut self, path: String) {
        self.requests.push((As::Scim, self.acme.scim_path(&path)));
    }

    fn admin(&mut self, path: String) {
        self.requests.push((As::Admin, self.acme.api_path(&path)));
    }

    /// What the server answers to each request.
    pub(super) async fn answers(&self) -> Vec<(String, Value)> {
        let mut answers = Vec::new();
        for (who, path) in &self.requests {
            let client = match who {
                As::Operator => &self.operator,
                As::Admin => &self.acme.admin,
                As::Scim => &self.acme.scim,
            };
            answers.push((format!("{who:?} {path}"), what_counts(client.get(path).await)));
        }
        answers
    }

    /// What it answers to changes that are refused, of which nothing stays but a line in the log.
    pub(super) async fn refusals(&self) -> Vec<Value> {
        let mut stranger = user("stranger");
        stranger["emails"] = json!([{ "value": "stranger@elsewhere.org" }]);
        let mut other_department = user("other");
        other_department[ENTERPRISE] = json!({ "department": "D-8" });
        let mut refusals = Vec::new();
        for (body, status) in [(stranger, 400), (other_department, 400), (user("USER-03"), 409)] {
            refusals.push(what_counts(self.acme.post("/Users", body).await.expect_status(status)));
        }
        refusals
    }
}

/// An answer without what is another one each time: cursors are sealed with the time, and a refusal has its decision's id.
fn what_counts(answer: Response) -> Value {
    let headers = ["etag", "location", "content-type"].map(|name| answer.header(name).map(str::to_owned));
    let mut body = answer.body;
    if let Some(object) = body.as_object_mut() {
        object.remove("nextCursor");
        let decision = object.get_mut("urn:scruple:params:scim:api:messages:1.0:Decision");
        if let Some(decision) = decision.and_then(Value::as_object_mut) {
            decision.remove("decisionId");
        }
    }
    json!({ "status": answer.status, "headers": headers, "body": body })
}

/// Every answer is the same as it was.
#[track_caller]
pub(super) fn assert_same(before: &[(String, Value)], after: &[(String, Value)]) {
    let fine = before.iter().filter(|(_, answer)| answer["status"] == 200).count();
    assert!(before.len() > 100 && fine + 3 > before.len(), "{fine} of {} requests were answered", before.len());
    for ((request, before), (_, after)) in before.iter().zip(after) {
        assert_eq!(before, after, "{request}");
    }
}
