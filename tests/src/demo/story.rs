//! What happens, request by request. Bodies have the shape in which Entra ID and Okta send them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::components::SPIN_FOREVER;
use crate::demo::cast::{Cast, Role};
use crate::demo::player::Expect::{Faulted, Refused, Status};
use crate::demo::player::{Expect, Player, patch};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// A tenant's requests, without the path that they share.
struct Scene<'a> {
    player: &'a mut Player,
    role: &'a Role,
}

impl Scene<'_> {
    async fn send(
        &mut self,
        title: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
        expect: Expect,
    ) -> anyhow::Result<String> {
        let path = format!("/scim/{}/v2{path}", self.role.name);
        let answer = self.player.play(&self.role.scim, title, method, &path, body, expect).await?;
        Ok(answer.body["id"].as_str().unwrap_or_default().to_owned())
    }

    async fn get(&mut self, title: &str, path: &str, expect: Expect) -> anyhow::Result<String> {
        self.send(title, Method::GET, path, None, expect).await
    }

    async fn post(&mut self, title: &str, path: &str, body: Value, expect: Expect) -> anyhow::Result<String> {
        self.send(title, Method::POST, path, Some(body), expect).await
    }

    async fn put(&mut self, title: &str, path: &str, body: Value, expect: Expect) -> anyhow::Result<String> {
        self.send(title, Method::PUT, path, Some(body), expect).await
    }

    async fn patch(&mut self, title: &str, path: &str, operations: Value, expect: Expect) -> anyhow::Result<String> {
        self.send(title, Method::PATCH, path, Some(patch(operations)), expect).await
    }

    async fn delete(&mut self, title: &str, path: &str, expect: Expect) -> anyhow::Result<String> {
        self.send(title, Method::DELETE, path, None, expect).await
    }
}

fn entra_user(name: &str, family: &str, external_id: &str) -> Value {
    json!({
        "schemas": [USER, ENTERPRISE],
        "userName": format!("{name}@acme.example"),
        "externalId": external_id,
        "active": true,
        "displayName": format!("{name} {family}"),
        "emails": [{ "primary": true, "type": "work", "value": format!("{name}@acme.example") }],
        "meta": { "resourceType": "User" },
        "name": { "formatted": format!("{name} {family}"), "familyName": family, "givenName": name },
    })
}

/// acme and Entra ID. Returns the decision that is explained at the end.
pub(super) async fn acme(player: &mut Player, cast: &Cast) -> anyhow::Result<Option<String>> {
    player.chapter("acme: accounts are complete, identifiers are forever, somebody can always log in");
    let mut acme = Scene { player, role: &cast.acme };

    acme.get(
        "Entra ID looks whether grace is there",
        "/Users?filter=userName%20eq%20%22grace%40acme.example%22",
        Status(200),
    )
    .await?;
    let mut incomplete = entra_user("grace", "Hopper", "e-1");
    let object = incomplete.as_object_mut();
    object.map(|object| object.remove("externalId"));
    let missing = Refused(400, "required-attributes", "required-attribute-missing");
    acme.post("It creates her without an externalId", "/Users", incomplete, missing).await?;
    let grace = acme.post("Again, complete", "/Users", entra_user("grace", "Hopper", "e-1"), Status(201)).await?;

    let mut ada = entra_user("ada", "Lovelace", "e-2");
    ada[ENTERPRISE] =
        json!({ "department": "Engines", "manager": { "value": "01936d4e-0000-7000-8000-000000000000" } });
    let nobody = Refused(400, "dependency-guard", "manager-unknown");
    acme.post("ada, whose manager does not exist", "/Users", ada.clone(), nobody).await?;
    ada[ENTERPRISE]["manager"]["value"] = grace.clone().into();
    let ada_id = acme.post("ada, whose manager is grace", "/Users", ada.clone(), Status(201)).await?;
    let emergency = entra_user("break-glass", "Emergency", "e-3");
    let emergency_id =
        acme.post("The emergency account, which is protected", "/Users", emergency.clone(), Status(201)).await?;
    let group = json!({ "schemas": [GROUP], "displayName": "Administrators", "externalId": "g-1",
        "members": [{ "value": ada_id }, { "value": emergency_id }] });
    let administrators =
        acme.post("The group of administrators: ada and the emergency account", "/Groups", group, Status(201)).await?;

    let write_once = || Refused(400, "write-once", "immutable-attribute");
    let ada_path = format!("/Users/{ada_id}");
    let change = json!([{ "op": "Replace", "path": "externalId", "value": "e-99" }]);
    acme.patch("PATCH of a write-once attribute", &ada_path, change, write_once()).await?;
    let mut without = ada.clone();
    without.as_object_mut().map(|object| object.remove("externalId"));
    acme.put("PUT that leaves it out", &ada_path, without, write_once()).await?;

    let protected = |code| Refused(403, "protected-accounts", code);
    let deactivated = || protected("protected-account-deactivated");
    let path = format!("/Users/{emergency_id}");
    let entra = json!([{ "op": "Replace", "path": "active", "value": "False" }]);
    acme.patch("Deactivation, as Entra ID spells it", &path, entra, deactivated()).await?;
    let pathless = json!([{ "op": "replace", "value": { "active": false } }]);
    acme.patch("Deactivation without a path", &path, pathless, deactivated()).await?;
    let urn = json!([{ "op": "Add", "path": format!("{USER}:active"), "value": false }]);
    acme.patch("Deactivation by URN, as an addition", &path, urn, deactivated()).await?;
    let mut inactive = emergency;
    inactive["active"] = false.into();
    acme.put("Deactivation by PUT of the whole account", &path, inactive, deactivated()).await?;
    acme.delete("Deletion", &path, protected("protected-account-deleted")).await?;
    let remove = json!([{ "op": "Remove", "path": "members", "value": [{ "value": emergency_id }] }]);
    acme.patch(
        "Removal from the administrators",
        &format!("/Groups/{administrators}"),
        remove,
        protected("protected-account-removed-from-group"),
    )
    .await?;

    let last = Refused(403, "protected-accounts", "too-few-active-members");
    let off = json!([{ "op": "Replace", "path": "active", "value": "False" }]);
    acme.patch("Deactivation of ada: fewer than two active administrators would be left", &ada_path, off, last).await?;
    let managed = Refused(403, "dependency-guard", "user-is-manager");
    acme.delete("Deletion of grace, who is ada's manager", &format!("/Users/{grace}"), managed).await?;
    Ok(acme.player.last_denial.clone())
}

fn okta_user(login: &str, user_type: &str) -> Value {
    json!({
        "schemas": [USER],
        "userName": login,
        "name": { "givenName": "Kim", "familyName": "Doe" },
        "emails": [{ "primary": true, "value": login, "type": "work" }],
        "displayName": "Kim Doe", "locale": "en-US", "externalId": login, "groups": [],
        "password": "1mz050nq", "active": true, "userType": user_type,
    })
}

/// globex and Okta.
pub(super) async fn globex(player: &mut Player, cast: &Cast) -> anyhow::Result<()> {
    player.chapter("globex: values have one spelling and are safe, payroll is for employees");
    let acmes_first_page = format!("/scim/{}/v2/Users", cast.acme.name);
    let mut globex = Scene { player, role: &cast.globex };
    let lookup = "/Users?filter=userName%20eq%20%22kim%40globex.example%22&startIndex=1&count=100";
    globex.get("Okta looks whether kim is there", lookup, Status(200)).await?;
    let foreign = Refused(400, "safe-values", "domain");
    globex.post("An address outside the company", "/Users", okta_user("kim@evil.example", "Employee"), foreign).await?;
    let mixed = Refused(400, "safe-values", "mixed-scripts");
    globex
        .post(
            "A name with a Cyrillic letter that looks Latin",
            "/Users",
            okta_user("kіm@globex.example", "Employee"),
            mixed,
        )
        .await?;
    let mut spelled = okta_user("Kim@Globex.example", "Employee");
    spelled["phoneNumbers"] = json!([{ "type": "work", "value": "020 7946 0011" }]);
    let employee = globex
        .post("An employee; name and telephone number are rewritten to one spelling", "/Users", spelled, Status(201))
        .await?;
    let contractor =
        globex.post("A contractor", "/Users", okta_user("lee@globex.example", "Contractor"), Status(201)).await?;

    let group = json!({ "schemas": [GROUP], "displayName": "Payroll", "members": [] });
    let payroll = globex.post("Okta pushes the group Payroll", "/Groups", group, Status(201)).await?;
    let path = format!("/Groups/{payroll}");
    let push = |id: &str, display: &str| json!([{ "op": "add", "path": "members", "value": [{ "value": id, "display": display }] }]);
    let gate = Refused(400, "group-gate", "member-not-eligible");
    globex.patch("The contractor is to be a member", &path, push(&contractor, "lee@globex.example"), gate).await?;
    globex.patch("The employee is to be a member", &path, push(&employee, "kim@globex.example"), Status(200)).await?;
    let off = json!([{ "op": "replace", "value": { "active": false } }]);
    globex
        .patch(
            "Okta deactivates the contractor: nothing of globex objects",
            &format!("/Users/{contractor}"),
            off,
            Status(200),
        )
        .await?;

    let client = cast.globex.scim.clone();
    globex
        .player
        .play(&client, "globex's token at acme's address", Method::GET, &acmes_first_page, None, Status(404))
        .await?;
    Ok(())
}

/// A constraint that never returns costs its tenant a refusal, and nobody anything else.
pub(super) async fn broken_constraint(player: &mut Player, cast: &Cast) -> anyhow::Result<()> {
    player.chapter("globex uploads a constraint that never returns");
    cast.show(&cast.globex, &["plugin", "push", SPIN_FOREVER])?;
    cast.show(&cast.globex, &["constraint", "set", "spin-forever"])?;
    let mut globex = Scene { player, role: &cast.globex };
    let body = okta_user("max@globex.example", "Employee");
    globex
        .post("globex can write nothing: the constraint fails closed", "/Users", body.clone(), Faulted("spin-forever"))
        .await?;
    let mut acme = Scene { player, role: &cast.acme };
    acme.post("acme notices nothing", "/Users", entra_user("alan", "Turing", "e-4"), Status(201)).await?;
    cast.show(&cast.globex, &["constraint", "remove", "spin-forever"])?;
    let mut globex = Scene { player, role: &cast.globex };
    globex.post("globex takes it away and goes on", "/Users", body, Status(201)).await?;
    Ok(())
}

/// An exception that somebody has agreed upon: for an hour, one reason of one constraint does not count for one account.
pub(super) async fn waiver(player: &mut Player, cast: &Cast) -> anyhow::Result<()> {
    player.chapter("acme gave linus a wrong number: an exception, for one account and one hour");
    let mut acme = Scene { player, role: &cast.acme };
    let linus =
        acme.post("Entra ID creates linus", "/Users", entra_user("linus", "Pauling", "e-wrong"), Status(201)).await?;
    let path = format!("/Users/{linus}");
    let right = || json!([{ "op": "Replace", "path": "externalId", "value": "e-5" }]);
    let refused = Refused(400, "write-once", "immutable-attribute");
    acme.patch("What is set once is not put right", &path, right(), refused).await?;
    let until = scruple::clock::Clock::system().now().checked_add(jiff::SignedDuration::from_hours(1))?.to_string();
    let waived = ["--resource", &linus, "--until", &until, "--ticket", "IAM-4711"];
    cast.show(&cast.acme, &[&["waiver", "add", "write-once", "immutable-attribute"][..], &waived].concat())?;
    let mut acme = Scene { player, role: &cast.acme };
    acme.patch("Now it is", &path, right(), Status(200)).await?;
    cast.show(&cast.acme, &["waiver", "list"])
}

/// The decision log, and one decision explained.
pub(super) fn log(player: &Player, cast: &Cast, explained: Option<String>) -> anyhow::Result<()> {
    player.chapter("The decision log of acme: its last refusals");
    cast.show(&cast.acme, &["decisions", "tail", "-n", "12", "--verdict", "denied"])?;
    player.chapter(
        "The decision log of globex; what a constraint in `shadow` would have said stands in it and refuses nothing",
    );
    cast.show(&cast.globex, &["decisions", "tail", "-n", "12"])?;
    if let Some(decision) = &explained {
        player
            .chapter("One decision explained: why grace could not be deleted, and what would have had to be otherwise");
        cast.show(&cast.acme, &["decisions", "explain", decision])?;
        player.chapter("The same decision, judged again by nothing but what was read then");
        cast.show(&cast.acme, &["decisions", "replay", decision])?;
    }
    Ok(())
}
