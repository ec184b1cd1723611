//! What is measured, and the check that it judges as the others do.

use anyhow::{Context, ensure};

use crate::cases::{Rule, cases};

/// A change that was converted to what a subject judges, ready to be judged again and again.
pub type Converted<'s> = Box<dyn Fn() -> anyhow::Result<bool> + 's>;

/// The rule in one language.
pub trait Subject {
    /// For the report.
    fn name(&self) -> String;

    /// Which rule it has.
    fn rule(&self) -> Rule {
        Rule::Compared
    }

    /// Judges a change from the text of both states: `true` for allowed.
    ///
    /// # Errors
    /// The text is not one that it understands, or it broke.
    fn judge(&self, text: &str) -> anyhow::Result<bool>;

    /// Does everything that does not depend on the rule.
    ///
    /// # Errors
    /// The text is not one that it understands.
    fn convert(&self, text: &str) -> anyhow::Result<Converted<'_>>;
}

/// Fails unless the subject allows what its rule allows and denies what it denies, from text and converted.
///
/// # Errors
/// Says which change it judged wrongly.
pub fn check(subject: &dyn Subject, bytes: usize) -> anyhow::Result<()> {
    for case in cases(bytes)? {
        let (text, expected) = (case.update.text(), case.is_allowed(subject.rule()));
        let about = || format!("{}: an update of {bytes} bytes, {}", subject.name(), case.what);
        ensure!(subject.judge(&text).with_context(about)? == expected, "{}: judged from text", about());
        ensure!(subject.convert(&text).with_context(about)?()? == expected, "{}: judged when converted", about());
    }
    Ok(())
}
