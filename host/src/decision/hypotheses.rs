//! What could have been otherwise: other answers to what a constraint has read, one at a time. Pure.
//!
//! A verdict is a function of its reads, so asking the constraint again with one of them changed tells whether the verdict
//! rests on it. Which of the hypotheses turn it is for whoever can ask. They are about facts and not about single reads:
//! where `externalId` is supposed not to have changed, its value after, whether it changes and the list of differences
//! all say so.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::decision::reads::{DocumentAnswer, DocumentRef, LookUp, LookUpAnswer, Read, ReadSet, TableAnswer};
use crate::scim::resource::ResourceId;

/// What stands where an attribute without a value is supposed to have one.
const SOME_VALUE: &str = "x";

/// Who is found where one more is supposed to be found.
const ONE_MORE: ResourceId = ResourceId(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));

/// Something that could have been otherwise, in words: `externalId had not changed`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Supposed(String);

impl fmt::Display for Supposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A change of what was read.
#[derive(Clone, Debug)]
pub struct Hypothesis {
    /// In words.
    pub supposed: Supposed,
    fact: Fact,
}

#[derive(Clone, Debug)]
enum Fact {
    Unchanged { path: String },
    Answer { at: usize, path: Option<(DocumentRef, String)>, read: Read },
}

impl Hypothesis {
    /// The reads, as they would have been.
    pub fn apply(&self, reads: &ReadSet) -> ReadSet {
        let mut supposed = reads.clone();
        match &self.fact {
            Fact::Unchanged { path } => leave_unchanged(&mut supposed.reads, path),
            Fact::Answer { at, path, read } => {
                if let Some((document, path)) = path {
                    has_value(&mut supposed.reads, document, path, holds(read));
                }
                if let Some(place) = supposed.reads.get_mut(*at) {
                    *place = read.clone();
                }
            }
        }
        supposed
    }
}

/// Everything that could have been otherwise and that is worth asking about, in the order of the reads, at most `most`.
pub fn hypotheses(reads: &ReadSet, most: usize) -> Vec<Hypothesis> {
    let unchanged = changed_paths(&reads.reads).into_iter().map(|path| Hypothesis {
        supposed: Supposed(format!("{path} had not changed")),
        fact: Fact::Unchanged { path },
    });
    let answers = reads.reads.iter().enumerate().flat_map(|(at, read)| other_answers(at, read));
    let mut seen = BTreeSet::new();
    unchanged.chain(answers).filter(|found| seen.insert(found.supposed.clone())).take(most).collect()
}

/// The paths of which something was read that says that they change.
fn changed_paths(reads: &[Read]) -> Vec<String> {
    let mut paths = Vec::new();
    for read in reads {
        match read {
            Read::Changes { path, answer: true } => paths.push(path.clone()),
            Read::Differences { answer, .. } => paths.extend(answer.iter().map(|(path, ..)| path.clone())),
            Read::Document { document: DocumentRef::After, path, answer } => {
                let before = answer_of(reads, &DocumentRef::Before, path, answer);
                if before.is_some_and(|before| before != answer) {
                    paths.push(path.clone());
                }
            }
            _ => {}
        }
    }
    let mut seen = BTreeSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    paths
}

/// What the same question about the same path was answered of another document.
fn answer_of<'r>(
    reads: &'r [Read],
    of: &DocumentRef,
    asked: &str,
    like: &DocumentAnswer,
) -> Option<&'r DocumentAnswer> {
    reads.iter().find_map(|read| match read {
        Read::Document { document, path, answer } => {
            let same_question = std::mem::discriminant(answer) == std::mem::discriminant(like);
            (document == of && path == asked && same_question).then_some(answer)
        }
        _ => None,
    })
}

fn leave_unchanged(reads: &mut [Read], unchanged: &str) {
    let before = reads.to_vec();
    for read in reads {
        match read {
            Read::Changes { path, answer } if path == unchanged => *answer = false,
            Read::Differences { answer, .. } => answer.retain(|(path, ..)| !is_at_or_under(path, unchanged)),
            Read::Document { document: DocumentRef::After, path, answer } if path == unchanged => {
                let as_before = answer_of(&before, &DocumentRef::Before, path, answer).cloned();
                let told = before.iter().find_map(|read| difference_before(read, unchanged));
                match (as_before, told, &mut *answer) {
                    (Some(as_before), ..) => *answer = as_before,
                    (None, Some(told), DocumentAnswer::Value(value)) => *value = told,
                    (None, Some(told), DocumentAnswer::Present(present)) => *present = told.is_some(),
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

fn difference_before(read: &Read, of: &str) -> Option<Option<Value>> {
    match read {
        Read::Differences { answer, .. } => {
            answer.iter().find(|(path, ..)| path == of).map(|(_, before, _)| before.clone())
        }
        _ => None,
    }
}

/// Whether a path of a difference is another one's, or of a part of its value.
fn is_at_or_under(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn other_answers(at: usize, read: &Read) -> Vec<Hypothesis> {
    let suppose = |text: String, path: Option<(DocumentRef, String)>, read: Read| Hypothesis {
        supposed: Supposed(text),
        fact: Fact::Answer { at, path, read },
    };
    match read {
        Read::Document { document, path, answer } => {
            let name = in_words(document, path);
            let others = other_document_answers(answer).into_iter().map(|(text, answer)| {
                let read = Read::Document { document: document.clone(), path: path.clone(), answer };
                suppose(format!("{name} {text}"), Some((document.clone(), path.clone())), read)
            });
            others.collect()
        }
        Read::LookUp { look_up, answer } => {
            let name = question(look_up);
            let others = other_look_up_answers(look_up, answer).into_iter().map(|(text, answer)| {
                suppose(format!("{name} {text}"), None, Read::LookUp { look_up: look_up.clone(), answer })
            });
            others.collect()
        }
        Read::Table { table, revision, key, answer } => {
            let (text, answer) = match answer {
                TableAnswer::Contains(true) => ("did not have", TableAnswer::Contains(false)),
                TableAnswer::Contains(false) => ("had", TableAnswer::Contains(true)),
                TableAnswer::Row(Some(_)) => ("did not have", TableAnswer::Row(None)),
                // What the row would say cannot be guessed.
                TableAnswer::Row(None) => return Vec::new(),
            };
            let read = Read::Table { table: table.clone(), revision: *revision, key: key.clone(), answer };
            vec![suppose(format!("table {table} {text} {key}"), None, read)]
        }
        Read::Differences { .. } | Read::Changes { .. } | Read::Refused { .. } => Vec::new(),
    }
}

fn other_document_answers(answer: &DocumentAnswer) -> Vec<(String, DocumentAnswer)> {
    let none = "had no value".to_owned();
    match answer {
        DocumentAnswer::Value(Some(Value::Bool(is))) => vec![
            (format!("were {}", !is), DocumentAnswer::Value(Some(Value::Bool(!is)))),
            (none, DocumentAnswer::Value(None)),
        ],
        DocumentAnswer::Value(Some(_)) => vec![(none, DocumentAnswer::Value(None))],
        DocumentAnswer::Value(None) => {
            vec![(format!("were \"{SOME_VALUE}\""), DocumentAnswer::Value(Some(json!(SOME_VALUE))))]
        }
        DocumentAnswer::Values(values) if values.is_empty() => {
            vec![(format!("were \"{SOME_VALUE}\""), DocumentAnswer::Values(vec![json!(SOME_VALUE)]))]
        }
        DocumentAnswer::Values(values) => {
            let mut others = vec![(none, DocumentAnswer::Values(Vec::new()))];
            if values.len() > 1 {
                others.extend(values.iter().enumerate().map(|(left_out, value)| {
                    let kept = values.iter().enumerate().filter(|(place, _)| *place != left_out);
                    let kept = kept.map(|(_, value)| value.clone()).collect();
                    (format!("were without {value}"), DocumentAnswer::Values(kept))
                }));
            }
            others
        }
        DocumentAnswer::Present(true) => vec![(none, DocumentAnswer::Present(false))],
        DocumentAnswer::Present(false) => vec![("had a value".to_owned(), DocumentAnswer::Present(true))],
        DocumentAnswer::Matches(true) => vec![("did not hold".to_owned(), DocumentAnswer::Matches(false))],
        DocumentAnswer::Matches(false) => vec![("held".to_owned(), DocumentAnswer::Matches(true))],
        DocumentAnswer::Json(_) => Vec::new(),
    }
}

fn other_look_up_answers(look_up: &LookUp, answer: &LookUpAnswer) -> Vec<(String, LookUpAnswer)> {
    match answer {
        LookUpAnswer::Count(count) => {
            let others: BTreeSet<u64> = [0, count.saturating_sub(1), count.saturating_add(1)]
                .into_iter()
                .filter(|other| other != count)
                .collect();
            others.into_iter().map(|other| (format!("were {other}"), LookUpAnswer::Count(other))).collect()
        }
        LookUpAnswer::Member(is) => {
            let text = if *is { "did not hold" } else { "held" };
            vec![(text.to_owned(), LookUpAnswer::Member(!is))]
        }
        // Of one more that is found nothing can be read: it can be told for rules that only count.
        LookUpAnswer::Resources(found) => {
            let nobody = ("found nobody".to_owned(), LookUpAnswer::Resources(Vec::new()));
            let one_more = found.iter().copied().chain([(ONE_MORE, 1)]).collect();
            let one_more = ("found one more".to_owned(), LookUpAnswer::Resources(one_more));
            let has_room = match look_up {
                LookUp::Find { limit, .. } => u32::try_from(found.len()).is_ok_and(|found| found < *limit),
                _ => found.is_empty(),
            };
            (!found.is_empty()).then_some(nobody).into_iter().chain(has_room.then_some(one_more)).collect()
        }
        LookUpAnswer::Groups(_) => Vec::new(),
    }
}

/// Whether a read says that there is something.
fn holds(read: &Read) -> Option<bool> {
    match read {
        Read::Document { answer: DocumentAnswer::Value(value), .. } => Some(value.is_some()),
        Read::Document { answer: DocumentAnswer::Values(values), .. } => Some(!values.is_empty()),
        Read::Document { answer: DocumentAnswer::Present(present), .. } => Some(*present),
        _ => None,
    }
}

/// Makes whatever else was read of a path say the same about whether it has a value, as far as that can be said.
fn has_value(reads: &mut [Read], of: &DocumentRef, at: &str, has: Option<bool>) {
    let Some(has) = has else { return };
    for read in reads {
        let Read::Document { document, path, answer } = read else { continue };
        if document != of || path != at {
            continue;
        }
        match answer {
            DocumentAnswer::Present(present) => *present = has,
            DocumentAnswer::Value(value) if !has => *value = None,
            DocumentAnswer::Values(values) if !has => values.clear(),
            DocumentAnswer::Value(_) | DocumentAnswer::Values(_) => {}
            DocumentAnswer::Matches(_) | DocumentAnswer::Json(_) => {}
        }
    }
}

fn in_words(document: &DocumentRef, path: &str) -> String {
    match document {
        DocumentRef::Before => format!("{path} before"),
        DocumentRef::After => format!("{path} after"),
        DocumentRef::LookedUp { resource_type, id } => format!("{path} of {resource_type} {id}"),
    }
}

fn question(look_up: &LookUp) -> String {
    match look_up {
        LookUp::Get { resource_type, id } => format!("looking for {resource_type} {id}"),
        LookUp::Find { resource_type, filter, .. } => format!("looking for {resource_type} where {filter}"),
        LookUp::Count { resource_type, filter } => format!("the number of {resource_type} where {filter}"),
        LookUp::IsMember { group_id, member_id, .. } => format!("that {member_id} is a member of {group_id}"),
        LookUp::GroupsOf { id } => format!("the groups of {id}"),
    }
}
