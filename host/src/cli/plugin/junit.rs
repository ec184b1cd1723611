//! The report of `scruple plugin test` for build servers, in the format that JUnit made common.

use std::path::Path;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::test::Ran;
use crate::cli::Failure;

pub(super) fn report(path: &Path, ran: &[Ran]) -> Result<(), Failure> {
    let mut suite = TestSuite::new("fixtures");
    for Ran { case, outcome, seconds } in ran {
        let status = match outcome.differences.as_slice() {
            [] => TestCaseStatus::success(),
            differences => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(differences.join("; "));
                status
            }
        };
        let mut shown = TestCase::new(case.name.as_str(), status);
        shown.set_classname("scruple").set_time(Duration::from_secs_f64(*seconds));
        suite.add_test_case(shown);
    }
    let mut report = Report::new("scruple plugin test");
    report.add_test_suite(suite);
    let text = report.to_string().map_err(|error| Failure::Local(format!("cannot make the report: {error}")))?;
    std::fs::write(path, text).map_err(|error| Failure::Usage(format!("cannot write `{}`: {error}", path.display())))
}
