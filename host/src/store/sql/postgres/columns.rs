//! [`Columns`]: several writes as what one statement takes. Of changes of one resource that follow on each other it is what
//! they come to together: the last one's row, and of what they bring and take away the difference. Each keeps its decision.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::text::escaped;
use crate::decision::TenantId;
use crate::scim::index::IndexEntry;
use crate::store::StoreError;
use crate::store::sql::names::Names;
use crate::store::write_set::{DecisionRow, MembersWrite, ResourceRow, ResourceWrite, WriteSet};

/// A value that a statement takes.
type Parameter<'p> = &'p (dyn ToSql + Sync);

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Makes resources.
    Create,
    /// Changes resources that there are.
    Update,
}

impl Kind {
    /// Of the statement that can do it; `None`: one is not enough.
    pub(super) fn of(write: &WriteSet) -> Option<Self> {
        let is_simple = write.look_ups.is_empty()
            && write.waivers_used.is_empty()
            && write.secrets.iter().all(|secret| secret.hash.is_some())
            && matches!(write.members, MembersWrite::Rows { .. });
        match write.resource {
            ResourceWrite::Insert(_) if is_simple => Some(Self::Create),
            ResourceWrite::Update { .. } if is_simple => Some(Self::Update),
            _ => None,
        }
    }
}

/// What the statements take: a value for each column of each row that is to be written.
pub(super) struct Columns<'w> {
    pub(super) kind: Kind,
    tenant: i64,
    generation: i64,
    resources: Resources<'w>,
    keys: Changed<Entry<'w>>,
    attrs: Changed<Entry<'w>>,
    needed: Members,
    members: Changed<Membership>,
    secrets: Secrets<'w>,
    decisions: Decisions<'w>,
}

#[derive(Default)]
struct Resources<'w> {
    rtypes: Vec<i64>,
    ids: Vec<Uuid>,
    /// Those that they must have, if they are to be there.
    expected: Vec<i64>,
    versions: Vec<i64>,
    created: Vec<i64>,
    modified: Vec<i64>,
    bodies: Vec<&'w str>,
}

/// Of which resource, by which attribute, with which value.
type Entry<'w> = (i64, Uuid, i64, Cow<'w, str>);

/// In which group, who, of which type.
type Membership = (Uuid, Uuid, i64);

/// Resources that must be there: who joins a group.
#[derive(Default)]
struct Members(Vec<Uuid>, Vec<i64>);

#[derive(Default)]
struct Secrets<'w>(Vec<Uuid>, Vec<i64>, Vec<&'w str>);

#[derive(Default)]
struct Decisions<'w> {
    ids: Vec<Uuid>,
    at: Vec<i64>,
    outcomes: Vec<&'static str>,
    resources: Vec<Uuid>,
    constraints: Vec<Cow<'w, str>>,
    records: Vec<&'w str>,
    txns: Vec<Option<Uuid>>,
}

/// Rows of which some go and some come, as columns.
struct Changed<T: Rows> {
    gone: T::Columns,
    new: T::Columns,
}

trait Rows: Ord + Sized {
    type Columns: FromIterator<Self>;
}

/// Of rows of an index.
type EntryColumns<'w> = (Vec<i64>, Vec<Uuid>, Vec<i64>, Vec<Cow<'w, str>>);

impl<'w> Rows for Entry<'w> {
    type Columns = EntryColumns<'w>;
}

impl Rows for Membership {
    type Columns = (Vec<Uuid>, Vec<Uuid>, Vec<i64>);
}

/// What several changes in a row come to: which rows were there before the first, and which are after the last.
struct Net<T>(BTreeMap<T, (bool, bool)>);

impl<T: Rows> Net<T> {
    fn goes(&mut self, row: T) {
        self.0.entry(row).or_insert((true, true)).1 = false;
    }

    fn comes(&mut self, row: T) {
        self.0.entry(row).or_insert((false, false)).1 = true;
    }

    fn changed(self) -> Changed<T> {
        let (mut gone, mut new) = (Vec::new(), Vec::new());
        for (row, (was_there, is_there)) in self.0 {
            match (was_there, is_there) {
                (true, false) => gone.push(row),
                (false, true) => new.push(row),
                (true, true) | (false, false) => {}
            }
        }
        Changed { gone: gone.into_iter().collect(), new: new.into_iter().collect() }
    }
}

impl<T> Default for Net<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// What becomes of a resource: the version that it must have, and its row in the end.
type Becomes<'w> = BTreeMap<(i64, Uuid), (Option<i64>, &'w ResourceRow)>;

impl<'w> Columns<'w> {
    /// `None` if they are nothing for one statement.
    pub(super) fn of(tenant: TenantId, names: &Names, writes: &'w [Arc<WriteSet>]) -> Result<Option<Self>, StoreError> {
        let Some(first) = writes.first() else { return Ok(None) };
        let Some(kind) = Kind::of(first) else { return Ok(None) };
        let mut becomes = Becomes::new();
        let (mut keys, mut attrs, mut members) = (Net::default(), Net::default(), Net::default());
        let (mut needed, mut secrets) = (BTreeMap::new(), BTreeMap::new());
        let mut decisions = Decisions::default();
        for write in writes {
            let MembersWrite::Rows { added, removed } = &write.members else { return Ok(None) };
            let rtype = names.number(&write.resource_type)?;
            if Kind::of(write) != Some(kind)
                || write.generation != first.generation
                || !follows(&mut becomes, rtype, write)
            {
                return Ok(None);
            }
            let entry = |entry: &'w IndexEntry| {
                Ok::<_, StoreError>((rtype, write.id.0, names.number(&entry.attribute)?, escaped(&entry.norm)))
            };
            for gone in &write.entries_removed {
                if gone.unique { &mut keys } else { &mut attrs }.goes(entry(gone)?);
            }
            for new in &write.entries_added {
                if new.unique { &mut keys } else { &mut attrs }.comes(entry(new)?);
            }
            for member in removed {
                members.goes((write.id.0, member.id.0, names.number(&member.resource_type)?));
            }
            for member in added {
                let mtype = names.number(&member.resource_type)?;
                members.comes((write.id.0, member.id.0, mtype));
                needed.insert(member.id.0, mtype);
            }
            for secret in &write.secrets {
                if let Some(hash) = &secret.hash {
                    secrets.insert((write.id.0, names.number(&secret.path)?), hash.as_str());
                }
            }
            decisions.push(&write.decision);
        }
        Ok(Some(Self {
            kind,
            tenant: tenant.0,
            generation: first.generation,
            resources: Resources::of(becomes),
            keys: keys.changed(),
            attrs: attrs.changed(),
            needed: Members(needed.keys().copied().collect(), needed.values().copied().collect()),
            members: members.changed(),
            secrets: Secrets::of(secrets),
            decisions,
        }))
    }

    /// `$1` to `$30`, which each statement takes, and those of its own.
    pub(super) fn values(&self) -> Vec<Parameter<'_>> {
        let (resources, decisions) = (&self.resources, &self.decisions);
        let mut values: Vec<Parameter<'_>> = vec![
            &self.tenant,
            &self.generation,
            &resources.rtypes,
            &resources.ids,
            &resources.versions,
            &resources.modified,
            &resources.bodies,
        ];
        values.extend(entries(&self.keys.new));
        values.extend(entries(&self.attrs.new));
        let (groups, members, mtypes) = &self.members.new;
        let new: [Parameter<'_>; 15] = [
            &self.needed.0,
            &self.needed.1,
            groups,
            members,
            mtypes,
            &self.secrets.0,
            &self.secrets.1,
            &self.secrets.2,
            &decisions.ids,
            &decisions.at,
            &decisions.outcomes,
            &decisions.resources,
            &decisions.constraints,
            &decisions.records,
            &decisions.txns,
        ];
        values.extend(new);
        match self.kind {
            Kind::Create => values.push(&resources.created),
            Kind::Update => {
                values.push(&resources.expected);
                values.extend(entries(&self.keys.gone));
                values.extend(entries(&self.attrs.gone));
                values.push(&self.members.gone.0);
                values.push(&self.members.gone.1);
            }
        }
        values
    }
}

fn entries<'p>((rtypes, ids, attrs, norms): &'p EntryColumns<'_>) -> [Parameter<'p>; 4] {
    [rtypes, ids, attrs, norms]
}

/// Notes what becomes of the resource of a write, if that follows on the one before it.
fn follows<'w>(becomes: &mut Becomes<'w>, rtype: i64, write: &'w WriteSet) -> bool {
    let resource = (rtype, write.id.0);
    match &write.resource {
        ResourceWrite::Insert(row) => becomes.insert(resource, (None, row)).is_none(),
        ResourceWrite::Update { expected_version, row } => {
            let (_, last) = becomes.entry(resource).or_insert((Some(*expected_version), row));
            let follows = std::ptr::eq(*last, row) || last.version == *expected_version;
            *last = row;
            follows
        }
        ResourceWrite::Delete { .. } => false,
    }
}

impl<'w> Resources<'w> {
    fn of(becomes: Becomes<'w>) -> Self {
        let mut columns = Self::default();
        for ((rtype, id), (expected, row)) in becomes {
            columns.rtypes.push(rtype);
            columns.ids.push(id);
            columns.expected.extend(expected);
            columns.versions.push(row.version);
            columns.created.push(row.created.as_microsecond());
            columns.modified.push(row.modified.as_microsecond());
            columns.bodies.push(&row.body);
        }
        columns
    }
}

impl<'w> Secrets<'w> {
    fn of(secrets: BTreeMap<(Uuid, i64), &'w str>) -> Self {
        let mut columns = Self::default();
        for ((id, attr), hash) in secrets {
            columns.0.push(id);
            columns.1.push(attr);
            columns.2.push(hash);
        }
        columns
    }
}

impl<'w> Decisions<'w> {
    fn push(&mut self, decision: &'w DecisionRow) {
        self.ids.push(decision.id.0);
        self.at.push(decision.at.as_microsecond());
        self.outcomes.push(decision.outcome.as_str());
        self.resources.push(decision.resource.0);
        self.constraints.push(escaped(&decision.constraints));
        self.records.push(&decision.record);
        self.txns.push(decision.txn.map(|txn| txn.0));
    }
}
