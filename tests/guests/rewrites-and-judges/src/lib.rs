//! Sets a title, and refuses every title that it finds: a component that exports both, and sees its own work.

use schemars::JsonSchema;
use scruple_sdk::{About, Constraint, Edit, Error, Operation, Reason, Rewriter, Verdict, about, directory, report};
use serde::Deserialize;

struct RewritesAndJudges;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The title to set.
    title: String,
    /// Let titles pass.
    #[serde(default)]
    lenient: bool,
}

impl Constraint for RewritesAndJudges {
    type Settings = Settings;

    fn about() -> About {
        about!().resource_types(["User"]).reads(["title"]).writes(["title"]).looks_up(["User"])
    }

    fn evaluate(operation: &Operation, settings: &Settings) -> Result<Verdict, Error> {
        report::note("users", &directory::count("User", "title pr")?.to_string());
        for difference in operation.differences("title")? {
            let after = difference.after.map(|value| value.to_string());
            report::note("changes to", &after.unwrap_or_default());
        }
        let titled = operation.after().map_or(Ok(false), |user| user.has("title"))?;
        if settings.lenient || !titled {
            return Ok(Verdict::allow());
        }
        Ok(Reason::new("titled", "a title is given").path("title").into())
    }
}

impl Rewriter for RewritesAndJudges {
    type Settings = Settings;

    fn about() -> About {
        <Self as Constraint>::about()
    }

    fn rewrite(_: &Operation, settings: &Settings) -> Result<Vec<Edit>, Error> {
        // Granted to judge by, and not there for a rewriter.
        if let Err(refused) = directory::count("User", "title pr") {
            report::note("directory", &refused.to_string());
        }
        Ok(vec![Edit::set("title", settings.title.as_str())])
    }
}

scruple_sdk::export!(RewritesAndJudges as Constraint + Rewriter);
