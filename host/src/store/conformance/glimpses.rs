//! What is looked at without a snapshot is what a snapshot would say.

use serde_json::json;

use super::administration::state;
use super::world::{World, changed, group, group_type, member, tick, user, user_type};
use crate::decision::{ConstraintName, TenantId};
use crate::scim::resource::{Resource, ResourceId};
use crate::store::{Glimpse, Store, StoreError};

/// Both, as far as they can be compared.
async fn both(world: &World, endpoint: &str, id: ResourceId, named: &[ResourceId]) -> [Option<String>; 2] {
    let told = |glimpse: Option<Glimpse>| {
        glimpse.map(|Glimpse { model, resource_type, id, resource, named }| {
            format!("{} {resource_type} {id} {resource:?} {named:?}", model.generation)
        })
    };
    let glimpse = world.tenant.glimpse(endpoint, id, named).await.unwrap();
    [told(glimpse), told(Glimpse::of_snapshot(&*world.snapshot().await, endpoint, id, named).await.unwrap())]
}

pub(crate) async fn a_glimpse_is_what_a_snapshot_would_say(store: &dyn Store) {
    const MANY: usize = 150;
    let acme = World::new(store, "acme").await;
    let mut users = Vec::new();
    for n in 0..MANY {
        users.push(acme.user(&format!("user-{n}")).await);
    }
    let inner = acme.group("inner", &[&users[0]]).await;
    let members: Vec<&Resource> = users.iter().step_by(3).chain([&inner]).collect();
    let team = acme.group("team", &members).await;
    let of_users = |few: usize| users.iter().take(few).map(|user| user.id);
    let some: Vec<_> = of_users(7).chain([inner.id, team.id, user("nobody").id, user("none").id]).collect();

    // Once the model has to be read, and once it is known; then another one comes into force.
    for step in 0..4 {
        if step == 2 {
            let name = ConstraintName("new".to_owned());
            acme.tenant.activate(&name, Some(state("p", 1)), "Ada", tick()).await.unwrap();
        }
        let glimpse = acme.tenant.glimpse("Groups", team.id, &some).await.unwrap().unwrap();
        assert_eq!(glimpse.model.generation, i64::from(step >= 2));
        assert_eq!(glimpse.resource("Group", team.id), Some(Some(&team)));
        let among = glimpse.members_among(team.id, &some).unwrap();
        assert_eq!(among, [member(&users[0]), member(&users[3]), member(&users[6]), member(&inner)]);
        let there: Vec<_> = users.iter().take(7).chain([&inner, &team]).map(member).collect();
        assert_eq!(glimpse.identify(&some).unwrap(), there);
        // What was not looked at, it does not tell.
        assert_eq!(glimpse.resource("User", team.id), None);
        assert_eq!(glimpse.resource("Group", inner.id), None);
        assert_eq!(glimpse.members_among(inner.id, &some), None);
        assert_eq!(glimpse.identify(&[users[0].id, users[9].id]), None);
    }

    let many: Vec<_> = of_users(MANY).collect();
    for (endpoint, id, named) in [
        ("Groups", team.id, &some[..]),
        ("Groups", team.id, &many),
        ("Groups", team.id, &[]),
        ("Groups", users[0].id, &some),
        ("Users", users[0].id, &some),
        ("Users", team.id, &some),
        ("Groups", group("nothing").id, &some),
        ("Nothing", team.id, &some),
    ] {
        let [glimpse, snapshot] = both(&acme, endpoint, id, named).await;
        assert_eq!(glimpse, snapshot, "{endpoint} {id}");
        assert_eq!(glimpse.is_none(), endpoint == "Nothing");
    }

    let nobody = store.tenant(TenantId(1_000_000)).glimpse("Groups", team.id, &some).await;
    assert!(matches!(nobody, Err(StoreError::NoTenant)), "{nobody:?}");
}

/// Those of several tenants, of several groups, some of which are the same, and of one id as of two types.
pub(crate) async fn of_many_who_look_at_once_each_sees_his_own(store: &dyn Store) {
    const TENANTS: usize = 3;
    const GROUPS: usize = 4;
    const LOOKS: usize = 10;
    let (mut looks, mut teams) = (tokio::task::JoinSet::new(), Vec::new());
    for tenant in 0..TENANTS {
        let world = World::new(store, &format!("tenant-{tenant}")).await;
        let ada = world.user("ada").await;
        for n in 0..GROUPS {
            let team = world.group(&format!("team-{n}"), &[&ada][..n % 2]).await;
            let team = world.changed_to(&team, tenant).await;
            teams.push((world.clone(), ada.clone(), team, n % 2 == 1));
        }
    }
    for look in 0..LOOKS {
        for (world, ada, team, is_member) in teams.clone() {
            looks.spawn(async move {
                let is_of_user = look % 3 == 0;
                let (endpoint, of) = if is_of_user { ("Users", user_type()) } else { ("Groups", group_type()) };
                let glimpse = world.tenant.glimpse(endpoint, team.id, &[ada.id]).await.unwrap().unwrap();
                let expected = (!is_of_user).then_some(&team);
                assert_eq!(glimpse.resource(&of.name, team.id), Some(expected));
                let members: Vec<_> = is_member.then(|| member(&ada)).into_iter().collect();
                assert_eq!(glimpse.members_among(team.id, &[ada.id]).unwrap(), members);
                assert_eq!(glimpse.identify(&[ada.id]).unwrap(), [member(&ada)]);
            });
        }
    }
    while let Some(looked) = looks.join_next().await {
        looked.unwrap();
    }
}

impl World {
    /// A group with something that groups of other tenants have not.
    async fn changed_to(&self, team: &Resource, number: usize) -> Resource {
        let after = changed(team, json!({ "externalId": format!("of-{number}") }));
        self.update(team, &after).await.unwrap();
        after
    }
}
