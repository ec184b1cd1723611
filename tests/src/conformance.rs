//! Plays the [`cases`](crate::cases) against any SCIM endpoint.
#![expect(clippy::print_stdout, reason = "a program prints what it found")]

use clap::Parser;
use comfy_table::{Table, presets};

use crate::cases::{Profile, Target, folder, load, play};

/// Plays what real provisioning clients send against a SCIM endpoint, and shows what does not come back as it should.
///
/// Every case takes away what it made. Cases that count resources expect a tenant without any.
#[derive(Debug, Parser)]
pub struct Args {
    /// The base URL, which /Users is appended to
    #[arg(long, value_name = "URL")]
    base: String,
    /// The bearer token
    #[arg(long, env = "SCIM_TOKEN", hide_env_values = true)]
    token: String,
    /// The profile of the tenant: rfc, entra or okta
    #[arg(long, default_value = "rfc")]
    profile: Profile,
    /// Only the cases of this client (the name of its file)
    #[arg(long)]
    client: Option<String>,
}

/// Runs the program; whether all of them passed.
pub async fn run(args: &Args) -> anyhow::Result<bool> {
    let target = Target::new(&args.base, &args.token);
    let mut counts = Table::new();
    counts.load_style(presets::NOTHING).set_header(["client", "passed", "failed"]);
    let (mut passed_in_all, mut failed_in_all) = (0, 0);
    for file in load(&folder())? {
        if args.client.as_ref().is_some_and(|client| *client != file.client) {
            continue;
        }
        let (mut passed, mut failed) = (0, 0);
        for case in file.cases.iter().filter(|case| case.profiles.contains(&args.profile)) {
            match play(case, args.profile, &target).await {
                Ok(()) => passed += 1,
                Err(error) => {
                    failed += 1;
                    println!("FAILED  {}: {}\n        {error:#}\n", file.client, case.name);
                }
            }
        }
        counts.add_row([file.client.clone(), passed.to_string(), failed.to_string()]);
        passed_in_all += passed;
        failed_in_all += failed;
    }
    println!("{counts}\n\nprofile {}: {passed_in_all} passed, {failed_in_all} failed", args.profile);
    Ok(failed_in_all == 0)
}
