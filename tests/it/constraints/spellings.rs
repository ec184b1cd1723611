//! No spelling dodges a rule: every way to ask for the same change, alone and in a Bulk, is refused alike, changes
//! nothing, and shows the constraint the same.

use reqwest::Method;
use scruple_tests::components::{PROTECTED_ACCOUNTS, WRITE_ONCE};
use scruple_tests::{TenantClient, TestServer, group, patch_op, user};
use serde_json::{Value, json};

const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// One way to ask for a change.
struct Spelling {
    method: Method,
    body: Option<Value>,
}

fn put(body: Value) -> Spelling {
    Spelling { method: Method::PUT, body: Some(body) }
}

fn patch(operations: Value) -> Spelling {
    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
    Spelling { method: Method::PATCH, body: Some(body) }
}

fn delete() -> Spelling {
    Spelling { method: Method::DELETE, body: None }
}

/// A PATCH without a path.
fn whole(op: &str, value: Value) -> Spelling {
    patch(json!([{ "op": op, "value": value }]))
}

fn one(op: &str, path: &str, value: Value) -> Spelling {
    patch(json!([patch_op(op, path, value)]))
}

fn remove(path: &str) -> Spelling {
    patch(json!([{ "op": "remove", "path": path }]))
}

/// A resource under a constraint.
struct Watched<'a> {
    tenant: &'a TenantClient,
    /// Below the SCIM base.
    path: String,
    /// With which status and reason an attempt is refused.
    refusal: (u16, &'a str),
}

impl Watched<'_> {
    /// Sends every spelling, alone and in a Bulk.
    async fn refuses_alike(&self, spellings: Vec<Spelling>) {
        let before = self.tenant.get(&self.path).await.expect_status(200).body;
        let mut first: Option<Value> = None;
        for (spelling, in_bulk) in spellings.iter().flat_map(|spelling| [(spelling, false), (spelling, true)]) {
            let told = format!("{} {:?} in a Bulk: {in_bulk}", spelling.method, spelling.body);
            let (status, answer) = self.send(spelling, in_bulk).await;
            assert_eq!(status, self.refusal.0, "{told}: {answer:#}");
            let refusal = &answer["urn:scruple:params:scim:api:messages:1.0:Decision"];
            assert_eq!(refusal["reasons"][0]["code"], self.refusal.1, "{told}: {answer:#}");
            assert_eq!(self.tenant.get(&self.path).await.body, before, "{told} changed something");

            let decision = self.tenant.decision(refusal["decisionId"].as_str().unwrap()).await;
            let evaluation = &decision["evaluations"][0];
            let shown = json!({
                "action": decision["action"], "resource": decision["resource_id"], "outcome": decision["outcome"],
                "reads": evaluation["reads"], "reasons": evaluation["reasons"], "notes": evaluation["notes"],
            });
            match &first {
                None => first = Some(shown),
                Some(first) => assert_eq!(&shown, first, "{told} shows the constraint something else"),
            }
        }
    }

    /// Status and body of the answer; in a Bulk those of its one operation (RFC 7644 §3.7.3).
    async fn send(&self, spelling: &Spelling, in_bulk: bool) -> (u16, Value) {
        if !in_bulk {
            let request = self.tenant.scim.request(spelling.method.clone(), &self.tenant.scim_path(&self.path));
            let request = match &spelling.body {
                Some(body) => request.json(body),
                None => request,
            };
            let answer = self.tenant.scim.send(request).await;
            return (answer.status, answer.body);
        }
        let mut operation = json!({ "method": spelling.method.as_str(), "path": self.path });
        if let Some(body) = &spelling.body {
            operation["data"] = body.clone();
        }
        let body =
            json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [operation] });
        let answer = self.tenant.post("/Bulk", body).await.expect_status(200).body;
        let result = &answer["Operations"][0];
        (result["status"].as_str().unwrap().parse().unwrap(), result["response"].clone())
    }
}

async fn made(tenant: &TenantClient, endpoint: &str, body: Value) -> String {
    tenant.post(endpoint, body).await.expect_status(201).id()
}

/// `user("ada")` with another value of an attribute; without it if the value is null.
fn ada_with(name: &str, value: Value) -> Value {
    let mut ada = user("ada");
    ada["externalId"] = "E1".into();
    ada[ENTERPRISE] = json!({ "employeeNumber": "7" });
    if value.is_null() {
        ada.as_object_mut().unwrap().remove(name);
    } else {
        ada[name] = value;
    }
    ada
}

async fn write_once(server: &TestServer) -> TenantClient {
    let acme = server.tenant("acme").await;
    let number = format!("{ENTERPRISE}:employeeNumber");
    acme.enforce(WRITE_ONCE, json!({ "attributes": ["externalId", number, "emails.value"] })).await;
    acme
}

#[tokio::test]
async fn a_simple_attribute_is_written_once_in_every_spelling() {
    let server = TestServer::start().await;
    let acme = write_once(&server).await;
    let path = format!("/Users/{}", made(&acme, "/Users", ada_with("title", Value::Null)).await);
    let ada = Watched { tenant: &acme, path, refusal: (400, "immutable-attribute") };
    let qualified = format!("{CORE}:externalId");

    ada.refuses_alike(vec![
        put(ada_with("externalId", json!("E2"))),
        one("replace", "externalId", json!("E2")),
        one("add", "externalId", json!("E2")),
        one("Replace", "externalId", json!("E2")),
        one("ADD", "EXTERNALID", json!("E2")),
        one("replace", &qualified, json!("E2")),
        one("replace", &qualified.to_uppercase(), json!("E2")),
        one("Add", "externalId", json!([{ "$ref": null, "value": "E2" }])),
        whole("replace", json!({ "externalId": "E2" })),
        whole("Add", json!({ "ExternalID": "E2" })),
        whole("replace", json!({ qualified.as_str(): "E2" })),
        patch(json!([{ "op": "remove", "path": "externalId" }, patch_op("add", "externalId", json!("E2"))])),
        patch(json!([patch_op("replace", "externalId", json!("E3")), patch_op("replace", "externalId", json!("E2"))])),
    ])
    .await;
    ada.refuses_alike(vec![
        put(ada_with("externalId", Value::Null)),
        remove("externalId"),
        remove("EXTERNALID"),
        remove(&qualified),
        patch(json!([{ "op": "Remove", "path": "externalId", "value": "E1" }])),
        one("replace", "externalId", Value::Null),
        whole("replace", json!({ "externalId": null })),
    ])
    .await;
    ada.refuses_alike(vec![
        put(ada_with("externalId", json!(""))),
        one("replace", "externalId", json!("")),
        whole("add", json!({ "externalId": "" })),
    ])
    .await;
}

#[tokio::test]
async fn an_extensions_attribute_is_written_once_in_every_spelling() {
    let server = TestServer::start().await;
    let acme = write_once(&server).await;
    let path = format!("/Users/{}", made(&acme, "/Users", ada_with("title", Value::Null)).await);
    let ada = Watched { tenant: &acme, path, refusal: (400, "immutable-attribute") };
    let number = format!("{ENTERPRISE}:employeeNumber");

    ada.refuses_alike(vec![
        put(ada_with(ENTERPRISE, json!({ "employeeNumber": "8" }))),
        one("replace", &number, json!("8")),
        one("Add", &number.to_uppercase(), json!("8")),
        one("replace", ENTERPRISE, json!({ "employeeNumber": "8" })),
        one("add", ENTERPRISE, json!({ "EMPLOYEENUMBER": "8" })),
        whole("replace", json!({ number.as_str(): "8" })),
        whole("add", json!({ ENTERPRISE: { "employeeNumber": "8" } })),
        whole("replace", json!({ ENTERPRISE.to_uppercase(): { "employeeNUMBER": "8" } })),
    ])
    .await;
    ada.refuses_alike(vec![
        put(ada_with(ENTERPRISE, Value::Null)),
        put(ada_with(ENTERPRISE, json!({}))),
        put(ada_with(ENTERPRISE, json!({ "employeeNumber": null }))),
        remove(&number),
        remove(ENTERPRISE),
        one("replace", &number, Value::Null),
        one("replace", ENTERPRISE, json!({ "employeeNumber": null })),
        whole("replace", json!({ number.as_str(): null })),
        whole("replace", json!({ ENTERPRISE: { "employeeNumber": null } })),
    ])
    .await;
}

#[tokio::test]
async fn a_value_of_many_is_written_once_in_every_spelling() {
    let server = TestServer::start().await;
    let acme = write_once(&server).await;
    let path = format!("/Users/{}", made(&acme, "/Users", ada_with("title", Value::Null)).await);
    let ada = Watched { tenant: &acme, path, refusal: (400, "immutable-attribute") };
    let new = json!([{ "value": "new@example.com", "type": "work", "primary": true }]);
    let work = "emails[type eq \"work\"]";
    let value = format!("{work}.value");

    ada.refuses_alike(vec![
        put(ada_with("emails", new.clone())),
        one("replace", "emails", new.clone()),
        one("Replace", &value, json!("new@example.com")),
        one("Add", &value, json!("new@example.com")),
        one("replace", "EMAILS[TYPE EQ \"WORK\"].VALUE", json!("new@example.com")),
        one("replace", "emails.value", json!("new@example.com")),
        one("replace", "emails[primary eq \"True\"].value", json!("new@example.com")),
        one("replace", work, json!({ "value": "new@example.com" })),
        whole("replace", json!({ "emails": new })),
        whole("replace", json!({ value.as_str(): "new@example.com" })),
        patch(json!([{ "op": "remove", "path": "emails" }, patch_op("add", "emails", new.clone())])),
    ])
    .await;
    ada.refuses_alike(vec![
        put(ada_with("emails", Value::Null)),
        put(ada_with("emails", json!([]))),
        remove("emails"),
        remove(work),
        remove(&value),
        remove("emails.value"),
        patch(json!([{ "op": "Remove", "path": "emails", "value": [{ "value": "ada@example.com" }] }])),
        one("replace", "emails", json!([])),
        one("replace", "emails", Value::Null),
        whole("replace", json!({ "emails": [] })),
    ])
    .await;
    let another = json!({ "value": "b@example.com", "type": "home" });
    let both = json!([user("ada")["emails"][0], another]);
    ada.refuses_alike(vec![
        put(ada_with("emails", both.clone())),
        one("add", "emails", json!([another])),
        one("Add", "emails", another.clone()),
        one("Add", "emails[type eq \"home\"].value", json!("b@example.com")),
        one("replace", "emails", both),
        whole("add", json!({ "emails": [another] })),
    ])
    .await;
}

#[tokio::test]
async fn a_protected_account_stays_active_named_and_there_in_every_spelling() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let path = format!("/Users/{}", made(&acme, "/Users", user("root")).await);
    acme.enforce(PROTECTED_ACCOUNTS, json!({ "accounts": ["Root"] })).await;
    let watched = |status, code| Watched { tenant: &acme, path: path.clone(), refusal: (status, code) };
    let root = |name: &str, value: Value| {
        let mut root = user("root");
        root[name] = value;
        root
    };

    let active = watched(403, "protected-account-deactivated");
    active
        .refuses_alike(vec![
            put(root("active", json!(false))),
            put(root("active", json!("False"))),
            one("replace", "active", json!(false)),
            one("Replace", "active", json!("False")),
            one("add", "ACTIVE", json!("FALSE")),
            one("Add", "active", json!([{ "$ref": null, "value": "False" }])),
            one("replace", &format!("{CORE}:active"), json!(false)),
            whole("replace", json!({ "active": false })),
            whole("Replace", json!({ "Active": "false" })),
            whole("add", json!({ format!("{CORE}:active"): false })),
            patch(json!([{ "op": "remove", "path": "active" }, patch_op("add", "active", json!(false))])),
        ])
        .await;
    let mut without = user("root");
    without.as_object_mut().unwrap().remove("active");
    active
        .refuses_alike(vec![
            put(without),
            put(root("active", Value::Null)),
            remove("active"),
            remove(&format!("{CORE}:ACTIVE")),
            one("replace", "active", Value::Null),
            whole("replace", json!({ "active": null })),
        ])
        .await;
    watched(400, "protected-account-renamed")
        .refuses_alike(vec![
            put(root("userName", json!("nobody"))),
            one("replace", "userName", json!("nobody")),
            one("Add", "USERNAME", json!("nobody")),
            whole("replace", json!({ "userName": "nobody" })),
            whole("replace", json!({ format!("{CORE}:userName"): "nobody" })),
        ])
        .await;
    watched(403, "protected-account-deleted").refuses_alike(vec![delete()]).await;
}

#[tokio::test]
async fn a_protected_account_stays_in_its_groups_in_every_spelling() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let root = made(&acme, "/Users", user("root")).await;
    let bob = made(&acme, "/Users", user("bob")).await;
    let alone = format!("/Groups/{}", made(&acme, "/Groups", group("Alone", &[&root])).await);
    let both = format!("/Groups/{}", made(&acme, "/Groups", group("Both", &[&root, &bob])).await);
    acme.enforce(PROTECTED_ACCOUNTS, json!({ "accounts": ["root"] })).await;
    let watched = |path: &str| Watched {
        tenant: &acme,
        path: path.to_owned(),
        refusal: (403, "protected-account-removed-from-group"),
    };
    let by_value = format!("members[value eq \"{root}\"]");
    let listed = json!([{ "op": "remove", "path": "members", "value": [{ "value": root }] }]);
    let mut without = group("Alone", &[]);
    without.as_object_mut().unwrap().remove("members");

    watched(&alone)
        .refuses_alike(vec![
            remove(&by_value),
            remove(&by_value.to_uppercase().replace(&root.to_uppercase(), &root)),
            patch(listed.clone()),
            patch(json!([{ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": root }] }])),
            patch(json!([{ "op": "Remove", "path": "members", "value": { "value": root } }])),
            remove("members"),
            remove("Members"),
            remove("members[type eq \"User\"]"),
            remove("urn:ietf:params:scim:schemas:core:2.0:Group:members"),
            one("replace", "members", json!([])),
            one("replace", "members", Value::Null),
            whole("replace", json!({ "members": [] })),
            put(group("Alone", &[])),
            put(without),
            patch(
                json!([patch_op("add", "members", json!([{ "value": bob }])), { "op": "remove", "path": "members" }]),
            ),
        ])
        .await;
    watched(&both)
        .refuses_alike(vec![
            remove(&by_value),
            patch(listed),
            one("replace", "members", json!([{ "value": bob }])),
            whole("replace", json!({ "members": [{ "value": bob, "display": "bob" }] })),
            put(group("Both", &[&bob])),
            patch(
                json!([{ "op": "remove", "path": "members" }, patch_op("add", "members", json!([{ "value": bob }]))]),
            ),
        ])
        .await;
    watched(&alone).refuses_alike(vec![delete()]).await;
}
