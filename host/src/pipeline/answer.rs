//! What a client is shown of what it wrote.

use std::sync::Arc;

use crate::change::{Action, MembersChange};
use crate::decision::TenantId;
use crate::pipeline::Pipeline;
use crate::pipeline::read::{Representation, represent_new};
use crate::pipeline::write::{Change, WriteRequest};
use crate::scim::error::ScimError;
use crate::scim::profile::PatchAnswer;
use crate::scim::projection::{AttributeNames, Projection};
use crate::scim::resource::Resource;
use crate::scim::schema::{ResourceType, SchemaRegistry};
use crate::store::{StoreError, TenantModel};

/// Members that are shown after a PATCH where a client is to see the whole resource. Reading a hundred is about as much
/// work as the change itself; with more of them the answer would cost more than what was asked for.
const FEW_ROWS: usize = 100;

/// What a client is shown of what it wrote.
#[derive(Debug)]
pub enum Answer {
    /// The resource.
    Whole(Box<Representation>),
    /// That it is written, and in which version.
    Brief(Box<Resource>),
    /// Nothing: the resource is gone.
    Gone,
}

/// How the outcome of a request is to be shown. Made before anything is done: attributes that cannot be asked for refuse
/// the request.
pub(super) struct Showing {
    tenant: TenantId,
    projection: Projection,
    /// For an answer that does without the values kept as rows.
    without_rows: Projection,
    answer: PatchAnswer,
    schemas: Arc<SchemaRegistry>,
}

impl Showing {
    pub(super) fn of(
        tenant: TenantId,
        model: &TenantModel,
        resource_type: &Arc<ResourceType>,
        request: &WriteRequest,
    ) -> Result<Self, ScimError> {
        let projection = Projection::parse(&request.names, resource_type)?;
        let rows = resource_type.row_attribute();
        let excluded = rows.iter().map(|attribute| attribute.name.clone()).collect();
        let without_rows = Projection::parse(&AttributeNames { excluded, ..AttributeNames::default() }, resource_type)?;
        // A client that names attributes gets them, whatever it costs.
        let is_brief = matches!(request.change, Change::Patch { .. }) && projection.is_default();
        let answer = if is_brief { model.profile.patch_answer(rows.is_some()) } else { PatchAnswer::Body };
        Ok(Self { tenant, projection, without_rows, answer, schemas: Arc::clone(&model.schemas) })
    }

    /// The answer to a create, of which all is known: the store need not be asked again.
    pub(super) fn new_resource(&self, action: Action, resource: &Resource, members: &MembersChange) -> Option<Answer> {
        let is_new = action == Action::Create;
        let new = is_new.then(|| represent_new(resource, &members.added, &self.projection, &self.schemas));
        new.flatten().map(|found| Answer::Whole(Box::new(found)))
    }
}

impl Pipeline {
    pub(super) async fn answer(&self, showing: &Showing, resource: Resource) -> Result<Answer, StoreError> {
        let projection = match showing.answer {
            PatchAnswer::NoContent => return Ok(Answer::Brief(Box::new(resource))),
            PatchAnswer::BodyWithFewRows if self.has_many_rows(showing.tenant, &resource).await? => {
                return Ok(Answer::Brief(Box::new(resource)));
            }
            PatchAnswer::BodyWithoutRows => &showing.without_rows,
            PatchAnswer::Body | PatchAnswer::BodyWithFewRows => &showing.projection,
        };
        Ok(Answer::Whole(Box::new(self.represent(showing.tenant, resource, projection).await?)))
    }

    async fn has_many_rows(&self, tenant: TenantId, resource: &Resource) -> Result<bool, StoreError> {
        let snapshot = self.store.tenant(tenant).snapshot().await?;
        Ok(snapshot.members(resource.id, None, FEW_ROWS + 1).await?.len() > FEW_ROWS)
    }
}
