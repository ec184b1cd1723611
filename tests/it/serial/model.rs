//! The tenant as a few maps: what each look-up answers, what each operation does, and what the rules of the guest
//! `rests-on-look-ups` mean. Written down without the host's code, to be held against it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

pub(super) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) version: i64,
    pub(super) active: bool,
    pub(super) user_type: String,
    pub(super) title: String,
    pub(super) manager: Option<String>,
    pub(super) department: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) revision: u64,
    pub(super) rows: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) members: BTreeSet<String>,
}

/// A tenant. Ids are texts, which sort as the ids do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) users: BTreeMap<String, User>,
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) tables: BTreeMap<String, Table>,
    /// The group that no auditor may be in.
    pub(super) operators: String,
}

/// What somebody wants.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Create(User),
    Set(String, Field),
    Delete(String),
    Join { group: String, member: String },
    Leave { group: String, member: String },
    Put { table: &'static str, rows: BTreeMap<String, Value> },
}

#[derive(Clone, Debug)]
pub(super) enum Field {
    Active(bool),
    UserType(&'static str),
    Title(&'static str),
    Manager(String),
    Department(&'static str),
}

impl Model {
    /// What a read of the decision log would answer here; `None` if it is not one of other resources or of a table.
    pub(super) fn answer(&self, read: &Value) -> Option<Value> {
        if let Some(table) = read["table"].as_str() {
            let (table, key) = (&self.tables[table], read["key"].as_str()?);
            let row = table.rows.get(key);
            let mut answer = read.clone();
            answer["revision"] = json!(table.revision);
            match read.get("contains") {
                Some(_) => answer["contains"] = json!(row.is_some()),
                None => answer["row"] = row.cloned().unwrap_or(Value::Null),
            }
            return Some(answer);
        }
        let look_up = read.get("look_up")?;
        let text = |name: &str| look_up[name].as_str().unwrap();
        let answer = match text("kind") {
            "get" => self.found(self.users.get_key_value(text("id"))),
            "find" => {
                let limit = look_up["limit"].as_u64()? as usize;
                self.found(self.matching(text("filter")).take(limit))
            }
            "count" => json!(self.matching(text("filter")).count()),
            "is-member" => {
                assert_eq!(look_up["transitive"], true);
                json!(self.members_in_all(text("group_id")).contains(text("member_id")))
            }
            other => panic!("{other}: {read:#}"),
        };
        let mut read = read.clone();
        read["answer"] = answer;
        Some(read)
    }

    fn found<'a>(&self, users: impl IntoIterator<Item = (&'a String, &'a User)>) -> Value {
        users.into_iter().map(|(id, user)| json!({ "id": id, "version": user.version })).collect()
    }

    fn matching<'a>(&'a self, filter: &'a str) -> impl Iterator<Item = (&'a String, &'a User)> {
        self.users.iter().filter(move |(id, user)| filter.split(" and ").all(|part| self.holds(part, id, user)))
    }

    fn holds(&self, comparison: &str, id: &str, user: &User) -> bool {
        let (path, value) = comparison.split_once(" eq ").unwrap();
        let value: Value = serde_json::from_str(value).unwrap();
        match path.strip_prefix(ENTERPRISE).unwrap_or(path) {
            "active" => value == user.active,
            "userType" => value == user.user_type.as_str(),
            "title" => value == user.title.as_str(),
            ":manager.value" => value.as_str() == user.manager.as_deref(),
            "groups.value" => self.groups[value.as_str().unwrap()].members.contains(id),
            other => panic!("{other}"),
        }
    }

    /// Through nested groups.
    fn members_in_all(&self, group: &str) -> BTreeSet<String> {
        let (mut all, mut to_see) = (BTreeSet::new(), vec![group.to_owned()]);
        while let Some(group) = to_see.pop() {
            for member in self.groups.get(&group).into_iter().flat_map(|group| &group.members) {
                if all.insert(member.clone()) {
                    to_see.push(member.clone());
                }
            }
        }
        all
    }

    /// Carries out an operation that was admitted; a new user has this id. Whether there is what it is about.
    pub(super) fn apply(&mut self, operation: &Operation, id: &str) -> bool {
        match operation {
            Operation::Create(user) => {
                self.users.insert(id.to_owned(), user.clone());
            }
            Operation::Set(id, field) => {
                let Some(user) = self.users.get_mut(id) else { return false };
                user.version += 1;
                match field.clone() {
                    Field::Active(active) => user.active = active,
                    Field::UserType(user_type) => user.user_type = user_type.to_owned(),
                    Field::Title(title) => user.title = title.to_owned(),
                    Field::Manager(manager) => user.manager = Some(manager),
                    Field::Department(department) => user.department = Some(department.to_owned()),
                }
            }
            Operation::Delete(id) => {
                if self.users.remove(id).is_none() {
                    return false;
                }
                for group in self.groups.values_mut() {
                    group.members.remove(id);
                }
            }
            Operation::Join { group, member } => {
                if !self.users.contains_key(member) && !self.groups.contains_key(member) {
                    return false;
                }
                self.groups.get_mut(group).unwrap().members.insert(member.clone());
            }
            Operation::Leave { group, member } => {
                self.groups.get_mut(group).unwrap().members.remove(member);
            }
            Operation::Put { table, rows } => {
                let table = self.tables.get_mut(*table).unwrap();
                table.revision += 1;
                table.rows.clone_from(rows);
            }
        }
        true
    }

    /// What is wrong with a state that an admitted operation has led to.
    pub(super) fn broken_by(&self, operation: &Operation) -> Vec<&'static str> {
        let users = || self.users.values();
        let is_active = |id: &String| self.users.get(id).is_some_and(|user| user.active);
        let operators = self.members_in_all(&self.operators);
        let mut broken = Vec::new();
        let mut check = |holds: bool, rule| {
            if !holds {
                broken.push(rule);
            }
        };
        check(
            users().filter(|user| user.active && user.user_type == "admin").count() >= 2,
            "two active administrators",
        );
        check(users().all(|user| user.manager.as_ref().is_none_or(is_active)), "managers are there and active");
        check(users().filter(|user| user.title == "boss").count() <= 1, "one boss");
        let auditor = |id: &String| self.users.get(id).is_some_and(|user| user.user_type == "auditor");
        check(!operators.iter().any(auditor), "no auditor among the operators");
        // What tables say is asked of those alone who change something by it.
        match operation {
            Operation::Set(_, Field::Department(department)) => {
                check(self.tables["departments"].rows.contains_key(*department), "a department of the table");
            }
            Operation::Join { group, member } if self.users.contains_key(member) => {
                let group = &self.groups[group];
                let max = self.tables["quotas"].rows.get(&group.name).map(|row| row["max"].as_u64().unwrap());
                let users = group.members.iter().filter(|id| self.users.contains_key(*id)).count() as u64;
                check(max.is_none_or(|max| users <= max), "as many members as there is room for");
            }
            _ => {}
        }
        broken
    }
}
