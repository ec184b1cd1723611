//! The differences that members make: one each, made when it is told. A change may have a million of them, so they are
//! gone through in pages; a question that names the members it is about looks at those and no others.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::differences::Selection;
use super::members::named_in_values;
use crate::change::diff::member_difference;
use crate::change::{Action, Difference, Removed};
use crate::constraints::sandbox::Operation;
use crate::constraints::state::{GuestState, ReadFailure};
use crate::scim::resource::{Member, ResourceId};

/// Members that are read at a time: some 3 ms of the store.
const PAGE: usize = 10_000;

impl GuestState {
    /// Calls `visit` with every difference of members that is at or under the path, until it has enough.
    pub(super) async fn each_member_difference(
        &mut self,
        operation: &Operation,
        under: Option<&Selection<'_>>,
        mut visit: impl FnMut(&mut Self, Difference) -> Result<ControlFlow<()>, ReadFailure>,
    ) -> Result<(), ReadFailure> {
        let planned = &operation.planned;
        let Some(attribute) = planned.resource_type.row_attribute() else { return Ok(()) };
        let asked = under.map(Selection::path);
        let about_members = asked.is_none_or(|path| {
            path.extension.is_none() && path.attribute.as_ref().is_none_or(|asked| asked.name == attribute.name)
        });
        if !about_members || planned.members.is_empty() || planned.action == Action::Delete {
            return Ok(());
        }
        let named = asked.and_then(|path| path.filter.as_deref()).and_then(named_in_values);
        let mut pages = Pages::new(operation, named);
        while let Some(page) = self.next_page(&mut pages).await? {
            for (member, is_added) in page {
                let difference = member_difference(attribute, &member, is_added);
                if under.is_none_or(|under| under.differs(&difference)) && visit(self, difference)?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Whether a member comes or goes at or under the path.
    pub(super) async fn any_member_differs(
        &mut self,
        operation: &Operation,
        under: &Selection<'_>,
    ) -> Result<bool, ReadFailure> {
        let mut found = false;
        let visit = |_: &mut Self, _| {
            found = true;
            Ok(ControlFlow::Break(()))
        };
        self.each_member_difference(operation, Some(under), visit).await?;
        Ok(found)
    }

    async fn next_page<'o>(&mut self, pages: &mut Pages<'o>) -> Result<Option<Page<'o>>, ReadFailure> {
        if let Some(listed) = pages.listed.pop() {
            return Ok(Some(listed));
        }
        let Removed::Many(departure) = &pages.operation.planned.members.removed else { return Ok(None) };
        let group = pages.operation.planned.id;
        let stored = match (std::mem::replace(&mut pages.stored, Stored::End), &pages.named) {
            (Stored::End, _) => return Ok(None),
            (Stored::Begin, Some(named)) => self.members_among(group, named).await?,
            (at, _) => {
                let after = match at {
                    Stored::After(last) => Some(last),
                    Stored::Begin | Stored::End => None,
                };
                if after.is_none() {
                    self.count_look_up()?;
                }
                let directory = self.subject()?.directory.clone();
                let page = self.answered(directory.members(group, after, PAGE)).await?;
                if let Some(last) = page.last().filter(|_| page.len() == PAGE) {
                    pages.stored = Stored::After(last.id);
                }
                page
            }
        };
        let gone = stored.into_iter().filter(|member| !departure.membership.keeps(member));
        Ok(Some(gone.map(|member| (Cow::Owned(member), false)).collect()))
    }
}

/// Members, and whether each comes.
type Page<'o> = Vec<(Cow<'o, Member>, bool)>;

/// What is still to be looked at.
struct Pages<'o> {
    operation: &'o Operation,
    /// The members that the question is about, if it names them.
    named: Option<Vec<ResourceId>>,
    /// Those that the change lists.
    listed: Vec<Page<'o>>,
    /// Those that it does not.
    stored: Stored,
}

enum Stored {
    Begin,
    After(ResourceId),
    End,
}

impl<'o> Pages<'o> {
    fn new(operation: &'o Operation, named: Option<Vec<&str>>) -> Self {
        let members = &operation.planned.members;
        let named: Option<Vec<ResourceId>> =
            named.map(|named| named.into_iter().filter_map(|id| id.parse().ok()).collect());
        let removed = match &members.removed {
            Removed::These(removed) => removed.as_slice(),
            Removed::Many(_) => &[],
        };
        let pages = [(&members.added[..], true), (removed, false)].map(|(members, is_added)| match &named {
            Some(named) => named
                .iter()
                .filter_map(|id| members.get(members.binary_search_by_key(id, |member| member.id).ok()?))
                .map(|member| (Cow::Borrowed(member), is_added))
                .collect::<Page<'o>>(),
            None => members.iter().map(|member| (Cow::Borrowed(member), is_added)).collect(),
        });
        Self { operation, named, listed: pages.into(), stored: Stored::Begin }
    }
}
