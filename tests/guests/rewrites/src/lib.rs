//! Gives the edits that its settings say, or breaks in the way that they say: for tests of what the host does with them.

use schemars::JsonSchema;
use scruple_sdk::{About, Edit, Error, Operation, Rewriter, about, report};
use serde::Deserialize;
use serde_json::Value;

struct Rewrites;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Settings {
    /// The edits: kind, path, value.
    #[serde(default)]
    edits: Vec<(Kind, String, Value)>,
    /// How to break.
    breaks: Option<Breaks>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Set,
    Append,
    Remove,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Breaks {
    /// Never return.
    Loops,
    /// Return an error.
    Fails,
    /// A million edits.
    ManyEdits,
    /// One edit, whose path has a megabyte. A value would be written as JSON, and fuel would stop that.
    HugeEdit,
}

impl Rewriter for Rewrites {
    type Settings = Settings;

    fn about() -> About {
        about!().writes(["*"])
    }

    fn rewrite(operation: &Operation, settings: &Settings) -> Result<Vec<Edit>, Error> {
        match settings.breaks {
            None => {}
            Some(Breaks::Fails) => return Err(Error::new("it does not want to")),
            Some(Breaks::ManyEdits) => return Ok((0..1_000_000).map(|_| Edit::remove("title")).collect()),
            Some(Breaks::HugeEdit) => return Ok(vec![Edit::remove("x".repeat(1 << 20))]),
            Some(Breaks::Loops) => loop {
                std::hint::black_box(());
            },
        }
        // What it was asked about, for the test to see.
        if let Some(user) = operation.after().filter(|after| after.resource_type() == "User") {
            report::note("title", &user.text("title")?.unwrap_or_default());
        }
        let edit = |(kind, path, value): &(Kind, String, Value)| match kind {
            Kind::Set => Edit::set(path, value.clone()),
            Kind::Append => Edit::append(path, value.clone()),
            Kind::Remove => Edit::remove(path),
        };
        Ok(settings.edits.iter().map(edit).collect())
    }
}

scruple_sdk::export!(Rewrites as Rewriter);
