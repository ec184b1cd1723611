//! [`Moment`]: a tenant's resources as a change is judged by them.

mod source;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::source::Source;
use crate::change::Removed;
use crate::decision::{AdmittedChange, LookUp};
use crate::scim::resource::{Member, Resource, ResourceId};
use crate::scim::schema::ResourceType;
use crate::store::{Found, FoundRow, Glimpse, QueryError, Snapshot, StoreError, TenantModel, TenantStore};

/// A snapshot, and of one resource what changes make of it that are on their way to the store. What they change is that
/// resource and its members and nothing else; look-ups do not know of it, and are asked again at the commit.
pub struct Moment {
    source: Source,
    ahead: Option<Ahead>,
}

/// What becomes of a resource.
struct Ahead {
    resource: Resource,
    /// Who comes, and who goes (`None`).
    members: BTreeMap<ResourceId, Option<Member>>,
}

impl From<Arc<dyn Snapshot>> for Moment {
    fn from(snapshot: Arc<dyn Snapshot>) -> Self {
        Self { source: Source::Snapshot(snapshot), ahead: None }
    }
}

impl Moment {
    /// The moment at which these changes of a resource, which follow on each other, will be written, for one who has looked at it
    /// beforehand; the moment of a snapshot, if they do not follow on what he saw.
    pub async fn recalled(
        store: Arc<dyn TenantStore>,
        glimpse: Option<Glimpse>,
        changes: &[Arc<AdmittedChange>],
    ) -> Result<Self, StoreError> {
        if let Some(glimpse) = glimpse {
            let source = Source::Recalled {
                glimpse: Box::new(glimpse),
                store: Arc::clone(&store),
                snapshot: Default::default(),
            };
            let recalled = Self::of(source, changes).await?;
            let last = changes.last().and_then(|last| last.planned().after.as_ref());
            if last.is_none_or(|last| recalled.is_of(last)) {
                return Ok(recalled);
            }
        }
        Self::after(store.snapshot().await?, changes).await
    }

    /// The moment at which these changes of a resource, which follow on each other, will be written. Those that are already make no
    /// difference; if one of the others does not fit what is there, none of them does.
    pub async fn after(snapshot: Arc<dyn Snapshot>, changes: &[Arc<AdmittedChange>]) -> Result<Self, StoreError> {
        Self::of(Source::Snapshot(snapshot), changes).await
    }

    async fn of(source: Source, changes: &[Arc<AdmittedChange>]) -> Result<Self, StoreError> {
        let Some(first) = changes.first().map(|change| change.planned()) else {
            return Ok(Self { source, ahead: None });
        };
        let present = source.resource(&first.resource_type, first.id).await?;
        let ahead = present.and_then(|present| Ahead::of(present, changes));
        Ok(Self { source, ahead })
    }

    /// Whether a resource is of that version in it, by what is on its way.
    fn is_of(&self, resource: &Resource) -> bool {
        self.ahead_of(resource.id).is_some_and(|ahead| ahead.resource.meta.version == resource.meta.version)
    }

    fn ahead_of(&self, id: ResourceId) -> Option<&Ahead> {
        self.ahead.as_ref().filter(|ahead| ahead.resource.id == id)
    }

    /// The tenant's resource types, and the generation that they and its constraints are of: see
    /// [`Snapshot::presumed_model`].
    pub async fn model(&self) -> Result<Arc<TenantModel>, StoreError> {
        self.source.model().await
    }

    /// See [`Snapshot::is_outdated`].
    pub async fn is_outdated(&self) -> Result<bool, StoreError> {
        self.source.is_outdated().await
    }

    /// One resource, without its members and groups.
    pub async fn resource(
        &self,
        resource_type: &Arc<ResourceType>,
        id: ResourceId,
    ) -> Result<Option<Resource>, StoreError> {
        match self.ahead_of(id).filter(|ahead| ahead.resource.resource_type.name == resource_type.name) {
            Some(ahead) => Ok(Some(ahead.resource.clone())),
            None => self.source.resource(resource_type, id).await,
        }
    }

    /// The members of a group, by id, after one of them, at most `limit`.
    pub async fn members(
        &self,
        group: ResourceId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<Member>, StoreError> {
        let snapshot = self.source.snapshot().await?;
        let Some(ahead) = self.ahead_of(group) else { return snapshot.members(group, after, limit).await };
        let come = ahead.members.values().flatten().filter(|member| after.is_none_or(|after| member.id > after));
        let mut members: BTreeMap<_, _> = come.take(limit).map(|member| (member.id, member.clone())).collect();
        let (mut last, mut stay) = (after, 0);
        // Of a page some may go.
        loop {
            let page = snapshot.members(group, last, limit).await?;
            last = page.last().map(|last| last.id);
            let is_last = page.len() < limit;
            for member in page.into_iter().filter(|member| !ahead.members.contains_key(&member.id)) {
                members.insert(member.id, member);
                stay += 1;
            }
            if is_last || stay >= limit {
                break;
            }
        }
        Ok(members.into_values().take(limit).collect())
    }

    /// Which of these are direct members of the group.
    pub async fn members_among(&self, group: ResourceId, ids: &[ResourceId]) -> Result<Vec<Member>, StoreError> {
        let members = self.source.members_among(group, ids).await?;
        let Some(ahead) = self.ahead_of(group) else { return Ok(members) };
        let mut members: BTreeMap<_, _> = members.into_iter().map(|member| (member.id, member)).collect();
        for id in ids {
            match ahead.members.get(id) {
                Some(Some(comes)) => drop(members.insert(*id, comes.clone())),
                Some(None) => drop(members.remove(id)),
                None => {}
            }
        }
        Ok(members.into_values().collect())
    }

    /// Which of these are resources, and of which type.
    pub async fn identify(&self, ids: &[ResourceId]) -> Result<Vec<Member>, StoreError> {
        self.source.identify(ids).await
    }

    /// See [`Snapshot::look_up`].
    pub async fn look_up(&self, look_up: &LookUp) -> Result<Found, QueryError> {
        self.source.snapshot().await?.look_up(look_up).await
    }

    /// See [`Snapshot::table_row`].
    pub async fn table_row(&self, table: &str, key: &str) -> Result<Option<FoundRow>, StoreError> {
        self.source.snapshot().await?.table_row(table, key).await
    }
}

impl Ahead {
    fn of(present: Resource, changes: &[Arc<AdmittedChange>]) -> Option<Self> {
        let mut members = BTreeMap::new();
        let mut last = &present;
        let version = present.meta.version;
        let to_come = changes.iter().map(|change| change.planned());
        for change in to_come.filter(|change| change.expected_version().is_some_and(|expected| expected >= version)) {
            let Removed::These(removed) = &change.members.removed else { return None };
            if change.expected_version() != Some(last.meta.version) {
                return None;
            }
            last = change.after.as_ref()?;
            members.extend(removed.iter().map(|gone| (gone.id, None)));
            members.extend(change.members.added.iter().map(|comes| (comes.id, Some(comes.clone()))));
        }
        (last.meta.version > version).then(|| Self { resource: last.clone(), members })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::change::MembersChange;
    use crate::store::conformance::world::{World, admitted, changed, group_type, member, user_type};
    use crate::store::{SqlStore, StoreOptions};

    struct Team {
        _data: tempfile::TempDir,
        acme: World,
        group: Resource,
        /// By id: members and others in turns.
        users: Vec<Member>,
    }

    impl Team {
        async fn of_every_second(users: usize) -> Self {
            let data = tempfile::tempdir().unwrap();
            let store = SqlStore::sqlite(data.path(), StoreOptions::default()).unwrap();
            let acme = World::new(&store, "acme").await;
            let (mut all, mut members) = (Vec::new(), Vec::new());
            for n in 0..users {
                let user = acme.user(&format!("user-{n}")).await;
                all.push(member(&user));
                members.extend((n % 2 == 0).then_some(user));
            }
            let group = acme.group("team", &members.iter().collect::<Vec<_>>()).await;
            Self { _data: data, acme, group, users: all }
        }

        /// Those at these places go and come, in one change after the other.
        fn changes(&self, steps: &[(&[usize], &[usize])]) -> (Resource, Vec<Arc<AdmittedChange>>) {
            let mut group = self.group.clone();
            let those = |places: &[usize]| places.iter().map(|&place| self.users[place].clone()).collect::<Vec<_>>();
            let mut changes = Vec::new();
            for (removed, added) in steps {
                let after = changed(&group, json!({ "displayName": format!("step {}", changes.len()) }));
                let members = MembersChange { added: those(added), removed: those(removed).into() };
                changes.push(admitted(0, Some(&group), Some(&after), members, Vec::new()));
                group = after;
            }
            (group, changes)
        }

        async fn moment(&self, changes: &[Arc<AdmittedChange>]) -> Moment {
            Moment::after(self.acme.snapshot().await, changes).await.unwrap()
        }

        async fn places(&self, moment: &Moment, limit: usize) -> Vec<usize> {
            let (mut places, mut after) = (Vec::new(), None);
            loop {
                let page = moment.members(self.group.id, after, limit).await.unwrap();
                assert!(page.len() <= limit);
                let place = |member: &Member| self.users.iter().position(|user| user == member).unwrap();
                places.extend(page.iter().map(place));
                after = page.last().map(|last| last.id);
                if page.len() < limit {
                    return places;
                }
            }
        }
    }

    #[tokio::test]
    async fn it_is_as_if_what_is_on_its_way_had_been_written_already() {
        let team = Team::of_every_second(20).await;
        let steps: [(&[usize], &[usize]); 3] = [(&[0, 2, 4, 6, 18], &[1, 19]), (&[1], &[3, 18]), (&[], &[0])];
        let (after, changes) = team.changes(&steps);
        let moment = team.moment(&changes).await;
        assert_eq!(moment.resource(&group_type(), after.id).await.unwrap(), Some(after.clone()));
        assert_eq!(moment.resource(&user_type(), after.id).await.unwrap(), None);
        for limit in 1..=12 {
            assert_eq!(team.places(&moment, limit).await, [0, 3, 8, 10, 12, 14, 16, 18, 19], "{limit}");
        }
        let ids: Vec<_> = team.users.iter().map(|user| user.id).collect();
        let among = moment.members_among(after.id, &ids).await.unwrap();
        assert_eq!(among, team.moment(&changes).await.members(after.id, None, 100).await.unwrap());

        // Some of it has arrived meanwhile.
        drop(moment);
        for written in &changes[..2] {
            team.acme.tenant.commit(Arc::clone(written)).await.unwrap();
        }
        let moment = team.moment(&changes).await;
        assert_eq!(moment.resource(&group_type(), after.id).await.unwrap(), Some(after.clone()));
        assert_eq!(team.places(&moment, 4).await, [0, 3, 8, 10, 12, 14, 16, 18, 19]);
    }

    #[tokio::test]
    async fn what_does_not_follow_on_what_is_there_is_not_believed() {
        let team = Team::of_every_second(4).await;
        let (_, changes) = team.changes(&[(&[0], &[]), (&[2], &[]), (&[], &[1])]);
        for wrong in [&changes[1..], &[changes[0].clone(), changes[2].clone()]] {
            let moment = team.moment(wrong).await;
            assert_eq!(moment.resource(&group_type(), team.group.id).await.unwrap(), Some(team.group.clone()));
            assert_eq!(team.places(&moment, 10).await, [0, 2]);
        }
        // Another one was written instead of them.
        let other = changed(&team.group, json!({ "displayName": "other" }));
        team.acme.update(&team.group, &other).await.unwrap();
        let moment = team.moment(&changes[..1]).await;
        assert_eq!(moment.resource(&group_type(), other.id).await.unwrap(), Some(other));
        assert_eq!(team.places(&moment, 10).await, [0, 2]);
    }

    /// What is looked at of a group before one waits for his turn.
    async fn beforehand(team: &Team, ids: &[ResourceId]) -> Glimpse {
        team.acme.tenant.glimpse("Groups", team.group.id, ids).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn what_was_looked_at_beforehand_is_brought_up_to_date_by_what_came_between() {
        let team = Team::of_every_second(6).await;
        let ids: Vec<_> = team.users.iter().map(|user| user.id).collect();
        let (after, changes) = team.changes(&[(&[0], &[1]), (&[], &[3]), (&[1], &[5])]);
        let looked = beforehand(&team, &ids).await;
        // Two of them arrive meanwhile, the last is on its way.
        for written in &changes[..2] {
            team.acme.tenant.commit(Arc::clone(written)).await.unwrap();
        }
        let moment = Moment::recalled(Arc::clone(&team.acme.tenant), Some(looked), &changes).await.unwrap();
        assert_eq!(moment.resource(&group_type(), after.id).await.unwrap(), Some(after.clone()));
        let among = moment.members_among(after.id, &ids).await.unwrap();
        assert_eq!(among, [2, 3, 4, 5].map(|place| team.users[place].clone()));
        assert_eq!(moment.identify(&ids).await.unwrap(), team.users);
        // What was not asked is asked now, and comes to the same.
        assert_eq!(team.places(&moment, 4).await, [2, 3, 4, 5]);
        assert_eq!(moment.resource(&user_type(), after.id).await.unwrap(), None);
        assert!(!moment.is_outdated().await.unwrap());
    }

    #[tokio::test]
    async fn what_was_looked_at_beforehand_is_of_no_use_if_it_is_not_known_what_came_between() {
        let team = Team::of_every_second(4).await;
        let ids: Vec<_> = team.users.iter().map(|user| user.id).collect();
        let (after, changes) = team.changes(&[(&[0], &[1]), (&[2], &[3])]);
        let looked = beforehand(&team, &ids).await;
        team.acme.tenant.commit(Arc::clone(&changes[0])).await.unwrap();
        // The first of them is forgotten.
        let moment = Moment::recalled(Arc::clone(&team.acme.tenant), Some(looked), &changes[1..]).await.unwrap();
        assert_eq!(moment.resource(&group_type(), after.id).await.unwrap(), Some(after.clone()));
        assert_eq!(team.places(&moment, 4).await, [1, 3]);
    }

    #[tokio::test]
    async fn what_was_looked_at_under_another_model_is_known_to_be_once_more_is_asked() {
        let team = Team::of_every_second(4).await;
        let looked = beforehand(&team, &[]).await;
        let name = crate::decision::ConstraintName("new".to_owned());
        team.acme.tenant.activate(&name, None, "Ada", crate::store::conformance::world::tick()).await.unwrap();
        let moment = Moment::recalled(Arc::clone(&team.acme.tenant), Some(looked), &[]).await.unwrap();
        assert_eq!(moment.model().await.unwrap().generation, 0);
        assert!(!moment.is_outdated().await.unwrap());
        moment.members(team.group.id, None, 1).await.unwrap();
        assert!(moment.is_outdated().await.unwrap());
    }
}
