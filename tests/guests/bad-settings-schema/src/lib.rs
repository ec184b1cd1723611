//! Describes its settings with a schema that is no JSON Schema: the upload must be refused.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use scruple_sdk::{About, Constraint, Error, Operation, Verdict, about};
use serde::Deserialize;

struct BadSettingsSchema;

#[derive(Deserialize)]
struct Settings {}

impl JsonSchema for Settings {
    fn schema_name() -> Cow<'static, str> {
        "Settings".into()
    }

    /// A type is a name or a list of names.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": 17 })
    }
}

impl Constraint for BadSettingsSchema {
    type Settings = Settings;

    fn about() -> About {
        about!()
    }

    fn evaluate(_: &Operation, _: &Settings) -> Result<Verdict, Error> {
        Ok(Verdict::allow())
    }
}

scruple_sdk::export!(BadSettingsSchema);
