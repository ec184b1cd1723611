//! `scruple plugin new`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use scruple_plugin_new::{Language, Need, NewError, Plan};
use serde_json::json;

use crate::cli::Failure;
use crate::cli::output::Output;

#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    /// The plugin's name: lower-case letters, digits and dashes.
    name: String,
    /// What it is written in.
    #[arg(long, value_parser = PossibleValuesParser::new(Language::ALL.map(|(name, _)| name)))]
    lang: String,
    /// What it makes use of beside the operation: look-ups of other resources, tables of reference data. Several by commas.
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(Need::ALL.map(|(name, _)| name)))]
    needs: Vec<String>,
    /// Use the SDK in this folder (a checkout's `plugin-sdk`) instead of putting a copy into the project.
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
    /// The project's folder; one of the plugin's name here, if absent. It has to be empty or not there.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl New {
    pub(in crate::cli) fn run(&self, output: &Output) -> Result<(), Failure> {
        let plan = self.plan().map_err(failure)?;
        let folder = self.dir.clone().unwrap_or_else(|| PathBuf::from(&self.name));
        plan.write(&folder).map_err(failure)?;
        let steps = plan.next_steps();
        let width = steps.iter().map(|(step, _)| step.len()).max().unwrap_or_default();
        let mut text =
            format!("`{}` has a constraint that can be built as it is:\n\n  cd {}", folder.display(), folder.display());
        for (step, why) in &steps {
            text.push_str(&format!("\n  {step:width$}  # {why}"));
        }
        let steps: Vec<&str> = steps.iter().map(|(step, _)| step.as_str()).collect();
        let files: Vec<String> = plan.files().into_iter().map(|(path, _)| path).collect();
        output.line(&json!({ "folder": folder, "files": files, "next_steps": steps }), text)
    }

    fn plan(&self) -> Result<Plan, NewError> {
        let named =
            |name: &String| Language::ALL.into_iter().find(|(known, _)| known == name).map(|(_, language)| language);
        // The parser lets no other names through.
        let language = named(&self.lang).unwrap_or(Language::Rust);
        let needs = Need::ALL.into_iter().filter(|(name, _)| self.needs.iter().any(|need| need == name));
        let plan = Plan::new(&self.name, language)?.needs(needs.map(|(_, need)| need));
        match &self.sdk {
            Some(sdk) => plan.sdk(sdk),
            None => Ok(plan),
        }
    }
}

fn failure(error: NewError) -> Failure {
    match error {
        NewError::Write { .. } => Failure::Local(error.to_string()),
        _ => Failure::Usage(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use scruple_plugin_new::{Language, Plan};
    use serde_json::{Value, json};

    fn read(path: &Path) -> Value {
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    }

    /// Every file of this name in the fixtures of the shipped plugins.
    fn shipped(name: &str) -> Vec<PathBuf> {
        let inside = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
        let plugins = inside(Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins"));
        let folders = plugins.map(|plugin| plugin.join("fixtures")).flat_map(|all| inside(all.clone()).chain([all]));
        folders.map(|folder| folder.join(name)).filter(|file| file.is_file()).collect()
    }

    #[test]
    fn the_schemas_of_a_project_take_the_shipped_fixtures_and_refuse_what_the_reader_refuses() {
        let files = Plan::new("company-mail", Language::Rust).unwrap().files();
        for (kind, wrong) in [
            ("operation", json!({ "creates": {} })),
            ("operation", json!({ "create": {}, "delete": true })),
            ("operation", json!({ "create": {}, "before": {} })),
            ("expected", json!({ "verdict": "denied" })),
            ("expected", json!({ "reasons": [] })),
            ("population", json!({ "people": [] })),
            ("population", json!([7])),
        ] {
            let path = format!("schema/{kind}.schema.json");
            let schema = files.iter().find(|(name, _)| *name == path).unwrap();
            let schema = jsonschema::validator_for(&serde_json::from_str(&schema.1).unwrap()).unwrap();
            assert!(!schema.is_valid(&wrong), "{kind}: {wrong}");
            let fixtures = shipped(&format!("{kind}.json"));
            assert!(fixtures.len() > 3, "{kind}: {fixtures:?}");
            for fixture in fixtures {
                let problems: Vec<String> =
                    schema.iter_errors(&read(&fixture)).map(|problem| problem.to_string()).collect();
                assert!(problems.is_empty(), "{}: {problems:?}", fixture.display());
            }
        }
    }
}
