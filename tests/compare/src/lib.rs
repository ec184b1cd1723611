//! The same rule in native Rust, in components and in policy engines, so that what a verdict costs can be measured side by
//! side: an update of a user is allowed if its `userName` is like `emp-*` and goes on behind that, it has a department, and
//! its `externalId` is what it was.
//!
//! Start at [`subject::Subject`], which each of them implements, then [`cases`] and [`all`]. Each is set up once, as its documentation
//! recommends it. The change is the same for all: JSON text of both states, `{"before": …, "after": …}`.

pub mod cases;
pub mod subject;

pub mod cedar;
pub mod cel;
pub mod component;
pub mod native;
pub mod rego;
pub mod rhai;

use crate::component::Workshop;
use crate::subject::Subject;

/// Sizes of a user, in bytes of JSON.
pub const SIZES: [usize; 4] = [1 << 10, 2 << 10, 4 << 10, 64 << 10];

/// Every subject: native Rust, what judges by a component, and the policy engines.
///
/// # Errors
/// One of them cannot be set up.
pub fn all(workshop: &Workshop) -> anyhow::Result<Vec<Box<dyn Subject + '_>>> {
    let mut subjects: Vec<Box<dyn Subject + '_>> = vec![Box::new(native::Typed), Box::new(native::Untyped)];
    for component in workshop.components()? {
        subjects.push(Box::new(component));
    }
    subjects.push(Box::new(rego::Interpreter::new()?));
    subjects.push(Box::new(rego::Machine::new()?));
    subjects.push(Box::new(cedar::Cedar::new()?));
    subjects.push(Box::new(cel::Cel::new()?));
    subjects.push(Box::new(rhai::Rhai::new()?));
    Ok(subjects)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::{Rule, cases};

    /// What each subject says is held against the same table, so no two of them can differ.
    #[test]
    fn every_subject_gives_the_same_verdicts_at_every_size() {
        let workshop = Workshop::open().unwrap();
        let subjects = all(&workshop).unwrap();
        for subject in &subjects {
            for bytes in SIZES {
                subject::check(subject.as_ref(), bytes).unwrap();
            }
        }
        let of = |rule: Rule| subjects.iter().filter(|subject| subject.rule() == rule).count();
        assert_eq!((of(Rule::Compared), of(Rule::Golden)), (8, 4));
    }

    #[test]
    fn a_subject_that_allows_or_denies_everything_is_found_out() {
        struct Always(bool);
        impl Subject for Always {
            fn name(&self) -> String {
                format!("always {}", self.0)
            }
            fn judge(&self, _: &str) -> anyhow::Result<bool> {
                Ok(self.0)
            }
            fn convert(&self, _: &str) -> anyhow::Result<subject::Converted<'_>> {
                Ok(Box::new(|| Ok(self.0)))
            }
        }
        for bytes in SIZES {
            assert!(subject::check(&Always(true), bytes).is_err());
            assert!(subject::check(&Always(false), bytes).is_err());
            assert!(cases(bytes).unwrap().len() > 10);
        }
    }
}
