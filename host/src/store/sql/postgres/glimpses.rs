//! What those look at who wait for their turn to change a resource. Of a group that sixty-four clients add members to it is the same
//! row for all of them, and of the members one row each: one statement has them all.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_postgres::Row;
use uuid::Uuid;

use super::questions::Question;
use super::session::Session;
use crate::decision::TenantId;
use crate::scim::resource::ResourceId;
use crate::store::StoreError;
use crate::store::sql::driver::Error;

/// Each kind of row has its number in the first column, and in the second the tenant or the place among those who ask. All are of
/// one moment, as one statement is.
const ASK: &str = "\
    SELECT 0, tenant_id, generation, NULL::uuid, NULL::bigint, NULL::bigint, NULL::bigint, NULL::text FROM tenant \
    WHERE tenant_id = ANY($1::bigint[]) AND name IS NOT NULL \
    UNION ALL \
    SELECT 1, asked.tenant, asked.rtype, r.id, r.version, r.created_at, r.modified_at, r.body \
    FROM unnest($2::bigint[], $3::bigint[], $4::uuid[]) AS asked(tenant, rtype, id) \
    JOIN resource r ON r.tenant_id = asked.tenant AND r.rtype = asked.rtype AND r.id = asked.id \
    UNION ALL \
    SELECT 2, asked.place, m.mtype, asked.id, NULL, NULL, NULL, NULL \
    FROM unnest($5::bigint[], $6::bigint[], $7::uuid[], $8::uuid[]) AS asked(place, tenant, group_id, id) \
    JOIN group_member m ON m.tenant_id = asked.tenant AND m.group_id = asked.group_id AND m.member_id = asked.id \
    AND m.set_no = coalesce((SELECT s.live FROM member_set s \
    WHERE s.tenant_id = asked.tenant AND s.group_id = asked.group_id), 0) \
    UNION ALL \
    SELECT 3, asked.place, asked.rtype, asked.id, NULL, NULL, NULL, NULL \
    FROM unnest($9::bigint[], $10::bigint[], $11::bigint[], $12::uuid[]) AS asked(place, tenant, rtype, id) \
    JOIN resource r ON r.tenant_id = asked.tenant AND r.rtype = asked.rtype AND r.id = asked.id";

/// Where the columns `id, version, created_at, modified_at, body` of a resource begin.
pub(in crate::store::sql) const RESOURCE_AT: usize = 3;

/// A resource, and who is named along with it.
pub(in crate::store::sql) struct GlimpseOf {
    pub(in crate::store::sql) tenant: TenantId,
    /// The number of its type.
    pub(in crate::store::sql) rtype: i64,
    pub(in crate::store::sql) id: ResourceId,
    pub(in crate::store::sql) named: Vec<ResourceId>,
    /// The numbers of the types that the named may be of.
    pub(in crate::store::sql) rtypes: Vec<i64>,
}

/// What there is of it. Types are numbers.
#[derive(Default)]
pub(in crate::store::sql) struct Glimpsed {
    /// `None`: there is no such tenant.
    pub(in crate::store::sql) generation: Option<i64>,
    /// Its columns begin at [`RESOURCE_AT`].
    pub(in crate::store::sql) resource: Option<Arc<Row>>,
    pub(in crate::store::sql) members: Vec<(ResourceId, i64)>,
    pub(in crate::store::sql) identities: Vec<(ResourceId, i64)>,
}

impl Question for GlimpseOf {
    type Answer = Glimpsed;

    async fn ask_all(session: &Session, these: &[Self]) -> Result<Vec<Glimpsed>, StoreError> {
        let mut tenants: Vec<i64> = these.iter().map(|of| of.tenant.0).collect();
        tenants.sort_unstable();
        tenants.dedup();
        let mut resources: Vec<(i64, i64, Uuid)> = these.iter().map(|of| (of.tenant.0, of.rtype, of.id.0)).collect();
        resources.sort_unstable();
        resources.dedup();
        let (mut members, mut identities) = <(Rows4<Uuid>, Rows4<i64>)>::default();
        for (place, of) in (0_i64..).zip(these) {
            for named in &of.named {
                members.push(place, of.tenant.0, of.id.0, named.0);
                for rtype in &of.rtypes {
                    identities.push(place, of.tenant.0, *rtype, named.0);
                }
            }
        }
        let (of_tenants, rest): (Vec<i64>, Vec<(i64, Uuid)>) =
            resources.iter().map(|&(tenant, rtype, id)| (tenant, (rtype, id))).unzip();
        let (rtypes, ids): (Vec<i64>, Vec<Uuid>) = rest.into_iter().unzip();
        let rows = session
            .query_raw(
                ASK,
                &[
                    &tenants,
                    &of_tenants,
                    &rtypes,
                    &ids,
                    &members.places,
                    &members.tenants,
                    &members.of,
                    &members.ids,
                    &identities.places,
                    &identities.tenants,
                    &identities.of,
                    &identities.ids,
                ],
            )
            .await?;
        sort(these, rows).map_err(StoreError::from)
    }
}

/// Gives each his own.
fn sort(these: &[GlimpseOf], rows: Vec<Row>) -> Result<Vec<Glimpsed>, Error> {
    let mut glimpsed: Vec<Glimpsed> = these.iter().map(|_| Glimpsed::default()).collect();
    let (mut generations, mut resources) = (HashMap::new(), HashMap::new());
    for row in rows {
        let (kind, of, number): (i32, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if kind == 0 {
            generations.insert(of, number);
            continue;
        }
        let id = ResourceId(row.try_get(RESOURCE_AT)?);
        if kind == 1 {
            resources.insert((of, number, id), Arc::new(row));
            continue;
        }
        let place = usize::try_from(of).ok().and_then(|place| glimpsed.get_mut(place));
        let Some(place) = place else { return Err(Error::Damaged(format!("an answer for {of}, who did not ask"))) };
        if kind == 2 { &mut place.members } else { &mut place.identities }.push((id, number));
    }
    for (place, of) in glimpsed.iter_mut().zip(these) {
        place.generation = generations.get(&of.tenant.0).copied();
        place.resource = resources.get(&(of.tenant.0, of.rtype, of.id)).cloned();
    }
    Ok(glimpsed)
}

/// Rows of four values, as columns.
#[derive(Default)]
struct Rows4<T> {
    places: Vec<i64>,
    tenants: Vec<i64>,
    of: Vec<T>,
    ids: Vec<Uuid>,
}

impl<T> Rows4<T> {
    fn push(&mut self, place: i64, tenant: i64, of: T, id: Uuid) {
        self.places.push(place);
        self.tenants.push(tenant);
        self.of.push(of);
        self.ids.push(id);
    }
}
