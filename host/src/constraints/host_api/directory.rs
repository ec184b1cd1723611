//! `directory`: look-ups of the tenant's other resources, as they stand before the operation.
//!
//! Every answer is recorded with what the commit needs to see that it still holds. What is found is read under the same
//! grants as the operation itself.

use std::sync::Arc;

use wasmtime::component;

use crate::constraints::bindings::scruple::constraint::{directory, types};
use crate::constraints::convert::excerpt;
use crate::constraints::state::{DocumentHandle, GuestState, ReadFailure};
use crate::decision::reads::{LookUp, LookUpAnswer};
use crate::scim::resource::{Resource, ResourceId};
use crate::scim::schema::ResourceType;

/// Handle of a document that is given to the guest.
type Found = component::Resource<DocumentHandle>;

impl directory::Host for GuestState {
    async fn get(&mut self, resource_type: String, id: String) -> Result<Option<Found>, ReadFailure> {
        self.count_call()?;
        let answer = self.look_up_one(&resource_type, &id).await;
        answer.map_err(|failure| self.refuse(&format!("directory.get {resource_type} {id}"), failure))
    }

    async fn find(&mut self, resource_type: String, filter: String, limit: u32) -> Result<Vec<Found>, ReadFailure> {
        self.count_call()?;
        let answer = self.look_up_matches(&resource_type, &filter, limit).await;
        answer.map_err(|failure| self.refuse(&format!("directory.find {resource_type} {filter}"), failure))
    }

    async fn count(&mut self, resource_type: String, filter: String) -> Result<u64, ReadFailure> {
        self.count_call()?;
        let answer = self.look_up_count(&resource_type, &filter).await;
        answer.map_err(|failure| self.refuse(&format!("directory.count {resource_type} {filter}"), failure))
    }

    async fn is_member(&mut self, group_id: String, member_id: String, transitive: bool) -> Result<bool, ReadFailure> {
        self.count_call()?;
        let what = format!("directory.is-member {group_id} {member_id}");
        let answer = self.look_up_membership(group_id, member_id, transitive).await;
        answer.map_err(|failure| self.refuse(&what, failure))
    }
}

impl GuestState {
    async fn look_up_one(&mut self, resource_type: &str, id: &str) -> Result<Option<Found>, ReadFailure> {
        let resource_type = self.granted_type(resource_type)?;
        self.check_id(id)?;
        self.check_read_bytes()?;
        self.count_look_up()?;
        let directory = self.subject()?.directory.clone();
        // What is not spelled like an id of ours is nobody's.
        let found = match id.parse::<ResourceId>() {
            Ok(id) => self.answered(directory.resource(&resource_type, id)).await?,
            Err(_) => None,
        };
        let look_up = LookUp::Get { resource_type: resource_type.name.clone(), id: id.to_owned() };
        self.record_look_up(look_up, versions(found.as_slice()))?;
        found.map(|found| self.hand_over(found)).transpose()
    }

    async fn look_up_matches(
        &mut self,
        resource_type: &str,
        filter: &str,
        limit: u32,
    ) -> Result<Vec<Found>, ReadFailure> {
        let resource_type = self.granted_type(resource_type)?;
        let filter = self.subject()?.paths.filter(&resource_type, filter)?;
        self.check_read_bytes()?;
        self.count_look_up()?;
        let limit = limit.min(self.limits.find_results_max);
        let directory = self.subject()?.directory.clone();
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut found = self.answered(directory.find(&resource_type, &filter.filter, most)).await?;
        found.truncate(most);
        let look_up =
            LookUp::Find { resource_type: resource_type.name.clone(), filter: filter.canonical.to_string(), limit };
        self.record_look_up(look_up, versions(&found))?;
        found.into_iter().map(|found| self.hand_over(found)).collect()
    }

    async fn look_up_count(&mut self, resource_type: &str, filter: &str) -> Result<u64, ReadFailure> {
        let resource_type = self.granted_type(resource_type)?;
        let filter = self.subject()?.paths.filter(&resource_type, filter)?;
        self.check_read_bytes()?;
        self.count_look_up()?;
        let directory = self.subject()?.directory.clone();
        let count = self.answered(directory.count(&resource_type, &filter.filter)).await?;
        let look_up = LookUp::Count { resource_type: resource_type.name.clone(), filter: filter.canonical.to_string() };
        self.record_look_up(look_up, LookUpAnswer::Count(count))?;
        Ok(count)
    }

    /// Membership is something of the group, so the capability to look up groups is the one that counts.
    async fn look_up_membership(
        &mut self,
        group_id: String,
        member_id: String,
        transitive: bool,
    ) -> Result<bool, ReadFailure> {
        self.granted_type("Group")?;
        self.check_id(&group_id)?;
        self.check_id(&member_id)?;
        self.check_read_bytes()?;
        self.count_look_up()?;
        let directory = self.subject()?.directory.clone();
        let member = match (group_id.parse(), member_id.parse()) {
            (Ok(group), Ok(member)) => self.answered(directory.is_member(group, member, transitive)).await?,
            _ => false,
        };
        let look_up = LookUp::IsMember { group_id, member_id, transitive };
        self.record_look_up(look_up, LookUpAnswer::Member(member))?;
        Ok(member)
    }

    fn granted_type(&self, name: &str) -> Result<Arc<ResourceType>, ReadFailure> {
        // The grant first: without it, not even which types there are is told.
        let subject = self.subject()?;
        if !subject.may_look_up {
            return Err(types::ReadError::NotGranted("a rewriter has no `directory`".to_owned()).into());
        }
        if !subject.paths.grants().directory(name) {
            return Err(types::ReadError::NotGranted(format!("`directory:{}` is not granted", excerpt(name))).into());
        }
        let resource_type = subject.schemas.resource_type(name).cloned();
        Ok(resource_type.ok_or_else(|| types::ReadError::Invalid(format!("there is no resource type `{name}`")))?)
    }

    /// An id that is not one is nobody's, but it is recorded, and so must not be endless.
    fn check_id(&self, id: &str) -> Result<(), ReadFailure> {
        let (bytes, bytes_max) = (id.len(), self.limits.code_bytes_max);
        if bytes > bytes_max {
            let message = format!("an id of {bytes} bytes is longer than the limit of {bytes_max}");
            return Err(types::ReadError::Invalid(message).into());
        }
        Ok(())
    }

    fn hand_over(&mut self, found: Arc<Resource>) -> Result<Found, ReadFailure> {
        Ok(self.table.push(DocumentHandle::LookedUp(found)).map_err(wasmtime::Error::from)?)
    }
}

fn versions(found: &[Arc<Resource>]) -> LookUpAnswer {
    LookUpAnswer::Resources(found.iter().map(|resource| (resource.id, resource.meta.version)).collect())
}
