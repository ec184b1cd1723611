//! The public conformance suites, scim2-tester and scim-sanity, against a real server under every profile.
//!
//! `tests/conformance/prepare.sh` installs them (`make test` calls it). What they find and we mean to keep is listed with
//! the reason in `tests/conformance/deviations.json`; anything else fails the test, and so does a listed deviation that
//! is not found any more.

use std::path::{Path, PathBuf};
use std::process::Command;

use scruple_tests::TestServer;
use scruple_tests::cases::Profile;
use serde::Deserialize;
use serde_json::Value;

/// What a suite finds and we mean to keep.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deviation {
    suite: String,
    check: String,
    /// Part of what the suite says.
    reason: String,
    #[serde(default)]
    profiles: Option<Vec<Profile>>,
    #[expect(dead_code, reason = "for the reader of the file")]
    why: String,
}

/// One check that did not pass.
#[derive(Debug)]
struct Finding {
    check: String,
    reason: String,
}

/// What a suite said.
#[derive(Debug, Default)]
struct Report {
    passed: usize,
    skipped: usize,
    findings: Vec<Finding>,
}

fn conformance() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")
}

/// Runs Python with the suites in its reach and gives what it prints.
async fn python(arguments: Vec<String>) -> String {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let interpreter = target.join("conformance/python");
    assert!(interpreter.is_file(), "the suites are not installed: run tests/conformance/prepare.sh first");
    let run = move || Command::new(&interpreter).args(&arguments).output();
    let output = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(!printed.is_empty(), "the suite said nothing but: {}", String::from_utf8_lossy(&output.stderr));
    printed
}

/// What `scim2 test` prints: a line `STATUS check`, and below it, indented, why.
async fn scim2_tester(base: &str, token: &str) -> Report {
    let program = "import sys; from scim2_cli import cli; sys.argv[0] = 'scim2'; cli()";
    let header = format!("Authorization: Bearer {token}");
    let arguments = ["-c", program, "--url", base, "--header", &header, "test"].map(str::to_owned).to_vec();
    let printed = python(arguments).await;
    let mut report = Report::default();
    let mut current: Option<Finding> = None;
    for line in printed.lines() {
        let status = line.split_once(' ').filter(|(status, _)| {
            ["SUCCESS", "COMPLIANT", "ACCEPTABLE", "DEVIATION", "ERROR", "CRITICAL", "SKIPPED"].contains(status)
        });
        match (status, &mut current) {
            (Some((status, check)), open) => {
                report.findings.extend(open.take());
                match status {
                    "SUCCESS" | "COMPLIANT" | "ACCEPTABLE" => report.passed += 1,
                    "SKIPPED" => report.skipped += 1,
                    _ => *open = Some(Finding { check: check.to_owned(), reason: String::new() }),
                }
            }
            (None, Some(finding)) => finding.reason.push_str(line),
            (None, None) => {}
        }
    }
    report.findings.extend(current);
    report
}

/// What `scim-sanity probe --json-output` prints.
async fn scim_sanity(base: &str, token: &str, mode: &str) -> Report {
    let program = "import sys; from scim_sanity.cli import main; sys.argv[0] = 'scim-sanity'; main()";
    let flags = ["-c", program, "probe", base, "--token", token, mode, "--i-accept-side-effects", "--json-output"];
    let printed = python(flags.map(str::to_owned).to_vec()).await;
    let printed: Value = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
    let mut report = Report::default();
    for result in printed["results"].as_array().unwrap() {
        match result["status"].as_str().unwrap() {
            "pass" => report.passed += 1,
            "skip" => report.skipped += 1,
            _ => report.findings.push(Finding {
                check: result["name"].as_str().unwrap().to_owned(),
                reason: result["message"].as_str().unwrap_or("").to_owned(),
            }),
        }
    }
    report
}

/// Fails unless what was found is what is listed.
#[expect(clippy::print_stdout, reason = "the counts are worth reading when everything passes")]
fn judge(suite: &str, run: &str, profile: Profile, report: &Report) -> Vec<String> {
    let text = std::fs::read_to_string(conformance().join("deviations.json")).unwrap();
    let mut listed: Vec<Deviation> = serde_json::from_str(&text).unwrap();
    listed.retain(|deviation| {
        deviation.suite == suite && deviation.profiles.as_ref().is_none_or(|profiles| profiles.contains(&profile))
    });
    let is = |deviation: &Deviation, finding: &Finding| {
        deviation.check == finding.check && finding.reason.contains(&deviation.reason)
    };
    let new = report.findings.iter().filter(|finding| !listed.iter().any(|deviation| is(deviation, finding)));
    let mut wrong: Vec<String> =
        new.map(|finding| format!("{run} under {profile}: {}: {}", finding.check, finding.reason)).collect();
    let gone = listed.iter().filter(|deviation| !report.findings.iter().any(|finding| is(deviation, finding)));
    wrong.extend(gone.map(|deviation| {
        format!("{run} under {profile}: the listed deviation `{}` ({}) is gone", deviation.check, deviation.reason)
    }));
    println!(
        "{run} under {profile}: {} passed, {} skipped, {} listed deviations, {} wrong",
        report.passed,
        report.skipped,
        report.findings.len().saturating_sub(wrong.len()),
        wrong.len()
    );
    if report.passed == 0 {
        wrong.push(format!("{run} under {profile} passed nothing at all"));
    }
    wrong
}

async fn endpoint(server: &TestServer, name: &str, profile: Profile) -> (String, String) {
    let tenant = server.tenant(name).await;
    let body = serde_json::json!({ "profile": profile.as_str() });
    server.operator().patch(&format!("/api/v1/tenants/{name}"), body).await.expect_status(200);
    (format!("http://{}/scim/{name}/v2", server.address), tenant.scim.token().to_owned())
}

#[tokio::test]
async fn scim2_tester_finds_nothing_that_is_not_listed_under_any_profile() {
    let server = TestServer::start().await;
    let mut wrong = Vec::new();
    for profile in Profile::ALL {
        let (base, token) = endpoint(&server, &format!("tester-{profile}"), profile).await;
        let report = scim2_tester(&base, &token).await;
        wrong.extend(judge("scim2-tester", "scim2-tester", profile, &report));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn scim_sanity_finds_nothing_that_is_not_listed_under_any_profile() {
    let server = TestServer::start().await;
    let mut wrong = Vec::new();
    for profile in Profile::ALL {
        for mode in ["strict", "compat"] {
            let (base, token) = endpoint(&server, &format!("sanity-{mode}-{profile}"), profile).await;
            let report = scim_sanity(&base, &token, &format!("--{mode}")).await;
            wrong.extend(judge("scim-sanity", &format!("scim-sanity {mode}"), profile, &report));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
